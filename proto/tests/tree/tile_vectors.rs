//! Names, widths and bytes of tiles that other implementations agree on.

use proto::hash::Hash;
use proto::num::TreeSize;
use proto::tile::{
    Bundle, BundleId, ExpandedTile, MAX_TILE_LEVEL, TileId, TilePath, check_bundle, encode_bundle, full_tiles,
    partial_width,
};

use crate::support::{Tiles, bytes, hash, hashes, list, number, text, vectors};

#[test]
fn names() {
    let Some(known) = vectors("tile_paths.json") else { return };
    let indices = known["index_paths"].as_object().expect("an object");
    assert!(indices.len() > 20);
    for (index, groups) in indices {
        let index: u64 = index.parse().expect("a number");
        let tile = TilePath::Tile(TileId::new(3, index, 256).expect("in range"));
        let bundle = TilePath::Entries(BundleId::new(index, 9).expect("in range"));
        assert_eq!(tile.to_string(), format!("tile/3/{}", text(groups)));
        assert_eq!(bundle.to_string(), format!("tile/entries/{}.p/9", text(groups)));
        assert_eq!(tile.to_string().parse(), Ok(tile));
        assert_eq!(bundle.to_string().parse(), Ok(bundle));
    }
    for case in list(&known["parse_ok"]) {
        let (index, width) = (number(&case["index"]), u16::try_from(number(&case["width"])).expect("small"));
        let path = match case["level"].as_u64() {
            None => TilePath::Entries(BundleId::new(index, width).expect("in range")),
            Some(level) => {
                TilePath::Tile(TileId::new(u8::try_from(level).expect("small"), index, width).expect("in range"))
            }
        };
        assert_eq!(text(&case["path"]).parse(), Ok(path), "{case}");
    }
    assert!(list(&known["parse_bad"]).len() > 15);
    for bad in list(&known["parse_bad"]) {
        assert!(text(bad).parse::<TilePath>().is_err(), "{bad}");
    }
}

#[test]
fn widths() {
    let Some(known) = vectors("tile_paths.json") else { return };
    for (size, levels) in known["tiles_by_size"].as_object().expect("an object") {
        let size = TreeSize(size.parse().expect("a number"));
        for level in 0..=MAX_TILE_LEVEL {
            let case = list(levels).iter().find(|case| case["level"] == level);
            assert_eq!(full_tiles(level, size), case.map_or(0, |case| number(&case["full"])), "{level} of {size}");
            let width = case.map_or(0, |case| number(&case["partial_width"]));
            assert_eq!(u64::from(partial_width(level, size)), width, "{level} of {size}");
            let path = TileId::at(level, full_tiles(level, size), size).map(|id| id.to_string());
            assert_eq!(path.as_deref(), case.and_then(|case| case["partial_path"].as_str()));
        }
    }
}

#[test]
fn contents() {
    let Some(known) = vectors("tile_paths.json") else { return };
    let small = &known["tile_0_for_size_3"];
    let leaves: Vec<Hash> = (0..=255u8).map(|i| Hash::leaf(&[i])).collect();
    let id = TileId::at(0, 0, TreeSize(3)).expect("three hashes");
    assert_eq!(id.to_string(), text(&small["path"]));
    assert_eq!(Tiles::new(&leaves).honest(id), Some(bytes(&small["bytes_hex"])));
    let tile = ExpandedTile::parse(&bytes(&small["bytes_hex"]), 3).expect("three hashes");
    assert_eq!(tile.hashes(), &leaves[..3]);

    let full: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.0).collect();
    let root = ExpandedTile::parse(&full, 256).expect("a full tile").root();
    assert_eq!(root, Some(hash(&known["level1_hash_of_first_256"]["hash"])));

    let known = &known["entry_bundle"];
    let entries: Vec<Vec<u8>> = list(&known["entries_hex"]).iter().map(bytes).collect();
    let encoded = bytes(&known["bytes_hex"]);
    assert_eq!(encode_bundle(&entries), Ok(encoded.clone()));
    assert_eq!(Hash::of(&encoded).to_string(), text(&known["bytes_sha256"]));
    let bundle = Bundle::parse(&encoded, 4).expect("four entries");
    assert_eq!(bundle.leaf_hashes().collect::<Vec<_>>(), hashes(&known["leaf_hashes"]));
    let tile: Vec<u8> = bundle.leaf_hashes().flat_map(|leaf| leaf.0).collect();
    let tile = ExpandedTile::parse(&tile, 4).expect("four hashes");
    assert_eq!(check_bundle(proto::num::LeafIndex(0), &bundle, &tile), Ok(()));
}
