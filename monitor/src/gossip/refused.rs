//! Evidence that a peer refuses though it verifies here: an older program, or one with a mistake. It is not sent again and again, but
//! it is not done with either: the operator is told, and it is tried now and then until the peer takes it.

use client::Error;
use proto::num::Millis;

use super::act::Act;
use super::core::{Input, PeerId};
use super::log::LogGossip;
use crate::finding::{Class, Finding, code};
use crate::store::{Batch, Findings};

/// After which evidence is sent again that a peer refused, and at each start: four times a day a program may have been updated.
const AGAIN: Millis = Millis(6 * 3600 * 1000);
/// What is told of a peer's reason.
const MOST_WORDS: usize = 200;

/// What became of evidence that was sent to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sent {
    /// It has it.
    Taken,
    /// It is not about a log that the peer follows, or not about a key that its trust file names: it needs none of it.
    NotForIt,
    /// It does not take the file for what it is, and says why.
    Refused(String),
}

fn name(peer: &str) -> String {
    format!("{}:{peer}", code::REFUSES)
}

fn finding(peer: &str, why: &str) -> Finding {
    let why: String = client::plain::plain(why).chars().take(MOST_WORDS).collect();
    let message = format!(
        "the peer {peer} refuses evidence that verifies here ({why}). Whoever runs it should look at its version; the evidence is sent \
         again every {} hours",
        AGAIN.0 / 3_600_000
    );
    Finding::new(Class::Degraded, code::REFUSES, message).named(peer)
}

impl LogGossip {
    /// A peer has answered to evidence. What follows is what is sent next.
    pub(super) fn evidence_sent(&self, id: PeerId, number: u64, sent: &Sent, now: Millis) -> Result<Vec<Act>, Error> {
        let Some(peer) = self.peers.get(usize::from(id.0)) else { return Ok(Vec::new()) };
        let is_refused = matches!(sent, Sent::Refused(_));
        let found = |refuses: bool| match sent {
            Sent::Refused(why) => Findings::begin(vec![finding(peer, why)]),
            Sent::Taken | Sent::NotForIt if !refuses => Findings::end(&name(peer)),
            Sent::Taken | Sent::NotForIt => Findings::default(),
        };
        let store = &self.log().store;
        store.evidence_answered(peer, number, is_refused, found, now)?;
        let was_told = self.log().seen().open.iter().any(|open| open.finding.id == name(peer));
        if was_told || is_refused {
            self.log().look(None)?;
        }
        let mut acts = self.feed(Input::EvidenceTaken { peer: id, number }, now)?;
        // Each that it refuses has its turn, whatever came of the one before. If it takes one, then perhaps those before it.
        let mut next = store.evidence_refused_by(peer, number)?;
        if next.is_none() && !is_refused {
            next = store.evidence_refused_by(peer, 0)?;
        }
        acts.extend(next.map(|number| Act::SendEvidence { peer: id, number }));
        Ok(acts)
    }

