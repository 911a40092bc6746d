//! The network between monitors: messages on their way in no order, delivered, doubled or lost.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use monitor::gossip::core::{Fork, Input, MOST_WAITING, Shown, Source, Whom};

use super::node::{Message, Node, What, convinces};
use crate::history::Histories;

/// Monitors and what is on its way between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) sent: Vec<Message>,
    pub(crate) now: u64,
    /// Links that carry nothing.
    pub(crate) cut: Vec<(u8, u8)>,
    /// A node that is no monitor of ours: it answers nothing, and says what it likes.
    pub(crate) silent: Option<u8>,
    /// Whether monitors also ask each other for evidence, and do not only send it.
    pub(crate) pulls: bool,
    pub(crate) mutant: Option<Mutant>,
}

/// One rule broken, to see that the checker notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mutant {
    /// Evidence from a peer is believed.
    TakesAnyEvidence,
    /// Who cannot prove is convicted.
    SilenceIsEvidence,
    /// Evidence and its alert are committed after the answer: a crash in between loses them.
    KeptInMemory,
    /// What was sent is taken for taken.
    LostIsTaken,
    /// An alert is struck off before it is delivered.
    AlertForgotten,
    /// With a full table nothing more is looked at, and nobody is asked or answered.
    FullTableIsDeaf,
}

impl Net {
    /// A node takes an input, and what follows from it. Whatever does not get through fails at once.
    pub(crate) fn input(&mut self, histories: &Histories, at: u8, input: Input) {
        let mut inputs = VecDeque::from([(at, input)]);
        while let Some((at, input)) = inputs.pop_front() {
            let node = &mut self.nodes[usize::from(at)];
            if !node.is_up || is_deaf(self.mutant, node, &input) {
                continue;
            }
            if let (Some(Mutant::SilenceIsEvidence), Input::NotProven { head, .. }) = (self.mutant, &input) {
                let smaller = node.core.own().expect("nobody asks without a tree");
                let accused = Fork { smaller, larger: *head, shown: Shown::OwnTree };
                node.keep(accused);
            }
            let (sent, follow) = node.step(histories, self.now, input);
            inputs.extend(follow.into_iter().map(|input| (at, input)));
            for message in sent {
                match self.carries(message.from, message.to) {
                    true => self.sent.push(message),
                    false => inputs.extend(self.failed(&message)),
                }
            }
        }
        // The order in which they were sent says nothing of the order in which they come.
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        self.sent.sort_by_cached_key(|message| hasher.hash_one(message));
    }

    fn carries(&self, from: u8, to: u8) -> bool {
        let is_cut = self.cut.contains(&(from, to)) || self.cut.contains(&(to, from));
        !is_cut && self.silent != Some(to) && self.nodes[usize::from(to)].is_up
    }

    /// What whoever asked sees when a request or its answer does not come.
    fn failed(&self, message: &Message) -> Option<(u8, Input)> {
        let (asker, other, input) = match &message.what {
            What::Push { .. } | What::Evidence { .. } => (message.from, message.to, None),
            What::PushAnswer { .. } | What::EvidenceAnswer { .. } => (message.to, message.from, None),
            What::Ask { head, .. } => (message.from, message.to, Some(*head)),
            What::AskAnswer { head, .. } => (message.to, message.from, Some(*head)),
        };
        if self.silent == Some(asker) {
            return None;
        }
        let peer = self.nodes[usize::from(asker)].id(other);
        let failed = match input {
            None if self.mutant == Some(Mutant::LostIsTaken) => Input::EvidenceTaken { peer, number: 1 },
            None => Input::Unanswered { peer },
            Some(head) => Input::NotProven { head, whom: Whom::Peer(peer) },
        };
        Some((asker, failed))
    }

