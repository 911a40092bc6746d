//! Signed heads and fork reports.

use std::ops::ControlFlow;

use bytes::Bytes;
use proto::num::{Seconds, TreeSize};
use service::thinning::KEEP_ALL_SECONDS;

use super::Disk;
use crate::store::{Direction, HeadKey, SignedHead, Store};

fn key(time: u64, size: u64) -> HeadKey {
    HeadKey { time: Seconds(time), size: TreeSize(size) }
}

fn put(store: &dyn Store, time: u64, size: u64) {
    let note = Bytes::from(format!("head of {size} at {time}"));
    store.put_signed_head(&SignedHead { key: key(time, size), note }).expect("a signed head is kept");
}

fn keys(store: &dyn Store, after: Option<HeadKey>, direction: Direction) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    store
        .signed_heads(after, direction, &mut |head| {
            found.push((head.key.time.0, head.key.size.0));
            ControlFlow::Continue(())
        })
        .expect("signed heads are readable");
    found
}

fn newest(store: &dyn Store) -> Option<SignedHead> {
    let mut newest = None;
    store
        .signed_heads(None, Direction::Backward, &mut |head| {
            newest = Some(head);
            ControlFlow::Break(())
        })
        .expect("signed heads are readable");
    newest
}

pub(super) fn order_and_replacement(disk: &dyn Disk) {
    let store = disk.open();
    assert_eq!(newest(&*store), None);
    let ordered = [(5, 1), (5, 300), (6, 2), (255, 2), (256, 2), (70_000, 1)];
    for place in [3, 0, 5, 1, 4, 2] {
        put(&*store, ordered[place].0, ordered[place].1);
    }
    assert_eq!(keys(&*store, None, Direction::Forward), ordered);
    assert_eq!(keys(&*store, Some(key(5, 300)), Direction::Forward), ordered[2..]);
    assert_eq!(keys(&*store, Some(key(5, 2)), Direction::Forward), ordered[1..]);
    assert_eq!(keys(&*store, Some(key(6, 2)), Direction::Backward), [(5, 300), (5, 1)]);
    let newest_head = newest(&*store).expect("the newest");
    assert_eq!((newest_head.key, newest_head.note.as_ref()), (key(70_000, 1), b"head of 1 at 70000".as_slice()));
    // The same head, now with a cosignature.
    let more = SignedHead { key: key(70_000, 1), note: Bytes::from_static(b"with a cosignature") };
    store.put_signed_head(&more).expect("replaced");
    assert_eq!(newest(&*store), Some(more));
    assert_eq!(keys(&*store, None, Direction::Forward).len(), ordered.len());
}

pub(super) fn thinning(disk: &dyn Disk) {
    let store = disk.open();
    let minute = 60 * 1_000_000;
    for (time, size) in [(0, 1), (0, 2), (30, 2), (59, 3), (60, 3), (61, 4), (120, 5), (240, 6), (241, 7)] {
        put(&*store, minute + time, size);
    }
    let all = keys(&*store, None, Direction::Forward);
    let prune = |now: u64| store.prune_heads(Seconds(now)).expect("pruned");
    // All are younger than 24 hours; then the first minute is over, but not a day ago.
    assert_eq!(prune(minute + 300), 0);
    assert_eq!(prune(minute + KEEP_ALL_SECONDS + 59), 0);
    assert_eq!(keys(&*store, None, Direction::Forward), all);
    // The first minute, then the others; a second time there is nothing to do.
    assert_eq!(prune(minute + KEEP_ALL_SECONDS + 60), 3);
    assert_eq!(prune(minute + KEEP_ALL_SECONDS + 60), 0);
    let left: Vec<_> = keys(&*store, None, Direction::Forward).into_iter().map(|(time, _)| time - minute).collect();
    assert_eq!(left, [59, 60, 61, 120, 240, 241]);
    assert_eq!(prune(minute + 2 * KEEP_ALL_SECONDS), 2);
    let left: Vec<_> = keys(&*store, None, Direction::Forward).into_iter().map(|(time, _)| time - minute).collect();
    assert_eq!(left, [59, 61, 120, 241], "the newest of each minute");
    // A clock that went back takes nothing away.
    assert_eq!(prune(0), 0);
    assert_eq!(newest(&*store).map(|head| head.key), Some(key(minute + 241, 7)));
}

/// More heads in one minute than an implementation may remove in one write.
pub(super) fn thinning_of_many(disk: &dyn Disk) {
    const HEADS: u64 = 5000;
    let store = disk.open();
    for size in 0..HEADS {
        put(&*store, 600 + size % 60, size);
    }
    put(&*store, 660, HEADS);
    assert_eq!(store.prune_heads(Seconds(KEEP_ALL_SECONDS + 720)).expect("pruned"), HEADS - 1);
    assert_eq!(keys(&*store, None, Direction::Forward), [(659, HEADS - 21), (660, HEADS)]);
}

pub(super) fn reports(disk: &dyn Disk) {
    let store = disk.open();
    let read = |after: Option<&[u8]>| {
        let mut found = Vec::new();
        store
            .reports(after, &mut |key, value| {
                found.push((key.to_vec(), value.to_vec()));
                ControlFlow::Continue(())
            })
            .expect("reports are readable");
        found
    };
    assert!(read(None).is_empty());
    for (key, value) in [(b"b", b"1"), (b"a", b"2"), (b"b", b"3")] {
        store.put_report(key, value).expect("kept");
    }
    assert_eq!(read(None), [(b"a".to_vec(), b"2".to_vec()), (b"b".to_vec(), b"3".to_vec())]);
    assert_eq!(read(Some(b"a")), [(b"b".to_vec(), b"3".to_vec())]);
    assert!(store.put_report(b"", b"no key").is_err());
}
