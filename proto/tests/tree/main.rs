//! The tree and its tiles against shared vectors, against other implementations, and against their own definition.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

mod merkle_oracles;
mod merkle_properties;
mod merkle_vectors;
mod support;
mod tile_oracles;
mod tile_properties;
mod tile_vectors;
