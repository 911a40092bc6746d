//! Dishonest logs, each found in the right class and told by the exit code.

use claimtrail_log::testing::{number, sign, support_claim};
use harness::watcher::MonitorUnderTest;
use proto::entry::{Entry, Links};
use proto::fold::Submission;
use proto::num::Millis;
use serde_json::Value;

use super::served::{Served, add, changed, entries, log_of, made_up, router, trust};
use super::{open, programs};

fn monitor_at(served: &Served) -> MonitorUnderTest {
    MonitorUnderTest::init(programs(), &trust(), &served.url, false)
}

/// One look with this exit code and exactly this open.
fn found(monitor: &MonitorUnderTest, code: i32, what: &[&str]) -> Value {
    let (exit, status) = monitor.once();
    assert_eq!((exit, open(&status)), (code, what.to_vec()), "{status:#}");
    status
}

fn flip_last(bytes: &mut [u8]) {
    *bytes.last_mut().unwrap() ^= 1;
}

#[test]
fn one_bit_on_the_way_is_tampering_and_over_when_the_truth_is_served() {
    let test = log_of(&["CAM-1", "CAM-2"]);
    let honest = Served::new(router(&test));
    for path in ["/tile/0/", "/tile/entries/"] {
        let lying = Served::new(changed(router(&test), path, |bytes| flip_last(bytes)));
        let monitor = monitor_at(&lying);
        let status = found(&monitor, 10, &["log.served"]);
        assert_eq!(status["checked"], 0, "nothing of it was taken");
        found(&monitor, 10, &["log.served"]);
        monitor.point_to(&honest.url);
        assert_eq!(found(&monitor, 0, &[])["checked"], 4);
    }
    let cut = Served::new(changed(router(&test), "/tile/entries/", |bytes| bytes.truncate(9)));
    found(&monitor_at(&cut), 12, &["log.unreachable"]);
    let lying = Served::new(changed(router(&test), "/checkpoint", |bytes| bytes[ORIGIN_END] ^= 1));
    let monitor = monitor_at(&lying);
    assert_eq!(monitor.once().0, 10, "a head that its keys did not sign");
}

/// A place in the size line of a checkpoint of these logs.
const ORIGIN_END: usize = claimtrail_log::testing::ORIGIN.len() + 1;

#[test]
fn two_histories_under_one_key_are_kept_with_both_heads() {
    let (one, other) = (log_of(&["CAM-1", "CAM-2"]), log_of(&["CAM-1", "CAM-X"]));
    let (first, second) = (Served::new(router(&one)), Served::new(router(&other)));
    let monitor = monitor_at(&first);
    found(&monitor, 0, &[]);
    monitor.point_to(&second.url);
    let (code, status) = monitor.once();
    assert_eq!(code, 10, "the same size and another root");
    let fork = &status["open"][0]["finding"];
    assert_eq!((&fork["code"], fork["heads"].as_array().unwrap().len()), (&"head.fork".into(), 2), "{status:#}");
    assert!(fork["heads"].as_array().unwrap().iter().all(|note| note.as_str().unwrap().contains("\u{2014} ")));

    // The fork grows: a proof ties its larger head to another root at the size that was known.
    add(&other, &["CAM-3"]);
    let (code, status) = monitor.once();
    let tied = |open: &Value| open["finding"]["alternative"]["consistency"].as_array().is_some_and(|p| !p.is_empty());
    assert!(code == 10 && status["open"].as_array().unwrap().iter().any(tied), "{status:#}");
    assert_eq!(status["checked"], 4, "the fork's entries are not taken");
    monitor.point_to(&first.url);
    add(&one, &["CAM-4"]);
    let (code, status) = monitor.once();
    assert_eq!((code, &status["checked"]), (10, &5.into()), "the log is followed on, and what it signed stays open");
}

#[test]
fn a_log_that_is_rolled_back_and_goes_on_otherwise_is_tampering() {
    let test = log_of(&["CAM-1", "CAM-2", "CAM-3"]);
    let all = entries(&test);
    let full = Served::new(made_up(&all, 100));
    let monitor = monitor_at(&full);
    found(&monitor, 0, &[]);
    // An old answer is none: the smaller head of its own time is a part of the tree.
    let old = Served::new(made_up(&all[..3], 1));
    monitor.point_to(&old.url);
    found(&monitor, 0, &[]);
    // The same head signed again, later: it says that the entries behind it came after it.
    let again = Served::new(made_up(&all[..3], 100));
    monitor.point_to(&again.url);
    found(&monitor, 10, &["head.time"]);
    let other = log_of(&["CAM-9"]);
    let shorter = Served::new(made_up(&entries(&other), 200));
    monitor.point_to(&shorter.url);
    let (code, status) = monitor.once();
    assert!(code == 10 && open(&status).contains(&"head.fork"), "a smaller head is never dropped: {status:#}");
}

#[test]
fn an_entry_that_breaks_a_rule_is_told_and_the_tree_is_followed_on() {
    let test = log_of(&["CAM-1"]);
    let mut all = entries(&test);
    let last = Entry::decode(all.last().unwrap()).unwrap();
    // A key that nobody enrolled.
    let stranger = sign(&support_claim("CAM-2", "2031-03"), &[number::ACME_SIGN + 90]);
    let stranger = Submission::from_envelope(stranger).unwrap();
    let entry = Entry {
        timestamp: Millis(last.timestamp.0 + 1),
        links: Links { previous: None, ..last.links },
        payload: stranger.payload().to_vec(),
        signatures: stranger.signatures().to_vec(),
        ..last.clone()
    };
    all.push(entry.encode().unwrap());
    let monitor = monitor_at(&Served::new(made_up(&all[..3], 50)));
    let lying = Served::new(made_up(&all, 50));
    monitor.point_to(&lying.url);
    let status = found(&monitor, 11, &["key.unknown"]);
    assert_eq!((&status["size"], &status["checked"]), (&4.into(), &3.into()));
    assert_eq!(status["open"][0]["finding"]["index"], 3);
    found(&monitor, 11, &["key.unknown"]);

    // A link to the wrong entry, and bytes that are no entry.
    let wrong = Entry { links: Links { registry: None, ..last.links }, ..last.clone() };
    for (bad, code) in [(wrong.encode().unwrap(), "entry.link"), (b"no entry".to_vec(), "entry.malformed")] {
        let lying = Served::new(made_up(&[all[..2].to_vec(), vec![bad]].concat(), 50));
        let status = found(&monitor_at(&lying), 10, &[code]);
        assert_eq!((&status["size"], &status["checked"]), (&3.into(), &2.into()), "never skipped, never in the way");
    }
}

#[test]
fn a_head_older_than_its_entries_is_tampering() {
    let test = log_of(&["CAM-1", "CAM-2", "CAM-3"]);
    let early = Served::new(made_up(&entries(&test), 0));
    found(&monitor_at(&early), 10, &["head.time"]);
}
