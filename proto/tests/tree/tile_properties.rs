//! Proofs out of tiles, and tiles that somebody tampered with.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use proptest::prelude::*;
use proto::hash::Hash;
use proto::merkle::{NodeReader, consistency_proof, frontier, inclusion_proof, root_at};
use proto::num::{LeafIndex, TreeSize};
use proto::tile::{
    Bundle, BundleMismatch, ExpandedTile, TileError, TileId, TileTree, VerifiedTree, VerifyError, check_bundle,
    encode_bundle, full_tiles, partial_tiles,
};

use crate::support::{Tiles, entries, leaves, tree};

/// Three levels of tiles, the last of one hash.
const LARGE: usize = 66_000;

fn all_tiles(size: TreeSize) -> Vec<TileId> {
    let full = (0..8).flat_map(|level| (0..full_tiles(level, size)).map(move |index| (level, index)));
    full.filter_map(|(level, index)| TileId::at(level, index, size)).chain(partial_tiles(size)).collect()
}

fn root(leaves: &[Hash]) -> Hash {
    root_at(&tree(leaves), TreeSize(leaves.len() as u64)).expect("a root")
}

#[test]
fn tiles_give_the_same_nodes_and_proofs_as_the_tree() {
    let leaves = leaves(LARGE);
    let (nodes, size) = (tree(&leaves), TreeSize(LARGE as u64));
    let tiles = Tiles::new(&leaves);
    let trusted = TileTree::new(&tiles, size);
    let verified = VerifiedTree::open(&tiles, size, &root(&leaves)).expect("the tiles are right");
    for level in 0..=16u8 {
        let count = size.0 >> level;
        for index in [0, 1, 255, 256, count / 2, count - 1, count, u64::MAX] {
            let expected = nodes.node(level, index).ok();
            assert_eq!(trusted.node(level, index).ok(), expected, "{level}, {index}");
            assert_eq!(verified.node(level, index).ok(), expected, "{level}, {index}");
        }
    }
    for level in [17, 63, 64, 255] {
        let beyond = TileError::Beyond { level, index: 0, size };
        assert_eq!(trusted.node(level, 0), Err(beyond));
        assert_eq!(verified.node(level, 0), Err(VerifyError::Tiles(beyond)));
    }
    for index in [0, 1, 255, 256, 65_535, 65_536, 65_999].map(LeafIndex) {
        let expected = inclusion_proof(&nodes, index, size).expect("a proof");
        assert_eq!(inclusion_proof(&trusted, index, size).ok(), Some(expected.clone()));
        assert_eq!(inclusion_proof(&verified, index, size).ok(), Some(expected));
        let expected = consistency_proof(&nodes, index.size_with(), size).expect("a proof");
        assert_eq!(consistency_proof(&verified, index.size_with(), size).ok(), Some(expected));
    }
    assert_eq!(frontier(&trusted, size).ok(), frontier(&nodes, size).ok());
}

#[test]
fn a_batch_reads_each_tile_once() {
    let leaves = leaves(LARGE);
    let tiles = Tiles::new(&leaves);
    let size = TreeSize(LARGE as u64);
    let trusted = TileTree::new(&tiles, size);
    for index in (LARGE as u64 - 512)..LARGE as u64 {
        inclusion_proof(&trusted, LeafIndex(index), size).expect("a proof");
    }
    let asked = tiles.asked.borrow();
    let distinct: BTreeSet<TileId> = asked.iter().copied().collect();
    assert_eq!(distinct.len(), asked.len());
    // Three at level 0, where the batch lies, and one at each level above.
    assert!(asked.len() <= 3 + 2 + 1, "{asked:?}");
}

#[test]
fn the_number_of_tiles_kept_is_bounded_and_does_not_change_answers() {
    let leaves = leaves(2000);
    let tiles = Tiles::new(&leaves);
    let size = TreeSize(2000);
    let trusted = TileTree::with_capacity(&tiles, size, NonZeroUsize::new(1).expect("not zero"));
    for round in 1..=2 {
        for index in [0usize, 300, 600] {
            assert_eq!(trusted.node(0, index as u64).ok(), Some(leaves[index]));
        }
        assert_eq!(tiles.asked.borrow().len(), 3 * round, "none was kept from the round before");
    }
}

#[test]
fn a_tree_may_grow_under_the_tiles_that_are_kept() {
    let leaves = leaves(1000);
    let (nodes, tiles) = (tree(&leaves), Tiles::new(&leaves));
    let mut trusted = TileTree::new(&tiles, TreeSize(1));
    for size in (1..=1000).map(TreeSize) {
        trusted.set_size(size);
        assert_eq!(trusted.size(), size);
        assert_eq!(root_at(&trusted, size).ok(), root_at(&nodes, size).ok());
    }
}

