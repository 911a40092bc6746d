//! What is kept of a log: whole steps, findings once, heads with all signatures.

use client::follow::Taken;
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::ed25519::SecretKey;
use proto::merkle::root_at;
use proto::note::{KeyName, Note, NoteSigner};
use proto::num::{LeafIndex, Seconds};
use proto::tile::{BundleId, TileId};

use super::*;
use crate::finding::{Class, Finding, What, code};

const NAME: &str = "log.example/test";

fn made() -> (tempfile::TempDir, LogStore) {
    let folder = tempfile::tempdir().unwrap();
    LogStore::create(folder.path(), NAME).unwrap();
    let store = LogStore::open(folder.path(), NAME, true).unwrap();
    (folder, store)
}

/// Follows entries `from..to`, whose bytes are their numbers.
fn step(store: &LogStore, cursor: &mut Cursor, to: u32) {
    let mut nodes = Vec::new();
    let from = u32::try_from(cursor.range.size().0).unwrap();
    for i in from..to {
        let leaf = Hash::leaf(&i.to_be_bytes());
        cursor.range.append_collect(leaf, &mut |level, index, hash| nodes.push((level, index, hash)));
    }
    cursor.folded = cursor.range.size();
    let bundles: Vec<Taken> = (from / 256..to.div_ceil(256))
        .map(|bundle| {
            let entries = (bundle * 256..to.min((bundle + 1) * 256)).map(|i| i.to_be_bytes().to_vec()).collect();
            Taken { bundle: bundle.into(), times: vec![Millis(1); 256], entries }
        })
        .collect();
    store.commit(&Step { cursor, state: vec![(b"k", b"v")], bundles: &bundles, nodes: &nodes, remarks: &[] }).unwrap();
}

#[test]
fn a_state_is_made_once_and_never_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    assert!(LogStore::open(folder.path(), NAME, false).is_err(), "nothing is made by opening");
    LogStore::create(folder.path(), NAME).unwrap();
    assert!(LogStore::create(folder.path(), NAME).is_err());
    let store = LogStore::open(folder.path(), NAME, false).unwrap();
    assert_eq!(store.cursor().unwrap().range.size(), TreeSize(0));
    drop(store);
    let other = LogStore::path_in(folder.path(), "other.example");
    std::fs::rename(LogStore::path_in(folder.path(), NAME), other).unwrap();
    let error = LogStore::open(folder.path(), "other.example", false).err().unwrap();
    assert!(error.message.contains(NAME), "{error}");
}

#[test]
fn tiles_grow_and_give_every_root() {
    let (folder, store) = made();
    let mut cursor = store.cursor().unwrap();
    for to in [1, 5, 255, 256, 257, 700] {
        step(&store, &mut cursor, to);
    }
    drop(store);
    let store = LogStore::open(folder.path(), NAME, true).unwrap();
    let kept = store.cursor().unwrap();
    assert_eq!((kept.range.root(), kept.folded), (cursor.range.root(), TreeSize(700)));
    let mut range = proto::merkle::CompactRange::new();
    for size in 1..=700u32 {
        range.append(Hash::leaf(&(size - 1).to_be_bytes()));
        let size = TreeSize(size.into());
        assert_eq!(root_at(&store.tree(TreeSize(700)), size).unwrap(), range.root(), "{size}");
    }
    assert_eq!(store.tile_bytes(TileId::new(0, 2, 188).unwrap()).unwrap().unwrap().len(), 188 * 32);
    assert_eq!(store.tile_bytes(TileId::new(0, 2, 189).unwrap()).unwrap(), None);
    let bundle = store.bundle_bytes(BundleId::new(2, 3).unwrap()).unwrap().unwrap();
    let entries: Vec<[u8; 4]> = (512..515u32).map(u32::to_be_bytes).collect();
    assert_eq!(bundle, proto::tile::encode_bundle(&entries).unwrap());
    assert_eq!(store.bundle_bytes(BundleId::new(2, 189).unwrap()).unwrap(), None);
    assert_eq!(Kv::state(&store, b"k").unwrap(), Some(b"v".to_vec()));
}

