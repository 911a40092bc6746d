//! A monitor: the real machine of gossip, what it keeps on disk, and what it does with each output.

use std::collections::BTreeMap;

use monitor::gossip::core::{Core, Fork, Head, Input, Output, OwnTree, PeerId, Proof, Shown, Waiting, Whom};
use proto::hash::Hash;
use proto::merkle::verify_consistency;
use proto::num::{Seconds, TreeSize};

use crate::history::{self, Histories};

/// What travels between two monitors: a request, or the answer to one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Push { head: Head, proof: Option<Proof> },
    PushAnswer { pushed: Head, theirs: Option<Head> },
    Ask { head: Head, from: TreeSize },
    AskAnswer { head: Head, proof: Option<Proof> },
    Evidence { number: u64, fork: Fork },
    EvidenceAnswer { number: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Message {
    pub(crate) from: u8,
    pub(crate) to: u8,
    pub(crate) what: What,
}

/// What survives a crash. All that one input changes is committed at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Kept {
    pub(crate) size: u8,
    pub(crate) waiting: BTreeMap<Head, Waiting>,
    pub(crate) discarded: u64,
    pub(crate) evidence: Vec<Fork>,
    /// Up to which number a node has the evidence.
    pub(crate) taken: BTreeMap<u8, u64>,
    /// Alerts in the outbox: of evidence, and of what is discarded.
    pub(crate) due: u64,
}

/// A monitor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) me: u8,
    /// Every other monitor; their places are their numbers for the machine.
    pub(crate) peers: Vec<u8>,
    /// Which history the log shows to it.
    pub(crate) fork: bool,
    /// Up to which size the log answers questions about that history.
    pub(crate) proves: u8,
    pub(crate) core: Core,
    pub(crate) is_up: bool,
    pub(crate) kept: Kept,
    /// How many alerts were delivered, counted by whoever gets them.
    pub(crate) alerted: u64,
}

/// The own tree as far as it was followed.
pub(crate) struct Own<'a> {
    pub(crate) histories: &'a Histories,
    pub(crate) fork: bool,
    pub(crate) size: u8,
}

impl Own<'_> {
    fn name(&self, size: TreeSize) -> Option<history::Head> {
        let size = u8::try_from(size.0).ok().filter(|size| *size <= self.size)?;
        Some(history::Head { size, fork: self.fork })
    }

    pub(crate) fn head(&self, size: u8) -> Head {
        signed(self.histories, history::Head { size, fork: self.fork })
    }

    /// The proof that a node gives for a head of its own tree.
    pub(crate) fn proof(&self, from: TreeSize, head: Head) -> Option<Proof> {
        let (old, new) = (self.name(from)?, self.name(head.size)?);
        if old.size == 0 || old.size >= new.size || self.histories.root(new) != head.root {
            return None;
        }
        Some(Proof { from, root: Some(self.histories.root(old)), hashes: self.histories.proof(old.size, new) })
    }
}

impl OwnTree for Own<'_> {
    fn root_at(&self, size: TreeSize) -> Option<Hash> {
        self.name(size).map(|name| self.histories.root(name))
    }
}

impl Node {
    pub(crate) fn new(me: u8, peers: Vec<u8>, fork: bool) -> Node {
        let core = Core::new(ids(&peers));
        Node { me, peers, fork, proves: u8::MAX, core, is_up: true, kept: Kept::default(), alerted: 0 }
    }

    pub(crate) fn id(&self, node: u8) -> PeerId {
        let place = self.peers.iter().position(|peer| *peer == node).expect("only peers are asked");
        PeerId(u16::try_from(place).unwrap())
    }

