//! Heads that were shown and whose entries are not read yet (`follow/unread.rs`), and those that wait: as soon as the own tree, or the
//! hash tiles under the newest head, say what they are, they wait no more.

use std::sync::Arc;

use client::Error;
use proto::num::{Millis, TreeSize};

use super::act::Act;
use super::core::{Head, Input, Source};
use super::log::{LogGossip, now};
use super::run::{Gossip, TICK};
use super::step::Step;
use crate::follow::Tie;
use crate::store::Unread;

impl Gossip {
    /// Looks at them until everything stops.
    pub(super) async fn look_at_unread(self: Arc<Self>, at: usize) {
        let log = self.logs[at].clone();
        loop {
            self.read_unread(&log).await;
            if self.sleeps_to_the_end(TICK).await {
                return;
            }
        }
    }

    /// Looks at them once.
    pub(super) async fn read_unread(self: &Arc<Self>, log: &Arc<LogGossip>) {
        self.feed(log, |log| log.read_unread(now())).await;
    }
}

impl LogGossip {
    /// Judges what can be judged. Waits for the network.
    ///
    /// # Errors
    /// When what is kept cannot be read, or the outcome not be kept.
    pub fn read_unread(&self, now: Millis) -> Result<Vec<Act>, Error> {
        let unread = self.log().store.unread()?;
        let (read, found) = self.log().judge_unread(&unread)?;
        let mut step = Step::default();
        found.into_iter().for_each(|finding| step.findings.push(finding));
        step.gossip.read = read.clone();
        let mut acts = self.settle_all(step, Vec::new(), now)?;
        let left: Vec<Unread> = unread.into_iter().filter(|one| !read.contains(&one.head)).collect();
        acts.extend(self.tie(&left, now)?);
        acts.extend(self.promote(left, now)?);
        Ok(acts)
    }

    /// A head that is being read says nothing to the machine; that a peer answered with it does.
    pub(super) fn heard_back(&self, input: Input, now: Millis) -> Result<Vec<Act>, Error> {
        match input {
            Input::Answered { peer, pushed, random, .. } => {
                self.feed(Input::Answered { peer, pushed, theirs: None, random }, now)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Holds them, and what waits, against the newest head's tiles.
    fn tie(&self, unread: &[Unread], now: Millis) -> Result<Vec<Act>, Error> {
        let followed = self.log().store.cursor()?.range.size();
        let mut heads: Vec<(Head, Vec<u8>)> = unread.iter().map(|one| (one.head, one.note.clone())).collect();
        heads.extend(self.waiting_above(followed));
        let ties = match self.log().tie_to_newest(heads) {
            Ok(ties) => ties,
            Err(error) => {
                tracing::info!(origin = self.log().origin(), error = error.message, "heads before the newest one wait");
                return Ok(Vec::new());
            }
        };
        let (mut step, mut inputs) = (Step::default(), Vec::new());
        for (head, tie) in ties {
            step.gossip.read.push(head);
            inputs.push(Input::Resolved { head, contradicts: matches!(tie, Tie::Contradicts(_)) });
            if let Tie::Contradicts(finding) = tie {
                step.findings.push(*finding);
            }
        }
        self.settle_all(step, inputs, now)
    }

    /// One that the log should have shown by now waits like any other larger head: it is asked for, told, and at last stated.
    fn promote(&self, left: Vec<Unread>, now: Millis) -> Result<Vec<Act>, Error> {
        let newest = self.log().newest()?.map_or(TreeSize(0), |newest| newest.checkpoint.size());
        let mut acts = Vec::new();
        for one in left.into_iter().filter(|one| one.head.size > newest && self.log().should_have_shown(one.since)) {
            let Some(shown) = self.log().known_head(&one.note) else { continue };
            let input = |head, random| Input::Received { head, source: Source::Anyone, proof: None, random };
            acts.extend(self.take(&shown, input, now)?.1);
            let mut step = Step::default();
            step.gossip.read.push(one.head);
            acts.extend(self.settle_all(step, Vec::new(), now)?);
        }
        Ok(acts)
    }
}
