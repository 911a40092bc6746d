//! Stories: whole courses of events with real processes, as operators, issuers and readers live them.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

mod between;
mod bulk;
mod bulk_lines;
mod demo;
mod end_to_end;
mod evidence;
mod forks;
mod full_disk;
mod hammer;
mod import_cut;
mod independent;
mod kill;
mod kill_hammer;
mod read_only;
mod transcripts;

use std::path::{Path, PathBuf};

use harness::cluster::LogUnderTest;
use harness::process::Programs;
use serde_json::Value;

/// The thin programs of this very build.
fn programs() -> Programs {
    Programs {
        client: env!("CARGO_BIN_EXE_story-client").into(),
        log: env!("CARGO_BIN_EXE_story-log").into(),
        monitor: env!("CARGO_BIN_EXE_story-monitor").into(),
    }
}

/// A log with the manufacturer `acme.example`, whose keys are `acme.*.key`.
fn log_with_acme() -> LogUnderTest {
    let log = LogUnderTest::start(programs());
    log.enrol("acme.example", "acme", "manufacturer", false);
    log
}

/// JSON from a file.
fn json_file(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// JSON that a program printed.
fn json(printed: &str) -> Value {
    serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// The receipt in the story's folder, `<stem>.receipt.json`.
fn receipt(log: &LogUnderTest, stem: &str) -> Value {
    json_file(&log.path().join(format!("{stem}.receipt.json")))
}

/// The text at a name of a JSON object.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

/// Writes and signs a support claim of Acme about `model`; the envelope's path.
fn signed_support(log: &LogUnderTest, model: &str) -> PathBuf {
    let claim = format!("{model}.json");
    let about = ["--issuer", "acme.example", "--role", "manufacturer", "--model", model, "-o", &claim];
    log.client(&[&["claim", "new", "support/v1"], &about[..]].concat());
    log.client(&["claim", "check", &claim]);
    log.client(&["sign", &claim, "--key", "acme.sign.key"]);
    log.path().join(format!("{model}.envelope.json"))
}

/// The log audits clean; the size that was audited.
fn audit(log: &LogUnderTest) -> u64 {
    let outcome = json(&log.client(&["--json", "audit"]));
    assert_eq!(outcome["breaches"], Value::Array(Vec::new()), "{outcome}");
    outcome["size"].as_u64().expect("an audit has a size")
}

/// With the server stopped, the log agrees with itself; the entries that were derived again.
fn check(log: &LogUnderTest) -> u64 {
    let report = json(&log.operator(&["check", "log", "--json"]));
    assert_eq!(report["difference"], Value::Null, "{report}");
    report["checked"]["entries"].as_u64().expect("a check counts entries")
}

/// The bytes at a path of the log, which must be there.
fn http(log: &LogUnderTest, path: &str) -> Vec<u8> {
    /// Nothing here is larger.
    const MOST: usize = 64 * 1024 * 1024;
    let http = client::http::Http::new(log.url()).expect("an address");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = runtime.block_on(http.get(path, MOST)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(answer.status, 200, "{path}");
    answer.body.to_vec()
}
