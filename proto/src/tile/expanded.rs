//! One tile with the nodes that follow from its hashes.

use super::{TILE_HEIGHT, TILE_WIDTH};
use crate::hash::{HASH_BYTES, Hash};

/// Bytes are not a tile of the width that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tile of {width} hashes has {expected} bytes, not {found}")]
pub struct BadTile {
    /// The width that was asked for.
    pub width: u16,
    /// How many bytes such a tile has.
    pub expected: usize,
    /// How many bytes there are.
    pub found: usize,
}

/// A tile's hashes and every complete node above them: 511 hashes, 16 KiB, for a full tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandedTile {
    width: u16,
    /// The tile's own hashes, then the pairs of those, and so on; the root of a full tile is the last.
    nodes: Vec<Hash>,
}

impl ExpandedTile {
    /// Reads a tile of `width` hashes, 32 bytes each, and computes its inner nodes.
    ///
    /// # Errors
    /// When the width is not 1 to 256, or there are more or fewer bytes than 32 times the width.
    pub fn parse(bytes: &[u8], width: u16) -> Result<ExpandedTile, BadTile> {
        let expected = usize::from(width) * HASH_BYTES;
        if width == 0 || width > TILE_WIDTH || bytes.len() != expected {
            return Err(BadTile { width, expected, found: bytes.len() });
        }
        let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
        let mut nodes = Vec::with_capacity(2 * hashes.len());
        nodes.extend(hashes.iter().map(|bytes| Hash(*bytes)));
        let mut start = 0;
        let mut count = hashes.len();
        while count > 1 {
            for pair in 0..count / 2 {
                let left = start + 2 * pair;
                nodes.push(Hash::node(&nodes[left], &nodes[left + 1]));
            }
            // An odd last hash has no partner within the tile, so it is in no complete node above.
            start += count;
            count /= 2;
        }
        Ok(ExpandedTile { width, nodes })
    }

    /// How many hashes the tile has, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// The hashes that the tile consists of.
    pub fn hashes(&self) -> &[Hash] {
        &self.nodes[..usize::from(self.width)]
    }

    /// The hash of the complete subtree over the tile's hashes `[index << level, (index + 1) << level)`, levels 0 to 8;
    /// `None` when the tile does not hold all of them.
    pub fn node(&self, level: u8, index: u64) -> Option<Hash> {
        if level > TILE_HEIGHT {
            return None;
        }
        let width = usize::from(self.width);
        let index = usize::try_from(index).ok().filter(|index| *index < width >> level)?;
        let start: usize = (0..level).map(|below| width >> below).sum();
        self.nodes.get(start + index).copied()
    }

    /// The hash that a full tile has in the level above; `None` for a partial tile, which is never hashed into it.
    pub fn root(&self) -> Option<Hash> {
        self.node(TILE_HEIGHT, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u16) -> Vec<Hash> {
        (0..count).map(|i| Hash::leaf(&i.to_be_bytes()[1..])).collect()
    }

    fn bytes(hashes: &[Hash]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| hash.0).collect()
    }

    #[test]
    fn the_first_hash_of_level_one_is_known() {
        // Entry i is the single byte i.
        let tile = ExpandedTile::parse(&bytes(&leaves(256)), 256).expect("a full tile");
        assert_eq!(tile.nodes.len(), 511);
        let root = tile.root().expect("a full tile has one").to_string();
        assert_eq!(root, "0387b1bfaad194ad5b534d6a57c9710a83484cb544258df5f4df94bc41820b5f");
    }

    #[test]
    fn every_width_has_exactly_its_complete_nodes() {
        for width in 1..=256u16 {
            let leaves = leaves(width);
            let tile = ExpandedTile::parse(&bytes(&leaves), width).expect("the right length");
            assert_eq!(tile.hashes(), leaves);
            let mut row = leaves;
            for level in 0..=TILE_HEIGHT {
                for (index, hash) in row.iter().enumerate() {
                    assert_eq!(tile.node(level, index as u64), Some(*hash), "{width}: {level}, {index}");
                }
                assert_eq!(tile.node(level, row.len() as u64), None);
                row = row.as_chunks::<2>().0.iter().map(|[left, right]| Hash::node(left, right)).collect();
            }
            assert_eq!(tile.root().is_some(), width == 256);
            assert_eq!(tile.node(TILE_HEIGHT + 1, 0), None);
            assert_eq!(tile.node(0, u64::MAX), None);
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        let three = bytes(&leaves(3));
        assert_eq!(ExpandedTile::parse(&three, 2), Err(BadTile { width: 2, expected: 64, found: 96 }));
        assert_eq!(ExpandedTile::parse(&three[..95], 3), Err(BadTile { width: 3, expected: 96, found: 95 }));
        assert!(ExpandedTile::parse(&[], 0).is_err());
        assert!(ExpandedTile::parse(&vec![0; 257 * 32], 257).is_err());
    }
}
