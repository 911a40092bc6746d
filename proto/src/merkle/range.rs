//! The compact range: all that is needed to append to a tree and to know its root.

use crate::hash::Hash;
use crate::num::{LeafIndex, MAX_TREE_SIZE, TreeSize};
use crate::tile::TILE_HEIGHT;

/// The right edge of a tree: the hash of each largest complete subtree, from the left to the right, one for each bit
/// set in the size. At most 63 hashes, whatever the size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    hashes: Vec<Hash>,
}

/// A size and a list of hashes do not make a compact range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRange {
    /// The size is above 2^63 - 1.
    #[error("a tree of {size} entries is larger than any log may be (2^63-1)")]
    TooLarge {
        /// The size that was given.
        size: TreeSize,
    },
    /// A tree of this size has another number of largest complete subtrees.
    #[error("a tree of {size} entries has {expected} largest complete subtrees, not {found}")]
    Count {
        /// The size that was given.
        size: TreeSize,
        /// How many hashes that size needs.
        expected: usize,
        /// How many hashes were given.
        found: usize,
    },
}

impl CompactRange {
    /// The compact range of the empty tree.
    pub fn new() -> CompactRange {
        CompactRange::default()
    }

    /// Puts a stored compact range together again; `hashes` as [`CompactRange::hashes`] gave them.
    ///
    /// # Errors
    /// When the size is above 2^63 - 1 or the number of hashes is not the number of bits set in it.
    pub fn from_parts(size: TreeSize, hashes: Vec<Hash>) -> Result<CompactRange, BadRange> {
        if size.0 > MAX_TREE_SIZE {
            return Err(BadRange::TooLarge { size });
        }
        let expected = size.0.count_ones() as usize;
        if hashes.len() != expected {
            return Err(BadRange::Count { size, expected, found: hashes.len() });
        }
        Ok(CompactRange { size: size.0, hashes })
    }

    /// How many entries the tree has.
    pub fn size(&self) -> TreeSize {
        TreeSize(self.size)
    }

    /// The hashes of the largest complete subtrees, from the left to the right.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The root hash of the tree (RFC 6962 §2.1), with one node hash less than there are hashes.
    pub fn root(&self) -> Hash {
        let folded = self.hashes.iter().rev().copied().reduce(|right, left| Hash::node(&left, &right));
        folded.unwrap_or(Hash::EMPTY_ROOT)
    }

    /// Adds an entry by its leaf hash, one node hash on average, and gives the index that it got.
    pub fn append(&mut self, leaf: Hash) -> LeafIndex {
        self.append_nodes(leaf, |_, _, _| {})
    }

    /// Adds an entry and tells every hash that tiles hold and that arises with it: `out(tile level, index, hash)`, where
    /// hash `index` of tile level L is node `index` at level 8·L (C2SP tlog-tiles). Level 0, the leaf hash itself, comes
    /// first; a level above 0 arises with each 256th hash of the level below.
    pub fn append_collect(&mut self, leaf: Hash, out: &mut impl FnMut(u8, u64, Hash)) -> LeafIndex {
        self.append_nodes(leaf, |level, index, hash| {
            if level % TILE_HEIGHT == 0 {
                out(level / TILE_HEIGHT, index, hash);
            }
        })
    }

    /// Adds an entry and tells every node that becomes complete with it, `out(level, index, hash)`, from the leaf upward.
    fn append_nodes(&mut self, leaf: Hash, mut out: impl FnMut(u8, u64, Hash)) -> LeafIndex {
        let index = self.size;
        let mut node = leaf;
        let mut level = 0u8;
        out(level, index, node);
        // As in a binary counter: each trailing one bit of the old size is a complete subtree that finds its partner.
        while (index >> level) & 1 == 1
            && let Some(left) = self.hashes.pop()
        {
            node = Hash::node(&left, &node);
            level += 1;
            out(level, index >> level, node);
        }
        self.hashes.push(node);
        self.size += 1;
        LeafIndex(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaf inputs and roots that implementations of RFC 6962 share; sizes 0 to 8.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_of_the_first_eight_sizes_are_known() {
        let mut range = CompactRange::new();
        assert_eq!(range.root().to_string(), ROOTS[0]);
        for (i, input) in LEAVES.iter().enumerate() {
            let index = range.append(Hash::leaf(&hex::decode(input).expect("hex")));
            assert_eq!(index, LeafIndex(i as u64));
            assert_eq!(range.root().to_string(), ROOTS[i + 1], "size {}", i + 1);
        }
    }

    #[test]
    fn stored_parts_give_the_same_range_and_wrong_parts_none() {
        let mut range = CompactRange::new();
        for i in 0..77u8 {
            range.append(Hash::leaf(&[i]));
            assert_eq!(CompactRange::from_parts(range.size(), range.hashes().to_vec()), Ok(range.clone()));
        }
        let hashes = range.hashes().to_vec();
        assert_eq!(
            CompactRange::from_parts(TreeSize(78 + 1), hashes.clone()),
            Err(BadRange::Count { size: TreeSize(79), expected: 5, found: 4 })
        );
        let size = TreeSize(MAX_TREE_SIZE + 1);
        assert_eq!(CompactRange::from_parts(size, hashes[..1].to_vec()), Err(BadRange::TooLarge { size }));
        let mut largest =
            CompactRange::from_parts(TreeSize(MAX_TREE_SIZE), vec![Hash::of(b"x"); 63]).expect("63 hashes");
        // One more does not panic; such a size is refused wherever it is used.
        largest.append(Hash::of(b"y"));
        assert_eq!(largest.hashes().len(), 1);
    }

    #[test]
    fn collected_hashes_are_those_of_tiles() {
        let mut range = CompactRange::new();
        let mut seen = Vec::new();
        for i in 0..70_000u32 {
            range.append_collect(Hash::leaf(&i.to_be_bytes()), &mut |level, index, hash| {
                seen.push((level, index, hash));
            });
        }
        let indices = |level| seen.iter().filter(|s| s.0 == level).map(|s| s.1).collect::<Vec<_>>();
        assert_eq!(indices(0), (0..70_000).collect::<Vec<_>>());
        assert_eq!(indices(1), (0..273).collect::<Vec<_>>());
        assert_eq!(indices(2), [0]);
        // The first hash of level 2 is the root of the first 65,536 entries, and it is the first part of the range.
        assert_eq!(seen.iter().find(|s| s.0 == 2).map(|s| s.2), Some(range.hashes()[0]));
    }
}
