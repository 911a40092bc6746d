//! Public data as claims: imported, signed, submitted in one stream that is cut off in the middle and taken up again.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::cluster::{LogUnderTest, ORIGIN};
use harness::inputs;
use harness::process::until;
use proto::claim::{Instant, IssuerId, LogRef, Origin, PAYLOAD_TYPE, Role};
use proto::dsse::Envelope;
use proto::import::csaf::CsafImport;
use proto::import::firmware::FirmwareImport;
use proto::import::{Draft, Frame, Makers};
use serde_json::Value;

use crate::{audit, check, json, programs};

/// Receipts after which the client is ended in the middle.
const RECEIPTS_BEFORE_THE_CUT: usize = 50;

#[test]
fn public_data_is_imported_and_a_cut_off_submission_goes_on() {
    let Some(data) = inputs::data("public_data_is_imported_and_a_cut_off_submission_goes_on") else { return };
    let drafts = drafts(&data);
    let mut log = LogUnderTest::start(programs());
    log.enrol("replay.example", "replay", "researcher", false);
    let before = audit(&log);
    let envelopes = signed(&log, &drafts);
    let count = envelopes.len() as u64;
    assert!(count > 1000, "{count} claims are too few to cut");
    fs::write(log.path().join("all.ndjson"), envelopes.into_iter().collect::<String>()).expect("written");

    let kept = cut_off(&log);
    assert!((kept as u64) < count, "the client was ended in the middle");
    let summary = json(&log.client(&["--json", "submit", "all.ndjson"]));
    let number = |name: &str| summary[name].as_u64().expect("a count");
    assert_eq!(number("rejected"), 0, "{summary}");
    assert_eq!(number("skipped"), kept as u64, "{summary}");
    assert_eq!(number("created") + number("repeated") + number("skipped"), count, "{summary}");
    assert_eq!(indexes(&log), (before..before + count).collect(), "each claim is one entry");
    let third = json(&log.client(&["--json", "submit", "all.ndjson"]));
    assert_eq!(third["skipped"], count, "{third}");

    assert_eq!(audit(&log), before + count);
    log.stop();
    assert_eq!(check(&log), before + count);
}

/// Everything that the importers make of the public data; their reports add up.
fn drafts(data: &Path) -> Vec<Draft> {
    let makers = Makers::replay();
    let mut csaf = CsafImport::new(&makers);
    let mut drafts = Vec::new();
    for file in files(&data.join("csaf")) {
        drafts.extend(csaf.document(&file.display().to_string(), &fs::read(&file).expect("readable")));
    }
    let mut firmware = FirmwareImport::new(&makers);
    let rows = fs::read(data.join("firmware-releases.jsonl")).expect("the data folder has it");
    drafts.extend(firmware.rows("firmware-releases.jsonl", &rows));
    let (csaf, firmware) = (csaf.into_report(), firmware.into_report());
    for report in [&csaf, &firmware] {
        assert!(report.adds_up(), "{:?}", report.to_value());
        assert!(report.claims > 0);
    }
    assert_eq!(drafts.len() as u64, csaf.claims + firmware.claims);
    drafts
}

/// The JSON files in a folder and the folders in it, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("readable").path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The drafts as signed envelopes, one a line. What says the same twice is one claim.
fn signed(log: &LogUnderTest, drafts: &[Draft]) -> BTreeSet<String> {
    let key = client::keyfile::load(&log.path().join("replay.sign.key")).expect("enrolled with it");
    let frame = Frame {
        logs: vec![LogRef { origin: Origin::parse(ORIGIN).expect("an origin"), size: None, root: None }],
        issuer: IssuerId::parse("replay.example").expect("an issuer"),
        role: Role::Researcher,
        asserted_at: Instant::parse(&client::clock::rfc3339(client::clock::now())).expect("a time"),
    };
    let mut lines = BTreeSet::new();
    for draft in drafts {
        let payload = draft.payload(&frame).expect("an importer's drafts have the form of claims");
        let mut line = String::new();
        writeln!(line, "{}", Envelope::sign(PAYLOAD_TYPE, &payload, &[&key]).to_json()).expect("a string takes text");
        lines.insert(line);
    }
    lines
}

/// Starts to submit, ends the client once it has some receipts; how many it kept.
fn cut_off(log: &LogUnderTest) -> usize {
    let mut command = Command::new(&log.programs.client);
    command.args(["--trust", "log/trust.policy", "--url", log.url(), "--state", "state-cut", "submit", "all.ndjson"]);
    command.current_dir(log.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut client = command.spawn().expect("the client starts");
    until("the first receipts", || (indexes(log).len() >= RECEIPTS_BEFORE_THE_CUT).then_some(()));
    client.kill().expect("our own child can be ended");
    client.wait().expect("our own child can be waited for");
    indexes(log).len()
}

/// The indexes in the receipts that the client kept in whole lines.
fn indexes(log: &LogUnderTest) -> BTreeSet<u64> {
    let kept = fs::read_to_string(log.path().join("all.receipts.ndjson")).unwrap_or_default();
    let whole = kept.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str::<Value>(line).expect("a receipt")["index"].as_u64().expect("an index"))
        .collect()
}
