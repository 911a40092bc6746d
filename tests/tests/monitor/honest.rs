//! An honest log followed: through submissions, restarts and a power cut, with nothing found.

use client::http::Http;
use client::tiles::{HttpTiles, HttpTree};
use harness::process::until;
use proto::hash::Hash;
use proto::num::TreeSize;
use proto::policy::Policy;

use super::{log_with_acme, monitor_of, open, programs, promise};

#[test]
fn a_monitor_follows_restarts_and_goes_on() {
    let log = log_with_acme();
    let mut monitor = monitor_of(&log, true);
    monitor.serve();
    for model in ["CAM-1", "CAM-2"] {
        promise(&log, model);
    }
    let status = monitor.until_checked(4);
    assert_eq!(open(&status), Vec::<&str>::new());
    let heads = ["heads", harness::cluster::ORIGIN];
    let (code, beside) = monitor.run(&[&heads[..], &["--admin", monitor.admin()]].concat());
    assert!(code == 0 && beside.lines().next().unwrap().contains("size 4"), "{code}: {beside}");
    let (code, few) = monitor.run(&[&heads[..], &["--admin", monitor.admin(), "--limit", "1", "--json"]].concat());
    assert!(code == 0 && few.contains("\"size\": 4") && !few.contains("\"size\": 3"), "{code}: {few}");
    monitor.stop();
    let (code, stopped) = monitor.run(&heads);
    assert!(code == 0 && stopped.contains(beside.trim()), "{stopped} without {beside}");
    promise(&log, "CAM-3");
    monitor.serve();
    monitor.until_checked(5);
    monitor.kill();
    promise(&log, "CAM-4");
    let (code, status) = monitor.once();
    assert_eq!((code, &status["size"], &status["checked"]), (0, &6.into(), &6.into()), "{status}");
    let (code, said) = monitor.run(&["heads", harness::cluster::ORIGIN]);
    assert!(code == 0 && said.contains("size 6") && said.contains("2 signatures"), "{said}");
}

#[test]
fn the_mirror_outlives_the_log() {
    let mut log = log_with_acme();
    promise(&log, "CAM-1");
    let checkpoint = wait_checkpoint(log.url());
    let trust = std::fs::read(log.data().join("trust.policy")).unwrap();
    let mut monitor = monitor_of(&log, true);
    monitor.serve();
    monitor.until_checked(3);
    log.stop();
    let head = Policy::parse(&trust).unwrap().check(&checkpoint).unwrap().checkpoint;
    let hash = Hash::of(harness::cluster::ORIGIN.as_bytes());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let http = Http::new(&format!("{}/{hash}", monitor.url())).unwrap();
    let tiles = HttpTiles::new(http, runtime.handle().clone());
    let tree =
        HttpTree::open(tiles.clone(), head.size(), &head.root()).expect("the mirror's tiles lead to the signed root");
    assert_eq!(tree.size(), TreeSize(3));
    let entries = tiles.bundle(0, head.size()).unwrap();
    assert_eq!(entries.len(), 3);
    let leaf = |level, index| proto::merkle::NodeReader::node(&tree, level, index).unwrap();
    assert!(entries.iter().zip(0..).all(|(entry, index)| Hash::leaf(entry) == leaf(0, index)));
}

fn wait_checkpoint(url: &str) -> Vec<u8> {
    super::wait(client::api::Api::new(Http::new(url).unwrap()).checkpoint()).unwrap()
}

#[test]
fn a_silent_log_is_an_outage_and_a_state_is_never_made_anew() {
    let mut log = log_with_acme();
    let monitor = monitor_of(&log, false);
    assert_eq!(monitor.once().0, 0);
    log.stop();
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (12, vec!["log.unreachable"]));
    log.serve();
    monitor.point_to(log.url());
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (0, vec![]), "{status}");

    std::fs::remove_dir_all(monitor.path("state/logs")).unwrap();
    for args in [&["serve", "--once"][..], &["serve"], &["follow", harness::cluster::ORIGIN]] {
        let (code, said) = monitor.run(args);
        assert!(code == 74 && said.contains("IS LOST"), "{args:?}: {code}: {said}");
    }
    let (code, said) = monitor.run(&["follow", harness::cluster::ORIGIN, "--again"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(monitor.once().0, 0);
}

#[test]
fn another_key_than_the_operator_trusts_is_never_followed() {
    let (one, other) = (log_with_acme(), log_with_acme());
    let trust = std::fs::read(one.data().join("trust.policy")).unwrap();
    let monitor = harness::watcher::MonitorUnderTest::init(programs(), &trust, other.url(), false);
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status), &status["size"]), (10, vec!["head.signature"], &0.into()), "{status}");
}

#[test]
fn a_log_that_comes_back_ends_the_outage_of_a_running_monitor() {
    let mut log = log_with_acme();
    let mut monitor = monitor_of(&log, false);
    monitor.serve();
    monitor.until_checked(2);
    log.kill();
    log.serve_again();
    promise(&log, "CAM-1");
    let status = monitor.until_checked(3);
    assert_eq!(open(&status), Vec::<&str>::new());
    until("another round", || (monitor.status()["last_success"] != status["last_success"]).then_some(()));
}

#[test]
fn a_head_that_is_too_old_is_degraded() {
    let log = log_with_acme();
    let monitor = monitor_of(&log, false);
    let file = monitor.path("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}max_head_age_seconds = 1\n")).unwrap();
    // An idle log signs a head every half minute: most of the time its newest one is older than a second.
    let status = until("a late head", || Some(monitor.once()).filter(|(code, _)| *code == 13)).1;
    assert_eq!(open(&status), ["head.old"]);
}
