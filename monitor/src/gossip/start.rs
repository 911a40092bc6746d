//! The start of a witness that has peers: which of them have said since then what they know of its last cosignature, and which are
//! to be asked.
//!
//! Database and record may both have been put back, and then they agree: only others know. So they are asked at each start before
//! anything is cosigned, those that gave no answer again and again, and those that did now and then: they may learn of something
//! later, such as from each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::Error;
use proto::note::Verifier;
use proto::num::{Seconds, TreeSize};

use super::config::GossipConfig;
use super::last_cosigned::{Asked, counted};
use super::peer::Peer;
use crate::finding::{Class, Finding, code};
use crate::follow::FollowedLog;
use crate::witness::{self, MOST_AHEAD, Said, Witness};

/// Between two questions to a peer that answered. It is one small request for each log.
const ASK_AGAIN: Duration = Duration::from_secs(300);
/// Turns of questions to those that do not answer before that is told: peers that start at the same moment, such as after an
/// update of all, need some seconds.
const TURNS: u32 = 3;

/// The witness waits for peers whose answers count, if there are some.
pub(super) fn begin(
    config: &GossipConfig,
    witness: &Witness,
    logs: &[Arc<FollowedLog>],
    peers: &[Arc<Peer>],
) -> Result<(), Error> {
    let own = witness.keys().vkeys().into_iter().filter_map(|vkey| Verifier::new(vkey).ok()).collect::<Vec<_>>();
    let many = counted(peers, &own).len();
    config.check_peers(many)?;
    if many > 0 {
        logs.iter().for_each(|log| witness.wait_for_peers(log.origin()));
    }
    Ok(())
}

/// What came of asking each peer since the start.
#[derive(Debug, Default)]
pub(super) struct Heard {
    peers: BTreeMap<String, One>,
    /// When all were asked first.
    began: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct One {
    asked: Instant,
    answers: bool,
    said: Said,
}

impl Heard {
    /// Takes down what came of asking these; `own` is the head that this witness knew of at its start.
    pub(super) fn note(&mut self, whom: &[&Arc<Peer>], asked: &Asked, own: Option<TreeSize>, now: Instant) {
        self.began.get_or_insert(now);
        for peer in whom {
            let name = &peer.config.name;
            let answer = asked.answers.iter().find(|answer| answer.peer == *name);
            let before = self.peers.get(name).map_or(Said::default(), |one| one.said);
            let one = One { asked: now, answers: answer.is_some(), said: before.then(answer, own) };
            self.peers.insert(name.clone(), one);
        }
    }

    /// Whether a peer is to be asked; `every` is between two questions to one that does not answer.
    pub(super) fn is_due(&self, peer: &str, every: Duration, now: Instant) -> bool {
        let Some(one) = self.peers.get(peer) else { return true };
        let wait = if one.answers { ASK_AGAIN.max(every) } else { every };
        now.saturating_duration_since(one.asked) >= wait
    }

    /// Whether they were asked at all.
    pub(super) fn began(&self) -> bool {
        self.began.is_some()
    }

    /// Whether they were asked for long enough that silence is told; `every` is as in [`Heard::is_due`].
    pub(super) fn is_silence(&self, every: Duration, now: Instant) -> bool {
        self.began.is_some_and(|began| now.saturating_duration_since(began) >= every * TURNS)
    }

    /// How many have given an answer that counts since the start.
    pub(super) fn answered(&self) -> usize {
        witness::counted(&self.peers.values().map(|one| one.said).collect::<Vec<Said>>())
    }
}

/// What is told while fewer have answered than are needed.
pub(super) fn unasked(answered: usize, needed: usize, cosigns: bool) -> Finding {
    let meanwhile = match cosigns {
        true => "it cosigns meanwhile by what its own database and record say, which may have been put back",
        false => "it cosigns nothing of this log until then",
    };
    let message = format!(
        "since this witness started, {answered} of the {needed} peers that are needed have said what they know of its last \
         cosignature (as long as some do not answer, those that know less than this witness itself do not count); {meanwhile}. They \
         are asked again and again: look at why they do not answer, and whether they have its vkey"
    );
    Finding::new(Class::Degraded, code::UNASKED, message)
}

/// What is told while the last cosignature is of a time that has not come by this machine's clock.
pub(super) fn early(last: Seconds, now: Seconds) -> Option<Finding> {
    let ahead = last.0.checked_sub(now.0).filter(|ahead| *ahead > MOST_AHEAD.0)?;
    let message = format!(
        "the last cosignature of this witness is of {}, {ahead} s ahead of this machine's clock: the clock is behind now, or was \
         ahead then. Set it right. No time of a cosignature goes down, so a log takes none until the time is near",
        last.millis().to_rfc3339()
    );
    Some(Finding::new(Class::Degraded, code::EARLY, message))
}

#[cfg(test)]
mod tests {
    use proto::hash::Hash;
    use service::record::SignedRecord;

