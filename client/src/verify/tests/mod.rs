//! The report on good files, and that changed files never prove anything else.

use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::entry::{Links, SignatureBy};
use proto::hash::Hash;
use proto::merkle::{MemoryTree, inclusion_proof, root_at};
use proto::note::{KeyName, NoteSigner};
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};
use proto::receipt::Receipt;
use proto::tlog_proof::TlogProof;

use super::*;
use crate::compose;
use crate::trust::Trust;

mod bytes;
mod sentences;

// All keys here are test keys.
const LOG: u8 = 1;
const TIME: u8 = 2;
const ISSUER: u8 = 3;
const WITNESS: u8 = 4;

/// What a sample is made of; tests change single members.
struct Plan {
    payload: Vec<u8>,
    signatures: Vec<SignatureBy>,
    links: Links,
    timestamp: Millis,
    head_time: Seconds,
}

struct Sample {
    envelope: String,
    receipt: String,
    proof: String,
}

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn log_key() -> NoteSigner {
    NoteSigner::new(KeyName::parse("log.example").unwrap(), secret(LOG))
}

fn cosigner(name: &str, seed: u8) -> Cosigner {
    Cosigner::new(KeyName::parse(name).unwrap(), secret(seed)).unwrap()
}

fn trust(quorum: &str) -> Trust {
    let (time, witness) = (cosigner("log.example/time", TIME), cosigner("w.example", WITNESS));
    let (log, time, witness) = (log_key().vkey().clone(), time.vkey().clone(), witness.vkey().clone());
    let text = format!("log {log}\nwitness time {time}\nwitness w {witness}\nquorum {quorum}\n");
    Trust::parse(text.as_bytes()).unwrap()
}

const PAYLOAD: &str = r#"{"type":"support/v1","logs":[{"origin":"log.example"}],"issuer":"acme.example","role":"manufacturer","subject":{"manufacturer":"acme.example","model":"CAM-3"},"asserted_at":"2027-01-15T08:00:00Z","rel":{"kind":"new"},"body":{"security_until":"2031-03"}}"#;

fn plan(payload: &str) -> Plan {
    let signatures = compose::sign(payload.as_bytes(), &[&secret(ISSUER)]).signatures;
    Plan {
        payload: payload.as_bytes().to_vec(),
        signatures,
        links: Links { constitution: Some(LeafIndex(0)), registry: Some(LeafIndex(1)), previous: None },
        timestamp: Millis(1_800_000_001_000),
        head_time: Seconds(1_800_000_002),
    }
}

/// Entry 3 of 7, of a log with a time key and no witness.
fn sample() -> Sample {
    plan(PAYLOAD).made()
}

impl Plan {
    fn made(self) -> Sample {
        let mut receipt = Receipt {
            origin: "log.example".into(),
            claim_id: proto::claim::ClaimId::of(proto::claim::PAYLOAD_TYPE, &self.payload),
            index: LeafIndex(3),
            timestamp: self.timestamp,
            links: self.links,
            signatures: self.signatures,
            inclusion: Vec::new(),
            checkpoint: String::new(),
        };
        let envelope = Envelope {
            payload_type: proto::claim::PAYLOAD_TYPE.into(),
            payload: self.payload,
            signatures: receipt.signatures.clone(),
        };
        let entry = receipt.entry(&envelope.payload).unwrap().encode().unwrap();
        (receipt.inclusion, receipt.checkpoint) = included(&entry, self.head_time);
        let proof = receipt.to_tlog_proof().unwrap().to_string();
        Sample { envelope: envelope.to_json(), receipt: receipt.to_json(), proof }
    }
}

/// The proof that these bytes are entry 3 of 7, and the signed head.
fn included(entry: &[u8], head_time: Seconds) -> (Vec<Hash>, String) {
    let mut tree = MemoryTree::new();
    for i in 0..7u8 {
        tree.append(if i == 3 { Hash::leaf(entry) } else { Hash::leaf(&[i]) });
    }
    let size = TreeSize(7);
    let head = CheckpointText::new("log.example", size, root_at(&tree, size).unwrap()).unwrap();
    let time = cosigner("log.example/time", TIME);
    let note = head.sign(&[&log_key()], &[(&time, head_time)]).unwrap();
    (inclusion_proof(&tree, LeafIndex(3), size).unwrap(), note)
}

