//! Three peers, one of which may be bad, are asked what the witness cosigned last.
//!
//! What is assumed of an honest one: it was shown the last cosignature. Without that no number of peers helps
//! ([`Mutant::PeersMissedTheLast`]).

use monitor::witness::{Left as LeftOver, PeerAnswer, Restored, restored};

use super::acts::cosign;
use super::{Action, Mutant, Process, Record, Says, Signed, State, Stored, WitnessModel};

/// Peers that are honest.
const HONEST: u8 = 2;
/// Peers that may be bad.
const BAD: usize = 1;

impl WitnessModel {
    /// Who may answer what.
    pub(super) fn talks(&self, state: &State, actions: &mut Vec<Action>) {
        let shown = (0..state.cosigned.len()).map(Says::Number);
        for bad in [Says::Nothing, Says::None].into_iter().chain(shown) {
            for honest in 0..=HONEST {
                actions.extend([false, true].map(|finished| Action::AskPeers { honest, bad, finished }));
            }
        }
    }

    /// As `Witness::restore` does.
    pub(super) fn ask_peers(&self, state: &mut State, honest: u8, bad: Says, finished: bool) -> bool {
        state.left.talks -= 1;
        let seen = match (self.is(Mutant::PeersMissedTheLast), state.cosigned.as_slice()) {
            (true, [before @ .., _]) => before.last(),
            (_, all) => all.last(),
        };
        let answer =
            |peer: String, last: Option<&Signed>| PeerAnswer { peer, last: last.map(|one| self.record_of(*one)) };
        let mut answers: Vec<PeerAnswer> = (0..honest).map(|at| answer(format!("honest {at}"), seen)).collect();
        match bad {
            Says::Nothing => {}
            Says::None => answers.push(answer("bad".into(), None)),
            Says::Number(at) => answers.push(answer("bad".into(), Some(&state.cosigned[at]))),
        }
        let recorded = match state.record {
            Record::Holds(record) => record,
            Record::Missing => None,
        };
        let own = state.table.map(|table| table.signed).into_iter().chain(recorded);
        let left = LeftOver { own: own.map(|signed| self.record_of(signed)).collect(), seen: Vec::new() };
        let may_be_bad = if self.is(Mutant::FewAnswersAreEnough) { BAD - 1 } else { BAD };
        let Restored::From(from) = restored(&left, &answers, may_be_bad) else { return false };
        let signed = self.signed(from);
        state.table = Some(Stored { signed, note: true });
        if !finished {
            state.process = Process::Down;
            return true;
        }
        state.record = Record::Holds(Some(signed));
        state.process = Process::Up { last: state.table, stopped: false, doubt: false };
        cosign(state, signed); // it is shown again
        true
    }
}
