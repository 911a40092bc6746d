//! Receipts and refusals of a whole log, checked as a reader does.

use proto::checkpoint::CheckpointText;
use proto::claim::{ClaimId, PAYLOAD_TYPE};
use proto::code::Code;
use proto::entry::{Entry, EntryExtra};
use proto::hash::Hash;
use proto::merkle::{MemoryTree, inclusion_proof, root_at};
use proto::note::{KeyName, NoteSigner, Verifier};
use proto::num::{LeafIndex, Millis};
use proto::policy::Policy;
use proto::receipt::Receipt;
use proto::statement::Refusal;

use crate::stories::whole_story;
use crate::world::*;

fn log_signer() -> NoteSigner {
    NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), key("log"))
}

/// Receipts for every entry under the last head.
fn receipts(world: &World) -> Vec<(Receipt, Vec<u8>)> {
    let tree: MemoryTree = world.entries.iter().map(|bytes| Entry::leaf_hash(bytes)).collect();
    let head = CheckpointText::new(ORIGIN, tree.size(), root_at(&tree, tree.size()).unwrap()).unwrap();
    let checkpoint = head.sign(&[&log_signer()], &[]).unwrap();
    let receipt = |(index, bytes): (usize, &Vec<u8>)| {
        let (entry, index) = (Entry::decode(bytes).unwrap(), LeafIndex(index as u64));
        let receipt = Receipt {
            origin: ORIGIN.into(),
            claim_id: ClaimId::of(PAYLOAD_TYPE, &entry.payload),
            index,
            timestamp: entry.timestamp,
            links: entry.links,
            signatures: entry.signatures,
            inclusion: inclusion_proof(&tree, index, tree.size()).unwrap(),
            checkpoint: checkpoint.clone(),
        };
        (receipt, entry.payload)
    };
    world.entries.iter().enumerate().map(receipt).collect()
}

#[test]
fn every_receipt_rebuilds_its_entry_and_proves_it() {
    let world = whole_story();
    let policy = Policy::trusting(&[log_signer().vkey().clone()], None).unwrap();
    for ((receipt, payload), bytes) in receipts(&world).into_iter().zip(&world.entries) {
        let receipt = Receipt::parse(receipt.to_json().as_bytes()).unwrap();
        assert_eq!(Receipt::parse(receipt.to_value().to_string().as_bytes()).unwrap(), receipt);
        assert_eq!(&receipt.entry(&payload).unwrap().encode().unwrap(), bytes);
        let proof = receipt.to_tlog_proof().unwrap();
        assert_eq!(proof.verify(Entry::leaf_hash(bytes), &policy).unwrap().index, receipt.index);
        assert!(proof.verify(Hash([0; 32]), &policy).is_err());
        // The offline proof alone, with the payload, gives the entry.
        let extra = EntryExtra::decode(proof.unauthenticated_extra().unwrap()).unwrap();
        assert_eq!(&extra.with_payload(PAYLOAD_TYPE, payload).encode().unwrap(), bytes);
    }
}

#[test]
fn a_receipt_with_another_word_in_it_proves_nothing() {
    let world = whole_story();
    let policy = Policy::trusting(&[log_signer().vkey().clone()], None).unwrap();
    let (good, payload) = receipts(&world).swap_remove(5);
    let proven = |receipt: &Receipt| {
        let bytes = receipt.entry(&payload).unwrap().encode().unwrap();
        receipt.to_tlog_proof().unwrap().verify(Entry::leaf_hash(&bytes), &policy).is_ok()
    };
    assert!(proven(&good));
    assert!(!proven(&Receipt { timestamp: Millis(good.timestamp.0 + 1), ..good.clone() }));
    assert!(!proven(&Receipt { index: LeafIndex(4), ..good.clone() }));
    let links = proto::entry::Links { previous: None, ..good.links };
    assert!(!proven(&Receipt { links, ..good.clone() }));
    let mut signatures = good.signatures.clone();
    signatures[0].signature.0[9] ^= 1;
    assert!(!proven(&Receipt { signatures, ..good.clone() }));
}

#[test]
fn a_refusal_reads_back_under_the_logs_key_only() {
    let refusal = Refusal {
        origin: ORIGIN.into(),
        claim_id: ClaimId::of(PAYLOAD_TYPE, b"{}"),
        code: Code::RightRole,
        time: Millis(START),
    };
    let note = refusal.sign(&log_signer()).unwrap();
    let verifier = Verifier::new(log_signer().vkey()).unwrap();
    assert_eq!(Refusal::verify(note.as_bytes(), &verifier).unwrap(), refusal);
    for (from, to) in [("right.role", "right.use"), ("refusal/v1", "refusal/v2"), ("1800000000000", "1800000000001")] {
        assert!(Refusal::verify(note.replace(from, to).as_bytes(), &verifier).is_err(), "{to}");
    }
    let stranger = NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), key("stranger"));
    assert!(Refusal::verify(refusal.sign(&stranger).unwrap().as_bytes(), &verifier).is_err());
    // Signed by the log, yet not a refusal of this log or of this form.
    let sign = |text: &str| proto::note::sign_text(text, &[&log_signer()]).unwrap();
    for text in [
        refusal.text().replace(ORIGIN, "other.example"),
        refusal.text().replace("right.role", "right.unheard_of"),
        refusal.text().replace("1800000000000", "01800000000000"),
        format!("{}more\n", refusal.text()),
    ] {
        assert!(Refusal::verify(sign(&text).as_bytes(), &verifier).is_err(), "{text}");
    }
}
