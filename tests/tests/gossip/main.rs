//! Stories of monitors that talk to each other: real processes, and logs that this test serves, honest ones and such as show
//! different histories to different people.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and reads and writes files of its own, and prints what it measured"
)]

mod bad_peers;
mod branches;
mod forks;
mod junk;
mod learned;
mod names;
mod page;
mod report;
mod restored;
#[path = "../monitor/served.rs"]
#[allow(dead_code, reason = "other stories use more of it")]
mod served;
mod silent;
mod statements;
mod ways_out;
mod wires;
mod witnesses;
mod zoo;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Mutex;

use client::http::Http;
use harness::process::{Programs, until};
use harness::watcher::MonitorUnderTest;
use proto::checkpoint::CheckpointText;
use proto::hash::Hash;
use proto::note::{KeyName, NoteSigner};
use proto::num::TreeSize;
use serde_json::Value;

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

/// A port that was free a moment ago, and that no other story of this process was given: what listens there at last is who is
/// meant, and not the monitor of another story with the same test keys.
fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

fn name(number: usize) -> String {
    format!("m{number}.example")
}

/// Monitors that know each other, one for each of these addresses of the log; none runs yet.
struct Watchers {
    monitors: Vec<MonitorUnderTest>,
    ports: Vec<u16>,
}

impl Watchers {
    fn new(urls: &[&str]) -> Watchers {
        Watchers::trusting(&served::trust(), urls)
    }

    fn trusting(trust: &[u8], urls: &[&str]) -> Watchers {
        let ports: Vec<u16> = urls.iter().map(|_| free_port()).collect();
        let monitor = |(number, url): (usize, &&str)| {
            let monitor = MonitorUnderTest::named(&name(number), programs(), trust, url, false);
            for (other, port) in ports.iter().enumerate().filter(|(other, _)| *other != number) {
                monitor
                    .configure(&format!("[[peer]]\nname = \"{}\"\nurl = \"http://127.0.0.1:{port}\"\n", name(other)));
            }
            monitor
        };
        let monitors = urls.iter().enumerate().map(monitor).collect();
        Watchers { monitors, ports }
    }

    fn serve(&mut self, number: usize) {
        self.monitors[number].serve_at(self.ports[number]);
    }
}

/// What a path of a running monitor answers, as JSON.
fn json(monitor: &MonitorUnderTest, path: &str) -> Value {
    let http = Http::new(monitor.url()).unwrap();
    let answer = wait(http.get(path, 64 << 20)).unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

/// The ids of the evidence that a monitor keeps.
fn evidence(monitor: &MonitorUnderTest) -> Vec<String> {
    let page = json(monitor, "/v1/evidence");
    page["evidence"].as_array().unwrap().iter().map(|kept| kept["id"].as_str().unwrap().to_owned()).collect()
}

fn until_evidence(monitor: &MonitorUnderTest) -> Vec<String> {
    until("evidence", || Some(evidence(monitor)).filter(|ids| !ids.is_empty()))
}

/// The codes of what is open.
fn open(status: &Value) -> Vec<String> {
    let open = status["open"].as_array().unwrap();
    open.iter().map(|open| open["finding"]["code"].as_str().unwrap().to_owned()).collect()
}

/// A head that the log signed though no tree of it is anywhere.
fn loose_head(size: u64) -> String {
    use claimtrail_log::testing::{ORIGIN, key, number};
    let log = NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), key(number::LOG));
    let root = Hash::of(&size.to_be_bytes());
    CheckpointText::new(ORIGIN, TreeSize(size), root).unwrap().sign(&[&log], &[]).unwrap()
}

/// The status of a post, and the answer.
fn post(monitor: &MonitorUnderTest, path: &str, body: impl Into<Vec<u8>>) -> (u16, String) {
    let http = Http::new(monitor.url()).unwrap().with_deadline(std::time::Duration::ZERO);
    let body: Vec<u8> = body.into();
    match wait(http.post(path, "text/plain", body.into(), 1 << 20)) {
        Ok(answer) => (answer.status, String::from_utf8_lossy(&answer.body).into_owned()),
        Err(error) => (error.problem.as_ref().map_or(0, |problem| problem.status), error.message),
    }
}
