//! `/add` as public conformance servers offer it, honest and not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::checkpoint::CheckpointText;
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use proto::merkle::{MemoryTree, root_at};
use proto::note::{KeyName, NoteSigner};
use proto::num::TreeSize;

use super::server::{Reply, Server};
use super::*;

/// How a log of bytes answers.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Honest,
    /// Answers every index twice.
    Twice,
    /// Answers with the place of somebody else's bytes.
    Elsewhere,
    /// Acknowledges and forgets every tenth.
    Forgets,
}

fn signer() -> NoteSigner {
    // A test key.
    NoteSigner::new(KeyName::parse("add.example/test").unwrap(), SecretKey::from_seed(&[9; 32]))
}

/// A log that takes bytes at `/add` and serves tiles of level 0 and 1.
fn log(manner: Manner) -> Server {
    let leaves: Arc<Mutex<Vec<Hash>>> = Arc::default();
    Server::start(move |_, path, body| {
        let mut leaves = leaves.lock().unwrap();
        let ok = |body: Vec<u8>| Reply { status: 200, body, ..Reply::default() };
        if path == "/add" {
            let index = leaves.len();
            if manner != Manner::Forgets || index % 10 != 9 {
                leaves.push(Hash::leaf(body));
            } else {
                leaves.push(Hash::leaf(b"nothing of yours"));
            }
            let index = match manner {
                Manner::Honest | Manner::Forgets => index,
                Manner::Twice => index / 2,
                Manner::Elsewhere => index ^ 1,
            };
            return ok(format!("{index}\n").into_bytes());
        }
        let size = TreeSize(leaves.len() as u64);
        let tree: MemoryTree = leaves.iter().copied().collect();
        if path == "/checkpoint" {
            let text = CheckpointText::new("add.example/test", size, root_at(&tree, size).unwrap()).unwrap();
            return ok(text.sign(&[&signer()], &[]).unwrap().into_bytes());
        }
        let level: u8 = path["/tile/".len()..].split('/').next().unwrap().parse().unwrap();
        let rest = &path["/tile/0/".len()..];
        let index: u64 = rest.split(".p/").next().unwrap().parse().unwrap();
        let id = proto::tile::TileId::at(level, index, size).unwrap();
        let (first, shift) = (index * 256, level * 8);
        let hashes = (first..first + u64::from(id.width()))
            .flat_map(|at| proto::merkle::NodeReader::node(&tree, shift, at).unwrap().0);
        ok(hashes.collect())
    })
}

fn added(manner: Manner) -> (Outcome, Verified) {
    let server = log(manner);
    let outcome = run(adds(&server, 600), None).unwrap();
    let verified = confirm(&outcome, &server.target(), &signer().vkey().to_string(), Duration::from_secs(10)).unwrap();
    (outcome, verified)
}

#[test]
fn an_honest_log_has_everything_where_it_said() {
    let (outcome, verified) = added(Manner::Honest);
    assert_eq!((outcome.places_twice, verified.failed, verified.in_tree), (0, 0, 600), "{:?}", verified.texts);
}

#[test]
fn an_index_given_twice_is_found() {
    let (outcome, verified) = added(Manner::Twice);
    assert_eq!(outcome.places_twice, 300);
    assert!(verified.failed > 0);
}

#[test]
fn bytes_that_are_elsewhere_or_nowhere_are_found() {
    let (outcome, verified) = added(Manner::Elsewhere);
    assert_eq!((outcome.places_twice, verified.failed, verified.in_tree), (0, 600, 0));
    assert!(verified.texts[0].contains("was acknowledged"), "{:?}", verified.texts);
    let (_, verified) = added(Manner::Forgets);
    assert_eq!((verified.failed, verified.in_tree), (60, 540), "{:?}", verified.texts);
}

#[test]
fn answers_that_are_no_index_are_failures() {
    let server = Server::start(|_, _, _| Reply { status: 200, body: b"thanks".to_vec(), ..Reply::default() });
    let outcome = run(adds(&server, 10), None).unwrap();
    let tally = outcome.of(Kind::Add).unwrap();
    assert_eq!(tally.failures["an answer that is not an index in decimal digits"], 10);
    assert!(confirm(&outcome, &server.target(), "nonsense", Duration::ZERO).is_err());
}
