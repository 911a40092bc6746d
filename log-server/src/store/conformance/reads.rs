//! Entries, tiles and rows as they were written.

use std::ops::ControlFlow;

use proto::num::LeafIndex;

use super::{Disk, GrowingLog, check_log, grow_and_check, rows};
use crate::store::{Commit, Direction, Store, StoreError};

pub(super) fn entries_in_order(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    // Longer than what an implementation may treat as a long scan.
    log.grow(&*store, 300);
    log.grow(&*store, 4500);
    let read = |range: std::ops::Range<u64>, limit: usize| {
        let mut found = Vec::new();
        let result = store.entries(range, &mut |index, entry| {
            assert_eq!(entry, GrowingLog::entry(index.0).as_ref());
            found.push(index.0);
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        result.map(|()| found).expect("a range within the tree")
    };
    assert_eq!(read(0..4800, usize::MAX), (0..4800).collect::<Vec<_>>());
    assert_eq!(read(255..258, usize::MAX), [255, 256, 257]);
    assert_eq!(read(299..4000, 3), [299, 300, 301]);
    assert!(read(7..7, usize::MAX).is_empty());
    assert_eq!(read(4799..4800, usize::MAX), [4799]);
    // A scan may read on within itself.
    store
        .entries(0..2, &mut |index, entry| {
            assert_eq!(store.entry(index).expect("readable").as_deref(), Some(entry));
            ControlFlow::Continue(())
        })
        .expect("readable");
}

pub(super) fn beyond_the_tree(disk: &dyn Disk) {
    let store = disk.open();
    let none = |range| store.entries(range, &mut |_, _| panic!("nothing may be shown of a range beyond the tree"));
    assert!(matches!(none(0..1), Err(StoreError::OutOfRange { .. })));
    assert!(none(0..0).is_ok());
    assert!(matches!(store.tile(0, 0, 1), Err(StoreError::OutOfRange { .. })));
    assert_eq!(store.head().expect("readable"), None);
    GrowingLog::default().grow(&*store, 300);
    assert!(matches!(none(299..301), Err(StoreError::OutOfRange { .. })));
    assert!(matches!(none(u64::MAX - 1..u64::MAX), Err(StoreError::OutOfRange { .. })));
    assert_eq!(store.entry(LeafIndex(300)).expect("readable"), None);
    assert_eq!(store.entry(LeafIndex(u64::MAX)).expect("readable"), None);
    for (level, index, width) in [
        (0, 1, 45),
        (0, 2, 1),
        (0, 0, 0),
        (0, 0, 257),
        (1, 0, 2),
        (2, 0, 1),
        (8, 0, 1),
        (63, 0, 1),
        (255, 0, 1),
        (0, u64::MAX, 256),
        (0, u64::MAX / 256, 256),
    ] {
        let tile = store.tile(level, index, width);
        assert!(matches!(tile, Err(StoreError::OutOfRange { .. })), "tile {level}/{index} of width {width}: {tile:?}");
    }
}

pub(super) fn tiles_of_many_shapes(disk: &dyn Disk) {
    let store = disk.open();
    grow_and_check(&*store, &[1, 1, 253, 1, 1, 254, 2, 255, 256, 257, 511, 512, 513, 0, 1, 1023, 100, 100, 55, 1]);
}

/// The third level begins with entry 65,536.
pub(super) fn three_tile_levels(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    for count in [65_535, 1, 1, 300] {
        log.grow(&*store, count);
    }
    check_log(&*store);
    assert!(store.tile(2, 0, 1).is_ok());
}

const FORWARD: Direction = Direction::Forward;
const BACKWARD: Direction = Direction::Backward;

pub(super) fn rows_by_prefix_and_page(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    let keys: [&[u8]; 9] = [b"a", b"a/", b"a/1", b"a/1/x", b"a/2", b"a0", b"\xff", b"\xff\xff", b"\xff\xff\x01"];
    // Written in two batches and not in order.
    for half in [&keys[4..], &keys[..4]] {
        let mut batch = log.batch(0);
        batch.rows = half.iter().rev().map(|key| (key.to_vec(), key.to_ascii_uppercase())).collect();
        assert!(matches!(store.commit(log.head(), &batch), Commit::Committed));
        log.taken(&batch);
    }
    let find = |prefix: &[u8], after: Option<&[u8]>, direction| -> Vec<Vec<u8>> {
        rows(&*store, prefix, after, direction, usize::MAX).into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(find(b"", None, FORWARD), keys);
    assert_eq!(find(b"a/", None, FORWARD), keys[1..5]);
    assert_eq!(find(b"\xff", None, FORWARD), keys[6..]);
    assert_eq!(find(b"\xff\xff", None, BACKWARD), [keys[8], keys[7]]);
    assert_eq!(find(b"b", None, FORWARD), Vec::<Vec<u8>>::new());
    assert_eq!(find(b"a/", None, BACKWARD), [keys[4], keys[3], keys[2], keys[1]]);
    assert_eq!(find(b"a/", Some(b"a/1"), FORWARD), [keys[3], keys[4]]);
    assert_eq!(find(b"a/", Some(b"a/1"), BACKWARD), [keys[1]]);
    // A key to go on from need not exist, nor lie within the prefix.
    assert_eq!(find(b"a/", Some(b"a/11"), FORWARD), [keys[4]]);
    assert_eq!(find(b"a/", Some(b"a"), FORWARD), keys[1..5]);
    assert_eq!(find(b"a/", Some(b"b"), FORWARD), Vec::<Vec<u8>>::new());
    assert_eq!(find(b"a/", Some(b"b"), BACKWARD).len(), 4);
    assert_eq!(find(b"a/", Some(b"a"), BACKWARD), Vec::<Vec<u8>>::new());
    assert_eq!(find(b"a/", Some(b"a/"), BACKWARD), Vec::<Vec<u8>>::new());
    for (direction, expected) in [(FORWARD, keys.to_vec()), (BACKWARD, keys.iter().rev().copied().collect())] {
        assert_eq!(pages(&*store, direction), expected);
    }
    let with_values = rows(&*store, b"a/2", None, FORWARD, usize::MAX);
    assert_eq!(with_values, [(b"a/2".to_vec(), b"A/2".to_vec())]);
}

/// All rows, two at a time, each page from the last key of the one before.
fn pages(store: &dyn Store, direction: Direction) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        let page = rows(store, b"", all.last().map(Vec::as_slice), direction, 2);
        if page.is_empty() {
            return all;
        }
        all.extend(page.into_iter().map(|(key, _)| key));
    }
}

pub(super) fn the_whole_state(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    for keys in [[&b"b"[..], b"\xff\xff"], [b"a\x00", b"b"]] {
        let mut batch = log.batch(1);
        batch.state = keys.iter().map(|key| (key.to_vec(), batch.first.0.to_be_bytes().to_vec())).collect();
        assert!(matches!(store.commit(log.head(), &batch), Commit::Committed));
        log.taken(&batch);
    }
    let find = |after: Option<&[u8]>, limit: usize| {
        let mut found: Vec<(Vec<u8>, u8)> = Vec::new();
        let scanned = store.state_scan(after, &mut |key, value| {
            found.push((key.to_vec(), value[7]));
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        scanned.map(|()| found).expect("readable")
    };
    let all = [(b"a\x00".to_vec(), 1), (b"b".to_vec(), 1), (b"\xff\xff".to_vec(), 0)];
    assert_eq!(find(None, usize::MAX), all, "each key once, with its newest value, and no row among them");
    assert_eq!(find(Some(b"a\x00"), usize::MAX), all[1..]);
    assert_eq!(find(Some(b"a"), 1), all[..1]);
    assert_eq!(find(Some(b"\xff\xff"), usize::MAX), []);
}

pub(super) fn a_scan_is_of_one_moment(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    log.grow(&*store, 10);
    let mut seen = 0;
    store
        .rows(b"by-index/", None, FORWARD, &mut |_, _| {
            // Every row that is shown adds one behind it.
            log.grow(&*store, 1);
            seen += 1;
            ControlFlow::Continue(())
        })
        .expect("readable");
    assert_eq!(seen, 10);
    assert_eq!(store.head().expect("readable").map(|head| head.size.0), Some(20));
    check_log(&*store);
}
