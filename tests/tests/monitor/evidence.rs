//! What a monitor finds becomes a file that a stranger's process proves, is kept, and has its consequences.

use std::path::{Path, PathBuf};

use claimtrail_log::testing::{ORIGIN, TestLog, number, sign, support_claim};
use client::api::Api;
use client::http::Http;
use harness::process::run;
use harness::watcher::MonitorUnderTest;
use proto::entry::{Entry, Links};
use proto::fold::Submission;
use proto::hash::Hash;
use proto::num::{LeafIndex, Millis};
use serde_json::Value;
use tempfile::TempDir;

use super::served::{Served, add, entries, log_of, made_up, router, trust};
use super::witness::{add as add_checkpoint, request};
use super::{open, programs, wait};

fn monitor_at(url: &str) -> MonitorUnderTest {
    MonitorUnderTest::init(programs(), &trust(), url, false)
}

/// What a command of the monitor says as JSON, and its exit code.
fn said(monitor: &MonitorUnderTest, args: &[&str]) -> (i32, Value) {
    let (code, said) = monitor.run(&[args, &["--json"]].concat());
    (code, serde_json::from_str(&said).unwrap_or_else(|error| panic!("{args:?}: {error}: {said}")))
}

/// The evidence that a stopped monitor keeps.
fn kept(monitor: &MonitorUnderTest) -> Vec<Value> {
    said(monitor, &["evidence", "list"]).1["evidence"].as_array().unwrap().clone()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value:#}"))
}

/// The kind and the convicted key's name of each piece of evidence, which processes that know nothing of the monitor prove.
fn proven(monitor: &MonitorUnderTest) -> Vec<(String, String)> {
    let elsewhere = tempfile::tempdir().unwrap();
    kept(monitor)
        .iter()
        .map(|kept| {
            let file = exported(monitor, &elsewhere, text(kept, "id"));
            for verb in ["verify", "show"] {
                let output = run(&programs().client, elsewhere.path(), &["misbehaviour", verb, file.to_str().unwrap()]);
                assert!(output.status.success(), "{verb}: {output:?}");
            }
            let output = run(&programs().monitor, elsewhere.path(), &["evidence", "verify", file.to_str().unwrap()]);
            assert!(output.status.success(), "{output:?}");
            let name = text(kept, "accused").split('+').next().unwrap().to_owned();
            (text(kept, "kind").to_owned(), name)
        })
        .collect()
}

