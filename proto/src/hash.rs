//! SHA-256 and the two hash functions of the tree (RFC 6962 §2.1 = RFC 9162 §2.1.1).

use std::fmt;

use sha2::{Digest, Sha256};

/// Length of every hash here, in bytes.
pub const HASH_BYTES: usize = 32;

/// Characters of its base64.
const BASE64_CHARS: usize = HASH_BYTES.div_ceil(3) * 4;

/// A SHA-256 value: a leaf hash, a node hash or a root.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; HASH_BYTES]);

/// A text was not 64 lower-case hex digits, or base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 hash")]
pub struct BadHash;

impl Hash {
    /// The root of the tree without entries, `SHA-256("")` (RFC 6962 §2.1).
    pub const EMPTY_ROOT: Hash = Hash([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae,
        0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ]);

    /// Plain SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    /// SHA-256 over the parts, one after the other.
    pub fn of_parts(parts: &[&[u8]]) -> Hash {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Hash(hasher.finalize().into())
    }

    /// `SHA-256(0x00 || entry)`, the leaf hash (RFC 6962 §2.1).
    pub fn leaf(entry: &[u8]) -> Hash {
        Hash::of_parts(&[&[0x00], entry])
    }

    /// `SHA-256(0x01 || left || right)`, an inner node (RFC 6962 §2.1).
    pub fn node(left: &Hash, right: &Hash) -> Hash {
        let mut bytes = [0u8; 1 + 2 * HASH_BYTES];
        bytes[0] = 0x01;
        bytes[1..33].copy_from_slice(&left.0);
        bytes[33..].copy_from_slice(&right.0);
        Hash(Sha256::digest(bytes).into())
    }

    /// The 32 bytes as a hash; `None` when there are more or fewer.
    pub fn from_slice(bytes: &[u8]) -> Option<Hash> {
        bytes.try_into().ok().map(Hash)
    }

    /// Canonical base64, as checkpoints and proofs carry hashes.
    pub fn to_base64(&self) -> String {
        crate::b64::encode(self.0)
    }

    /// Reads canonical base64 of exactly 32 bytes.
    pub fn from_base64(text: &str) -> Result<Hash, BadHash> {
        crate::b64::decode(text).ok().and_then(|b| Hash::from_slice(&b)).ok_or(BadHash)
    }

    /// Reads 64 lower-case hex digits.
    pub fn from_hex(text: &str) -> Result<Hash, BadHash> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(BadHash);
        }
        hex::decode(text).ok().and_then(|b| Hash::from_slice(&b)).ok_or(BadHash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        // Without a string of its own: a log writes some twenty hashes for every claim.
        let mut text = [0u8; BASE64_CHARS];
        let written = crate::b64::encode_into(&self.0, &mut text);
        serializer.serialize_str(written.ok_or_else(|| S::Error::custom("a hash did not fit its text"))?)
    }
}

impl<'de> serde::Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        Hash::from_base64(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_6962_constants() {
        assert_eq!(Hash::of(b""), Hash::EMPTY_ROOT);
        // The leaf hash of the empty entry differs from the empty root (domain separation).
        assert_eq!(Hash::leaf(b"").to_string(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    }

    #[test]
    fn texts_are_strict() {
        let hash = Hash::of(b"x");
        assert_eq!(Hash::from_base64(&hash.to_base64()), Ok(hash));
        assert_eq!(Hash::from_hex(&hash.to_string()), Ok(hash));
        assert!(Hash::from_hex(&hash.to_string().to_uppercase()).is_err());
        assert!(Hash::from_hex("00").is_err());
        assert!(Hash::from_base64("AA==").is_err());
    }
}
