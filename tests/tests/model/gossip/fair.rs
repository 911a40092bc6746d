//! What becomes of a state when nothing more goes wrong.

use std::collections::BTreeSet;

use super::net::Net;
use super::{GossipModel, State};
use crate::history::Head;

/// Seconds between two looks at what is due.
pub(crate) const TICK_SECONDS: u64 = 5;

/// Within which everybody must have the evidence: twice the longest time between two tries.
pub(crate) const LIMIT_SECONDS: u64 = 2 * monitor::gossip::core::LONGEST_PUSH_WAIT_SECONDS;

/// Messages within one round. No exchange of a few monitors has so many, unless it never ends.
const MOST_MESSAGES: usize = 20_000;

impl GossipModel {
    /// Whether all who are connected to somebody who knows, or could know, will have heard of it and told it.
    pub(super) fn reaches_all(&self, state: &State) -> bool {
        let parts = self.parts(state).into_iter().filter(|part| self.is_forked(state, part));
        let must_know: Vec<u8> = parts.flatten().collect();
        if must_know.is_empty() {
            return true;
        }
        let mut net = state.net.clone();
        let begun = net.now;
        let knows = |net: &Net, at: &u8| {
            let node = &net.nodes[usize::from(*at)];
            !node.kept.evidence.is_empty() && node.alerted > 0
        };
        loop {
            self.deliver_all(&mut net);
            let seconds = net.now - begun;
            if must_know.iter().all(|at| knows(&net, at)) {
                let mut longest = self.longest.lock().unwrap();
                *longest = (longest.0.max(seconds), longest.1 + 1);
                return true;
            }
            if seconds >= LIMIT_SECONDS {
                return false;
            }
            net.tick(&self.histories, TICK_SECONDS);
            if net.pulls {
                net.pull(&self.histories);
            }
        }
    }

    /// Everybody runs, every message comes, every alert is delivered.
    fn deliver_all(&self, net: &mut Net) {
        for at in 0..u8::try_from(net.nodes.len()).unwrap() {
            if !net.nodes[usize::from(at)].is_up {
                net.restart(&self.histories, at);
            }
        }
        for _ in 0..MOST_MESSAGES {
            let Some(message) = net.sent.pop() else { break };
            net.deliver(&self.histories, message, 0);
        }
        assert!(net.sent.is_empty(), "an exchange does not end");
        for at in 0..u8::try_from(net.nodes.len()).unwrap() {
            while net.nodes[usize::from(at)].kept.due > 0 {
                net.alert(&self.histories, at, false);
            }
        }
    }

    /// The monitors, by who is connected with whom.
    fn parts(&self, state: &State) -> Vec<BTreeSet<u8>> {
        let is_cut = |a: u8, b: u8| state.net.cut.contains(&(a, b)) || state.net.cut.contains(&(b, a));
        let mut parts: Vec<BTreeSet<u8>> = Vec::new();
        for at in self.monitors(state) {
            let is_joined = |part: &BTreeSet<u8>| part.iter().any(|other| !is_cut(at, *other));
            let (joined, mut apart): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_joined);
            apart.push(joined.into_iter().flatten().chain([at]).collect());
            parts = apart;
        }
        parts
    }

    /// Whether one of them has evidence, or two of them have followed what excludes each other.
    fn is_forked(&self, state: &State, part: &BTreeSet<u8>) -> bool {
        let nodes: Vec<_> = part.iter().map(|at| &state.net.nodes[usize::from(*at)]).collect();
        let has_evidence = nodes.iter().any(|node| !node.kept.evidence.is_empty());
        let head = |at: usize| Head { size: nodes[at].kept.size, fork: nodes[at].fork };
        let mut pairs = (0..nodes.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        has_evidence || pairs.any(|(a, b)| !self.histories.agree(head(a), head(b)))
    }
}
