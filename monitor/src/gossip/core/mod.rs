//! What gossip decides, without doing anything: a state machine for one log, with no clock, no randomness and no network.
//!
//! Whoever drives it tells what happened ([`Input`]), when, and what the own tree looks like ([`OwnTree`]); it answers with
//! what is to be done ([`Output`]). The same inputs in the same order give the same outputs, so the machine can be run by a
//! server, by a simulated network, or by a model checker.
//!
//! # Heads
//! A head is its size and its root. Every head that comes here was signed by the log: the driver checks that first.
//!
//! | the head is | what follows |
//! |---|---|
//! | not larger than the own one | it is held against own leaf hashes, with no network: known, or a fork |
//! | larger | it waits: for the own tree to reach it, or for a proof that breaks it |
//!
//! A waiting head asks for the proof that leads from the own head to it: it may have come with one, then the log and whoever
//! sent it are asked, then all peers. A proof that fails says nothing and changes nothing. One that holds leads from some root
//! at the own size: from the own root, then the head extends what is known so far (it is *tied*), or from another root, and
//! then the log signed two trees: a [`Fork`]. A tied head still waits: it may part from the own tree beyond what both have. As
//! long as the own tree does not grow beyond the tie, nothing is told or stated of it, and what was told is over.
//!
//! | waits for | what is done |
//! |---|---|
//! | 0 s | the log and the sender are asked |
//! | [`ASK_ALL_SECONDS`], or both said no | all peers are asked, and are shown the head; of a tied one they are shown it |
//! | [`ALERT_SECONDS`] with no tie | it is told |
//! | [`STATEMENT_SECONDS`] with no tie, and as long of running time | it is stated, signed, that the head stays unavailable |
//!
//! # Bounds
//! At most [`MOST_WAITING`] heads wait ([`Table`]). What is discarded is counted and told.

mod ask;
mod judge;
mod peers;
mod table;

use std::collections::BTreeMap;

use proto::hash::Hash;
use proto::num::{Seconds, TreeSize};

pub use ask::{ALERT_SECONDS, ASK_ALL_SECONDS, COUNTED_SECONDS, LONGEST_ASK_WAIT_SECONDS, STATEMENT_SECONDS};
pub use judge::{Fork, Shown};
pub use peers::{LONGEST_PUSH_WAIT_SECONDS, PUSH_AGAIN_SECONDS, Peer};
pub use table::{LARGEST, MOST_WAITING, SAMPLED, SMALLEST, Table, Told, Waiting};

/// What a head says, beyond whose log it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head {
    /// How many entries.
    pub size: TreeSize,
    /// The root over them.
    pub root: Hash,
}

/// A peer, by its place in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u16);

/// Who showed a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The log itself.
    Log,
    /// A peer.
    Peer(PeerId),
    /// Somebody who cannot be asked back.
    Anyone,
}

/// Who can be asked for a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whom {
    /// The log, which serves tiles.
    Log,
    /// A peer, which has leaf hashes of its own.
    Peer(PeerId),
}

/// That the first entries of a head's tree have this root. Nothing is proven before it was checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Proof {
    /// How many entries.
    pub from: TreeSize,
    /// The root that they have in the head's tree. A proof from a size that is no power of two leads to it by itself.
    pub root: Option<Hash>,
    /// The consistency proof from there to the head.
    pub hashes: Vec<Hash>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// Somebody showed a head that the log signed.
    Received {
        /// The head.
        head: Head,
        /// Who.
        source: Source,
        /// What came with it.
        proof: Option<Proof>,
        /// Drawn for this input alone, and not known to whoever sent it.
        random: u64,
    },
    /// This head's entries were all read and hashed; it is the newest such.
    Grew {
        /// The head.
        own: Head,
    },
    /// A head that waits was held against a larger one that the log signed, whose entries are being read: it is a state of that
    /// tree, or it is not and the fork is told already. Either way there is nothing more to wait for.
    Resolved {
        /// The head.
        head: Head,
        /// Whether it contradicts the larger one.
        contradicts: bool,
    },
    /// An answer to [`Output::Ask`].
    Proven {
        /// The head that the proof leads to.
        head: Head,
        /// Who gave it.
        whom: Whom,
        /// The proof, as it came.
        proof: Proof,
    },
    /// No answer to [`Output::Ask`]: refused, failed, or too late.
    NotProven {
        /// The head.
        head: Head,
        /// Who was asked.
        whom: Whom,
    },
    /// A peer took what was pushed.
    Answered {
        /// Which peer.
        peer: PeerId,
        /// The head that it took.
        pushed: Head,
        /// Its own newest head, signed by the log, if it has one.
        theirs: Option<Head>,
        /// As in [`Input::Received`].
        random: u64,
    },
    /// A peer did not take what was sent: it is away, or refuses.
    Unanswered {
        /// Which peer.
        peer: PeerId,
    },
    /// Evidence is kept under the numbers up to this one.
    Evidence {
        /// The highest number.
        last: u64,
    },
    /// A peer has the evidence of this number and all before it.
    EvidenceTaken {
        /// Which peer.
        peer: PeerId,
        /// The number.
        number: u64,
    },
    /// This process ran for so many seconds since this was said last, by a clock that nobody sets.
    Ran {
        /// How many.
        seconds: u64,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Output {
    /// Keep that this head waits, before anybody is told that it was taken; or that it is tied, or is not any more. If nothing is
    /// told of it, what was told before is over.
    Waits(Waiting),
    /// The head waits no more: it is a state of the own tree, or not.
    Settled {
        /// The head.
        head: Head,
        /// Whether it contradicts what is known; a [`Output::Fork`] came before.
        contradicts: bool,
    },
    /// The head, which waited or was just shown, waits no more because others do. It is told, with how many there were.
    Discarded {
        /// The head.
        head: Head,
        /// How many heads of this log were discarded so far.
        total: u64,
    },
    /// The log signed two trees.
    Fork(Fork),
    /// Ask for the proof from so many entries to this head.
    Ask {
        /// Whom.
        whom: Whom,
        /// The head.
        head: Head,
        /// The size that the proof begins at.
        from: TreeSize,
    },
    /// Send this head to a peer, with the proof from `old` entries if the own tree has both.
    Push {
        /// Which peer.
        peer: PeerId,
        /// The head.
        head: Head,
        /// The size that the peer has, as far as is known; 0 if nothing is.
        old: TreeSize,
    },
    /// Send this piece of evidence to a peer.
    SendEvidence {
        /// Which peer.
        peer: PeerId,
        /// Its number.
        number: u64,
    },
    /// Tell that the head still waits.
    Alert(Waiting),
    /// State, signed, that the head stays unavailable.
    State(Waiting),
}

/// The own tree, as far as it was followed.
pub trait OwnTree {
    /// The root of the first `size` entries; nothing if they were not all read.
    fn root_at(&self, size: TreeSize) -> Option<Hash>;
}

/// The gossip of one log. See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Core {
    own: Option<Head>,
    table: Table,
    peers: BTreeMap<PeerId, Peer>,
    discarded: u64,
    evidence: u64,
}

