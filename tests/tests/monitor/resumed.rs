//! Cosigning that the operator began again ends again with the next fork, also where the room for evidence was used up.

use claimtrail_log::testing::{ORIGIN, key, number};
use client::api::Api;
use client::http::Http;
use harness::watcher::MonitorUnderTest;
use proto::checkpoint::CheckpointText;
use proto::hash::Hash;
use proto::misbehaviour::Misbehaviour;
use proto::note::{KeyName, Note, NoteSigner};
use proto::num::TreeSize;
use serde_json::Value;

use super::served::{Served, log_of, router, trust};
use super::witness::{add, request};
use super::{programs, wait};

/// A file about two heads of this size, both signed by the log.
pub(super) fn fork(size: u64) -> Vec<u8> {
    let log = NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), key(number::LOG));
    let head = |root: &[u8]| {
        let text = CheckpointText::new(ORIGIN, TreeSize(size), Hash::of(root)).unwrap();
        Note::parse(text.sign(&[&log], &[]).unwrap().as_bytes()).unwrap()
    };
    let file = Misbehaviour::same_size(ORIGIN, log.vkey(), [&head(b"one"), &head(b"other")]).unwrap();
    file.to_text().into_bytes()
}

/// The status of handing in a file, and what became of it.
fn hand_in(monitor: &MonitorUnderTest, size: u64) -> (u16, String) {
    let (status, _, answer) = request(monitor.url(), "POST /v1/evidence", &fork(size)).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    (status, answer["taken"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_further_fork_is_kept_told_and_ends_cosigning_again() {
    let served = Served::new(router(&log_of(&["CAM-1"])));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), &served.url, false);
    monitor.serve();
    monitor.until_checked(3);
    let head = wait(Api::new(Http::new(&served.url).unwrap()).checkpoint()).unwrap();
    for size in 100..108 {
        assert_eq!(hand_in(&monitor, size), (201, "new".to_owned()));
    }
    assert_eq!(hand_in(&monitor, 108), (200, "enough".to_owned()));
    assert_eq!(add(monitor.url(), 0, &[], &head).0, 503);
    monitor.stop();

    let ids: Vec<String> = (100..108).map(|size| Hash::of(&fork(size)).to_string()).collect();
    let named = ids.iter().flat_map(|id| ["--despite-evidence", id.as_str()]);
    let (code, said) = monitor.run(&["resume-origin", ORIGIN].into_iter().chain(named).collect::<Vec<_>>());
    assert_eq!(code, 0, "{said}");
    monitor.serve();
    assert_eq!(add(monitor.url(), 0, &[], &head).0, 200);
    assert_eq!(hand_in(&monitor, 100), (200, "known".to_owned()));
    assert_eq!(add(monitor.url(), 3, &[], &head).0, 200, "what the operator knew of ends nothing");
    assert_eq!(hand_in(&monitor, 108), (201, "new".to_owned()));
    assert_eq!(add(monitor.url(), 3, &[], &head).0, 503);
    monitor.stop();
    let told = monitor.events(ORIGIN).into_iter().filter(|event| event.what.kind() == "began").count();
    assert_eq!(told, 2, "one alert for the eight, one for what came after the act");
}
