//! Gossip: monitors that a log shows two histories, a peer that lies, messages that come late, twice or never, monitors that
//! crash and that are put back to an old state.
//!
//! What a monitor decides is the monitor's own machine (`monitor::gossip::core`); the model has the disk, the network and the
//! world. A state is only as good as what can still become of it: from every one of them the run is continued with nothing
//! more going wrong ([`fair`]), and then all who are connected must have the evidence and have told it.

mod fair;
mod net;
pub(crate) mod node;
mod tests;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use monitor::gossip::core::{MOST_WAITING, Proof};
use stateright::{Model, Property};

use crate::history::{Head, Histories};
use net::Net;
use node::{Kept, Message, What, convinces};

/// How often what may still happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    pub(crate) losses: u8,
    pub(crate) doubles: u8,
    pub(crate) crashes: u8,
    pub(crate) lies: u8,
    /// A node is put back to an old state.
    pub(crate) restores: u8,
    /// Rounds of the outbox that come out of turn.
    pub(crate) alerts: u8,
    /// Times that five seconds pass before everything has come.
    pub(crate) ticks: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    net: Net,
    /// An old copy of what a node keeps.
    copy: Option<(u8, Kept)>,
    left: Left,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// The log shows a node its next head.
    Grow(u8),
    /// A message comes, by its place; it may come again. What is drawn matters only where the table is full.
    Deliver {
        message: usize,
        again: bool,
        random: u64,
    },
    Lose(usize),
    /// The peer that lies says something, by its place among the lies.
    Lie {
        to: u8,
        lie: usize,
    },
    Crash(u8),
    Restart(u8),
    Copy(u8),
    Restore,
    Alert {
        node: u8,
        dies: bool,
    },
    Tick,
}

/// The model with its bounds.
pub(crate) struct GossipModel {
    pub(crate) histories: Histories,
    pub(crate) net: Net,
    /// The sizes that the log shows to each node, in turn.
    pub(crate) sizes: Vec<Vec<u8>>,
    pub(crate) left: Left,
    pub(crate) lies: Vec<What>,
    /// The longest time that it took until everybody had the evidence, and from how many states it was looked at.
    pub(crate) longest: Arc<Mutex<(u64, u64)>>,
}

/// A peer shows a head that the log signed, with this proof.
pub(crate) fn push(histories: &Histories, head: Head, proof: Option<Proof>) -> What {
    What::Push { head: node::signed(histories, head), proof }
}

impl GossipModel {
    fn monitors(&self, state: &State) -> impl Iterator<Item = u8> + use<> {
        let silent = state.net.silent;
        (0..u8::try_from(state.net.nodes.len()).unwrap()).filter(move |node| Some(*node) != silent)
    }

    fn next_size(&self, state: &State, at: u8) -> Option<u8> {
        let now = state.net.nodes[usize::from(at)].kept.size;
        self.sizes[usize::from(at)].iter().copied().find(|size| *size > now)
    }

    fn happenings(&self, state: &State, at: u8, actions: &mut Vec<Action>) {
        let (node, left) = (&state.net.nodes[usize::from(at)], &state.left);
        if !node.is_up {
            actions.push(Action::Restart(at));
            return;
        }
        if self.next_size(state, at).is_some() {
            actions.push(Action::Grow(at));
        }
        if left.crashes > 0 {
            actions.push(Action::Crash(at));
        }
        // One that had followed nothing yet is left out: docs/reliability.md says what it misses.
        if left.restores > 0 && state.copy.is_none() && node.kept.size > 0 {
            actions.push(Action::Copy(at));
        }
        if left.alerts > 0 && node.kept.due > 0 {
            actions.extend([false, true].map(|dies| Action::Alert { node: at, dies }));
        }
        if left.lies > 0 {
            actions.extend((0..self.lies.len()).map(|lie| Action::Lie { to: at, lie }));
        }
    }

    fn arrivals(&self, state: &State, actions: &mut Vec<Action>) {
        for (at, message) in state.net.sent.iter().enumerate() {
            if state.net.sent[..at].contains(message) {
                continue; // the same as the other
            }
            let is_full = state.net.nodes[usize::from(message.to)].core.waiting().count() == MOST_WAITING;
            // The first of those between goes, the last one, or the new one.
            let draws: &[u64] = if is_full { &[0, 7, 8] } else { &[0] };
            for &random in draws {
                actions.push(Action::Deliver { message: at, again: false, random });
                if state.left.doubles > 0 {
                    actions.push(Action::Deliver { message: at, again: true, random });
                }
            }
            if state.left.losses > 0 {
                actions.push(Action::Lose(at));
            }
        }
    }

