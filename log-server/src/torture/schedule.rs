//! One schedule: a course of events drawn from a seed, with everything re-verified after each.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use super::claims::{claims, id};
use super::machine::{Base, End, Machine};
use super::plan::{Chances, Counts};
use super::random::Random;
use super::store::flip_in_batch;
use crate::store::memory::Part;
use crate::testing::acme;

/// The promise that every schedule submits at its end and no other does.
const LAST_PROMISE: usize = 159;
/// Entries of the larger log that schedules begin from: a tile is full a few claims later.
const LARGE: usize = 250;
/// Long enough that old heads are thinned (a day and a half).
const A_DAY_AND_MORE_MS: u64 = 36 * 60 * 60 * 1000;
/// Steps of the longest schedule.
const MOST_STEPS: u64 = 22;

/// A schedule that found something.
#[derive(Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What was wrong.
    pub what: String,
    /// Its steps up to there.
    pub steps: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        write!(f, "after {}\nagain: CLAIMTRAIL_SEED={} make torture", self.steps.join(", "), self.seed)
    }
}

struct Schedule {
    random: Random,
    machine: Machine,
    steps: Vec<String>,
    damaged: bool,
}

/// Runs the schedule of a seed. `scratch` is a folder in which the real `check` may work.
pub fn run(seed: u64, scratch: &Path) -> Result<Counts, Failure> {
    let mut random = Random::new(seed);
    let machine = match random.below(16) {
        0..2 => Machine::new(seed),
        2 => Machine::from(large(), seed),
        _ => Machine::from(small(), seed),
    };
    let mut schedule = Schedule { random, machine, steps: Vec::new(), damaged: false };
    match schedule.play(scratch) {
        Ok(()) => {
            schedule.machine.plan.count("· schedules");
            Ok(schedule.machine.plan.counts())
        }
        Err(what) => Err(Failure { seed, what, steps: schedule.steps }),
    }
}

/// A founded log with Acme enrolled.
pub(super) fn small() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| grown(0))
}

/// The same with promises up to just below a full tile.
fn large() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| grown(LARGE - 2))
}

fn grown(promises: usize) -> Base {
    static ENROLMENT: OnceLock<proto::dsse::Envelope> = OnceLock::new();
    static PROMISES: OnceLock<Vec<proto::dsse::Envelope>> = OnceLock::new();
    let enrolment = ENROLMENT.get_or_init(acme);
    let about = |n| crate::testing::support(&format!("OLD-{n}"), "2031-03");
    let all = PROMISES.get_or_init(|| (0..LARGE - 2).map(about).collect());
    let mut machine = Machine::new(0);
    machine.found();
    machine.start().expect("a log on a machine without faults starts");
    machine.submit(&[enrolment], None);
    let some: Vec<_> = all.iter().take(promises).collect();
    some.chunks(50).for_each(|chunk| machine.submit(chunk, None));
    machine.stop(&[]);
    machine.ledger.see(|model| model.check_log(&machine.disk));
    machine.ledger.verdict().expect("a log on a machine without faults is sound");
    machine.base()
}

impl Schedule {
    fn play(&mut self, scratch: &Path) -> Result<(), String> {
        let steps = 6 + self.random.below(MOST_STEPS - 6);
        let damage_at = (self.random.below(6) == 0).then(|| self.random.below(steps));
        let chances = self.chances();
        self.machine.plan.set(chances);
        for step in 0..steps {
            if damage_at == Some(step) {
                self.damage()?;
            }
            self.step();
            if self.machine.plan.is_dead() && !self.machine.is_down() {
                self.crash("died");
            }
            self.verify()?;
        }
        self.machine.plan.set(Chances::default());
        match self.damaged {
            true => self.end_damaged(scratch),
            false => self.end_sound(scratch),
        }
    }

    /// Some schedules fail all the time, some once.
    fn chances(&mut self) -> Chances {
        let random = &mut self.random;
        Chances {
            read: random.pick(&[0, 2, 10, 30]),
            write: random.pick(&[20, 100, 250, 500]),
            record: random.pick(&[0, 10, 50, 200]),
            recover: random.pick(&[0, 100, 400]),
            die: random.pick(&[0, 2, 8, 20]),
        }
    }

