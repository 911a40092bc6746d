//! Notes, checkpoints, cosignatures, policies and proof files: published vectors, properties, and a published
//! implementation as oracle.

mod ed25519_vectors;
mod oracle;
mod policy;
mod properties;
mod vector_file;
mod vectors;
