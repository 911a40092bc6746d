//! Formats that are signed or hashed: there is exactly one encoding of everything.

use proto::checkpoint::CheckpointText;
use proto::entry::{Entry, EntryExtra, MAX_ENTRY_BYTES};
use proto::note::{Note, NoteSignature, PrivateKey, Vkey};
use proto::policy::Policy;
use proto::tile::{Bundle, ExpandedTile, TilePath, encode_bundle};
use proto::tlog_proof::TlogProof;

use crate::seeds;

/// The text of the input, for formats that are texts: other bytes are another target's.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

pub(crate) fn note(data: &[u8]) {
    let Ok(note) = Note::parse(data) else { return };
    assert_eq!(note.to_bytes(), data, "a note has one encoding");
    assert!(!note.signatures().is_empty(), "a note has a signature");
    // Nobody forges the test log's signature: what verifies was signed as a seed, and says so.
    let known = [seeds::verifier(&seeds::log_signer())];
    if let Ok(verified) = note.clone().verify(&known) {
        assert!(verified.to_bytes() == data && !verified.verified().is_empty());
    }
    if let Some(first) = note.signatures().first().cloned() {
        // A line more, or the refusal of a second one under the same key; both must read back.
        if let Ok(more) = note.with_signatures(vec![first]) {
            assert!(Note::parse(&more.to_bytes()).is_ok());
        }
    }
}

pub(crate) fn checkpoint(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(checkpoint) = CheckpointText::parse(text) {
        assert_eq!(checkpoint.to_string(), text, "a checkpoint has one encoding");
        assert!(checkpoint.same_head(&checkpoint));
    }
}

pub(crate) fn vkey(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(vkey) = Vkey::parse(text) {
        assert_eq!(vkey.to_string(), text, "a vkey has one encoding");
        let again = Vkey::new(vkey.name().clone(), vkey.signature_type(), vkey.key_bytes().to_vec());
        assert_eq!(again.as_ref(), Ok(&vkey), "its key hash follows from the rest");
    }
    if let Ok(key) = PrivateKey::parse(text) {
        assert_eq!(PrivateKey::parse(&key.to_secret_text()).map(|again| again.vkey().clone()), Ok(key.vkey().clone()));
    }
}

/// The lines a witness answers with, and a head under them.
pub(crate) fn cosignature(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(lines) = NoteSignature::parse_lines(text) {
        let written: String = lines.iter().map(|line| format!("{line}\n")).collect();
        assert_eq!(written, text, "signature lines have one encoding");
    }
    let policy = seeds::policy();
    if let Ok(checked) = policy.check(data) {
        assert_eq!(checked.checkpoint.to_bytes(), data);
        let seen = checked.witnesses.len();
        assert_eq!(seen, 1, "the policy lists one witness");
    }
}

pub(crate) fn policy(data: &[u8]) {
    let Ok(policy) = Policy::parse(data) else { return };
    let written = policy.to_bytes();
    let again = Policy::parse(&written);
    assert_eq!(again.as_ref(), Ok(&policy), "a policy reads back equal");
    assert_eq!(policy.to_bytes(), written);
    // Whatever the policy asks for, checking a head by it must not panic.
    let _judged = policy.check_keys();
    let _judged = policy.check(seeds::head().as_bytes());
}

pub(crate) fn tlog_proof(data: &[u8]) {
    let Ok(proof) = TlogProof::parse(data) else { return };
    assert_eq!(proof.to_string().as_bytes(), data, "a proof has one encoding");
    if let Some(extra) = proof.unauthenticated_extra().and_then(|extra| EntryExtra::decode(extra).ok()) {
        assert_eq!(Some(extra.encode().as_slice()), proof.unauthenticated_extra());
    }
    let _judged = proof.verify(seeds::leaf(), &seeds::policy());
}

pub(crate) fn entry(data: &[u8]) {
    if let Ok(extra) = EntryExtra::decode(data) {
        assert_eq!(extra.encode(), data, "extra has one encoding");
    }
    let Ok(entry) = Entry::decode(data) else { return };
    assert!(data.len() <= MAX_ENTRY_BYTES);
    assert_eq!(entry.encode().as_deref(), Ok(data), "an entry has one encoding");
    let extra = EntryExtra::of(&entry);
    assert_eq!(EntryExtra::decode(&extra.encode()).as_ref(), Ok(&extra));
    assert_eq!(extra.with_payload(entry.payload_type.clone(), entry.payload.clone()), entry);
}

pub(crate) fn tile_path(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(path) = text.parse::<TilePath>() {
        assert_eq!(path.to_string(), text, "one thing has one name");
    }
}

/// A bundle; the first byte says how many entries are asked for.
pub(crate) fn bundle(data: &[u8]) {
    let Some((width, bytes)) = data.split_first() else { return };
    for width in [u16::from(*width), 256] {
        if let Ok(bundle) = Bundle::parse(bytes, width) {
            assert_eq!(bundle.entries().len(), usize::from(width));
            assert_eq!(encode_bundle(bundle.entries()).as_deref(), Ok(bytes), "a bundle has one encoding");
            assert_eq!(bundle.leaf_hashes().count(), usize::from(width));
        }
        if let Ok(tile) = ExpandedTile::parse(bytes, width) {
            let written: Vec<u8> = tile.hashes().iter().flat_map(|hash| hash.0).collect();
            assert_eq!(written, bytes, "a tile is its hashes");
            assert_eq!(tile.root().is_some(), width == 256, "only a full tile is a subtree");
        }
    }
}
