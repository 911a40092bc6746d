//! A witness of the trust file signs two histories, or goes back: its lines come by different ways, and are held against each other.

use std::path::Path;
use std::process::Command;

use axum::Router;
use axum::routing::get;
use claimtrail_log::testing::{key, number};
use client::api::Api;
use client::http::Http;
use harness::process::{run, until};
use harness::watcher::MonitorUnderTest;
use harness::{inputs, workspace};
use monitor::finding::{What, code};
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::note::KeyName;
use proto::num::Seconds;
use serde_json::{Value, json};

use super::served::{Served, add, changed, log_of, router, trust};
use super::{Watchers, json as asked, open, post, programs, wait};

const WITNESS: &str = "bad.example";

/// The witness, which signs what the test wants. A test key.
fn witness() -> Cosigner {
    Cosigner::new(KeyName::parse(WITNESS).unwrap(), key(number::ACME_ADMIN)).unwrap()
}

/// A trust file that names it.
fn trusting() -> Vec<u8> {
    let vkey = witness().vkey().to_string();
    let text = String::from_utf8(trust()).unwrap();
    text.replace("quorum none", &format!("witness bad {vkey}\nquorum none")).into_bytes()
}

fn shown_by(log: &Served) -> Vec<u8> {
    wait(Api::new(Http::new(&log.url).unwrap()).checkpoint()).unwrap()
}

/// A head with the witness's line of this time.
fn cosigned_at(note: &[u8], time: u64) -> String {
    let note = std::str::from_utf8(note).unwrap();
    let (text, _) = note.split_once("\n\n").unwrap();
    let text = CheckpointText::parse(&format!("{text}\n")).unwrap();
    let signed = text.sign(&[], &[(&witness(), Seconds(time))]).unwrap();
    format!("{note}{}\n", signed.lines().last().unwrap())
}

fn cosigned(note: &[u8]) -> String {
    cosigned_at(note, client::clock::now().seconds().0)
}

/// A client's process hands a head in.
fn report(monitor: &MonitorUnderTest, note: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("trust.policy"), trusting()).unwrap();
    std::fs::write(folder.path().join("head.note"), note).unwrap();
    let args = ["--trust", "trust.policy", "report", "--monitor", monitor.url(), "head.note"];
    let output = run(&programs().client, folder.path(), &args);
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&said));
}

/// What is kept about the witness: kind and id.
fn convicted(monitor: &MonitorUnderTest) -> Vec<(String, String)> {
    let page = asked(monitor, "/v1/evidence");
    let kept = page["evidence"].as_array().unwrap().iter();
    let about = kept.filter(|kept| kept["accused"].as_str().unwrap().starts_with(&format!("{WITNESS}+")));
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    about.map(|kept| (word(&kept["kind"]), word(&kept["id"]))).collect()
}

fn until_convicted(monitor: &MonitorUnderTest, kind: &str) -> String {
    let found = until("a file about the witness", || convicted(monitor).into_iter().next());
    assert_eq!(found.0, kind);
    let told = open(&monitor.status());
    assert!(told.iter().any(|code| code == "evidence.proven" || code == "head.fork"), "{told:?}");
    found.1
}

