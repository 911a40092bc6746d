//! A log that takes requests and does not answer: what a monitor says of itself meanwhile, and how it stops.

use std::time::{Duration, Instant};

use claimtrail_log::testing::ORIGIN;
use client::http::Http;
use harness::process::until;
use harness::watcher::MonitorUnderTest;
use harness::zoo::{Odd, Script, Served, Show, trust};
use serde_json::Value;

use super::{open, programs, wait};

/// Three seconds for rounds, as many for what was given up and for the runtime, and a busy machine. An answer of the log may take
/// many times that.
const STOPS_WITHIN: Duration = Duration::from_secs(20);

/// The status of `/readyz` and what it says.
fn readyz(monitor: &MonitorUnderTest) -> (u16, Value) {
    let http = Http::new(monitor.admin()).unwrap().with_deadline(Duration::ZERO);
    match wait(http.get("/readyz", 1 << 16)) {
        Ok(answer) => (answer.status, serde_json::from_slice(&answer.body).unwrap()),
        Err(error) => (error.problem.map_or(0, |problem| problem.status), Value::Null),
    }
}

#[test]
fn a_monitor_whose_every_log_hangs_is_ready_and_says_so() {
    let script = Script::begun(client::clock::now());
    let served = Served::new(Show::of(&script));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), true);
    monitor.configure("[poll]\nanswer_seconds = 1\nretry_seconds = 1\noutage_after_seconds = 1\n");
    monitor.serve();
    monitor.until_checked(3);
    let (status, said) = readyz(&monitor);
    assert_eq!((status, said), (200, serde_json::json!({ "ready": true, "mode": "following" })));

    served.show(Show::of(&script).with_odd("/", Odd::Silent));
    let (status, said) = until("it is said", || Some(readyz(&monitor)).filter(|(_, said)| said["mode"] != "following"));
    assert_eq!((status, &said["ready"], &said["mode"]), (200, &true.into(), &"waiting".into()), "{said:#}");
    let notes = said["notes"].as_array().unwrap();
    assert!(notes.len() == 1 && notes[0].as_str().unwrap().starts_with(ORIGIN), "{said:#}");
    // What it has is served as before.
    let http = Http::new(monitor.url()).unwrap();
    assert_eq!(wait(http.get("/v1/heads", 1 << 20)).unwrap().status, 200);

    served.show(Show::of(&script));
    until("the log is back", || (readyz(&monitor).1["mode"] == "following").then_some(()));
    monitor.stop();
}

#[test]
fn a_monitor_that_waits_for_a_log_stops_in_time_and_loses_nothing() {
    let mut script = Script::begun(client::clock::now());
    let served = Served::new(Show::of(&script));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), true);
    monitor.configure("[poll]\nanswer_seconds = 600\nretry_seconds = 600\n");
    monitor.serve();
    monitor.until_checked(3);
    script.promise("CAM-2");
    script.publish();
    served.show(Show::of(&script).with_odd("/tile/entries/", Odd::Silent));
    until("it waits for entries", || (served.odd_requests() > 0).then_some(()));
    let begun = Instant::now();
    monitor.stop(); // which must end with 0
    assert!(begun.elapsed() < STOPS_WITHIN, "{:?}", begun.elapsed());

    let (_, kept) = monitor.run(&["heads", ORIGIN, "--json"]);
    let newest = script.heads.last().expect("a head");
    let line = newest.note.lines().last().expect("a signature");
    assert!(kept.contains(line), "the head whose entries it waited for was signed, so it is kept: {kept}");
    assert!(monitor.events(ORIGIN).is_empty(), "nothing is wrong with the log");
    served.show(Show::of(&script));
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status), &status["checked"]), (0, Vec::new(), &4.into()), "{status:#}");
}
