//! Making proofs with a logarithmic number of reads (RFC 6962 §2.1.1, §2.1.2).

use super::node::{cover, hash_of, siblings};
use super::{CompactRange, NodeReader};
use crate::hash::Hash;
use crate::num::{LeafIndex, MAX_TREE_SIZE, TreeSize};

/// A proof could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E> {
    /// The tree of this size does not hold the entry: ask for a larger size.
    #[error("entry {index} is not in the tree of {size} entries; ask for a size above the index")]
    Beyond {
        /// The entry that was asked for.
        index: LeafIndex,
        /// The size that was asked for.
        size: TreeSize,
    },
    /// The old size is above the new one: swap them.
    #[error("no proof leads from {old} entries to the smaller size of {new}; give the smaller size first")]
    Shrinks {
        /// The old size that was asked for.
        old: TreeSize,
        /// The new size that was asked for.
        new: TreeSize,
    },
    /// The size is above 2^63 - 1.
    #[error("a tree of {size} entries is larger than any log may be (2^63-1)")]
    TooLarge {
        /// The size that was asked for.
        size: TreeSize,
    },
    /// The reader failed to give a node.
    #[error("a hash of the tree could not be read")]
    Reader(#[source] E),
}

/// The root hash of the first `size` entries, with one read for each bit set in `size`.
///
/// # Errors
/// [`ProofError::TooLarge`], or the reader's error.
pub fn root_at<R: NodeReader>(reader: &R, size: TreeSize) -> Result<Hash, ProofError<R::Error>> {
    refuse_too_large(size)?;
    hash_of(reader, 0, size.0).map_err(ProofError::Reader)
}

/// The compact range of the first `size` entries, so that the tree can go on from there.
///
/// # Errors
/// [`ProofError::TooLarge`], or the reader's error.
pub fn frontier<R: NodeReader>(reader: &R, size: TreeSize) -> Result<CompactRange, ProofError<R::Error>> {
    let mut hashes = Vec::with_capacity(size.0.count_ones() as usize);
    refuse_too_large(size)?;
    for (level, index) in cover(0, size.0) {
        hashes.push(reader.node(level, index).map_err(ProofError::Reader)?);
    }
    hashes.reverse();
    CompactRange::from_parts(size, hashes).map_err(|_| ProofError::TooLarge { size })
}

/// The proof that the tree of `size` entries holds what it holds at `index`, from the bottom upward (RFC 6962 §2.1.1).
/// Empty for a tree of one entry.
///
/// # Errors
/// [`ProofError::Beyond`] when `index` is not below `size`, [`ProofError::TooLarge`], or the reader's error.
pub fn inclusion_proof<R: NodeReader>(
    reader: &R,
    index: LeafIndex,
    size: TreeSize,
) -> Result<Vec<Hash>, ProofError<R::Error>> {
    refuse_too_large(size)?;
    if !index.is_in(size) {
        return Err(ProofError::Beyond { index, size });
    }
    let mut proof = Vec::new();
    push_siblings(reader, index.0, size, 0, &mut proof)?;
    Ok(proof)
}

/// Inclusion proofs of many entries of one tree. Entries that stand beside each other share all but the lowest hashes of
/// their proofs; what the last proof had is not read again.
#[derive(Debug)]
pub struct InclusionProofs<'a, R> {
    reader: &'a R,
    size: TreeSize,
    /// The subtrees of the last proof, from the bottom upward, by their first entry and the one past their last.
    last: Vec<(u64, u64)>,
    hashes: Vec<Hash>,
}

