//! Trees, the branches of a log that forks, and an independent look at what is called a fork.

use proto::hash::Hash;
use proto::merkle::{MemoryTree, consistency_proof, root_at, verify_consistency};
use proto::num::TreeSize;

use crate::gossip::core::{Fork, Head, OwnTree, Proof, Shown};

/// Where something of this size or index stands in a list.
fn place(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

/// One history of a log.
pub(super) struct Branch {
    tree: MemoryTree,
    roots: Vec<Hash>,
}

impl Branch {
    /// So many entries; from `parts_at` on they are this branch's own.
    pub(super) fn new(name: u8, size: u64, parts_at: u64) -> Branch {
        let mut tree = MemoryTree::new();
        let mut roots = vec![Hash::EMPTY_ROOT];
        for index in 0..size {
            let name = if index < parts_at { 0 } else { name };
            tree.append(Hash::leaf(&[&[name], index.to_be_bytes().as_slice()].concat()));
            roots.push(root_at(&tree, TreeSize(index + 1)).unwrap());
        }
        Branch { tree, roots }
    }

    pub(super) fn head(&self, size: u64) -> Head {
        Head { size: TreeSize(size), root: self.roots[place(size)] }
    }

    pub(super) fn has(&self, head: Head) -> bool {
        self.roots.get(place(head.size.0)) == Some(&head.root)
    }

    /// As a peer or the log answers.
    pub(super) fn proof(&self, from: u64, to: u64) -> Proof {
        let hashes = consistency_proof(&self.tree, TreeSize(from), TreeSize(to)).unwrap();
        Proof { from: TreeSize(from), root: Some(self.roots[place(from)]), hashes }
    }

    /// As a push carries it.
    pub(super) fn pushed(&self, from: u64, to: u64) -> Proof {
        Proof { root: None, ..self.proof(from, to) }
    }

    /// As somebody has it who followed it so far.
    pub(super) fn at(&self, size: u64) -> View<'_> {
        View { branch: self, size: TreeSize(size) }
    }
}

/// What one follower has of a branch.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    branch: &'a Branch,
    size: TreeSize,
}

impl OwnTree for View<'_> {
    fn root_at(&self, size: TreeSize) -> Option<Hash> {
        (size <= self.size).then(|| self.branch.roots[place(size.0)])
    }
}

/// Whether a third party would be convinced; `own` is the tree of whoever says so.
pub(super) fn convinces(fork: &Fork, own: &Branch) -> bool {
    let (small, large) = (fork.smaller, fork.larger);
    match &fork.shown {
        Shown::SameSize => small.size == large.size && small.root != large.root,
        Shown::OwnTree => own.has(large) && !own.has(small) && small.size < large.size,
        Shown::Proof { root, hashes } => {
            *root != small.root && verify_consistency(small.size, large.size, root, &large.root, hashes).is_ok()
        }
    }
}