    pub(crate) fn own<'a>(&self, histories: &'a Histories) -> Own<'a> {
        Own { histories, fork: self.fork, size: self.kept.size }
    }

    /// The process begins again with what was kept. What it has to take in next.
    pub(crate) fn restart(&mut self, histories: &Histories) -> Vec<Input> {
        let again = self.kept.waiting.values();
        let again = again.map(|one| {
            let again = Waiting::new(one.head, one.source, one.since, one.told).asked_for(one.asked_for);
            again.was_tied(one.tied, one.untied)
        });
        let taken = self.peers.iter().zip(ids(&self.peers));
        let taken = taken.map(|(peer, id)| (id, self.kept.taken.get(peer).copied().unwrap_or(0)));
        self.core = Core::restore(taken.collect::<Vec<_>>(), again.collect::<Vec<_>>(), self.kept.discarded);
        self.is_up = true;
        let mut inputs = Vec::new();
        if self.kept.size > 0 {
            inputs.push(Input::Grew { own: self.own(histories).head(self.kept.size) });
        }
        if !self.kept.evidence.is_empty() {
            inputs.push(Input::Evidence { last: self.kept.evidence.len() as u64 });
        }
        inputs
    }

    /// Takes an input and commits what it changes. What is to be sent, and what follows for the machine itself.
    pub(crate) fn step(&mut self, histories: &Histories, now: u64, input: Input) -> (Vec<Message>, Vec<Input>) {
        let own = self.own(histories);
        if let Input::EvidenceTaken { peer, number } = &input {
            let taken = self.kept.taken.entry(self.peers[usize::from(peer.0)]).or_default();
            *taken = (*taken).max(*number);
        }
        let (mut sent, mut inputs) = (Vec::new(), Vec::new());
        for output in self.core.step(Seconds(now), input, &own) {
            match output {
                Output::Waits(waiting) => {
                    self.kept.waiting.insert(waiting.head, waiting);
                }
                Output::Settled { head, .. } => {
                    self.kept.waiting.remove(&head);
                }
                Output::Discarded { head, total } => {
                    self.kept.waiting.remove(&head);
                    self.kept.discarded = total;
                    self.kept.due = self.kept.due.max(1); // one that says how many
                }
                Output::Fork(fork) => inputs.extend(self.keep(fork)),
                Output::Alert(waiting) | Output::State(waiting) => {
                    self.kept.waiting.insert(waiting.head, waiting);
                    self.kept.due += 1;
                }
                // The log proves what it showed to this monitor, and nothing else.
                Output::Ask { whom: Whom::Log, head, from } => {
                    let shown = Own { histories, fork: self.fork, size: histories.all().min(self.proves) };
                    inputs.push(match shown.proof(from, head) {
                        Some(proof) => Input::Proven { head, whom: Whom::Log, proof },
                        None => Input::NotProven { head, whom: Whom::Log },
                    });
                }
                Output::Ask { whom: Whom::Peer(peer), head, from } => {
                    sent.push(self.to(peer, What::Ask { head, from }));
                }
                Output::Push { peer, head, old } => {
                    let proof = own.proof(old, head).map(|proof| Proof { root: None, ..proof });
                    sent.push(self.to(peer, What::Push { head, proof }));
                }
                Output::SendEvidence { peer, number } => {
                    let place = usize::try_from(number).unwrap() - 1;
                    let fork = self.kept.evidence[place].clone();
                    sent.push(self.to(peer, What::Evidence { number, fork }));
                }
            }
        }
        (sent, inputs)
    }

    /// Evidence and its alert are committed together. One piece convicts the log; more of it is not kept.
    pub(crate) fn keep(&mut self, fork: Fork) -> Option<Input> {
        if !self.kept.evidence.is_empty() {
            return None;
        }
        self.kept.evidence.push(fork);
        self.kept.due += 1;
        Some(Input::Evidence { last: self.kept.evidence.len() as u64 })
    }

    fn to(&self, peer: PeerId, what: What) -> Message {
        Message { from: self.me, to: self.peers[usize::from(peer.0)], what }
    }
}

/// A head as the log signs it.
pub(crate) fn signed(histories: &Histories, head: history::Head) -> Head {
    Head { size: TreeSize(head.size.into()), root: histories.root(head) }
}

fn ids(peers: &[u8]) -> impl Iterator<Item = PeerId> {
    (0..u16::try_from(peers.len()).unwrap()).map(PeerId)
}

/// Whether a third party is convinced, which knows no tree: two heads of the log that exclude each other, and what shows it.
/// What a monitor shows from its own tree goes out as a proof of it.
pub(crate) fn convinces(histories: &Histories, fork: &Fork) -> bool {
    let name = |head: Head| histories.find(head.size, head.root);
    let (Some(smaller), Some(larger)) = (name(fork.smaller), name(fork.larger)) else { return false };
    let are_signed = histories.forks || !(smaller.fork || larger.fork);
    if !are_signed || histories.agree(smaller, larger) || smaller.size > larger.size {
        return false;
    }
    match &fork.shown {
        Shown::SameSize => smaller.size == larger.size,
        Shown::OwnTree => smaller.size < larger.size,
        Shown::Proof { root, hashes } => {
            let (old, new) = (fork.smaller.size, fork.larger.size);
            *root != fork.smaller.root && verify_consistency(old, new, root, &fork.larger.root, hashes).is_ok()
        }
    }
}
