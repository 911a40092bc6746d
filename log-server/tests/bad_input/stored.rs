//! Disks, folders and files that are not as they should be, met by the running log and by its commands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use claimtrail_log::http::{HttpOptions, public_router};
use claimtrail_log::store::faulty::{CommitFault, Damage, Faults, FaultyStore};
use claimtrail_log::store::memory::MemoryStore;
use claimtrail_log::testing::{ORIGIN, TestLog, acme, support};
use client::files::{Access, Existing};
use proto::num::LeafIndex;
use serde_json::Value;

use crate::command::{DEADLINE, Serving, TestFolder, body_of};
use crate::support::Site;

/// One case: a line of the list, what happens, and its test.
pub(crate) struct Case {
    pub(crate) line: &'static str,
    name: &'static str,
    run: fn(),
}

const DISK: &str = "a full disk";
const FOLDER: &str = "a data folder of another log";
const ENTRY: &str = "a corrupted entry in the store";
const RECORD: &str = "a signer's record that is lost or older";
const CONFIG: &str = "a config with an unknown key";

pub(crate) const CASES: &[Case] = &[
    Case { line: DISK, name: "the reserve is reached", run: reserve_is_reached },
    Case { line: DISK, name: "a write fails", run: write_fails },
    Case { line: FOLDER, name: "the store of another log", run: other_store },
    Case { line: FOLDER, name: "the signer's record of another log", run: other_record },
    Case { line: FOLDER, name: "no store at all", run: no_store },
    Case { line: ENTRY, name: "one bit of an entry", run: flipped_bit },
    Case { line: ENTRY, name: "a label that cannot be read", run: broken_label },
    Case { line: RECORD, name: "lost", run: lost_record },
    Case { line: RECORD, name: "cut off", run: cut_record },
    Case { line: RECORD, name: "damaged", run: damaged_record },
    Case { line: RECORD, name: "older than the store", run: older_record },
    Case { line: CONFIG, name: "in a table", run: unknown_key_in_a_table },
    Case { line: CONFIG, name: "at the top", run: unknown_key_at_the_top },
];

#[test]
fn every_case_is_said_and_loses_nothing() {
    for case in CASES {
        println!("{}: {}", case.line, case.name);
        (case.run)();
    }
}

/// Runs a test that speaks to the routes.
fn on_a_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn reserve_is_reached() {
    on_a_runtime(async {
        let site = Site::with_acme().await;
        site.log.log.modes().set_disk_low(true);
        let answer = site.submit(&support("CAM-1", "2031-03")).await;
        assert_eq!(answer.problem(), (503, "disk.low".into()));
        assert_eq!(answer.json()["detail"], "the log's disk reserve is reached; the operator must make room");
        assert_eq!(answer.header("retry-after"), "60");
        assert_eq!(site.submit(&acme()).await.status, 200, "a repeat asks for no room");
        assert_eq!(site.get_json("/v1/log").await["size"], 2);
        site.log.log.modes().set_disk_low(false);
        assert_eq!(site.accept(&support("CAM-1", "2031-03")).await["index"], 2);
    });
}