    fn act(&self, state: &mut State, action: Action) {
        let State { net, copy, left } = state;
        let histories = &self.histories;
        match action {
            Action::Grow(at) => {
                let now = net.nodes[usize::from(at)].kept.size;
                let size = self.sizes[usize::from(at)].iter().copied().find(|size| *size > now);
                net.grow(histories, at, size.expect("there is a next head"));
            }
            Action::Deliver { message, again, random } => {
                let message = if again { net.sent[message].clone() } else { net.sent.remove(message) };
                left.doubles -= u8::from(again);
                net.deliver(histories, message, random);
            }
            Action::Lose(message) => {
                let message = net.sent.remove(message);
                left.losses -= 1;
                net.lose(histories, &message);
            }
            Action::Lie { to, lie } => {
                let from = net.silent.expect("somebody lies");
                left.lies -= 1;
                net.deliver(histories, Message { from, to, what: self.lies[lie].clone() }, 0);
            }
            Action::Crash(at) => {
                left.crashes -= 1;
                net.crash(histories, at);
            }
            Action::Restart(at) => net.restart(histories, at),
            Action::Copy(at) => *copy = Some((at, net.nodes[usize::from(at)].kept.clone())),
            Action::Restore => {
                let (at, kept) = copy.clone().expect("there is a copy");
                left.restores -= 1;
                net.crash(histories, at);
                net.nodes[usize::from(at)].kept = kept;
            }
            Action::Alert { node, dies } => {
                left.alerts -= 1;
                net.alert(histories, node, dies);
            }
            Action::Tick => {
                left.ticks -= 1;
                net.tick(histories, fair::TICK_SECONDS);
            }
        }
    }
}

impl Model for GossipModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State { net: self.net.clone(), copy: None, left: self.left }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.monitors(state).for_each(|at| self.happenings(state, at, actions));
        self.arrivals(state, actions);
        if state.copy.is_some() && state.left.restores > 0 {
            actions.push(Action::Restore);
        }
        if state.left.ticks > 0 {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.act(&mut next, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<GossipModel>> {
        let mut properties = vec![
            Property::always(TRUE_EVIDENCE, |model: &GossipModel, state: &State| {
                let kept = state.net.nodes.iter().flat_map(|node| &node.kept.evidence);
                kept.into_iter().all(|fork| convinces(&model.histories, fork))
            }),
            Property::always(REACHES_ALL, |model: &GossipModel, state: &State| model.reaches_all(state)),
            Property::always(NOT_FORGOTTEN, |_, state: &State| {
                state.net.nodes.iter().all(|node| node.alerted + node.kept.due >= node.kept.evidence.len() as u64)
            }),
            Property::always(BOUNDED, |_, state: &State| {
                let nodes = state.net.nodes.iter();
                let kept = |node: &node::Node| node.core.waiting().map(|one| one.head).collect::<BTreeSet<_>>();
                nodes.filter(|node| node.is_up).all(|node| {
                    let waits = kept(node);
                    waits.len() <= MOST_WAITING && waits == node.kept.waiting.keys().copied().collect()
                })
            }),
        ];
        // Where a monitor is shown nothing more, a minute must pass first.
        let is_frozen =
            |(at, sizes): (usize, &Vec<u8>)| sizes.is_empty() && self.net.silent.map(usize::from) != Some(at);
        if self.histories.forks && !self.sizes.iter().enumerate().any(is_frozen) {
            properties.push(Property::sometimes("all have evidence", |model: &GossipModel, state: &State| {
                model.monitors(state).all(|at| !state.net.nodes[usize::from(at)].kept.evidence.is_empty())
            }));
        }
        properties
    }
}

/// What the properties are called.
pub(crate) const TRUE_EVIDENCE: &str = "all evidence convinces a third party; there is none against an honest log";
pub(crate) const REACHES_ALL: &str = "evidence reaches all who are connected, and each of them tells it";
pub(crate) const NOT_FORGOTTEN: &str = "of every piece of evidence an alert was delivered or is due";
pub(crate) const BOUNDED: &str = "no more heads wait than may, and the same ones on disk";