impl Core {
    /// A machine that knows these peers and nothing else.
    pub fn new(peers: impl IntoIterator<Item = PeerId>) -> Core {
        Core {
            own: None,
            table: Table::default(),
            peers: peers.into_iter().map(|peer| (peer, Peer::default())).collect(),
            discarded: 0,
            evidence: 0,
        }
    }

    /// After a restart: what waited, how many were discarded, and up to which number each peer has the evidence. Feed
    /// [`Input::Grew`] and [`Input::Evidence`] next.
    pub fn restore(
        peers: impl IntoIterator<Item = (PeerId, u64)>,
        waiting: impl IntoIterator<Item = Waiting>,
        discarded: u64,
    ) -> Core {
        let peers = peers.into_iter().map(|(peer, taken)| (peer, Peer::with_evidence(taken))).collect();
        Core { own: None, table: Table::restore(waiting), peers, discarded, evidence: 0 }
    }

    /// Takes one input at this moment. Time may stand still or jump; it only moves deadlines.
    pub fn step(&mut self, now: Seconds, input: Input, tree: &impl OwnTree) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Received { head, source, proof, random } => {
                self.heard(now, source, head);
                self.receive(now, head, source, proof.as_ref(), random, tree, &mut out);
            }
            Input::Grew { own } => self.grow(now, own, tree, &mut out),
            Input::Resolved { head, contradicts } => self.settle(head, contradicts, &mut out),
            Input::Proven { head, whom, proof } => {
                self.prove(head, &proof, &mut out);
                if self.own.is_some_and(|own| proof.from < own.size) {
                    self.answered_late(now, head, whom, &mut out);
                } else {
                    self.answered(now, head, whom, &mut out);
                }
            }
            Input::NotProven { head, whom } => self.answered(now, head, whom, &mut out),
            Input::Answered { peer, pushed, theirs, random } => {
                self.taken(now, peer, pushed, theirs, &mut out);
                if let Some(theirs) = theirs {
                    self.receive(now, theirs, Source::Peer(peer), None, random, tree, &mut out);
                }
            }
            Input::Unanswered { peer } => self.not_taken(now, peer),
            Input::Evidence { last } => self.evidence_until(now, last, &mut out),
            Input::EvidenceTaken { peer, number } => self.evidence_taken(now, peer, number, &mut out),
            Input::Ran { seconds } => self.ran(seconds, &mut out),
            Input::Tick => {
                self.ask_due(now, &mut out);
                self.push_due(now, &mut out);
            }
        }
        out
    }

    /// The newest head whose entries were all hashed.
    pub fn own(&self) -> Option<Head> {
        self.own
    }

    /// What waits, the smallest first.
    pub fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.table.iter()
    }

    /// How many heads were discarded so far.
    pub fn discarded(&self) -> u64 {
        self.discarded
    }

    /// The number up to which evidence is kept.
    pub fn evidence(&self) -> u64 {
        self.evidence
    }

    /// What is known of a peer.
    pub fn peer(&self, peer: PeerId) -> Option<&Peer> {
        self.peers.get(&peer)
    }
}

#[cfg(test)]
mod tests;
