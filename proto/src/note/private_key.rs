//! Secret keys as text, in the convention of the Go library: `PRIVATE+KEY+name+hex8+base64(type || seed)`.

use std::fmt;

use super::name::{BadKeyName, KeyName};
use super::sign::NoteSigner;
use super::vkey::{SignatureType, Vkey};
use crate::cosignature::Cosigner;
use crate::ed25519::{KEY_BYTES, SecretKey};

/// How every private key text begins.
const PREFIX: &str = "PRIVATE+KEY+";

/// Why a text is not a private key. The text itself is never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPrivateKey {
    /// Not `PRIVATE+KEY+name+key id+base64`.
    #[error("a private key has the form PRIVATE+KEY+name+key id+key, on one line without blanks")]
    Form,
    /// The name is not a key name, or too long for a cosigner.
    #[error(transparent)]
    Name(#[from] BadKeyName),
    /// The key is not canonical padded base64.
    #[error("the private key is not canonical padded base64")]
    Base64,
    /// The type is neither 01 nor 04.
    #[error("only private keys of type 01 (notes) and 04 (cosignatures) can be used by this version")]
    Type,
    /// The seed does not have 32 bytes.
    #[error("the seed of the private key must have 32 bytes")]
    SeedLength,
    /// The key id does not belong to the name and key.
    #[error("the key id does not belong to this name and private key: the text was altered")]
    KeyHashMismatch,
}

/// A secret key with its name and use.
#[derive(Debug, Clone)]
pub enum PrivateKey {
    /// Type 01: signs notes.
    Note(NoteSigner),
    /// Type 04: cosigns checkpoints with a time.
    Cosigner(Cosigner),
}

impl PrivateKey {
    /// Reads a private key text strictly, without a line feed.
    pub fn parse(text: &str) -> Result<PrivateKey, BadPrivateKey> {
        let rest = text.strip_prefix(PREFIX).ok_or(BadPrivateKey::Form)?;
        let mut parts = rest.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BadPrivateKey::Form);
        };
        let name = KeyName::parse(name)?;
        let bytes = crate::b64::decode(key).map_err(|_| BadPrivateKey::Base64)?;
        let (kind, seed) = bytes.split_first().ok_or(BadPrivateKey::SeedLength)?;
        let kind = SignatureType::from_byte(*kind);
        let seed: &[u8; KEY_BYTES] = seed.try_into().map_err(|_| BadPrivateKey::SeedLength)?;
        let secret = SecretKey::from_seed(seed);
        let read = match kind {
            Some(SignatureType::Ed25519) => PrivateKey::Note(NoteSigner::new(name, secret)),
            Some(SignatureType::CosignatureV1) => {
                PrivateKey::Cosigner(Cosigner::new(name, secret).map_err(|_| BadKeyName)?)
            }
            _ => return Err(BadPrivateKey::Type),
        };
        // Comparing texts also refuses upper-case hex and any other length.
        if read.vkey().key_hash().to_string() != hash {
            return Err(BadPrivateKey::KeyHashMismatch);
        }
        Ok(read)
    }

    /// What readers need to check the key's signatures.
    pub fn vkey(&self) -> &Vkey {
        match self {
            PrivateKey::Note(signer) => signer.vkey(),
            PrivateKey::Cosigner(signer) => signer.vkey(),
        }
    }

    /// The private key as text, for a key file that nobody else may read.
    pub fn to_secret_text(&self) -> String {
        let (vkey, secret) = match self {
            PrivateKey::Note(signer) => (signer.vkey(), signer.secret()),
            PrivateKey::Cosigner(signer) => (signer.vkey(), signer.secret()),
        };
        let typed = [&[vkey.signature_type().byte()], secret.to_seed().as_slice()].concat();
        format!("{PREFIX}{}+{}+{}", vkey.name(), vkey.key_hash(), crate::b64::encode(typed))
    }
}

/// Shows the public part only.
impl fmt::Display for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "private key of {}", self.vkey())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A published test key of the Go library.
    const GO: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

    #[test]
    fn both_types_read_back() {
        assert_eq!(PrivateKey::parse(GO).map(|k| k.to_secret_text()).as_deref(), Ok(GO));
        let name = KeyName::parse("w.example").expect("a valid name");
        let key = PrivateKey::Cosigner(Cosigner::new(name, SecretKey::from_seed(&[3; 32])).expect("a short name"));
        let again = PrivateKey::parse(&key.to_secret_text()).expect("its own text");
        assert_eq!(again.vkey(), key.vkey());
        assert_eq!(again.vkey().signature_type(), SignatureType::CosignatureV1);
    }

    #[test]
    fn nothing_shown_holds_the_secret() {
        let key = PrivateKey::parse(GO).expect("a test key");
        let seed = key.to_secret_text();
        let seed = crate::b64::decode(seed.split_at(GO.len() - 44).1).expect("33 bytes in base64")[1..].to_vec();
        for shown in [format!("{key}"), format!("{key:?}")] {
            assert!(!shown.contains("AYEKFALVFGyN") && !shown.contains(&hex::encode(&seed)), "{shown}");
            assert!(!shown.contains(&format!("{seed:?}")[1..20]), "{shown}");
        }
    }

    #[test]
    fn each_fault_has_its_reason() {
        for (text, why) in [
            ("PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", BadPrivateKey::Form),
            ("PRIVATE+KEY+PeterNeumann", BadPrivateKey::Form),
            ("PRIVATE+KEY++c74f20a3+AYEK", BadPrivateKey::Name(BadKeyName)),
            ("PRIVATE+KEY+P+c74f20a3+AYE", BadPrivateKey::Base64),
            ("PRIVATE+KEY+P+c74f20a3+AYEK", BadPrivateKey::SeedLength),
            ("PRIVATE+KEY+P+c74f20a3+", BadPrivateKey::SeedLength),
            ("PRIVATE+KEY+PeterNeumann+c74f20a3+BoEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", BadPrivateKey::Type),
            (
                "PRIVATE+KEY+PeterNeumann+C74F20A3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
                BadPrivateKey::KeyHashMismatch,
            ),
        ] {
            assert_eq!(PrivateKey::parse(text).map(|k| k.to_string()), Err(why), "{text:?}");
        }
    }
}
