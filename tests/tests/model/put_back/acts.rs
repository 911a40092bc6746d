//! What can happen to a witness that is put back, and what comes of it.

use monitor::witness::{
    Asked, Cosigned, Known, Left as LeftOver, PeerAnswer, RestoreStep, Restored, STEPS, Said, Step, begins, counted,
    decide, doubted, is_above, learn, restored,
};
use proto::num::{Seconds, TreeSize};
use service::record::SignedRecord;

use super::{Action, BAD, Disk, Doing, HONEST, Mutant, PutBackModel, Running, Says, Signed, State, What};
use crate::history::Head;

/// What the machine's clock can say.
const TIMES: [u8; 2] = [1, 2];
/// Actions within which a witness that nothing happens to is through: a start, two questions, and the steps of both.
const SOON: usize = 12;

/// Names and the monitor's own types.
impl PutBackModel {
    fn record_of(&self, signed: Signed) -> SignedRecord {
        let (size, root) = (TreeSize(signed.head.size.into()), self.histories.root(signed.head));
        SignedRecord { size, root, time: Seconds(signed.time.into()) }
    }

    fn cosigned_of(&self, signed: Signed) -> Cosigned {
        let SignedRecord { size, root, time } = self.record_of(signed);
        Cosigned { size, root, time, note: Vec::new() }
    }

    fn signed(&self, record: SignedRecord) -> Signed {
        let head = self.histories.head(record.size, record.root);
        Signed { head, time: u8::try_from(record.time.0).unwrap() }
    }

    /// These, and what is new of them.
    fn learned(&self, known: &[Signed], new: &[Signed]) -> Vec<Signed> {
        let known_of = |signed: &Signed| Known { record: self.record_of(*signed), note: Vec::new() };
        let mut seen: Vec<Known> = known.iter().map(known_of).collect();
        new.iter().for_each(|signed| learn(&mut seen, &known_of(signed)));
        seen.into_iter().map(|known| self.signed(known.record)).collect()
    }
}

impl PutBackModel {
    /// What may be next.
    pub(super) fn possible(&self, state: &State, actions: &mut Vec<Action>) {
        let left = &state.left;
        match &state.running {
            None => {
                actions.push(Action::Start);
                if state.copy.is_some() && left.put_back > 0 {
                    actions.extend([What::Database, What::WithRecord, What::Machine].map(Action::PutBack));
                }
            }
            Some(running) => {
                if left.crashes > 0 {
                    actions.push(Action::Crash);
                }
                match running.doing {
                    Some(_) => actions.push(Action::Proceed),
                    None => {
                        if left.asks > 0 && running.doubt.is_none() && !running.waits {
                            let heads = self.histories.heads().into_iter();
                            actions.extend(heads.flat_map(|head| TIMES.map(|now| Action::Ask { head, now })));
                        }
                        if left.talks > 0 {
                            self.talks(state, actions);
                        }
                    }
                }
            }
        }
        if state.copy.is_none() && left.put_back > 0 {
            actions.push(Action::Copy);
        }
    }

    /// Who may answer what. See the module for what is assumed where nobody has to be waited for.
    fn talks(&self, state: &State, actions: &mut Vec<Action>) {
        let fewest = if self.strict || state.is_told { 0 } else { 1 };
        let shown = (0..state.cosigned.len()).map(Says::Number);
        let may_be_blind = |running: &Running| running.own_at_start.is_some() && running.doubt.is_none();
        let may_be_blind = self.blind && state.running.as_ref().is_some_and(may_be_blind);
        for bad in [Says::Nothing, Says::None].into_iter().chain(shown) {
            for honest in fewest..=HONEST {
                for blind in [false, true].into_iter().filter(|blind| may_be_blind || !blind) {
                    actions.push(Action::Talk { honest, bad, blind, written: true });
                    if state.left.crashes > 0 {
                        actions.push(Action::Talk { honest, bad, blind, written: false });
                    }
                }
            }
        }
    }

