//! Stories of alerts: real processes of the monitor, and receivers of every kind that this very test runs on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

mod channels;
mod freshness;
mod outbox;
mod receiver;
#[path = "../monitor/served.rs"]
#[allow(dead_code, reason = "shared with the stories of the monitor, which use more of it")]
mod served;
mod smtp;
mod smtp_tls;
mod watches;

use std::path::{Path, PathBuf};

use harness::process::{Programs, until};
use harness::watcher::MonitorUnderTest;
use serde_json::Value;

use served::{Served, log_of, router, trust};

/// The thin programs of this very build.
fn programs() -> Programs {
    Programs {
        client: env!("CARGO_BIN_EXE_story-client").into(),
        log: env!("CARGO_BIN_EXE_story-log").into(),
        monitor: env!("CARGO_BIN_EXE_story-monitor").into(),
    }
}

/// Waits for an answer.
fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(answer)
}

/// A monitor of a log that is served, with more in its configuration.
fn monitor_with(served: &Served, config: &str) -> MonitorUnderTest {
    let monitor = MonitorUnderTest::init(programs(), &trust(), &served.url, false);
    add_config(&monitor, config);
    monitor
}

fn add_config(monitor: &MonitorUnderTest, config: &str) {
    let file = monitor.path("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n{config}")).unwrap();
}

/// Makes the key for webhooks; its public half as receivers get it.
fn webhook_key(monitor: &MonitorUnderTest) -> String {
    let (code, said) = monitor.run(&["alert", "key"]);
    assert_eq!(code, 0, "{said}");
    said.lines().next().unwrap().to_owned()
}

/// Two histories of one log that differ in the second promise.
struct Fork {
    first: Served,
    second: Served,
}

impl Fork {
    fn new() -> Fork {
        let (one, other) = (log_of(&["CAM-1", "CAM-2"]), log_of(&["CAM-1", "CAM-X"]));
        Fork { first: Served::new(router(&one)), second: Served::new(router(&other)) }
    }

    /// A monitor that has seen the first history and is shown the second from now on.
    fn monitor(&self, config: &str) -> MonitorUnderTest {
        let monitor = monitor_with(&self.first, "");
        webhook_key(&monitor);
        assert_eq!(monitor.once().0, 0);
        monitor.point_to(&self.second.url);
        add_config(&monitor, config); // last, since the line above changes every url
        monitor
    }
}

/// A channel that adds each alert as a line to a file.
fn to_file(name: &str, file: &Path) -> String {
    let script = format!("cat >> '{}'", file.display());
    format!("[[alert]]\nname = \"{name}\"\nkind = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\n")
}

/// The alerts in such a file.
fn alerts_in(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // The last line may be half written.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits for so many alerts in a file.
fn until_in(file: &Path, count: usize) -> Vec<Value> {
    until(&format!("{count} alerts in a file"), || Some(alerts_in(file)).filter(|alerts| alerts.len() >= count))
}

/// Where alerts of a story are written to.
fn file_of(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("alerts.jsonl")
}

/// Every channel as `alert list` shows it.
fn listed(monitor: &MonitorUnderTest, admin: Option<&str>) -> Vec<Value> {
    let mut args = vec!["alert", "list", "--json"];
    args.extend(admin.iter().flat_map(|admin| ["--admin", admin]));
    let (code, said) = monitor.run(&args);
    assert_eq!(code, 0, "{said}");
    let shown: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    shown["channels"].as_array().unwrap().clone()
}