#[test]
fn a_stop_of_the_rules_is_told_in_the_same_step_and_once() {
    let (_folder, store) = made();
    let mut cursor = store.cursor().unwrap();
    step(&store, &mut cursor, 3);
    let message = "the links are wrong".to_owned();
    cursor.stopped = Some(Stopped { index: 3, code: Some("entry.link".into()), message });
    for to in [4, 5] {
        let folded = cursor.folded;
        step(&store, &mut cursor, to);
        cursor.folded = folded.max(TreeSize(3));
    }
    let open = store.open_findings().unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].finding.class, open[0].finding.index), (Class::Tamper, Some(LeafIndex(3))));
    let events = store.events_after(0, 10).unwrap();
    assert_eq!(events.iter().map(|event| (event.number, event.what.kind())).collect::<Vec<_>>(), [(1, "began")]);
    assert!(store.cursor().unwrap().stopped.is_some());
    store.try_rules_again().unwrap();
    let mut cursor = store.cursor().unwrap();
    assert!(cursor.stopped.is_none());
    assert_eq!(store.open_findings().unwrap().len(), 1, "to try again is not to come past it");
    step(&store, &mut cursor, 6);
    assert_eq!(store.open_findings().unwrap(), []);
    assert_eq!(store.events_after(1, 10).unwrap()[0].what.kind(), "ended");
}

#[test]
fn findings_begin_and_end_once() {
    let (_folder, store) = made();
    let outage = || Finding::new(Class::Outage, code::UNREACHABLE, "no answer");
    let commit = |findings| {
        store.commit_batch(&Batch { findings, ..Batch::default() }, Millis(7)).unwrap();
    };
    commit(Findings::begin(vec![outage()]));
    commit(Findings::begin(vec![outage()]));
    let mut both = Findings::begin(vec![outage()]);
    both.over(code::UNREACHABLE);
    commit(both);
    commit(Findings::end(code::UNREACHABLE));
    commit(Findings::end(code::UNREACHABLE));
    commit(Findings::begin(vec![outage()]));
    let changes: Vec<_> = store.events_after(0, 10).unwrap().into_iter().map(|event| event.what.kind()).collect();
    assert_eq!(changes, ["began", "ended", "began"]);
    assert_eq!(store.events_after(2, 10).unwrap().len(), 1);
}

#[test]
fn findings_without_end_stay_bounded() {
    let (_folder, store) = made();
    let fork = |i: u64| Finding::new(Class::Tamper, code::FORK, "two trees").named(i);
    let findings = Findings::begin((0..1500).map(fork).collect());
    store.commit_batch(&Batch { findings, ..Batch::default() }, Millis(7)).unwrap();
    let open = store.open_findings().unwrap();
    assert_eq!(open.len(), 201);
    assert!(open.iter().any(|open| open.finding.code == code::MANY));
}

#[test]
fn heads_keep_all_signatures_and_both_sides_of_a_fork() {
    let (_folder, store) = made();
    // Test keys.
    let log = NoteSigner::new(KeyName::parse(NAME).unwrap(), SecretKey::from_seed(&[1; 32]));
    let witness = |seed| {
        let name = KeyName::parse(&format!("w{seed}.example")).unwrap();
        Cosigner::new(name, SecretKey::from_seed(&[seed; 32])).unwrap()
    };
    let text = |root: &[u8]| CheckpointText::new(NAME, TreeSize(5), Hash::of(root)).unwrap();
    let (one, other) = (text(b"one"), text(b"other"));
    let note = |text: &CheckpointText, seed| text.sign(&[&log], &[(&witness(seed), Seconds(9))]).unwrap();
    let key = |text: &CheckpointText| HeadKey { time: Seconds(9), size: text.size(), root: text.root() };
    for (text, seed) in [(&one, 2), (&one, 3), (&other, 2), (&one, 2)] {
        let note = note(text, seed);
        let heads = vec![KeptHead { key: key(text), note: note.as_bytes() }];
        store.commit_batch(&Batch { heads, ..Batch::default() }, Millis(7)).unwrap();
    }
    let kept = store.heads_after(None, 10).unwrap();
    assert_eq!(kept.len(), 2);
    let (_, joined) = kept.iter().find(|(found, _)| *found == key(&one)).unwrap();
    assert_eq!(Note::parse(joined).unwrap().signatures().len(), 3);
    assert_eq!(store.heads_before(Some(HeadKey::first_of(Seconds(9))), 10).unwrap(), []);
    assert_eq!(store.heads_before(Some(HeadKey::last_of(Seconds(9))), 1).unwrap().len(), 1);
}