    fn verify(&mut self) -> Result<(), String> {
        let machine = &self.machine;
        if !self.damaged {
            machine.ledger.see(|model| model.check_log(&machine.disk));
        }
        machine.ledger.verdict()
    }

    fn note(&mut self, step: impl Into<String>) {
        self.steps.push(step.into());
        self.machine.plan.count("· steps");
    }

    fn crash(&mut self, why: &str) {
        let end = self.random.pick(&[End::Killed, End::PowerLost]);
        self.note(format!("{why} ({end:?})"));
        self.machine.plan.count(if end == End::Killed { "· kills" } else { "· power losses" });
        self.machine.end(end);
    }

    fn step(&mut self) {
        if self.machine.is_down() && self.random.chance(800) {
            return self.start();
        }
        if self.machine.why_halted().is_some() && self.random.chance(800) {
            self.note("recover");
            return self.machine.recover();
        }
        match self.random.below(40) {
            0..20 => self.submit(),
            20..23 => {
                self.note("stamp");
                self.machine.stamp();
            }
            23..26 => self.crash("crash"),
            26..28 => {
                self.note("stop");
                let some = self.some_claims();
                self.machine.stop(&some);
            }
            28..34 => self.clock(),
            34 => {
                self.note("prune");
                self.machine.prune();
            }
            35 => {
                self.note("report");
                let key = self.random.number();
                self.machine.report(key);
            }
            36 => {
                self.note("rebuild");
                self.end_if_up();
                if !self.damaged {
                    self.machine.rebuild();
                }
            }
            37 if self.random.below(2) == 0 => {
                self.note("freeze");
                self.end_if_up();
                self.machine.freeze();
            }
            38 if self.random.below(2) == 0 => {
                self.note("freeze claim");
                self.machine.submit(&[claims().freeze()], None);
            }
            _ => self.submit(),
        }
    }

    fn end_if_up(&mut self) {
        if !self.machine.is_down() {
            self.machine.stop(&[]);
        }
    }

    fn start(&mut self) {
        self.note("start");
        if self.machine.ledger.ask(|model| model.size()) == 0 {
            self.machine.found();
        }
        let _why = self.machine.start(); // the next step tries again
    }

