//! The witness: requests by anybody, crashes between any two of its steps, writes that fail, databases restored from old copies,
//! a lost record, the operator's acts, and peers that are asked what was cosigned last.
//!
//! What is decided and in which order things are done comes from the monitor (`monitor::witness`: `decide`, `STEPS`, `newer`,
//! `higher`, `restored`); the model has the disk, the process and the world.

mod acts;
mod peers;
mod tests;

use monitor::witness::Step;
use stateright::{Model, Property};

use crate::history::{Head, Histories};

/// A head with the time of its cosignature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Signed {
    head: Head,
    time: u8,
}

/// What the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    signed: Signed,
    /// Whether the log's note is there, too: not when it comes from the record.
    note: bool,
}

/// The record outside of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Record {
    /// Gone or damaged.
    Missing,
    /// Whole; nothing may have been cosigned yet.
    Holds(Option<Signed>),
}

/// The process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Process {
    Down,
    /// In doubt, what peers say may end that it is stopped.
    Up {
        last: Option<Stored>,
        stopped: bool,
        doubt: bool,
    },
}

/// A request that may be cosigned, on its way through the steps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Work {
    next: Signed,
    /// How many of the steps are done.
    done: usize,
}

/// A client that keeps to the protocol: it asks again with the size that it was told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    size: u8,
    old: u8,
    done: bool,
}

/// How often what may still happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    pub(crate) asks: u8,
    pub(crate) crashes: u8,
    pub(crate) failures: u8,
    pub(crate) copies: u8,
    pub(crate) losses: u8,
    pub(crate) acts: u8,
    /// How often peers may be asked.
    pub(crate) talks: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    table: Option<Stored>,
    record: Record,
    /// An old copy of the database, and of the record beside it.
    copy: Option<(Option<Stored>, Record)>,
    process: Process,
    /// Under the lock there is one at most.
    work: Vec<Work>,
    clients: Vec<Client>,
    /// Every cosignature that was ever made, in this order.
    cosigned: Vec<Signed>,
    left: Left,
}

/// One rule broken, to see that the checker notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    SignsFirst,
    RecordsLast,
    NoLock,
    RecordNotCompared,
    FailureIgnored,
    /// The world, not the witness: the record is put back with the database.
    RecordPutBack,
    /// A log whose state is followed anew gets an empty record, whatever the database says.
    RecordMadeUp,
    /// `--nothing-newer` makes an empty record first and writes into it then.
    RecordBegunEmpty,
    /// The operator, not the witness: says that nothing newer was cosigned without knowing it.
    CarelessOperator,
    /// As many answers as peers may be bad are enough.
    FewAnswersAreEnough,
    /// The world, not the witness: the last cosignature did not come to any honest peer.
    PeersMissedTheLast,
}

/// The model with its bounds.
pub(crate) struct WitnessModel {
    pub(crate) histories: Histories,
    pub(crate) left: Left,
    /// With clients that keep to the protocol nobody else asks.
    pub(crate) clients: Vec<u8>,
    pub(crate) mutant: Option<Mutant>,
}

/// What a bad peer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// It does not answer.
    Nothing,
    /// That it knows of no cosignature.
    None,
    /// The cosignature of this number, as if it were the last one.
    Number(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Start,
    /// Somebody asks for a head from this size on, with the proof of one of the histories, at this time of the machine.
    Ask {
        head: Head,
        old: u8,
        proof_of_fork: bool,
        now: u8,
    },
    /// A client that keeps to the protocol asks.
    ClientAsks(usize),
    /// The next step of a request.
    Proceed(usize),
    /// It fails; what it wrote may be there all the same.
    Fails {
        work: usize,
        written: bool,
    },
    /// The log is taken up again after that, by the process itself.
    TakeUp,
    Crash,
    Copy,
    Restore,
    LoseRecord,
    /// `resume-origin`, as far as it comes.
    Resume {
        nothing_newer: bool,
        finished: bool,
    },
    /// `follow`, for a log whose state is to be made anew.
    Follow,
    /// So many honest peers answer, and perhaps the bad one; the process may end between the two writes.
    AskPeers {
        honest: u8,
        bad: Says,
        finished: bool,
    },
}

impl WitnessModel {
    fn steps(&self) -> [Step; 3] {
        let [store, record, sign] = monitor::witness::STEPS;
        match self.mutant {
            Some(Mutant::SignsFirst) => [sign, store, record],
            Some(Mutant::RecordsLast) => [store, sign, record],
            _ => [store, record, sign],
        }
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

impl Model for WitnessModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let clients = self.clients.iter().map(|&size| Client { size, old: 0, done: false }).collect();
        vec![State {
            table: None,
            record: Record::Holds(None),
            copy: None,
            process: Process::Down,
            work: Vec::new(),
            clients,
            cosigned: Vec::new(),
            left: self.left.clone(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.possible(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.act(&mut next, action).then_some(next)
    }

    fn properties(&self) -> Vec<Property<WitnessModel>> {
        let mut properties = vec![
            Property::always(ONE_HISTORY, |model: &WitnessModel, state: &State| {
                let pairs = state.cosigned.iter().enumerate();
                pairs
                    .flat_map(|(at, a)| state.cosigned[..at].iter().map(move |b| (a.head, b.head)))
                    .all(|(a, b)| model.histories.agree(a, b))
            }),
            Property::always(NEVER_DOWN, |_, state: &State| {
                state.cosigned.windows(2).all(|two| two[0].head.size <= two[1].head.size && two[0].time <= two[1].time)
            }),
        ];
        if self.clients.is_empty() {
            properties.push(Property::sometimes("heads of the fork alone are cosigned", |_, state: &State| {
                state.cosigned.iter().any(|signed| signed.head.fork)
            }));
        } else {
            properties.push(Property::eventually(ALL_COSIGNED, |model: &WitnessModel, state: &State| {
                let largest = model.clients.iter().max();
                state.cosigned.last().map(|signed| &signed.head.size) == largest && state.clients.iter().all(|c| c.done)
            }));
        }
        if self.left.talks > 0 {
            properties.push(Property::sometimes(
                "cosigns again after its peers were asked",
                |model: &WitnessModel, state: &State| {
                    let talked = state.left.talks < model.left.talks;
                    talked && !state.work.is_empty() && state.work[0].done == 2
                },
            ));
        }
        if self.left.acts > 0 {
            properties.push(Property::sometimes(
                "cosigns again after the operator's act",
                |model: &WitnessModel, state: &State| {
                    let acted = state.left.acts < model.left.acts && state.left.asks < model.left.asks;
                    acted && !state.work.is_empty() && state.work[0].done == 2
                },
            ));
            properties.push(Property::sometimes("a database from an old copy is noticed", |_, state: &State| {
                let old = state.copy.is_some_and(|(table, _)| table == state.table && table.is_some());
                old && matches!((state.process, state.record), (Process::Up { stopped: true, .. }, Record::Holds(_)))
            }));
        }
        properties
    }
}

/// What the properties are called.
pub(crate) const ONE_HISTORY: &str = "all cosignatures are of one history";
pub(crate) const NEVER_DOWN: &str = "no cosignature is smaller or earlier than one before";
pub(crate) const ALL_COSIGNED: &str = "the largest head is cosigned and every client has its answer";
