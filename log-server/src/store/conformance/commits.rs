//! Fence, atomicity, and what is refused before a byte is written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::Bytes;
use proto::hash::Hash;
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};

use super::growing::state_key;
use super::{Disk, GrowingLog, check_log};
use crate::store::{BadBatch, Batch, Commit, MAX_ENTRY_BYTES, MAX_KEY_BYTES, Store, StoreError, TileRun};

fn refused_by_fence(outcome: &Commit) -> bool {
    matches!(outcome, Commit::DefinitelyNot(StoreError::Fence(_)))
}

pub(super) fn fence(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    let stale = log.clone();
    log.grow(&*store, 3);
    // A sequencer that missed the first commit, or thinks there was another.
    assert!(refused_by_fence(&store.commit(None, &stale.clone().batch(2))));
    let head = *log.head().expect("a head");
    let mut next = log.clone();
    let batch = next.batch(2);
    for wrong in [
        crate::store::Head { time: Seconds(head.time.0 - 1), ..head },
        crate::store::Head { root: Hash::EMPTY_ROOT, ..head },
        crate::store::Head { size: TreeSize(2), ..head },
        crate::store::Head { last_timestamp: Millis(0), ..head },
    ] {
        assert!(refused_by_fence(&store.commit(Some(&wrong), &batch)), "{wrong:?}");
    }
    assert_eq!(store.head().expect("readable"), Some(head));
    check_log(&*store);
    assert!(matches!(store.commit(Some(&head), &batch), Commit::Committed));
    // The same batch once more: it is not the next one any more.
    assert!(refused_by_fence(&store.commit(Some(&head), &batch)));
    check_log(&*store);
}

pub(super) fn two_sequencers(disk: &dyn Disk) {
    const ROUNDS: usize = 50;
    let store = disk.open();
    let mut log = GrowingLog::default();
    for round in 0..ROUNDS {
        let (mut one, mut other) = (log.clone(), log.clone());
        let (short, long) = (one.batch(1 + round % 3), other.batch(4));
        let (first, second) = thread::scope(|scope| {
            let first = scope.spawn(|| store.commit(log.head(), &short));
            let second = store.commit(log.head(), &long);
            (first.join().expect("no panic"), second)
        });
        let won = |outcome: &Commit| matches!(outcome, Commit::Committed);
        assert!(won(&first) != won(&second), "one of two: {first:?}, {second:?}");
        assert!(refused_by_fence(if won(&first) { &second } else { &first }));
        let (mut winner, batch) = if won(&first) { (one, short) } else { (other, long) };
        winner.taken(&batch);
        log = winner;
    }
    check_log(&*store);
}

pub(super) fn malformed_batches(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    log.grow(&*store, 250);
    let good = log.clone().batch(10);
    for (what, spoil) in SPOILT {
        let mut batch = good.clone();
        spoil(&mut batch);
        let outcome = store.commit(log.head(), &batch);
        assert!(matches!(&outcome, Commit::DefinitelyNot(StoreError::Malformed(_))), "{what}: {outcome:?}");
        assert_eq!(store.head().expect("readable").as_ref(), log.head(), "{what}");
    }
    check_log(&*store);
    assert!(matches!(store.commit(log.head(), &good), Commit::Committed), "the batch that was not spoilt");
    check_log(&*store);
}

