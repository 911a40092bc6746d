//! The log read by code that is not ours: a script in Python, and the published crates for notes and tiles.

use std::process::Command;

use harness::cluster::LogUnderTest;
use harness::inputs;
use harness::workspace;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{Checkpoint, Hash, RecordProof, Tile};

use crate::bulk_lines::{LINES, submit_many};
use crate::{http, json, log_with_acme, text};

#[test]
fn a_script_in_python_reads_the_same_tree() {
    let Some(python) = inputs::python("a_script_in_python_reads_the_same_tree") else { return };
    let log = log_with_acme();
    submit_many(&log, "many.ndjson");
    let info = json(&String::from_utf8(http(&log, "/v1/log")).expect("JSON is UTF-8"));
    let mut command = Command::new(python);
    command.arg(workspace::root().join("tests/independent/read_log.py")).arg(log.url());
    command.args([text(&info, "log_vkey"), text(&info, "time_vkey")]);
    let output = command.output().expect("the script starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = json(&String::from_utf8_lossy(&output.stdout));
    let head = json(&log.client(&["--json", "checkpoint"]));
    assert_eq!(read["size"], info["size"]);
    assert_eq!(read["size"], head["size"]);
    let root = proto::b64::decode(text(&head, "root")).expect("Base64");
    assert_eq!(hex(&root), text(&read, "root"));
    assert_eq!(text(&info, "root"), text(&head, "root"));
    assert!(read["tiles"].as_u64() >= Some(3), "full and partial tiles, and one above: {read}");
    // The constitution is signed by operator and registrar, the enrolment by three keys or more.
    assert!(read["signatures"].as_u64() > info["size"].as_u64(), "{read}");
}

/// Files that are judged by both: the known answers, and mutations of them that only our verifier has judged before.
#[test]
fn a_script_in_python_judges_misbehaviour_alike() {
    let Some(python) = inputs::python("a_script_in_python_judges_misbehaviour_alike") else { return };
    let vectors = workspace::root().join("proto/tests/vectors/misbehaviour-v1.json");
    let kept = json(&std::fs::read_to_string(&vectors).expect("the vectors"));
    let folder = tempfile::tempdir().expect("a folder");
    let mutated = folder.path().join("mutated.json");
    let cases = serde_json::json!({ "cases": mutations(kept["cases"].as_array().expect("cases")) });
    std::fs::write(&mutated, cases.to_string()).expect("the mutations are written");
    for file in [&vectors, &mutated] {
        let mut command = Command::new(&python);
        command.arg(workspace::root().join("tests/independent/check_misbehaviour.py")).arg("--vectors").arg(file);
        let output = command.env("PYTHONDONTWRITEBYTECODE", "1").output().expect("the script starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let judged = json(&String::from_utf8_lossy(&output.stdout));
        assert!(judged["cases"].as_u64() > Some(140) && judged["wrong"] == 0, "{judged}");
    }
}

#[test]
fn a_script_that_was_given_no_file_says_not_proven_of_nothing() {
    let Some(python) = inputs::python("a_script_that_was_given_no_file_says_not_proven_of_nothing") else { return };
    for (arguments, code) in [(&[][..], 64), (&["--vectors"], 64), (&["/no/such/file"], 66)] {
        let mut command = Command::new(&python);
        command.arg(workspace::root().join("tests/independent/check_misbehaviour.py")).args(arguments);
        let output = command.env("PYTHONDONTWRITEBYTECODE", "1").output().expect("the script starts");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

/// Every kept file once with a character changed, and once with the head, the entries or the kind of another.
fn mutations(kept: &[serde_json::Value]) -> Vec<serde_json::Value> {
    let mut cases = Vec::new();
    for (n, case) in kept.iter().enumerate() {
        let file = text(case, "file");
        let at = file.char_indices().map(|(at, _)| at).nth(n * 7919 % file.chars().count().max(1)).unwrap_or(0);
        cases.push(format!("{}0{}", &file[..at], file[at..].chars().skip(1).collect::<String>()));
        let other = text(&kept[(n * 31 + 7) % kept.len()], "file");
        let part = |file: &str, from: &str, to: &str| {
            let (start, end) = (file.find(from)?, file.find(to)?);
            (start < end).then(|| file[start..end].to_owned())
        };
        for (from, to) in [("\"heads\"", "\"entries\""), ("\"kind\"", "\"origin\""), ("\"accused\"", "\"heads\"")] {
            if let (Some(own), Some(others)) = (part(file, from, to), part(other, from, to)) {
                cases.push(file.replacen(&own, &others, 1));
            }
        }
    }
    let judged = |(n, file): (usize, String)| {
        let result = match proto::misbehaviour::Misbehaviour::parse(file.as_bytes()).map(|file| file.verify()) {
            Err(_) => "malformed",
            Ok(Err(_)) => "not-proven",
            Ok(Ok(_)) => "proven",
        };
        serde_json::json!({"name": format!("mutation {n}"), "file": file, "result": result})
    };
    cases.into_iter().enumerate().map(judged).collect()
}

#[test]
fn the_published_crates_read_checkpoint_tiles_and_proof() {
    let log = log_with_acme();
    submit_many(&log, "many.ndjson");
    let info = json(&String::from_utf8(http(&log, "/v1/log")).expect("JSON is UTF-8"));
    let note = Note::from_bytes(&http(&log, "/checkpoint")).expect("a note");
    let verifier = StandardVerifier::new(text(&info, "log_vkey")).expect("a verifier key");
    let (verified, unknown) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).expect("the log's signature");
    assert_eq!((verified.len(), unknown.len()), (1, 1), "the log's key, and its clock's that this crate passes over");
    let head = Checkpoint::from_bytes(note.text()).expect("a checkpoint");
    assert_eq!(Some(head.size()), info["size"].as_u64());

    let leaves = leaves(&log, head.size());
    let mut stored = Vec::new();
    for (index, leaf) in (0u64..).zip(&leaves) {
        let more = tlog_tiles::stored_hashes_for_record_hash(index, *leaf, &Stored(&stored));
        stored.extend(more.expect("earlier hashes are stored"));
    }
    let stored = Stored(&stored);
    let root = tlog_tiles::tree_hash(head.size(), &stored).expect("a root");
    assert_eq!(&root, head.hash(), "the entries lead to the signed root");
    for tile in Tile::new_tiles(8, 0, head.size()) {
        let served = http(&log, &format!("/{}", tile.path().replacen("tile/8/", "tile/", 1)));
        assert_eq!(served, tile.read_data(&stored).expect("stored hashes"), "{}", tile.path());
    }
    proof(&log, &leaves);
}

/// The hashes of the entries, from their bundles.
fn leaves(log: &LogUnderTest, size: u64) -> Vec<Hash> {
    let mut leaves = Vec::new();
    while (leaves.len() as u64) < size {
        let (bundle, width) = (leaves.len() / 256, (size - leaves.len() as u64).min(256));
        let part = if width < 256 { format!(".p/{width}") } else { String::new() };
        let served = http(log, &format!("/tile/entries/{bundle:03}{part}"));
        let mut rest = &served[..];
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            leaves.push(tlog_tiles::record_hash(entry));
            rest = after;
        }
    }
    assert_eq!(leaves.len() as u64, size, "{LINES} claims and what came before");
    leaves
}

/// The log's own proof of an entry, checked by the crate.
fn proof(log: &LogUnderTest, leaves: &[Hash]) {
    let id = text(&json(&log.client(&["--json", "show", "7"]))["report"]["facts"], "claim_id").to_owned();
    let receipt = json(&String::from_utf8(http(log, &format!("/v1/claims/{id}/receipt"))).expect("JSON"));
    let hash = |text: &serde_json::Value| Hash::parse_hash(text.as_str().expect("a hash")).expect("Base64");
    let path: RecordProof = receipt["inclusion"].as_array().expect("a proof").iter().map(hash).collect();
    let note = Note::from_bytes(text(&receipt, "checkpoint").as_bytes()).expect("a note");
    let head = Checkpoint::from_bytes(note.text()).expect("a checkpoint");
    tlog_tiles::check_record(&path, head.size(), *head.hash(), 7, leaves[7]).expect("the proof holds");
    assert!(tlog_tiles::check_record(&path, head.size(), *head.hash(), 8, leaves[8]).is_err());
}

/// The crate's storage of hashes.
struct Stored<'a>(&'a [Hash]);

impl tlog_tiles::HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let at = |index: &u64| usize::try_from(*index).ok().and_then(|index| self.0.get(index)).copied();
        indexes.iter().map(at).collect::<Option<_>>().ok_or(tlog_tiles::Error::IndexesNotInTree)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
