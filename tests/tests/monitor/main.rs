//! Stories of a monitor: real processes of the monitor against honest logs and dishonest ones.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own, and seeds are printed"
)]

mod acknowledged;
mod backlog;
mod covered;
mod dishonest;
mod documented;
mod evidence;
mod hangs;
mod honest;
mod inputs;
mod long;
mod resume_codes;
mod resumed;
mod served;
mod stopped;
mod third_history;
mod witness;
mod zoo;

use harness::cluster::LogUnderTest;
use harness::process::Programs;
use harness::watcher::MonitorUnderTest;
use serde_json::Value;

/// The thin programs of this very build.
fn programs() -> Programs {
    Programs {
        client: env!("CARGO_BIN_EXE_story-client").into(),
        log: env!("CARGO_BIN_EXE_story-log").into(),
        monitor: env!("CARGO_BIN_EXE_story-monitor").into(),
    }
}

/// A log with the manufacturer `acme.example`, whose keys are `acme.*.key`: two entries.
fn log_with_acme() -> LogUnderTest {
    let log = LogUnderTest::start(programs());
    log.enrol("acme.example", "acme", "manufacturer", false);
    log
}

/// Acme promises support for a model.
fn promise(log: &LogUnderTest, model: &str) {
    let (claim, envelope) = (format!("{model}.json"), format!("{model}.envelope.json"));
    let about = ["--issuer", "acme.example", "--role", "manufacturer", "--model", model, "-o", &claim];
    log.client(&[&["claim", "new", "support/v1"], &about[..]].concat());
    log.client(&["sign", &claim, "--key", "acme.sign.key"]);
    log.client(&["submit", &envelope]);
}

/// A monitor for a log that is served.
fn monitor_of(log: &LogUnderTest, mirror: bool) -> MonitorUnderTest {
    let trust = std::fs::read(log.data().join("trust.policy")).unwrap();
    MonitorUnderTest::init(programs(), &trust, log.url(), mirror)
}

/// The codes of what is open.
fn open(status: &Value) -> Vec<&str> {
    let open = status["open"].as_array().unwrap();
    open.iter().map(|open| open["finding"]["code"].as_str().unwrap()).collect()
}

/// Waits for an answer.
fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(answer)
}
