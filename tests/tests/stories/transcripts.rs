//! Every command of `claimtrail` that talks to a log, as a person types it, with what comes back: `transcripts/*.md`.

use std::fs;
use std::path::{Path, PathBuf};

use harness::cluster::LogUnderTest;
use harness::transcript::{Stage, play};
use harness::workspace::root;

use crate::programs;

/// Plays a transcript against a log of its own; `prepare` does what happened before.
fn transcript(name: &str, prepare: impl FnOnce(&LogUnderTest)) {
    let mut log = LogUnderTest::start(programs());
    prepare(&log);
    let folder = log.path().to_owned();
    let env = vec![
        ("CLAIMTRAIL_TRUST", "trust.txt".to_owned()),
        ("CLAIMTRAIL_STATE", "state".to_owned()),
        ("DATA", root().join("tests/data").display().to_string()),
    ];
    let programs = log.programs.clone();
    publish_trust(&log);
    let mut act = |what: &str| {
        match what {
            "the log runs" => {}
            "the log is stopped" => log.stop(),
            "the log runs again" => log.serve(),
            "the log runs again, read-only" => log.serve_with(&["--read-only", "the house moves"]),
            other => panic!("nobody knows how to do this: {other}"),
        }
        publish_trust(&log);
        let address = log.url().trim_start_matches("http://").to_owned();
        vec![
            (log.url().to_owned(), "[URL]".to_owned()),
            (address, "[ADDRESS]".to_owned()),
            (log.path().display().to_string(), "[FOLDER]".to_owned()),
        ]
    };
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stories/transcripts").join(name);
    play(&file, &mut Stage { folder: &folder, programs: &programs, env, act: &mut act });
}

/// The trust file as the operator gives it to readers, with the address that the log has now.
fn publish_trust(log: &LogUnderTest) {
    let policy = fs::read_to_string(log.data().join("trust.policy")).expect("init wrote it");
    fs::write(log.path().join("trust.txt"), policy.replace("http://127.0.0.1:8080", log.url())).expect("written");
}

fn put(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("written");
}

fn acme(log: &LogUnderTest) {
    log.enrol("acme.example", "acme", "manufacturer", false);
}

fn acme_and_lab(log: &LogUnderTest) {
    acme(log);
    log.enrol("lab.example", "lab", "researcher", false);
}

#[test]
fn issuers() {
    transcript("issuers.md", |_| {});
}

#[test]
fn claims() {
    transcript("claims.md", acme);
}

#[test]
fn replies() {
    transcript("replies.md", acme_and_lab);
}

#[test]
fn import() {
    transcript("import.md", |log| log.enrol("csirt.example", "csirt", "csirt", false));
}

#[test]
fn refusals() {
    transcript("refusals.md", |log| {
        acme_and_lab(log);
        put(log.path(), "broken.envelope.json", "{\"payloadType\": 3}\n");
        put(log.path(), "no.trust", "log nonsense\n");
    });
}

#[test]
fn operator() {
    transcript("operator.md", acme);
}

#[test]
fn frozen() {
    transcript("frozen.md", acme);
}
