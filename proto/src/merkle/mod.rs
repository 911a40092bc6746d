//! The Merkle tree of the log: its root, proofs made and proofs checked (RFC 6962 §2.1 = RFC 9162 §2.1).
//!
//! Pure mathematics over a one-method reader: whoever holds the hashes of the complete subtrees (a database, tiles, a
//! list in memory) implements [`NodeReader`], and every proof is made with a logarithmic number of reads. Checking needs
//! no reader, only the proof and the roots.
//!
//! ```
//! use proto::hash::Hash;
//! use proto::merkle::{CompactRange, MemoryTree, inclusion_proof, root_at, verify_inclusion};
//! use proto::num::{LeafIndex, TreeSize};
//!
//! let mut tree = MemoryTree::new();
//! let mut frontier = CompactRange::new();
//! for entry in [b"first", b"other", b"third"] {
//!     tree.append(Hash::leaf(entry));
//!     frontier.append(Hash::leaf(entry));
//! }
//! let size = TreeSize(3);
//! let root = root_at(&tree, size)?;
//! assert_eq!(root, frontier.root());
//!
//! let proof = inclusion_proof(&tree, LeafIndex(1), size)?;
//! verify_inclusion(LeafIndex(1), size, Hash::leaf(b"other"), &proof, &root)?;
//! assert!(verify_inclusion(LeafIndex(2), size, Hash::leaf(b"other"), &proof, &root).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod memory;
mod node;
mod prove;
mod range;

pub use check::{BadProof, root_from_inclusion, verify_consistency, verify_inclusion};
pub use memory::{MemoryTree, NodeMissing};
pub use node::NodeReader;
pub use prove::{InclusionProofs, ProofError, consistency_proof, frontier, inclusion_proof, root_at};
pub use range::{BadRange, CompactRange};

/// No proof of a tree of at most 2^63 - 1 entries has more hashes: 63 siblings, and for consistency one more to start
/// from. A reader of proofs may refuse longer lists before it decodes them.
pub const MAX_PROOF_HASHES: usize = 64;