fn exported(monitor: &MonitorUnderTest, folder: &TempDir, id: &str) -> PathBuf {
    let file = folder.path().join(format!("{id}.misbehaviour.json"));
    let (code, said) = monitor.run(&["evidence", "export", id, "-o", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(Hash::of(&std::fs::read(&file).unwrap()).to_string(), id, "byte for byte");
    file
}

/// A monitor that followed these entries, then looks once at a log of those: the codes and what is proven.
fn after(mirror: bool, first: &[Vec<u8>], then: &[Vec<u8>], seconds: u64) -> (i32, Value, Vec<(String, String)>) {
    let (honest, lying) = (Served::new(made_up(first, 3)), Served::new(made_up(then, seconds)));
    let monitor = MonitorUnderTest::init(programs(), &trust(), &honest.url, mirror);
    assert_eq!(monitor.once().0, 0);
    monitor.point_to(&lying.url);
    let (code, status) = monitor.once();
    let files = proven(&monitor);
    (code, status, files)
}

fn by(kind: &str, names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| (kind.to_owned(), (*name).to_owned())).collect()
}

const TIME: &str = "log.example/test/time";

#[test]
fn two_histories_become_files_that_a_stranger_proves() {
    let (one, other) = (log_of(&["CAM-1", "CAM-2"]), log_of(&["CAM-1", "CAM-X"]));
    let (first, second) = (Served::new(router(&one)), Served::new(router(&other)));
    let monitor = monitor_at(&first.url);
    assert_eq!(monitor.once().0, 0);
    monitor.point_to(&second.url);
    let (code, status) = monitor.once();
    assert_eq!(code, 10, "{status:#}");
    let parts = [by("same-size", &[ORIGIN, TIME]), by("two-entries", &[ORIGIN])].concat();
    assert_eq!(proven(&monitor), parts, "{status:#}");
    let finding = &status["open"][0]["finding"];
    assert_eq!((text(finding, "code"), finding["evidence"].as_array().unwrap().len()), ("head.fork", 3));
    assert_eq!(status["evidence"]["same-size"], 2);
    let branch = |monitor| {
        let (code, said) = said(monitor, &["evidence", "branches"]);
        assert_eq!((code, said["logs"][0]["branches"].as_array().unwrap().len()), (0, 1), "{said:#}");
        let branch = &said["logs"][0]["branches"][0];
        let leaves: Vec<String> =
            branch["leaves"].as_array().unwrap().iter().map(|leaf| leaf.as_str().unwrap().to_owned()).collect();
        (branch["parts_at"].as_u64().unwrap(), leaves)
    };
    let leaf = |index: usize| Hash::leaf(&entries(&other)[index]).to_base64();
    assert_eq!(branch(&monitor), (3, vec![leaf(3)]), "the last of four is another one");

    // The fork grows: another finding, other files, and still one for each key.
    add(&other, &["CAM-3"]);
    let (code, status) = monitor.once();
    assert_eq!(code, 10);
    let all = [parts, by("inconsistent", &[ORIGIN, TIME])].concat();
    assert_eq!(proven(&monitor), all, "{status:#}");
    assert_eq!(branch(&monitor), (3, vec![leaf(3), leaf(4)]), "the other history is followed as far as it is shown");
    monitor.once();
    assert_eq!(kept(&monitor).len(), 5, "the same once more is no other evidence");
}

#[test]
fn false_times_and_entries_against_the_rules_are_proven_too() {
    let test = log_of(&["CAM-1", "CAM-2", "CAM-3"]);
    let all = entries(&test);
    let (code, status, files) = after(true, &all[..3], &all[..3], 100);
    assert_eq!((code, files), (0, Vec::new()), "an honest head: {status:#}");
    let (code, status, files) = after(true, &all, &all[..3], 100);
    assert_eq!((code, files), (10, by("head-time", &[TIME])), "{status:#}");

    let last = Entry::decode(all.last().unwrap()).unwrap();
    let go_on = |change: &dyn Fn(&mut Entry)| {
        let mut entry = last.clone();
        change(&mut entry);
        [all.clone(), vec![entry.encode().unwrap()]].concat()
    };
    let other = Submission::from_envelope(sign(&support_claim("CAM-4", "2031-03"), &[number::ACME_SIGN])).unwrap();
    let stranger = sign(&support_claim("CAM-5", "2031-03"), &[number::ACME_SIGN + 90]);
    let stranger = Submission::from_envelope(stranger).unwrap();
    let fresh = |entry: &mut Entry, claim: &Submission| {
        entry.timestamp = Millis(last.timestamp.0 + 1);
        (entry.payload, entry.signatures) = (claim.payload().to_vec(), claim.signatures().to_vec());
        entry.links = Links { previous: None, ..last.links };
    };
    let cases: [(&str, &str, i32, Vec<Vec<u8>>); 4] = [
        (
            "time-back",
            "entry.time",
            10,
            go_on(&|entry| {
                fresh(entry, &other);
                entry.timestamp = Millis(last.timestamp.0 - 1);
            }),
        ),
        ("duplicate-claim", "entry.duplicate", 10, go_on(&|entry| entry.timestamp = Millis(last.timestamp.0 + 1))),
        (
            "wrong-link",
            "entry.link",
            10,
            go_on(&|entry| {
                fresh(entry, &other);
                entry.links.previous = Some(LeafIndex(2));
            }),
        ),
        ("broken-rule", "key.unknown", 11, go_on(&|entry| fresh(entry, &stranger))),
    ];
    for (kind, rule, class, then) in cases {
        let (code, status, files) = after(false, &all, &then, 60);
        assert!(code == class && open(&status).contains(&rule), "{rule}: {code}: {status:#}");
        let (of_entry, rest): (Vec<_>, Vec<_>) = files.into_iter().partition(|(found, _)| found == kind);
        assert_eq!(of_entry, by(kind, &[ORIGIN]), "{status:#}");
        // An entry before its predecessor is also before the head that was seen without it.
        let head_time = if kind == "time-back" { by("head-time", &[TIME]) } else { Vec::new() };
        assert_eq!(rest, head_time, "{status:#}");
    }
}

#[test]
fn an_entry_that_is_none_stays_an_alert_that_says_why() {
    let all = entries(&log_of(&["CAM-1"]));
    let (code, status, files) = after(false, &all, &[all.clone(), vec![b"no entry".to_vec()]].concat(), 60);
    assert_eq!((code, files), (10, Vec::new()));
    let finding = &status["open"][0]["finding"];
    assert!(
        text(finding, "code") == "entry.malformed" && text(finding, "unproven").contains("malformed"),
        "{status:#}"
    );
}

pub(super) fn checkpoint(url: &str) -> Vec<u8> {
    wait(Api::new(Http::new(url).unwrap()).checkpoint()).unwrap()
}

/// A log of this many claims that a running monitor follows and cosigned once; its head.
pub(super) fn cosigned(test: &TestLog) -> (Served, MonitorUnderTest, Vec<u8>) {
    let served = Served::new(router(test));
    let mut monitor = monitor_at(&served.url);
    monitor.serve();
    monitor.until_checked(test.log.published().head.size.0);
    let head = checkpoint(&served.url);
    assert_eq!(add_checkpoint(monitor.url(), 0, &[], &head).0, 200);
    (served, monitor, head)
}

fn copy_of(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_all(folder, copy.path());
    copy
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let name = to.join(item.file_name());
        match item.file_type().unwrap().is_dir() {
            true => copy_all(&item.path(), &name),
            false => _ = std::fs::copy(item.path(), name).unwrap(),
        }
    }
}

