//! The machine alone, then many of them over a bad network.

mod bounds;
mod honest;
mod network;
mod world;

use proto::num::{Seconds, TreeSize};

use super::*;
use world::{Branch, convinces};

const PEER: PeerId = PeerId(0);
const OTHER: PeerId = PeerId(1);

fn shown(head: Head, source: Source, proof: Option<Proof>) -> Input {
    Input::Received { head, source, proof, random: 0 }
}

/// A machine with two peers that has followed a branch so far.
fn follower(branch: &Branch, size: u64) -> Core {
    let mut core = Core::new([PEER, OTHER]);
    core.step(Seconds(0), Input::Grew { own: branch.head(size) }, &branch.at(size));
    core
}

fn forks(out: &[Output]) -> Vec<&Fork> {
    out.iter().filter_map(|output| if let Output::Fork(fork) = output { Some(fork) } else { None }).collect()
}

fn asked(out: &[Output]) -> Vec<Whom> {
    out.iter().filter_map(|output| if let Output::Ask { whom, .. } = output { Some(*whom) } else { None }).collect()
}

#[test]
fn a_head_that_is_not_larger_is_judged_alone() {
    let (mine, other) = (Branch::new(1, 20, 7), Branch::new(2, 20, 7));
    let mut core = follower(&mine, 20);
    for size in 0..=7 {
        assert_eq!(core.step(Seconds(1), shown(other.head(size), Source::Anyone, None), &mine.at(20)), []);
    }
    for size in 8..=20 {
        let out = core.step(Seconds(1), shown(other.head(size), Source::Anyone, None), &mine.at(20));
        assert_eq!((out.len(), forks(&out).len()), (1, 1), "{size}");
        assert!(convinces(forks(&out)[0], &mine));
    }
    assert_eq!(core.waiting().count(), 0);
}

#[test]
fn a_pushed_proof_alone_shows_a_fork_unless_the_own_size_is_a_power_of_two() {
    let (mine, other) = (Branch::new(1, 20, 3), Branch::new(2, 20, 3));
    for own in 4..=19u64 {
        let mut core = follower(&mine, own);
        let pushed = shown(other.head(20), Source::Peer(PEER), Some(other.pushed(own, 20)));
        let out = core.step(Seconds(1), pushed, &mine.at(own));
        if own.is_power_of_two() {
            assert_eq!((forks(&out).len(), asked(&out)), (0, vec![Whom::Log, Whom::Peer(PEER)]), "{own}");
            let proven = Input::Proven { head: other.head(20), whom: Whom::Peer(PEER), proof: other.proof(own, 20) };
            let out = core.step(Seconds(2), proven, &mine.at(own));
            assert!(convinces(forks(&out)[0], &mine), "{own}");
        } else {
            assert!(forks(&out).len() == 1 && convinces(forks(&out)[0], &mine), "{own}: {out:?}");
        }
    }
}

#[test]
fn a_tied_head_waits_until_the_own_tree_is_there_and_may_still_convict() {
    let (mine, other) = (Branch::new(1, 20, 12), Branch::new(2, 20, 12));
    let mut core = follower(&mine, 9);
    let out = core.step(Seconds(1), shown(other.head(15), Source::Peer(PEER), Some(other.pushed(9, 15))), &mine.at(9));
    assert!(matches!(&out[..], [Output::Waits(waiting)] if waiting.tied == Some(TreeSize(9))), "{out:?}");
    // Both trees are one up to 12 entries: at 14 they are not, and the tie has to be made anew.
    let out = core.step(Seconds(2), Input::Grew { own: mine.head(14) }, &mine.at(14));
    assert_eq!(asked(&out), [Whom::Log, Whom::Peer(PEER)]);
    let out = core.step(Seconds(3), Input::Grew { own: mine.head(16) }, &mine.at(16));
    assert!(convinces(forks(&out)[0], &mine));
    assert!(out.contains(&Output::Settled { head: other.head(15), contradicts: true }), "{out:?}");
}

