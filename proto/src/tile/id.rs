//! Which tile, how wide, and which tiles a tree has.

use super::{TILE_HEIGHT, TILE_WIDTH};
use crate::num::{LeafIndex, MAX_TREE_SIZE, TreeSize};

/// The highest level that a tile's name may carry. Trees of at most 2^63 - 1 entries have tiles up to level 7 only.
pub const MAX_TILE_LEVEL: u8 = 63;

/// The highest index that a name may carry: that of the last tile of level 0 in the largest tree.
pub const MAX_TILE_INDEX: u64 = MAX_TREE_SIZE >> TILE_HEIGHT;

/// A level, index or width is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such tile: levels are 0 to 63, indices below 2^55, widths 1 to 256")]
pub struct BadTileId;

/// Names one tile: `width` hashes from hash `index * 256` on of tile level `level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

/// Names one entry bundle: `width` entries from entry `index * 256` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    index: u64,
    width: u16,
}

impl TileId {
    /// A tile of `width` hashes, 256 for a full one.
    ///
    /// # Errors
    /// When the level is above 63, the index above [`MAX_TILE_INDEX`], or the width not 1 to 256.
    pub fn new(level: u8, index: u64, width: u16) -> Result<TileId, BadTileId> {
        let valid = level <= MAX_TILE_LEVEL && in_range(index, width);
        if valid { Ok(TileId { level, index, width }) } else { Err(BadTileId) }
    }

    /// The tile as the tree of `size` entries has it: full if complete by then, else partial; `None` when it is empty.
    pub fn at(level: u8, index: u64, size: TreeSize) -> Option<TileId> {
        TileId::new(level, index, width_at(level, index, size)).ok()
    }

    /// The tile level, 0 to 63; its hashes are nodes of the tree at level 8·`level`.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The index of the tile in its level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes the tile has, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether the tile has all its 256 hashes and so never changes.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The tile with the same place and all its 256 hashes: what to ask for when a partial tile is gone.
    pub fn full(&self) -> TileId {
        TileId { width: TILE_WIDTH, ..*self }
    }

    /// Where a full tile's own hash stands, for a tree of `size` entries: the tile one level up and the place in it.
    /// `None` for a partial tile, whose hash stands nowhere, and when the tree does not hold the tile.
    pub fn parent(&self, size: TreeSize) -> Option<(TileId, u16)> {
        let place = u16::try_from(self.index % u64::from(TILE_WIDTH)).ok()?;
        let parent = TileId::at(self.level.checked_add(1)?, self.index >> TILE_HEIGHT, size)?;
        (self.is_full() && place < parent.width).then_some((parent, place))
    }
}

impl BundleId {
    /// A bundle of `width` entries, 256 for a full one.
    ///
    /// # Errors
    /// When the index is above [`MAX_TILE_INDEX`] or the width not 1 to 256.
    pub fn new(index: u64, width: u16) -> Result<BundleId, BadTileId> {
        if in_range(index, width) { Ok(BundleId { index, width }) } else { Err(BadTileId) }
    }

    /// The bundle as the tree of `size` entries has it: full if complete by then, else partial; `None` when it is empty.
    pub fn at(index: u64, size: TreeSize) -> Option<BundleId> {
        BundleId::new(index, width_at(0, index, size)).ok()
    }

    /// The bundle that holds an entry, as the tree of `size` entries has it; `None` when the tree does not hold the
    /// entry.
    pub fn holding(entry: LeafIndex, size: TreeSize) -> Option<BundleId> {
        if entry.is_in(size) { BundleId::at(entry.0 >> TILE_HEIGHT, size) } else { None }
    }

    /// The index of the bundle.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many entries the bundle has, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether the bundle has all its 256 entries and so never changes.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The first entry of the bundle.
    pub fn first(&self) -> LeafIndex {
        LeafIndex(self.index << TILE_HEIGHT)
    }

    /// The tile of level 0 with the leaf hashes of these entries.
    pub fn tile(&self) -> TileId {
        TileId { level: 0, index: self.index, width: self.width }
    }
}

/// How many hashes tile level `level` has in a tree of `size` entries: `floor(size / 256^level)`.
pub fn hashes_at(level: u8, size: TreeSize) -> u64 {
    // Levels from 8 on are beyond 64 bits: no tree has hashes there.
    size.0.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0)
}

