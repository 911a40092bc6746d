//! A log that keeps back its newest entries keeps no fork before them from being found.

use claimtrail_log::testing::ORIGIN;
use harness::process::until;
use harness::watcher::MonitorUnderTest;
use harness::zoo::{Odd, Published, Script, Served, Show};
use proto::num::TreeSize;
use serde_json::Value;

use super::some::{monitor_at, parted};
use crate::open;
use crate::witness::{add, request};

/// Two histories that part behind what both have; the monitor followed what both have, and the log then shows it a head of the first
/// one with its hash tiles and none of its entries.
fn withholding() -> (Served, MonitorUnderTest, [Script; 2]) {
    let [shown, hidden] = parted([&["CAM-2", "CAM-3", "CAM-4"], &["CAM-X"]]);
    let mut common = shown.clone();
    common.heads.truncate(1);
    let served = Served::new(Show::of(&common));
    let monitor = monitor_at(&served);
    monitor.until_checked(3);
    let gone = Odd::Instead(503, "text/plain", b"later".to_vec());
    served.show(Show::of(&shown).with_odd("/tile/entries/", gone));
    until("the newest head is taken", || Some(monitor.status()).filter(|status| status["head_size"] == 6));
    (served, monitor, [shown, hidden])
}

fn head_of(script: &Script, size: u64) -> Published {
    script.head(TreeSize(size), script.now.seconds())
}

#[test]
fn a_fork_before_entries_that_are_kept_back_is_not_cosigned_and_is_proven() {
    let (_served, monitor, [_, hidden]) = withholding();
    let note = head_of(&hidden, 4).note;
    let (status, _, body) = add(monitor.url(), 0, &[], note.as_bytes());
    assert!(matches!(status, 422 | 503), "{status} {body}");
    let status = until("it is proven", || {
        let status = monitor.status();
        Some(status.clone())
            .filter(|_| open(&status).contains(&"head.fork") && status["evidence"] != serde_json::json!({}))
    });
    assert_eq!(status["evidence"], serde_json::json!({ "inconsistent": 2 }), "the log and its time key: {status:#}");
    assert_eq!(status["size"], 3, "no entry was needed: {status:#}");
    let (status, _, body) = add(monitor.url(), 0, &[], note.as_bytes());
    assert!(status == 503 && body.contains("witness.stopped"), "{status} {body}");
}

#[test]
fn a_fork_that_somebody_reports_is_proven_as_well() {
    let (_served, monitor, [_, hidden]) = withholding();
    let body = format!("old 0\n\n{}", head_of(&hidden, 4).note);
    let (status, _, answer) = request(monitor.url(), "POST /v1/report", body.as_bytes()).expect("an answer");
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["origin"], ORIGIN);
    until("it is proven", || Some(monitor.status()).filter(|status| status["evidence"]["inconsistent"] == 2));
}

/// An honest log that cannot serve its entries for a while is cosigned all the same.
#[test]
fn a_true_head_before_entries_that_are_kept_back_is_cosigned() {
    let (_served, monitor, [shown, _]) = withholding();
    let (status, _, body) = add(monitor.url(), 0, &[], head_of(&shown, 5).note.as_bytes());
    assert_eq!(status, 200, "{body}");
    let (status, _, body) = add(monitor.url(), 5, &[], head_of(&shown, 5).note.as_bytes());
    assert_eq!(status, 200, "and again: {body}");
    let status = monitor.status();
    assert!(!open(&status).contains(&"head.fork") && status["evidence"] == serde_json::json!({}), "{status:#}");
}

/// A head beyond what the log shows here is asked for, like one that came by gossip.
#[test]
fn a_larger_head_that_the_log_never_shows_here_waits_and_is_asked_for() {
    let (_served, monitor, _) = withholding();
    let [more, _] = parted([&["CAM-2", "CAM-3", "CAM-4", "CAM-5"], &["CAM-X"]]);
    let (status, _, body) = add(monitor.url(), 0, &[], head_of(&more, 7).note.as_bytes());
    assert_eq!(status, 200, "it is consistent with what was cosigned, which is nothing: {body}");
    until("it waits", || {
        let waiting = monitor.status();
        waiting.to_string().contains("\"size\":7").then_some(())
    });
}

/// What nothing was said of yet is in the status and on the page, with how many, since when and why.
#[test]
fn heads_that_are_not_held_against_the_tree_yet_are_shown() {
    let (served, monitor, [shown, _]) = withholding();
    let gone = Odd::Instead(503, "text/plain", b"later".to_vec());
    served.show(Show::of(&shown).with_odd("/tile/", gone));
    let (status, _, body) = add(monitor.url(), 0, &[], head_of(&shown, 4).note.as_bytes());
    assert!(status == 503 && body.contains("witness.waits"), "{status} {body}");
    let status = until("it is in the status", || {
        Some(monitor.status()).filter(|status| status["unread"]["heads"] == 1 && status["unread"]["beyond_newest"] == 0)
    });
    assert!(status["unread"]["since"].as_u64() > Some(0), "{status:#}");
    let (_, said) = monitor.run(&["status", "--admin", monitor.admin()]);
    assert!(said.contains("1 head that was shown is not held against the tree yet, the first since"), "{said}");
    let page = format!("GET /log/{}", proto::hash::Hash::of(ORIGIN.as_bytes()));
    let (code, _, page) = request(monitor.url(), &page, b"").expect("an answer");
    assert!(code == 200 && page.contains("below the newest head, whose entries are not read"), "{code} {page}");
    served.show(Show::of(&shown));
    until("it is known", || monitor.status()["unread"].is_null().then_some(()));
}
