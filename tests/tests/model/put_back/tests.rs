//! What the checker is asked about a witness that is put back.

use super::{Left, Mutant, ONE_HISTORY, PutBackModel};
use crate::check::{TO_THE_END, counterexample, deeper, holds};
use crate::history::Histories;

fn put_back(strict: bool, mutant: Option<Mutant>, more: u8) -> PutBackModel {
    let left = Left { asks: 2 + more, crashes: 3, put_back: 2, talks: 3 + more };
    PutBackModel { histories: Histories::new(1, 2), strict, left, mutant }
}

#[test]
fn what_it_learned_outlives_crashes_and_being_put_back_again() {
    holds("witness that is put back", put_back(false, None, 1 + deeper()), TO_THE_END);
}

#[test]
fn who_waits_for_answers_needs_nothing_else() {
    holds("strict witness that is put back", put_back(true, None, 1 + deeper()), TO_THE_END);
}

#[test]
fn forgetting_and_beginning_too_early_have_counterexamples() {
    for (strict, mutant) in [
        (false, Mutant::ForgetsWhatItLearned),
        (false, Mutant::ForgetsFirst),
        (true, Mutant::BeginsAtOnce),
        (true, Mutant::FewAnswersAreEnough),
    ] {
        let name = format!("witness that is put back, {mutant:?}");
        assert!(!counterexample(&name, ONE_HISTORY, put_back(strict, Some(mutant), 1)).is_empty());
    }
}
