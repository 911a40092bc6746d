//! Proofs of a history that contradicts the followed one, as far as its leaf hashes are kept.

use client::Error;
use proto::hash::Hash;
use proto::merkle::{NodeReader, consistency_proof, root_at};
use proto::num::{LeafIndex, TreeSize};

use super::core::{Head, Proof};
use crate::follow::FollowedLog;
use crate::store::Branch;

/// The tree of a branch: own nodes up to where the two histories part, and the branch's leaf hashes from there on.
struct BranchTree<'a, R> {
    own: R,
    branch: &'a Branch,
}

impl<R: NodeReader> NodeReader for BranchTree<'_, R>
where
    R::Error: std::fmt::Display,
{
    type Error = Error;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Error> {
        let parts_at = self.branch.parts_at.0;
        if index < parts_at >> level {
            return self.own.node(level, index).map_err(|e| Error::local(e.to_string()));
        }
        let Some(below) = level.checked_sub(1) else {
            let place = index.checked_sub(parts_at).and_then(|place| usize::try_from(place).ok());
            let leaf = place.and_then(|place| self.branch.leaves.get(place));
            return leaf.copied().ok_or_else(|| Error::local(format!("a branch has no leaf hash {index}")));
        };
        let (left, right) = (self.node(below, index * 2)?, self.node(below, index * 2 + 1)?);
        Ok(Hash::node(&left, &right))
    }
}

/// The proof that ties the newest head of a kept branch to its first `from` entries, and where that branch parts from the followed
/// history; nothing when this head is none of a branch, or when its leaf hashes are more than are kept.
///
/// Waits for the disk.
///
/// # Errors
/// When what is kept cannot be read.
pub fn branch_proof(log: &FollowedLog, from: TreeSize, head: Head) -> Result<Option<(Proof, LeafIndex)>, Error> {
    let Some(branch) = log.store.branch(head.root)? else { return Ok(None) };
    let is_whole = branch.parts_at.0 + branch.leaves.len() as u64 == branch.size.0;
    if branch.size != head.size || !is_whole || from == TreeSize(0) || from >= head.size {
        return Ok(None);
    }
    let own = log.store.tree(log.store.cursor()?.range.size());
    let tree = BranchTree { own, branch: &branch };
    let damaged = |e: &dyn std::fmt::Display| Error::local(e.to_string());
    let root = root_at(&tree, from).map_err(|e| damaged(&e))?;
    let hashes = consistency_proof(&tree, from, head.size).map_err(|e| damaged(&e))?;
    Ok(Some((Proof { from, root: Some(root), hashes }, branch.parts_at)))
}

#[cfg(test)]
mod tests {
    use proto::merkle::MemoryTree;

    use super::*;

    fn leaf(history: &str, index: u64) -> Hash {
        Hash::leaf(format!("{history} {index}").as_bytes())
    }

    #[test]
    fn every_node_is_that_of_the_branch_wherever_it_parts() {
        for parts_at in 0..=20u64 {
            let own: MemoryTree = (0..20).map(|index| leaf("own", index)).collect();
            let leaves: Vec<Hash> = (parts_at..27).map(|index| leaf("other", index)).collect();
            let other: MemoryTree = (0..parts_at).map(|i| leaf("own", i)).chain(leaves.iter().copied()).collect();
            let size = other.size();
            let root = root_at(&other, size).unwrap();
            let branch = Branch { finding: "fork".into(), size, root, parts_at: LeafIndex(parts_at), leaves };
            let tree = BranchTree { own, branch: &branch };
            for from in 1..size.0 {
                assert_eq!(root_at(&tree, TreeSize(from)).unwrap(), root_at(&other, TreeSize(from)).unwrap());
                let (ours, theirs) =
                    (consistency_proof(&tree, TreeSize(from), size), consistency_proof(&other, TreeSize(from), size));
                assert_eq!(ours.unwrap(), theirs.unwrap(), "from {from}, parted at {parts_at}");
            }
            assert!(tree.node(0, size.0).is_err());
        }
    }
}
