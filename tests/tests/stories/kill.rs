//! The server ended at any moment, again and again: what was acknowledged stays.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use claimtrail_log::torture::Random;
use harness::cluster::LogUnderTest;
use harness::process::until;
use serde_json::Value;

use crate::bulk_lines::{acme_key, lines};
use crate::{audit, check, json, log_with_acme};

/// How often the server is ended.
const ROUNDS: u64 = 20;
/// Clients that submit at the same time.
const CLIENTS: usize = 3;
/// Claims of each client in each round.
const CLAIMS: usize = 60;
/// The longest time until the server is ended, in ms: most rounds end in the middle of the claims.
const LONGEST_MS: u64 = 120;

#[test]
fn what_was_acknowledged_survives_every_end() {
    let seed = seed();
    println!("seed {seed}; run it again with STORY_SEED={seed}");
    let mut random = Random::new(seed);
    let mut log = log_with_acme();
    let (mut acknowledged, mut audited, mut killed) = (BTreeMap::new(), 0, 0);
    for round in 0..ROUNDS {
        let mut clients: Vec<_> = (0..CLIENTS).map(|client| submitting(&log, &name(round, client))).collect();
        let moment = Instant::now() + Duration::from_millis(random.below(LONGEST_MS));
        until("the moment", || (Instant::now() >= moment).then_some(()));
        if random.below(4) == 0 {
            log.stop();
        } else {
            log.kill();
            killed += 1;
        }
        // The clients would ask again and again; they are ended, as when a machine is switched off.
        clients.iter_mut().for_each(ended);
        for client in 0..CLIENTS {
            acknowledgements(&log, &name(round, client), &mut acknowledged);
        }
        if round % 5 == 4 {
            check(&log);
        }
        log.serve();
        if round % 5 == 4 {
            // The audit goes on from the one before: entries that were audited must not have changed.
            let size = audit(&log);
            assert!(size >= audited, "seed {seed}, round {round}: {size} entries after {audited}");
            audited = size;
        }
    }
    println!("{} receipts over {killed} kills and {} stops", acknowledged.len(), ROUNDS - killed);
    assert!(!acknowledged.is_empty(), "seed {seed}: nothing was ever acknowledged");
    everything_is_there(&log, &acknowledged, seed);
    audit(&log);
    log.stop();
    check(&log);
}

fn name(round: u64, client: usize) -> String {
    format!("round-{round}-{client}")
}

/// A client in the background that submits [`CLAIMS`] claims in one stream.
fn submitting(log: &LogUnderTest, name: &str) -> Child {
    let file = format!("{name}.ndjson");
    fs::write(log.path().join(&file), lines(&acme_key(log), name, CLAIMS)).expect("written");
    let mut command = Command::new(&log.programs.client);
    command.args(["--trust", "log/trust.policy", "--url", log.url(), "--state", &format!("state-{name}")]);
    command.args(["--quiet", "submit", &file]).current_dir(log.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the client starts")
}

fn ended(client: &mut Child) {
    let _killed = client.kill(); // it may have finished
    client.wait().expect("our own child can be waited for");
}

/// Adds the receipts that the client kept: index by claim id.
fn acknowledgements(log: &LogUnderTest, name: &str, all: &mut BTreeMap<String, u64>) {
    let Ok(kept) = fs::read_to_string(log.path().join(format!("{name}.receipts.ndjson"))) else { return };
    // A line without an end was cut off with the client.
    for line in kept.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let receipt = json(line);
        let id = receipt["claim_id"].as_str().expect("an id").to_owned();
        all.insert(id, receipt["index"].as_u64().expect("an index"));
    }
}

/// Every claim of every round is submitted again: those with a receipt have the index they had, and the others are taken.
fn everything_is_there(log: &LogUnderTest, acknowledged: &BTreeMap<String, u64>, seed: u64) {
    let mut again = BTreeMap::new();
    let names = (0..ROUNDS).flat_map(|round| (0..CLIENTS).map(move |client| name(round, client)));
    let all: String =
        names.map(|name| fs::read_to_string(log.path().join(name + ".ndjson")).expect("written before")).collect();
    fs::write(log.path().join("all.ndjson"), all).expect("written");
    let summary = json(&log.client(&["--json", "submit", "all.ndjson"]));
    assert_eq!(summary["rejected"], Value::from(0), "{summary}");
    acknowledgements(log, "all", &mut again);
    assert_eq!(again.len() as u64, ROUNDS * (CLIENTS * CLAIMS) as u64);
    for (id, index) in acknowledged {
        assert_eq!(again.get(id), Some(index), "seed {seed}: {id} was acknowledged as entry {index}");
    }
    assert!(summary["repeated"].as_u64() >= Some(acknowledged.len() as u64), "{summary}");
}

/// From `STORY_SEED`, else another one each time.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("STORY_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| client::clock::now().0 ^ u64::from(std::process::id()))
}