fn write_fails() {
    on_a_runtime(async {
        let faults = Faults::default();
        let store = FaultyStore::new(MemoryStore::new(ORIGIN), faults.clone());
        let log = TestLog::start_on(Arc::new(store)).expect("starts");
        let router: Router = public_router(log.log.clone(), HttpOptions::default());
        let site = Site { log, router };
        site.accept(&acme()).await;
        for (number, fault) in
            [CommitFault::Lost, CommitFault::LostUnknown, CommitFault::PersistedUnknown].into_iter().enumerate()
        {
            faults.schedule([Some(fault)]);
            let claim = support(&format!("CAM-{number}"), "2031-03");
            let answer = site.submit(&claim).await;
            assert_eq!(answer.problem(), (503, "mode.recovering".into()), "{fault:?}");
            assert_eq!(
                answer.json()["detail"],
                "the log is recovering from a failed write; ask again, it answers with the same entry"
            );
            assert_eq!(answer.header("retry-after"), "1");
            // Asked again as it says, until the log has recovered.
            let deadline = Instant::now() + DEADLINE;
            let receipt = loop {
                let answer = site.submit(&claim).await;
                match answer.status.as_u16() {
                    200 | 201 => break answer.json(),
                    503 => assert!(Instant::now() < deadline, "{fault:?}: {}", answer.text()),
                    other => panic!("{fault:?}: {other}: {}", answer.text()),
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            };
            assert_eq!(receipt["index"], 2 + number, "{fault:?}: the entry is there once");
        }
        assert_eq!(site.get_json("/v1/log").await["size"], 5);
    });
}

/// A copy of the folder's `log`, as another log's folder.
fn with_another_log() -> TestFolder {
    let folder = TestFolder::with_log();
    let made = folder.run(&["init", "other", "--origin", "log.example/other"]);
    made.expect(0, &["is founded in other"]);
    folder
}

fn put_in_place(folder: &TestFolder, from: &str, to: &str) {
    std::fs::rename(folder.path().join(to), folder.path().join("aside")).expect("moved aside");
    std::fs::rename(folder.path().join(from), folder.path().join(to)).expect("moved in");
}

fn put_back(folder: &TestFolder, from: &str, to: &str) {
    std::fs::rename(folder.path().join(to), folder.path().join(from)).expect("moved back");
    std::fs::rename(folder.path().join("aside"), folder.path().join(to)).expect("moved back");
}

/// The log in the folder is whole, and serves.
fn still_whole(folder: &TestFolder) {
    folder.run(&["check", "log"]).expect(0, &["is as it should be"]);
    let server = Serving::start(folder);
    body_of(&server.post(&acme()), 201);
    assert!(server.stop().success());
    folder.run(&["check", "log"]).expect(0, &["2 of 2 entries"]);
}

fn other_store() {
    let folder = with_another_log();
    put_in_place(&folder, "other/store", "log/store");
    let says =
        "holds the log \"log.example/other\", not \"log.example/test\"; name the right folder or the right origin";
    for command in [&["serve", "log"][..], &["check", "log"], &["rebuild", "log"]] {
        folder.run(command).expect(78, &[says]);
    }
    folder.run(&["export", "log", "--out", "tiles"]).expect(78, &[says]);
    put_back(&folder, "other/store", "log/store");
    still_whole(&folder);
    folder.run(&["check", "other"]).expect(0, &["log.example/other is as it should be"]);
}

fn other_record() {
    let folder = with_another_log();
    put_in_place(&folder, "other/signer/record", "log/signer/record");
    let says = "signer/record is not the one of log.example/test";
    folder.run(&["serve", "log"]).expect(78, &[says]);
    folder.run(&["check", "log"]).expect(1, &["where:    the signer's record", says]);
    put_back(&folder, "other/signer/record", "log/signer/record");
    still_whole(&folder);
}

fn no_store() {
    let folder = TestFolder::with_log();
    std::fs::rename(folder.log().join("store"), folder.path().join("aside")).expect("moved aside");
    let says =
        "log/store is not a log's data folder (it has no file STORE); make a new log there, or name the right folder";
    folder.run(&["serve", "log"]).expect(78, &[says]);
    folder.run(&["check", "log"]).expect(78, &[says]);
    std::fs::rename(folder.path().join("aside"), folder.log().join("store")).expect("moved back");
    still_whole(&folder);
}

fn flipped_bit() {
    let folder = TestFolder::with_log();
    let promises: Vec<_> = (2..6).map(|n| support(&format!("CAM-{n}"), "2031-03")).collect();
    folder.grow(&[&[acme()], &promises[..]].concat());
    let store = folder.store();
    let good = claimtrail_log::store::Store::entry(&store, LeafIndex(3)).unwrap().expect("an entry");
    let mut bad = good.to_vec();
    bad[200] ^= 1;
    store.overwrite_entry(LeafIndex(3), &bad).unwrap();
    drop(store);
    let advice = "restore the store from a backup or a mirror";
    folder.run(&["check", "log"]).expect(
        1,
        &["where:    tile level 0, hash 3", "what:     the stored hash is", "entry 3", "Nothing was changed", advice],
    );

    // A log that runs on it says so of this entry, and goes on with all others.
    let server = Serving::start(&folder);
    let failed = |answer: String| {
        let problem = json(body_of(&answer, 500));
        assert_eq!(problem["code"], "server.internal");
    };
    failed(server.get("/v1/entries/3"));
    failed(server.post(&promises[1]));
    body_of(&server.get("/v1/entries/2"), 200);
    body_of(&server.post(&promises[0]), 200);
    let receipt = json(body_of(&server.post(&support("CAM-9", "2031-03")), 201));
    assert_eq!(receipt["index"], 6);
    assert!(server.stop().success());

    // Bytes that are an entry, but another one: a promise of another month, with everything else in its place.
    let at = good.windows(7).position(|bytes| bytes == b"2031-03").expect("the month");
    let mut other = good.to_vec();
    other[at + 6] = b'4';
    folder.store().overwrite_entry(LeafIndex(3), &other).unwrap();
    let server = Serving::start(&folder);
    failed(server.get("/v1/entries/3"));
    body_of(&server.get("/v1/entries/2"), 200);
    assert!(server.stop().success());

    // With the entry restored all is as it was, and what was taken meanwhile is there.
    folder.store().overwrite_entry(LeafIndex(3), &good).unwrap();
    folder.run(&["check", "log"]).expect(0, &["7 of 7 entries"]);
}

fn broken_label() {
    let folder = TestFolder::with_log();
    let label = folder.log().join("store/STORE");
    let good = std::fs::read(&label).unwrap();
    for bad in [&b"claimtrail-store/1"[..], b"\xff\n", b"something else\nlog.example/test\n"] {
        std::fs::write(&label, bad).unwrap();
        let says = "is damaged: the file STORE cannot be read as a label; restore it from a backup or a mirror";
        folder.run(&["serve", "log"]).expect(1, &[says]);
        folder.run(&["check", "log"]).expect(1, &[says]);
    }
    std::fs::write(&label, "claimtrail-store/9\nlog.example/test\n").unwrap();
    let says = "has the store format 9, this program knows format 1; use the program that wrote it";
    folder.run(&["check", "log"]).expect(78, &[says]);
    std::fs::write(&label, good).unwrap();
    still_whole(&folder);
}

/// Takes the record away, changes it or leaves it out, and sees what the commands say.
fn with_record(change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>, serve: (i32, &str), check: (i32, &str)) {
    let folder = TestFolder::with_log();
    let record = folder.log().join("signer/record");
    let good = std::fs::read(&record).unwrap();
    match change(good.clone()) {
        Some(bad) => std::fs::write(&record, bad).unwrap(),
        None => std::fs::remove_file(&record).unwrap(),
    }
    folder.run(&["serve", "log"]).expect(serve.0, &["signer/record", serve.1]);
    folder.run(&["check", "log"]).expect(check.0, &["signer/record", check.1]);
    std::fs::write(&record, good).unwrap();
    still_whole(&folder);
}

fn lost_record() {
    let says = "No such file or directory (os error 2); without it this origin never signs again";
    with_record(|_| None, (74, says), (1, says));
}

fn cut_record() {
    let says = "is damaged; this origin must not sign again: start a new origin as its successor";
    with_record(|good| Some(good[..200].to_vec()), (1, says), (1, says));
}

fn damaged_record() {
    let says = "is damaged; this origin must not sign again: start a new origin as its successor";
    let spoil = |mut record: Vec<u8>| {
        for at in [40, 168] {
            record[at] ^= 1; // in both places
        }
        Some(record)
    };
    with_record(spoil, (1, says), (1, says));
}

/// A record that is older than a store that goes on from it harms nothing: the head that is committed extends it.
fn older_record() {
    let folder = TestFolder::with_log();
    let record = folder.log().join("signer/record");
    let (old, store) = (std::fs::read(&record).unwrap(), folder.log().join("store"));
    let copied = std::process::Command::new("cp").arg("-a").args([&store, &folder.path().join("backup")]).status();
    assert!(copied.expect("cp runs").success());
    folder.grow(&[acme()]);
    let newest = std::fs::read(&record).unwrap();
    std::fs::write(&record, &old).unwrap();
    folder.run(&["check", "log"]).expect(0, &["2 of 2 entries"]);
    folder.grow(&[support("CAM-1", "2031-03")]);
    folder.run(&["check", "log"]).expect(0, &["3 of 3 entries"]);
    // A store that is older than the record is never signed.
    std::fs::write(&record, newest).unwrap();
    std::fs::rename(&store, folder.path().join("newer")).unwrap();
    std::fs::rename(folder.path().join("backup"), &store).unwrap();
    folder.run(&["serve", "log"]).expect(
        1,
        &["the store has 1 entries, but a head of size 2 was signed; a backup that is too old was restored"],
    );
    folder
        .run(&["check", "log"])
        .expect(1, &["where:    the signer's record", "a backup that is too old was restored"]);
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(folder.path().join("newer"), &store).unwrap();
    folder.run(&["check", "log"]).expect(0, &["3 of 3 entries"]);
}

/// Writes a configuration, sees what the commands say, and puts the good one back.
fn with_config(change: impl FnOnce(&str) -> String, says: &[&str]) {
    let folder = TestFolder::with_log();
    let config = folder.log().join("config.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    let write = |text: &str| {
        client::files::write(&config, text.as_bytes(), Access::Public, Existing::Replace).unwrap();
    };
    write(&change(&good));
    for command in ["serve", "check", "rebuild"] {
        folder.run(&[command, "log"]).expect(78, says);
    }
    write(&good);
    still_whole(&folder);
}

fn unknown_key_in_a_table() {
    with_config(|good| format!("{good}\n[limits]\nqueue_claim = 5\n"), &["config.toml, line", "limits.queue_claim"]);
}

fn unknown_key_at_the_top() {
    with_config(|good| format!("data = \"/var\"\n{good}"), &["config.toml, line 1", "`data`", "no such key"]);
}