    /// What is sent again because a peer refused it, when it is time. A peer that is configured no more refuses nothing.
    pub(super) fn refused_again(&self, now: Millis) -> Result<Vec<Act>, Error> {
        {
            let mut next = self.refused_next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if now < *next {
                return Ok(Vec::new());
            }
            *next = Millis(now.0.saturating_add(AGAIN.0));
        }
        let mut acts = Vec::new();
        for (id, peer) in (0..).map(PeerId).zip(&self.peers) {
            let first = self.log().store.evidence_refused_by(peer, 0)?;
            acts.extend(first.map(|number| Act::SendEvidence { peer: id, number }));
        }
        let is_gone = |id: &str| !self.peers.iter().any(|peer| name(peer) == id);
        let mut findings = Findings::default();
        for open in &self.log().seen().open {
            if open.finding.code == code::REFUSES && is_gone(&open.finding.id) {
                findings.over(&open.finding.id);
            }
        }
        if findings != Findings::default() {
            self.log().store.commit_batch(&Batch { findings, ..Batch::default() }, now)?;
            self.log().look(None)?;
        }
        Ok(acts)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    use super::super::peer::Peer;
    use super::super::tests::{World, file, file_of};
    use super::*;
    use crate::evidence::Source;

    const NOW: Millis = Millis(1_000_000_000);
    const PEER: PeerId = PeerId(0);

    fn later(hours: u64) -> Millis {
        Millis(NOW.0 + hours * 3_600_000)
    }

    /// The numbers of evidence that is sent.
    fn sent(acts: &[Act]) -> Vec<u64> {
        acts.iter()
            .filter_map(|act| if let Act::SendEvidence { number, .. } = act { Some(*number) } else { None })
            .collect()
    }

    fn open(gossip: &LogGossip) -> Vec<String> {
        let open = gossip.log().store.open_findings().unwrap().into_iter().map(|open| open.finding);
        open.filter(|finding| finding.code == code::REFUSES).map(|finding| finding.message).collect()
    }

    #[test]
    fn what_a_peer_refuses_is_told_and_tried_now_and_then() {
        let world = World::new();
        let gossip = world.open();
        gossip.log().take_evidence(&file(), Source::Report, NOW).unwrap();
        assert_eq!(sent(&gossip.refused_again(NOW).unwrap()), Vec::<u64>::new());
        assert_eq!(sent(&gossip.more_evidence(NOW).unwrap()), [1]);
        let refused = Sent::Refused("it is no misbehaviour file\u{1b}".to_owned() + &"!".repeat(1000));
        assert_eq!(sent(&gossip.evidence_sent(PEER, 1, &refused, NOW).unwrap()), Vec::<u64>::new(), "not at once");
        assert_eq!(sent(&gossip.feed(Input::Tick, later(1)).unwrap()), Vec::<u64>::new(), "nor at the next tick");
        assert_eq!(sent(&gossip.refused_again(later(1)).unwrap()), Vec::<u64>::new());
        let said = open(&gossip);
        assert!(said.len() == 1 && said[0].contains("peer.example refuses") && said[0].len() < 500, "{said:?}");
        assert!(!said[0].contains('\u{1b}'));
        drop(gossip);

        // After a restart, and every six hours.
        let gossip = world.open();
        gossip.more_evidence(later(1)).unwrap();
        assert_eq!(sent(&gossip.refused_again(later(1)).unwrap()), [1]);
        assert_eq!(sent(&gossip.refused_again(later(2)).unwrap()), Vec::<u64>::new());
        assert_eq!(sent(&gossip.refused_again(later(7)).unwrap()), [1]);
        gossip.evidence_sent(PEER, 1, &refused, later(7)).unwrap();
        assert_eq!(gossip.log().store.last_event().unwrap(), 2, "the evidence and the refusal, told once each");
        gossip.evidence_sent(PEER, 1, &Sent::Taken, later(7)).unwrap();
        assert_eq!((open(&gossip).len(), sent(&gossip.refused_again(later(14)).unwrap())), (0, Vec::new()));
        assert_eq!(gossip.log().store.evidence_taken_by("peer.example").unwrap(), 1);
    }

    #[test]
    fn each_that_a_peer_refuses_has_its_turn() {
        let world = World::new();
        let gossip = world.open();
        let refused = Sent::Refused("an older program".to_owned());
        for n in [b"one", b"two"] {
            gossip.log().take_evidence(&file_of(n), Source::Report, NOW).unwrap();
        }
        assert_eq!(sent(&gossip.more_evidence(NOW).unwrap()), [1]);
        assert_eq!(sent(&gossip.evidence_sent(PEER, 1, &refused, NOW).unwrap()), [2]);
        assert_eq!(sent(&gossip.evidence_sent(PEER, 2, &refused, NOW).unwrap()), Vec::<u64>::new());
        // It takes the second only, now.
        assert_eq!(sent(&gossip.refused_again(later(7)).unwrap()), [1]);
        assert_eq!(sent(&gossip.evidence_sent(PEER, 1, &refused, later(7)).unwrap()), [2]);
        assert_eq!(sent(&gossip.evidence_sent(PEER, 2, &Sent::Taken, later(7)).unwrap()), [1], "perhaps now");
        assert_eq!(sent(&gossip.evidence_sent(PEER, 1, &refused, later(7)).unwrap()), Vec::<u64>::new());
        assert_eq!(open(&gossip).len(), 1);
    }

    #[test]
    fn a_peer_that_follows_another_log_refuses_nothing() {
        let world = World::new();
        let gossip = world.open();
        gossip.log().take_evidence(&file(), Source::Report, NOW).unwrap();
        gossip.more_evidence(NOW).unwrap();
        gossip.evidence_sent(PEER, 1, &Sent::NotForIt, NOW).unwrap();
        assert_eq!((open(&gossip).len(), sent(&gossip.refused_again(later(7)).unwrap())), (0, Vec::new()));
    }

    #[test]
    fn what_a_monitor_answers_is_told_apart() {
        let answered = |status: u16, body: &'static str| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            std::thread::spawn(move || {
                let mut connection = listener.accept().unwrap().0;
                let mut request = [0; 4096];
                let _read = connection.read(&mut request);
                let head =
                    format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _sent = connection.write_all(format!("{head}{body}").as_bytes());
            });
            let config = serde_json::from_value(serde_json::json!({ "name": "peer.example", "url": url })).unwrap();
            let peer = Peer::new(config, "me.example", Duration::from_secs(10)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(peer.send_evidence(b"{}".to_vec())).ok()
        };
        assert_eq!(answered(201, "{}"), Some(Sent::Taken));
        let invalid = r#"{"code":"request.invalid","detail":"it is no misbehaviour file"}"#;
        assert!(matches!(answered(400, invalid), Some(Sent::Refused(why)) if why.contains("no misbehaviour file")));
        assert_eq!(answered(404, r#"{"code":"request.not_found","detail":"not followed"}"#), Some(Sent::NotForIt));
        assert_eq!(answered(400, "<html>no</html>"), None, "a proxy's word is none");
    }
}
