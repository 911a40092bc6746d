//! Making notes.

use super::line::NoteSignature;
use super::name::KeyName;
use super::parse::{BadNote, BadText, check_signatures, check_text, format_note};
use super::vkey::Vkey;
use super::{MAX_NOTE_BYTES, MAX_SIGNATURES};
use crate::ed25519::SecretKey;

/// Why a text was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotSign {
    /// The text cannot be the text of a note.
    #[error(transparent)]
    Text(#[from] BadText),
    /// No signer was given, or more than a note may have.
    #[error("a note needs between one and {MAX_SIGNATURES} signatures")]
    SignerCount,
    /// One key was given twice.
    #[error("the key of {0} was given twice")]
    SameKeyTwice(KeyName),
    /// The note would be larger than [`MAX_NOTE_BYTES`].
    #[error("the note would be larger than {MAX_NOTE_BYTES} bytes")]
    TooLarge,
    /// A cosignature's time is zero or beyond 2^63 - 1.
    #[error("the time of a cosignature must be after 1970 and at most 2^63-1 seconds")]
    Time,
    /// A statement would read as a checkpoint, for which a cosigner has other duties.
    #[error("a checkpoint is not signed as a statement")]
    IsCheckpoint,
}

/// Signs texts with Ed25519 (type 01): the log's key, and the keys of signed statements.
#[derive(Debug, Clone)]
pub struct NoteSigner {
    vkey: Vkey,
    secret: SecretKey,
}

impl NoteSigner {
    /// A signer of this name; for a log's key the name is the origin.
    pub fn new(name: KeyName, secret: SecretKey) -> NoteSigner {
        NoteSigner { vkey: Vkey::ed25519(name, &secret.public()), secret }
    }

    /// What readers need to check the signatures.
    pub fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    pub(super) fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// The signature line for a text.
    pub fn sign(&self, text: &str) -> Result<NoteSignature, CannotSign> {
        check_text(text)?;
        let signature = self.secret.sign(text.as_bytes());
        Ok(NoteSignature::new(self.vkey.name().clone(), self.vkey.key_hash(), signature.0))
    }
}

/// A note of this text, signed by each of the signers in their order. For a signed statement the text's first line is
/// its kind, and [`verify_kind`](super::verify_kind) reads it.
pub fn sign_text(text: &str, signers: &[&NoteSigner]) -> Result<String, CannotSign> {
    let lines = signers.iter().map(|signer| signer.sign(text)).collect::<Result<Vec<_>, _>>()?;
    note_of(text, &lines)
}

