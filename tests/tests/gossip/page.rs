//! What the pages for people show once a log was caught with two histories.

use claimtrail_log::testing::ORIGIN;
use client::http::Http;
use harness::process::until;
use harness::watcher::MonitorUnderTest;
use proto::hash::Hash;

use super::served::{Served, add, log_of, router};
use super::{Watchers, json, name, until_evidence};

fn page(monitor: &MonitorUnderTest, path: &str) -> String {
    let answer = super::wait(Http::new(monitor.url()).unwrap().get(path, 8 << 20)).unwrap();
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[test]
fn after_a_fork_peers_heads_findings_and_evidence_stand_on_the_pages() {
    let (one, other) = (log_of(&["CAM-1"]), log_of(&["CAM-1"]));
    let (first, second) = (Served::new(router(&one)), Served::new(router(&other)));
    let mut watchers = Watchers::new(&[&first.url, &second.url]);
    (0..2).for_each(|number| watchers.serve(number));
    let monitor = &watchers.monitors[0];
    monitor.until_checked(3);
    let all = page(monitor, "/");
    assert!(all.contains(ORIGIN) && all.contains("nothing is open"), "{all}");
    add(&one, &["CAM-2"]);
    add(&other, &["CAM-X", "CAM-Y"]);
    let evidence = until_evidence(monitor);

    let path = format!("/log/{}", Hash::of(ORIGIN.as_bytes()));
    let all = until("a peer that answered, and the fork", || {
        let all = page(monitor, "/");
        // Evidence from a peer may come before what this monitor finds by itself.
        let is_found = page(monitor, &path).contains("head.fork");
        (is_found && all.contains("the log contradicts itself") && !all.contains("never")).then_some(all)
    });
    for expected in [&path, "<h2>Peers</h2>", &name(1), "stopped"] {
        assert!(all.contains(expected), "{expected:?} is not on {all}");
    }
    let heads = json(monitor, "/v1/heads");
    let newest = heads["heads"][0]["root"].as_str().unwrap().to_owned();
    let log = page(monitor, &path);
    let (code, link) = ("head.fork", format!("/v1/evidence/{}", evidence[0]));
    for expected in [code, &link, &newest, "signed head", "claimtrail misbehaviour verify FILE", "Newest heads", ORIGIN]
    {
        assert!(log.contains(expected), "{expected:?} is not on {log}");
    }
    let (open, happened) = (log.find("What is open").unwrap(), log.find("What happened").unwrap());
    assert!(log[open..happened].contains(code) && log[happened..].contains("began"), "{log}");
    watchers.monitors.iter_mut().for_each(MonitorUnderTest::stop);
}
