//! What can happen to a witness, and what comes of it.

use monitor::witness::{Answer, Asked, Cosigned, STEPS, Step, decide, higher, may_begin, newer};
use proto::num::{Seconds, TreeSize};
use service::record::SignedRecord;

use super::{Action, Mutant, Process, Record, Signed, State, Stored, WitnessModel, Work};
use crate::history::Head;

/// What the machine's clock can say.
const TIMES: [u8; 2] = [1, 2];

/// Names and the monitor's own types.
impl WitnessModel {
    pub(super) fn record_of(&self, signed: Signed) -> SignedRecord {
        let (size, root) = (TreeSize(signed.head.size.into()), self.histories.root(signed.head));
        SignedRecord { size, root, time: Seconds(signed.time.into()) }
    }

    fn cosigned_of(&self, stored: Stored) -> Cosigned {
        let SignedRecord { size, root, time } = self.record_of(stored.signed);
        Cosigned { size, root, time, note: if stored.note { b"note".to_vec() } else { Vec::new() } }
    }

    pub(super) fn signed(&self, record: SignedRecord) -> Signed {
        let head = self.histories.head(record.size, record.root);
        Signed { head, time: u8::try_from(record.time.0).unwrap() }
    }

    fn decide(&self, last: Option<Stored>, head: Head, old: u8, of: bool, now: u8) -> Result<Signed, Answer> {
        // Where the proof is of the other history, it goes to that one's head of the same size.
        let proof = self.histories.proof(old, Head { fork: of, ..head });
        let (size, root) = (TreeSize(head.size.into()), self.histories.root(head));
        let asked = Asked { old: TreeSize(old.into()), proof: &proof, size, root };
        let last = last.map(|last| self.cosigned_of(last));
        decide(last.as_ref(), &asked, Seconds(now.into())).map(|next| self.signed(next))
    }
}

impl WitnessModel {
    /// What may be next.
    pub(super) fn possible(&self, state: &State, actions: &mut Vec<Action>) {
        let left = &state.left;
        match state.process {
            Process::Down => {
                actions.push(Action::Start);
                if left.acts > 0 && state.record == Record::Missing {
                    actions.push(Action::Follow);
                }
                if state.copy.is_some() && left.copies > 0 {
                    actions.push(Action::Restore);
                }
                for (nothing_newer, finished) in [(false, false), (false, true), (true, false), (true, true)] {
                    if left.acts > 0 {
                        actions.push(Action::Resume { nothing_newer, finished });
                    }
                }
            }
            Process::Up { stopped, doubt, .. } => {
                if doubt && left.talks > 0 {
                    self.talks(state, actions);
                }
                if stopped && !doubt {
                    actions.push(Action::TakeUp);
                }
                if left.crashes > 0 {
                    actions.push(Action::Crash);
                }
                let is_free = state.work.is_empty() || (self.is(Mutant::NoLock) && state.work.len() < 2);
                if is_free && !stopped {
                    self.requests(state, actions);
                }
                self.proceedings(state, actions);
            }
        }
        if left.copies > 0 && state.copy.is_none() {
            actions.push(Action::Copy);
        }
        if left.losses > 0 {
            actions.push(Action::LoseRecord);
        }
    }

    /// Who may ask for what. Who waits for the lock changes nothing, so asking and having the lock are one.
    fn requests(&self, state: &State, actions: &mut Vec<Action>) {
        let waiting = state.clients.iter().enumerate().filter(|(_, client)| !client.done);
        actions.extend(waiting.map(|(at, _)| Action::ClientAsks(at)));
        if !self.clients.is_empty() || state.left.asks == 0 {
            return;
        }
        let heads = self.histories.heads();
        let largest = heads.iter().map(|head| head.size).max().unwrap_or(0);
        for head in heads {
            for (old, proof_of_fork) in (0..=largest).flat_map(|old| [(old, false), (old, true)]) {
                actions.extend(TIMES.map(|now| Action::Ask { head, old, proof_of_fork, now }));
            }
        }
    }

    fn proceedings(&self, state: &State, actions: &mut Vec<Action>) {
        for (at, work) in state.work.iter().enumerate() {
            actions.push(Action::Proceed(at));
            if state.left.failures > 0 && self.steps()[work.done] != Step::Sign {
                actions.extend([false, true].map(|written| Action::Fails { work: at, written }));
            }
        }
    }

    /// Does it; false when it changes nothing.
    pub(super) fn act(&self, state: &mut State, action: Action) -> bool {
        match action {
            Action::Start => self.start(state),
            Action::Ask { head, old, proof_of_fork, now } => {
                let Process::Up { last, .. } = state.process else { return false };
                let Ok(next) = self.decide(last, head, old, proof_of_fork, now) else { return false };
                state.work.push(Work { next, done: 0 });
                state.left.asks -= 1;
            }
            Action::ClientAsks(at) => self.client_asks(state, at),
            Action::Proceed(at) => {
                self.write(state, at);
                Self::step_done(state, at);
            }
            Action::Fails { work, written } => {
                if written {
                    self.write(state, work);
                }
                state.left.failures -= 1;
                if self.is(Mutant::FailureIgnored) {
                    Self::step_done(state, work);
                } else if let Process::Up { stopped, .. } = &mut state.process {
                    *stopped = true; // until it is taken up again, whatever peers say
                    state.work.clear();
                }
            }
            // As `Witness::take_up` does: what a start does, with the same code.
            Action::TakeUp => self.start(state),
            Action::Crash => {
                state.process = Process::Down;
                state.work.clear();
                state.left.crashes -= 1;
            }
            Action::Copy => state.copy = Some((state.table, state.record)),
            Action::Restore => {
                let Some((table, record)) = state.copy else { return false };
                state.left.copies -= 1;
                state.table = table;
                if self.is(Mutant::RecordPutBack) {
                    state.record = record;
                }
            }
            Action::LoseRecord => {
                state.record = Record::Missing;
                state.left.losses -= 1;
            }
            Action::Resume { nothing_newer, finished } => return self.resume(state, nothing_newer, finished),
            Action::Follow => return self.follow(state),
            Action::AskPeers { honest, bad, finished } => return self.ask_peers(state, honest, bad, finished),
        }
        true
    }