/// What verification says of these bytes, as the command would.
fn report(envelope: &[u8], receipt: Option<&[u8]>, proof: Option<&[u8]>, trust: Option<&Trust>) -> Report {
    let mut material = Material::default();
    for (part, bytes) in [(Part::Envelope, Some(envelope)), (Part::Receipt, receipt), (Part::Proof, proof)] {
        if let Some(bytes) = bytes
            && let Err(error) = material.add(part, bytes.to_vec())
        {
            return Report::short(Verdict::Malformed, error.message);
        }
    }
    material.judge(trust, &[secret(ISSUER).public()])
}

fn standing(report: &Report, id: &str) -> Standing {
    report.statements.iter().find(|statement| statement.id == id).map(|s| s.standing).expect("the statement is there")
}

#[test]
fn a_malformed_head_is_not_consistent_for_want_of_trust() {
    let sample = sample();
    let note = Receipt::parse(sample.receipt.as_bytes()).unwrap().checkpoint;
    let text = note.split("\n\n").next().unwrap();
    // The first two cannot be read as receipts already, or as notes at the latest; no text alone makes a head.
    for broken in [format!("{text}\n\n"), format!("{text}\n\nno signature line\n"), format!("{note}rest")] {
        let mut value: serde_json::Value = serde_json::from_str(&sample.receipt).unwrap();
        value["checkpoint"] = broken.clone().into();
        let receipt = value.to_string();
        let report = report(sample.envelope.as_bytes(), Some(receipt.as_bytes()), None, None);
        assert_eq!(report.verdict, Verdict::Malformed, "{broken:?}: {report:?}");
    }
}

#[test]
fn good_files_are_proven_sentence_by_sentence() {
    let (sample, trust) = (sample(), trust("none"));
    for (receipt, proof) in [(Some(sample.receipt.as_bytes()), None), (None, Some(sample.proof.as_bytes()))] {
        let report = report(sample.envelope.as_bytes(), receipt, proof, Some(&trust));
        assert_eq!(report.verdict, Verdict::Proven, "{report:?}");
        for (id, expected) in [
            ("included", Standing::Proven),
            ("head_signed", Standing::Proven),
            ("witnessed", Standing::NotChecked),
            ("head_time", Standing::Committed),
            ("logged_at", Standing::Committed),
            ("entitled", Standing::Committed),
            ("previous", Standing::Committed),
            ("signed", Standing::Proven),
            ("claim", Standing::Asserted),
            ("asserted_at", Standing::Asserted),
            ("addressed", Standing::Proven),
        ] {
            assert_eq!(standing(&report, id), expected, "{id}");
        }
    }
}

#[test]
fn a_file_does_not_vouch_for_itself() {
    let sample = sample();
    let bare = report(sample.envelope.as_bytes(), Some(sample.receipt.as_bytes()), None, None);
    assert_eq!(bare.verdict, Verdict::PolicyNotMet);
    assert!(bare.statements.iter().all(|s| s.standing != Standing::Committed));
    assert_eq!(standing(&bare, "included"), Standing::NotChecked);
    let unmet = report(sample.envelope.as_bytes(), Some(sample.receipt.as_bytes()), None, Some(&trust("w")));
    assert_eq!((unmet.verdict, unmet.verdict.exit_code()), (Verdict::PolicyNotMet, 3));
    let other = NoteSigner::new(KeyName::parse("other.example").unwrap(), secret(9)).vkey().clone();
    let other = Trust::parse(format!("log {other}\nquorum none\n").as_bytes()).unwrap();
    let unknown = report(sample.envelope.as_bytes(), None, Some(sample.proof.as_bytes()), Some(&other));
    assert_eq!(unknown.verdict, Verdict::PolicyNotMet);
    let thief = NoteSigner::new(KeyName::parse("log.example").unwrap(), secret(9)).vkey().clone();
    let thief = Trust::parse(format!("log {thief}\nquorum none\n").as_bytes()).unwrap();
    let wrong_key = report(sample.envelope.as_bytes(), None, Some(sample.proof.as_bytes()), Some(&thief));
    assert_eq!(wrong_key.verdict, Verdict::NotProven);
}

#[test]
fn swapped_parts_prove_nothing() {
    let (sample, trust) = (sample(), trust("none"));
    let payload = Envelope::parse(sample.envelope.as_bytes()).unwrap().payload;
    let resigned = compose::sign(&payload, &[&secret(8)]).to_json();
    let stranger = report(resigned.as_bytes(), Some(sample.receipt.as_bytes()), None, Some(&trust));
    assert_eq!(stranger.verdict, Verdict::NotProven);
    let other = compose::sign(b"{}", &[&secret(ISSUER)]).to_json();
    let other = report(other.as_bytes(), Some(sample.receipt.as_bytes()), None, Some(&trust));
    assert_eq!((other.verdict, other.verdict.exit_code()), (Verdict::NotProven, 1));
}
