//! `init`: whole or not at all.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use claimtrail_log::testing::{ORIGIN, key};
use proto::policy::Policy;

use crate::support::{TestFolder, run};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions().mode() & 0o777
}

#[test]
fn it_makes_keys_for_the_owner_only_and_a_trust_file() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(folder.path(), &["init", "deep/log", "--origin", "operator.example/1"]);
    said.expect(0, &["operator.key", "registrar.key", "safe place", "deep/log/trust.policy"]);
    let log = folder.path().join("deep/log");
    assert_eq!(mode(&log), 0o700);
    for name in ["keys/log.key", "keys/time.key", "keys/operator.key", "keys/registrar.key", "signer/record"] {
        assert_eq!(mode(&log.join(name)), 0o600, "{name}");
    }
    let trust = Policy::parse(std::fs::read(log.join("trust.policy")).unwrap()).unwrap();
    trust.check_keys().unwrap();
    assert!(trust.has_no_quorum());
    assert_eq!(
        (trust.logs()[0].origin(), trust.logs()[0].url()),
        ("operator.example/1", Some("http://127.0.0.1:8080"))
    );
    assert_eq!(trust.witnesses()[0].time_key_of(), Some("operator.example/1"));
    run(folder.path(), &["check", "deep/log"]).expect(0, &["is as it should be", "1 of 1 entries"]);
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let folder = TestFolder::with_log();
    let before = folder.names();
    folder.init(&[]).expect(64, &["log is in use", "name a new folder"]);
    assert_eq!(folder.names(), before);
    folder.run(&["check", "log"]).expect(0, &[]);
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    folder.run(&["init", "empty", "--origin", ORIGIN]).expect(0, &[]);
}

#[test]
fn nothing_is_left_of_what_cannot_be_made() {
    let folder = TestFolder::empty();
    let before = folder.names();
    let init = |more: &[&str]| folder.init(more);
    init(&["--operator-threshold", "2"]).expect(64, &["operator_threshold"]);
    init(&["--entry-bytes", "70000"]).expect(64, &["/body/limits/entry_bytes"]);
    init(&["--delta-seconds", "0"]).expect(64, &["delta_seconds"]);
    init(&["--registrar-key", "operator"]).expect(64, &["stands in the constitution already"]);
    init(&["--registrar-key", "missing"]).expect(74, &["missing"]);
    init(&["--issuer", "Not A Domain"]).expect(64, &["--issuer"]);
    init(&["--url", "not a url"]).expect(64, &["--url"]);
    init(&["--predecessor", "operator"]).expect(64, &["--predecessor-vkey"]);
    folder.run(&["init", "log", "--origin", "https://log.example"]).expect(64, &["--origin", "no scheme"]);
    assert_eq!(folder.names(), before);
}

#[test]
fn a_record_elsewhere_is_made_there_and_never_replaced() {
    let folder = TestFolder::empty();
    folder.init(&["--signer-record", "record"]).expect(0, &[]);
    assert!(!folder.log().join("signer/record").exists());
    folder.run(&["check", "log"]).expect(0, &[]);
    let record = std::fs::read(folder.path().join("record")).unwrap();
    let said = folder.run(&["init", "other", "--origin", ORIGIN, "--signer-record", "record"]);
    said.expect(74, &["record"]);
    assert!(!folder.path().join("other").exists());
    assert_eq!(std::fs::read(folder.path().join("record")).unwrap(), record);
}

#[test]
fn a_successor_names_the_verified_last_head() {
    let folder = TestFolder::with_log();
    folder.run(&["export", "log", "--out", "old"]).expect(0, &[]);
    let config = std::fs::read_to_string(folder.log().join("trust.policy")).unwrap();
    let vkey = config.lines().find_map(|line| line.strip_prefix("log ")).unwrap();
    let next = |vkey: &str| {
        folder.run(&[
            "init",
            "next",
            "--origin",
            "log.example/next",
            "--predecessor",
            "old/checkpoint",
            "--predecessor-vkey",
            vkey,
        ])
    };
    let other = claimtrail_log::signer::LogKeys::new(ORIGIN, key(90), key(91)).unwrap();
    next(&other.log_vkey()).expect(64, &["old/checkpoint"]);
    next(vkey).expect(0, &[]);
    folder.run(&["export", "next", "--format", "ndjson", "--out", "next.ndjson"]).expect(0, &[]);
    let line = std::fs::read_to_string(folder.path().join("next.ndjson")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
    let entry = proto::b64::decode(line["entry"].as_str().unwrap()).unwrap();
    let claim: serde_json::Value =
        serde_json::from_slice(&proto::entry::Entry::decode(&entry).unwrap().payload).unwrap();
    assert_eq!(claim["body"]["predecessor"]["origin"], ORIGIN);
    assert_eq!(claim["body"]["predecessor"]["size"], 1);
}

#[test]
fn usage_help_and_completions() {
    let folder = TestFolder::empty();
    folder.run(&["init"]).expect(64, &["--origin"]);
    folder.run(&["sreve"]).expect(64, &["serve"]);
    folder.run(&["--help"]).expect(0, &["Exit codes", "78", "CLAIMTRAIL_LOG_LISTEN__ADDRESS"]);
    folder.run(&["completions", "bash"]).expect(0, &["claimtrail-log", "rebuild"]);
}
