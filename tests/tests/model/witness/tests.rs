//! What the checker is asked about the witness.

use super::{ALL_COSIGNED, Left, Mutant, NEVER_DOWN, ONE_HISTORY, WitnessModel};
use crate::check::{TO_THE_END, counterexample, deeper, holds};
use crate::history::Histories;

/// Anybody asks, and everything goes wrong that can.
fn hostile(mutant: Option<Mutant>, more: u8) -> WitnessModel {
    WitnessModel {
        histories: Histories::new(1, 3),
        left: Left { asks: 2 + more, crashes: 2 + more, failures: 1, copies: 1, losses: 1, acts: 1 + more, talks: 0 },
        clients: Vec::new(),
        mutant,
    }
}

#[test]
fn it_signs_one_history_and_lowers_nothing_whatever_happens() {
    holds("witness", hostile(None, 1 + deeper()), TO_THE_END);
}

/// Nobody acts, and peers are asked instead: one of three is bad.
fn with_peers(mutant: Option<Mutant>, more: u8) -> WitnessModel {
    let left = Left { asks: 3 + more, crashes: 2 + more, failures: 1, copies: 1, losses: 1, acts: 0, talks: 2 + more };
    WitnessModel { histories: Histories::new(1, 3), left, clients: Vec::new(), mutant }
}

#[test]
fn by_what_its_peers_say_it_signs_one_history_though_one_lies() {
    holds("witness that asks its peers", with_peers(None, deeper()), TO_THE_END);
}

#[test]
fn too_few_answers_and_peers_that_saw_nothing_have_counterexamples() {
    for mutant in [Mutant::FewAnswersAreEnough, Mutant::PeersMissedTheLast] {
        let name = format!("witness that asks its peers, {mutant:?}");
        assert!(!counterexample(&name, ONE_HISTORY, with_peers(Some(mutant), 0)).is_empty());
    }
}

#[test]
fn three_clients_at_once_are_answered_though_it_crashes() {
    let left = Left { asks: 0, crashes: 2 + deeper(), failures: 0, copies: 0, losses: 0, acts: 0, talks: 0 };
    let model = WitnessModel { histories: Histories::new(1, 3), left, clients: vec![1, 2, 3], mutant: None };
    holds("witness with honest clients", model, TO_THE_END);
}

#[test]
fn every_broken_rule_has_a_counterexample() {
    for (mutant, property) in [
        (Mutant::SignsFirst, ONE_HISTORY),
        (Mutant::RecordsLast, ONE_HISTORY),
        (Mutant::NoLock, ONE_HISTORY),
        (Mutant::NoLock, NEVER_DOWN),
        (Mutant::RecordNotCompared, NEVER_DOWN),
        (Mutant::FailureIgnored, ONE_HISTORY),
        (Mutant::RecordPutBack, ONE_HISTORY),
        (Mutant::RecordMadeUp, ONE_HISTORY),
        (Mutant::RecordBegunEmpty, ONE_HISTORY),
        (Mutant::CarelessOperator, ONE_HISTORY),
    ] {
        let name = format!("witness, {mutant:?}");
        assert!(!counterexample(&name, property, hostile(Some(mutant), 0)).is_empty());
    }
}

#[test]
fn clients_are_answered_though_a_write_fails_and_nobody_starts_it_again() {
    let left = Left { asks: 0, crashes: 1, failures: 1 + deeper(), copies: 0, losses: 0, acts: 0, talks: 0 };
    let model = WitnessModel { histories: Histories::new(1, 3), left, clients: vec![1, 2, 3], mutant: None };
    holds("witness that takes a log up again", model, TO_THE_END);
}

#[test]
fn a_client_is_left_waiting_if_the_record_is_lost_and_nobody_acts() {
    let left = Left { asks: 0, crashes: 1, failures: 0, copies: 0, losses: 1, acts: 0, talks: 0 };
    let model = WitnessModel { histories: Histories::new(1, 3), left, clients: vec![1, 2, 3], mutant: None };
    assert!(!counterexample("witness that stays stopped", ALL_COSIGNED, model).is_empty());
}
