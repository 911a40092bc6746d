//! The tree and its tiles against shared vectors, against other implementations, and against their own definition.

mod merkle_oracles;
mod merkle_properties;
mod merkle_vectors;
mod support;
mod tile_oracles;
mod tile_properties;
mod tile_vectors;
