//! The server killed again and again under the load tool, which goes on as soon as it is back: every acknowledged claim is in
//! the tree at its place, the log agrees with itself, and an auditor sees one history.
//!
//! `STORY_ROUNDS=200` kills it two hundred times.

use std::fs::File;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use claimtrail_log::torture::Random;
use harness::cluster::LogUnderTest;
use harness::process::until;
use serde_json::Value;

use crate::hammer::size;
use crate::kill::seed;
use crate::{audit, check, json, programs};

/// How often the server is killed unless `STORY_ROUNDS` says otherwise.
const ROUNDS: u64 = 8;
/// Kills within one run of the load tool; between runs the log is checked and audited.
const ROUNDS_A_RUN: u64 = 20;
/// The longest time for which the server works between two kills, in ms.
const LONGEST_MS: u64 = 700;
/// Claims a second: enough that batches are under way at any moment, few enough to verify every receipt meanwhile.
const RATE: &str = "1500";

#[test]
fn nothing_acknowledged_is_lost_over_kills_under_load() {
    let rounds = std::env::var("STORY_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let seed = seed();
    println!("seed {seed}; run it again with STORY_SEED={seed}");
    let mut random = Random::new(seed);
    let mut log = LogUnderTest::start(programs());
    log.client(&["hammer", "--registrar-key", "log/keys/registrar.key", "--issuers", "8", "--keys", "keys", "-n", "1"]);
    let (mut audited, mut acknowledged, mut slowest) = (0, 0, Duration::ZERO);
    let mut left = rounds;
    while left > 0 {
        let kills = left.min(ROUNDS_A_RUN);
        let mut load = load(&log, if random.below(2) == 0 { &["-c", "16"] } else { &["--stream", "3"] }, kills);
        until("the first claims of a run", || (size(&log) > audited).then_some(()));
        for _ in 0..kills {
            let moment = Instant::now() + Duration::from_millis(random.below(LONGEST_MS));
            until("the moment", || (Instant::now() >= moment).then_some(()));
            log.kill();
            let begun = Instant::now();
            log.serve_again();
            slowest = slowest.max(begun.elapsed());
        }
        let status = load.ended(Duration::from_secs(duration(kills)));
        let said = std::fs::read_to_string(log.path().join("load.json")).expect("the load tool's report");
        let outcome = json(&said);
        assert!(status.success(), "seed {seed}: {status}, {outcome}");
        let (good, verified) = (outcome["requests"]["claims"]["good"].as_u64(), &outcome["verified"]);
        let good = good.expect("a count of good answers");
        assert!(good > 0 && verified["failed"] == 0 && verified["unchecked"] == 0, "seed {seed}: {outcome}");
        assert_eq!(verified["in_tree_at_end"], Value::from(good), "seed {seed}: {outcome}");
        acknowledged += good;
        log.stop();
        let entries = check(&log);
        log.serve_again();
        audited = audit(&log);
        assert_eq!(audited, entries, "seed {seed}: an idle log has what its check counts");
        left -= kills;
    }
    // The constitution, eight enrolments and the first claim came before. What was in doubt may be there, too.
    assert!(audited >= 10 + acknowledged, "seed {seed}: {audited} entries, {acknowledged} acknowledged");
    println!(
        "{rounds} kills, {acknowledged} claims acknowledged, all of them found at their places, {audited} entries, \
         slowest restart {} ms",
        slowest.as_millis()
    );
    log.stop();
}

/// The load tool in the background. Dropping it ends it.
struct Load(Child);

impl Load {
    /// Waits for its end: for as long as it sends, and then as long as for anything else.
    fn ended(&mut self, sends_for: Duration) -> ExitStatus {
        let sent = Instant::now() + sends_for;
        loop {
            let status = self.0.try_wait().expect("our own child can be waited for");
            match status {
                Some(status) => return status,
                None if Instant::now() > sent => break,
                None => std::thread::park_timeout(Duration::from_millis(50)),
            }
        }
        until("the end of the load", || self.0.try_wait().expect("our own child can be waited for"))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait()); // it may have finished
    }
}

/// Seconds for which the load tool sends: about as long as so many kills take.
fn duration(kills: u64) -> u64 {
    2 + kills * (LONGEST_MS / 2 + 250) / 1000
}

/// Starts the load tool; its report goes to `load.json`.
fn load(log: &LogUnderTest, how: &[&str], kills: u64) -> Load {
    let seconds = duration(kills).to_string();
    let mut command = Command::new(&log.programs.client);
    command.args(["--trust", "log/trust.policy", "--url", log.url(), "--json", "hammer", "--keys", "keys"]);
    command.args(["--rate", RATE, "--duration", &seconds, "--size", "600", "--patience", "30", "--verify", "all"]);
    command.args(how).current_dir(log.path()).env("CLAIMTRAIL_STATE", log.path().join("state"));
    let report = File::create(log.path().join("load.json")).expect("a file");
    command.stdin(Stdio::null()).stdout(report).stderr(Stdio::null());
    Load(command.spawn().expect("the load tool starts"))
}
