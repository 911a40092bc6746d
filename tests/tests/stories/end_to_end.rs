//! A claim's life: written, logged, found, replaced, disputed, withdrawn, and proven with nobody to ask.

use std::fs;
use std::path::Path;

use client::trust::Trust;
use client::verify::{Material, Part, Report, Verdict};
use harness::cluster::{LogUnderTest, ORIGIN};
use harness::process::run;
use serde_json::Value;

use crate::{audit, check, json, log_with_acme, programs, receipt, signed_support, text};

const UNTIL: &str = "body.security_until=2033-06";

#[test]
fn a_claim_from_first_word_to_offline_proof() {
    let mut log = log_with_acme();
    signed_support(&log, "CAM-3");
    let first = json(&log.client(&["--json", "submit", "CAM-3.envelope.json"]));
    let again = json(&log.client(&["--json", "submit", "CAM-3.envelope.json"]));
    assert_eq!((&first["created"], &again["created"]), (&Value::Bool(true), &Value::Bool(false)));
    assert_eq!(first["receipt"]["index"], again["receipt"]["index"]);
    assert_eq!(first["receipt"]["index"], 2, "the constitution, the enrolment, then this");
    let id = text(&first["receipt"], "claim_id").to_owned();

    shown_and_found(&log, &id);
    let index = replaced_disputed_withdrawn(&log, &id);
    log.client(&["proof", &id, "-o", "kept.tlog-proof"]);
    assert_eq!(audit(&log), index + 1);

    log.stop();
    verified_offline(log.path());
    assert_eq!(check(&log), index + 1);
    copied_and_audited(&log, index + 1);
    log.operator(&["rebuild", "log"]);
    assert_eq!(check(&log), index + 1);
    log.serve();
    let repeated = json(&log.client(&["--json", "submit", "CAM-3.envelope.json"]));
    assert_eq!(repeated["receipt"]["index"], 2, "a rebuilt log knows its claims");
}

fn shown_and_found(log: &LogUnderTest, id: &str) {
    let shown = json(&log.client(&["--json", "show", id]));
    assert_eq!(shown["report"]["verdict"], "proven", "{shown}");
    assert_eq!(json(&log.client(&["--json", "show", "2"]))["report"]["facts"]["claim_id"], id);
    let products = json(&log.client(&["--json", "find", "acme"]));
    assert_eq!(products["products"][0]["model"], "CAM-3", "{products}");
    let claims = json(&log.client(&["--json", "find", "--issuer", "acme.example", "--type", "support/v1"]));
    assert_eq!(claims["items"][0]["claim_id"], id, "{claims}");
    let nothing = json(&log.client(&["--json", "find", "--issuer", "nobody.example"]));
    assert_eq!(nothing["items"], Value::Array(Vec::new()));
}

/// The index of the last of the claims about the claim.
fn replaced_disputed_withdrawn(log: &LogUnderTest, id: &str) -> u64 {
    log.client(&["supersede", id, "--key", "acme.sign.key", "-o", "next.claim.json", "--set", UNTIL]);
    let next = text(&receipt(log, "next"), "claim_id").to_owned();
    log.enrol("lab.example", "lab", "researcher", false);
    let by = ["--key", "lab.sign.key", "--issuer", "lab.example", "--role", "researcher", "--reason", "no update came"];
    log.client(&[&["dispute", &next, "-o", "dispute.claim.json"], &by[..]].concat());
    let foreign = ["--key", "lab.sign.key", "-o", "foreign.claim.json", "--reason", "not ours to say"];
    let refused = log.try_client(&[&["withdraw", &next], &foreign[..]].concat());
    assert_eq!(refused.status.code(), Some(65), "a stranger cannot withdraw: {refused:?}");
    let reason = ["--key", "acme.sign.key", "-o", "gone.claim.json", "--reason", "sold to another maker"];
    log.client(&[&["withdraw", &next], &reason[..]].concat());

    let history = json(&log.client(&["--json", "history", "acme.example/CAM-3"]));
    let rels: Vec<_> = history["history"].as_array().expect("a history").iter().map(|item| text(item, "rel")).collect();
    for kind in ["new", "supersede", "dispute", "withdraw"] {
        assert!(rels.contains(&kind), "{kind} is not in {rels:?}");
    }
    assert_eq!(rels.len(), 4, "{rels:?}");
    let status = |id: &str| json(&log.client(&["--json", "show", id]))["claim"]["status"].clone();
    assert_eq!((&status(id)["current"], &status(id)["withdrawn"]), (&false.into(), &false.into()), "{}", status(id));
    assert_eq!(
        (&status(&next)["current"], &status(&next)["withdrawn"]),
        (&false.into(), &true.into()),
        "{}",
        status(&next)
    );
    receipt(log, "gone")["index"].as_u64().expect("an index")
}

