//! Pulling: what a push did not bring is asked for in the lists of peers.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::num::Seconds;

use super::core::Source;
use super::log::{LogGossip, now};
use super::peer::{HEADS_PAGE, HeadsPage, Peer};
use super::run::Gossip;

/// Heads of a peer's list are asked for from so long before the newest one that it listed: it may list older ones later.
const OVERLAP_SECONDS: u64 = 60;
/// Pages of a peer's list of heads that are read one after the other; the next turn goes on behind them.
const PAGES_AT_ONCE: usize = 10;
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
}

impl Listed {
    pub(super) fn from_now() -> Listed {
        let after = now().seconds().0.saturating_sub(OVERLAP_SECONDS);
        Listed { after, latest: after, cursor: None }
    }

    /// A page was read. The list says the times; a wrong one only makes it be asked for less.
    fn read(&mut self, page: &HeadsPage, now: Seconds) {
        let latest = page.heads.iter().map(|head| head.time).max().unwrap_or(self.latest);
        self.latest = self.latest.max(latest.min(now.0));
        let is_new = |cursor: &String| cursor.len() <= MAX_CURSOR_BYTES && self.cursor.as_ref() != Some(cursor);
        self.cursor = page.next_cursor.clone().filter(|cursor| !page.heads.is_empty() && is_new(cursor));
        if self.cursor.is_none() {
            self.after = self.latest;
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
                self.show(log, head.checkpoint.clone().into_bytes(), source).await;
            }
            listed.read(&page, now().seconds());
            if listed.cursor.is_none() {
                return;
            }
        }
    }
}