/// How many full tiles a level has in a tree of `size` entries.
pub fn full_tiles(level: u8, size: TreeSize) -> u64 {
    hashes_at(level, size) >> TILE_HEIGHT
}

/// How wide the partial tile of a level is in a tree of `size` entries; 0 means that there is none.
pub fn partial_width(level: u8, size: TreeSize) -> u16 {
    width_at(level, full_tiles(level, size), size)
}

/// The partial tiles of a tree, from level 0 upward. Together they hold every hash that the root is computed from.
pub fn partial_tiles(size: TreeSize) -> impl Iterator<Item = TileId> {
    (0..8).filter_map(move |level| TileId::at(level, full_tiles(level, size), size))
}

fn in_range(index: u64, width: u16) -> bool {
    index <= MAX_TILE_INDEX && (1..=TILE_WIDTH).contains(&width)
}

/// How many hashes the tile has in a tree of `size` entries, 0 to 256.
fn width_at(level: u8, index: u64, size: TreeSize) -> u16 {
    let before = index.saturating_mul(u64::from(TILE_WIDTH));
    let hashes = hashes_at(level, size).saturating_sub(before);
    u16::try_from(hashes).map_or(TILE_WIDTH, |hashes| hashes.min(TILE_WIDTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_of_the_specifications_example() {
        let widths = |size| {
            (0..10).map(|level| (full_tiles(level, TreeSize(size)), partial_width(level, TreeSize(size)))).collect()
        };
        let padded = |mut list: Vec<(u64, u16)>| {
            list.resize(10, (0, 0));
            list
        };
        let all: Vec<(u64, u16)> = widths(70_000);
        assert_eq!(all, padded(vec![(273, 112), (1, 17), (0, 1)]));
        let all: Vec<(u64, u16)> = widths(256);
        assert_eq!(all, padded(vec![(1, 0), (0, 1)]));
        let all: Vec<(u64, u16)> = widths(0);
        assert_eq!(all, padded(vec![]));
    }

    #[test]
    fn a_tile_is_as_wide_as_the_tree_makes_it() {
        let size = TreeSize(70_000);
        assert_eq!(TileId::at(0, 272, size).map(|t| t.width()), Some(256));
        assert_eq!(TileId::at(0, 273, size).map(|t| t.width()), Some(112));
        assert_eq!(TileId::at(0, 274, size), None);
        assert_eq!(TileId::at(3, 0, size), None);
        assert_eq!(TileId::at(255, 0, TreeSize(u64::MAX)), None);
        assert_eq!(TileId::at(0, u64::MAX, TreeSize(u64::MAX)), None);
        let last = TileId::at(0, MAX_TILE_INDEX, TreeSize(MAX_TREE_SIZE)).expect("the last tile of all");
        assert_eq!(last.width(), 255);
        assert_eq!(BundleId::holding(LeafIndex(69_999), size), BundleId::new(273, 112).ok());
        assert_eq!(BundleId::holding(LeafIndex(70_000), size), None);
        assert_eq!(BundleId::at(273, size).map(|b| (b.first(), b.tile())), {
            TileId::new(0, 273, 112).ok().map(|tile| (LeafIndex(69_888), tile))
        });
    }

    #[test]
    fn a_full_tile_has_a_parent_and_a_partial_one_has_none() {
        let size = TreeSize(70_000);
        let id = |level, index, width| TileId::new(level, index, width).expect("in range");
        assert_eq!(id(0, 272, 256).parent(size), Some((id(1, 1, 17), 16)));
        assert_eq!(id(0, 5, 256).parent(size), Some((id(1, 0, 256), 5)));
        assert_eq!(id(1, 0, 256).parent(size), Some((id(2, 0, 1), 0)));
        assert_eq!(id(0, 273, 112).parent(size), None);
        assert_eq!(id(0, 273, 256).parent(size), None, "not full at this size");
        assert_eq!(id(63, 0, 256).parent(size), None);
    }

    #[test]
    fn what_is_out_of_range_has_no_name() {
        for (level, index, width) in [(64, 0, 1), (0, MAX_TILE_INDEX + 1, 1), (0, 0, 0), (0, 0, 257)] {
            assert_eq!(TileId::new(level, index, width), Err(BadTileId));
        }
        assert_eq!(BundleId::new(0, 0), Err(BadTileId));
        assert_eq!(BundleId::new(MAX_TILE_INDEX + 1, 1), Err(BadTileId));
    }
}
