//! Closing, opening again, recovering, rebuilding.

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use proto::num::{LeafIndex, Seconds, TreeSize};

use super::growing::{row_key, state_key};
use super::{Disk, GrowingLog, check_log, is_closed, rows};
use crate::store::{Commit, Direction, HeadKey, SignedHead, Store, StoreError};

pub(super) fn reopening_keeps_everything(disk: &dyn Disk) {
    let mut log = GrowingLog::default();
    let key = HeadKey { time: Seconds(9), size: TreeSize(3) };
    for (round, count) in [3, 260, 0, 41].into_iter().enumerate() {
        let store = disk.open();
        assert_eq!(store.origin(), super::ORIGIN);
        assert_eq!(store.head().expect("readable").as_ref(), log.head(), "round {round}");
        check_log(&*store);
        log.grow(&*store, count);
        store.put_signed_head(&SignedHead { key, note: Bytes::from(vec![round as u8]) }).expect("kept");
        store.put_report(&[round as u8], b"report").expect("kept");
        store.flush().expect("flushed");
        // The second time without an orderly end.
        if round != 1 {
            store.close().expect("closed");
        }
    }
    let store = disk.open();
    check_log(&*store);
    let mut notes = Vec::new();
    store
        .signed_heads(None, Direction::Forward, &mut |head| {
            notes.push(head);
            ControlFlow::Continue(())
        })
        .expect("readable");
    assert_eq!(notes, [SignedHead { key, note: Bytes::from_static(&[3]) }]);
    let mut reports = 0;
    store
        .reports(None, &mut |_, _| {
            reports += 1;
            ControlFlow::Continue(())
        })
        .expect("readable");
    assert_eq!(reports, 4);
}

pub(super) fn rebuild(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    log.grow(&*store, 300);
    assert_eq!(store.rebuild_next().expect("readable"), None);
    let not_started = store.rebuild_put(LeafIndex(0), LeafIndex(1), &[], &[]);
    assert!(matches!(not_started, Err(StoreError::RebuildStep { expected: None, .. })), "{not_started:?}");
    assert!(store.rebuild_finish().is_err());

    store.rebuild_start().expect("started");
    assert_eq!(store.rebuild_next().expect("readable"), Some(LeafIndex(0)));
    assert_eq!(store.state(b"count").expect("readable"), None);
    assert!(rows(&*store, b"", None, Direction::Forward, 1).is_empty());
    let outcome = store.commit(log.head(), &log.clone().batch(1));
    assert!(matches!(outcome, Commit::DefinitelyNot(StoreError::Rebuilding { .. })), "{outcome:?}");

    put_step(&*store, 0, 120).expect("the first step");
    assert!(put_step(&*store, 0, 130).is_err(), "a step twice");
    assert!(put_step(&*store, 130, 140).is_err(), "a step left out");
    assert!(put_step(&*store, 120, 301).is_err(), "a step beyond the tree");
    assert!(store.rebuild_finish().is_err(), "not at the end");
    store.close().expect("closed");

    // A rebuild goes on where it was interrupted.
    let store = disk.open();
    assert_eq!(store.rebuild_next().expect("readable"), Some(LeafIndex(120)));
    put_step(&*store, 120, 300).expect("the last step");
    store.rebuild_finish().expect("finished");
    assert_eq!(store.rebuild_next().expect("readable"), None);
    check_log(&*store);
    log.grow(&*store, 2);
    check_log(&*store);
}

fn put_step(store: &dyn Store, from: u64, next: u64) -> Result<(), StoreError> {
    let mut state: Vec<_> = (from..next).map(|index| (state_key(index), index.to_be_bytes().to_vec())).collect();
    state.push((b"count".to_vec(), next.to_be_bytes().to_vec()));
    let rows: Vec<_> = (from..next).map(|index| (row_key(index), index.to_string().into_bytes())).collect();
    store.rebuild_put(LeafIndex(from), LeafIndex(next), &state, &rows)
}

pub(super) fn recovery_without_need(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    assert_eq!(store.recover().expect("nothing to do"), None);
    log.grow(&*store, 7);
    assert_eq!(store.recover().expect("nothing to do").as_ref(), log.head());
    log.grow(&*store, 7);
    check_log(&*store);
}

pub(super) fn closed_means_closed(disk: &dyn Disk) {
    let store = disk.open();
    let mut log = GrowingLog::default();
    log.grow(&*store, 2);
    store.close().expect("closed");
    store.close().expect("closing twice is harmless");
    assert!(is_closed(store.head()));
    assert!(is_closed(store.entry(LeafIndex(0))));
    assert!(is_closed(store.entries(0..1, &mut |_, _| ControlFlow::Continue(()))));
    assert!(is_closed(store.tile(0, 0, 1)));
    assert!(is_closed(store.state(b"count")));
    assert!(is_closed(store.rows(b"", None, Direction::Forward, &mut |_, _| ControlFlow::Continue(()))));
    assert!(is_closed(store.signed_heads(None, Direction::Forward, &mut |_| ControlFlow::Continue(()))));
    assert!(is_closed(store.put_report(b"k", b"v")));
    assert!(is_closed(store.rebuild_start()));
    assert!(is_closed(store.recover()));
    assert!(is_closed(store.flush()));
    assert!(is_closed(store.stats()));
    assert!(is_closed(store.disk_free()));
    let outcome = store.commit(log.head(), &log.clone().batch(1));
    assert!(matches!(outcome, Commit::DefinitelyNot(StoreError::Closed)), "{outcome:?}");
}

/// A scan that runs when the store is closed ends well, or is told; it never reads freed data and never hangs.
pub(super) fn closing_waits_for_readers(disk: &dyn Disk) {
    let store = disk.open();
    GrowingLog::default().grow(&*store, 1000);
    let (started, at_start) = mpsc::channel();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0u64;
            let scan = store.entries(0..1000, &mut |index, entry| {
                if index.0 == 10 {
                    started.send(()).expect("the closer listens");
                }
                assert_eq!(entry, GrowingLog::entry(index.0).as_ref());
                seen += 1;
                thread::yield_now();
                ControlFlow::Continue(())
            });
            (scan, seen)
        });
        at_start.recv().expect("the scan has begun");
        store.close().expect("closed");
        let (scan, seen) = reader.join().expect("no panic");
        assert!(scan.is_ok() && seen == 1000 || is_closed(scan), "a scan cut short must say so");
    });
    assert!(is_closed(store.head()));
    check_log(&*disk.open());
}