/// The file is exported, and two processes that know nothing of the monitor prove it.
fn verifies(monitor: &MonitorUnderTest, id: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("witness.json");
    let export = ["evidence", "export", id, "-o", file.to_str().unwrap(), "--admin", monitor.admin()];
    let (code, said) = monitor.run(&export);
    assert_eq!(code, 0, "{said}");
    let output = run(&programs().client, folder.path(), &["misbehaviour", "verify", "witness.json"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains(WITNESS), "{said}");
    assert!(independent(&file));
}

fn independent(file: &Path) -> bool {
    let Some(python) = inputs::python("a_witness_that_signs_two_histories") else { return true };
    let mut command = Command::new(python);
    command.arg(workspace::root().join("tests/independent/check_misbehaviour.py")).arg(file);
    command.env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap().status.success()
}

#[test]
fn what_a_client_reports_and_what_a_peer_pushes_convict_it_at_every_monitor() {
    let (one, other) = (log_of(&["CAM-1"]), log_of(&["CAM-1"]));
    let (here, there) = (Served::new(router(&one)), Served::new(router(&other)));
    let mut watchers = Watchers::trusting(&trusting(), &[&here.url, &here.url]);
    (0..2).for_each(|number| watchers.serve(number));
    add(&one, &["CAM-2"]);
    add(&other, &["CAM-X"]);
    let [first, second] = watchers.monitors.as_slice() else { panic!("two") };
    [first, second].iter().for_each(|monitor| _ = monitor.until_checked(4));
    report(first, &cosigned(&shown_by(&here)));
    assert_eq!(convicted(first), []);
    let (status, said) = post(first, "/v1/gossip", format!("old 0\n\n{}", cosigned(&shown_by(&there))));
    assert_eq!(status, 200, "{said}");
    let id = until_convicted(first, "same-size");
    verifies(first, &id);
    assert_eq!(until_convicted(second, "same-size"), id, "it is sent to the peers");
    verifies(second, &id);
    watchers.monitors.iter_mut().for_each(MonitorUnderTest::stop);
}

#[test]
fn what_it_shows_and_what_it_is_asked_to_cosign_convict_it_whichever_is_larger() {
    for larger_here in [true, false] {
        let (one, other) = (log_of(&["CAM-1"]), log_of(&["CAM-1"]));
        let (here, there) = (Served::new(router(&one)), Served::new(router(&other)));
        let mut monitor = MonitorUnderTest::init(programs(), &trusting(), &here.url, false);
        monitor.serve();
        let (mine, theirs) = if larger_here { (2, 1) } else { (1, 2) };
        add(&one, &["CAM-2", "CAM-3"][..mine]);
        add(&other, &["CAM-X", "CAM-Y"][..theirs]);
        monitor.until_checked(3 + mine as u64);
        let (status, said) = post(&monitor, "/v1/cosigned", cosigned(&shown_by(&there)));
        assert_eq!(status, 204, "{said}");
        let body = format!("old 0\n\n{}", cosigned(&shown_by(&here)));
        assert!([200, 422, 503].contains(&post(&monitor, "/add-checkpoint", body).0));
        if !larger_here {
            // Nothing ties the two yet; the own tree grows beyond them, and the witness goes along.
            add(&one, &["CAM-4", "CAM-5"]);
            monitor.until_checked(6);
            report(&monitor, &cosigned(&shown_by(&here)));
        }
        let id = until_convicted(&monitor, "inconsistent");
        verifies(&monitor, &id);
        // It is durable, and one file is enough.
        monitor.kill();
        monitor.serve();
        assert_eq!(convicted(&monitor), [("inconsistent".to_owned(), id)]);
        monitor.stop();
    }
}

#[test]
fn the_head_that_a_log_shows_and_the_list_of_a_peer_convict_it() {
    let (one, other) = (log_of(&["CAM-1", "CAM-2"]), log_of(&["CAM-1", "CAM-X"]));
    let with_line = |note: &mut Vec<u8>| *note = cosigned_at(note, 1000).into_bytes();
    let (here, there) = (Served::new(changed(router(&one), "/checkpoint", with_line)), Served::new(router(&other)));
    let note = cosigned(&shown_by(&there));
    let listed = json!({ "heads": [{ "time": 1000, "size": 4, "root": "", "checkpoint": note }], "next_cursor": null });
    let peer = Served::new(Router::new().route("/v1/heads", get(async move || axum::Json(listed))));
    let mut monitor = MonitorUnderTest::init(programs(), &trusting(), &here.url, false);
    let url = &peer.url;
    monitor.configure(&format!("[[peer]]\nname = \"peer.example\"\nurl = \"{url}\"\n\n[gossip]\nevery_seconds = 1\n"));
    monitor.serve();
    let id = until_convicted(&monitor, "same-size");
    verifies(&monitor, &id);
    monitor.stop();
}

#[test]
fn a_witness_that_cosigns_a_smaller_head_later_is_told_once_and_for_good() {
    let one = log_of(&["CAM-1"]);
    let here = Served::new(router(&one));
    let mut monitor = MonitorUnderTest::init(programs(), &trusting(), &here.url, false);
    monitor.serve();
    let three = shown_by(&here);
    add(&one, &["CAM-2", "CAM-3"]);
    monitor.until_checked(5);
    let now = client::clock::now().seconds().0;
    report(&monitor, &cosigned_at(&shown_by(&here), now));
    report(&monitor, &cosigned_at(&three, now - 10));
    assert_eq!(open(&monitor.status()), Vec::<String>::new(), "an old one that comes late says nothing");
    let (status, said) = post(&monitor, "/v1/gossip", format!("old 0\n\n{}", cosigned_at(&three, now + 10)));
    assert_eq!(status, 200, "{said}");
    assert_eq!(open(&monitor.status()), [code::LOWER]);
    report(&monitor, &cosigned_at(&three, now + 20));
    let message = monitor.status()["open"][0]["finding"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(WITNESS) && message.contains("3 entries") && message.contains("5 entries"), "{message}");
    assert_eq!(convicted(&monitor), [], "both heads are of one history");
    monitor.stop();
    // It stays, and counts.
    let (code, status) = monitor.once();
    assert_eq!((code, open(&status)), (13, vec![code::LOWER.to_owned()]));
    let began =
        |event: &monitor::finding::Event| matches!(&event.what, What::Began(finding) if finding.code == code::LOWER);
    assert_eq!(monitor.events(claimtrail_log::testing::ORIGIN).iter().filter(|event| began(event)).count(), 1);
}
