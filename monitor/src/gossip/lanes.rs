//! Who waits for whom: what is done for one log waits behind that log's own things alone, and what a peer is sent behind that
//! peer's.
//!
//! A log that signs as many heads as it can and drips its tiles, and a peer that takes connections and says nothing, hold what is
//! theirs. Evidence has a lane of its own to each peer: no number of heads holds it up or pushes it out. What finds its lane full
//! is left out; the machine asks for it again by its deadline.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::act::Act;
use super::core::{MOST_WAITING, Whom};

/// How many things of a lane run at once, and how many more wait at most.
struct Width {
    at_once: usize,
    waiting: usize,
}

/// Proofs out of a log's own tiles. Each holds a thread; four keep a slow line busy. Every head that waits is asked for once.
const ASKS: Width = Width { at_once: 4, waiting: MOST_WAITING };
/// Heads that a peer is pushed and proofs that it is asked for: of one log every head that waits may be both at once. Two, so that
/// one answer that does not come does not hold the next.
const HEADS: Width = Width { at_once: 2, waiting: 2 * MOST_WAITING };
/// Evidence that a peer is sent: one piece after the other, each when the one before was taken. More than that is one that is sent
/// again because it takes long.
const EVIDENCE: Width = Width { at_once: 1, waiting: 4 };
/// Statements of a log, each to all peers: one is made for a head that has waited a day.
const STATEMENTS: Width = Width { at_once: 1, waiting: MOST_WAITING };

/// Things of one kind, in their order.
struct Lane {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// A place in a lane, until it is dropped.
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
    turns: Arc<Semaphore>,
}

impl Lane {
    fn new(width: &Width) -> Lane {
        let places = Arc::new(Semaphore::new(width.at_once + width.waiting));
        Lane { places, turns: Arc::new(Semaphore::new(width.at_once)) }
    }

    fn enter(&self) -> Option<Place> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place { _place: place, turns: Arc::clone(&self.turns) })
    }
}

impl Place {
    /// Waits for its turn, which lasts until what is given is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok() // it is never closed
    }
}

/// The lanes of one log.
pub(super) struct Lanes {
    asks: Lane,
    statements: Lane,
    /// Of each peer, by its number: heads, evidence.
    peers: Vec<(Lane, Lane)>,
}

impl Lanes {
    /// For so many peers.
    pub(super) fn new(peers: usize) -> Lanes {
        let of_peer = |_| (Lane::new(&HEADS), Lane::new(&EVIDENCE));
        Lanes { asks: Lane::new(&ASKS), statements: Lane::new(&STATEMENTS), peers: (0..peers).map(of_peer).collect() }
    }

