//! Verifier keys as text: `name+hex8(key id)+base64(type || public key)` (C2SP signed-note, "Verifier keys").

use std::fmt;

use super::name::{BadKeyName, KeyName};
use crate::ed25519::{KEY_BYTES, PublicKey};
use crate::hash::Hash;

/// Length of an ML-DSA-44 public key in bytes (FIPS 204, table 2).
const ML_DSA_44_KEY_BYTES: usize = 1312;

/// The longest DER SubjectPublicKeyInfo taken for types 02 and 05, in bytes: an 8192-bit RSA key of an old CT log.
const MAX_SPKI_BYTES: usize = 1100;

/// Cosigner names stand behind a one-byte length in ML-DSA messages (C2SP tlog-cosignature).
pub(super) const MAX_COSIGNER_NAME_BYTES: usize = 255;

/// The longest vkey text that is read, in bytes: twice the 2 KB of an ML-DSA-44 key with a name of 255 bytes.
const MAX_VKEY_BYTES: usize = 4096;

/// The kind of signature that a key makes (C2SP signed-note, "Signature types"). Lines of kinds that cannot be checked
/// here are kept and ignored, as lines of unknown keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureType {
    /// 01: Ed25519 over the note's text. Checked here.
    Ed25519,
    /// 02: ECDSA over the note's text. Known, not checked here.
    Ecdsa,
    /// 04: Ed25519 cosignature with a time. Checked here.
    CosignatureV1,
    /// 05: an RFC 6962 tree head. Known, not checked here.
    Rfc6962TreeHead,
    /// 06: ML-DSA-44 cosignature. Known, not checked here.
    MlDsa44,
}

impl SignatureType {
    /// The byte before the public key in a vkey.
    pub fn byte(self) -> u8 {
        match self {
            SignatureType::Ed25519 => 0x01,
            SignatureType::Ecdsa => 0x02,
            SignatureType::CosignatureV1 => 0x04,
            SignatureType::Rfc6962TreeHead => 0x05,
            SignatureType::MlDsa44 => 0x06,
        }
    }

    /// The type of this byte; `None` for reserved and private ones.
    pub fn from_byte(byte: u8) -> Option<SignatureType> {
        [Self::Ed25519, Self::Ecdsa, Self::CosignatureV1, Self::Rfc6962TreeHead, Self::MlDsa44]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }

    /// Whether keys of this type belong to cosigners, whose signatures carry a time.
    pub fn is_cosignature(self) -> bool {
        matches!(self, SignatureType::CosignatureV1 | SignatureType::MlDsa44)
    }

    fn takes_key_of(self, length: usize) -> bool {
        match self {
            SignatureType::Ed25519 | SignatureType::CosignatureV1 => length == KEY_BYTES,
            SignatureType::MlDsa44 => length == ML_DSA_44_KEY_BYTES,
            SignatureType::Ecdsa | SignatureType::Rfc6962TreeHead => (1..=MAX_SPKI_BYTES).contains(&length),
        }
    }
}

impl fmt::Display for SignatureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.byte())
    }
}

/// The four bytes that, with the name, say which key made a signature line ("key ID" of C2SP signed-note).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 4]);

impl KeyHash {
    fn first_of(hash: &Hash) -> KeyHash {
        let [a, b, c, d, ..] = hash.0;
        KeyHash([a, b, c, d])
    }

    /// The key hash by the rule of the type.
    fn compute(name: &KeyName, kind: SignatureType, key: &[u8]) -> KeyHash {
        let of_named = |key: &[u8]| Hash::of_parts(&[name.as_str().as_bytes(), b"\n", &[kind.byte()], key]);
        KeyHash::first_of(&match kind {
            // ECDSA keys were in use before there was a rule: the hash of the key alone.
            SignatureType::Ecdsa => Hash::of(key),
            // The log id of RFC 6962 §3.2 stands for the key.
            SignatureType::Rfc6962TreeHead => of_named(&Hash::of(key).0),
            _ => of_named(key),
        })
    }

    fn parse(text: &str) -> Option<KeyHash> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return None;
        }
        hex::decode(text).ok()?.try_into().ok().map(KeyHash)
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({self})")
    }
}

/// Why a text is not a vkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadVkey {
    /// Not three parts joined by `+`, or far too long.
    #[error("a vkey has the form name+key id+key, for example log.example+0123abcd+AR…")]
    Form,
    /// The name is not a key name.
    #[error(transparent)]
    Name(#[from] BadKeyName),
    /// A cosigner's name is longer than 255 bytes.
    #[error("the name of a cosigner may have at most 255 bytes")]
    LongName,
    /// The key id is not eight lower-case hex digits.
    #[error("the key id in a vkey must be eight lower-case hex digits")]
    KeyHashForm,
    /// The key is not canonical padded base64.
    #[error("the key in a vkey must be canonical padded base64")]
    Base64,
    /// The signature type is not known.
    #[error("the vkey has a signature type that is not known")]
    Type,
    /// The key's length does not fit its type.
    #[error("the length of the key in the vkey does not fit its type")]
    KeyLength,
    /// The key id is not that of this name and key.
    #[error("the key id in the vkey does not belong to this name and key: copy the vkey again from its owner")]
    KeyHashMismatch,
}

