//! A log promises a quorum's head over each entry within δ (60 s in its constitution), and does not keep that.

use claimtrail_log::testing::{ORIGIN, key};
use harness::watcher::MonitorUnderTest;
use harness::zoo::{Published, Script, Served, Show, trust};
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::note::KeyName;

use super::{open, programs};

/// A witness with a test key that no test log uses.
fn witness() -> Cosigner {
    Cosigner::new(KeyName::parse("other.example/witness").unwrap(), key(200)).unwrap()
}

/// The head with the line of the witness.
fn cosigned(head: &Published) -> String {
    let text = CheckpointText::new(ORIGIN, head.size, head.root).unwrap();
    let line = text.sign(&[], &[(&witness(), head.time)]).unwrap();
    format!("{}{}", head.note, line.split_once("\n\n").unwrap().1)
}

/// A monitor whose operator wants that witness under every head, and a log that begins two minutes ago with one.
fn scene() -> (Script, Served, MonitorUnderTest) {
    let script = Script::begun(client::clock::now());
    let served = Served::new(Show::of(&script).with_checkpoint(cosigned(&script.heads[0])));
    let policy = String::from_utf8(trust()).unwrap();
    let policy = policy.replace("quorum none", &format!("witness other {}\nquorum other", witness().vkey()));
    let monitor = MonitorUnderTest::init(programs(), policy.as_bytes(), served.url(), false);
    assert_eq!(monitor.once().0, 0);
    (script, served, monitor)
}

#[test]
fn heads_without_a_quorum_for_longer_than_promised_are_told_until_one_comes() {
    let (mut script, served, monitor) = scene();
    script.promise("CAM-2");
    script.publish();
    served.show(Show::of(&script));
    let (code, status) = monitor.once();
    assert_eq!((code, &status["checked"]), (0, &4.into()), "it has waited for a second: {status:#}");
    script.pass(59);
    script.publish();
    served.show(Show::of(&script));
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (13, vec!["head.unwitnessed"]), "{status:#}");
    let said = status["open"][0]["finding"]["message"].as_str().unwrap();
    assert!(said.contains("more than 3 entries") && said.contains("61 s") && said.contains("promises 60 s"), "{said}");

    served.show(Show::of(&script).with_checkpoint(cosigned(script.heads.last().unwrap())));
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (0, vec![]), "{status:#}");
    let kinds: Vec<&str> = monitor.events(ORIGIN).iter().map(|event| event.what.kind()).collect();
    assert_eq!(kinds, ["began", "ended"]);
}

/// What is shown is what met the quorum last; the log's own list has newer heads, whose entries nobody reads under it.
#[test]
fn a_log_that_stays_with_its_last_quorum_is_told_by_the_heads_that_it_lists() {
    let (mut script, served, monitor) = scene();
    let last = cosigned(&script.heads[0]);
    script.promise("CAM-2");
    script.publish();
    served.show(Show::of(&script).with_checkpoint(last.clone()));
    assert_eq!(monitor.once().0, 0);
    script.pass(60);
    script.publish();
    served.show(Show::of(&script).with_checkpoint(last));
    // The list is read behind the head: what it says of later times, a look at the head must have followed.
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (0, vec![]), "the first look: {status:#}");
    for look in ["the next", "another"] {
        let (code, status) = monitor.once();
        assert_eq!((code, open(&status)), (13, vec!["head.unwitnessed"]), "{look} look: {status:#}");
    }
    served.show(Show::of(&script).with_checkpoint(cosigned(script.heads.last().unwrap())));
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status), &status["checked"]), (0, vec![], &4.into()), "{status:#}");
}

/// A log that shows its newest head when a quorum is late, and showed others with one while nobody here looked.
#[test]
fn a_monitor_that_looked_away_does_not_say_that_nothing_was_cosigned() {
    let (mut script, served, monitor) = scene();
    script.promise("CAM-2");
    script.publish();
    script.pass(90);
    script.promise("CAM-3");
    script.publish();
    served.show(Show::of(&script));
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (0, vec![]), "the entry behind the last quorum seen waits for 92 s: {status:#}");
    // The last entry under the head that is shown is surely without one.
    script.pass(60);
    script.publish();
    served.show(Show::of(&script));
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (13, vec!["head.unwitnessed"]), "{status:#}");
    let said = status["open"][0]["finding"]["message"].as_str().unwrap();
    assert!(said.contains("more than 4 entries") && said.contains("62 s"), "{said}");
}
