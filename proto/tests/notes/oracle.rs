//! The published crates `signed_note` and `tlog_tiles` as oracles: what we make they take, what they make we take.

use proptest::prelude::*;
use proto::checkpoint::CheckpointText;
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use proto::note::{KeyName, Note, NoteSigner, PrivateKey, Verifier, Vkey, sign_text};
use signed_note::{StandardSigner, StandardVerifier, VerifierList};

fn signer(name: &str, seed: [u8; 32]) -> NoteSigner {
    NoteSigner::new(KeyName::parse(name).expect("a valid name"), SecretKey::from_seed(&seed))
}

fn theirs_verifies(note: &[u8], vkey: &Vkey) -> bool {
    let verifier = StandardVerifier::new(&vkey.to_string()).expect("they take our vkey");
    let known = VerifierList::new(vec![Box::new(verifier)]);
    signed_note::Note::from_bytes(note).is_ok_and(|note| note.verify(&known).is_ok())
}

fn ours_verifies(note: &[u8], vkey: &Vkey) -> bool {
    let known = [Verifier::new(vkey).expect("a good key")];
    Note::parse(note).is_ok_and(|note| note.verify(&known).is_ok())
}

proptest! {
    #[test]
    fn they_take_what_we_sign(text in "([ -~ä—]{0,20}\n){1,4}", name in "[a-z./]{1,12}", seed in any::<[u8; 32]>()) {
        let signer = signer(&name, seed);
        let note = sign_text(&text, &[&signer]).expect("signed");
        prop_assert!(theirs_verifies(note.as_bytes(), signer.vkey()));
    }

    #[test]
    fn we_take_what_they_sign(text in "([ -~ä—]{0,20}\n){1,4}", name in "[a-z./]{1,12}", seed in any::<[u8; 32]>()) {
        let ours = signer(&name, seed);
        let theirs = StandardSigner::new(&PrivateKey::Note(ours.clone()).to_secret_text()).expect("they take our key");
        let mut note = signed_note::Note::new(text.as_bytes(), &[]).expect("a text");
        note.add_sigs(&[&theirs]).expect("signed");
        let bytes = note.to_bytes();
        prop_assert!(ours_verifies(&bytes, ours.vkey()));
        prop_assert_eq!(String::from_utf8(bytes).expect("UTF-8"), sign_text(&text, &[&ours]).expect("signed"));
    }

    /// We are the stricter one: what we take of a changed note, they take.
    #[test]
    fn they_take_of_changed_notes_what_we_take(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (known, unknown) = (signer("k.example", [1; 32]), signer("u.example", [2; 32]));
        let mut bytes = sign_text("one\n\ntwo\n", &[&known, &unknown]).expect("signed").into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if ours_verifies(&bytes, known.vkey()) {
            prop_assert!(theirs_verifies(&bytes, known.vkey()));
        }
    }

    #[test]
    fn vkeys_that_we_take_they_take(place in 0usize..73, byte in 0x20u8..0x7f) {
        let mut text = signer("log.example/x", [4; 32]).vkey().to_string().into_bytes();
        let place = place % text.len();
        text[place] = byte;
        let text = String::from_utf8(text).expect("ASCII");
        if Vkey::parse(&text).is_ok() {
            prop_assert!(StandardVerifier::new(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn checkpoints_agree(
        origin in "[a-z ./]{1,12}", size in "[0-9+ ]{0,20}|[1-9][0-9]{0,17}", root in any::<[u8; 32]>(),
        extension in "([a-z]{0,3}\n){0,3}",
    ) {
        let text = format!("{origin}\n{size}\n{}\n{extension}", Hash(root).to_base64());
        let theirs = tlog_tiles::Checkpoint::from_bytes(text.as_bytes());
        if let Ok(ours) = CheckpointText::parse(&text) {
            let theirs = theirs.expect("they take what we take");
            prop_assert_eq!(theirs.origin(), ours.origin());
            prop_assert_eq!(theirs.size(), ours.size().0);
            prop_assert_eq!(theirs.hash().0, ours.root().0);
            prop_assert_eq!(theirs.extension(), extension);
            prop_assert_eq!(theirs.to_bytes(), ours.to_string().into_bytes());
        } else if let Ok(theirs) = theirs {
            // We refuse more in two places only: a size of 0 with another root, and sizes of 2^63 and above.
            prop_assert!(theirs.size() == 0 || theirs.size() > i64::MAX as u64, "{:?}", text);
        }
    }
}
