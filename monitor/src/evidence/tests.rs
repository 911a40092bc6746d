//! Evidence against a log that the test plays itself: made of what is found, taken from others, kept once, with its consequences.

use std::sync::Arc;

use client::follow::{Cursor, Kv as _, Step, Stopped, Taken as ReadBundle};
use client::trust::Trust;
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::ed25519::{KeyId, SecretKey, Signature};
use proto::entry::{Entry, Links, SignatureBy};
use proto::hash::Hash;
use proto::merkle::{MemoryTree, consistency_proof, root_at};
use proto::misbehaviour::{Alternative, Kind, Misbehaviour};
use proto::note::{KeyName, Note, NoteSigner};
use proto::num::{Millis, Seconds, TreeSize};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;
use crate::config::{LogToFollow, Poll};
use crate::finding::{Class, Finding, code};
use crate::follow::{FollowedLog, Verdict};
use crate::gossip::core::Proof;
use crate::store::{Batch, Findings, LogStore};
use crate::witness::{Answer, Witness, WitnessKeys, stop_path};

pub(crate) const ORIGIN: &str = "log.example/test";
/// What every test calls now.
pub(crate) const NOW: Millis = Millis(99_000);

/// The keys of the log, its time and a witness. Test keys.
struct Keys {
    log: NoteSigner,
    time: Cosigner,
    witness: Cosigner,
}

fn keys() -> Keys {
    let cosigner =
        |name: &str, seed| Cosigner::new(KeyName::parse(name).unwrap(), SecretKey::from_seed(&[seed; 32])).unwrap();
    Keys {
        log: NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), SecretKey::from_seed(&[1; 32])),
        time: cosigner(&format!("{ORIGIN}/time"), 2),
        witness: cosigner("witness.example", 3),
    }
}

/// An entry of this time; `n` makes it another.
pub(crate) fn entry(seconds: u64, n: u8) -> Vec<u8> {
    let entry = Entry {
        timestamp: Millis(seconds * 1000),
        links: Links::default(),
        payload_type: "text/plain".to_owned(),
        payload: vec![n],
        signatures: vec![SignatureBy { key_id: KeyId([7; 32]), signature: Signature(vec![8; 64]) }],
    };
    entry.encode().unwrap()
}

/// A head over these entries, at this second, cosigned by time key and witness.
pub(crate) fn head(entries: &[Vec<u8>], seconds: u64) -> Vec<u8> {
    let (mut tree, keys) = (MemoryTree::new(), keys());
    entries.iter().for_each(|entry| _ = tree.append(Hash::leaf(entry)));
    let text = CheckpointText::new(ORIGIN, tree.size(), root_at(&tree, tree.size()).unwrap()).unwrap();
    let cosigners = [(&keys.time, Seconds(seconds)), (&keys.witness, Seconds(seconds))];
    text.sign(&[&keys.log], &cosigners).unwrap().into_bytes()
}

/// A followed log whose address nobody answers at.
pub(crate) struct Followed {
    pub(crate) folder: TempDir,
    runtime: Runtime,
    pub(crate) log: Arc<FollowedLog>,
}

impl Followed {
    pub(crate) fn new() -> Followed {
        Followed::at("http://127.0.0.1:1", true)
    }

    /// One at this address, mirrored or not.
    pub(crate) fn at(url: &str, mirror: bool) -> Followed {
        let (folder, runtime) = (tempfile::tempdir().unwrap(), Runtime::new().unwrap());
        LogStore::create(folder.path(), ORIGIN).unwrap();
        let log = Followed::open(&folder, &runtime, url, mirror);
        Followed { folder, runtime, log }
    }

