//! Checking proofs (RFC 9162 §2.1.3.2, §2.1.4.2). Lengths are exact and are looked at before anything is hashed.

use super::node::{Side, siblings};
use super::prove::seed;
use crate::hash::Hash;
use crate::num::{LeafIndex, MAX_TREE_SIZE, TreeSize};

/// A proof does not prove what it was given for.
///
/// Only [`BadProof::RootsDiffer`] says something about the log itself, if both roots were signed: two roots of one size.
/// All others say only that this proof is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// A size is above 2^63 - 1.
    #[error("a tree of {size} entries is larger than any log may be (2^63-1)")]
    TooLarge {
        /// The size that was given.
        size: TreeSize,
    },
    /// The tree of this size does not hold the entry.
    #[error("entry {index} is not in the tree of {size} entries")]
    Beyond {
        /// The index that was given.
        index: LeafIndex,
        /// The size that was given.
        size: TreeSize,
    },
    /// The old size is 0: every tree begins with the empty tree, so there is nothing to prove and nothing was proven.
    #[error("the old tree is empty; nothing binds it to the new one, so this case is the caller's own to decide")]
    OldIsEmpty,
    /// The old size is above the new one.
    #[error("no proof leads from {old} entries to the smaller size of {new}; give the smaller size first")]
    Shrinks {
        /// The old size that was given.
        old: TreeSize,
        /// The new size that was given.
        new: TreeSize,
    },
    /// A proof between these places has another number of hashes.
    #[error("the proof has {found} hashes where exactly {expected} belong")]
    Length {
        /// How many hashes the place and the sizes call for.
        expected: usize,
        /// How many the proof has.
        found: usize,
    },
    /// The two sizes are equal and the two roots are not.
    #[error("two different roots for one tree size")]
    RootsDiffer,
    /// The inclusion proof leads to another root.
    #[error("the inclusion proof leads to the root {computed}, not to the one given")]
    Root {
        /// The root that the proof leads to.
        computed: Hash,
    },
    /// The consistency proof leads to another old root.
    #[error("the consistency proof leads to the old root {computed}, not to the one given")]
    OldRoot {
        /// The old root that the proof leads to.
        computed: Hash,
    },
    /// The consistency proof leads to another new root.
    #[error("the consistency proof leads to the new root {computed}, not to the one given")]
    NewRoot {
        /// The new root that the proof leads to.
        computed: Hash,
    },
}

/// The root that an inclusion proof leads to. The caller compares it with the signed root, or uses
/// [`verify_inclusion`], which does.
///
/// # Errors
/// When the size is above 2^63 - 1, the index not below the size, or the proof not of the exact length.
pub fn root_from_inclusion(index: LeafIndex, size: TreeSize, leaf: Hash, proof: &[Hash]) -> Result<Hash, BadProof> {
    refuse_too_large(size)?;
    if !index.is_in(size) {
        return Err(BadProof::Beyond { index, size });
    }
    let path = siblings(index.0, size.0, 0);
    refuse_length(path.clone().count(), proof.len())?;
    Ok(path.zip(proof).fold(leaf, |below, (sibling, hash)| match sibling.side {
        Side::Left => Hash::node(hash, &below),
        Side::Right => Hash::node(&below, hash),
    }))
}

/// Whether the tree of `size` entries under `root` has an entry of leaf hash `leaf` at `index`.
///
/// # Errors
/// As [`root_from_inclusion`], and [`BadProof::Root`] when the proof leads to another root.
pub fn verify_inclusion(
    index: LeafIndex,
    size: TreeSize,
    leaf: Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), BadProof> {
    let computed = root_from_inclusion(index, size, leaf, proof)?;
    if computed == *root { Ok(()) } else { Err(BadProof::Root { computed }) }
}

/// Whether the tree of `new` entries under `new_root` begins with the tree of `old` entries under `old_root`. Both roots
/// are compared.
///
/// # Errors
/// When a size is above 2^63 - 1, the old size 0 or above the new one, the proof not of the exact length, or either root
/// not the one that the proof leads to. With equal sizes the proof must be empty and the roots equal.
pub fn verify_consistency(
    old: TreeSize,
    new: TreeSize,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), BadProof> {
    refuse_too_large(old)?;
    refuse_too_large(new)?;
    if old > new {
        return Err(BadProof::Shrinks { old, new });
    }
    if old.0 == 0 {
        return Err(BadProof::OldIsEmpty);
    }
    if old == new {
        refuse_length(0, proof.len())?;
        return if old_root == new_root { Ok(()) } else { Err(BadProof::RootsDiffer) };
    }
    let (level, last) = seed(old);
    let path = siblings(last, new.0, level);
    let stands_in = old.0.is_power_of_two();
    refuse_length(path.clone().count() + usize::from(!stands_in), proof.len())?;
    // The last largest complete subtree of the old tree belongs to both trees. When it is all of the old tree, its hash
    // is the old root and is left out of the proof.
    let (start, rest) = match proof {
        _ if stands_in => (old_root, proof),
        [first, rest @ ..] => (first, rest),
        [] => return Err(BadProof::Length { expected: 1, found: 0 }),
    };
    let (old_computed, new_computed) =
        path.zip(rest).fold((*start, *start), |(old, new), (sibling, hash)| match sibling.side {
            Side::Left => (Hash::node(hash, &old), Hash::node(hash, &new)),
            Side::Right => (old, Hash::node(&new, hash)),
        });
    if old_computed != *old_root {
        return Err(BadProof::OldRoot { computed: old_computed });
    }
    if new_computed != *new_root {
        return Err(BadProof::NewRoot { computed: new_computed });
    }
    Ok(())
}