/// A public key with its owner's name and its signature type. Form, length and key id are checked; whether the bytes
/// are a good curve point is checked when a [`Verifier`](super::Verifier) is made.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vkey {
    name: KeyName,
    kind: SignatureType,
    key: Vec<u8>,
    hash: KeyHash,
}

impl Vkey {
    /// Puts a vkey together; the key id is computed.
    pub fn new(name: KeyName, kind: SignatureType, key: Vec<u8>) -> Result<Vkey, BadVkey> {
        if !kind.takes_key_of(key.len()) {
            return Err(BadVkey::KeyLength);
        }
        if kind.is_cosignature() && name.as_str().len() > MAX_COSIGNER_NAME_BYTES {
            return Err(BadVkey::LongName);
        }
        let hash = KeyHash::compute(&name, kind, &key);
        Ok(Vkey { name, kind, key, hash })
    }

    /// The vkey of an Ed25519 key for note signatures (type 01).
    pub(super) fn ed25519(name: KeyName, key: &PublicKey) -> Vkey {
        let key = key.to_raw().to_vec();
        let hash = KeyHash::compute(&name, SignatureType::Ed25519, &key);
        Vkey { name, kind: SignatureType::Ed25519, key, hash }
    }

    /// Reads a vkey strictly. The key id is recomputed and compared.
    pub fn parse(text: &str) -> Result<Vkey, BadVkey> {
        if text.len() > MAX_VKEY_BYTES {
            return Err(BadVkey::Form);
        }
        // Base64 has `+` too: only the first two separate.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BadVkey::Form);
        };
        let name = KeyName::parse(name)?;
        let hash = KeyHash::parse(hash).ok_or(BadVkey::KeyHashForm)?;
        let bytes = crate::b64::decode(key).map_err(|_| BadVkey::Base64)?;
        let (kind, key) = bytes.split_first().ok_or(BadVkey::KeyLength)?;
        let kind = SignatureType::from_byte(*kind).ok_or(BadVkey::Type)?;
        let vkey = Vkey::new(name, kind, key.to_vec())?;
        if vkey.hash != hash {
            return Err(BadVkey::KeyHashMismatch);
        }
        Ok(vkey)
    }

    /// The owner's name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The same key under another key id: a collision of 32 bits, which a test cannot search for.
    #[cfg(test)]
    pub(super) fn colliding_with(mut self, other: &Vkey) -> Vkey {
        self.hash = other.hash;
        self
    }

    /// What the key signs.
    pub fn signature_type(&self) -> SignatureType {
        self.kind
    }

    /// The public key's bytes, as they stand in the vkey after the type.
    pub fn key_bytes(&self) -> &[u8] {
        &self.key
    }

    /// The key id that signature lines carry.
    pub fn key_hash(&self) -> KeyHash {
        self.hash
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[self.kind.byte()], self.key.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, self.hash, crate::b64::encode(typed))
    }
}

impl fmt::Debug for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vkey({}+{}+…)", self.name, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    #[test]
    fn the_example_of_the_format_reads_back() {
        let vkey = Vkey::parse(EXAMPLE).expect("the example of C2SP signed-note");
        assert_eq!(vkey.name().as_str(), "example.com/foo");
        assert_eq!(vkey.signature_type(), SignatureType::Ed25519);
        assert_eq!(vkey.key_hash().to_string(), "530d903a");
        assert_eq!(vkey.to_string(), EXAMPLE);
    }

    #[test]
    fn each_fault_has_its_reason() {
        for (text, why) in [
            ("example.com/foo", BadVkey::Form),
            ("example.com/foo+530d903a", BadVkey::Form),
            ("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", BadVkey::Name(BadKeyName)),
            ("example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", BadVkey::KeyHashForm),
            ("example.com/foo+0530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", BadVkey::KeyHashForm),
            ("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", BadVkey::KeyHashMismatch),
            ("example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", BadVkey::KeyHashMismatch),
            ("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2", BadVkey::Base64),
            ("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n", BadVkey::Base64),
            ("example.com/foo+530d903a+", BadVkey::KeyLength),
            ("example.com/foo+530d903a+AekyeRrm", BadVkey::KeyLength),
            ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", BadVkey::Type),
        ] {
            assert_eq!(Vkey::parse(text), Err(why), "{text:?}");
        }
    }
}
