//! A log that grows by valid batches, and the check of all that a store says about it. Roots and tiles are computed straight
//! from RFC 6962 §2.1, so that the suite leans on nobody else's tree.

use std::ops::ControlFlow;

use bytes::Bytes;
use proto::hash::Hash;
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};

use crate::store::{Batch, Commit, Head, Store, TILE_LEVELS, TILE_WIDTH, TileRun};

/// The time of the first head of a growing log; later ones count on, a second each.
pub(crate) const START: Seconds = Seconds(1_800_000_000);

/// Makes valid batches, one after the other.
#[derive(Debug, Clone, Default)]
pub struct GrowingLog {
    /// Node hashes by tile level; level 0 are the leaves.
    levels: [Vec<Hash>; TILE_LEVELS as usize],
    /// The root is computed from the frontier: the hashes of the complete subtrees, the largest first.
    frontier: Vec<(u64, Hash)>,
    head: Option<Head>,
}

impl GrowingLog {
    /// The head after the last batch that was taken.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The bytes of the entry at an index in every growing log.
    pub fn entry(index: u64) -> Bytes {
        Bytes::from(format!("entry {index} {}", "x".repeat((index % 7) as usize)))
    }

    /// The next batch: `count` entries, each with a state key, a counter and a row.
    pub fn batch(&mut self, count: usize) -> Batch {
        let first = self.head.map(|head| head.size).unwrap_or_default().0;
        let end = first + count as u64;
        let before = self.levels.each_ref().map(Vec::len);
        let entries: Vec<Bytes> = (first..end).map(GrowingLog::entry).collect();
        entries.iter().for_each(|entry| self.append(Hash::leaf(entry)));
        let mut tiles = Vec::new();
        for ((level, hashes), from) in (0..TILE_LEVELS).zip(&self.levels).zip(before) {
            tiles.extend(TileRun::split(level, from as u64, &hashes[from..]));
        }
        let time = self.head.map_or(START, |head| Seconds(head.time.0 + 1));
        let last =
            if count == 0 { self.head.map(|head| head.last_timestamp).unwrap_or_default() } else { time.millis() };
        let head = Head { size: TreeSize(end), root: self.root(), time, last_timestamp: last };
        let mut state: Vec<_> = (first..end).map(|index| (state_key(index), index.to_be_bytes().to_vec())).collect();
        state.push((b"count".to_vec(), end.to_be_bytes().to_vec()));
        let rows = (first..end).map(|index| (row_key(index), index.to_string().into_bytes())).collect();
        Batch { first: LeafIndex(first), entries, tiles, state, rows, head }
    }

    /// Remembers that a batch of [`GrowingLog::batch`] was committed. A batch that was not is dropped with the clone that
    /// made it.
    pub fn taken(&mut self, batch: &Batch) {
        self.head = Some(batch.head);
    }

    /// Commits a batch of `count` entries.
    pub fn grow(&mut self, store: &dyn Store, count: usize) {
        let batch = self.batch(count);
        let outcome = store.commit(self.head(), &batch);
        assert!(matches!(outcome, Commit::Committed), "a valid batch of {count} entries: {outcome:?}");
        self.taken(&batch);
    }

    fn append(&mut self, leaf: Hash) {
        self.levels[0].push(leaf);
        let (mut width, mut hash) = (1u64, leaf);
        while let Some((left_width, left)) = self.frontier.last().copied() {
            if left_width != width {
                break;
            }
            self.frontier.pop();
            (width, hash) = (2 * width, Hash::node(&left, &hash));
            // A tile level is every eighth level of the tree.
            let level = width.trailing_zeros();
            if level % 8 == 0 {
                self.levels[(level / 8) as usize].push(hash);
            }
        }
        self.frontier.push((width, hash));
    }

    fn root(&self) -> Hash {
        let mut hashes = self.frontier.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = hashes.next() else { return Hash::EMPTY_ROOT };
        hashes.fold(last, |right, left| Hash::node(&left, &right))
    }
}

/// The state key of an entry in a growing log.
pub(crate) fn state_key(index: u64) -> Vec<u8> {
    Hash::of(&index.to_be_bytes()).0.to_vec()
}

/// The row key of an entry in a growing log.
pub(crate) fn row_key(index: u64) -> Vec<u8> {
    [b"by-index/".as_slice(), &index.to_be_bytes()].concat()
}

/// Checks a whole growing log against itself: every entry, every tile of every width that a reader may ask for at the edge,
/// state, rows and the root. Panics at the first thing that is not as it must be.
pub fn check_log(store: &dyn Store) {
    let Some(head) = store.head().expect("the head is readable") else {
        assert_eq!(store.entry(LeafIndex(0)).expect("readable"), None, "an entry without a head");
        return;
    };
    let mut again = GrowingLog::default();
    let mut next = 0;
    store
        .entries(0..head.size.0, &mut |index, entry| {
            assert_eq!((index.0, entry), (next, GrowingLog::entry(next).as_ref()), "entry {next}");
            again.append(Hash::leaf(entry));
            next += 1;
            ControlFlow::Continue(())
        })
        .expect("the entries are readable");
    assert_eq!(next, head.size.0, "the entries end at the size");
    assert_eq!(again.root(), head.root, "the root of size {next}");
    assert_eq!(store.entry(LeafIndex(next)).expect("readable"), None, "an entry beyond the head");
    assert!(head.last_timestamp <= Millis(head.time.0 * 1000 + 999), "the head is not before its last entry");
    for (level, hashes) in (0..TILE_LEVELS).zip(&again.levels) {
        check_tiles(store, level, hashes);
    }
    for index in [0, next / 2, next.saturating_sub(1)].into_iter().filter(|index| *index < next) {
        let value = store.state(&state_key(index)).expect("the state is readable");
        assert_eq!(value, Some(index.to_be_bytes().to_vec()), "state of entry {index}");
    }
    assert_eq!(store.state(b"count").expect("readable"), Some(next.to_be_bytes().to_vec()), "the counter");
    let mut row = 0;
    store
        .rows(b"by-index/", None, crate::store::Direction::Forward, &mut |key, value| {
            assert_eq!((key, value), (row_key(row).as_slice(), row.to_string().as_bytes()), "row {row}");
            row += 1;
            ControlFlow::Continue(())
        })
        .expect("the rows are readable");
    assert_eq!(row, next, "a row for each entry");
}

fn check_tiles(store: &dyn Store, level: u8, hashes: &[Hash]) {
    for (index, tile) in (0u64..).zip(hashes.chunks(TILE_WIDTH as usize)) {
        let bytes: Vec<u8> = tile.iter().flat_map(|hash| hash.0).collect();
        // Of a tile all widths are right if the widest one is and each is its beginning.
        for width in
            [1, tile.len() / 2, tile.len().saturating_sub(1), tile.len()].into_iter().filter(|width| *width > 0)
        {
            let read = store.tile(level, index, width as u16).expect("a tile within the tree");
            assert!(read == bytes[..width * 32], "tile {level}/{index} of width {width}");
        }
        if tile.len() < TILE_WIDTH as usize {
            let beyond = store.tile(level, index, tile.len() as u16 + 1);
            assert!(matches!(beyond, Err(crate::store::StoreError::OutOfRange { .. })), "{beyond:?}");
        }
    }
}