    fn open(folder: &TempDir, runtime: &Runtime, url: &str, mirror: bool) -> Arc<FollowedLog> {
        let keys = keys();
        let policy = format!(
            "log {}\nwitness log-time {}\nwitness w {}\nquorum none\n",
            keys.log.vkey(),
            keys.time.vkey(),
            keys.witness.vkey()
        );
        let config = LogToFollow {
            origin: ORIGIN.to_owned(),
            url: url.to_owned(),
            trust: Trust::parse(policy.as_bytes()).unwrap(),
            mirror,
            max_head_age: std::time::Duration::from_secs(60),
            watches: Arc::default(),
            egress: client::egress::Egress::Direct,
        };
        FollowedLog::open(config, folder.path(), &Poll::default(), runtime.handle().clone()).unwrap()
    }

    /// The same state in a new process.
    pub(crate) fn reopened(self) -> Followed {
        let Followed { folder, runtime, log } = self;
        let (url, mirror) = (log.config.url.clone(), log.config.mirror);
        drop(log);
        let log = Followed::open(&folder, &runtime, &url, mirror);
        Followed { folder, runtime, log }
    }

    /// Takes these entries under a head of this second, the rules stopped at one of them or not.
    pub(crate) fn follow(&self, entries: &[Vec<u8>], seconds: u64, stopped: Option<Stopped>) {
        let (mut cursor, mut nodes) = (Cursor::default(), Vec::new());
        for entry in entries {
            cursor.range.append_collect(Hash::leaf(entry), &mut |level, index, hash| nodes.push((level, index, hash)));
        }
        cursor.folded = stopped.as_ref().map_or(cursor.range.size(), |stopped| TreeSize(stopped.index));
        cursor.stopped = stopped;
        let times = entries.iter().map(|entry| Entry::decode(entry).unwrap().timestamp).collect();
        let bundles = [ReadBundle { bundle: 0, times, entries: entries.to_vec() }];
        self.log
            .store
            .commit(&Step { cursor: &cursor, state: Vec::new(), bundles: &bundles, nodes: &nodes, remarks: &[] })
            .unwrap();
        let newest = head(entries, seconds);
        self.log.store.commit_batch(&Batch { newest: Some(&newest), ..Batch::default() }, NOW).unwrap();
    }

    pub(crate) fn offer(&self, note: &[u8]) -> Verdict {
        let checked = self.log.config.trust.policy().check(note).unwrap();
        self.log.offer(&checked, NOW).unwrap()
    }

    pub(crate) fn kept(&self) -> Vec<Kept> {
        self.log.store.evidence_from(1, 1000).unwrap()
    }

    /// Whose keys are convicted of what, by files that a stranger verifies from their bytes.
    pub(crate) fn convicted(&self) -> Vec<(Kind, String)> {
        let name = |kept: &Kept| {
            let (again, bytes) = self.log.store.evidence(kept.id).unwrap().unwrap();
            assert_eq!((&again, Hash::of(&bytes)), (kept, kept.id.0));
            let proven = Misbehaviour::parse(&bytes).unwrap().verify().unwrap();
            (proven.kind, proven.accused.name().to_string())
        };
        self.kept().iter().map(name).collect()
    }

    pub(crate) fn open_findings(&self) -> Vec<Finding> {
        self.log.store.open_findings().unwrap().into_iter().map(|open| open.finding).collect()
    }
}

pub(crate) fn three() -> Vec<Vec<u8>> {
    vec![entry(10, 0), entry(11, 1), entry(12, 2)]
}

pub(crate) fn others(from: usize) -> Vec<Vec<u8>> {
    let mut entries = three();
    entries[from..].iter_mut().zip(100..).for_each(|(e, n)| *e = entry(12, n));
    entries
}

/// A file against the log's key about two trees of one size, of which `n` makes another one.
pub(crate) fn file(n: u8) -> Vec<u8> {
    let trees = [three(), vec![entry(10, n), entry(11, n)], vec![entry(10, n), entry(12, n)]];
    let note = |tree: &[Vec<u8>]| Note::parse(&head(tree, 12)).unwrap();
    let both = [&note(&trees[1]), &note(&trees[2])];
    Misbehaviour::same_size(ORIGIN, keys().log.vkey(), both).unwrap().to_text().into_bytes()
}

