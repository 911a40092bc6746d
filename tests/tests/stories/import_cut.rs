//! `claimtrail import … --submit`, ended in the middle of it and taken up again.

use std::fs;
use std::process::{Command, Stdio};

use harness::cluster::LogUnderTest;
use harness::process::until;

use crate::{audit, check, json, programs};

/// Enough that the client is ended long before it is done.
const ROWS: u64 = 3000;
/// Receipts after which it is ended.
const RECEIPTS_BEFORE_THE_CUT: usize = 20;

/// Sightings of firmware, each of another version.
fn rows() -> String {
    let row = |version: u64| {
        format!(
            "{{\"first_seen\":\"2023-01-01T00:00:00Z\",\"vendor_dir\":\"ACME\",\"manufacturerCode\":4476,\"imageType\":1,\
             \"fileVersion\":{version},\"sha512\":\"{version:0128x}\"}}\n"
        )
    };
    (1..=ROWS).map(row).collect()
}

fn receipts(log: &LogUnderTest) -> u64 {
    let kept = fs::read(log.path().join("fw.receipts.ndjson")).unwrap_or_default();
    kept.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[test]
fn an_import_that_was_ended_goes_on_and_nothing_is_twice_in_the_log() {
    let mut log = LogUnderTest::start(programs());
    log.enrol("watch.example", "watch", "researcher", false);
    fs::write(log.path().join("rows.jsonl"), rows()).expect("written");
    let mut command = Command::new(&log.programs.client);
    command.args([
        "--trust",
        "log/trust.policy",
        "--url",
        log.url(),
        "--state",
        "state",
        "import",
        "firmware",
        "rows.jsonl",
    ]);
    command.args(["--issuer", "watch.example", "--key", "watch.sign.key", "-o", "fw.ndjson", "--submit"]);
    command.current_dir(log.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut client = command.spawn().expect("the client starts");
    until("the first receipts", || (receipts(&log) >= RECEIPTS_BEFORE_THE_CUT as u64).then_some(()));
    client.kill().expect("our own child can be ended");
    client.wait().expect("our own child can be waited for");
    let kept = receipts(&log);
    assert!(kept < ROWS, "the client was ended in the middle, with {kept} receipts");

    let again = ["import", "firmware", "rows.jsonl", "--issuer", "watch.example", "-o", "fw.ndjson"];
    let refused = log.try_client(&again);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(74), "{said}");
    assert!(said.contains("submit it"), "what was written is what goes on: {said}");
    let summary = json(&log.client(&["--json", "submit", "fw.ndjson"]));
    let number = |name: &str| summary[name].as_u64().expect("a count");
    assert_eq!((number("rejected"), number("skipped")), (0, kept), "{summary}");
    assert_eq!(number("created") + number("repeated") + kept, ROWS, "{summary}");
    assert_eq!(receipts(&log), ROWS);
    assert_eq!(audit(&log), ROWS + 2, "the constitution, the enrolment, and each row once");
    log.stop();
    assert_eq!(check(&log), ROWS + 2);
}
