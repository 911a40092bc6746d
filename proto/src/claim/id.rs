//! Claim ids.

use std::fmt;

pub use crate::dsse::pae;
use crate::dsse::pae_head;
use crate::hash::Hash;

/// The DSSE payload type of claims.
pub const PAYLOAD_TYPE: &str = "application/vnd.claimtrail.claim.v1+json";

/// What a claim id's text begins with.
const PREFIX: &str = "sha256:";

/// The name of a claim: SHA-256 over the pre-authentication encoding of payload type and payload. Written
/// `sha256:<64 lower-case hex digits>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId(pub Hash);

/// A text was not `sha256:` and 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a claim id (sha256: and 64 lower-case hex digits)")]
pub struct BadClaimId;

impl ClaimId {
    /// The id of this payload.
    pub fn of(payload_type: &str, payload: &[u8]) -> ClaimId {
        ClaimId(Hash::of_parts(&[pae_head(payload_type, payload.len()).as_bytes(), payload]))
    }

    /// Reads `sha256:<hex>`, strictly.
    pub fn parse(text: &str) -> Result<ClaimId, BadClaimId> {
        let hex = text.strip_prefix(PREFIX).ok_or(BadClaimId)?;
        Hash::from_hex(hex).map(ClaimId).map_err(|_| BadClaimId)
    }
}

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl fmt::Debug for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClaimId({self})")
    }
}
