//! A tree whose nodes are all in memory.

use super::NodeReader;
use crate::hash::Hash;
use crate::num::{LeafIndex, TreeSize};

/// Every complete node of a tree, two hashes an entry: for tests, for small trees, and for checking other readers.
#[derive(Debug, Clone, Default)]
pub struct MemoryTree {
    /// `levels[level][index]` is node `(level, index)`.
    levels: Vec<Vec<Hash>>,
}

/// The tree has no such complete node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tree has no complete node {index} at level {level}")]
pub struct NodeMissing {
    /// The level that was asked for.
    pub level: u8,
    /// The index in that level that was asked for.
    pub index: u64,
}

impl MemoryTree {
    /// A tree without entries.
    pub fn new() -> MemoryTree {
        MemoryTree::default()
    }

    /// Adds an entry by its leaf hash and gives the index that it got.
    pub fn append(&mut self, leaf: Hash) -> LeafIndex {
        let index = self.size().next_index();
        let mut node = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(node);
            if nodes.len() % 2 == 1 {
                break;
            }
            node = Hash::node(&nodes[nodes.len() - 2], &node);
        }
        index
    }

    /// How many entries the tree has.
    pub fn size(&self) -> TreeSize {
        TreeSize(self.levels.first().map_or(0, |leaves| leaves.len() as u64))
    }
}

impl FromIterator<Hash> for MemoryTree {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> MemoryTree {
        let mut tree = MemoryTree::new();
        for leaf in leaves {
            tree.append(leaf);
        }
        tree
    }
}

impl NodeReader for MemoryTree {
    type Error = NodeMissing;

    fn node(&self, level: u8, index: u64) -> Result<Hash, NodeMissing> {
        let nodes = self.levels.get(usize::from(level));
        let node = nodes.and_then(|nodes| nodes.get(usize::try_from(index).ok()?));
        node.copied().ok_or(NodeMissing { level, index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_nodes_exist() {
        let leaves: Vec<Hash> = (0..5u8).map(|i| Hash::leaf(&[i])).collect();
        let tree: MemoryTree = leaves.iter().copied().collect();
        assert_eq!(tree.size(), TreeSize(5));
        assert_eq!(tree.node(0, 4), Ok(leaves[4]));
        let pairs = [Hash::node(&leaves[0], &leaves[1]), Hash::node(&leaves[2], &leaves[3])];
        assert_eq!(tree.node(1, 1), Ok(pairs[1]));
        assert_eq!(tree.node(2, 0), Ok(Hash::node(&pairs[0], &pairs[1])));
        for (level, index) in [(0, 5), (1, 2), (2, 1), (3, 0), (200, 0)] {
            assert_eq!(tree.node(level, index), Err(NodeMissing { level, index }));
        }
    }
}
