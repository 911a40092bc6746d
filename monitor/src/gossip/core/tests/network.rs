//! Monitors over a network that loses, doubles and reorders: a fork shown to two of them is found, and all hear of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proto::hash::Hash;
use proto::num::Seconds;

use super::world::{Branch, convinces};
use crate::gossip::core::*;

/// What travels. The last part of a question or push is what the receiver needs to answer.
#[derive(Debug, Clone)]
enum Message {
    Push { head: Head, proof: Option<Proof> },
    PushAnswer { pushed: Head, theirs: Option<Head> },
    Ask { head: Head, from: u64 },
    AskAnswer { head: Head, proof: Option<Proof> },
    Evidence { number: u64, fork: Fork },
    EvidenceAnswer { number: u64 },
}

struct Node {
    core: Core,
    /// The branch that the log shows it, and how far.
    branch: usize,
    size: u64,
    evidence: Vec<Fork>,
}

struct Net<'a> {
    branches: &'a [Branch],
    nodes: Vec<Node>,
    sent: Vec<(usize, usize, Message)>,
    now: u64,
    /// Of 256 messages so many are lost.
    lost: u8,
    random: u64,
}

impl Net<'_> {
    fn draw(&mut self) -> u64 {
        let hash = Hash::of(&self.random.to_be_bytes());
        self.random = u64::from_be_bytes(hash.0[..8].try_into().unwrap());
        self.random
    }

    fn peer(&self, of: usize, id: PeerId) -> usize {
        // Peers are numbered as the nodes are, without oneself.
        let n = usize::from(id.0);
        if n >= of { n + 1 } else { n }
    }

    fn id(&self, of: usize, node: usize) -> PeerId {
        PeerId(u16::try_from(if node > of { node - 1 } else { node }).unwrap())
    }

    fn input(&mut self, at: usize, input: Input) {
        let node = &mut self.nodes[at];
        let branch = &self.branches[node.branch];
        let out = node.core.step(Seconds(self.now), input, &branch.at(node.size));
        for output in out {
            self.act(at, output);
        }
    }

    fn act(&mut self, at: usize, output: Output) {
        let branch = &self.branches[self.nodes[at].branch];
        match output {
            Output::Push { peer, head, old } => {
                let proof = branch.has(head) && old.0 > 0 && old < head.size;
                let proof = proof.then(|| branch.pushed(old.0, head.size.0));
                self.send(at, self.peer(at, peer), Message::Push { head, proof });
            }
            Output::Ask { whom: Whom::Peer(peer), head, from } => {
                self.send(at, self.peer(at, peer), Message::Ask { head, from: from.0 });
            }
            // The log proves nothing that lies on the other branch.
            Output::Ask { whom: Whom::Log, head, from } => {
                let input = match branch.has(head) {
                    true => Input::Proven { head, whom: Whom::Log, proof: branch.proof(from.0, head.size.0) },
                    false => Input::NotProven { head, whom: Whom::Log },
                };
                self.input(at, input);
            }
            Output::SendEvidence { peer, number } => {
                let fork = self.nodes[at].evidence[usize::try_from(number).unwrap() - 1].clone();
                self.send(at, self.peer(at, peer), Message::Evidence { number, fork });
            }
            Output::Fork(fork) => {
                assert!(convinces(&fork, branch), "{fork:?}");
                self.keep(at, fork);
            }
            Output::Waits(_) | Output::Settled { .. } | Output::Discarded { .. } => {}
            Output::Alert(_) | Output::State(_) => {}
        }
    }

    fn keep(&mut self, at: usize, fork: Fork) {
        let evidence = &mut self.nodes[at].evidence;
        if evidence.is_empty() {
            evidence.push(fork);
            self.input(at, Input::Evidence { last: 1 });
        }
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        if to < self.nodes.len() && self.draw() % 256 >= u64::from(self.lost) {
            let twice = self.draw().is_multiple_of(8);
            self.sent.push((from, to, message.clone()));
            if twice {
                self.sent.push((from, to, message));
            }
        }
    }

    /// Delivers one message, whichever.
    fn deliver(&mut self) {
        let at = usize::try_from(self.draw() % self.sent.len() as u64).unwrap();
        let (from, to, message) = self.sent.swap_remove(at);
        let sender = self.id(to, from);
        let random = self.draw();
        match message {
            Message::Push { head, proof } => {
                let theirs = self.nodes[to].core.own();
                self.input(to, Input::Received { head, source: Source::Peer(sender), proof, random });
                self.send(to, from, Message::PushAnswer { pushed: head, theirs });
            }
            Message::PushAnswer { pushed, theirs } => {
                self.input(to, Input::Answered { peer: sender, pushed, theirs, random });
            }
            Message::Ask { head, from: size } => {
                let (node, branch) = (&self.nodes[to], &self.branches[self.nodes[to].branch]);
                let has = branch.has(head) && head.size.0 <= node.size;
                let proof = has.then(|| branch.proof(size, head.size.0));
                self.send(to, from, Message::AskAnswer { head, proof });
            }
            Message::AskAnswer { head, proof } => {
                let whom = Whom::Peer(sender);
                let input = match proof {
                    Some(proof) => Input::Proven { head, whom, proof },
                    None => Input::NotProven { head, whom },
                };
                self.input(to, input);
            }
            Message::Evidence { number, fork } => {
                self.keep(to, fork);
                self.send(to, from, Message::EvidenceAnswer { number });
            }
            Message::EvidenceAnswer { number } => {
                self.input(to, Input::EvidenceTaken { peer: sender, number });
            }
        }
    }

    fn grow(&mut self, at: usize, size: u64) {
        self.nodes[at].size = size;
        let own = self.branches[self.nodes[at].branch].head(size);
        self.input(at, Input::Grew { own });
    }

    /// Until nothing travels, or for so many steps; then time goes on.
    fn run(&mut self, rounds: u64) {
        for _ in 0..rounds {
            for _ in 0..200 {
                if self.sent.is_empty() {
                    break;
                }
                self.deliver();
            }
            self.now += 5;
            (0..self.nodes.len()).for_each(|at| self.input(at, Input::Tick));
        }
    }
}

