//! From a note that was read to one that is verified.

use super::line::NoteSignature;
use super::name::KeyName;
use super::parse::{BadNote, Note, format_note};
use super::vkey::{KeyHash, SignatureType, Vkey};
use crate::cosignature;
use crate::ed25519::{BadKey, PublicKey, Signature};
use crate::num::Seconds;

/// Why a key cannot check signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadVerifier {
    /// The key is of a type that is known but not checked here; its lines are ignored like those of unknown keys.
    #[error("signatures of type {0} cannot be checked by this version")]
    Unsupported(SignatureType),
    /// The key is malformed or worthless.
    #[error(transparent)]
    Key(#[from] BadKey),
}

/// A key that can check signature lines. Small-order and non-canonical keys never become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    vkey: Vkey,
    key: PublicKey,
}

impl Verifier {
    /// Makes a verifier of types 01 and 04.
    pub fn new(vkey: &Vkey) -> Result<Verifier, BadVerifier> {
        match vkey.signature_type() {
            SignatureType::Ed25519 | SignatureType::CosignatureV1 => {
                Ok(Verifier { vkey: vkey.clone(), key: PublicKey::from_raw(vkey.key_bytes())? })
            }
            other => Err(BadVerifier::Unsupported(other)),
        }
    }

    /// The key as text.
    pub fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// The public key itself.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn is_named_by(&self, line: &NoteSignature) -> bool {
        self.vkey.key_hash() == line.key_hash() && self.vkey.name() == line.name()
    }

    fn check(&self, text: &str, line: &NoteSignature) -> Option<VerifiedSignature> {
        let time = match self.vkey.signature_type() {
            SignatureType::CosignatureV1 => Some(cosignature::verify(&self.key, text, line.blob())?),
            _ => {
                self.key.verify(text.as_bytes(), &Signature(line.blob().to_vec())).ok()?;
                None
            }
        };
        Some(VerifiedSignature { vkey: self.vkey.clone(), time })
    }
}

/// A signature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature {
    vkey: Vkey,
    time: Option<Seconds>,
}

impl VerifiedSignature {
    /// The key that signed.
    pub fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// The name of the key that signed.
    pub fn name(&self) -> &KeyName {
        self.vkey.name()
    }

    /// The id of the key that signed.
    pub fn key_hash(&self) -> KeyHash {
        self.vkey.key_hash()
    }

    /// The time that the signer stated; only cosignatures have one.
    pub fn time(&self) -> Option<Seconds> {
        self.time
    }
}

/// Why a note is not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not a note.
    #[error(transparent)]
    Malformed(#[from] BadNote),
    /// No line names a known key.
    #[error("no signature by a known key")]
    NoKnownKey,
    /// A line names a known key but its signature is not good; then nothing in the note is believed.
    #[error("the signature by {name} (key id {key_hash}) does not verify")]
    BadSignature {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        key_hash: KeyHash,
    },
    /// Two different known keys have the same name and key id, so that a line names both.
    #[error("two known keys are both called {0} and have the same key id: remove one")]
    Ambiguous(KeyName),
}

/// A note whose text a known key signed. Only [`Note::verify`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedNote {
    text: String,
    signatures: Vec<NoteSignature>,
    verified: Vec<VerifiedSignature>,
}

impl Note {
    /// Checks every line that names one of the `known` keys (C2SP signed-note, "Verifying"). Lines of other keys are
    /// kept and ignored; a line of a known key that fails makes the whole note fail; without any known key it fails.
    pub fn verify(self, known: &[Verifier]) -> Result<VerifiedNote, VerifyError> {
        let mut verified = Vec::new();
        for line in &self.signatures {
            if let Some(verifier) = named_by(known, line)? {
                verified.push(verifier.check(&self.text, line).ok_or_else(|| VerifyError::BadSignature {
                    name: line.name().clone(),
                    key_hash: line.key_hash(),
                })?);
            }
        }
        if verified.is_empty() {
            return Err(VerifyError::NoKnownKey);
        }
        Ok(VerifiedNote { text: self.text, signatures: self.signatures, verified })
    }
}

/// The key that a line names. A key id has 32 bits only, so two keys of one name can share it.
fn named_by<'a>(known: &'a [Verifier], line: &NoteSignature) -> Result<Option<&'a Verifier>, VerifyError> {
    let mut named = known.iter().filter(|verifier| verifier.is_named_by(line));
    let Some(first) = named.next() else { return Ok(None) };
    if named.any(|other| other != first) {
        return Err(VerifyError::Ambiguous(line.name().clone()));
    }
    Ok(Some(first))
}

impl VerifiedNote {
    /// The signed text, with its last line feed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first line of the text, which names an origin or a kind.
    pub fn first_line(&self) -> &str {
        self.text.split('\n').next().unwrap_or_default()
    }

    /// The signatures of known keys, in the order of their lines. There is at least one.
    pub fn verified(&self) -> &[VerifiedSignature] {
        &self.verified
    }

    /// The signature of this key, if it signed.
    pub fn signature_by(&self, vkey: &Vkey) -> Option<&VerifiedSignature> {
        self.verified.iter().find(|signature| signature.vkey() == vkey)
    }

    /// All signature lines, those of unknown keys too.
    pub fn lines(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The note's bytes as they came, ignored lines included.
    pub fn to_bytes(&self) -> Vec<u8> {
        format_note(&self.text, &self.signatures).into_bytes()
    }
}

/// Why a signed statement is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKind {
    /// The note itself does not verify.
    #[error(transparent)]
    Note(#[from] VerifyError),
    /// The statement is of another kind.
    #[error("the signed statement is of kind {found:?}, not {expected:?}")]
    Other {
        /// The kind that was wanted.
        expected: String,
        /// The first line of the statement.
        found: String,
    },
}

/// Reads and verifies a signed statement: a note whose first line is its `kind`, `claimtrail/refusal/v1` for example.
pub fn verify_kind(kind: &str, bytes: &[u8], known: &[Verifier]) -> Result<VerifiedNote, BadKind> {
    let note = Note::parse(bytes).map_err(VerifyError::from)?.verify(known)?;
    if note.first_line() != kind {
        return Err(BadKind::Other { expected: kind.to_owned(), found: note.first_line().to_owned() });
    }
    Ok(note)
}
