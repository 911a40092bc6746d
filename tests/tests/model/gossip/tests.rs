//! What the checker is asked about gossip.

use std::sync::Arc;

use monitor::gossip::core::{Fork, MOST_WAITING, Proof, Shown, Source, Told, Waiting};
use proto::num::{Seconds, TreeSize};

use super::net::{Mutant, Net};
use super::node::{Node, What, signed};
use super::{GossipModel, Left, NOT_FORGOTTEN, REACHES_ALL, TRUE_EVIDENCE, push};
use crate::check::{self, counterexample, deeper};
use crate::history::{Head, Histories};

/// Monitors of one log, `shown` says to which of them it shows the fork; all know each other.
fn net(shown: &[bool], silent: Option<u8>) -> Net {
    let all: Vec<u8> = (0..u8::try_from(shown.len()).unwrap()).collect();
    let node = |&me: &u8| {
        let peers = all.iter().copied().filter(|peer| *peer != me).collect();
        Node::new(me, peers, shown[usize::from(me)])
    };
    Net {
        nodes: all.iter().map(node).collect(),
        sent: Vec::new(),
        now: 1000,
        cut: Vec::new(),
        silent,
        pulls: false,
        mutant: None,
    }
}

fn model(histories: Histories, net: Net, sizes: &[&[u8]], left: Left) -> GossipModel {
    let sizes = sizes.iter().map(|sizes| sizes.to_vec()).collect();
    GossipModel { histories, net, sizes, left, lies: Vec::new(), longest: Arc::default() }
}

/// Every state that so many events lead to, the initial one counted; and from each of them the run goes on without faults.
const DEEP: usize = 8;
/// The same where a table is full: each state is large.
const DEEP_IN_A_FLOOD: usize = 9;

fn holds(name: &str, model: GossipModel, deep: usize) {
    let longest = model.longest.clone();
    check::holds(name, model, deep + usize::from(deeper()));
    let (seconds, states) = *longest.lock().unwrap();
    println!("{name}: from {states} states with a fork all had the evidence within {seconds} s without further faults");
}

/// Two monitors, to one of which a fork is shown, ahead of the other or behind it.
fn pair(mutant: Option<Mutant>) -> GossipModel {
    let left = Left { losses: 1, doubles: 1, crashes: 1, alerts: 1, ..Left::default() };
    let mut net = net(&[false, true], None);
    net.mutant = mutant;
    model(Histories::new(1, 4), net, &[&[1, 3], &[2, 4]], left)
}

#[test]
fn of_two_monitors_both_have_the_evidence() {
    holds("gossip, a pair", pair(None), DEEP);
}

/// Three monitors in a row: the first and the last one are not connected.
fn row(mutant: Option<Mutant>, left: Left) -> GossipModel {
    let mut net = net(&[false, false, true], None);
    (net.cut, net.mutant) = (vec![(0, 2)], mutant);
    model(Histories::new(1, 3), net, &[&[2], &[2], &[3]], left)
}

#[test]
fn in_a_row_of_three_it_is_passed_on() {
    holds("gossip, a row", row(None, Left { losses: 1, crashes: 1, ..Left::default() }), DEEP);
}

/// The same, and one of them is put back to an old state. Whoever sent it the evidence does not send it again.
fn put_back(pulls: bool) -> GossipModel {
    let mut model = row(None, Left { restores: 1, losses: 1, crashes: 1, ..Left::default() });
    model.net.pulls = pulls;
    model
}

#[test]
fn a_monitor_put_back_to_an_old_state_hears_of_it_again() {
    holds("gossip, put back", put_back(true), DEEP);
}

/// The same, and the log shows the one in the middle nothing beyond what both histories have.
fn frozen() -> GossipModel {
    let mut model = row(None, Left { losses: 1, ..Left::default() });
    model.sizes[1] = Vec::new();
    model.net.nodes[1].kept.size = 1;
    model.net.nodes[1].is_up = false;
    model
}

#[test]
fn who_is_shown_nothing_more_passes_heads_on() {
    holds("gossip, frozen in the middle", frozen(), DEEP);
}

/// Two monitors and a peer that lies, about an honest log.
fn framed(mutant: Option<Mutant>, left: Left) -> GossipModel {
    let mut histories = Histories::new(1, 5);
    histories.forks = false;
    let mut net = net(&[false, false, false], Some(2));
    net.mutant = mutant;
    let mut model = model(histories, net, &[&[2, 3], &[3, 4], &[]], left);
    model.lies = lies(&model.histories);
    model
}