    /// A message comes. `random` is what the receiver draws.
    pub(crate) fn deliver(&mut self, histories: &Histories, message: Message, random: u64) {
        let Message { from, to, what } = message;
        if self.silent == Some(to) {
            return;
        }
        let node = &self.nodes[usize::from(to)];
        let peer = node.id(from);
        let answer = |what| Message { from: to, to: from, what };
        let (input, answer) = match what {
            What::Push { head, proof } => {
                let theirs = node.core.own();
                let input = Input::Received { head, source: Source::Peer(peer), proof, random };
                (Some(input), Some(answer(What::PushAnswer { pushed: head, theirs })))
            }
            What::PushAnswer { pushed, theirs } => (Some(Input::Answered { peer, pushed, theirs, random }), None),
            What::Ask { head, from } => {
                let is_deaf = self.mutant == Some(Mutant::FullTableIsDeaf) && is_full(node);
                let proof = node.own(histories).proof(from, head).filter(|_| !is_deaf);
                (None, Some(answer(What::AskAnswer { head, proof })))
            }
            What::AskAnswer { head, proof: Some(proof) } => {
                (Some(Input::Proven { head, whom: Whom::Peer(peer), proof }), None)
            }
            What::AskAnswer { head, proof: None } => (Some(Input::NotProven { head, whom: Whom::Peer(peer) }), None),
            What::Evidence { number, fork } => {
                // What convinces nobody is answered, so that it does not come again, and not kept.
                let is_taken = convinces(histories, &fork) || self.mutant == Some(Mutant::TakesAnyEvidence);
                let new = is_taken.then(|| self.nodes[usize::from(to)].keep(fork)).flatten();
                (new, Some(answer(What::EvidenceAnswer { number })))
            }
            What::EvidenceAnswer { number } => (Some(Input::EvidenceTaken { peer, number }), None),
        };
        if let Some(input) = input {
            self.input(histories, to, input);
        }
        if let Some(answer) = answer.filter(|answer| self.silent != Some(answer.to)) {
            self.sent.push(answer);
        }
    }

    /// It does not come.
    pub(crate) fn lose(&mut self, histories: &Histories, message: &Message) {
        if let Some((asker, input)) = self.failed(message) {
            self.input(histories, asker, input);
        }
    }

    /// A process ends. Connections to it and from it end, too.
    pub(crate) fn crash(&mut self, histories: &Histories, at: u8) {
        let node = &mut self.nodes[usize::from(at)];
        node.is_up = false;
        if self.mutant == Some(Mutant::KeptInMemory) {
            node.kept.evidence.clear();
            node.kept.due = 0;
        }
        let (gone, stay) = self.sent.drain(..).partition::<Vec<_>, _>(|message| message.from == at || message.to == at);
        self.sent = stay;
        gone.iter().for_each(|message| self.lose(histories, message));
    }

    pub(crate) fn restart(&mut self, histories: &Histories, at: u8) {
        for input in self.nodes[usize::from(at)].restart(histories) {
            self.input(histories, at, input);
        }
    }

    /// The log shows a node that it has grown; the node follows.
    pub(crate) fn grow(&mut self, histories: &Histories, at: u8, size: u8) {
        let node = &mut self.nodes[usize::from(at)];
        node.kept.size = size;
        let own = node.own(histories).head(size);
        self.input(histories, at, Input::Grew { own });
    }

    pub(crate) fn tick(&mut self, histories: &Histories, seconds: u64) {
        self.now += seconds;
        for at in 0..u8::try_from(self.nodes.len()).unwrap() {
            self.input(histories, at, Input::Tick);
        }
    }

    /// Every monitor asks every other one for its evidence, from the first piece on, as it does after a start.
    pub(crate) fn pull(&mut self, histories: &Histories) {
        let all = 0..u8::try_from(self.nodes.len()).unwrap();
        for (at, from) in all.clone().flat_map(|at| all.clone().map(move |from| (at, from))) {
            if at == from || !self.carries(at, from) || self.silent == Some(at) {
                continue;
            }
            let shown = self.nodes[usize::from(from)].kept.evidence.clone();
            for fork in shown.into_iter().filter(|fork| convinces(histories, fork)) {
                if let Some(input) = self.nodes[usize::from(at)].keep(fork) {
                    self.input(histories, at, input);
                }
            }
        }
    }

    /// The outbox of a node delivers its first alert, and then strikes it off. The process may die in between.
    pub(crate) fn alert(&mut self, histories: &Histories, at: u8, dies: bool) {
        let is_struck_first = self.mutant == Some(Mutant::AlertForgotten);
        let node = &mut self.nodes[usize::from(at)];
        node.alerted += u64::from(!(dies && is_struck_first));
        node.kept.due -= u64::from(!dies || is_struck_first);
        if dies {
            self.crash(histories, at);
        }
    }
}

fn is_full(node: &Node) -> bool {
    node.core.waiting().count() >= MOST_WAITING
}

fn is_deaf(mutant: Option<Mutant>, node: &Node, input: &Input) -> bool {
    let is_work = matches!(input, Input::Received { .. } | Input::Answered { .. } | Input::Tick);
    mutant == Some(Mutant::FullTableIsDeaf) && is_full(node) && is_work
}