/// The note of a text and lines made for it; it is one that [`Note::parse`](super::Note::parse) takes.
pub(crate) fn note_of(text: &str, lines: &[NoteSignature]) -> Result<String, CannotSign> {
    check_text(text)?;
    if lines.is_empty() {
        return Err(CannotSign::SignerCount);
    }
    check_signatures(lines).map_err(|why| match why {
        BadNote::Duplicate(name) => CannotSign::SameKeyTwice(name),
        _ => CannotSign::SignerCount,
    })?;
    let note = format_note(text, lines);
    if note.len() > MAX_NOTE_BYTES {
        return Err(CannotSign::TooLarge);
    }
    Ok(note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{BadKind, Note, Verifier, VerifyError, verify_kind};

    // All keys here are test keys.
    fn signer(name: &str, seed: u8) -> NoteSigner {
        NoteSigner::new(KeyName::parse(name).expect("a valid name"), SecretKey::from_seed(&[seed; 32]))
    }

    fn verifier(signer: &NoteSigner) -> Verifier {
        Verifier::new(signer.vkey()).expect("an honest key")
    }

    #[test]
    fn texts_that_cannot_be_notes_are_not_signed() {
        let key = signer("k.example", 1);
        for (text, why) in [
            ("", BadText::Empty),
            ("a", BadText::Unterminated),
            ("a\r\n", BadText::ControlCharacter),
            ("a\tb\n", BadText::ControlCharacter),
        ] {
            assert_eq!(sign_text(text, &[&key]), Err(CannotSign::Text(why)), "{text:?}");
        }
        assert_eq!(sign_text("a\n", &[]), Err(CannotSign::SignerCount));
        assert!(matches!(sign_text("a\n", &[&key, &key]), Err(CannotSign::SameKeyTwice(_))));
        assert_eq!(sign_text(&format!("{}\n", "a".repeat(MAX_NOTE_BYTES)), &[&key]), Err(CannotSign::TooLarge));
    }

    #[test]
    fn one_bad_line_of_a_known_key_spoils_the_note() {
        let (a, b, c) = (signer("a.example", 1), signer("b.example", 2), signer("c.example", 3));
        let note = sign_text("text\n", &[&a, &b, &c]).expect("signed");
        let parsed = Note::parse(note.as_bytes()).expect("well-formed");
        let both = parsed.clone().verify(&[verifier(&a), verifier(&b)]).expect("both signed");
        assert_eq!(both.verified().iter().map(|s| s.name().as_str()).collect::<Vec<_>>(), ["a.example", "b.example"]);
        assert_eq!(both.lines().len(), 3, "the line of the unknown key is kept");
        assert_eq!(both.to_bytes(), note.as_bytes());

        let good_a = a.sign("text\n").expect("signed");
        let wrong_b = b.sign("other text\n").expect("signed");
        let spoiled = note_of("text\n", &[good_a, wrong_b]).expect("well-formed");
        let spoiled = Note::parse(spoiled.as_bytes()).expect("well-formed");
        assert!(spoiled.clone().verify(&[verifier(&a)]).is_ok(), "b is not known here, its line is ignored");
        assert!(matches!(
            spoiled.verify(&[verifier(&a), verifier(&b)]),
            Err(VerifyError::BadSignature { name, .. }) if name.as_str() == "b.example"
        ));
        assert_eq!(parsed.verify(&[verifier(&signer("a.example", 9))]), Err(VerifyError::NoKnownKey));
    }

    #[test]
    fn a_line_that_names_two_known_keys_is_not_decided() {
        let (a, b) = (signer("a.example", 1), signer("a.example", 2));
        let collision = Verifier::new(&b.vkey().clone().colliding_with(a.vkey())).expect("an honest key");
        let note = sign_text("text\n", &[&a]).expect("signed");
        let note = Note::parse(note.as_bytes()).expect("well-formed");
        assert!(note.clone().verify(&[verifier(&a), verifier(&a)]).is_ok(), "one key given twice is one key");
        assert!(matches!(note.verify(&[verifier(&a), collision]), Err(VerifyError::Ambiguous(_))));
    }

    #[test]
    fn statements_name_their_kind() {
        let key = signer("log.example", 1);
        let note = sign_text("claimtrail/refusal/v1\nqueue.full\n", &[&key]).expect("signed");
        let known = [verifier(&key)];
        let read = verify_kind("claimtrail/refusal/v1", note.as_bytes(), &known).expect("the right kind");
        assert_eq!(read.text(), "claimtrail/refusal/v1\nqueue.full\n");
        assert!(matches!(verify_kind("claimtrail/refusal/v2", note.as_bytes(), &known), Err(BadKind::Other { .. })));
        assert!(matches!(verify_kind("claimtrail/refusal/v1", b"x", &known), Err(BadKind::Note(_))));
    }

    #[test]
    fn the_message_of_the_go_library_gets_the_same_signature() {
        let text =
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
        let crate::note::PrivateKey::Note(key) = crate::note::PrivateKey::parse(secret).expect("a test key") else {
            panic!("the key is of type 01");
        };
        assert_eq!(key.vkey().to_string(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
        assert_eq!(
            sign_text(text, &[&key]).expect("signed"),
            format!(
                "{text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
            )
        );
    }
}
