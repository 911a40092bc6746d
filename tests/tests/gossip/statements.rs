//! Statements that heads stay unavailable: who was away when they were sent finds them with others.

use axum::Router;
use axum::routing::get;
use claimtrail_log::testing::{ORIGIN, key};
use harness::process::until;
use harness::watcher::MonitorUnderTest;
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::note::KeyName;
use proto::num::Seconds;
use proto::unavailable::Unavailable;
use serde_json::{Value, json};

use super::served::{Served, log_of, router, trust};
use super::{Watchers, json as asked, loose_head, open, post, programs};

/// A monitor that nobody runs, with a test key: it made statements before it vanished.
fn vanished(number: u8) -> Cosigner {
    Cosigner::new(KeyName::parse("vanished.example").unwrap(), key(number)).unwrap()
}

/// Its statement about a head that the log signed, with that head.
fn stated(by: &Cosigner, size: u64) -> Value {
    let head = loose_head(size);
    let (text, _) = head.split_once("\n\n").unwrap();
    let text = CheckpointText::parse(&format!("{text}\n")).unwrap();
    let statement = Unavailable::new(&text, Seconds(1_000), Seconds(90_000)).sign(by).unwrap();
    json!({ "statement": statement, "checkpoint": head })
}

fn statements(monitor: &MonitorUnderTest) -> Vec<Value> {
    let origin = client::http::encode_segment(ORIGIN);
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = asked(monitor, &format!("/v1/statements?origin={origin}{cursor}"));
        all.extend(page["statements"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn sizes(monitor: &MonitorUnderTest) -> Vec<u64> {
    let size = |kept: &Value| kept["checkpoint"].as_str().unwrap().lines().nth(1).unwrap().parse().unwrap();
    statements(monitor).iter().map(size).collect()
}

#[test]
fn who_was_away_finds_statements_in_the_lists_of_peers() {
    let log = Served::new(router(&log_of(&["CAM-1"])));
    let by = vanished(40);
    let mut watchers = Watchers::new(&[&log.url, &log.url]);
    for monitor in &watchers.monitors {
        let vkey = by.vkey();
        monitor.configure(&format!(
            "[[peer]]\nname = \"vanished.example\"\nurl = \"http://127.0.0.1:1\"\nvkey = \"{vkey}\"\n\n[gossip]\nevery_seconds = 1\n"
        ));
    }
    watchers.serve(0);
    watchers.monitors[0].until_checked(3);
    // More than a page of them: the newest heads come last.
    for size in 1001..=1060 {
        let (status, said) = post(&watchers.monitors[0], "/v1/statements", stated(&by, size).to_string());
        assert_eq!(status, 204, "{said}");
    }
    let page = asked(&watchers.monitors[0], &format!("/v1/statements?origin={}", client::http::encode_segment(ORIGIN)));
    assert_eq!(page["statements"].as_array().unwrap().len(), 50, "a page at a time");
    assert_eq!(post(&watchers.monitors[0], "/v1/statements", stated(&vanished(41), 2000).to_string()).0, 400);

    watchers.serve(1);
    let found = until("all statements at the one that was away", || {
        Some(sizes(&watchers.monitors[1])).filter(|sizes| sizes.len() == 60)
    });
    assert!(found.into_iter().eq(1001..=1060), "in the order of the heads");
    assert_eq!(statements(&watchers.monitors[0]), statements(&watchers.monitors[1]));
    // A smaller head than all that is kept: it stands before the place where the list was read last.
    assert_eq!(post(&watchers.monitors[0], "/v1/statements", stated(&by, 1000).to_string()).0, 204);
    until("one that stands before the others", || (sizes(&watchers.monitors[1]).first() == Some(&1000)).then_some(()));
    watchers.monitors.iter_mut().for_each(MonitorUnderTest::stop);
}

/// A statement costs whoever posts it as much as a head does, whatever name it gives, and before anything is read.
#[test]
fn who_posts_statements_too_fast_is_told_to_wait() {
    let log = Served::new(router(&log_of(&["CAM-1"])));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), &log.url, false);
    monitor.serve();
    monitor.until_checked(3);
    let large = "x".repeat(64 * 1024 + 1);
    assert_eq!(post(&monitor, "/v1/statements", large).0, 413);
    let path = "/v1/statements?from=vanished.example";
    let taken = (0..600).map(|_| post(&monitor, path, "nonsense")).take_while(|(status, _)| *status == 400).count();
    // A burst of 200, and five a second while they are sent.
    assert!((190..500).contains(&taken), "{taken}");
    let (status, said) = post(&monitor, path, "nonsense");
    assert!(status == 429 || status == 400, "one may be allowed again meanwhile: {status} {said}");
    assert_eq!(post(&monitor, "/v1/statements?form=x", "nonsense").0, 400, "the only parameter is `from`");
    monitor.stop();
}

#[test]
fn a_peer_that_lists_what_nobody_stated_is_not_believed() {
    let log = Served::new(router(&log_of(&["CAM-1"])));
    let by = vanished(40);
    let good = stated(&by, 1000);
    let mut other_head = stated(&by, 1001);
    other_head["checkpoint"] = loose_head(1002).into();
    let mut no_head = stated(&by, 1003);
    no_head["checkpoint"] = good["checkpoint"].as_str().unwrap().replace("\n1000\n", "\n1003\n").into();
    let listed = json!({
        "statements": [
            stated(&vanished(41), 1004), other_head, no_head, { "statement": "", "checkpoint": ORIGIN },
            { "statement": "nonsense", "checkpoint": "nonsense" }, good,
        ],
        "next_cursor": "again",
    });
    let liar = Served::new(Router::new().route("/v1/statements", get(async move || axum::Json(listed))));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), &log.url, false);
    let (url, vkey) = (&liar.url, by.vkey());
    monitor.configure(&format!(
        "[[peer]]\nname = \"x\"\nurl = \"{url}\"\nvkey = \"{vkey}\"\n\n[gossip]\nevery_seconds = 1\n"
    ));
    monitor.serve();
    monitor.until_checked(3);
    until("the only true one", || (!statements(&monitor).is_empty()).then_some(()));
    assert_eq!(sizes(&monitor), [1000]);
    let status = until("its head, which waits as any other", || {
        let status = monitor.status();
        (status["gossip"]["waiting"].as_array().unwrap().len() == 1).then_some(status)
    });
    let of_log: Vec<_> = open(&status).into_iter().filter(|code| code != "witness.unasked").collect();
    assert_eq!(of_log, Vec::<String>::new(), "a peer says nothing of the log");
    let origin = client::http::encode_segment(ORIGIN);
    for bad in ["0", "zz", "AB", "%C3%A9"] {
        let http = client::http::Http::new(monitor.url()).unwrap();
        let error =
            super::wait(http.get(&format!("/v1/statements?origin={origin}&cursor={bad}"), 1 << 20)).unwrap_err();
        assert_eq!(error.problem.map(|problem| problem.status), Some(400), "{bad}");
    }
    monitor.stop();
}