    fn some_claims(&mut self) -> Vec<&'static proto::dsse::Envelope> {
        let count = 1 + self.random.below(5);
        (0..count).map(|_| claims().any(&mut self.random)).filter(|e| !std::ptr::eq(*e, last_promise())).collect()
    }

    fn submit(&mut self) {
        let some = self.some_claims();
        self.note(format!("submit {}", some.len()));
        self.machine.submit(&some, None);
    }

    fn clock(&mut self) {
        let ms = i64::try_from(self.random.below(9_000)).unwrap_or(0);
        match self.random.below(12) {
            0..7 => {
                self.note("time passes");
                self.machine.pass(ms.unsigned_abs());
            }
            7 => {
                self.note("clock a little back");
                self.machine.set_clock(-ms);
            }
            8 => {
                self.note("clock far back");
                self.machine.plan.count("clock jumped back");
                self.machine.set_clock(-60_000 - ms);
            }
            9 => {
                self.note("clock far ahead");
                self.machine.plan.count("clock jumped ahead");
                self.machine.set_clock(ms * 10);
            }
            10 => {
                self.note("a day passes");
                self.crash("crash");
                self.machine.pass(A_DAY_AND_MORE_MS);
            }
            _ => {
                self.note("clock set right");
                self.machine.set_clock(0);
            }
        }
    }

    /// Nothing fails any more: the log must come up, know what it acknowledged, and take a claim unless it is frozen.
    fn end_sound(&mut self, scratch: &Path) -> Result<(), String> {
        self.note("all is well again");
        self.crash("crash");
        self.machine.set_clock(0);
        self.machine.pass(2 * 60 * 60 * 1000);
        self.verify()?;
        if self.machine.ledger.ask(|model| model.size()) == 0 {
            self.machine.found();
            self.verify()?;
        }
        self.machine.start().map_err(|why| format!("the log does not start without faults: {why}"))?;
        let frozen = self.machine.ledger.ask(|model| model.contains(&id(claims().freeze())));
        let sent: Vec<_> =
            self.machine.sent.values().copied().filter(|e| !std::ptr::eq(*e, claims().freeze())).collect();
        self.machine.submit(&sent, None);
        self.verify()?;
        let enrolment = claims().enrolments().last();
        enrolment.into_iter().for_each(|enrolment| self.machine.submit(&[enrolment], None));
        self.machine.submit(&[last_promise()], None);
        self.machine.stop(&[]);
        self.verify()?;
        let taken = self.machine.ledger.ask(|model| model.contains(&id(last_promise())));
        if taken == frozen {
            return Err(format!("frozen: {frozen}, and a claim at the end taken: {taken}"));
        }
        if self.random.below(32) == 0 {
            self.machine.plan.count("· checks by `check`");
            if let Some(difference) = self.machine.check(scratch)? {
                return Err(format!("check says {difference:?}"));
            }
        }
        Ok(())
    }

    /// One bit flips: in a claim that waits, in a batch on its way to the store, or in what is stored.
    fn damage(&mut self) -> Result<(), String> {
        const PARTS: [Part; 6] = [Part::Entry, Part::Hash, Part::State, Part::Row, Part::SignedHead, Part::Head];
        self.machine.plan.set(Chances::default());
        self.crash("crash");
        self.verify()?;
        self.machine.set_clock(0);
        self.machine.pass(2 * 60 * 60 * 1000);
        if self.machine.ledger.ask(|model| model.size()) == 0 {
            self.machine.found();
        }
        self.machine.start().map_err(|why| format!("the log does not start before the damage: {why}"))?;
        self.verify()?;
        let (part, place) = (self.random.pick(&PARTS), self.random.place(10_000));
        let bit = self.random.place(1 << 20);
        self.machine.ledger.damage();
        self.damaged = true;
        match self.random.below(3) {
            0 => {
                self.note("a bit of a waiting claim flips");
                self.machine.plan.count("bit flipped between admission and signing: a claim");
                self.machine.submit(&[last_promise()], Some(bit));
            }
            1 => {
                self.note(format!("a bit of a batch flips: {part:?} {place} {bit}"));
                self.machine.plan.count("bit flipped between admission and signing: a batch");
                let ledger = self.machine.ledger.clone();
                if let Some(store) = self.machine.store().cloned() {
                    store.spoil(Box::new(move |batch| {
                        if matches!(part, Part::Entry | Part::Head | Part::SignedHead) && !batch.entries.is_empty() {
                            ledger.spoil_from(batch.first.0);
                        }
                        flip_in_batch(batch, part, place, bit);
                    }));
                }
                self.machine.submit(&[last_promise()], None);
            }
            _ => {
                self.note(format!("a stored bit flips: {part:?} {place} {bit}"));
                self.machine.plan.count(match part {
                    Part::Entry => "bit flipped in a stored entry",
                    Part::Hash => "bit flipped in a stored hash",
                    Part::State => "bit flipped in the stored state",
                    Part::Row => "bit flipped in a stored row",
                    Part::SignedHead => "bit flipped in a stored signed head",
                    Part::Head => "bit flipped in the committed head",
                });
                self.machine.disk.flip(part, place, bit);
            }
        }
        self.machine.ledger.verdict()
    }

    /// Whatever a damaged log did since: `check` finds a difference if and only if something is not as it should be.
    fn end_damaged(&mut self, scratch: &Path) -> Result<(), String> {
        self.crash("crash");
        self.machine.ledger.verdict()?;
        let sound = self.machine.ledger.ask(|model| model.check_stored_log(&self.machine.disk));
        let found = self.machine.check(scratch)?;
        match (&sound, &found) {
            (Ok(()), None) => self.machine.plan.count("· damage refused, the log is sound"),
            (Err(_), Some(_)) => self.machine.plan.count("· damage found by `check`"),
            _ => return Err(format!("the log is {sound:?}, `check` says {found:?}")),
        }
        Ok(())
    }
}

fn last_promise() -> &'static proto::dsse::Envelope {
    claims().promise(LAST_PROMISE)
}
