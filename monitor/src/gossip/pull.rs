//! Pulling: what a push did not bring is asked for in the lists of peers.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::num::Seconds;

use super::core::Source;
use super::log::{LogGossip, now};
use super::peer::{HEADS_PAGE, HeadsPage, Peer};
use super::run::{Gossip, checked};

/// Heads of a peer's list are asked for from so long before the newest one that it listed: it may list older ones later.
const OVERLAP_SECONDS: u64 = 60;
/// Pages of a peer's list of heads that are read one after the other; the next turn goes on behind them.
const PAGES_AT_ONCE: usize = 10;
/// A list that is so long behind, and more so after each turn, is not read to its end any more: it grows faster than it is read.
const MOST_BEHIND_SECONDS: u64 = 600;
/// A cursor of a peer's list; it goes back to the peer, and is kept until then.
const MAX_CURSOR_BYTES: usize = 1024;

/// How far a peer's list of heads was read.
#[derive(Debug)]
pub(super) struct Listed {
    /// The list was read to its end, and its newest head was of this time.
    after: u64,
    /// The newest time since then.
    latest: u64,
    /// Where the list goes on, as the peer said.
    cursor: Option<String>,
    /// How long it was behind at the end of the last turn, in seconds, if it was not read to its end.
    behind: Option<u64>,
}

impl Listed {
    pub(super) fn from_now() -> Listed {
        Listed::at(now().seconds())
    }

    fn at(now: Seconds) -> Listed {
        let after = now.0.saturating_sub(OVERLAP_SECONDS);
        Listed { after, latest: after, cursor: None, behind: None }
    }

    /// A turn ended before the list did. If the list grows faster than it is read, reading goes on at its newest heads; says how
    /// many seconds are passed over then.
    fn turn_ended(&mut self, now: Seconds) -> Option<u64> {
        let behind = now.0.saturating_sub(self.latest);
        let grows = behind >= MOST_BEHIND_SECONDS && self.behind.is_some_and(|was| behind >= was);
        self.behind = Some(behind);
        grows.then(|| {
            *self = Listed::at(now);
            behind
        })
    }

    /// A page was read. The list says the times; a wrong one only makes it be asked for less.
    fn read(&mut self, page: &HeadsPage, now: Seconds) {
        let latest = page.heads.iter().map(|head| head.time).max().unwrap_or(self.latest);
        self.latest = self.latest.max(latest.min(now.0));
        let is_new = |cursor: &String| cursor.len() <= MAX_CURSOR_BYTES && self.cursor.as_ref() != Some(cursor);
        self.cursor = page.next_cursor.clone().filter(|cursor| !page.heads.is_empty() && is_new(cursor));
        if self.cursor.is_none() {
            (self.after, self.behind) = (self.latest, None);
        }
    }
}

impl Gossip {
    /// Asks a peer for what a push did not bring: its newer heads, its evidence, and what it keeps of statements.
    pub(super) async fn pull(self: Arc<Self>, peer: Arc<Peer>) {
        let mut seen: BTreeMap<usize, (Listed, u64)> = BTreeMap::new();
        let mut places: BTreeMap<usize, String> = BTreeMap::new();
        while !self.sleeps_to_the_end(self.config.every()).await {
            for (at, log) in self.logs.iter().enumerate() {
                let (mut listed, mut number) = seen.remove(&at).unwrap_or_else(|| (Listed::from_now(), 0));
                self.pull_heads(log, &peer, &mut listed).await;
                number = self.pull_evidence(log, &peer, number).await;
                seen.insert(at, (listed, number));
                let place = self.pull_statements(log, &peer, places.remove(&at)).await;
                places.extend(place.map(|place| (at, place)));
                let (name, last_seen) = (peer.config.name.clone(), peer.seen().last_seen);
                self.feed(log, move |log| log.judge_silence(&name, last_seen, now()).map(|()| Vec::new())).await;
            }
        }
    }

    pub(super) async fn pull_heads(self: &Arc<Self>, log: &Arc<LogGossip>, peer: &Arc<Peer>, listed: &mut Listed) {
        let source = log.peer(&peer.config.name).map_or(Source::Anyone, Source::Peer);
        for _ in 0..PAGES_AT_ONCE {
            let after = listed.after.saturating_sub(OVERLAP_SECONDS);
            let Ok(page) = peer.heads(log.log().origin(), after, listed.cursor.as_deref()).await else {
                listed.cursor = None;
                return;
            };
            // Heads that nobody has judged yet come one by one; most are known, and judged without a word to the disk.
            for head in page.heads.iter().take(HEADS_PAGE) {
                let note = head.checkpoint.clone().into_bytes();
                self.feed(log, move |log| match checked(log, &note) {
                    Some(shown) => log.take_listed(&shown, source, now()),
                    None => Ok(Vec::new()),
                })
                .await;
            }
            listed.read(&page, now().seconds());
            if listed.cursor.is_none() {
                return;
            }
        }
        if let Some(seconds) = listed.turn_ended(now().seconds()) {
            let (peer, origin) = (peer.config.name.as_str(), log.log().origin());
            tracing::warn!(
                peer,
                origin,
                seconds,
                "the peer lists heads faster than they are read; what is between is passed over"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page that is not the last one, with a head of this time.
    fn page(time: u64, cursor: &str) -> HeadsPage {
        let head = serde_json::json!({ "time": time, "size": 1, "checkpoint": "" });
        serde_json::from_value(serde_json::json!({ "heads": [head], "next_cursor": cursor })).unwrap()
    }

    #[test]
    fn a_list_that_grows_faster_than_it_is_read_goes_on_at_its_newest_heads() {
        let begin = 1_000_000;
        let mut listed = Listed::at(Seconds(begin));
        // Ten seconds a turn, in which heads of one second are read.
        let turn = |listed: &mut Listed, turn: u64| {
            let now = Seconds(begin + 10 * turn);
            listed.read(&page(begin + turn, &format!("c{turn}")), now);
            listed.turn_ended(now)
        };
        let skipped = (1..100).find_map(|at| turn(&mut listed, at).map(|seconds| (at, seconds)));
        let (at, seconds) = skipped.unwrap();
        assert_eq!((at, seconds), (67, 603));
        assert_eq!((listed.after, listed.cursor), (begin + 670 - OVERLAP_SECONDS, None));
    }

    #[test]
    fn a_list_of_a_peer_that_was_away_is_read_to_its_end() {
        let begin = 1_000_000;
        let mut listed = Listed::at(Seconds(begin));
        for turn in 0..100 {
            let now = Seconds(begin + 50_000 + 10 * turn);
            listed.read(&page(begin + 500 * turn, &format!("c{turn}")), now);
            assert_eq!(listed.turn_ended(now), None, "each turn it is nearer");
        }
    }
}
