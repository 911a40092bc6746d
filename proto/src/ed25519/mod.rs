//! Ed25519 keys and signatures, checked strictly, so that what one verifier accepts every verifier accepts.
//!
//! This module is the only one that knows 32-byte keys and 64-byte signatures: everything else passes [`PublicKey`],
//! [`Signature`] and [`KeyId`], so that ML-DSA-44 can come beside it.
//!
//! Strict means: canonical encodings of the key, of R and of s, no small-order key and no small-order R
//! (ed25519-dalek `verify_strict`; RFC 8032 §5.1.7 without the cofactor).

mod strict;

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};

use crate::hash::Hash;

/// DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410 §4); the 32 key bytes follow.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Length of an Ed25519 public key and of a secret seed, in bytes.
pub const KEY_BYTES: usize = 32;

/// Why a public key was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not a DER SubjectPublicKeyInfo of an Ed25519 key, or not 32 bytes.
    #[error("not an Ed25519 public key")]
    Malformed,
    /// The bytes are not the canonical encoding of a curve point.
    #[error("not a canonical Ed25519 point")]
    NotCanonical,
    /// The point has small order: signatures under it prove nothing.
    #[error("a small-order Ed25519 key, under which signatures prove nothing")]
    SmallOrder,
}

/// A signature did not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify under the key")]
pub struct BadSignature;

/// SHA-256 over the key's DER SubjectPublicKeyInfo; the `keyid` of envelopes is its lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 32]);

impl KeyId {
    /// Reads 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<KeyId> {
        Hash::from_hex(text).ok().map(|hash| KeyId(hash.0))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A public key that passed every check: canonical and not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Takes the 32 bytes of a key, as vkeys carry them.
    pub fn from_raw(bytes: &[u8]) -> Result<PublicKey, BadKey> {
        let bytes: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| BadKey::Malformed)?;
        if !is_canonical_y(&bytes) {
            return Err(BadKey::NotCanonical);
        }
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| BadKey::NotCanonical)?;
        if key.is_weak() {
            return Err(BadKey::SmallOrder);
        }
        if key.to_edwards().compress().to_bytes() != bytes {
            return Err(BadKey::NotCanonical);
        }
        Ok(PublicKey(key))
    }

    /// Takes a DER SubjectPublicKeyInfo of exactly 44 bytes (RFC 8410).
    pub fn from_spki(der: &[u8]) -> Result<PublicKey, BadKey> {
        PublicKey::from_raw(der.strip_prefix(&SPKI_PREFIX).ok_or(BadKey::Malformed)?)
    }

    /// The DER SubjectPublicKeyInfo, 44 bytes.
    pub fn to_spki(&self) -> Vec<u8> {
        [SPKI_PREFIX.as_slice(), self.0.as_bytes()].concat()
    }

    /// The 32 bytes of the key.
    pub fn to_raw(&self) -> [u8; KEY_BYTES] {
        self.0.to_bytes()
    }

    /// The key's id: SHA-256 over its SubjectPublicKeyInfo.
    pub fn id(&self) -> KeyId {
        KeyId(Hash::of(&self.to_spki()).0)
    }

    /// Strict verification of `signature` over `message`.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        strict::verify(&self.0, message, signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", hex::encode(self.0.as_bytes()))
    }
}

/// Whether the y coordinate is below the field's prime 2^255 - 19 (the top bit is the sign of x, RFC 8032 §5.1.2).
fn is_canonical_y(bytes: &[u8; KEY_BYTES]) -> bool {
    let high_is_max = bytes[31] & 0x7f == 0x7f && bytes[1..31].iter().all(|b| *b == 0xff);
    !(high_is_max && bytes[0] >= 0xed)
}

/// A signature's bytes as they came; only [`PublicKey::verify`] says whether they mean anything.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signature(pub Vec<u8>);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(&self.0))
    }
}

/// A secret key. Its memory is wiped when it is dropped; it is never printed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key of a 32-byte seed (RFC 8032 §5.1.5). The seed's randomness is the caller's duty.
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> SecretKey {
        SecretKey(SigningKey::from_bytes(seed))
    }

    /// The seed, for writing a key file.
    pub fn to_seed(&self) -> [u8; KEY_BYTES] {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs; Ed25519 is deterministic, so the same message gives the same bytes again.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes().to_vec())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {:?})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8032_test_1() {
        let seed: [u8; 32] = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap()
            .try_into()
            .unwrap();
        let key = SecretKey::from_seed(&seed);
        assert_eq!(
            hex::encode(key.public().to_raw()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        let signature = key.sign(b"");
        assert!(
            hex::encode(&signature.0).starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
        );
        assert_eq!(key.public().verify(b"", &signature), Ok(()));
        assert_eq!(key.public().verify(b"x", &signature), Err(BadSignature));
        assert_eq!(key.public().verify(b"", &Signature(signature.0[..63].to_vec())), Err(BadSignature));
    }

    #[test]
    fn weak_and_non_canonical_keys_are_refused() {
        let mut one = [0u8; 32];
        one[0] = 1; // the neutral element
        assert_eq!(PublicKey::from_raw(&one), Err(BadKey::SmallOrder));
        assert_eq!(PublicKey::from_raw(&[0u8; 32]), Err(BadKey::SmallOrder)); // a point of order 4
        let mut above = [0xffu8; 32];
        above[0] = 0xee; // y = p + 1, another spelling of the neutral element
        above[31] = 0x7f;
        assert_eq!(PublicKey::from_raw(&above), Err(BadKey::NotCanonical));
        let mut negative_zero = one;
        negative_zero[31] = 0x80; // x = 0 with the sign bit set
        assert!(PublicKey::from_raw(&negative_zero).is_err());
        assert_eq!(PublicKey::from_raw(&[2u8; 31]), Err(BadKey::Malformed));
    }

    #[test]
    fn spki_is_44_bytes_and_reads_back() {
        let key = SecretKey::from_seed(&[7; 32]).public();
        assert_eq!(key.to_spki().len(), 44);
        assert_eq!(PublicKey::from_spki(&key.to_spki()), Ok(key));
        assert_eq!(PublicKey::from_spki(&key.to_raw()), Err(BadKey::Malformed));
        assert_eq!(KeyId::parse(&key.id().to_string()), Some(key.id()));
    }
}