fn net<'a>(branches: &'a [Branch], shown: &[usize], lost: u8, seed: u64) -> Net<'a> {
    let ids = |_| (0..shown.len() - 1).map(|n| PeerId(u16::try_from(n).unwrap()));
    let node = |(at, branch): (usize, &usize)| Node {
        core: Core::new(ids(at)),
        branch: *branch,
        size: 0,
        evidence: Vec::new(),
    };
    let nodes = shown.iter().enumerate().map(node).collect();
    Net { branches, nodes, sent: Vec::new(), now: 1000, lost, random: seed }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_fork_is_found_and_everybody_hears_of_it(
        parts_at in 1u64..20,
        sizes in prop::collection::vec(1u64..20, 3),
        forked in 0usize..3,
        lost in 0u8..128,
        seed in any::<u64>(),
    ) {
        let branches = [Branch::new(1, 40, parts_at), Branch::new(2, 40, parts_at)];
        let shown: Vec<usize> = (0..3).map(|at| usize::from(at == forked)).collect();
        let mut net = net(&branches, &shown, lost, seed);
        for (at, size) in sizes.iter().enumerate() {
            net.grow(at, parts_at + size);
        }
        net.run(120);
        let heard: BTreeMap<usize, usize> = net.nodes.iter().map(|node| node.evidence.len()).enumerate().collect();
        prop_assert!(heard.values().all(|n| *n == 1), "{heard:?}");
    }

    #[test]
    fn an_honest_log_stays_clean_while_everybody_is_elsewhere(
        steps in prop::collection::vec((0usize..3, 1u64..40), 1..30),
        lost in 0u8..200,
        seed in any::<u64>(),
    ) {
        let branches = [Branch::new(1, 40, 40)];
        let mut net = net(&branches, &[0, 0, 0], lost, seed);
        for (at, size) in steps {
            let size = size.max(net.nodes[at].size);
            net.grow(at, size);
            net.run(1);
        }
        net.run(5);
        prop_assert!(net.nodes.iter().all(|node| node.evidence.is_empty()));
    }
}
