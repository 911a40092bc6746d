//! Lists of heads that have no end, and ones that come and go.

use claimtrail_log::testing::ORIGIN;
use harness::process::until;
use harness::watcher::MonitorUnderTest;
use harness::zoo::{Odd, Script, Served, Show, trust};
use serde_json::Value;

use super::some::parted;
use crate::{open, programs};

const LIST: &str = "/v1/heads";

/// Waits until so many more looks at the log are over.
fn looks(monitor: &MonitorUnderTest, count: usize) -> Value {
    let mut status = monitor.status();
    for _ in 0..count {
        let before = status["last_success"].clone();
        status = until("a look", || Some(monitor.status()).filter(|now| now["last_success"] != before));
    }
    status
}

#[test]
fn a_list_without_end_costs_what_a_day_has_room_for_and_the_log_is_followed_on() {
    let mut script = Script::begun(client::clock::now());
    let served = Served::new(Show::of(&script).with_odd(LIST, Odd::EndlessList));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), false);
    monitor.configure("[poll]\nlisted_heads = 400\nlisted_heads_a_day = 1000\n");
    monitor.serve();
    let status = until("it is told", || Some(monitor.status()).filter(|status| open(status) == ["log.list"]));
    assert_eq!(status["open"][0]["finding"]["class"], "degraded", "{status:#}");
    assert_eq!(served.odd_requests(), 5, "a thousand heads, 200 in a page");

    script.promise("CAM-2");
    script.publish();
    served.show(Show::of(&script).with_odd(LIST, Odd::EndlessList));
    monitor.until_checked(4);
    assert_eq!(open(&looks(&monitor, 2)), ["log.list"], "once, and nothing else");
    monitor.stop();
    // It is a day, not a process.
    monitor.serve();
    assert_eq!(open(&looks(&monitor, 2)), ["log.list"]);
    assert_eq!(served.odd_requests(), 5, "the list is not asked for");
    monitor.stop();

    let file = monitor.path("config.toml");
    let config = std::fs::read_to_string(&file).unwrap().replace("_a_day = 1000", "_a_day = 2000");
    std::fs::write(&file, config).unwrap();
    served.show(Show::of(&script).with_odd(LIST, Odd::EveryOther));
    monitor.serve();
    until("it ends with the list", || open(&monitor.status()).is_empty().then_some(()));
    monitor.stop();
    let told: Vec<_> = monitor.events(ORIGIN).iter().map(|event| event.what.kind()).collect();
    assert_eq!(told, ["began", "ended"]);
}

/// Looks at a list that is there at every other look.
#[test]
fn a_list_that_comes_and_goes_is_told_seldom_and_hides_no_head() {
    let [hidden, mut shown] = parted([&["CAM-X"], &["CAM-2", "CAM-3"]]);
    let common = shown.heads[..1].to_vec();
    let head = hidden.heads.last().expect("a head").clone();
    let at = |shown: &Script, heads: &[harness::zoo::Published]| Show::of(shown).with_list(heads.to_vec());
    let mut before = shown.clone();
    before.heads.truncate(1);
    let listed = Show::of(&before).with_listed(head).with_odd(LIST, Odd::EveryOther);
    let served = Served::new(listed);
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), true);
    // Each look that fails is an outage at once, and each that succeeds its end.
    monitor.configure("[poll]\noutage_after_seconds = 0\n");
    monitor.serve();
    until("twelve looks", || (served.odd_requests() >= 12).then_some(()));
    monitor.stop();
    let told: Vec<_> = monitor.events(ORIGIN).iter().map(|event| event.what.kind()).collect();
    assert!(told.len() <= 3, "told once more and then not: {told:?}");

    // The head of the other history was listed then; it is not any more, and is not forgotten.
    shown.heads.drain(..1);
    served.show(at(&shown, &common).with_odd(LIST, Odd::EveryOther));
    monitor.serve();
    until("the fork is found", || open(&monitor.status()).contains(&"head.fork").then_some(()));
    monitor.stop();
    let told = monitor.events(ORIGIN);
    let kinds = |code: &str| -> Vec<&str> {
        let of = told.iter().filter(|event| event.what.finding().is_some_and(|finding| finding.code == code));
        of.map(|event| event.what.kind()).collect()
    };
    assert!(kinds("log.unreachable").len() <= 3, "{told:#?}");
    assert_eq!(kinds("head.fork")[0], "began", "{told:#?}");
}
