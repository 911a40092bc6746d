//! An operator acknowledges what does not end: it stays, and what comes next is seen.

use claimtrail_log::testing::ORIGIN;
use harness::process::until;
use harness::watcher::MonitorUnderTest;
use serde_json::{Value, json};

use super::evidence::{checkpoint, cosigned};
use super::served::{Served, add, log_of, router, trust};
use super::witness::{add as add_checkpoint, request, request_with};
use super::{open, programs};

const BECAUSE: &str = "its operator told us on 3 May";

/// The name of the first open finding with this code.
fn name(status: &Value, code: &str) -> String {
    let open = status["open"].as_array().unwrap();
    let found = open.iter().find(|open| open["finding"]["code"] == code);
    found.unwrap_or_else(|| panic!("no {code} in {status:#}"))["finding"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_known_fork_stays_shown_and_the_next_one_is_seen() {
    let (one, other) = (log_of(&["CAM-1", "CAM-2"]), log_of(&["CAM-1", "CAM-X"]));
    let (first, second) = (Served::new(router(&one)), Served::new(router(&other)));
    let monitor = MonitorUnderTest::init(programs(), &trust(), &first.url, false);
    assert_eq!(monitor.once().0, 0);
    monitor.point_to(&second.url);
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (10, vec!["head.fork"]), "{status:#}");
    let fork = name(&status, "head.fork");

    let (code, why) = monitor.run(&["findings", "acknowledge", "head.forks", "--because", BECAUSE]);
    assert!(code == 64 && why.contains("findings list"), "{why}");
    let (code, why) = monitor.run(&["findings", "acknowledge", &fork, "--because", " "]);
    assert!(code == 64 && why.contains("reason"), "{why}");
    let (code, said) = monitor.run(&["findings", "acknowledge", "head.fork", "--because", BECAUSE]);
    assert!(code == 0 && said.contains(BECAUSE), "{code} {said}");

    // Found again it is the same; nothing of it is gone.
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (0, vec!["head.fork"]), "{status:#}");
    assert_eq!(status["open"][0]["acknowledged"]["because"], BECAUSE);
    assert_eq!(status["open"][0]["finding"]["heads"].as_array().unwrap().len(), 2);
    let (code, said) = monitor.run(&["status"]);
    assert!(code == 0 && said.contains("TAMPER head.fork") && said.contains(BECAUSE), "{said}");
    assert!(said.contains("NOT COSIGNED"), "its evidence has its consequences: {said}");

    // The other history grows: another finding, which nobody has acknowledged.
    add(&other, &["CAM-3"]);
    let (code, status) = monitor.once();
    let known: Vec<bool> =
        status["open"].as_array().unwrap().iter().map(|open| open["acknowledged"].is_object()).collect();
    assert_eq!((code, known), (10, vec![true, false]), "{status:#}");
    let (code, listed) = monitor.run(&["findings", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((code, listed["findings"][0]["origin"].as_str()), (0, Some(ORIGIN)));
    assert_eq!(listed["findings"][0]["open"].as_array().unwrap().len(), 2);
    let kinds: Vec<&str> = monitor.events(ORIGIN).iter().map(|event| event.what.kind()).collect();
    assert_eq!(kinds, ["began", "acknowledged", "began"]);
}

#[test]
fn beside_a_running_monitor_it_is_told_and_cosigning_does_not_begin_again() {
    let (one, other) = (log_of(&["CAM-1", "CAM-2"]), log_of(&["CAM-1", "CAM-X"]));
    let (_served, mut monitor, head) = cosigned(&one);
    monitor.stop();
    monitor.configure("[[alert]]\nkind = \"atom\"\n");
    monitor.serve();
    monitor.until_checked(4);
    let fork = Served::new(router(&other));
    let fork_head = checkpoint(&fork.url);
    assert_eq!(add_checkpoint(monitor.url(), 4, &[], &fork_head).0, 503);
    let admin = monitor.admin().to_owned();
    let status = |args: &[&str]| monitor.run(&[&["status", "--admin", &admin], args].concat());
    assert_eq!(status(&[]).0, 10);

    // Over HTTP: what is not asked for as JSON, what is not open, what says nothing.
    let fork = name(&monitor.status(), "head.fork");
    let body = |finding: &str, because: &str| {
        json!({ "origin": ORIGIN, "finding": finding, "because": because }).to_string().into_bytes()
    };
    for (kind, body, expected) in [
        ("text/plain", body(&fork, BECAUSE), 415),
        ("application/json", body("head.fork:none", BECAUSE), 404),
        ("application/json", body(&fork, ""), 400),
        ("application/json", b"{}".to_vec(), 400),
    ] {
        let kind = format!("content-type: {kind}\r\n");
        let (status, _, answer) = request_with(&admin, "POST /v1/findings/acknowledge", &kind, &body).unwrap();
        assert_eq!(status, expected, "{answer}");
    }
    assert_eq!(status(&[]).0, 10, "nothing of that counted");

    let because = [BECAUSE, "--admin", &admin];
    let (code, said) = monitor.run(&[&["findings", "acknowledge", &fork, "--because"], &because[..]].concat());
    assert!(code == 0 && said.contains(BECAUSE), "{code} {said}");
    until("a status of 0", || (status(&[]).0 == 0).then_some(()));
    assert_eq!(add_checkpoint(monitor.url(), 4, &[], &head).0, 503, "not cosigned all the same");
    let metrics = request(&admin, "GET /metrics", b"").unwrap().2;
    let counted = format!("claimtrail_monitor_findings_acknowledged{{origin=\"{ORIGIN}\"}} 1");
    assert!(metrics.contains(&counted), "{metrics}");

    // The public sees that it is known, and not why.
    let overview = request(monitor.url(), "GET /", b"").unwrap().2;
    assert!(overview.contains("acknowledged: 1"), "{overview}");
    let path = overview.split("href=\"/log/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let page = request(monitor.url(), &format!("GET /log/{path}"), b"").unwrap().2;
    let feed = until("it in the feed", || {
        let feed = request(monitor.url(), "GET /v1/alerts.atom", b"").unwrap().2;
        feed.contains("acknowledged: tamper head.fork").then_some(feed)
    });
    assert!(page.contains("Acknowledged by the operator") && page.contains("head.fork"), "{page}");
    assert!(!(page + &feed).contains(BECAUSE));
    monitor.stop();
}
