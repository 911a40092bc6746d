//! A name is anybody's word: only what comes from where a peer sends from is said to be that peer's.

use claimtrail_log::testing::{ORIGIN, key, number};
use client::api::Api;
use client::http::Http;
use harness::watcher::MonitorUnderTest;
use proto::misbehaviour::Misbehaviour;
use proto::note::{KeyName, Note, NoteSigner};
use serde_json::{Value, json};

use super::served::{Served, log_of, router, trust};
use super::{json as asked, loose_head, post, programs, wait};

/// A file about two heads of this size, both signed by the log.
fn fork(size: u64) -> Vec<u8> {
    let log = NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), key(number::LOG));
    let (one, other) = (loose_head(size), {
        let text =
            proto::checkpoint::CheckpointText::new(ORIGIN, proto::num::TreeSize(size), proto::hash::Hash::EMPTY_ROOT);
        text.unwrap().sign(&[&log], &[]).unwrap()
    });
    let note = |text: &str| Note::parse(text.as_bytes()).unwrap();
    Misbehaviour::same_size(ORIGIN, log.vkey(), [&note(&one), &note(&other)]).unwrap().to_text().into_bytes()
}

#[test]
fn who_gives_a_peers_name_from_elsewhere_is_not_the_peer() {
    let log = Served::new(router(&log_of(&["CAM-1"])));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), &log.url, false);
    // None of them is there to be asked.
    for (name, host, addresses) in [
        ("here.example", "here.example:1", "[\"127.0.0.0/8\"]"),
        ("there.example", "127.0.0.1:1", "[\"192.0.2.7\"]"),
        ("number.example", "127.0.0.1:1", "[]"),
        ("nowhere.example", "nowhere.example:1", "[]"),
    ] {
        monitor.configure(&format!("[[peer]]\nname = \"{name}\"\nurl = \"http://{host}\"\naddresses = {addresses}\n"));
    }
    monitor.serve();
    monitor.until_checked(3);
    let head = wait(Api::new(Http::new(&log.url).unwrap()).checkpoint()).unwrap();
    let pushed = [b"old 0\n\n".as_slice(), &head].concat();
    let is_peer = |name: &str| ["here.example", "number.example"].contains(&name);
    for (name, size) in ["here.example", "there.example", "number.example", "nowhere.example", "stranger.example"]
        .into_iter()
        .zip(100..)
    {
        assert_eq!(post(&monitor, &format!("/v1/gossip?from={name}"), pushed.clone()).0, 200, "taken from anybody");
        assert_eq!(post(&monitor, &format!("/v1/evidence?from={name}"), fork(size)).0, 201);
    }
    let sources: Vec<Value> = asked(&monitor, "/v1/evidence")["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kept| kept["source"].clone())
        .collect();
    let (peer, named) = (|name: &str| json!({ "peer": name }), |name: &str| json!({ "named": name }));
    assert_eq!(
        sources,
        [
            peer("here.example"),
            named("there.example"),
            peer("number.example"),
            named("nowhere.example"),
            json!("report")
        ]
    );
    let status = monitor.status();
    for one in status["gossip"]["peers"].as_array().unwrap() {
        let shown = one["head_size"].as_u64();
        assert_eq!(shown, is_peer(one["name"].as_str().unwrap()).then_some(3), "{one}");
    }
    monitor.stop();

    // What is told of it says who it was, as far as that is known.
    let mut other = MonitorUnderTest::init(programs(), &trust(), &log.url, false);
    other.configure("[[peer]]\nname = \"there.example\"\nurl = \"http://there.example:1\"\n");
    other.serve();
    other.until_checked(3);
    assert_eq!(post(&other, "/v1/evidence?from=there.example", fork(100)).0, 201);
    let status = other.status();
    let said = status["open"][0]["finding"]["message"].as_str().unwrap();
    assert!(said.contains("from somebody who calls himself there.example"), "{said}");
    other.stop();
}