/// A copy in a folder is audited with nobody to ask, and one changed byte of an entry is found.
fn copied_and_audited(log: &LogUnderTest, size: u64) {
    log.operator(&["export", "log", "--out", "copy"]);
    let arguments = ["--json", "--state", "copy.state", "audit", "--dir", "copy"];
    let ways = [arguments.to_vec(), [&arguments[..], &["--hashes-only"]].concat()];
    for way in &ways {
        let found = json(&log.client(way));
        assert_eq!((found["size"].as_u64(), &found["breaches"]), (Some(size), &Value::Array(Vec::new())), "{found}");
    }
    let bundle = log.path().join(format!("copy/tile/entries/000.p/{size}"));
    let mut changed = fs::read(&bundle).expect("so few entries are one partial bundle");
    *changed.last_mut().expect("not empty") ^= 1;
    fs::write(&bundle, changed).expect("a changed copy");
    fs::remove_dir_all(log.path().join("copy.state")).expect("what was audited is forgotten");
    for way in &ways {
        let refused = log.try_client(way);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    }
}

fn verified_offline(folder: &Path) {
    let verify = |trust: &[&str], file: &str| {
        let output = run(&programs().client, folder, &[&["verify", file], trust].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let trusted = &["--trust", "log/trust.policy"];
    for file in ["CAM-3.receipt.json", "kept.tlog-proof"] {
        assert_eq!(verify(trusted, file).0, Some(0), "{}", verify(trusted, file).1);
        assert_eq!(verify(&[], file).0, Some(3), "{}", verify(&[], file).1);
    }
    let envelope = fs::read(folder.join("CAM-3.envelope.json")).expect("it was written");
    let mut changed = envelope.clone();
    changed[envelope.len() / 2] ^= 1;
    fs::write(folder.join("bad.envelope.json"), &changed).expect("a changed copy");
    fs::copy(folder.join("CAM-3.receipt.json"), folder.join("bad.receipt.json")).expect("a copy");
    let (code, said) = verify(trusted, "bad.receipt.json");
    assert!(matches!(code, Some(1 | 2)), "exit {code:?}: {said}");
    changed_anywhere(folder);
}

/// A bit turned in any byte of what the log answered: never proven, save where the log's time line says whose it is. Then it
/// is a line of somebody unknown, which a reader passes over, and nothing is said of the head's time.
fn changed_anywhere(folder: &Path) {
    let trust = Trust::load(&folder.join("log/trust.policy")).expect("the log wrote it");
    let judged = |proof: (Part, &[u8]), envelope: &[u8]| {
        let mut material = Material::default();
        let read =
            material.add(proof.0, proof.1.to_vec()).and_then(|()| material.add(Part::Envelope, envelope.to_vec()));
        read.is_ok().then(|| material.judge(Some(&trust), &[]))
    };
    let has_time = |report: &Report| report.statements.iter().any(|statement| statement.id == "head_time");
    for (part, proof, envelope) in [
        (Part::Receipt, "CAM-3.receipt.json", "CAM-3.envelope.json"),
        (Part::Proof, "kept.tlog-proof", "kept.envelope.json"),
    ] {
        let [proof, envelope] = [proof, envelope].map(|name| fs::read(folder.join(name)).expect("it was written"));
        let good = judged((part, &proof), &envelope).expect("readable");
        assert!(good.verdict == Verdict::Proven && has_time(&good), "{good:?}");
        for at in 0..envelope.len() {
            let mut changed = envelope.clone();
            changed[at] ^= 1;
            let report = judged((part, &proof), &changed);
            assert!(report.is_none_or(|report| report.verdict <= Verdict::Malformed), "byte {at} of the envelope");
        }
        let harmless = signer_of_time_line(&proof);
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at] ^= 1;
            let Some(report) = judged((part, &changed), &envelope) else { continue };
            let passed_over = harmless.contains(&at) && report.facts == good.facts && !has_time(&report);
            assert!(report.verdict <= Verdict::Malformed || passed_over, "byte {at} of the {part:?}: {report:?}");
        }
    }
}

/// The key's name in the time line, a space, and the six characters that hold the key's id.
fn signer_of_time_line(proof: &[u8]) -> std::ops::Range<usize> {
    let name = format!("{ORIGIN}/time ");
    let from = proof.windows(name.len()).position(|window| window == name.as_bytes()).expect("a time line");
    from..from + name.len() + 6
}

#[test]
fn init_refuses_a_folder_in_use_and_serve_an_unknown_key() {
    let log = LogUnderTest::init(programs());
    let again = run(&programs().log, log.path(), &["init", "log", "--origin", ORIGIN, "--issuer", "operator.example"]);
    assert_eq!(again.status.code(), Some(64), "{again:?}");

    let config = log.data().join("config.toml");
    let text = fs::read_to_string(&config).expect("init wrote it");
    let line = text.lines().count() + 2;
    fs::write(&config, format!("{text}\n[surprise_section]\nx = 1\n")).expect("written");
    let refused = run(&programs().log, log.path(), &["serve", "log"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(78), "{said}");
    assert!(said.contains("surprise_section"), "{said}");
    assert!(said.contains(&format!("line {line}")) || said.contains(&format!(":{line}")), "line {line}? {said}");
}
