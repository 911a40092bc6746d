//! Transcripts of the command without a network: what a person types, what comes back, and the exit code.
//!
//! `tests/cmd/*.md` are run in a folder of their own with files made here from test keys, so that every byte is known.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

use client::{compose, files, keyfile};
use proto::checkpoint::CheckpointText;
use proto::claim::{ClaimId, PAYLOAD_TYPE};
use proto::cosignature::Cosigner;
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::entry::Links;
use proto::hash::Hash;
use proto::merkle::{MemoryTree, inclusion_proof, root_at};
use proto::misbehaviour::Misbehaviour;
use proto::note::{KeyName, Note, NoteSigner};
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};
use proto::receipt::Receipt;

const PAYLOAD: &str = r#"{"type":"support/v1","logs":[{"origin":"log.example"}],"issuer":"acme.example","role":"manufacturer","subject":{"manufacturer":"acme.example","model":"CAM-3"},"asserted_at":"2027-01-15T08:00:00Z","rel":{"kind":"new"},"body":{"security_until":"2031-03"}}"#;

/// A sighting, the same again, and a row that lacks what a claim needs.
const FIRMWARE_ROWS: &str = r#"{"first_seen":"2023-01-01T00:00:00Z","vendor_dir":"ACME","manufacturerCode":4476,"imageType":1,"fileVersion":7,"sha512":"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"}
{"first_seen":"2023-02-01T00:00:00Z","vendor_dir":"ACME","manufacturerCode":4476,"imageType":1,"fileVersion":7,"sha512":"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"}
{"manufacturerCode":4476}
"#;

// Test keys.
fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn put(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    files::write(&path, bytes.as_ref(), files::Access::Public, files::Existing::Replace).unwrap();
}

fn cosigner(name: &str, seed: u8) -> Cosigner {
    Cosigner::new(KeyName::parse(name).unwrap(), secret(seed)).unwrap()
}

/// A claim as entry 3 of 7: its envelope, its receipt and the entry.
fn logged(payload: &str, log: &NoteSigner, time: &Cosigner) -> (Envelope, Receipt, Vec<u8>) {
    let envelope = compose::sign(payload.as_bytes(), &[&secret(3)]);
    let mut receipt = Receipt {
        origin: "log.example".into(),
        claim_id: ClaimId::of(PAYLOAD_TYPE, payload.as_bytes()),
        index: LeafIndex(3),
        timestamp: Millis(1_800_000_001_000),
        links: Links { constitution: Some(LeafIndex(0)), registry: Some(LeafIndex(1)), previous: None },
        signatures: envelope.signatures.clone(),
        inclusion: Vec::new(),
        checkpoint: String::new(),
    };
    let entry = receipt.entry(payload.as_bytes()).unwrap().encode().unwrap();
    let mut tree = MemoryTree::new();
    (0..7u8).for_each(|i| _ = tree.append(if i == 3 { Hash::leaf(&entry) } else { Hash::leaf(&[i]) }));
    let size = TreeSize(7);
    receipt.inclusion = inclusion_proof(&tree, LeafIndex(3), size).unwrap();
    let head = CheckpointText::new("log.example", size, root_at(&tree, size).unwrap()).unwrap();
    receipt.checkpoint = head.sign(&[log], &[(time, Seconds(1_800_000_002))]).unwrap();
    (envelope, receipt, entry)
}

