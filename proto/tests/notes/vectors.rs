//! The shared known answers.

use proto::checkpoint::{CheckpointText, VerifiedCheckpoint};
use proto::cosignature::{self, Cosigner};
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use proto::note::{KeyName, Note, PrivateKey, SignatureType, Verifier, Vkey};
use proto::num::{LeafIndex, Seconds, TreeSize};
use proto::policy::{Policy, WitnessState};
use proto::tlog_proof::{NotProven, TlogProof};
use serde_json::Value;

use crate::vector_file::{items, load, text};

const NEUMANN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fn vkey(text: &str) -> Vkey {
    Vkey::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn verifier(text: &str) -> Verifier {
    Verifier::new(&vkey(text)).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn note(text: &str) -> Note {
    Note::parse(text.as_bytes()).unwrap_or_else(|why| panic!("{text:?}: {why}"))
}

#[test]
fn signed_notes() {
    let Some(vectors) = load("signed_note.json") else { return };
    for case in items(&vectors, "notes_good") {
        let keys: Vec<Verifier> = items(case, "vkeys").iter().map(|k| verifier(k.as_str().expect("a vkey"))).collect();
        let verified = note(text(case, "note")).verify(&keys).expect("a good note");
        assert_eq!(verified.text(), text(case, "text"));
        let names: Vec<&str> = verified.verified().iter().map(|s| s.name().as_str()).collect();
        assert_eq!(serde_json::json!(names), case["verified"]);
        assert_eq!(verified.to_bytes(), text(case, "note").as_bytes());
    }
    for case in items(&vectors, "notes_parse_only") {
        let note = note(text(case, "note"));
        for (line, expected) in note.signatures().iter().zip(items(case, "sigs")) {
            assert_eq!(line.name().as_str(), text(expected, "name"));
            assert_eq!(line.key_hash().to_string(), text(expected, "key_id"));
            assert_eq!(line.blob().len() as u64, expected["sig_len"].as_u64().expect("a length"));
        }
    }
    let neumann = [verifier(NEUMANN)];
    for case in items(&vectors, "notes_bad_known_key_PeterNeumann") {
        let result = Note::parse(text(case, "note").as_bytes()).map(|note| note.verify(&neumann));
        assert!(!matches!(result, Ok(Ok(_))), "{}", case["why"]);
    }
    let bytes = hex::decode(text(&vectors["note_bad_utf8_hex"], "hex")).expect("hex");
    assert!(Note::parse(&bytes).is_err());
}

#[test]
fn vkeys() {
    let Some(vectors) = load("signed_note.json") else { return };
    for case in items(&vectors, "vkeys_good") {
        let read = vkey(text(case, "vkey"));
        assert_eq!(read.to_string(), text(case, "vkey"));
        assert_eq!(read.name().as_str(), text(case, "name"));
        assert_eq!(read.key_hash().to_string(), text(case, "key_id"));
        assert_eq!(Some(u64::from(read.signature_type().byte())), case["type"].as_u64());
        assert_eq!(Hash::of(read.key_bytes()).to_string(), text(case, "key_sha256"));
    }
    for case in items(&vectors, "vkeys_bad") {
        assert!(Vkey::parse(text(case, "vkey")).is_err(), "{}", case["why"]);
    }
}

#[test]
fn checkpoints() {
    let Some(vectors) = load("checkpoint.json") else { return };
    for case in items(&vectors, "signed") {
        let keys = [verifier(text(case, "vkey"))];
        let bytes = text(case, "checkpoint");
        let head = VerifiedCheckpoint::verify(note(bytes), text(case, "origin"), &keys, &[]).expect("a good head");
        assert_eq!(Some(head.size().0), case["size"].as_u64());
        assert_eq!(head.root().to_string(), text(case, "root"));
        assert_eq!(head.to_bytes(), bytes.as_bytes());
        if let Some(secret) = case["signer_key"].as_str() {
            let Ok(PrivateKey::Note(signer)) = PrivateKey::parse(secret) else { panic!("a key of type 01") };
            assert_eq!(head.text().sign(&[&signer], &[]).expect("signed"), bytes, "Ed25519 is deterministic");
        }
    }
    for case in items(&vectors, "good_bodies") {
        let body = text(case, "body");
        assert_eq!(CheckpointText::parse(body).map(|c| c.to_string()).as_deref(), Ok(body), "{}", case["why"]);
    }
    for case in items(&vectors, "bad_bodies") {
        assert!(CheckpointText::parse(text(case, "body")).is_err(), "{}", case["why"]);
    }
    assert!(Note::parse(text(&vectors["duplicate_signature_lines"], "note").as_bytes()).is_err());
}

#[test]
fn cosignatures() {
    let Some(vectors) = load("cosignature.json") else { return };
    let all = &vectors["ed25519"];
    let seed: [u8; 32] =
        hex::decode(text(all, "witness_seed_hex")).expect("hex").try_into().expect("a seed has 32 bytes");
    let witness =
        Cosigner::new(KeyName::parse("witness").expect("a name"), SecretKey::from_seed(&seed)).expect("a short name");
    assert_eq!(witness.vkey().to_string(), text(all, "witness_cosig_vkey_type4"));
    let time = Seconds(all["timestamp"].as_u64().expect("a time"));
    let log = [verifier(text(all, "log_vkey"))];
    let cosigner = [verifier(text(all, "witness_cosig_vkey_type4"))];
    for case in items(all, "cases") {
        let bytes = text(case, "note");
        let result = VerifiedCheckpoint::verify(note(bytes), "monkeys", &log, &cosigner);
        assert_eq!(result.is_ok(), case["valid"] == Value::Bool(true), "{}", case["desc"]);
        let Ok(head) = result else { continue };
        assert_eq!(head.cosignatures().map(|c| c.time).collect::<Vec<_>>(), [time]);
        let signed = cosignature::message(&head.text().to_string(), time);
        assert_eq!(hex::encode(signed), text(case, "signed_message_hex"));
        let line = witness.sign(head.text(), time).expect("a good time").to_string();
        assert!(bytes.ends_with(&format!("{line}\n")), "the same line is made: {line}");
    }
    let spec = &vectors["ed25519_spec_message"];
    assert_eq!(Hash::of(&hex::decode(text(spec, "message_hex")).expect("hex")).to_string(), text(spec, "sha256"));
}

#[test]
fn ml_dsa_lines_are_kept_and_ignored() {
    let Some(vectors) = load("cosignature.json") else { return };
    let (log, ml) = (text(&vectors["ed25519"], "log_vkey"), text(&vectors["ml_dsa_44"], "vkey"));
    let policy = Policy::parse(format!("log {log}\nwitness ml {ml}\nquorum ml\n")).expect("a policy");
    let bytes = text(&vectors["ml_dsa_44"]["checkpoint"], "note").as_bytes();
    let checked = policy.check(bytes).expect("the log signed");
    assert!(!checked.quorum.met, "what cannot be checked does not count");
    assert_eq!(checked.witnesses[0].state, WitnessState::NotChecked(SignatureType::MlDsa44));
    assert_eq!(checked.checkpoint.to_bytes(), bytes);
}

#[test]
fn proof_files() {
    let Some(vectors) = load("tlog_proof.json") else { return };
    let policy = Policy::parse(text(&vectors, "policy_2_of_3")).expect("a policy");
    let leaf_of = |case: &Value| Hash::leaf(&hex::decode(text(case, "leaf_data_hex")).expect("hex"));
    for case in items(&vectors, "valid") {
        let bytes = text(case, "proof");
        let proof = TlogProof::parse(bytes.as_bytes()).expect("well-formed");
        assert_eq!(proof.to_string(), bytes);
        assert_eq!(proof.unauthenticated_extra().map(hex::encode).as_deref(), case["extra_hex"].as_str());
        assert_eq!(leaf_of(case).to_string(), text(case, "leaf_hash"));
        let included = proof.verify(leaf_of(case), &policy).expect("proven");
        assert_eq!(Some(included.index.0), case["index"].as_u64());
        assert_eq!(Some(included.head.checkpoint.size().0), case["size"].as_u64());
        let quorum = included.head.quorum;
        assert_eq!((quorum.met, quorum.needed, quorum.counted), (true, 2, 3));
        assert!(quorum.seen_by.is_some() && quorum.still_seen_at.is_some());
    }
    for case in items(&vectors, "invalid") {
        let stage = match TlogProof::parse(text(case, "proof").as_bytes()) {
            Err(_) => "parse",
            Ok(proof) => match proof.verify(leaf_of(case), &policy).expect_err("an invalid proof") {
                NotProven::Checkpoint(_) => "checkpoint",
                NotProven::Inclusion(_) | NotProven::OtherRoot { .. } => "inclusion",
            },
        };
        let expected = match text(case, "fails_at") {
            "signature" | "policy" => "checkpoint",
            other => other,
        };
        assert_eq!(stage, expected, "{}", case["why"]);
    }
    for case in items(&vectors, "codec") {
        let hashes = case["hashes"].as_array().expect("a list").iter();
        let hashes = hashes.map(|h| Hash::from_base64(h.as_str().expect("base64")).expect("a hash")).collect();
        let extra = case["extra"].as_str().map(|e| proto::b64::decode(e).expect("base64"));
        let index = LeafIndex(case["index"].as_u64().expect("an index"));
        let proof = TlogProof::new(extra, index, hashes, text(case, "checkpoint")).expect("a proof");
        assert_eq!(proof.to_string(), text(case, "text"));
        assert_eq!(TlogProof::parse(text(case, "text").as_bytes()), Ok(proof));
    }
}

#[test]
fn a_proof_with_data_after_it_is_refused() {
    let key =
        proto::note::NoteSigner::new(KeyName::parse("log.example").expect("a name"), SecretKey::from_seed(&[1; 32]));
    let policy = Policy::trusting(&[key.vkey().clone()], None).expect("a policy");
    let head = CheckpointText::new("log.example", TreeSize(1), Hash::leaf(b"x")).expect("a head");
    let head = head.sign(&[&key], &[]).expect("signed");
    let verify = |head: &str| {
        let proof = TlogProof::new(None, LeafIndex(0), Vec::new(), head).expect("well-formed");
        proof.verify(Hash::leaf(b"x"), &policy)
    };
    assert!(verify(&head).is_ok());
    assert!(matches!(verify(&format!("{head}more\n")), Err(NotProven::Checkpoint(_))));
    assert!(matches!(verify(&format!("{head}\n")), Err(NotProven::Checkpoint(_))));
}