/// The tree can be shared by threads when its reader can.
#[test]
fn trees_are_sync() {
    struct Shared;
    impl proto::tile::TileReader for Shared {
        type Error = ();
        fn tile(&self, id: TileId) -> Result<Vec<u8>, ()> {
            Ok(vec![0; usize::from(id.width()) * 32])
        }
    }
    let tree = TileTree::new(Shared, TreeSize(256));
    let hashes: Vec<Option<Hash>> = std::thread::scope(|scope| {
        let read = |index| {
            scope.spawn({
                let tree = &tree;
                move || tree.node(0, index).ok()
            })
        };
        let threads: Vec<_> = (0..4u64).map(read).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(hashes, [Some(Hash([0; 32])); 4]);
}

#[test]
fn any_damaged_tile_is_refused_under_the_signed_root() {
    let leaves = leaves(LARGE);
    let size = TreeSize(LARGE as u64);
    let root = root(&leaves);
    let mut tiles = Tiles::new(&leaves);
    let ids = all_tiles(size);
    assert_eq!(ids.len(), 257 + 1 + 3);
    // Every eighth tile and all of the levels above, with one bit of one hash flipped.
    for id in ids.into_iter().filter(|id| id.index() % 8 == 0 || id.level() > 0 || !id.is_full()) {
        for place in [0, usize::from(id.width()) / 2, usize::from(id.width()) - 1] {
            let mut bytes = tiles.honest(id).expect("the tile is in the tree");
            bytes[place * 32] ^= 1;
            tiles.forged.insert(id, bytes);
            let opened = VerifiedTree::open(&tiles, size, &root);
            if id.is_full() {
                let (parent, at) = id.parent(size).expect("full tiles have one");
                let opened = opened.expect("the root does not come from this tile");
                let error = VerifyError::Tile { id, parent, place: at };
                assert_eq!(opened.tile(id), Err(error));
                assert_eq!(opened.node(id.level() * 8, id.index() << 8), Err(error));
                if id.level() == 1 {
                    let below = TileId::new(0, id.index() << 8, 256).expect("in range");
                    assert_eq!(opened.tile(below), Err(error), "nothing below it is vouched for");
                }
            } else {
                assert!(matches!(opened.map(|_| ()), Err(VerifyError::Root { .. })), "{id}, hash {place}");
            }
            tiles.forged.clear();
        }
    }
}

#[test]
fn tiles_that_are_missing_cut_or_not_of_the_tree_are_named() {
    let leaves = leaves(700);
    let (size, root) = (TreeSize(700), root(&leaves));
    let mut tiles = Tiles::new(&leaves);
    let opened = VerifiedTree::open(&tiles, size, &root).expect("the tiles are right");
    for (level, index, width) in [(0, 2, 187), (0, 2, 256), (0, 3, 256), (1, 0, 256), (5, 0, 1), (63, 0, 256)] {
        let id = TileId::new(level, index, width).expect("in range");
        assert_eq!(opened.tile(id), Err(VerifyError::NoSuchTile { id, size }));
    }
    let edge = TileId::at(0, 2, size).expect("a partial tile");
    tiles.forged.insert(edge, vec![0; 31]);
    let error = VerifiedTree::open(&tiles, size, &root).map(|_| ()).expect_err("31 bytes");
    assert!(matches!(error, VerifyError::Tiles(TileError::Malformed { id, .. }) if id == edge), "{error}");
    tiles.forged.clear();

    let more = TreeSize(900);
    let missing = VerifiedTree::open(&tiles, more, &root).map(|_| ()).expect_err("not so many entries");
    assert!(matches!(missing, VerifyError::Tiles(TileError::Reader { .. })), "{missing}");
    let empty = VerifiedTree::open(&tiles, TreeSize(0), &Hash::EMPTY_ROOT).expect("nothing to read");
    assert!(empty.node(0, 0).is_err());
    assert!(VerifiedTree::open(&tiles, TreeSize(0), &root).is_err());
    let huge = TreeSize(u64::MAX);
    assert!(VerifiedTree::open(&tiles, huge, &root).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_bundle_belongs_to_its_tile_alone(count in 1usize..=256, at: prop::sample::Index, bit in 0u8..8) {
        let mut entries = entries(count);
        let tile: Vec<u8> = entries.iter().flat_map(|entry| Hash::leaf(entry).0).collect();
        let width = u16::try_from(count).expect("at most 256");
        let tile = ExpandedTile::parse(&tile, width).expect("whole hashes");
        let bytes = encode_bundle(&entries).expect("short entries");
        let bundle = Bundle::parse(&bytes, width).expect("the same");
        prop_assert_eq!(bundle.entries(), entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert_eq!(check_bundle(LeafIndex(512), &bundle, &tile), Ok(()));

        let at = at.index(count);
        match entries[at].first_mut() {
            Some(byte) => *byte ^= 1 << bit,
            None => entries[at].push(bit),
        }
        let bytes = encode_bundle(&entries).expect("short entries");
        let bundle = Bundle::parse(&bytes, width).expect("of right form");
        let error = check_bundle(LeafIndex(512), &bundle, &tile).expect_err("one entry differs");
        let place = LeafIndex(512 + at as u64);
        let found = if let BundleMismatch::Entry { index, .. } = error { Some(index) } else { None };
        prop_assert_eq!(found, Some(place));
        if count > 1 {
            let bytes = encode_bundle(&entries[1..]).expect("short entries");
            let fewer = Bundle::parse(&bytes, width - 1).expect("of right form");
            let error = BundleMismatch::Count { entries: count - 1, hashes: count };
            prop_assert_eq!(check_bundle(LeafIndex(512), &fewer, &tile), Err(error));
        }
    }

    /// Bytes from outside are an error or the one encoding of what was read; never a panic.
    #[test]
    fn any_bytes_are_a_bundle_or_refused(bytes in prop::collection::vec(0u8..4, 0..40), width in 0u16..300) {
        if let Ok(bundle) = Bundle::parse(&bytes, width) {
            prop_assert_eq!(bundle.entries().len(), usize::from(width));
            prop_assert_eq!(encode_bundle(bundle.entries()), Ok(bytes));
        }
    }
}
