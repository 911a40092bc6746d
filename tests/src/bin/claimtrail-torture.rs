//! `make torture`: schedules of faults with ever new seeds, for a given time.
//!
//!     claimtrail-torture [MINUTES]       60 unless told otherwise
//!     CLAIMTRAIL_SEED=7 claimtrail-torture   that schedule alone
//!
//! It ends at the first schedule that finds something, with the command that runs it again.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use claimtrail_log::torture::{Counts, Random, run};

/// Minutes unless told otherwise.
const MINUTES: f64 = 60.0;
/// More than anyone waits, and no more than a moment in time can hold.
const MOST_MINUTES: f64 = 1e6;
/// How often it says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let minutes = std::env::args().nth(1).map_or(Ok(MINUTES), |text| text.parse::<f64>());
    let given = std::env::var("CLAIMTRAIL_SEED").ok().map(|text| text.parse::<u64>());
    let (Ok(minutes @ 0.0..), None | Some(Ok(_))) = (minutes, &given) else {
        return fail("usage: claimtrail-torture [MINUTES], with a whole number in CLAIMTRAIL_SEED if it is set");
    };
    let end = Instant::now() + Duration::from_secs_f64(minutes.min(MOST_MINUTES) * 60.0);
    let Ok(scratch) = tempfile::tempdir() else { return fail("no folder for temporary files") };
    let first = given.and_then(Result::ok);
    let mut seeds = Random::new(first.unwrap_or_else(|| client::clock::now().0 ^ u64::from(std::process::id())));
    let (mut counts, mut said) = (Counts::new(), Instant::now());
    loop {
        // Short enough to be typed again.
        let seed = first.unwrap_or_else(|| seeds.below(1 << 40));
        let ran = std::panic::catch_unwind(|| run(seed, scratch.path()));
        match ran {
            Ok(Ok(more)) => more.into_iter().for_each(|(what, count)| *counts.entry(what).or_default() += count),
            Ok(Err(failure)) => return fail(&format!("seed {seed}: {failure}")),
            Err(_) => return fail(&format!("seed {seed}: a panic; again: CLAIMTRAIL_SEED={seed} make torture")),
        }
        if first.is_some() || Instant::now() >= end {
            break;
        }
        if said.elapsed() > SAY_EVERY {
            said = Instant::now();
            let schedules = counts.get("· schedules").copied().unwrap_or(0);
            say(&format!("{schedules} schedules, the last one of seed {seed}; nothing found\n"));
        }
    }
    for (what, count) in &counts {
        say(&format!("{count:>11} {what}\n"));
    }
    say("nothing found\n");
    ExitCode::SUCCESS
}

fn say(what: &str) {
    let _closed = std::io::stdout().write_all(what.as_bytes()); // nobody listens any more
}

fn fail(what: &str) -> ExitCode {
    let _closed = writeln!(std::io::stderr(), "{what}");
    ExitCode::FAILURE
}