#[test]
fn deadlines_ask_all_then_tell_then_state() {
    let mine = Branch::new(1, 30, 0);
    let mut core = follower(&mine, 9);
    let out = core.step(Seconds(100), shown(mine.head(25), Source::Anyone, None), &mine.at(9));
    assert_eq!(asked(&out), [Whom::Log]);
    let tick = |core: &mut Core, at: u64| {
        core.step(Seconds(at), Input::Ran { seconds: 10 }, &mine.at(9));
        core.step(Seconds(at), Input::Tick, &mine.at(9))
    };
    assert_eq!(asked(&tick(&mut core, 100 + ASK_ALL_SECONDS - 1)), []);
    let out = tick(&mut core, 100 + ASK_ALL_SECONDS);
    assert_eq!(asked(&out), [Whom::Log, Whom::Peer(PEER), Whom::Peer(OTHER)]);
    let shows = |out: &[Output]| out.iter().any(|o| matches!(o, Output::Push { head, .. } if *head == mine.head(25)));
    assert!(shows(&out), "every peer is shown the head");
    let told = |out: &[Output]| out.iter().filter(|o| matches!(o, Output::Alert(_) | Output::State(_))).count();
    let mut times = Vec::new();
    for at in (100..100 + STATEMENT_SECONDS + 10_000).step_by(10) {
        times.extend(vec![at - 100; told(&tick(&mut core, at))]);
    }
    assert_eq!(times, [ALERT_SECONDS, STATEMENT_SECONDS], "each once");
    let out = core.step(Seconds(200_000), Input::Grew { own: mine.head(30) }, &mine.at(30));
    assert!(out.contains(&Output::Settled { head: mine.head(25), contradicts: false }));
}

#[test]
fn a_head_that_is_tied_is_neither_told_nor_stated() {
    let (mine, other) = (Branch::new(1, 30, 12), Branch::new(2, 30, 12));
    let mut core = follower(&mine, 9);
    let (tied, loose) = (other.head(15), other.head(20));
    core.step(Seconds(100), shown(tied, Source::Peer(PEER), Some(other.pushed(9, 15))), &mine.at(9));
    core.step(Seconds(100), shown(loose, Source::Anyone, None), &mine.at(9));
    let (mut told, mut is_shown) = (Vec::new(), false);
    for at in (100..100 + STATEMENT_SECONDS + 10_000).step_by(10) {
        core.step(Seconds(at), Input::Ran { seconds: 10 }, &mine.at(9));
        for output in core.step(Seconds(at), Input::Tick, &mine.at(9)) {
            match output {
                Output::Alert(one) => told.push(("told", one.head, at - 100)),
                Output::State(one) => told.push(("stated", one.head, at - 100)),
                Output::Push { head, .. } => is_shown |= head == tied,
                _ => {}
            }
        }
    }
    assert_eq!(told, [("told", loose, ALERT_SECONDS), ("stated", loose, STATEMENT_SECONDS)]);
    assert!(is_shown, "peers are shown the tied one: it may be of another history than they have");

    // What was told is over when a proof ties it.
    let proven = Input::Proven { head: loose, whom: Whom::Log, proof: other.proof(9, 20) };
    let out = core.step(Seconds(200_000), proven, &mine.at(9));
    assert!(
        matches!(&out[..], [Output::Waits(one)] if one.told == Told::Nothing && one.tied == Some(TreeSize(9))),
        "{out:?}"
    );
    // A start later, with what was kept, it is tied as before.
    let kept: Vec<Waiting> = core.waiting().cloned().collect();
    let again = kept.into_iter().map(|one| {
        let Waiting { head, source, since, told, tied, untied, .. } = one;
        Waiting::new(head, source, since, told).was_tied(tied, untied)
    });
    let mut core = Core::restore([(PEER, 0), (OTHER, 0)], again, 0);
    let alerts = |core: &mut Core, at: u64, size: u64| {
        let out = core.step(Seconds(at), Input::Tick, &mine.at(size));
        out.iter().filter(|output| matches!(output, Output::Alert(_) | Output::State(_))).count()
    };
    core.step(Seconds(300_000), Input::Grew { own: mine.head(9) }, &mine.at(9));
    assert_eq!(alerts(&mut core, 400_000, 9), 0);
    // The own tree grows beyond where the two part, and nobody ties them any more: that counts from then on.
    core.step(Seconds(500_000), Input::Grew { own: mine.head(14) }, &mine.at(14));
    assert_eq!(alerts(&mut core, 500_000 + ALERT_SECONDS - 1, 14), 0);
    assert_eq!(alerts(&mut core, 500_000 + ALERT_SECONDS, 14), 2);
}

