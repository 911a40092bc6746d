//! A log that is as it should be, and the same log with one thing altered.

use std::ops::ControlFlow;
use std::sync::Arc;

use proto::entry::Entry;
use proto::hash::Hash;
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};

use super::*;
use crate::signer::{HeadSigner, HeadToSign};
use crate::store::faulty::Damage;
use crate::store::memory::MemoryStore;
use crate::store::{Direction, HeadKey, KeyValue, SignedHead};
use crate::testing::*;

/// Entries of the log that the tests alter: more than one tile.
const ENTRIES: u64 = 302;

struct Grown {
    store: MemoryStore,
    last: HeadToSign,
}

/// A log with an issuer and 300 promises.
fn grown_log() -> Grown {
    let store = MemoryStore::new(ORIGIN);
    let test = TestLog::start_on(Arc::new(store.reopen())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        test.log.submit(body(&acme())).await.expect("enrolled");
        for n in 0..300 {
            test.time.pass(700);
            test.log.submit(body(&support(&format!("CAM-{n}"), "2031-03"))).await.expect("logged");
        }
    });
    let last = test.signer.last().expect("signed");
    Grown { store, last }
}

fn check_with(grown: &Grown, record: Option<Result<Option<SignedRecord>, RecordError>>) -> Report {
    let scratch = tempfile::tempdir().unwrap();
    let keys = log_keys();
    let beside = Beside { vkeys: Some((keys.log_vkey(), keys.time_vkey())), record, scratch: scratch.path() };
    let store: Arc<dyn Store> = Arc::new(grown.store.reopen());
    let report = run(&store, &beside, &Silent).expect("the check runs");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "the scratch folder is removed");
    report
}

fn record(grown: &Grown) -> SignedRecord {
    SignedRecord { size: grown.last.size, root: grown.last.root, time: grown.last.time }
}

fn check(grown: &Grown) -> Report {
    check_with(grown, Some(Ok(Some(record(grown)))))
}

fn difference(grown: &Grown) -> Difference {
    check(grown).difference.expect("the alteration is found")
}

/// State and rows replaced, through a rebuild that does not do what a rebuild should.
fn replace(grown: &Grown, change: impl FnOnce(&mut Vec<KeyValue>, &mut Vec<KeyValue>)) {
    let (mut state, mut rows) = (Vec::new(), Vec::new());
    let take = |into: &mut Vec<KeyValue>, key: &[u8], value: &[u8]| {
        into.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    };
    grown.store.state_scan(None, &mut |key, value| take(&mut state, key, value)).unwrap();
    grown.store.rows(b"", None, Direction::Forward, &mut |key, value| take(&mut rows, key, value)).unwrap();
    change(&mut state, &mut rows);
    grown.store.rebuild_start().unwrap();
    grown.store.rebuild_put(LeafIndex(0), LeafIndex(ENTRIES), &state, &rows).unwrap();
    grown.store.rebuild_finish().unwrap();
}

#[test]
fn a_sound_log_is_as_it_should_be() {
    let grown = grown_log();
    let report = check(&grown);
    assert_eq!(report.difference, None);
    assert_eq!((report.size, report.entries, report.hashes), (ENTRIES, ENTRIES, ENTRIES + 1));
    assert_eq!(report.heads, ENTRIES);
    assert!(report.state > 600 && report.rows > 300, "{report:?}");
    assert_eq!(report.root, Some(grown.last.root));
}

#[test]
fn flipped_bits_of_an_entry_are_found() {
    let grown = grown_log();
    let good = grown.store.entry(LeafIndex(7)).unwrap().unwrap();
    for byte in [0, 5, good.len() / 2, good.len() - 1] {
        let mut bad = good.to_vec();
        bad[byte] ^= 4;
        grown.store.overwrite_entry(LeafIndex(7), &bad).unwrap();
        assert_eq!(difference(&grown).place, "tile level 0, hash 7");
        grown.store.overwrite_entry(LeafIndex(7), &good).unwrap();
    }
    assert_eq!(check(&grown).difference, None);
}

#[test]
fn altered_hashes_are_found_at_every_level() {
    let grown = grown_log();
    grown.store.overwrite_hash(1, 0, Hash::leaf(b"other")).unwrap();
    assert_eq!(difference(&grown).place, "tile level 1, hash 0");
    let grown = grown_log();
    grown.store.overwrite_hash(0, 300, Hash::leaf(b"other")).unwrap();
    assert_eq!(difference(&grown).place, "tile level 0, hash 300");
}

/// An operator who alters an entry and its hash is still caught by the rules and the root.
#[test]
fn an_entry_altered_with_its_hash_is_found() {
    let grown = grown_log();
    let bytes = grown.store.entry(LeafIndex(9)).unwrap().unwrap();
    let mut entry = Entry::decode(&bytes).unwrap();
    let alter = |entry: &Entry| {
        let bytes = entry.encode().unwrap();
        grown.store.overwrite_entry(LeafIndex(9), &bytes).unwrap();
        grown.store.overwrite_hash(0, 9, Hash::leaf(&bytes)).unwrap();
        // The level above covers the first 256 entries; it is made to fit, too.
        let mut range = proto::merkle::CompactRange::new();
        let mut node = None;
        grown
            .store
            .entries(0..256, &mut |_, bytes| {
                range.append_collect(Hash::leaf(bytes), &mut |level, _, hash| {
                    if level == 1 {
                        node = Some(hash);
                    }
                });
                ControlFlow::Continue(())
            })
            .unwrap();
        grown.store.overwrite_hash(1, 0, node.unwrap()).unwrap();
    };
    entry.links.previous = Some(LeafIndex(2));
    alter(&entry);
    let found = difference(&grown);
    assert!(found.place == "entry 9" && found.what.contains("links"), "{found:?}");
    entry = Entry::decode(&bytes).unwrap();
    entry.signatures[0].signature.0[3] ^= 1;
    alter(&entry);
    let found = difference(&grown);
    assert!(found.place == "entry 9" && found.what.contains("signature"), "{found:?}");
    entry = Entry::decode(&bytes).unwrap();
    entry.timestamp = Millis(entry.timestamp.0 - 2000);
    alter(&entry);
    let found = difference(&grown);
    assert!(found.place == "entry 9" && found.what.contains("predecessor"), "{found:?}");
    entry = Entry::decode(&bytes).unwrap();
    entry.timestamp = Millis(entry.timestamp.0 + 1);
    alter(&entry);
    assert_eq!(difference(&grown).place, "the committed head");
}