    /// A place for something to do; nothing when its lane is full.
    pub(super) fn enter(&self, act: &Act) -> Option<Place> {
        let of_peer = |id: &super::core::PeerId| self.peers.get(usize::from(id.0));
        let lane = match act {
            Act::Ask { whom: Whom::Log, .. } => Some(&self.asks),
            Act::Ask { whom: Whom::Peer(peer), .. } | Act::Push { peer, .. } => of_peer(peer).map(|(heads, _)| heads),
            Act::SendEvidence { peer, .. } => of_peer(peer).map(|(_, evidence)| evidence),
            Act::SendStatement { .. } => Some(&self.statements),
        };
        lane?.enter()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Mutex;
    use std::time::{Duration, Instant};

    use proto::hash::Hash;
    use proto::num::TreeSize;
    use tokio_util::sync::CancellationToken;

    use super::super::core::{Head, PeerId};
    use super::super::tests::{World, file, head};
    use super::super::{Gossip, LogGossip};
    use super::*;
    use crate::config::Config;
    use crate::evidence::Source;

    /// Requests that came, by their first line.
    type Came = Arc<Mutex<Vec<String>>>;

    /// A server that takes every request, and answers those whose first line has one of these words in it. What it does not answer
    /// it holds until the client gives up.
    fn server(answered: &'static [&'static str]) -> (String, Came) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let came = Came::default();
        let noted = came.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let noted = noted.clone();
                std::thread::spawn(move || answer(connection, answered, &noted));
            }
        });
        (url, came)
    }

    fn answer(mut connection: TcpStream, answered: &[&str], came: &Mutex<Vec<String>>) {
        let mut request = [0; 64 * 1024];
        let read = connection.read(&mut request).unwrap_or(0);
        let text = String::from_utf8_lossy(&request[..read]).into_owned();
        let line = text.lines().next().unwrap_or_default().to_owned();
        let is_answered = answered.iter().any(|word| line.contains(word));
        came.lock().unwrap().push(line);
        if is_answered {
            let _sent = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
        } else {
            while connection.read(&mut request).is_ok_and(|count| count > 0) {}
        }
    }

    fn until(came: &Came, what: &str) {
        let begun = Instant::now();
        while !came.lock().unwrap().iter().any(|line| line.contains(what)) {
            assert!(begun.elapsed() < Duration::from_secs(8), "{what} did not come: {:?}", came.lock().unwrap());
            std::thread::yield_now();
        }
    }

    fn asks(whom: Whom, count: u64) -> Vec<Act> {
        let head = |size: u64| Head { size: TreeSize(size), root: Hash::of(&size.to_be_bytes()) };
        (0..count).map(|n| Act::Ask { whom, head: head(1000 + n), from: TreeSize(1) }).collect()
    }

    fn pushes(count: u64) -> Vec<Act> {
        let (peer, note): (_, Arc<[u8]>) = (PeerId(0), head(7).into());
        let push = |n| Act::Push {
            peer,
            head: Head { size: TreeSize(n), root: Hash::EMPTY_ROOT },
            note: note.clone(),
            old: TreeSize(0),
        };
        (0..count).map(push).collect()
    }

    /// Keeps a piece of evidence about a log; what sends it.
    fn evidence(log: &LogGossip) -> Act {
        log.log().take_evidence(&file(), Source::Report, super::super::log::now()).unwrap();
        Act::SendEvidence { peer: PeerId(0), number: 1 }
    }

    #[test]
    fn a_log_that_drips_and_a_peer_that_holds_heads_keep_nobody_else_waiting() {
        let (drips, held) = server(&[]);
        let (well, asked) = server(&["/tile"]);
        // It takes evidence, and holds every head.
        let (peer, sent) = server(&["/v1/evidence"]);
        let (one, other) = (World::new(), World::of("other.example/test"));
        let logs = [one.followed(&drips), other.followed(&well)];
        let config = serde_json::json!({
            "gossip": { "name": "me.example", "answer_seconds": 60 },
            "peer": [{ "name": "peer.example", "url": peer }],
        });
        let config: Config = serde_json::from_value(config).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let gossip = Gossip::open(&config, &logs, None, runtime.handle(), CancellationToken::new()).unwrap();
        let (bad, good) = (gossip.logs()[0].clone(), gossip.logs()[1].clone());
        let _inside = runtime.enter();

        // More of everything than there is room for, and evidence behind it all.
        let mut acts = asks(Whom::Log, 500);
        acts.extend(pushes(500));
        acts.extend(asks(Whom::Peer(PeerId(0)), 500));
        acts.push(evidence(&bad));
        gossip.act(&bad, acts);
        until(&held, "/tile");
        until(&sent, "/v1/evidence");
        assert!(held.lock().unwrap().len() <= ASKS.at_once, "the rest waits");
        let pushed = || sent.lock().unwrap().iter().filter(|line| line.contains("/v1/gossip")).count();
        assert!(pushed() <= HEADS.at_once);

        // The other log is asked, and its heads reach the same peer.
        let before = pushed();
        gossip.act(&good, [asks(Whom::Log, 1), pushes(1)].concat());
        until(&asked, "/tile");
        let begun = Instant::now();
        while pushed() == before && begun.elapsed() < Duration::from_secs(8) {
            std::thread::yield_now();
        }
        assert!(pushed() > before);
        runtime.shutdown_background();
    }
}