    /// As `Witness::open` does.
    fn start(&self, state: &mut State) {
        let stored = state.table.map(|table| self.cosigned_of(table));
        let record = match state.record {
            Record::Missing => None,
            Record::Holds(record) => Some(record.map(|signed| self.record_of(signed))),
        };
        let is_newer = |record| newer(record, stored.as_ref()).is_some() && !self.is(Mutant::RecordNotCompared);
        let stopped = record.is_none_or(is_newer);
        state.process = Process::Up { last: state.table, stopped, doubt: stopped };
        if let Some(last) = state.table.filter(|_| !stopped) {
            state.record = Record::Holds(Some(last.signed));
            if last.note {
                cosign(state, last.signed); // the last head is shown again
            }
        }
    }

    fn client_asks(&self, state: &mut State, at: usize) {
        let Process::Up { last, .. } = state.process else { return };
        let client = &mut state.clients[at];
        let head = Head { size: client.size, fork: false };
        match self.decide(last, head, client.old, false, 1) {
            Ok(next) => state.work.push(Work { next, done: 0 }),
            Err(Answer::Conflict(size)) if size.0 <= client.size.into() => client.old = u8::try_from(size.0).unwrap(),
            Err(Answer::Conflict(_)) => client.done = true, // the witness is further than this client
            Err(other) => panic!("an honest client is told {other:?}"),
        }
    }

    fn step_done(state: &mut State, at: usize) {
        let work = &mut state.work[at];
        work.done += 1;
        if work.done == STEPS.len() {
            let next = state.work.remove(at).next;
            if let Process::Up { last, .. } = &mut state.process {
                *last = Some(Stored { signed: next, note: true });
            }
            let answered = state.clients.iter_mut().filter(|client| client.size == next.head.size);
            answered.for_each(|client| client.done = true);
        }
    }

    /// What the next step of a request leaves behind.
    fn write(&self, state: &mut State, at: usize) {
        let Work { next, done } = state.work[at];
        match self.steps()[done] {
            Step::Store => state.table = Some(Stored { signed: next, note: true }),
            // A file that is gone is written to, and stays gone.
            Step::Record if state.record == Record::Missing => {}
            Step::Record => state.record = Record::Holds(Some(next)),
            Step::Sign => cosign(state, next),
        }
    }

    /// As `Witness::resume` does.
    fn resume(&self, state: &mut State, nothing_newer: bool, finished: bool) -> bool {
        state.left.acts -= 1;
        let record = match state.record {
            Record::Holds(record) => record,
            Record::Missing if nothing_newer && self.may_say_so(state) => None,
            Record::Missing => return false,
        };
        let is_made = state.record == Record::Missing;
        let stored = state.table.map(|table| self.cosigned_of(table));
        let Ok(last) = higher("the log", stored, record.map(|signed| self.record_of(signed))) else { return false };
        if is_made && !finished && !self.is(Mutant::RecordBegunEmpty) {
            return true; // a new record comes to its place with all that it says
        }
        state.record = Record::Holds(record);
        if let Some(last) = last {
            let Cosigned { size, root, time, note } = last;
            let signed = self.signed(SignedRecord { size, root, time });
            state.table = Some(Stored { signed, note: !note.is_empty() });
            if finished {
                state.record = Record::Holds(Some(signed));
            }
        }
        true
    }

    /// As `follow` does. Whoever lost all of it has to know that nothing was cosigned.
    fn follow(&self, state: &mut State) -> bool {
        let stored = state.table.map(|table| self.cosigned_of(table));
        let may = may_begin(stored.as_ref()) && self.may_say_so(state) || self.is(Mutant::RecordMadeUp);
        state.left.acts -= 1;
        state.record = Record::Holds(None);
        may
    }

    /// A careful operator says that nothing newer was cosigned only if it is so.
    fn may_say_so(&self, state: &State) -> bool {
        let known = state.table.map(|table| table.signed);
        let covers = |signed: &Signed| {
            let is_not_below = |known: Signed| known.head.size >= signed.head.size && known.time >= signed.time;
            known.is_some_and(is_not_below)
        };
        self.is(Mutant::CarelessOperator) || state.cosigned.iter().all(covers)
    }
}

/// A cosignature is made. The same one again is no other one.
pub(super) fn cosign(state: &mut State, signed: Signed) {
    if state.cosigned.last() != Some(&signed) {
        state.cosigned.push(signed);
    }
}