/// Heads that the log signed with proofs of all sorts, a head in the wrong place, and evidence that is made up.
fn lies(histories: &Histories) -> Vec<What> {
    let (honest, forged) = (Head { size: 5, fork: false }, Head { size: 5, fork: true });
    let root = |size, fork| histories.root(Head { size, fork });
    let proof =
        |from: u8, root, of| Some(Proof { from: TreeSize(from.into()), root, hashes: histories.proof(from, of) });
    let made_up = |smaller, shown| {
        let (smaller, larger) = (signed(histories, smaller), signed(histories, honest));
        What::Evidence { number: 1, fork: Fork { smaller, larger, shown } }
    };
    let proven = Shown::Proof { root: root(3, true), hashes: histories.proof(3, honest) };
    vec![
        push(histories, honest, None),
        push(histories, honest, proof(3, None, honest)),
        push(histories, honest, proof(3, None, forged)),
        push(histories, honest, proof(2, Some(root(2, true)), honest)),
        push(histories, honest, proof(4, Some(root(4, true)), honest)),
        push(histories, Head { size: 1, fork: false }, None),
        made_up(Head { size: 3, fork: false }, proven),
        made_up(Head { size: 3, fork: true }, Shown::OwnTree),
        made_up(forged, Shown::SameSize),
    ]
}

/// As many lies as there are turns for.
const LIES: Left = Left { losses: 1, lies: 2, ticks: 1, doubles: 0, crashes: 0, restores: 0, alerts: 0 };

#[test]
fn an_honest_log_cannot_be_framed() {
    holds("gossip, lies about an honest log", framed(None, LIES), DEEP);
}

/// One lie, and whatever else can go wrong beside it.
#[test]
fn an_honest_log_is_not_framed_by_what_monitors_suffer() {
    let left = Left { losses: 1, doubles: 1, crashes: 1, restores: 1, lies: 1, ..Left::default() };
    holds("gossip, an honest log and troubles", framed(None, left), DEEP);
}

/// The table of the first monitor is full of heads that the log signed and shows to nobody else; the second one has the fork.
/// The sizes of the flood are below the fork's, so that it is not among the smallest.
fn flooded(mutant: Option<Mutant>, left: Left) -> GossipModel {
    let most = u8::try_from(MOST_WAITING).unwrap();
    let histories = Histories::new(1, most + 6);
    let mut net = net(&[false, true, true], Some(2));
    net.mutant = mutant;
    let first = &mut net.nodes[0];
    let waits = (0..most).map(|n| signed(&histories, Head { size: n + 4, fork: false }));
    let anyone = |head| (head, Waiting::new(head, Source::Anyone, Seconds(1000), Told::Nothing));
    first.kept.waiting = waits.map(anyone).collect();
    (first.is_up, first.proves) = (false, 3);
    model(histories, net, &[&[3], &[2, most + 5], &[]], left)
}

#[test]
fn a_flood_hides_no_fork() {
    let left = Left { losses: 1, ..Left::default() };
    holds("gossip, flooded", flooded(None, left), DEEP_IN_A_FLOOD);
}

#[test]
fn every_broken_rule_has_a_counterexample() {
    let once = Left { crashes: 1, losses: 1, alerts: 1, ..Left::default() };
    let pair = |mutant| pair(Some(mutant));
    for (name, property, model) in [
        ("framed, believes any evidence", TRUE_EVIDENCE, framed(Some(Mutant::TakesAnyEvidence), LIES)),
        ("framed, convicts who is silent", TRUE_EVIDENCE, framed(Some(Mutant::SilenceIsEvidence), LIES)),
        ("a row, evidence is kept too late", REACHES_ALL, row(Some(Mutant::KeptInMemory), once)),
        ("a row, what is lost counts as taken", REACHES_ALL, row(Some(Mutant::LostIsTaken), once)),
        ("a row, put back, and nobody asks for evidence", REACHES_ALL, put_back(false)),
        ("a pair, an alert is struck off first", NOT_FORGOTTEN, pair(Mutant::AlertForgotten)),
        ("flooded, a full table is deaf", REACHES_ALL, flooded(Some(Mutant::FullTableIsDeaf), Left::default())),
    ] {
        assert!(!counterexample(name, property, model).is_empty());
    }
}