    /// Does it; false when it changes nothing.
    pub(super) fn act(&self, state: &mut State, action: Action) -> bool {
        match action {
            Action::Start => self.start(state),
            Action::Ask { head, now } => return self.ask(state, head, now),
            Action::Proceed => self.proceed(state),
            Action::Crash => {
                state.running = None;
                state.left.crashes -= 1;
            }
            Action::Copy => state.copy = Some(state.disk.clone()),
            Action::PutBack(what) => {
                let Some(copy) = state.copy.clone() else { return false };
                state.left.put_back -= 1;
                state.disk = match what {
                    What::Database => Disk { table: copy.table, ..state.disk.clone() },
                    What::WithRecord => Disk { learned: state.disk.learned.clone(), ..copy },
                    What::Machine => copy,
                };
                state.is_told = false;
            }
            Action::Talk { honest, bad, blind, written } => return self.talk(state, (honest, bad, blind), written),
        }
        true
    }

    /// As `Witness::open` does, and `gossip::start::begin`.
    fn start(&self, state: &mut State) {
        let disk = &mut state.disk;
        let (stored, record) =
            (disk.table.map(|last| self.cosigned_of(last)), disk.record.map(|last| self.record_of(last)));
        let learned: Vec<SignedRecord> = disk.learned.iter().map(|seen| self.record_of(*seen)).collect();
        let is_doubt = doubted(record, stored.as_ref(), &learned).is_some();
        let doubt = is_doubt.then(|| disk.learned.clone());
        if !is_doubt {
            disk.record = disk.table.or(disk.record);
            disk.learned.clear();
        }
        let waits = !self.is(Mutant::BeginsAtOnce);
        let last = disk.table;
        let said = vec![Said::default(); self.peers().into()];
        state.running = Some(Running { last, doubt, waits, own_at_start: last, said, doing: None });
        if let Some(last) = last.filter(|_| !is_doubt) {
            cosign(state, last); // the last head is shown again
        }
    }

    fn ask(&self, state: &mut State, head: Head, now: u8) -> bool {
        let Some(running) = &mut state.running else { return false };
        let last = running.last.map(|last| self.cosigned_of(last));
        let old = running.last.map_or(0, |last| last.head.size);
        let (size, root) = (TreeSize(head.size.into()), self.histories.root(head));
        let proof = self.histories.proof(old, head);
        let asked = Asked { old: TreeSize(old.into()), proof: &proof, size, root };
        let Ok(next) = decide(last.as_ref(), &asked, Seconds(now.into())) else { return false };
        running.doing = Some(Doing::Cosigns { next: self.signed(next), done: 0 });
        state.left.asks -= 1;
        true
    }

    fn proceed(&self, state: &mut State) {
        let Some(running) = &mut state.running else { return };
        match running.doing {
            Some(Doing::Cosigns { next, done }) => {
                let is_done = done + 1 == STEPS.len();
                running.doing = (!is_done).then_some(Doing::Cosigns { next, done: done + 1 });
                match self.steps()[done] {
                    Step::Store => state.disk.table = Some(next),
                    Step::Record => state.disk.record = Some(next),
                    Step::Sign => {
                        running.last = Some(next);
                        cosign(state, next);
                    }
                }
            }
            Some(Doing::Restores { from, done }) => {
                let steps = self.restore_steps();
                match steps[done] {
                    RestoreStep::Store => state.disk.table = Some(from),
                    RestoreStep::Record => state.disk.record = Some(from),
                    RestoreStep::Forget => state.disk.learned.clear(),
                }
                let is_done = done + 1 == steps.len();
                running.doing = (!is_done).then_some(Doing::Restores { from, done: done + 1 });
                if is_done {
                    (running.last, running.doubt) = (Some(from), None);
                    cosign(state, from); // it is shown again
                }
            }
            None => {}
        }
    }

