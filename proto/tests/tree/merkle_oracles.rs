//! Roots and proofs against three other implementations of RFC 6962.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proto::hash::Hash;
use proto::merkle::{CompactRange, consistency_proof, inclusion_proof, root_from_inclusion, verify_consistency};
use proto::num::{LeafIndex, TreeSize};
use sha2::{Digest, Sha256};
use tlog_tiles::HashReader;

use crate::support::{entries, leaves, tree};

/// Past a full tile, so that the other side's storage has more than one row of them.
const SIZES: [usize; 14] = [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 64, 100, 255, 300];

/// RFC 6962's inner nodes; what comes in is always two hashes, since leaves are hashed before.
#[derive(Clone)]
struct Prefixing;

impl rs_merkle::Hasher for Prefixing {
    type Hash = [u8; 32];

    fn hash(data: &[u8]) -> [u8; 32] {
        Sha256::new_with_prefix([0x01]).chain_update(data).finalize().into()
    }
}

#[test]
fn rs_merkle_has_the_same_roots_and_paths() {
    for size in SIZES {
        let leaves = leaves(size);
        let (ours, range) = (tree(&leaves), range(&leaves));
        let raw: Vec<[u8; 32]> = leaves.iter().map(|leaf| leaf.0).collect();
        let theirs = rs_merkle::MerkleTree::<Prefixing>::from_leaves(&raw);
        assert_eq!(theirs.root(), Some(range.root().0), "{size}");
        for index in 0..size {
            let proof = inclusion_proof(&ours, LeafIndex(index as u64), TreeSize(size as u64)).expect("a proof");
            let raw: Vec<[u8; 32]> = proof.iter().map(|hash| hash.0).collect();
            assert_eq!(theirs.proof(&[index]).proof_hashes(), raw, "{index} in {size}");
        }
    }
}

#[test]
fn ct_merkle_has_the_same_roots_and_proofs_and_takes_ours() {
    for size in SIZES {
        let entries = entries(size);
        let leaves = leaves(size);
        let ours = tree(&leaves);
        let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let mut roots = Vec::new();
        for entry in &entries {
            theirs.push(entry.clone());
            roots.push(theirs.root());
        }
        let root = Hash((*theirs.root().as_bytes()).into());
        assert_eq!(root, range(&leaves).root(), "{size}");
        let new = TreeSize(size as u64);
        for index in 0..size {
            let at = LeafIndex(index as u64);
            let proof = inclusion_proof(&ours, at, new).expect("a proof");
            assert_eq!(theirs.prove_inclusion(index).as_bytes(), flat(&proof), "{index} in {size}");
            let sent = InclusionProof::from_bytes(flat(&proof));
            assert!(theirs.root().verify_inclusion(&entries[index], index as u64, &sent).is_ok());
            assert_eq!(root_from_inclusion(at, new, leaves[index], &proof), Ok(root));
        }
        for old in 1..size {
            let proof = consistency_proof(&ours, TreeSize(old as u64), new).expect("a proof");
            assert_eq!(theirs.prove_consistency(size - old).as_bytes(), flat(&proof), "{old} to {size}");
            let sent = ConsistencyProof::try_from_bytes(flat(&proof)).expect("whole hashes");
            let old_root: &RootHash<Sha256> = &roots[old - 1];
            assert!(theirs.root().verify_consistency(old_root, &sent).is_ok(), "{old} to {size}");
            let old_root = Hash((*old_root.as_bytes()).into());
            assert_eq!(verify_consistency(TreeSize(old as u64), new, &old_root, &root, &proof), Ok(()));
        }
    }
}

#[test]
fn tlog_tiles_has_the_same_roots_and_proofs_and_takes_ours() {
    let largest = SIZES[SIZES.len() - 1];
    let leaves = leaves(largest);
    let ours = tree(&leaves);
    let stored = Stored::new(&leaves);
    for size in SIZES {
        let (n, new) = (size as u64, TreeSize(size as u64));
        let root = tlog_tiles::tree_hash(n, &stored).expect("a root");
        assert_eq!(Hash(root.0), range(&leaves[..size]).root());
        for (index, leaf) in leaves[..size].iter().enumerate() {
            let i = index as u64;
            let proof = theirs(&inclusion_proof(&ours, LeafIndex(i), new).expect("a proof"));
            assert!(tlog_tiles::prove_record(n, i, &stored).expect("a proof") == proof, "{index} in {size}");
            assert!(tlog_tiles::check_record(&proof, n, root, i, tlog_tiles::Hash(leaf.0)).is_ok());
        }
        for old in 1..size {
            let m = old as u64;
            let proof = theirs(&consistency_proof(&ours, TreeSize(m), new).expect("a proof"));
            assert!(tlog_tiles::prove_tree(n, m, &stored).expect("a proof") == proof, "{old} to {size}");
            let old_root = tlog_tiles::Hash(range(&leaves[..old]).root().0);
            assert!(tlog_tiles::check_tree(&proof, n, root, m, old_root).is_ok(), "{old} to {size}");
        }
    }
}

/// The other library's own storage of hashes, filled by its own code.
pub(crate) struct Stored(Vec<tlog_tiles::Hash>);

impl Stored {
    pub(crate) fn new(leaves: &[Hash]) -> Stored {
        let mut stored = Stored(Vec::new());
        for (index, leaf) in (0u64..).zip(leaves) {
            let more = tlog_tiles::stored_hashes_for_record_hash(index, tlog_tiles::Hash(leaf.0), &stored);
            stored.0.extend(more.expect("earlier hashes are stored"));
        }
        stored
    }
}

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let of = |index: &u64| self.0[usize::try_from(*index).expect("a small index")];
        Ok(indexes.iter().map(of).collect())
    }
}

fn theirs(proof: &[Hash]) -> Vec<tlog_tiles::Hash> {
    proof.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect()
}

fn flat(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.0).collect()
}

fn range(leaves: &[Hash]) -> CompactRange {
    let mut range = CompactRange::new();
    for leaf in leaves {
        range.append(*leaf);
    }
    range
}
