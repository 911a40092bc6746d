//! `check` on altered logs, and `rebuild`.

use std::ops::ControlFlow;

use claimtrail_log::store::faulty::Damage;
use claimtrail_log::store::rocks::RocksStore;
use claimtrail_log::store::{Direction, KeyValue, Store};
use claimtrail_log::testing::{acme, support};
use proto::hash::Hash;
use proto::num::LeafIndex;

use crate::support::TestFolder;

/// Entry 0, the enrolment, five promises.
const ENTRIES: u64 = 7;

fn grown() -> TestFolder {
    let folder = TestFolder::with_log();
    let promises = (0..5).map(|n| support(&format!("CAM-{n}"), "2031-03"));
    folder.grow(&std::iter::once(acme()).chain(promises).collect::<Vec<_>>());
    folder
}

fn indexes(store: &RocksStore) -> (Vec<KeyValue>, Vec<KeyValue>) {
    let (mut state, mut rows) = (Vec::new(), Vec::new());
    store
        .state_scan(None, &mut |key, value| {
            state.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    store
        .rows(b"", None, Direction::Forward, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    (state, rows)
}

fn put_indexes(store: &RocksStore, state: &[KeyValue], rows: &[KeyValue]) {
    store.rebuild_start().unwrap();
    store.rebuild_put(LeafIndex(0), LeafIndex(ENTRIES), state, rows).unwrap();
    store.rebuild_finish().unwrap();
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let folder = grown();
    folder.run(&["check", "log"]).expect(0, &["7 of 7 entries"]);
    let store = folder.store();
    let good = store.entry(LeafIndex(3)).unwrap().unwrap();
    let mut bad = good.to_vec();
    bad[40] ^= 1;
    store.overwrite_entry(LeafIndex(3), &bad).unwrap();
    drop(store);
    folder.run(&["check", "log"]).expect(1, &["NOT as it should be", "tile level 0, hash 3", "entry 3"]);
    let store = folder.store();
    store.overwrite_entry(LeafIndex(3), &good).unwrap();
    store.overwrite_hash(0, 5, Hash::leaf(b"other")).unwrap();
    drop(store);
    folder.run(&["check", "log", "--json"]).expect(1, &["\"ok\":false", "\"place\":\"tile level 0, hash 5\""]);
    let store = folder.store();
    let entry = store.entry(LeafIndex(5)).unwrap().unwrap();
    store.overwrite_hash(0, 5, Hash::leaf(&entry)).unwrap();
    let (mut state, rows) = indexes(&store);
    state[4].1[1] ^= 1;
    put_indexes(&store, &state, &rows);
    drop(store);
    folder.run(&["check", "log"]).expect(1, &["state key", "claimtrail-log rebuild"]);
}

#[test]
fn a_rebuild_equals_what_grew() {
    let folder = grown();
    let store = folder.store();
    let (state, rows) = indexes(&store);
    put_indexes(&store, &state[1..], &rows[..rows.len() - 1]);
    drop(store);
    folder.run(&["check", "log"]).expect(1, &["not stored"]);
    folder.run(&["rebuild", "log"]).expect(0, &["rebuilt from 7 entries"]);
    folder.run(&["check", "log"]).expect(0, &[]);
    let store = folder.store();
    assert_eq!(indexes(&store), (state, rows));
}

#[test]
fn an_interrupted_rebuild_is_resumed_and_nothing_served_before() {
    let folder = grown();
    let store = folder.store();
    let whole = indexes(&store);
    store.rebuild_start().unwrap();
    drop(store);
    folder.run(&["serve", "log"]).expect(74, &["claimtrail-log rebuild"]);
    folder.run(&["check", "log"]).expect(1, &["stands at entry 0"]);
    folder.run(&["freeze", "log", "--yes", "--operator-key", "operator"]).expect(74, &["claimtrail-log rebuild"]);
    folder.run(&["rebuild", "log"]).expect(0, &[]);
    assert_eq!(indexes(&folder.store()), whole);
    folder.run(&["rebuild", "log", "--restart"]).expect(0, &[]);
    folder.run(&["check", "log"]).expect(0, &[]);
}
