//! The load tool against a log that runs: what it says it sent is there, and what it says of a log that dies is true.

use harness::cluster::LogUnderTest;
use harness::process::until;
use serde_json::Value;

use crate::{audit, check, json, programs};

/// A run with JSON that must end well.
fn hammer(log: &LogUnderTest, args: &[&str]) -> Value {
    json(&log.client(&[&["--json", "hammer"], args].concat()))
}

fn good(outcome: &Value, kind: &str) -> u64 {
    outcome["requests"][kind]["good"].as_u64().unwrap_or_else(|| panic!("no {kind} in {outcome}"))
}

fn all_proven(outcome: &Value, least: u64) {
    let verified = &outcome["verified"];
    assert_eq!((&verified["failed"], &verified["unchecked"]), (&0.into(), &0.into()), "{outcome}");
    assert!(verified["checked"].as_u64().expect("a count") >= least, "{outcome}");
}

#[test]
fn a_load_of_every_kind_is_counted_verified_and_in_the_log() {
    let mut log = LogUnderTest::start(programs());
    let enrolled = ["--registrar-key", "log/keys/registrar.key", "--issuers", "3", "--keys", "keys", "--verify", "all"];
    let singles = hammer(&log, &[&enrolled[..], &["-n", "300", "-c", "8", "--products", "5"]].concat());
    assert_eq!((good(&singles, "claims"), singles["ended"].as_str()), (300, Some("count")), "{singles}");
    assert_eq!(singles["requests"]["claims"]["answers"]["201"][""], 300, "{singles}");
    assert_eq!(singles["verified"]["in_tree_at_end"], 300, "{singles}");
    all_proven(&singles, 300);

    let kept = ["--keys", "keys", "--verify", "all"];
    let streams = hammer(&log, &[&kept[..], &["-n", "700", "--stream", "2", "--size", "3000"]].concat());
    assert_eq!((good(&streams, "claims"), &streams["verified"]["in_tree_at_end"]), (700, &700.into()), "{streams}");
    all_proven(&streams, 700);

    // Moments for 200 claims, at a rate that any machine keeps.
    let mixed = ["--rate", "100", "--duration", "2", "-c", "4", "--readers", "2", "--proofs", "1"];
    let mixed = hammer(&log, &[&kept[..], &mixed].concat());
    assert_eq!((good(&mixed, "claims"), &mixed["requests"]["claims"]["unanswered"]), (200, &0.into()), "{mixed}");
    for kind in ["tiles", "bundles", "checkpoints", "newest tiles", "newest bundles", "receipts"] {
        assert!(good(&mixed, kind) > 0, "{mixed}");
    }
    all_proven(&mixed, 200 + 6);

    let readers = hammer(&log, &["--readers", "3", "--read", "tile", "-n", "50", "--verify", "all"]);
    assert_eq!((good(&readers, "tiles"), readers["requests"].as_object().map(|kinds| kinds.len())), (50, Some(1)));
    all_proven(&readers, 50);

    let rounds = hammer(&log, &["--keys", "keys", "-n", "20", "--rounds", "3", "--verify", "none"]);
    let rounds = rounds.as_array().expect("a report for each round");
    assert_eq!(rounds.iter().map(|round| good(round, "claims")).collect::<Vec<_>>(), [20, 20, 20]);

    let said = log.client(&["hammer", "--keys", "keys", "-n", "10", "-c", "1"]);
    assert!(said.contains("201 10") && said.contains("ended by       count"), "{said}");
    let entries = 1 + 3 + 300 + 700 + 200 + 60 + 10;
    assert_eq!(audit(&log), entries);
    log.stop();
    assert_eq!(check(&log), entries);
}

#[test]
fn a_log_that_dies_ends_the_run_with_69_and_what_was_done_is_in_the_log() {
    let mut log = LogUnderTest::start(programs());
    hammer(&log, &["--registrar-key", "log/keys/registrar.key", "--issuers", "1", "--keys", "keys", "-n", "1"]);
    let mut command = std::process::Command::new(&programs().client);
    let url = log.url().to_owned();
    command.args(["--trust", "log/trust.policy", "--url", &url, "--json", "hammer", "--keys", "keys"]);
    command.args(["--duration", "60", "--rate", "200", "-c", "4", "--patience", "0.5", "--verify", "none"]);
    command.current_dir(log.path()).env("CLAIMTRAIL_STATE", log.path().join("state"));
    let report = log.path().join("report.json");
    command.stdout(std::fs::File::create(&report).expect("a file")).stderr(std::process::Stdio::null());
    let mut running = command.spawn().expect("the client starts");
    until("some claims", || (size(&log) > 100).then_some(()));
    let seen = size(&log);
    log.kill();
    let status = until("the end of the run", || running.try_wait().expect("our own child can be waited for"));
    assert_eq!(status.code(), Some(69));
    let outcome = json(&std::fs::read_to_string(&report).expect("a report"));
    assert_eq!(outcome["ended"], "server lost", "{outcome}");
    let done = good(&outcome, "claims");
    assert!(outcome["requests"]["claims"]["failures"].as_object().is_some_and(|failures| !failures.is_empty()));
    log.serve();
    // The constitution, the issuer and the first claim came before.
    let now = audit(&log);
    assert!(now >= 3 + done && now >= seen, "{now} entries, {done} acknowledged, {seen} seen");
}

/// A claim put off by the issuer's limit goes again when the log said, over requests and over streams.
#[test]
fn an_issuers_limit_is_kept_as_told() {
    let mut log = LogUnderTest::init(programs());
    let config = log.data().join("config.toml");
    let text = std::fs::read_to_string(&config).expect("init wrote it");
    let limits = "\n[limits]\nissuer_per_second = 10\nissuer_burst = 10\n";
    std::fs::write(&config, format!("{text}{limits}")).expect("written");
    log.serve();
    hammer(&log, &["--registrar-key", "log/keys/registrar.key", "--issuers", "1", "--keys", "keys", "-n", "1"]);
    for how in [["--connections", "2"], ["--stream", "1"]] {
        let outcome = hammer(&log, &[&["--keys", "keys", "-n", "30", "--verify", "all"][..], &how].concat());
        let answers = &outcome["requests"]["claims"]["answers"];
        assert_eq!(good(&outcome, "claims"), 30, "{outcome}");
        let put_off = answers["429"]["limit.issuer"].as_u64().expect("more came than the limit allows");
        assert!((1..300).contains(&put_off), "a client that waits as told asks few times: {outcome}");
        assert!(outcome["elapsed_seconds"].as_f64().is_some_and(|seconds| seconds > 1.0), "{outcome}");
        all_proven(&outcome, 30);
    }
    assert_eq!(audit(&log), 1 + 1 + 1 + 60);
}

/// The entries in the newest head.
pub(crate) fn size(log: &LogUnderTest) -> u64 {
    let head = String::from_utf8(crate::http(log, "/checkpoint")).expect("text");
    head.lines().nth(1).and_then(|line| line.parse().ok()).expect("a size")
}