#[test]
fn state_and_rows_are_compared_key_by_key() {
    let grown = grown_log();
    replace(&grown, |_, _| {});
    assert_eq!(check(&grown).difference, None, "a rebuild that changes nothing changes nothing");
    replace(&grown, |state, _| state[17].1[0] ^= 1);
    let found = difference(&grown);
    assert!(found.place.starts_with("state key") && found.what.starts_with("stored is"), "{found:?}");
    let grown = grown_log();
    replace(&grown, |state, _| drop(state.remove(17)));
    let found = difference(&grown);
    assert!(found.place.starts_with("state key") && found.what.contains("not stored"), "{found:?}");
    let grown = grown_log();
    replace(&grown, |state, _| drop(state.pop()));
    assert!(difference(&grown).what.contains("not stored"));
    let grown = grown_log();
    replace(&grown, |_, rows| rows.push((b"\xff beyond".to_vec(), vec![])));
    let found = difference(&grown);
    assert!(found.place.starts_with("row") && found.what.contains("do not give it"), "{found:?}");
    let grown = grown_log();
    replace(&grown, |_, rows| rows[3].1.push(0));
    assert!(difference(&grown).place.starts_with("row"));
}

#[test]
fn an_unfinished_rebuild_is_said() {
    let grown = grown_log();
    grown.store.rebuild_start().unwrap();
    let found = difference(&grown);
    assert!(found.place == "state and rows" && found.what.contains("rebuild"), "{found:?}");
}

#[test]
fn kept_heads_are_verified() {
    let grown = grown_log();
    let head = grown.store.head().unwrap().unwrap();
    let put = |size: u64, time: Seconds, note: String| {
        let key = HeadKey { time, size: TreeSize(size) };
        grown.store.put_signed_head(&SignedHead { key, note: note.into() }).unwrap();
    };
    let sign = |size: u64, root: Hash, time: Seconds| {
        log_keys().sign_head(&HeadToSign { size: TreeSize(size), root, time }).unwrap()
    };
    // Of this log's key, but another tree.
    put(301, head.time, sign(301, Hash::leaf(b"fork"), head.time));
    let found = difference(&grown);
    assert!(found.place.contains("size 301") && found.what.contains("root"), "{found:?}");
    // Of this tree, with a time that its entries do not allow.
    let tree = TileTree::new(StoreTiles(Arc::new(grown.store.reopen())), head.size);
    let root = root_at(&tree, TreeSize(5)).unwrap();
    put(301, head.time, sign(301, root_at(&tree, TreeSize(301)).unwrap(), head.time));
    assert_eq!(check(&grown).difference, None);
    put(5, head.time, sign(5, root, head.time));
    let found = difference(&grown);
    assert!(found.place.contains("size 5") && found.what.contains("earlier than the head"), "{found:?}");
    let early = Seconds(START_MS / 1000);
    put(5, head.time, sign(5, root, early));
    assert!(difference(&grown).what.contains("time key"));
    put(5, early, sign(5, root, early));
    let found = difference(&grown);
    assert!(found.what.contains("later than the head"), "{found:?}");
}

#[test]
fn a_head_with_a_broken_signature_is_found() {
    let grown = grown_log();
    let head = grown.store.head().unwrap().unwrap();
    let key = HeadKey { time: head.time, size: head.size };
    let note = log_keys().sign_head(&grown.last).unwrap();
    let note = note.replacen(&grown.last.root.to_base64(), &Hash::leaf(b"x").to_base64(), 1);
    grown.store.put_signed_head(&SignedHead { key, note: note.into() }).unwrap();
    assert!(difference(&grown).place.starts_with("the signed head of size 302"));
}

#[test]
fn the_signers_record_is_compared() {
    let grown = grown_log();
    let with = |record| check_with(&grown, Some(record)).difference.expect("found");
    let above = SignedRecord { size: TreeSize(ENTRIES + 1), ..record(&grown) };
    assert!(with(Ok(Some(above))).what.contains("too old"));
    let other = SignedRecord { root: Hash::leaf(b"fork"), ..record(&grown) };
    assert!(with(Ok(Some(other))).what.contains("names the root"));
    assert!(with(Ok(None)).what.contains("nothing was ever signed"));
    let missing = RecordError::Damaged { path: "record".into() };
    assert_eq!(with(Err(missing)).place, "the signer's record");
}

#[test]
fn other_keys_are_found() {
    let grown = grown_log();
    let scratch = tempfile::tempdir().unwrap();
    let other = crate::signer::LogKeys::new(ORIGIN, key(90), key(91)).unwrap();
    let beside = Beside { vkeys: Some((other.log_vkey(), other.time_vkey())), record: None, scratch: scratch.path() };
    let store: Arc<dyn Store> = Arc::new(grown.store.reopen());
    let report = run(&store, &beside, &Silent).unwrap();
    assert_eq!(report.difference.expect("found").place, "the log key");
}
