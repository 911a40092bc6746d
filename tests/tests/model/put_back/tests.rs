//! What the checker is asked about a witness that is put back.

use super::{Left, Mutant, ONE_HISTORY, PutBackModel};
use crate::check::{TO_THE_END, counterexample, deeper, holds};
use crate::history::Histories;

fn put_back(strict: bool, mutant: Option<Mutant>, more: u8) -> PutBackModel {
    let left = Left { asks: 2 + more, crashes: 3, put_back: 2, talks: 3 + more };
    PutBackModel { histories: Histories::new(1, 2), strict, blind: false, left, mutant }
}

/// One that waits for answers, and whose peers are one bad, one blind and two that see.
fn with_blind(mutant: Option<Mutant>, more: u8) -> PutBackModel {
    let left = Left { asks: 3 + more, crashes: 1 + more, put_back: 2, talks: 3 + more };
    PutBackModel { blind: true, left, ..put_back(true, mutant, 0) }
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
fn who_says_what_it_was_shown_does_not_count() {
    holds("strict witness with a blind peer", with_blind(None, deeper()), TO_THE_END);
}

#[test]
fn forgetting_and_beginning_too_early_have_counterexamples() {
    for (strict, mutant) in [
        (false, Mutant::ForgetsWhatItLearned),
        (false, Mutant::ForgetsFirst),
        (false, Mutant::LowerForgetsHigher),
        (true, Mutant::BeginsAtOnce),
        (true, Mutant::FewAnswersAreEnough),
    ] {
        let name = format!("witness that is put back, {mutant:?}");
        assert!(!counterexample(&name, ONE_HISTORY, put_back(strict, Some(mutant), 1)).is_empty());
    }
}

#[test]
fn counting_a_peer_by_what_it_was_shown_has_a_counterexample() {
    let model = with_blind(Some(Mutant::CountsEchoes), 0);
    assert!(!counterexample("strict witness with a blind peer, CountsEchoes", ONE_HISTORY, model).is_empty());
}