    use super::*;
    use crate::witness::PeerAnswer;

    fn peer(name: &str) -> Arc<Peer> {
        let config = super::super::config::PeerConfig {
            name: name.to_owned(),
            url: "http://127.0.0.1:9".to_owned(),
            vkey: None,
            egress: client::egress::Egress::Direct,
            addresses: service::client_addr::TrustedProxies::default(),
        };
        Arc::new(Peer::new(config, "me", Duration::from_secs(1)).unwrap())
    }

    #[test]
    fn who_does_not_answer_is_asked_again_soon_and_who_does_now_and_then() {
        let (a, b, every, start) = (peer("a"), peer("b"), Duration::from_secs(10), Instant::now());
        let mut heard = Heard::default();
        assert!(heard.is_due("a", every, start) && !heard.began());
        let says = Asked { answers: vec![PeerAnswer { peer: "a".into(), last: None }], ..Asked::default() };
        heard.note(&[&a, &b], &says, None, start);
        assert!(heard.began() && heard.answered() == 1);
        let told = [0, 29, 30].map(|after| heard.is_silence(every, start + Duration::from_secs(after)));
        assert_eq!(told, [false, false, true]);
        assert!(!Heard::default().is_silence(every, start + Duration::from_secs(30)));
        let due = |heard: &Heard, after: u64| {
            let now = start + Duration::from_secs(after);
            ["a", "b"].map(|name| heard.is_due(name, every, now))
        };
        assert_eq!(due(&heard, 9), [false, false]);
        assert_eq!(due(&heard, 10), [false, true]);
        assert_eq!(due(&heard, 300), [true, true], "for ever");
        // It is silent now; it has answered all the same.
        heard.note(&[&a], &Asked::default(), None, start);
        assert_eq!((heard.answered(), due(&heard, 10)), (1, [true, true]));
    }

    #[test]
    fn who_knows_less_than_the_witness_itself_counts_when_nobody_is_left_to_ask() {
        let (a, b, c, now) = (peer("a"), peer("b"), peer("c"), Instant::now());
        let answer = |peer: &str, size: Option<u64>| {
            let head = |size| SignedRecord { size: TreeSize(size), root: Hash::of(b"root"), time: Seconds(size) };
            PeerAnswer { peer: peer.to_owned(), last: size.map(head) }
        };
        let heard = |turns: &[&[(&str, Option<u64>)]], own: Option<u64>| {
            let mut heard = Heard::default();
            for said in turns {
                let answers = said.iter().map(|(peer, size)| answer(peer, *size)).collect();
                heard.note(&[&a, &b, &c], &Asked { answers, ..Asked::default() }, own.map(TreeSize), now);
            }
            heard.answered()
        };
        let blind: &[_] = &[("a", None), ("b", Some(99))];
        assert_eq!(heard(&[blind], Some(100)), 0, "the one that does not answer may know more");
        assert_eq!(heard(&[blind], None), 2);
        assert_eq!(
            heard(&[blind, &[("a", Some(100)), ("b", Some(100))]], Some(100)),
            0,
            "said after what they were shown"
        );
        assert_eq!(heard(&[blind, &[("c", Some(100))]], Some(100)), 3);
        assert_eq!(heard(&[blind, &[("c", None)]], Some(100)), 3, "nobody knows more");
        assert_eq!(heard(&[&[("a", Some(100)), ("c", Some(200))]], Some(100)), 2);
    }

    #[test]
    fn a_cosignature_of_a_time_that_has_not_come_is_told_until_it_is_near() {
        let told = |last: u64| early(Seconds(last), Seconds(10_000)).map(|finding| finding.message);
        assert_eq!([0, 9_000, 10_300].map(told), [None, None, None]);
        assert!(told(10_301).unwrap().contains("301 s ahead"));
    }

    #[test]
    fn enough_are_more_than_may_be_bad_or_all() {
        let with = |bad: Option<usize>, strict: bool| GossipConfig {
            bad_peers: bad,
            cosign_before_peers_answer: !strict,
            ..GossipConfig::default()
        };
        assert_eq!([0, 1, 2, 3, 4].map(|peers| with(None, false).needed_of(peers)), [0, 1, 2, 2, 3]);
        assert_eq!(with(Some(0), false).needed_of(3), 1);
        assert!(with(None, true).check_peers(2).is_ok() && with(Some(0), true).check_peers(1).is_ok());
        for peers in [0, 1] {
            let error = with(None, true).check_peers(peers).unwrap_err();
            assert!(error.message.contains("gossip.bad_peers"), "{}", error.message);
            assert!(with(None, false).check_peers(peers).is_ok());
        }
    }
}