#[test]
fn old_heads_are_thinned_to_one_a_minute() {
    let (_folder, store) = made();
    let day = service::thinning::KEEP_ALL_SECONDS;
    let key = |time| HeadKey { time: Seconds(time), size: TreeSize(time), root: Hash::of(b"root") };
    let heads = [0, 1, 59, 60, 61, day + 100].map(|time| KeptHead { key: key(time), note: b"note" }).to_vec();
    store.commit_batch(&Batch { heads, ..Batch::default() }, Millis(7)).unwrap();
    assert_eq!(store.thin_heads(Seconds(day + 120)).unwrap(), 3);
    let left: Vec<u64> = store.heads_after(None, 10).unwrap().iter().map(|(key, _)| key.time.0).collect();
    assert_eq!(left, [59, 61, day + 100]);
}

#[test]
fn a_flood_of_one_kind_of_findings_hides_no_other() {
    let (_folder, store) = made();
    let begin = |findings: Vec<Finding>| {
        let batch = Batch { findings: Findings::begin(findings), ..Batch::default() };
        store.commit_batch(&batch, Millis(1)).unwrap();
    };
    let many = |code: &str, count: usize| -> Vec<Finding> {
        (0..count).map(|i| Finding::new(Class::Tamper, code, "junk").named(i)).collect()
    };
    let is_open = |name: &str| store.open_finding(name).unwrap().is_some();
    begin(many(code::SIGNATURE, 1100));
    assert!(is_open("head.signature:999") && !is_open("head.signature:1000") && is_open("findings.many:tamper"));
    begin(many(code::TIME, 300));
    assert!(is_open("head.time:1") && is_open("findings.many:head.time"));
    begin(vec![Finding::new(Class::Tamper, code::FORK, "two trees").named("a")]);
    assert!(is_open("head.fork:a"), "a fork has room, whatever else is open");
    let proven =
        Finding { evidence: vec![EvidenceId(Hash::of(b"a"))], ..Finding::new(Class::Tamper, "entry.link", "no") };
    let batch = Batch { findings: Findings::begin(vec![proven]), ..Batch::default() };
    store.write(|transaction| findings::apply(transaction, NAME, &batch.findings, Millis(1))).unwrap();
    assert!(is_open("entry.link"), "and so has what a file proves");
    let told = store.events_after(0, 5000).unwrap();
    let is_told = |name: &str| told.iter().any(|event| matches!(&event.what, What::Began(found) if found.id == name));
    assert!(is_told("head.fork:a") && is_told("entry.link"));
}

#[test]
fn a_finding_that_is_proven_later_is_told_once_more() {
    let (_folder, store) = made();
    let found = Finding::new(Class::Tamper, code::FORK, "two trees").named("a");
    let with = |files: &[&[u8]]| Finding {
        evidence: files.iter().map(|file| EvidenceId(Hash::of(file))).collect(),
        ..found.clone()
    };
    for finding in [found.clone(), with(&[b"a"]), with(&[b"a"]), with(&[b"a", b"b"])] {
        let findings = Findings::begin(vec![finding]);
        store.write(|transaction| findings::apply(transaction, NAME, &findings, Millis(1))).unwrap();
    }
    let told = store.events_after(0, 10).unwrap();
    assert_eq!(told.iter().map(|event| event.what.kind()).collect::<Vec<_>>(), ["began", "proven"]);
    assert!(matches!(&told[1].what, What::Proven(finding) if finding.evidence == with(&[b"a"]).evidence));
    assert_eq!(store.open_findings().unwrap()[0].finding.evidence.len(), 2);
}
