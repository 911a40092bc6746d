//! The machine of one log with its database: what waits is told in time, stated, and survives a restart.

use std::sync::Arc;
use std::time::Duration;

use client::egress::Egress;
use client::trust::Trust;
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use proto::misbehaviour::Misbehaviour;
use proto::note::{KeyName, Note, NoteSigner, Verifier};
use proto::num::{Millis, TreeSize};
use proto::unavailable::Unavailable;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::core::{Input, PeerId, STATEMENT_SECONDS, Source};
use super::peer::StatementMessage;
use super::*;
use crate::config::{LogToFollow, Poll};
use crate::follow::FollowedLog;
use crate::store::LogStore;
use crate::witness::{Witness, WitnessKeys};

const ORIGIN: &str = "log.example/test";
const BEGIN: Millis = Millis(1_000_000_000);

// All keys here are test keys.
fn log_key() -> NoteSigner {
    key_of(ORIGIN)
}

fn key_of(origin: &str) -> NoteSigner {
    NoteSigner::new(KeyName::parse(origin).unwrap(), SecretKey::from_seed(&[1; 32]))
}

/// A file about two heads of this log.
pub(super) fn file() -> Vec<u8> {
    file_of(b"one")
}

/// The same, about another root.
pub(super) fn file_of(root: &[u8]) -> Vec<u8> {
    let head = |root: &[u8]| {
        let text = CheckpointText::new(ORIGIN, TreeSize(9), Hash::of(root)).unwrap();
        Note::parse(text.sign(&[&log_key()], &[]).unwrap().as_bytes()).unwrap()
    };
    let file = Misbehaviour::same_size(ORIGIN, log_key().vkey(), [&head(root), &head(b"other")]).unwrap();
    file.to_text().into_bytes()
}

fn cosigner() -> Cosigner {
    Cosigner::new(KeyName::parse("m.example").unwrap(), SecretKey::from_seed(&[3; 32])).unwrap()
}

pub(super) fn head(size: u64) -> Vec<u8> {
    let text = CheckpointText::new(ORIGIN, TreeSize(size), Hash::of(&size.to_be_bytes())).unwrap();
    text.sign(&[&log_key()], &[]).unwrap().into_bytes()
}

/// A log that nobody answers for, in a folder that goes away.
pub(super) struct World {
    origin: &'static str,
    folder: TempDir,
    runtime: Runtime,
}

impl World {
    pub(super) fn new() -> World {
        World::of(ORIGIN)
    }

    pub(super) fn of(origin: &'static str) -> World {
        let folder = tempfile::tempdir().unwrap();
        LogStore::create(folder.path(), origin).unwrap();
        World { origin, folder, runtime: Runtime::new().unwrap() }
    }

    /// The log as a process with this state follows it, at this address.
    pub(super) fn followed(&self, url: &str) -> Arc<FollowedLog> {
        let trust = Trust::parse(format!("log {}\nquorum none\n", key_of(self.origin).vkey()).as_bytes()).unwrap();
        let config = LogToFollow {
            origin: self.origin.to_owned(),
            url: url.to_owned(),
            egress: Egress::Direct,
            trust,
            mirror: false,
            max_head_age: Duration::from_secs(60),
            watches: Arc::default(),
        };
        FollowedLog::open(config, self.folder.path(), &Poll::default(), self.runtime.handle().clone()).unwrap()
    }

    /// A head of this log with this root.
    pub(super) fn head(&self, size: u64, root: Hash) -> Vec<u8> {
        let text = CheckpointText::new(self.origin, TreeSize(size), root).unwrap();
        text.sign(&[&key_of(self.origin)], &[]).unwrap().into_bytes()
    }

    /// A process with this state.
    pub(super) fn open(&self) -> LogGossip {
        let log = self.followed("http://127.0.0.1:1");
        let keys = WitnessKeys::ed25519(cosigner());
        let witness = Witness::open(keys, self.folder.path(), self.folder.path(), &[]).unwrap();
        LogGossip::open(log, vec!["peer.example".to_owned()], Some(Arc::new(witness)), Duration::from_secs(60)).unwrap()
    }
}

fn show(gossip: &LogGossip, note: &[u8], now: Millis) -> Became {
    let shown = gossip.check(Note::parse(note).unwrap()).unwrap();
    let source = Source::Peer(PeerId(0));
    let input = |head, random| Input::Received { head, source, proof: None, random };
    gossip.take(&shown, input, now).unwrap().0
}

fn open(gossip: &LogGossip) -> Vec<String> {
    gossip.log().store.open_findings().unwrap().into_iter().map(|open| open.finding.code).collect()
}

fn after(seconds: u64) -> Millis {
    Millis(BEGIN.0 + seconds * 1000)
}

