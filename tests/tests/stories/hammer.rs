//! The load tool against a log that runs: what it says it sent is there, and what it says of a log that dies is true.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use harness::cluster::LogUnderTest;
use harness::process::{run, until};
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

/// A load that makes no sense is refused before it leaves anything in the log, and a short one is verified, too.
#[test]
fn options_are_looked_at_before_the_log_is_changed() {
    let log = LogUnderTest::start(programs());
    let enrolling = ["hammer", "--registrar-key", "log/keys/registrar.key", "--issuers", "1", "--keys", "keys"];
    for wrong in [&["--threads", "0"][..], &["--rate", "0"], &["--duration", "1", "--warm-up", "2"], &["-n", "0"]] {
        let output = log.try_client(&[&enrolling, wrong].concat());
        assert_eq!(output.status.code(), Some(64), "{wrong:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(audit(&log), 1, "the constitution alone");
    let few = hammer(&log, &[&enrolling[1..], &["-n", "20", "-c", "8"]].concat());
    all_proven(&few, 1);
}

/// What was asked for and could not be had is no success.
#[test]
fn places_that_cannot_be_verified_and_answers_without_a_place_are_no_success() {
    let log = LogUnderTest::start(programs());
    let vkey = std::fs::read_to_string(log.path().join("log/trust.policy")).expect("init wrote it");
    let vkey =
        vkey.lines().find_map(|line| line.strip_prefix("log ")).expect("a log").split(' ').next().expect("a vkey");
    let add = |body: fn(u64) -> String, more: &[&str]| {
        let url = answering(body);
        let common = ["--url", &url, "hammer", "--add", "-n", "5", "-c", "1", "--deadline", "1"];
        let output = run(&programs().client, log.path(), &[&common, more].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = add(|number| number.to_string(), &[]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = add(|number| number.to_string(), &["--vkey", vkey]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("1 out of reach; 0 acknowledged entries found"), "{said}");
    let (code, said) = add(|_| r#"{"index":1}"#.to_owned(), &[]);
    assert_eq!(code, Some(69), "{said}");
}

/// A server that answers each POST with a body for its number, and everything else with 404, until the test ends.
fn answering(body: fn(u64) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let numbers = Arc::new(AtomicU64::new(0));
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let numbers = numbers.clone();
            std::thread::spawn(move || answer(connection, &numbers, body));
        }
    });
    url
}

fn answer(connection: TcpStream, numbers: &AtomicU64, body: fn(u64) -> String) {
    let mut reader = BufReader::new(connection.try_clone().expect("a second handle"));
    let mut writer = connection;
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if reader.read_until(b'\n', &mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut sent = vec![0; length.unwrap_or(0)];
        let status = if head.starts_with("post ") { "200 OK" } else { "404 Not Found" };
        let body =
            if head.starts_with("post ") { body(numbers.fetch_add(1, Ordering::Relaxed)) } else { String::new() };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if reader.read_exact(&mut sent).and_then(|()| writer.write_all(answer.as_bytes())).is_err() {
            return;
        }
    }
}

/// The entries in the newest head.
pub(crate) fn size(log: &LogUnderTest) -> u64 {
    let head = String::from_utf8(crate::http(log, "/checkpoint")).expect("text");
    head.lines().nth(1).and_then(|line| line.parse().ok()).expect("a size")
}