#[test]
fn two_histories_end_cosigning_until_the_operator_acts() {
    let (one, other) = (log_of(&["CAM-1", "CAM-2"]), log_of(&["CAM-1", "CAM-X"]));
    let (served, mut monitor, head) = cosigned(&one);
    monitor.stop();
    let before = copy_of(&monitor.path("state"));
    monitor.serve();
    monitor.until_checked(4);
    let fork = Served::new(router(&other));
    let again = |monitor: &MonitorUnderTest| add_checkpoint(monitor.url(), 4, &[], &head);
    assert_eq!(again(&monitor).0, 200);
    let (status, _, body) = add_checkpoint(monitor.url(), 4, &[], &checkpoint(&fork.url));
    assert!(status == 503 && body.contains("witness.stopped"), "{status} {body}");
    assert_eq!(again(&monitor).0, 503, "nothing more is cosigned");
    assert!(text(&monitor.status(), "not_cosigned_because").contains("two histories"));

    // Anybody reads the file, byte for byte.
    let (status, _, page) = request(monitor.url(), "GET /v1/evidence", b"").unwrap();
    let page: Value = serde_json::from_str(&page).unwrap();
    let id = text(&page["evidence"][0], "id").to_owned();
    assert_eq!(
        (status, page["evidence"][0]["stops_cosigning"].as_bool(), &page["next"]),
        (200, Some(true), &Value::Null)
    );
    let (status, kind, bytes) = request(monitor.url(), &format!("GET /v1/evidence/{id}"), b"").unwrap();
    assert_eq!((status, kind.as_str(), Hash::of(bytes.as_bytes()).to_string()), (200, "application/json", id.clone()));
    for bad in ["GET /v1/evidence/00", "GET /v1/evidence?origin=other.example"] {
        assert_eq!(request(monitor.url(), bad, b"").unwrap().0, 404, "{bad}");
    }
    for bad in ["GET /v1/evidence?limit=0", "GET /v1/evidence?from=x", "GET /v1/evidence?number=1"] {
        assert_eq!(request(monitor.url(), bad, b"").unwrap().0, 400, "{bad}");
    }
    let (status, _, taken) = request(monitor.url(), "POST /v1/evidence", bytes.as_bytes()).unwrap();
    assert!(status == 200 && taken.contains("known"), "anybody may hand in a file: {status} {taken}");
    // Commands work beside a running monitor.
    let (code, shown) = monitor.run(&["evidence", "show", &id[..12], "--admin", monitor.admin()]);
    assert!(code == 0 && shown.contains("signed two histories"), "{shown}");

    // A restart keeps it, and so does a power cut, and a database from before.
    monitor.kill();
    monitor.serve();
    assert_eq!(again(&monitor).0, 503);
    monitor.stop();
    std::fs::remove_dir_all(monitor.path("state")).unwrap();
    copy_all(before.path(), &monitor.path("state"));
    monitor.serve();
    assert_eq!(again(&monitor).0, 503, "the record beside the database knows");
    let (code, why) = monitor.run(&["resume-origin", ORIGIN, "--despite-evidence", &id]);
    assert_ne!(code, 0, "not while it runs: {why}");
    monitor.stop();

    let other = "0".repeat(64);
    let (code, why) = monitor.run(&["resume-origin", ORIGIN, "--despite-evidence", &other]);
    assert!(code == 64 && why.contains("no evidence"), "{why}");
    let (code, why) = monitor.run(&["resume-origin", ORIGIN]);
    assert!(code == 69 && why.contains(&id), "the record is in order, the evidence stands: {why}");
    monitor.serve();
    assert_eq!(again(&monitor).0, 503);
    monitor.stop();
    let (code, said) = monitor.run(&["resume-origin", ORIGIN, "--despite-evidence", &id]);
    assert!(code == 0 && said.contains("recorded"), "{said}");
    monitor.serve();
    assert_eq!(again(&monitor).0, 200);
    assert_eq!(monitor.status()["cosigned_despite"][0], id.as_str());
    assert!(std::fs::read_dir(monitor.path("record")).unwrap().any(|file| {
        std::fs::read_to_string(file.unwrap().path()).is_ok_and(|text| text.contains(&format!("{id} resumed")))
    }));
    drop(served);
}

