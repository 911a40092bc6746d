//! A witness that is put back to an old state, learns from its peers that it was, and crashes between any two writes, is put back
//! once more or starts again.
//!
//! What it decides and in which order it writes is the monitor's own (`monitor::witness`: `decide`, `STEPS`, `doubted`, `is_above`,
//! `learn`, `restored`, `RESTORE_STEPS`, `Said`, `counted`, `begins`); the model has the disk, the process and the peers.
//!
//! Assumed of honest peers: they saw the last cosignature. A witness that waits for answers before it begins (*strict*) needs
//! nothing else. One that begins without, by the usual setting, can be told only what somebody tells it: there an honest peer
//! answers after each time that it was put back, until the witness has that on its disk. From then on everybody may be silent.
//!
//! One more peer may be *blind*: it is honest and sees no cosignature. It says so first, and later what somebody showed it, such as
//! the head that the witness was put back to. It answers a witness that knows of a cosignature, since one that was put back to before its
//! first cannot tell who is blind; and one that is not in doubt: then who knows nothing counts among those that may be bad.

mod acts;
mod tests;

use monitor::witness::{RestoreStep, Said, Step};
use stateright::{Model, Property};

use crate::history::{Head, Histories};

/// Peers that are honest.
pub(crate) const HONEST: u8 = 2;
/// Peers that may be bad.
pub(crate) const BAD: u8 = 1;

/// A head with the time of its cosignature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Signed {
    head: Head,
    time: u8,
}

/// What outlives a crash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    table: Option<Signed>,
    record: Option<Signed>,
    /// The file of what was learned of higher cosignatures.
    learned: Vec<Signed>,
}

/// A running witness.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Running {
    last: Option<Signed>,
    /// What it knows of a doubt, if there is one.
    doubt: Option<Vec<Signed>>,
    /// Whether it cosigns nothing before peers have answered.
    waits: bool,
    /// The head that it knew of at its start.
    own_at_start: Option<Signed>,
    /// What each peer has said since the start.
    said: Vec<Said>,
    doing: Option<Doing>,
}

/// What is being done under the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    /// A head is cosigned; so many of the steps are done.
    Cosigns { next: Signed, done: usize },
    /// It goes on from what peers know.
    Restores { from: Signed, done: usize },
}

/// How often what may still happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    pub(crate) asks: u8,
    pub(crate) crashes: u8,
    pub(crate) put_back: u8,
    /// How often peers are asked and answer, or do not.
    pub(crate) talks: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    disk: Disk,
    copy: Option<Disk>,
    running: Option<Running>,
    /// Whether an honest peer has answered since it was put back last, and the witness has that on its disk.
    is_told: bool,
    /// Every cosignature that was ever made, in this order.
    cosigned: Vec<Signed>,
    left: Left,
}

/// One rule broken, to see that the checker notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// What was learned is in memory alone.
    ForgetsWhatItLearned,
    /// The file of it is removed before database and record are as high.
    ForgetsFirst,
    /// It cosigns before a peer has answered.
    BeginsAtOnce,
    /// As many answers as peers may be bad are enough to begin.
    FewAnswersAreEnough,
    /// A peer counts by its last answer: one that is blind counts when it says what it was shown.
    CountsEchoes,
    /// What is learned later takes the place of what was learned, also when it is lower.
    LowerForgetsHigher,
}

/// The model with its bounds.
pub(crate) struct PutBackModel {
    pub(crate) histories: Histories,
    /// Whether answers are waited for before anything is cosigned.
    pub(crate) strict: bool,
    /// Whether there is a peer that is blind.
    pub(crate) blind: bool,
    pub(crate) left: Left,
    pub(crate) mutant: Option<Mutant>,
}

/// What is put back to what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// The database alone.
    Database,
    /// Database and record, and what was learned stays.
    WithRecord,
    /// All of it, as a machine that is restored from a picture of itself.
    Machine,
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
    /// Somebody asks for a head with the proof that there is, at this time of the machine.
    Ask {
        head: Head,
        now: u8,
    },
    /// The next step of what is done.
    Proceed,
    Crash,
    Copy,
    PutBack(What),
    /// The peers are asked. So many honest ones answer, perhaps the bad one and the blind one; the process may end before what they
    /// said is on its disk.
    Talk {
        honest: u8,
        bad: Says,
        blind: bool,
        written: bool,
    },
}

impl PutBackModel {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// All peers.
    fn peers(&self) -> u8 {
        HONEST + BAD + u8::from(self.blind)
    }

    fn steps(&self) -> [Step; 3] {
        monitor::witness::STEPS
    }

    fn restore_steps(&self) -> [RestoreStep; 3] {
        let [store, record, forget] = monitor::witness::RESTORE_STEPS;
        if self.is(Mutant::ForgetsFirst) { [forget, store, record] } else { [store, record, forget] }
    }
}

impl Model for PutBackModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            disk: Disk::default(),
            copy: None,
            running: None,
            is_told: true, // nothing is there to be told
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

    fn properties(&self) -> Vec<Property<PutBackModel>> {
        vec![
            Property::always(ONE_HISTORY, |model: &PutBackModel, state: &State| {
                let pairs = state.cosigned.iter().enumerate();
                pairs
                    .flat_map(|(at, a)| state.cosigned[..at].iter().map(move |b| (a.head, b.head)))
                    .all(|(a, b)| model.histories.agree(a, b))
            }),
            Property::always(NEVER_DOWN, |_, state: &State| {
                state.cosigned.windows(2).all(|two| two[0].head.size <= two[1].head.size && two[0].time <= two[1].time)
            }),
            Property::always(COSIGNS_AGAIN, PutBackModel::cosigns_again),
            Property::sometimes("that it was put back is learned from peers alone", |_, state: &State| {
                let agree = state.disk.table == state.disk.record && state.disk.table.is_some();
                agree && !state.disk.learned.is_empty()
            }),
            Property::sometimes("it cosigns after it was put back twice", |model: &PutBackModel, state: &State| {
                let used = model.left.put_back - state.left.put_back;
                let doing = state.running.as_ref().and_then(|running| running.doing);
                used >= 2 && matches!(doing, Some(Doing::Cosigns { done: 2, .. }))
            }),
        ]
    }
}

/// What the properties are called.
pub(crate) const ONE_HISTORY: &str = "all cosignatures are of one history";
pub(crate) const NEVER_DOWN: &str = "no cosignature is smaller or earlier than one before";
pub(crate) const COSIGNS_AGAIN: &str = "wherever it stands, it cosigns again once its peers answered";