/// The files that the transcripts work on.
fn make_files(folder: &Path) {
    let log = NoteSigner::new(KeyName::parse("log.example").unwrap(), secret(1));
    let time = cosigner("log.example/time", 2);
    let keys = format!("log {} http://127.0.0.1:1\nwitness log-time {}\n", log.vkey(), time.vkey());
    put(folder, "trust.txt", format!("{keys}quorum none\n"));
    let witness = cosigner("w.example", 4);
    put(folder, "strict.txt", format!("{keys}witness w {}\nquorum w\n", witness.vkey()));
    put(folder, "broken.txt", format!("{keys}quorum nobody\n"));
    put(folder, "rows.jsonl", FIRMWARE_ROWS);
    keyfile::write(&folder.join("acme.key"), &secret(3)).unwrap();
    let (envelope, receipt, entry) = logged(PAYLOAD, &log, &time);
    put(folder, "good.envelope.json", envelope.to_json());
    put(folder, "good.receipt.json", receipt.to_json());
    put(folder, "good.tlog-proof", receipt.to_tlog_proof().unwrap().to_string());
    put(folder, "good.entry", &entry);
    put(folder, "head.txt", &receipt.checkpoint);
    let forged = compose::sign(PAYLOAD.replace("2031-03", "2029-03").as_bytes(), &[&secret(3)]);
    put(folder, "forged.envelope.json", forged.to_json());
    put(folder, "forged.receipt.json", receipt.to_json());
    put(folder, "cut.envelope.json", envelope.to_json());
    put(folder, "cut.receipt.json", &receipt.to_json()[..200]);
    put(folder, "alone.receipt.json", receipt.to_json());
    // What only a log that breaks its own rules can sign.
    for (name, old, new) in [
        ("late", r#""rel""#, r#""submit_before":"2027-01-15T08:00:00Z","rel""#),
        ("elsewhere", r#"{"origin":"log.example"}"#, r#"{"origin":"other.example"}"#),
        ("future", "support/v1", "support/v2"),
    ] {
        let (envelope, receipt, _) = logged(&PAYLOAD.replace(old, new), &log, &time);
        put(folder, &format!("{name}.envelope.json"), envelope.to_json());
        put(folder, &format!("{name}.receipt.json"), receipt.to_json());
    }
    put(folder, "other.envelope.json", Envelope::sign("text/plain", b"pay 100", &[&secret(3)]).to_json());
    put(folder, "nobody.key.pub", "somebody's");
    put(folder, "portal.html", "<html>please log in</html>\n");
    put_misbehaviour(folder, &log, &witness);
    put(folder, "x.claim.json", PAYLOAD);
    put(folder, "wrong.claim.json", PAYLOAD.replace("2031-03", "someday"));
    put(folder, "empty.jsonl", "");
}

/// A fork by the log, one by a witness, one of which nothing is left, and one that was cut.
fn put_misbehaviour(folder: &Path, log: &NoteSigner, witness: &Cosigner) {
    let head = |root: &[u8]| {
        let text = CheckpointText::new("log.example", TreeSize(7), Hash::of(root)).unwrap();
        let note = text.sign(&[log], &[(witness, Seconds(1_800_000_002))]).unwrap();
        Note::parse(note.as_bytes()).unwrap()
    };
    let (one, other) = (head(b"one"), head(b"other"));
    let fork = Misbehaviour::same_size("log.example", log.vkey(), [&one, &other]).unwrap().to_text();
    put(folder, "fork.misbehaviour.json", &fork);
    let cosigned = Misbehaviour::same_size("log.example", witness.vkey(), [&one, &other]).unwrap();
    put(folder, "witness.misbehaviour.json", cosigned.to_text());
    let harmless = fork.replace(&Hash::of(b"other").to_base64(), &Hash::of(b"one").to_base64());
    put(folder, "harmless.misbehaviour.json", harmless);
    put(folder, "cut.misbehaviour.json", &fork[..200]);
}

#[test]
fn transcripts() {
    let folder = tempfile::tempdir().unwrap();
    make_files(folder.path());
    let cmd = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join("cmd");
    // trycmd runs a .md in its own copy of `<name>.in`; ours is made, so the transcripts are copied beside it.
    let run = folder.path().join("run");
    files::make_folder(&run).unwrap();
    let overwrite = std::env::var_os("TRYCMD").is_some_and(|value| value == "overwrite");
    for entry in std::fs::read_dir(&cmd).unwrap() {
        let source = entry.unwrap().path();
        if source.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let name = source.file_name().unwrap().to_owned();
        std::fs::copy(&source, run.join(&name)).unwrap();
        let input = run.join(&name).with_extension("in");
        files::make_folder(&input).unwrap();
        make_files(&input);
        trycmd::TestCases::new()
            .register_bin("claimtrail", trycmd::schema::Bin::Path(env!("CARGO_BIN_EXE_claimtrail").into()))
            .env("CLAIMTRAIL_STATE", folder.path().join("state").display().to_string())
            .env("NO_COLOR", "1")
            .case(run.join(&name));
        if overwrite {
            std::fs::copy(run.join(&name), &source).unwrap();
        }
    }
}
