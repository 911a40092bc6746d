//! A log that shows one of its watchers another history.

use std::time::Instant;

use harness::process::run;

use super::served::{Served, add, log_of, router};
use super::{Watchers, evidence, open, programs, until_evidence};

/// The file is one that another process believes with no network.
fn verifies(monitor: &harness::watcher::MonitorUnderTest, id: &str) {
    let http = client::http::Http::new(monitor.url()).unwrap();
    let file = super::wait(http.get(&format!("/v1/evidence/{id}"), 8 << 20)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("fork.json"), &file.body).unwrap();
    let output = run(&programs().client, folder.path(), &["misbehaviour", "verify", "fork.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Three monitors of which the last is shown another history; how many entries each history has where they part.
fn forked(here: &[&str], there: &[&str]) {
    let (one, other) = (log_of(&["CAM-1"]), log_of(&["CAM-1"]));
    let (first, second) = (Served::new(router(&one)), Served::new(router(&other)));
    let mut watchers = Watchers::new(&[&first.url, &first.url, &second.url]);
    (0..3).for_each(|number| watchers.serve(number));
    for monitor in &watchers.monitors {
        monitor.until_checked(3);
        assert_eq!(evidence(monitor), Vec::<String>::new());
    }
    let forked_at = Instant::now();
    add(&one, here);
    add(&other, there);
    for (number, monitor) in watchers.monitors.iter().enumerate() {
        let ids = until_evidence(monitor);
        println!("evidence at monitor {number} after {:?}", forked_at.elapsed());
        verifies(monitor, &ids[0]);
    }
    for monitor in &watchers.monitors {
        let status = monitor.status();
        assert!(open(&status).iter().any(|code| code == "head.fork" || code == "evidence.proven"), "{status:#}");
        assert!(status["not_cosigned_because"].is_string(), "two histories end cosigning: {status:#}");
    }
    watchers.monitors.iter_mut().for_each(harness::watcher::MonitorUnderTest::stop);
}

#[test]
fn at_equal_sizes_it_is_evidence_at_all_three() {
    forked(&["CAM-2"], &["CAM-X"]);
}

#[test]
fn at_different_sizes_it_is_evidence_at_all_three() {
    forked(&["CAM-2"], &["CAM-X", "CAM-Y", "CAM-Z"]);
    forked(&["CAM-2", "CAM-3", "CAM-4"], &["CAM-X"]);
}

#[test]
fn who_was_away_hears_of_it_when_back() {
    let (one, other) = (log_of(&["CAM-1"]), log_of(&["CAM-1"]));
    let (first, second) = (Served::new(router(&one)), Served::new(router(&other)));
    let mut watchers = Watchers::new(&[&first.url, &first.url, &second.url]);
    [0, 2].into_iter().for_each(|number| watchers.serve(number));
    add(&one, &["CAM-2"]);
    add(&other, &["CAM-X", "CAM-Y"]);
    until_evidence(&watchers.monitors[0]);
    until_evidence(&watchers.monitors[2]);
    watchers.serve(1);
    let back_at = Instant::now();
    until_evidence(&watchers.monitors[1]);
    println!("evidence at the one that was away {:?} after it is back", back_at.elapsed());

    // What is known survives a power cut, and is not lost on the way to those who are there.
    let before = evidence(&watchers.monitors[0]);
    watchers.monitors[0].kill();
    watchers.serve(0);
    let after = evidence(&watchers.monitors[0]);
    assert!(before.iter().all(|id| after.contains(id)), "{before:?} {after:?}");
}

#[test]
fn an_honest_log_is_clean_everywhere() {
    let one = log_of(&["CAM-1"]);
    let log = Served::new(router(&one));
    let mut watchers = Watchers::new(&[&log.url, &log.url, &log.url]);
    (0..3).for_each(|number| watchers.serve(number));
    for round in 0..4u64 {
        add(&one, &[&format!("CAM-1{round}")]);
        watchers.monitors.iter().for_each(|monitor| _ = monitor.until_checked(4 + round));
    }
    for monitor in &watchers.monitors {
        let status = harness::process::until("peers that answered", || {
            let status = monitor.status();
            let peers = status["gossip"]["peers"].as_array().unwrap().clone();
            let all = peers.iter().all(|peer| peer["last_seen"].is_u64() && peer["head_size"].as_u64() == Some(7));
            let none_waits = status["gossip"]["waiting"].as_array().unwrap().is_empty();
            (peers.len() == 2 && all && none_waits).then_some(status)
        });
        assert_eq!((open(&status), evidence(monitor)), (vec![], vec![]), "{status:#}");
    }
}

#[test]
fn who_looks_once_talks_with_its_peers_before_it_ends() {
    let (one, other) = (log_of(&["CAM-1", "CAM-2"]), log_of(&["CAM-1", "CAM-X", "CAM-Y"]));
    let (first, second) = (Served::new(router(&one)), Served::new(router(&other)));
    let mut watchers = Watchers::new(&[&first.url, &second.url]);
    let (code, said) = watchers.monitors[0].run(&["serve", "--once"]);
    assert!(code == 0 && said.contains("a peer does not answer"), "that says nothing of the log: {said}");
    watchers.serve(1);
    watchers.monitors[1].until_checked(5);
    let (code, status) = watchers.monitors[0].once();
    assert_eq!(code, 10, "{status:#}");
    assert!(open(&status).iter().any(|code| code == "head.fork"), "{status:#}");
    assert!(status["evidence"]["inconsistent"].as_u64() >= Some(1), "{status:#}");
    // The other one was shown the head, and sent the file, before the first one ended.
    verifies(&watchers.monitors[1], &until_evidence(&watchers.monitors[1])[0]);
    assert!(open(&watchers.monitors[1].status()).iter().any(|code| code == "head.fork" || code == "evidence.proven"));
    watchers.monitors[1].stop();
}