fn tree(entries: &[Vec<u8>]) -> MemoryTree {
    entries.iter().map(|entry| Hash::leaf(entry)).collect()
}

/// A file against the log's key about a head over these entries and one over more, of another history.
pub(crate) fn inconsistent(small: &[Vec<u8>], large: &[Vec<u8>]) -> Vec<u8> {
    let (size, other) = (TreeSize(small.len() as u64), tree(large));
    let tie = Alternative {
        root: root_at(&other, size).unwrap(),
        proof: consistency_proof(&other, size, other.size()).unwrap(),
    };
    let [small, large] = [small, large].map(|tree| Note::parse(&head(tree, 12)).unwrap());
    Misbehaviour::inconsistent(ORIGIN, keys().log.vkey(), &small, &large, tie).unwrap().to_text().into_bytes()
}

/// What ties the head over all of these entries to the first so many.
pub(crate) fn proof(entries: &[Vec<u8>], from: usize) -> Proof {
    let (tree, from) = (tree(entries), TreeSize(from as u64));
    let hashes = consistency_proof(&tree, from, tree.size()).unwrap();
    Proof { from, root: Some(root_at(&tree, from).unwrap()), hashes }
}

#[test]
fn two_roots_of_one_size_convict_everybody_who_signed_both_and_end_cosigning() {
    let followed = Followed::new();
    followed.follow(&three(), 12, None);
    assert_eq!(followed.log.store.stop().why(), None);
    assert!(matches!(followed.offer(&head(&others(1), 12)), Verdict::Contradicts(_)));
    let everybody = [ORIGIN, "log.example/test/time", "witness.example"];
    let same_size = |kind: Kind| everybody.map(|name| (kind, name.to_owned())).to_vec();
    assert_eq!(followed.convicted(), same_size(Kind::SameSize));
    let open = followed.open_findings();
    assert_eq!(open.len(), 1, "{open:#?}");
    assert_eq!((open[0].class, open[0].code.as_str(), open[0].evidence.len()), (Class::Tamper, code::FORK, 3));
    assert_eq!(open[0].unproven, None);
    let why = followed.log.store.stop().why().unwrap();
    assert!(why.contains(&followed.kept()[0].id.to_string()), "{why}");

    // The same once more changes nothing, nor does a restart.
    followed.offer(&head(&others(1), 12));
    let followed = followed.reopened();
    assert_eq!((followed.kept().len(), followed.open_findings().len()), (3, 1));
    assert_eq!(followed.log.store.stop().why(), Some(why));
    let numbers: Vec<u64> = followed.kept().iter().map(|kept| kept.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(followed.log.seen().evidence, [("same-size".to_owned(), 3)].into());

    // The operator's act names what it is about, and is remembered.
    let id = followed.log.store.stop().standing()[0];
    assert!(followed.log.store.resume_despite(&[EvidenceId(Hash::of(b"other"))], NOW).is_err());
    followed.log.store.resume_despite(&[id], NOW).unwrap();
    let followed = followed.reopened();
    assert_eq!(followed.log.store.stop().why(), None);
    // Another contradiction ends it again.
    followed.offer(&head(&others(2), 12));
    assert!(followed.log.store.stop().why().is_some());
}

#[test]
fn a_witness_heeds_it_at_once_and_from_the_file_beside_its_record() {
    let followed = Followed::new();
    followed.follow(&three(), 12, None);
    let (state, records) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Witness::create_record(records.path(), ORIGIN).unwrap();
    let open = |followed: &Followed| {
        // A test key.
        let key = Cosigner::new(KeyName::parse("own.example").unwrap(), SecretKey::from_seed(&[4; 32])).unwrap();
        let trust = followed.log.config.trust.clone();
        let logs = [(ORIGIN.to_owned(), trust)];
        let witness = Witness::open(WitnessKeys::ed25519(key), state.path(), records.path(), &logs).unwrap();
        witness.heed(ORIGIN, records.path(), followed.log.store.stop()).unwrap();
        witness
    };
    let ask = |witness: &Witness, followed: &Followed, old| {
        let head = followed.log.config.trust.policy().check(&head(&three(), 12)).unwrap().checkpoint;
        witness.cosign(TreeSize(old), &[], &head, Seconds(50))
    };
    let witness = open(&followed);
    assert!(matches!(ask(&witness, &followed, 0), Answer::Cosigned(_)));
    followed.offer(&head(&others(1), 12));
    assert!(matches!(ask(&witness, &followed, 3), Answer::Stopped(_)), "while it runs");
    drop(witness);
    assert!(stop_path(records.path(), ORIGIN).exists());
    // The log's database is lost and begun anew; what it knew is beside the record.
    let anew = Followed::new();
    let witness = open(&anew);
    assert!(matches!(ask(&witness, &anew, 3), Answer::Stopped(_)));
    let standing = anew.log.store.stop().standing();
    anew.log.store.resume_despite(&standing, NOW).unwrap();
    assert!(matches!(ask(&witness, &anew, 3), Answer::Cosigned(_)));
    drop(witness);
    assert!(matches!(ask(&open(&anew.reopened()), &Followed::new(), 3), Answer::Cosigned(_)));
}

#[test]
fn a_smaller_head_of_another_history_is_tied_by_own_hashes() {
    let followed = Followed::new();
    followed.follow(&three(), 12, None);
    followed.offer(&head(&others(1)[..2], 11));
    assert_eq!(followed.convicted()[0], (Kind::Inconsistent, ORIGIN.to_owned()));
    assert_eq!(followed.kept().len(), 3);
    assert!(followed.log.store.stop().why().is_some());
}

#[test]
fn a_false_time_convicts_the_time_key_and_ends_nothing() {
    let followed = Followed::new();
    followed.follow(&three(), 12, None);
    followed.offer(&head(&three()[..2], 5));
    assert_eq!(followed.convicted(), [(Kind::HeadTime, "log.example/test/time".to_owned())]);
    assert_eq!(followed.log.store.stop().why(), None);
    let open = followed.open_findings();
    assert_eq!((open[0].code.as_str(), open[0].evidence.len()), (code::TIME, 1));
}

#[test]
fn an_entry_whose_time_goes_back_convicts_the_log_in_a_later_step_too() {
    let followed = Followed::new();
    let entries = vec![entry(10, 0), entry(12, 1), entry(11, 2)];
    let message = "its time goes back".to_owned();
    followed.follow(&entries, 12, Some(Stopped { index: 2, code: Some("entry.time".into()), message }));
    assert_eq!(followed.kept().len(), 0, "the step itself asks nobody");
    let prove = || {
        let mut findings = Findings::default();
        followed.log.prove_open(&mut findings).unwrap();
        let evidence = followed.log.prove(&mut findings, Reach::Kept).unwrap();
        followed.log.store.commit_batch(&Batch { findings, evidence, ..Batch::default() }, NOW).unwrap();
    };
    prove();
    prove();
    assert_eq!(followed.convicted(), [(Kind::TimeBack, ORIGIN.to_owned())]);
    let open = followed.open_findings();
    assert_eq!((open.len(), open[0].code.as_str(), open[0].evidence.len()), (1, "entry.time", 1));
    assert_eq!(followed.log.store.stop().why(), None, "only two histories end cosigning");
    let events = followed.log.store.events_after(0, 10).unwrap();
    assert!(events.len() == 2 && events[1].what.kind() == "proven", "told once more, when there is a file: {events:?}");
}

#[test]
fn what_no_file_can_show_says_so_and_stays_an_alert() {
    let followed = Followed::new();
    let message = "no rule".to_owned();
    followed.follow(&three(), 12, Some(Stopped { index: 2, code: Some("key.unknown".into()), message }));
    let mut findings = Findings::default();
    followed.log.prove_open(&mut findings).unwrap();
    let evidence = followed.log.prove(&mut findings, Reach::Log).unwrap();
    assert_eq!(evidence, []);
    followed.log.store.commit_batch(&Batch { findings, ..Batch::default() }, NOW).unwrap();
    let open = followed.open_findings();
    assert!(open[0].unproven.is_some() && open[0].evidence.is_empty(), "{open:#?}");
    let mut again = Findings::default();
    followed.log.prove_open(&mut again).unwrap();
    assert_eq!(again.found(), [], "it is not tried without end");
    assert!(followed.log.is_given_up(&open[0].id));
}

#[test]
fn what_others_hand_in_is_kept_once_and_within_bounds() {
    let followed = Followed::new();
    let take = |bytes: &[u8], source: Source| followed.log.take_evidence(bytes, source, NOW);
    let peer = || Source::Peer("peer.example".to_owned());
    let first = file(10);
    let id = EvidenceId(Hash::of(&first));
    assert_eq!(take(&first, peer()).unwrap(), Stored::New(id));
    assert_eq!(take(&first, Source::Report).unwrap(), Stored::Known(id));
    for n in 11..18 {
        assert!(matches!(take(&file(n), Source::Report).unwrap(), Stored::New(_)));
    }
    let last = file(18);
    assert_eq!(take(&last, peer()).unwrap(), Stored::Enough(EvidenceId(Hash::of(&last))));
    let kept = followed.kept();
    assert_eq!((kept.len(), &kept[0].source, kept[0].bytes), (8, &peer(), first.len() as u64));
    assert_eq!(kept.iter().map(|kept| kept.number).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    assert_eq!(followed.log.store.evidence_from(7, 1).unwrap()[0].number, 7);
    let open = followed.open_findings();
    assert_eq!((open.len(), open[0].code.as_str(), open[0].evidence.len()), (1, code::EVIDENCE, 8));
    // There is room for what this monitor finds itself.
    followed.follow(&three(), 12, None);
    followed.offer(&head(&others(1), 12));
    assert_eq!(followed.kept().len(), 11);
    assert_eq!(followed.log.store.stop().standing().len(), 9, "what is not kept ends nothing");
}

#[test]
fn files_about_other_logs_and_other_keys_are_refused() {
    let followed = Followed::new();
    let stranger = NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), SecretKey::from_seed(&[9; 32])); // a test key
    let note = |key: &NoteSigner, origin: &str, root: &[u8]| {
        let text = CheckpointText::new(origin, TreeSize(5), Hash::of(root)).unwrap();
        Note::parse(text.sign(&[key], &[]).unwrap().as_bytes()).unwrap()
    };
    let two = |key: &NoteSigner, origin: &str| {
        let both = [&note(key, origin, b"one"), &note(key, origin, b"two")];
        Misbehaviour::same_size(origin, key.vkey(), both).unwrap().to_text().into_bytes()
    };
    let refused = followed.log.take_evidence(&two(&stranger, ORIGIN), Source::Report, NOW).unwrap_err();
    assert!(matches!(refused, Refused::OtherKey(_)), "{refused}");
    let other = NoteSigner::new(KeyName::parse("other.example").unwrap(), SecretKey::from_seed(&[9; 32])); // a test key
    let refused = followed.log.take_evidence(&two(&other, "other.example"), Source::Report, NOW).unwrap_err();
    assert!(matches!(refused, Refused::OtherLog(_)), "{refused}");
    let refused = followed.log.take_evidence(&vec![b' '; 9 << 20], Source::Report, NOW).unwrap_err();
    assert!(matches!(refused, Refused::Malformed(_)), "{refused}");
    assert!(followed.kept().is_empty() && followed.log.store.stop().why().is_none());
}