#[test]
fn a_file_that_is_handed_over_convicts_where_it_is_taken() {
    let (one, other) = (log_of(&["CAM-1", "CAM-2"]), log_of(&["CAM-1", "CAM-X"]));
    let (first, second) = (Served::new(router(&one)), Served::new(router(&other)));
    let finder = monitor_at(&first.url);
    finder.once();
    finder.point_to(&second.url);
    finder.once();
    let elsewhere = tempfile::tempdir().unwrap();
    let id = text(&kept(&finder)[0], "id").to_owned();
    let file = exported(&finder, &elsewhere, &id);
    let path = file.to_str().unwrap();

    // Beside a running one, and with none running.
    let (_served, mut running, head) = cosigned(&one);
    let admin = running.admin().to_owned();
    let (code, taken) = said(&running, &["evidence", "import", path, "--admin", &admin]);
    assert_eq!((code, text(&taken, "taken"), text(&taken, "id")), (0, "new", id.as_str()));
    assert_eq!(add_checkpoint(running.url(), 4, &[], &head).0, 503, "who never saw the fork does not cosign either");
    assert_eq!(text(&running.status()["open"][0]["finding"], "code"), "evidence.proven");
    let (code, taken) = said(&running, &["evidence", "import", path, "--admin", &admin]);
    assert_eq!((code, text(&taken, "taken")), (0, "known"));
    running.stop();
    let still = monitor_at(&first.url);
    assert_eq!(said(&still, &["evidence", "import", path]).0, 0);
    let (code, status) = still.once();
    assert_eq!((code, text(&status["open"][0]["finding"], "code")), (10, "evidence.proven"), "{status:#}");
    assert_eq!(proven(&still), by("same-size", &[ORIGIN]));

    // What proves nothing, what is no such file, and what is nothing to this monitor.
    let whole = std::fs::read_to_string(&file).unwrap();
    let bad = elsewhere.path().join("bad");
    let head_end = whole.rfind("==\\n").or_else(|| whole.rfind("=\\n")).unwrap();
    let mut forged = whole.clone().into_bytes();
    // Into the last signature: the file keeps its form.
    forged[head_end - 20] = if forged[head_end - 20] == b'A' { b'B' } else { b'A' };
    for (bytes, code) in [(forged, 1), (whole.as_bytes()[1..].to_vec(), 2), (b"{}".to_vec(), 2)] {
        std::fs::write(&bad, &bytes).unwrap();
        let dir = still.data();
        let (bad, dir) = (bad.to_str().unwrap(), dir.to_str().unwrap());
        let (import, verify) = (vec!["evidence", "import", bad, "--dir", dir], vec!["evidence", "verify", bad]);
        for args in [import, verify] {
            let output = run(&programs().monitor, elsewhere.path(), &args);
            assert_eq!(output.status.code(), Some(code), "{args:?} {output:?}");
        }
    }
    let log = super::log_with_acme();
    let stranger = super::monitor_of(&log, false);
    let (code, why) = stranger.run(&["evidence", "import", path]);
    assert!(code == 3 && why.contains("not followed here"), "{why}");
    assert_eq!(kept(&stranger).len(), 0);
    let (code, why) = still.run(&["evidence", "show", "ffff"]);
    assert_eq!(code, 64, "{why}");
}
