//! A claim's life: written, logged, found, replaced, disputed, withdrawn, and proven with nobody to ask.

use std::fs;
use std::path::Path;

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
    for (part, other) in [("receipt", "envelope"), ("envelope", "receipt")] {
        let bytes = fs::read(folder.join(format!("CAM-3.{part}.json"))).expect("it was written");
        fs::copy(folder.join(format!("CAM-3.{other}.json")), folder.join(format!("bad.{other}.json"))).expect("a copy");
        for at in changed_places(&bytes) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(folder.join(format!("bad.{part}.json")), &changed).expect("a changed copy");
            let (code, said) = verify(trusted, "bad.receipt.json");
            assert!(matches!(code, Some(1 | 2)), "byte {at} of the {part}, exit {code:?}: {said}");
        }
    }
}

/// Places all over a file, outside of the log's time line: under a policy without witnesses it proves nothing, so a reader
/// passes over one that is broken, as over any signature of somebody unknown.
fn changed_places(bytes: &[u8]) -> Vec<usize> {
    let text = String::from_utf8_lossy(bytes);
    let from = text.find(&format!("{ORIGIN}/time"));
    let until = from.and_then(|from| text[from..].find('"').map(|length| from + length));
    let time_line = from.unwrap_or(0)..until.unwrap_or(0);
    let white = |at: &usize| bytes[*at].is_ascii_whitespace();
    (0..bytes.len()).step_by(23).filter(|at| !time_line.contains(at) && !white(at)).collect()
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
