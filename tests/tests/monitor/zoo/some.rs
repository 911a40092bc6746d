//! A fork that is shown only to some: one log at two addresses, under the same keys, with another history at each.

use claimtrail_log::testing::ORIGIN;
use harness::process::until;
use harness::watcher::MonitorUnderTest;
use harness::zoo::{Script, Served, Show, trust};
use serde_json::Value;

use crate::witness::{add, request};
use crate::{open, programs};

/// Where the two histories part, and each with so many entries more.
pub(super) fn parted(models: [&[&str]; 2]) -> [Script; 2] {
    let common = Script::begun(client::clock::now());
    models.map(|models| {
        let mut script = common.clone();
        models.iter().for_each(|model| script.promise(model));
        script.publish();
        script
    })
}

pub(super) fn monitor_at(served: &Served) -> MonitorUnderTest {
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), true);
    monitor.serve();
    monitor
}

fn newest(monitor: &MonitorUnderTest) -> Vec<u8> {
    let (status, _, body) = request(monitor.url(), "GET /v1/heads?limit=1", b"").unwrap();
    let heads: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200, "{body}");
    heads["heads"][0]["checkpoint"].as_str().unwrap().as_bytes().to_vec()
}

/// Each monitor sees one history and finds nothing. Then somebody who was shown the other one hands its head to a monitor.
#[test]
fn a_fork_shown_only_to_some_is_found_when_they_meet() {
    for models in [[&["CAM-2"][..], &["CAM-X"]], [&["CAM-2", "CAM-3"], &["CAM-X"]]] {
        let scripts = parted(models);
        let served = scripts.each_ref().map(|script| Served::new(Show::of(script)));
        let monitors = served.each_ref().map(monitor_at);
        for (monitor, script) in monitors.iter().zip(&scripts) {
            let status = monitor.until_checked(script.size().0);
            assert_eq!(open(&status), Vec::<&str>::new(), "alone it cannot know: {status:#}");
        }
        // To the one that knows as much or more: it holds the other's head against its own leaf hashes, with no network.
        let [knows, other] = &monitors;
        let (status, _, body) = add(knows.url(), 0, &[], &newest(other));
        assert_eq!(status, 503, "it cosigns no more for this log: {body}");
        let status = until("the fork is found", || Some(knows.status()).filter(|status| !open(status).is_empty()));
        assert_eq!(open(&status), ["head.fork"], "{status:#}");
        for monitor in monitors {
            drop(monitor);
        }
    }
}

/// Heads and entries that are all dated an hour ahead contradict each other nowhere.
#[test]
fn a_log_that_dates_everything_ahead_is_told_by_the_clock_alone() {
    let mut ahead = client::clock::now();
    ahead.0 += 3_600_000;
    let mut script = Script::begun(ahead);
    let served = Served::new(Show::of(&script));
    let monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), true);
    for size in [3, 4] {
        let (code, status) = monitor.once();
        assert_eq!((code, open(&status), &status["checked"]), (13, vec!["head.ahead"], &size.into()), "{status:#}");
        assert_eq!(status["evidence"], serde_json::json!({}), "this machine's clock may be the wrong one");
        script.promise(&format!("CAM-{size}"));
        script.publish();
        served.show(Show::of(&script));
    }
}

/// More heads in one second than a round reads hide nothing behind them.
#[test]
fn a_head_behind_a_second_full_of_others_is_found() {
    let [hidden, shown] = parted([&["CAM-X"], &["CAM-2"]]);
    let many = shown.heads[0].clone();
    let mut list = vec![many; 450];
    list.extend(hidden.heads[1..].iter().chain(&shown.heads[1..]).cloned());
    let served = Served::new(Show::of(&shown).with_list(list));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), false);
    monitor.configure("[poll]\nlisted_heads = 200\n");
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (0, Vec::new()), "one round does not come so far: {status:#}");
    monitor.serve();
    let status = until("the fork is found", || Some(monitor.status()).filter(|status| !open(status).is_empty()));
    assert_eq!(open(&status), ["head.fork"], "{status:#}");
    monitor.stop();
}

/// A head that only the list shows, and only once, is kept: when the entries come that it contradicts, it is held against them.
#[test]
fn a_head_that_was_listed_once_is_not_forgotten() {
    let [hidden, shown] = parted([&["CAM-X"], &["CAM-2", "CAM-3"]]);
    let common = {
        let mut common = shown.clone();
        common.heads.truncate(1);
        Show::of(&common)
    };
    let head = hidden.heads.last().expect("a head").clone();
    let served = Served::new(common.with_listed(head.clone()));
    let monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), true);
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (0, Vec::new()), "nothing is known of it yet: {status:#}");
    let (_, kept) = monitor.run(&["heads", ORIGIN, "--json"]);
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let is_kept = kept.to_string().contains(head.note.lines().last().expect("a signature"));
    assert!(is_kept, "it was signed, so it is kept: {kept:#}");
    served.show(Show::of(&shown));
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (10, vec!["head.fork"]), "{status:#}");
}