fn refuse_too_large(size: TreeSize) -> Result<(), BadProof> {
    if size.0 > MAX_TREE_SIZE { Err(BadProof::TooLarge { size }) } else { Ok(()) }
}

fn refuse_length(expected: usize, found: usize) -> Result<(), BadProof> {
    if expected == found { Ok(()) } else { Err(BadProof::Length { expected, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> Hash {
        Hash::from_hex(text).expect("64 hex digits")
    }

    /// From the tree over the eight leaf inputs that implementations of RFC 6962 share.
    const LEAF_0: &str = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    const LEAF_1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    const LEAF_2: &str = "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7";
    const ROOT_1: &str = LEAF_0;
    const ROOT_2: &str = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125";
    const ROOT_3: &str = "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77";
    const ROOT_8: &str = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";
    const NODE_1_1: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    const NODE_2_1: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";

    #[test]
    fn known_inclusion_proofs() {
        let (one, three) = (TreeSize(1), TreeSize(3));
        assert_eq!(verify_inclusion(LeafIndex(0), one, hash(LEAF_0), &[], &hash(ROOT_1)), Ok(()));
        assert_eq!(verify_inclusion(LeafIndex(2), three, hash(LEAF_2), &[hash(ROOT_2)], &hash(ROOT_3)), Ok(()));
        let proof = [hash(LEAF_0), hash(LEAF_2)];
        assert_eq!(verify_inclusion(LeafIndex(1), three, hash(LEAF_1), &proof, &hash(ROOT_3)), Ok(()));
        assert_eq!(
            verify_inclusion(LeafIndex(0), three, hash(LEAF_1), &proof, &hash(ROOT_3)).map_err(|e| {
                assert!(matches!(e, BadProof::Root { .. }), "{e}");
            }),
            Err(())
        );
        let length = Err(BadProof::Length { expected: 0, found: 1 });
        assert_eq!(verify_inclusion(LeafIndex(0), one, hash(LEAF_0), &[hash(LEAF_0)], &hash(ROOT_1)), length);
    }

    #[test]
    fn known_consistency_proofs() {
        let (one, three, eight) = (TreeSize(1), TreeSize(3), TreeSize(8));
        let to_eight = [hash(LEAF_1), hash(NODE_1_1), hash(NODE_2_1)];
        assert_eq!(verify_consistency(one, eight, &hash(ROOT_1), &hash(ROOT_8), &to_eight), Ok(()));
        let leaf_3 = hash("07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7");
        let to_eight = [hash(LEAF_2), leaf_3, hash(ROOT_2), hash(NODE_2_1)];
        assert_eq!(verify_consistency(three, eight, &hash(ROOT_3), &hash(ROOT_8), &to_eight), Ok(()));
        // A verifier that looks at the new root alone would take any old root here.
        assert_eq!(
            verify_consistency(three, eight, &hash(ROOT_2), &hash(ROOT_8), &to_eight),
            Err(BadProof::OldRoot { computed: hash(ROOT_3) })
        );
        assert_eq!(
            verify_consistency(three, eight, &hash(ROOT_3), &hash(ROOT_2), &to_eight),
            Err(BadProof::NewRoot { computed: hash(ROOT_8) })
        );
    }

    #[test]
    fn sizes_that_prove_nothing_are_errors() {
        let (root, other) = (hash(ROOT_2), hash(ROOT_3));
        let check = |old, new, a: &Hash, b: &Hash, proof: &[Hash]| {
            verify_consistency(TreeSize(old), TreeSize(new), a, b, proof)
        };
        assert_eq!(check(0, 0, &Hash::EMPTY_ROOT, &Hash::EMPTY_ROOT, &[]), Err(BadProof::OldIsEmpty));
        assert_eq!(check(0, 2, &Hash::EMPTY_ROOT, &root, &[]), Err(BadProof::OldIsEmpty));
        assert_eq!(check(2, 2, &root, &root, &[]), Ok(()));
        assert_eq!(check(2, 2, &root, &other, &[]), Err(BadProof::RootsDiffer));
        assert_eq!(check(2, 2, &root, &root, &[root]), Err(BadProof::Length { expected: 0, found: 1 }));
        assert_eq!(check(2, 3, &root, &other, &[]), Err(BadProof::Length { expected: 1, found: 0 }));
        let (old, new) = (TreeSize(3), TreeSize(2));
        assert_eq!(check(3, 2, &other, &root, &[]), Err(BadProof::Shrinks { old, new }));
        for size in [MAX_TREE_SIZE + 1, u64::MAX] {
            let too_large = BadProof::TooLarge { size: TreeSize(size) };
            assert_eq!(check(1, size, &root, &other, &[]), Err(too_large));
            assert_eq!(check(size, size, &root, &root, &[]), Err(too_large));
            let leaf = LeafIndex(0);
            assert_eq!(root_from_inclusion(leaf, TreeSize(size), root, &[]), Err(too_large));
        }
        let (index, size) = (LeafIndex(u64::MAX), TreeSize(MAX_TREE_SIZE));
        assert_eq!(root_from_inclusion(index, size, root, &[]), Err(BadProof::Beyond { index, size }));
        let (index, size) = (LeafIndex(0), TreeSize(0));
        assert_eq!(root_from_inclusion(index, size, root, &[]), Err(BadProof::Beyond { index, size }));
    }
}
