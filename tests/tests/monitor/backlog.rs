//! A log that signs more and more and keeps its entries back.

use harness::process::until;
use harness::watcher::MonitorUnderTest;
use harness::zoo::{Odd, Script, Served, Show, trust};

use super::{open, programs};

/// More than a backlog must have to be one.
const MANY: u64 = 10_500;
/// What it grows by between two looks at the status.
const SOME: u64 = 1000;

#[test]
fn a_backlog_that_grows_in_each_round_is_degraded() {
    let mut script = Script::begun(client::clock::now());
    let served = Served::new(Show::of(&script));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), false);
    monitor.serve();
    monitor.until_checked(3);
    let mut grow = |entries: u64| {
        let first = script.size().0;
        (first..first + entries).for_each(|entry| script.force(format!("entry {entry}").into_bytes()));
        script.publish();
        let kept_back = Odd::Instead(404, "text/plain", Vec::new());
        served.show(Show::of(&script).with_odd("/tile/entries", kept_back));
    };
    grow(MANY);
    // It grows all the time, so that every round sees more than the one before.
    let status = until("a backlog", || {
        grow(SOME);
        Some(monitor.status()).filter(|status| open(status).contains(&"log.backlog"))
    });
    let admin = monitor.admin().to_owned();
    let (code, said) = monitor.run(&["status", "--admin", &admin]);
    assert_eq!(code, if open(&status).contains(&"log.unreachable") { 12 } else { 13 }, "{said}");
    assert!(said.contains("log.backlog"), "{said}");
    monitor.stop();
}