#[test]
fn no_clock_that_steps_makes_a_statement_early() {
    let mine = Branch::new(1, 30, 0);
    let is_stated = |out: &[Output]| out.iter().any(|o| matches!(o, Output::State(_)));
    // The machine's clock was years behind when the head came, or is days ahead since a start; and it steps on.
    for began in [0, 1_000_000] {
        let mut core = follower(&mine, 9);
        core.step(Seconds(began), shown(mine.head(25), Source::Anyone, None), &mine.at(9));
        let (mut kept, mut ran) = (None, 0);
        for turn in 0..(STATEMENT_SECONDS / 60 - 1) {
            let now = Seconds(1_000_000 + 200_000 * (turn % 7));
            let out = core.step(now, Input::Ran { seconds: 60 }, &mine.at(9));
            kept =
                out.into_iter().rev().find_map(|o| if let Output::Waits(one) = o { Some(one) } else { None }).or(kept);
            ran += 60;
            assert!(!is_stated(&core.step(now, Input::Tick, &mine.at(9))), "after {ran} s");
        }
        // A crash costs what was not kept, and makes it later.
        let kept: Waiting = kept.unwrap();
        assert!(kept.asked_for <= ran && ran - kept.asked_for < COUNTED_SECONDS, "{kept:?}");
        let again = Waiting::new(kept.head, kept.source, kept.since, Told::Alerted).asked_for(kept.asked_for);
        let mut core = Core::restore([(PEER, 0)], [again], 0);
        let now = Seconds(9_000_000);
        let mut more = kept.asked_for;
        while !is_stated(&core.step(now, Input::Tick, &mine.at(9))) {
            core.step(now, Input::Ran { seconds: 60 }, &mine.at(9));
            more += 60;
        }
        assert_eq!(more, STATEMENT_SECONDS);
    }
}

#[test]
fn when_log_and_sender_say_no_all_are_asked_at_once() {
    let mine = Branch::new(1, 30, 0);
    let mut core = follower(&mine, 9);
    let head = mine.head(25);
    core.step(Seconds(1), shown(head, Source::Peer(PEER), None), &mine.at(9));
    let no = |whom| Input::NotProven { head, whom };
    assert_eq!(core.step(Seconds(1), no(Whom::Log), &mine.at(9)), []);
    assert_eq!(core.step(Seconds(1), no(Whom::Log), &mine.at(9)), [], "one answer told twice is one");
    let out = core.step(Seconds(1), no(Whom::Peer(PEER)), &mine.at(9));
    assert_eq!(asked(&out), [Whom::Log, Whom::Peer(PEER), Whom::Peer(OTHER)]);
}

