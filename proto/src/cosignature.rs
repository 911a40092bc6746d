//! Cosignatures of checkpoints with a time (C2SP tlog-cosignature, Ed25519, type 04).
//!
//! The message is `cosignature/v1`, a line with the time, and then the whole checkpoint text, extension lines too. The
//! line's bytes after the key id are the time in eight big-endian bytes and the signature. The cosigner's name is not in
//! the message: every role needs a key of its own.
//!
//! ML-DSA-44 (type 06) is known to vkeys, and its lines are kept and ignored; its signer would stand beside
//! [`Cosigner`].

use crate::checkpoint::CheckpointText;
use crate::ed25519::{PublicKey, SecretKey, Signature};
use crate::note::{BadVkey, CannotSign, KeyHash, KeyName, NoteSignature, SignatureType, Vkey};
use crate::num::{MAX_TREE_SIZE, Seconds};

/// Bytes of the time before the signature.
const TIME_BYTES: usize = 8;

/// The latest time, in seconds: other implementations hold it in a signed 64-bit number.
const MAX_TIME: u64 = MAX_TREE_SIZE;

/// The bytes that a cosigner signs (C2SP tlog-cosignature, "Ed25519 signed message").
pub fn message(text: &str, time: Seconds) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

/// Whether a cosignature may carry this time: not zero, which means "no time", and at most 2^63 - 1.
fn is_valid_time(time: Seconds) -> bool {
    (1..=MAX_TIME).contains(&time.0)
}

/// Checks the bytes after the key id of a type 04 line; the time it carries, or nothing when it is not good.
pub(crate) fn verify(key: &PublicKey, text: &str, blob: &[u8]) -> Option<Seconds> {
    let (time, signature) = blob.split_first_chunk::<TIME_BYTES>()?;
    let time = Seconds(u64::from_be_bytes(*time));
    if !is_valid_time(time) {
        return None;
    }
    key.verify(&message(text, time), &Signature(signature.to_vec())).ok()?;
    Some(time)
}

/// Cosigns checkpoints: a witness's key, or the log's own time key (name `<origin>/time`).
#[derive(Debug, Clone)]
pub struct Cosigner {
    vkey: Vkey,
    secret: SecretKey,
}

impl Cosigner {
    /// A cosigner of this name. Fails when the name is longer than 255 bytes.
    pub fn new(name: KeyName, secret: SecretKey) -> Result<Cosigner, BadVkey> {
        let key = secret.public().to_raw().to_vec();
        Ok(Cosigner { vkey: Vkey::new(name, SignatureType::CosignatureV1, key)?, secret })
    }

    /// What readers need to check the cosignatures.
    pub fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    pub(crate) fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// The signature line for a checkpoint at a time. Whether to sign it at all, never below what was signed before, is
    /// the caller's duty. Fails when the time is zero or beyond 2^63 - 1.
    pub fn sign(&self, checkpoint: &CheckpointText, time: Seconds) -> Result<NoteSignature, CannotSign> {
        self.sign_any(&checkpoint.to_string(), time)
    }

    /// The signature line for a statement, a text that is no checkpoint.
    pub(crate) fn sign_statement(&self, text: &str, time: Seconds) -> Result<NoteSignature, CannotSign> {
        if CheckpointText::parse(text).is_ok() {
            return Err(CannotSign::IsCheckpoint);
        }
        self.sign_any(text, time)
    }

    fn sign_any(&self, text: &str, time: Seconds) -> Result<NoteSignature, CannotSign> {
        if !is_valid_time(time) {
            return Err(CannotSign::Time);
        }
        let signature = self.secret.sign(&message(text, time));
        let blob = [time.0.to_be_bytes().as_slice(), &signature.0].concat();
        Ok(NoteSignature::new(self.vkey.name().clone(), self.vkey.key_hash(), blob))
    }
}

/// A cosignature that was verified: who saw the checkpoint, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The cosigner's name.
    pub name: KeyName,
    /// The id of the cosigner's key.
    pub key_hash: KeyHash,
    /// When the cosigner says it saw the checkpoint.
    pub time: Seconds,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{Note, Verifier};

    // Published test keys.
    const TEXT: &str = "monkeys\n5\n41smjBUiAU70EtKlT6lIOIYtRTYxYXsDB+XHfcvu/BE=\n";
    const LINE: &str = "— witness JLN4UQAAAABkGFDLouwRjSj56jBr+xNCKlL1DrI87aloScSqoLYPxg7jo0tDtx8TojuUqMags/h5Q/nh2Kusv4lscCI7ynK8B9gPAw==";
    const TIME: Seconds = Seconds(1_679_315_147);

    fn witness() -> Cosigner {
        let seed = hex::decode("a2dafdd7f2061ca8fe6d19ed60a2f7c10d5595adacff29c6044daf1eed216880").expect("hex");
        let seed: [u8; 32] = seed.try_into().expect("32 bytes");
        Cosigner::new(KeyName::parse("witness").expect("a name"), SecretKey::from_seed(&seed)).expect("a short name")
    }

    #[test]
    fn the_message_of_the_specification() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(
            crate::hash::Hash::of(&message(text, TIME)).to_string(),
            "e5da61fc426054b9b299196251831ba990fb808990e4e3c3e63bd2140e3989cd"
        );
    }

    #[test]
    fn the_known_line_is_made_and_verified() {
        let checkpoint = CheckpointText::parse(TEXT).expect("a checkpoint");
        let witness = witness();
        assert_eq!(witness.vkey().to_string(), "witness+24b37851+BNYV1Ztajd9BvyjP2HgpwrqYL6TjOwIjGMOq8Bu42xbN");
        assert_eq!(witness.sign(&checkpoint, TIME).expect("a good time").to_string(), LINE);
        let note = Note::parse(format!("{TEXT}\n{LINE}\n").as_bytes()).expect("a note");
        let verified = note.verify(&[Verifier::new(witness.vkey()).expect("a good key")]).expect("signed");
        assert_eq!(verified.verified()[0].time(), Some(TIME));
    }

    #[test]
    fn a_time_must_be_there() {
        let checkpoint = CheckpointText::parse(TEXT).expect("a checkpoint");
        let witness = witness();
        for time in [0, MAX_TIME + 1, u64::MAX] {
            assert_eq!(witness.sign(&checkpoint, Seconds(time)), Err(CannotSign::Time));
            // A correct signature over such a time is refused too.
            let signature = witness.secret.sign(&message(TEXT, Seconds(time)));
            let blob = [time.to_be_bytes().as_slice(), &signature.0].concat();
            assert_eq!(verify(&witness.secret.public(), TEXT, &blob), None);
        }
        assert_eq!(verify(&witness.secret.public(), TEXT, &[0; 7]), None);
    }
}
