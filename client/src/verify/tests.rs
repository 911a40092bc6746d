//! The report on good files, and that changed files never prove anything else.

use proptest::prelude::*;
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::ed25519::SecretKey;
use proto::entry::Links;
use proto::merkle::{MemoryTree, inclusion_proof, root_at};
use proto::note::{KeyName, NoteSigner};
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};
use proto::receipt::Receipt;
use proto::tlog_proof::TlogProof;

use super::*;
use crate::compose::{self, Fill, LogAddress, NewClaim};
use crate::trust::Trust;

// All keys here are test keys.
const LOG: u8 = 1;
const TIME: u8 = 2;
const ISSUER: u8 = 3;
const WITNESS: u8 = 4;

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

/// Entry 3 of 7, of a log with a time key and no witness.
fn sample() -> Sample {
    let fill =
        Fill { log: Some(LogAddress { origin: "log.example".into(), anchor: None }), now: Millis(1_800_000_000_000) };
    let new = NewClaim { claim_type: proto::claim::ClaimType::Support, fill: &fill, members: Vec::new() };
    let payload = compose::payload(compose::new_claim(&new).as_bytes(), &fill).unwrap();
    let envelope = compose::sign(&payload, &[&secret(ISSUER)]);
    let links = Links { constitution: Some(LeafIndex(0)), registry: Some(LeafIndex(1)), previous: None };
    let mut receipt = Receipt {
        origin: "log.example".into(),
        claim_id: proto::claim::ClaimId::of(proto::claim::PAYLOAD_TYPE, &payload),
        index: LeafIndex(3),
        timestamp: Millis(1_800_000_001_000),
        links,
        signatures: envelope.signatures.clone(),
        inclusion: Vec::new(),
        checkpoint: String::new(),
    };
    let entry = receipt.entry(&payload).unwrap().encode().unwrap();
    let mut tree = MemoryTree::new();
    for i in 0..7u8 {
        tree.append(if i == 3 { proto::hash::Hash::leaf(&entry) } else { proto::hash::Hash::leaf(&[i]) });
    }
    let size = TreeSize(7);
    receipt.inclusion = inclusion_proof(&tree, LeafIndex(3), size).unwrap();
    let head = CheckpointText::new("log.example", size, root_at(&tree, size).unwrap()).unwrap();
    let time = cosigner("log.example/time", TIME);
    receipt.checkpoint = head.sign(&[&log_key()], &[(&time, Seconds(1_800_000_002))]).unwrap();
    let proof = receipt.to_tlog_proof().unwrap().to_string();
    Sample { envelope: envelope.to_json(), receipt: receipt.to_json(), proof }
}

/// What verification says of these bytes, as the command would.
fn report(envelope: &[u8], receipt: Option<&[u8]>, proof: Option<&[u8]>, trust: Option<&Trust>) -> Report {
    let Ok(envelope) = proto::dsse::Envelope::parse(envelope) else {
        return Report::short(Verdict::Malformed, "envelope");
    };
    let mut material =
        Material { proofs: Vec::new(), contents: vec![Content::Payload(envelope.payload, Some(envelope.signatures))] };
    if let Some(bytes) = receipt {
        let Ok(receipt) = Receipt::parse(bytes) else { return Report::short(Verdict::Malformed, "receipt") };
        material.proofs.push(Proof::Receipt(receipt));
    }
    if let Some(bytes) = proof {
        let Ok(proof) = TlogProof::parse(bytes) else { return Report::short(Verdict::Malformed, "proof") };
        material.proofs.push(Proof::Tlog(proof));
    }
    material.judge(trust, &[secret(ISSUER).public()])
}

fn standing(report: &Report, id: &str) -> Standing {
    report.statements.iter().find(|statement| statement.id == id).map(|s| s.standing).expect("the statement is there")
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
    let payload = proto::dsse::Envelope::parse(sample.envelope.as_bytes()).unwrap().payload;
    let resigned = compose::sign(&payload, &[&secret(8)]).to_json();
    let stranger = report(resigned.as_bytes(), Some(sample.receipt.as_bytes()), None, Some(&trust));
    assert_eq!(stranger.verdict, Verdict::NotProven);
    let other = compose::sign(b"{}", &[&secret(ISSUER)]).to_json();
    let other = report(other.as_bytes(), Some(sample.receipt.as_bytes()), None, Some(&trust));
    assert_eq!((other.verdict, other.verdict.exit_code()), (Verdict::NotProven, 1));
}

proptest! {
    /// One byte changed anywhere: what is still proven is the very same entry in the very same tree.
    #[test]
    fn changed_files_never_prove_anything_else(which in 0usize..3, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (sample, trust) = (sample(), trust("none"));
        let good = report(sample.envelope.as_bytes(), Some(sample.receipt.as_bytes()), None, Some(&trust));
        let mut files = [sample.envelope.into_bytes(), sample.receipt.into_bytes(), sample.proof.into_bytes()];
        let place = at.index(files[which].len());
        files[which][place] = byte;
        let (receipt, proof) = match which { 1 => (Some(files[1].as_slice()), None), _ => (None, Some(files[2].as_slice())) };
        let bad = report(&files[0], receipt, proof, Some(&trust));
        if bad.verdict == Verdict::Proven {
            prop_assert_eq!(&bad.facts, &good.facts);
            prop_assert_eq!(standing(&bad, "signed"), Standing::Proven);
        }
        // Without trust the same files are never more than consistent.
        prop_assert_ne!(report(&files[0], receipt, proof, None).verdict, Verdict::Proven);
    }
}
