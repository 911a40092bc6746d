//! Names, contents and sets of tiles against another implementation of tiles of height 8.

use proptest::prelude::*;
use proto::num::TreeSize;
use proto::tile::{MAX_TILE_INDEX, TileId, TilePath, full_tiles, hashes_at, partial_tiles};

use crate::merkle_oracles::Stored;
use crate::support::{Tiles, leaves};

/// Theirs carry the height as a first part, which C2SP's names leave out.
fn their_path(name: &str) -> Option<String> {
    name.strip_prefix("tile/").map(|rest| format!("tile/8/{rest}"))
}

proptest! {
    #[test]
    fn names_are_the_same(level in 0u8..64, index in 0..=MAX_TILE_INDEX, shift in 0u32..55, width in 1u16..=256) {
        let index = index >> shift;
        let ours = TileId::new(level, index, width).expect("in range");
        let theirs = tlog_tiles::Tile::new(8, level, index, u32::from(width), false);
        prop_assert_eq!(their_path(&ours.to_string()), Some(theirs.path()));
        prop_assert_eq!(ours.to_string().parse(), Ok(TilePath::Tile(ours)));
    }

    /// Near misses of names: both read a text alike, or both refuse it.
    #[test]
    fn texts_are_read_alike(
        name in r"tile/(0|1|7|63|64|00|-1)/(x?[0-9]{3}/){0,3}x?[0-9]{2,4}(\.p/[0-9]{0,3})?/?"
    ) {
        let theirs = their_path(&name).and_then(|path| their_reading(&path));
        let ours = name.parse::<TilePath>().ok();
        let as_ours = theirs.map(|(level, index, width)| TileId::new(level, index, width).map(TilePath::Tile));
        prop_assert_eq!(ours, as_ours.and_then(Result::ok));
    }
}

/// Level, index and width as their parser reads them. It asserts where a level or a width is out of range; that counts as
/// a refusal here.
fn their_reading(path: &str) -> Option<(u8, u64, u16)> {
    let tile = std::panic::catch_unwind(|| tlog_tiles::Tile::from_path(path).ok()).ok()??;
    Some((tile.level(), tile.level_index(), u16::try_from(tile.width()).ok()?))
}

#[test]
fn a_growing_tree_has_the_same_tiles() {
    for size in [1u64, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000] {
        let mut ours: Vec<String> = Vec::new();
        for level in 0u8..8 {
            for index in 0..=full_tiles(level, TreeSize(size)) {
                ours.extend(TileId::at(level, index, TreeSize(size)).and_then(|id| their_path(&id.to_string())));
            }
        }
        let mut theirs: Vec<String> =
            tlog_tiles::Tile::new_tiles(8, 0, size).iter().map(tlog_tiles::Tile::path).collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "{size}");
    }
}

#[test]
fn tiles_have_the_same_bytes() {
    let leaves = leaves(1300);
    let stored = Stored::new(&leaves);
    let size = TreeSize(1300);
    let ours = Tiles::new(&leaves);
    let full = (0..full_tiles(0, size)).filter_map(|index| TileId::at(0, index, size));
    let all: Vec<TileId> = full.chain(partial_tiles(size)).collect();
    assert_eq!(all.len(), 5 + 2, "five full tiles, one partial tile in each of two levels");
    assert_eq!(hashes_at(1, size), 5);
    for id in all {
        let theirs = tlog_tiles::Tile::new(8, id.level(), id.index(), u32::from(id.width()), false);
        assert_eq!(ours.honest(id), theirs.read_data(&stored).ok(), "{id}");
    }
}