type Spoilt = (&'static str, fn(&mut Batch));

/// Ways to spoil a batch of ten entries that completes the first tile (entries 250 to 259).
const SPOILT: &[Spoilt] = &[
    ("first too low", |batch| batch.first = LeafIndex(249)),
    ("first too high", |batch| batch.first = LeafIndex(251)),
    ("size too low", |batch| batch.head.size = TreeSize(259)),
    ("size too high", |batch| batch.head.size = TreeSize(261)),
    ("an entry is empty", |batch| batch.entries[3] = Bytes::new()),
    ("an entry is too long", |batch| batch.entries[3] = Bytes::from(vec![0; MAX_ENTRY_BYTES + 1])),
    ("a state key is empty", |batch| batch.state.push((Vec::new(), b"v".to_vec()))),
    ("a row key is too long", |batch| batch.rows.push((vec![1; MAX_KEY_BYTES + 1], Vec::new()))),
    ("the head goes back", |batch| batch.head.time.0 -= 2),
    ("the head is before its last entry", |batch| batch.head.last_timestamp.0 += 1000),
    ("the entries go back", |batch| batch.head.last_timestamp.0 -= 60_000),
    ("no runs", |batch| batch.tiles.clear()),
    ("the run of level 1 is missing", |batch| batch.tiles.retain(|run| run.level == 0)),
    ("a run is missing", |batch| drop(batch.tiles.remove(1))),
    ("a run is twice there", |batch| batch.tiles.insert(0, batch.tiles[0].clone())),
    ("a run is empty", |batch| batch.tiles.insert(0, TileRun { level: 0, first: 250, hashes: Vec::new() })),
    ("a run is too short", |batch| batch.tiles[0].hashes.truncate(3)),
    ("a run starts wrongly", |batch| batch.tiles[1].first = 257),
    ("a run crosses a tile's edge", |batch| {
        let second = batch.tiles.remove(1);
        batch.tiles[0].hashes.extend(second.hashes);
    }),
    ("a level that no tree has", |batch| {
        batch.tiles.push(TileRun { level: 8, first: 0, hashes: vec![Hash::EMPTY_ROOT] });
    }),
];

pub(super) fn batches_without_entries(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    log.grow(&*store, 0);
    assert_eq!(store.head().expect("readable").map(|head| head.root), Some(Hash::EMPTY_ROOT));
    log.grow(&*store, 5);
    log.grow(&*store, 0);
    assert_eq!(store.head().expect("readable").as_ref(), log.head());
    let mut batch = log.clone().batch(0);
    batch.head.root = Hash::EMPTY_ROOT;
    let outcome = store.commit(log.head(), &batch);
    assert!(matches!(outcome, Commit::DefinitelyNot(StoreError::Malformed(BadBatch::EmptyButChanged))), "{outcome:?}");
    log.grow(&*store, 1);
    check_log(&*store);
}

/// While a writer commits, readers look at the head, then at the last entry, its tile and its state.
pub(super) fn readers_see_whole_batches(disk: &dyn Disk) {
    const BATCHES: usize = 150;
    let store = disk.open();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    look_at_the_end(&*store);
                }
            });
        }
        let mut log = GrowingLog::default();
        for batch in 0..BATCHES {
            log.grow(&*store, 1 + batch % 5);
        }
        done.store(true, Ordering::Release);
    });
    check_log(&*store);
}

fn look_at_the_end(store: &dyn Store) {
    let Some(head) = store.head().expect("readable") else { return };
    let last = head.size.0 - 1;
    assert_eq!(store.entry(LeafIndex(last)).expect("readable"), Some(GrowingLog::entry(last)));
    assert!(store.state(&state_key(last)).expect("readable").is_some(), "state of entry {last}");
    let tile = store.tile(0, last / 256, (last % 256 + 1) as u16).expect("the tile of the last entry");
    assert!(tile.ends_with(&Hash::leaf(&GrowingLog::entry(last)).0));
}

pub(super) fn state_is_overwritten(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    for round in 0u8..5 {
        let mut batch = log.batch(1);
        batch.state.extend([(b"slot".to_vec(), vec![round]), (b"slot".to_vec(), vec![round, round])]);
        batch.rows.extend([(b"r".to_vec(), vec![1]), (b"r".to_vec(), vec![round])]);
        assert!(matches!(store.commit(log.head(), &batch), Commit::Committed));
        log.taken(&batch);
        // The later change of a batch counts.
        assert_eq!(store.state(b"slot").expect("readable"), Some(vec![round, round]));
        let rows = super::rows(&*store, b"r", None, crate::store::Direction::Forward, usize::MAX);
        assert_eq!(rows, [(b"r".to_vec(), vec![round])]);
    }
    assert_eq!(store.state(b"slo").expect("readable"), None);
    // An empty value is a value.
    let mut batch = log.batch(0);
    batch.state = vec![(b"slot".to_vec(), Vec::new())];
    assert!(matches!(store.commit(log.head(), &batch), Commit::Committed));
    assert_eq!(store.state(b"slot").expect("readable"), Some(Vec::new()));
}