#[test]
fn what_waits_is_told_stated_and_kept() {
    let world = World::new();
    let gossip = world.open();
    assert_eq!(show(&gossip, &head(7), BEGIN), Became::Waits);
    assert!(gossip.feed(Input::Tick, after(60)).unwrap().is_empty(), "without a tree there is nothing to ask for");
    assert_eq!(open(&gossip), Vec::<String>::new());
    gossip.feed(Input::Tick, after(600)).unwrap();
    assert_eq!(open(&gossip), ["head.unresolved"]);
    drop(gossip);

    // A restart forgets nothing, tells nothing twice, and states what is due.
    let gossip = world.open();
    let ran = |seconds| gossip.feed(Input::Ran { seconds }, after(STATEMENT_SECONDS)).unwrap();
    assert!(ran(STATEMENT_SECONDS - 1).is_empty());
    assert!(
        gossip.feed(Input::Tick, after(9 * STATEMENT_SECONDS)).unwrap().is_empty(),
        "a clock that went ahead says nothing"
    );
    assert!(ran(1).is_empty());
    let acts = gossip.feed(Input::Tick, after(STATEMENT_SECONDS)).unwrap();
    let [Act::SendStatement { statement, checkpoint }] = acts.as_slice() else { panic!("{acts:?}") };
    assert_eq!(gossip.log().store.events_after(0, 10).unwrap().len(), 1);
    let verifier = Verifier::new(cosigner().vkey()).unwrap();
    let said = Unavailable::verify(statement.as_bytes(), &verifier).unwrap();
    assert_eq!((said.size, said.since, said.at), (TreeSize(7), BEGIN.seconds(), after(STATEMENT_SECONDS).seconds()));
    assert_eq!(gossip.log().store.statements().unwrap().len(), 1);
    assert!(gossip.feed(Input::Tick, after(2 * STATEMENT_SECONDS)).unwrap().is_empty(), "once");

    // A peer takes it, if it knows the key and it is about the head beside it.
    let (world, message) =
        (World::new(), StatementMessage { statement: statement.clone(), checkpoint: checkpoint.clone() });
    let peer = world.open();
    let taken = peer.take_statement(&message, ("m.example", &verifier), BEGIN);
    assert_eq!(taken.unwrap().checkpoint.size(), TreeSize(7));
    assert_eq!(peer.log().store.statements().unwrap()[0].by, "m.example");
    let other = StatementMessage { checkpoint: String::from_utf8(head(8)).unwrap(), ..message.clone() };
    assert!(peer.take_statement(&other, ("m.example", &verifier), BEGIN).is_err());
    let stranger = Cosigner::new(KeyName::parse("m.example").unwrap(), SecretKey::from_seed(&[4; 32])).unwrap();
    let stranger = Verifier::new(stranger.vkey()).unwrap();
    assert!(peer.take_statement(&message, ("m.example", &stranger), BEGIN).is_err());
}

#[test]
fn two_heads_of_one_size_are_a_finding_with_evidence() {
    let world = World::new();
    let gossip = world.open();
    assert_eq!(show(&gossip, &head(7), BEGIN), Became::Waits);
    let other = CheckpointText::new(ORIGIN, TreeSize(7), Hash::of(b"another")).unwrap();
    let other = other.sign(&[&log_key()], &[]).unwrap();
    assert_eq!(show(&gossip, other.as_bytes(), BEGIN), Became::Contradicts);
    assert_eq!(open(&gossip), ["head.fork"]);
    assert_eq!(gossip.log().store.evidence_from(1, 10).unwrap().len(), 1);
    drop(gossip);
    let again = world.open();
    assert_eq!(again.look(|core| core.waiting().count()), 1);
    assert_eq!(again.log().store.heads_before(None, 10).unwrap().len(), 2, "both heads are kept");
}

#[test]
fn a_peer_that_falls_silent_is_told_until_it_is_back() {
    let world = World::new();
    let gossip = world.open();
    let begun = super::log::now();
    let later = |seconds: u64| Millis(begun.0 + seconds * 1000);
    gossip.judge_silence("peer.example", None, later(30)).unwrap();
    assert_eq!(open(&gossip), Vec::<String>::new());
    for _ in 0..3 {
        gossip.judge_silence("peer.example", None, later(90)).unwrap();
    }
    assert_eq!(open(&gossip), ["peer.silent"]);
    let config = |name: &str| -> super::config::PeerConfig {
        serde_json::from_value(serde_json::json!({ "name": name, "url": "https://peer.example" })).unwrap()
    };
    gossip.log().end_of_others(&[config("peer.example")], later(91)).unwrap();
    assert_eq!(open(&gossip), ["peer.silent"], "it is configured");
    gossip.judge_silence("peer.example", Some(later(100)), later(101)).unwrap();
    assert_eq!(open(&gossip), Vec::<String>::new());
    assert_eq!(gossip.log().store.events_after(0, 10).unwrap().len(), 2, "its beginning and its end, once each");
}

#[test]
fn a_peer_that_is_configured_no_more_is_not_silent() {
    let world = World::new();
    let gossip = world.open();
    gossip.judge_silence("peer.example", None, Millis(super::log::now().0 + 90_000)).unwrap();
    assert_eq!(open(&gossip), ["peer.silent"]);
    drop(gossip);
    let gossip = world.open();
    gossip.log().end_of_others(&[], super::log::now()).unwrap();
    assert_eq!(open(&gossip), Vec::<String>::new());
    let told = gossip.log().store.events_after(0, 10).unwrap();
    assert_eq!(told.iter().map(|event| event.what.kind()).collect::<Vec<_>>(), ["began", "ended"]);
}
