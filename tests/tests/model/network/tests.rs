//! How long it takes in each kind of world.

use std::time::{Duration, Instant};

use super::host::POLL;
use super::{Trouble, World, log};

/// Worlds of each kind in `make test`.
const SEEDS: u64 = 100;

/// What one poll may take besides.
const ONE_SECOND: Duration = Duration::from_secs(1);

/// How long worlds run that break and mend again: longer than twice the longest time between two tries.
const LONG: Duration = Duration::from_secs(180);

/// The seeds of a kind: from `SIM_SEED` on, `SIM_SEEDS` of them.
fn seeds() -> std::ops::Range<u64> {
    let told = |name| std::env::var(name).ok().and_then(|text: String| text.parse().ok());
    let (first, many) = (told("SIM_SEED").unwrap_or(1), told("SIM_SEEDS").unwrap_or(SEEDS));
    first..first + many
}

/// Worlds of a kind: in each one all who can know do within this time.
fn all_know(kind: &str, trouble: Trouble, within: Duration) {
    let (log, begun) = (log(), Instant::now());
    let mut times: Vec<(Duration, u64)> = Vec::new();
    for seed in seeds() {
        let mut world = World::new(&log, trouble, seed);
        let time = world.run(within + ONE_SECOND);
        if world.can_know().is_empty() {
            continue; // nobody is connected with anybody of the other history
        }
        let time = time.unwrap_or_else(|| panic!("{kind}: SIM_SEED={seed} SIM_SEEDS=1: not everybody knows in time"));
        assert!(time <= within, "{kind}: SIM_SEED={seed} SIM_SEEDS=1: it took {time:?}");
        times.push((time, seed));
    }
    times.sort();
    let (median, (slowest, seed)) = (times[times.len() / 2].0, times[times.len() - 1]);
    println!(
        "{kind}: seeds {:?}, {} with a fork to find; half within {:.2} s, all within {:.2} s (seed {seed}); {:.1} s of this machine",
        seeds(),
        times.len(),
        median.as_secs_f64(),
        slowest.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
}

fn three() -> Trouble {
    Trouble { monitors: 3, ..Trouble::default() }
}

#[test]
fn three_monitors_know_within_a_poll_and_a_second() {
    all_know("three monitors", three(), POLL + ONE_SECOND);
}

#[test]
fn with_one_of_four_down_the_others_do() {
    all_know("one of four down", Trouble { monitors: 4, down: 1, ..three() }, POLL + ONE_SECOND);
}

#[test]
fn with_a_third_of_the_links_cut_they_do() {
    all_know("30 % of links cut", Trouble { monitors: 5, cut_percent: 30, ..three() }, POLL + ONE_SECOND);
}

#[test]
fn with_most_peers_silent_they_do() {
    all_know("most peers silent", Trouble { silent: 5, ..three() }, POLL + ONE_SECOND);
}

#[test]
fn with_links_that_break_and_mend_they_do_in_the_end() {
    all_know("links break and mend", Trouble { loss: 0.02, ..three() }, LONG);
}

#[test]
fn with_a_crash_in_the_middle_they_do_when_it_is_back() {
    all_know("one crashes", Trouble { crash: true, ..three() }, LONG);
}

#[test]
fn of_an_honest_log_nobody_has_evidence() {
    let (log, trouble) = (log(), Trouble { honest: true, crash: true, loss: 0.02, cut_percent: 30, ..three() });
    for seed in seeds() {
        let mut world = World::new(&log, Trouble { monitors: 4, silent: 1, ..trouble }, seed);
        assert_eq!(world.run(Duration::from_secs(20)), None);
        assert_eq!(world.evidence(), 0, "SIM_SEED={seed}");
    }
}

#[test]
fn a_seed_is_the_same_world_again() {
    let log = log();
    let trouble = Trouble { monitors: 5, silent: 1, cut_percent: 30, loss: 0.02, crash: true, ..three() };
    for seed in seeds().take(5) {
        let run = || World::new(&log, trouble, seed).run(LONG);
        assert_eq!(run(), run(), "SIM_SEED={seed}");
    }
}
