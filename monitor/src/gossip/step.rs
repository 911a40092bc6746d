//! What one input to the machine changes, before it is made durable.

use super::act::Act;
use super::core::{Fork, Head, Shown, Told, Waiting};
use super::tell;
use crate::finding::{Alternative, Open};
use crate::store::{Findings, GossipStep};

/// What one input changes.
#[derive(Default)]
pub(super) struct Step {
    pub(super) findings: Findings,
    pub(super) forks: Vec<Fork>,
    pub(super) gossip: GossipStep,
    pub(super) acts: Vec<Act>,
}

impl Step {
    /// The head waits no more.
    pub(super) fn over(&mut self, head: Head) {
        self.gossip.waits.retain(|(waits, _)| *waits != head);
        self.gossip.over.push(head);
        self.findings.over(&tell::waits_name(head));
    }

    /// What was told of a head that waits on is over, if nothing is told of it now: it was tied.
    pub(super) fn told_no_more(&mut self, waiting: &Waiting, open: &[Open]) {
        let name = tell::waits_name(waiting.head);
        if waiting.told == Told::Nothing && open.iter().any(|open| open.finding.id == name) {
            self.findings.over(&name);
        }
    }

    pub(super) fn contradicts(&self, head: Head) -> bool {
        self.forks.iter().any(|fork| fork.smaller == head || fork.larger == head)
    }
}

/// What ties the two heads of a fork, if a proof does.
pub(super) fn alternative(found: &Fork) -> Option<Alternative> {
    match &found.shown {
        Shown::Proof { root, hashes } => Some(Alternative::new(found.smaller.size, *root, hashes)),
        Shown::SameSize | Shown::OwnTree => None,
    }
}
