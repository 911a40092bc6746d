//! What fails, and when: drawn call by call from the schedule's seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::random::Random;

/// How often calls fail, in 1000.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chances {
    /// A read fails.
    pub read: u64,
    /// A write goes wrong in one of its ways.
    pub write: u64,
    /// A write or sync of the signer's record fails. After that only a restart helps, so it should be rarer.
    pub(super) record: u64,
    /// A recovery of the store fails.
    pub recover: u64,
    /// The process dies within a call.
    pub die: u64,
}

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes well.
    Well,
    /// It is lost, and the store promises so.
    Refused,
    /// It is lost, and all that is known is that it failed.
    Lost,
    /// It is done although an error came back.
    Persisted,
    /// It is done some time after the error, or never.
    Late,
    /// It can be read, but was never synced: a recovery or a restart may lose it again.
    Unsynced,
    /// The process dies before it.
    DiesBefore,
    /// The process dies after it.
    DiesAfter,
}

/// Counts by what happened.
pub type Counts = BTreeMap<&'static str, u64>;

#[derive(Debug)]
struct Inner {
    random: Random,
    chances: Chances,
    dead: bool,
    counts: Counts,
}

/// The schedule's faults; clones are the same schedule.
#[derive(Debug, Clone)]
pub(super) struct Plan(Arc<Mutex<Inner>>);

impl Plan {
    /// Nothing fails until [`Plan::set`].
    pub(super) fn new(seed: u64) -> Plan {
        let inner =
            Inner { random: Random::new(seed), chances: Chances::default(), dead: false, counts: Counts::new() };
        Plan(Arc::new(Mutex::new(inner)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on calls fail this often.
    pub(super) fn set(&self, chances: Chances) {
        self.inner().chances = chances;
    }

    /// How often calls fail now.
    pub(super) fn chances(&self) -> Chances {
        self.inner().chances
    }

    /// Whether the process died within a call. From then on nothing it does has an effect.
    pub(super) fn is_dead(&self) -> bool {
        self.inner().dead
    }

    /// A new process.
    pub(super) fn revive(&self) {
        self.inner().dead = false;
    }

    /// What happened so far.
    pub(super) fn counts(&self) -> Counts {
        self.inner().counts.clone()
    }

    /// Counts something.
    pub(super) fn count(&self, what: &'static str) {
        *self.inner().counts.entry(what).or_default() += 1;
    }

    /// A number below `end`, for details of a fault.
    pub(super) fn below(&self, end: usize) -> usize {
        self.inner().random.place(end)
    }

    /// True in about half of all cases.
    pub(super) fn coin(&self) -> bool {
        self.below(2) == 0
    }

    /// Whether a read fails.
    pub(super) fn read_fails(&self, what: &'static str) -> bool {
        let mut inner = self.inner();
        let chances = inner.chances;
        if !inner.dead && inner.random.chance(chances.die) {
            inner.dead = true;
            *inner.counts.entry("process died in a read").or_default() += 1;
        }
        if inner.dead {
            return true;
        }
        let fails = inner.random.chance(chances.read);
        if fails {
            *inner.counts.entry(what).or_default() += 1;
        }
        fails
    }

    /// What becomes of a recovery.
    pub(super) fn recovery(&self) -> Fate {
        let chance = self.inner().chances.recover;
        self.fate(chance, &[Fate::Lost, Fate::Persisted], "recovery")
    }

    /// What becomes of a write, of these ways to go wrong.
    pub(super) fn write(&self, ways: &[Fate], what: &'static str) -> Fate {
        let chance = self.inner().chances.write;
        self.fate(chance, ways, what)
    }

    /// What becomes of a write or sync of the signer's record.
    pub(super) fn record(&self, ways: &[Fate], what: &'static str) -> Fate {
        let chance = self.inner().chances.record;
        self.fate(chance, ways, what)
    }

    fn fate(&self, chance: u64, ways: &[Fate], what: &'static str) -> Fate {
        let mut inner = self.inner();
        let die = inner.chances.die;
        let fate = if inner.dead {
            return Fate::DiesBefore;
        } else if inner.random.chance(4 * die) {
            inner.random.pick(&[Fate::DiesBefore, Fate::DiesAfter])
        } else if inner.random.chance(chance) {
            inner.random.pick(ways)
        } else {
            return Fate::Well;
        };
        inner.dead = matches!(fate, Fate::DiesBefore | Fate::DiesAfter);
        *inner.counts.entry(name(what, fate)).or_default() += 1;
        fate
    }
}

/// The class of a fault, for tables.
fn name(what: &'static str, fate: Fate) -> &'static str {
    match (what, fate) {
        (_, Fate::Well) => "nothing",
        ("commit", Fate::Refused) => "commit refused",
        ("commit", Fate::Lost) => "commit lost",
        ("commit", Fate::Persisted) => "commit persisted but errored",
        ("commit", Fate::Late) => "commit late",
        ("commit", Fate::Unsynced) => "commit readable but never synced",
        ("commit", Fate::DiesBefore) => "process died before a commit",
        ("commit", Fate::DiesAfter) => "process died after a commit",
        ("signed head", Fate::DiesBefore | Fate::DiesAfter) => "process died around storing a signed head",
        ("signed head", Fate::Late) => "signed head late",
        ("signed head", Fate::Persisted) => "signed head persisted but errored",
        ("signed head", _) => "signed head lost",
        ("recovery", Fate::DiesBefore | Fate::DiesAfter) => "process died in a recovery",
        ("recovery", Fate::Persisted) => "recovery done but errored",
        ("recovery", _) => "recovery failed",
        ("report", Fate::Persisted) => "report persisted but errored",
        ("report", _) => "report lost",
        ("pruning", Fate::Persisted) => "pruning done but errored",
        ("pruning", _) => "pruning lost",
        ("rebuild", Fate::Persisted) => "rebuild step persisted but errored",
        ("rebuild", _) => "rebuild step lost",
        ("record write", Fate::DiesBefore | Fate::DiesAfter) => "process died around the record's write",
        ("record write", _) => "record's write lost or torn",
        ("record sync", Fate::DiesBefore | Fate::DiesAfter) => "process died around the record's sync",
        ("record sync", Fate::Persisted) => "record's sync done but errored",
        ("record sync", _) => "record's sync lost",
        _ => "closing failed",
    }
}