impl<'a, R: NodeReader> InclusionProofs<'a, R> {
    /// Proofs in the tree of `size` entries.
    ///
    /// # Errors
    /// [`ProofError::TooLarge`].
    pub fn new(reader: &'a R, size: TreeSize) -> Result<InclusionProofs<'a, R>, ProofError<R::Error>> {
        refuse_too_large(size)?;
        Ok(InclusionProofs { reader, size, last: Vec::new(), hashes: Vec::new() })
    }

    /// As [`inclusion_proof`]. Any order of entries is right, ascending is quick.
    ///
    /// # Errors
    /// [`ProofError::Beyond`], or the reader's error.
    pub fn of(&mut self, index: LeafIndex) -> Result<&[Hash], ProofError<R::Error>> {
        if !index.is_in(self.size) {
            return Err(ProofError::Beyond { index, size: self.size });
        }
        let wanted: Vec<(u64, u64)> = siblings(index.0, self.size.0, 0).map(|sib| (sib.start, sib.end)).collect();
        let same = wanted.iter().rev().zip(self.last.iter().rev()).take_while(|(wanted, had)| wanted == had).count();
        let mut hashes = Vec::with_capacity(wanted.len());
        for (start, end) in &wanted[..wanted.len() - same] {
            hashes.push(hash_of(self.reader, *start, *end).map_err(ProofError::Reader)?);
        }
        hashes.extend_from_slice(&self.hashes[self.hashes.len() - same..]);
        (self.last, self.hashes) = (wanted, hashes);
        Ok(&self.hashes)
    }
}

/// The proof that the tree of `new` entries begins with the tree of `old` entries (RFC 6962 §2.1.2).
///
/// Empty by convention when `old` is 0 or equals `new`. A verifier learns nothing from an empty proof for `old` = 0, and
/// [`super::verify_consistency`] refuses that size, so a reader of such a proof must treat it as a case of its own.
///
/// # Errors
/// [`ProofError::Shrinks`] when `old` is above `new`, [`ProofError::TooLarge`], or the reader's error.
pub fn consistency_proof<R: NodeReader>(
    reader: &R,
    old: TreeSize,
    new: TreeSize,
) -> Result<Vec<Hash>, ProofError<R::Error>> {
    refuse_too_large(new)?;
    if old > new {
        return Err(ProofError::Shrinks { old, new });
    }
    let mut proof = Vec::new();
    if old.0 == 0 || old == new {
        return Ok(proof);
    }
    // The path starts at the last of the old tree's largest complete subtrees. When that is all of the old tree the
    // verifier knows its hash already.
    let (level, last) = seed(old);
    if !old.0.is_power_of_two() {
        proof.push(reader.node(level, last >> level).map_err(ProofError::Reader)?);
    }
    push_siblings(reader, last, new, level, &mut proof)?;
    Ok(proof)
}

/// The level of the last largest complete subtree of a tree that is not empty, and the last entry below it.
pub(super) fn seed(size: TreeSize) -> (u8, u64) {
    let level = (0u8..63).find(|level| (size.0 >> level) & 1 == 1).unwrap_or(0);
    (level, size.0.saturating_sub(1))
}

fn push_siblings<R: NodeReader>(
    reader: &R,
    leaf: u64,
    size: TreeSize,
    level: u8,
    proof: &mut Vec<Hash>,
) -> Result<(), ProofError<R::Error>> {
    for sibling in siblings(leaf, size.0, level) {
        // At most one sibling, the one at the right edge, is not a single node, so reads stay logarithmic.
        proof.push(hash_of(reader, sibling.start, sibling.end).map_err(ProofError::Reader)?);
    }
    Ok(())
}

fn refuse_too_large<E>(size: TreeSize) -> Result<(), ProofError<E>> {
    if size.0 > MAX_TREE_SIZE { Err(ProofError::TooLarge { size }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::merkle::{MemoryTree, NodeMissing};

    /// A tree of any size, without storage: every node is a hash of its place.
    struct Fake {
        reads: Cell<usize>,
    }

    impl NodeReader for Fake {
        type Error = NodeMissing;

        fn node(&self, level: u8, index: u64) -> Result<Hash, NodeMissing> {
            self.reads.set(self.reads.get() + 1);
            Ok(Hash::of_parts(&[&[level], &index.to_be_bytes()]))
        }
    }

    #[test]
    fn requests_that_make_no_sense_are_errors() {
        let tree: MemoryTree = (0..3u8).map(|i| Hash::leaf(&[i])).collect();
        let (index, size) = (LeafIndex(3), TreeSize(3));
        assert_eq!(inclusion_proof(&tree, index, size), Err(ProofError::Beyond { index, size }));
        let (index, size) = (LeafIndex(0), TreeSize(0));
        assert_eq!(inclusion_proof(&tree, index, size), Err(ProofError::Beyond { index, size }));
        let (old, new) = (TreeSize(3), TreeSize(2));
        assert_eq!(consistency_proof(&tree, old, new), Err(ProofError::Shrinks { old, new }));
        let size = TreeSize(MAX_TREE_SIZE + 1);
        assert_eq!(root_at(&tree, size), Err(ProofError::TooLarge { size }));
        assert_eq!(frontier(&tree, size), Err(ProofError::TooLarge { size }));
        assert_eq!(inclusion_proof(&tree, LeafIndex(0), size), Err(ProofError::TooLarge { size }));
        assert_eq!(consistency_proof(&tree, TreeSize(1), size), Err(ProofError::TooLarge { size }));
        assert_eq!(consistency_proof(&tree, TreeSize(0), TreeSize(3)), Ok(vec![]));
        assert_eq!(consistency_proof(&tree, TreeSize(3), TreeSize(3)), Ok(vec![]));
    }

    #[test]
    fn many_proofs_are_the_single_ones_in_any_order_and_with_few_reads() {
        let tree: MemoryTree = (0..700u32).map(|i| Hash::leaf(&i.to_be_bytes())).collect();
        for size in [1, 2, 3, 255, 256, 257, 600, 699, 700].map(TreeSize) {
            let mut many = InclusionProofs::new(&tree, size).expect("a size");
            for index in (0..size.0).chain((0..size.0).rev()).chain((0..size.0).map(|i| i * 37 % size.0)).map(LeafIndex)
            {
                assert_eq!(many.of(index).expect("a proof"), inclusion_proof(&tree, index, size).expect("a proof"));
            }
            let index = size.next_index();
            assert_eq!(many.of(index), Err(ProofError::Beyond { index, size }));
        }
        let fake = Fake { reads: Cell::new(0) };
        let mut many = InclusionProofs::new(&fake, TreeSize(1 << 40)).expect("a size");
        for index in (1 << 39)..(1 << 39) + 1024 {
            assert_eq!(many.of(LeafIndex(index)).expect("a proof").len(), 40);
        }
        assert!(fake.reads.get() < 1024 * 3, "{} reads", fake.reads.get());
    }

    #[test]
    fn the_readers_error_is_passed_on() {
        let tree: MemoryTree = (0..3u8).map(|i| Hash::leaf(&[i])).collect();
        let missing = NodeMissing { level: 0, index: 4 };
        assert_eq!(root_at(&tree, TreeSize(5)), Err(ProofError::Reader(missing)));
    }

    #[test]
    fn reads_are_logarithmic_at_the_largest_size() {
        let fake = Fake { reads: Cell::new(0) };
        let size = TreeSize(MAX_TREE_SIZE);
        let largest = |reads: usize| assert!(fake.reads.replace(0) <= reads);
        for index in [0, 1, 12345, MAX_TREE_SIZE / 2, MAX_TREE_SIZE - 2, MAX_TREE_SIZE - 1] {
            let proof = inclusion_proof(&fake, LeafIndex(index), size).expect("a proof");
            assert!(proof.len() <= 63);
            largest(126);
            if index > 0 {
                consistency_proof(&fake, TreeSize(index), size).expect("a proof");
                largest(126);
            }
        }
        root_at(&fake, size).expect("a root");
        largest(63);
    }
}
