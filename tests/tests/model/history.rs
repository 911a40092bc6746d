//! Two histories of one log: they begin alike and then differ. Small enough that every head has a name.

use proto::hash::Hash;
use proto::merkle::{MemoryTree, consistency_proof, root_at};
use proto::num::TreeSize;

/// A head by name: of the honest history or of the fork, and its size. Where both are alike, it is the honest one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Head {
    pub(crate) size: u8,
    pub(crate) fork: bool,
}

/// The trees behind the names.
pub(crate) struct Histories {
    /// Whether the log signed heads of the fork at all.
    pub(crate) forks: bool,
    common: u8,
    all: u8,
    trees: [MemoryTree; 2],
    roots: [Vec<Hash>; 2],
}

impl Histories {
    /// Two histories of `all` entries, the first `common` of them alike.
    pub(crate) fn new(common: u8, all: u8) -> Histories {
        let mut trees = [MemoryTree::new(), MemoryTree::new()];
        for entry in 0..all {
            trees[0].append(Hash::leaf(&[entry]));
            trees[1].append(Hash::leaf(if entry < common { vec![entry] } else { vec![entry, 1] }.as_slice()));
        }
        let roots = [0, 1].map(|tree: usize| {
            (0..=all).map(|size| root_at(&trees[tree], TreeSize(size.into())).unwrap()).collect::<Vec<_>>()
        });
        Histories { forks: true, common, all, trees, roots }
    }

    /// Every head but the empty one.
    pub(crate) fn heads(&self) -> Vec<Head> {
        let of = |fork| move |size| Head { size, fork };
        (1..=self.all).map(of(false)).chain((self.common + 1..=self.all).map(of(true))).collect()
    }

    /// How many entries each has.
    pub(crate) fn all(&self) -> u8 {
        self.all
    }

    pub(crate) fn root(&self, head: Head) -> Hash {
        self.roots[usize::from(head.fork)][usize::from(head.size)]
    }

    /// The head with a root, if it is of one of the two.
    pub(crate) fn find(&self, size: TreeSize, root: Hash) -> Option<Head> {
        let size = u8::try_from(size.0).ok().filter(|size| *size <= self.all)?;
        [false, true].map(|fork| Head { size, fork }).into_iter().find(|head| self.root(*head) == root)
    }

    /// The head with a root; only roots of the two histories are about.
    pub(crate) fn head(&self, size: TreeSize, root: Hash) -> Head {
        self.find(size, root).expect("a root of one of the two histories")
    }

    /// The proof from a size to a head within the history of that head.
    pub(crate) fn proof(&self, old: u8, head: Head) -> Vec<Hash> {
        if old == 0 || old > head.size {
            return Vec::new();
        }
        consistency_proof(&self.trees[usize::from(head.fork)], TreeSize(old.into()), TreeSize(head.size.into()))
            .unwrap()
    }

    /// Whether one log could have had both.
    pub(crate) fn agree(&self, a: Head, b: Head) -> bool {
        a.fork == b.fork || a.size.min(b.size) <= self.common
    }
}

#[test]
fn names_are_of_the_trees() {
    let histories = Histories::new(1, 3);
    let heads = histories.heads();
    assert_eq!(heads.len(), 5);
    for &a in &heads {
        assert_eq!(histories.head(TreeSize(a.size.into()), histories.root(a)), a);
        for &b in heads.iter().filter(|b| b.size >= a.size) {
            let (old, new) = (TreeSize(a.size.into()), TreeSize(b.size.into()));
            let proof = histories.proof(a.size, b);
            let proven = proto::merkle::verify_consistency(old, new, &histories.root(a), &histories.root(b), &proof);
            assert_eq!(proven.is_ok(), histories.agree(a, b), "{a:?} {b:?}");
        }
    }
}