    /// As `Gossip::look_after` does with what its peers answer.
    fn talk(&self, state: &mut State, (honest, bad, blind): (u8, Says, bool), written: bool) -> bool {
        state.left.talks = state.left.talks.saturating_sub(1);
        let last = state.cosigned.last().copied();
        let bad = match bad {
            Says::Nothing => None,
            Says::None => Some(None),
            Says::Number(at) => Some(Some(state.cosigned[at])),
        };
        let Some(running) = &mut state.running else { return false };
        // The blind one sees nothing first, and is shown then what the witness itself has.
        let is_first = running.said.get(usize::from(HONEST + BAD)) == Some(&Said::default());
        let echo = running.own_at_start.filter(|_| !is_first);
        let answers: Vec<(u8, Option<Signed>)> = (0..honest)
            .map(|peer| (peer, last))
            .chain(bad.map(|said| (HONEST, said)))
            .chain(blind.then_some((HONEST + BAD, echo)))
            .collect();
        let known: Vec<Signed> = answers.iter().filter_map(|(_, said)| *said).collect();
        self.hear(running, &answers);
        let was_sure = running.doubt.is_none();
        let own = running.last.map(|last| self.cosigned_of(last));
        let above: Vec<Signed> = match was_sure {
            true => known.into_iter().filter(|one| is_above(&self.record_of(*one), own.as_ref())).collect(),
            false => known,
        };
        if !was_sure || !above.is_empty() {
            let before = running.doubt.as_deref().filter(|_| !self.is(Mutant::LowerForgetsHigher));
            let seen = self.learned(before.unwrap_or_default(), &above);
            running.doubt = Some(seen.clone());
            if written && !self.is(Mutant::ForgetsWhatItLearned) {
                state.disk.learned = seen;
            }
        }
        if !written {
            state.running = None;
            state.left.crashes -= 1;
            return true;
        }
        state.is_told |= honest > 0;
        if !was_sure {
            self.restore(state, &answers);
        }
        self.begin(state);
        true
    }

    /// As `gossip::start::Heard` does.
    fn hear(&self, running: &mut Running, answers: &[(u8, Option<Signed>)]) {
        let own = running.own_at_start.map(|own| self.record_of(own).size);
        for (peer, last) in answers {
            let said = &mut running.said[usize::from(*peer)];
            let before = if self.is(Mutant::CountsEchoes) { Said::default() } else { *said };
            *said = before.then(Some(&self.answer(*peer, *last)), own);
        }
    }

    fn answer(&self, peer: u8, last: Option<Signed>) -> PeerAnswer {
        PeerAnswer { peer: peer.to_string(), last: last.map(|one| self.record_of(one)) }
    }

    /// As `Witness::restore` does, up to its first write behind what was learned.
    fn restore(&self, state: &mut State, answers: &[(u8, Option<Signed>)]) {
        let Some(running) = &mut state.running else { return };
        let answers: Vec<PeerAnswer> = answers.iter().map(|(peer, said)| self.answer(*peer, *said)).collect();
        let of = |all: &mut dyn Iterator<Item = Signed>| all.map(|one| self.record_of(one)).collect();
        let left = LeftOver {
            own: of(&mut running.last.into_iter().chain(state.disk.record)),
            seen: of(&mut running.doubt.iter().flatten().copied()),
        };
        if let Restored::From(from) = restored(&left, &answers, BAD.into()) {
            running.doing = Some(Doing::Restores { from: self.signed(from), done: 0 });
        }
    }

    fn begin(&self, state: &mut State) {
        let Some(running) = &mut state.running else { return };
        let needed = if self.is(Mutant::FewAnswersAreEnough) { BAD } else { BAD + 1 };
        if begins(self.strict, counted(&running.said), needed.into()) {
            running.waits = false;
        }
    }

    /// From here on nothing goes wrong, and the honest peers answer. A head that was stored and never signed may be of another history
    /// than what the peers saw; where it stands on the disk, an operator may have to say so.
    pub(super) fn cosigns_again(&self, state: &State) -> bool {
        let mut state = state.clone();
        if [state.disk.table, state.disk.record].iter().flatten().any(|one| !state.cosigned.contains(one)) {
            return true;
        }
        for _ in 0..SOON {
            match &state.running {
                None => self.start(&mut state),
                Some(running) if running.doing.is_some() => self.proceed(&mut state),
                Some(running) if running.doubt.is_none() && !running.waits => return true,
                Some(_) => _ = self.talk(&mut state, (HONEST, Says::Nothing, false), true),
            }
        }
        false
    }
}

/// A cosignature is made. One that was made before says nothing new when it is shown again.
fn cosign(state: &mut State, signed: Signed) {
    if !state.cosigned.contains(&signed) {
        state.cosigned.push(signed);
    }
}
