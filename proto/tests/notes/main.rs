//! Notes, checkpoints, cosignatures, policies and proof files: published vectors, properties, and a published
//! implementation as oracle.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

mod ed25519_vectors;
mod oracle;
mod policy;
mod properties;
mod vector_file;
mod vectors;