#[test]
fn a_peer_that_was_away_gets_what_it_missed() {
    let mine = Branch::new(1, 30, 0);
    let mut core = follower(&mine, 9);
    for _ in 0..5 {
        core.step(Seconds(0), Input::Unanswered { peer: PEER }, &mine.at(9));
    }
    let out = core.step(Seconds(1), Input::Grew { own: mine.head(10) }, &mine.at(10));
    assert!(!out.iter().any(|o| matches!(o, Output::Push { peer: PEER, .. })), "it waits for its turn");
    let out = core.step(Seconds(1), Input::Evidence { last: 2 }, &mine.at(10));
    assert!(out.contains(&Output::SendEvidence { peer: PEER, number: 1 }), "evidence is tried at once");
    let out = core.step(Seconds(LONGEST_PUSH_WAIT_SECONDS + 1), Input::Tick, &mine.at(10));
    assert!(out.contains(&Output::Push { peer: PEER, head: mine.head(10), old: TreeSize(0) }), "{out:?}");
    assert!(out.contains(&Output::SendEvidence { peer: PEER, number: 1 }));
    let out = core.step(Seconds(70), Input::EvidenceTaken { peer: PEER, number: 1 }, &mine.at(10));
    assert_eq!(out, [Output::SendEvidence { peer: PEER, number: 2 }]);
    core.step(Seconds(70), Input::EvidenceTaken { peer: PEER, number: 2 }, &mine.at(10));
    let theirs = Some(mine.head(4));
    let taken = Input::Answered { peer: PEER, pushed: mine.head(10), theirs, random: 0 };
    core.step(Seconds(70), taken, &mine.at(10));
    let out = core.step(Seconds(1000), Input::Tick, &mine.at(10));
    assert!(
        !out.iter().any(|o| matches!(o, Output::Push { peer: PEER, .. } | Output::SendEvidence { peer: PEER, .. }))
    );
    let out = core.step(Seconds(1000), Input::Grew { own: mine.head(11) }, &mine.at(11));
    assert!(out.contains(&Output::Push { peer: PEER, head: mine.head(11), old: TreeSize(4) }), "{out:?}");
}

#[test]
fn a_peer_that_shows_something_is_back() {
    let mine = Branch::new(1, 30, 0);
    let mut core = follower(&mine, 9);
    for _ in 0..9 {
        core.step(Seconds(0), Input::Unanswered { peer: PEER }, &mine.at(9));
    }
    core.step(Seconds(1), Input::Evidence { last: 1 }, &mine.at(9));
    let sent = |out: &[Output]| out.contains(&Output::SendEvidence { peer: PEER, number: 1 });
    assert!(!sent(&core.step(Seconds(2), Input::Tick, &mine.at(9))));
    core.step(Seconds(3), shown(mine.head(5), Source::Peer(PEER), None), &mine.at(9));
    assert!(sent(&core.step(Seconds(3), Input::Tick, &mine.at(9))));
}

#[test]
fn two_waiting_heads_can_convict_each_other() {
    let (one, other) = (Branch::new(1, 30, 3), Branch::new(2, 30, 3));
    let mut core = follower(&one, 3);
    core.step(Seconds(1), shown(one.head(20), Source::Anyone, None), &one.at(3));
    let out = core.step(Seconds(1), shown(other.head(20), Source::Anyone, None), &one.at(3));
    assert!(convinces(forks(&out)[0], &one), "two roots for one size");
    let out = core.step(Seconds(1), shown(other.head(29), Source::Peer(PEER), Some(other.pushed(20, 29))), &one.at(3));
    assert!(convinces(forks(&out)[0], &one), "a proof from another root than the one of a head that waits");
}

#[test]
fn a_restart_goes_on_with_what_was_kept() {
    let mine = Branch::new(1, 30, 0);
    let mut core = follower(&mine, 9);
    let mut kept: Vec<Waiting> = Vec::new();
    for size in [25, 12] {
        let out = core.step(Seconds(5), shown(mine.head(size), Source::Peer(PEER), None), &mine.at(9));
        kept.extend(out.into_iter().filter_map(|o| if let Output::Waits(waiting) = o { Some(waiting) } else { None }));
    }
    let again = kept.iter().map(|waiting| Waiting::new(waiting.head, waiting.source, waiting.since, waiting.told));
    let mut core = Core::restore([(PEER, 3)], again, 7);
    assert_eq!((core.waiting().count(), core.discarded(), core.peer(PEER).unwrap().evidence()), (2, 7, 3));
    let out = core.step(Seconds(6), Input::Grew { own: mine.head(13) }, &mine.at(13));
    assert!(out.contains(&Output::Settled { head: mine.head(12), contradicts: false }));
    let out = core.step(Seconds(7), Input::Tick, &mine.at(13));
    assert_eq!(asked(&out), [Whom::Log, Whom::Peer(PEER)], "what waits is asked for again");
}
