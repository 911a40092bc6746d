//! `observation/v1`: what somebody saw.

use crate::claim::date::DateText;
use crate::claim::id::ClaimId;
use crate::hash::Hash;

/// An observation of a claim, of a page or file, or of both: `target` or `uri` is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservationBody {
    /// The claim that was checked.
    pub target: Option<ClaimId>,
    /// What was looked at.
    pub uri: Option<String>,
    /// When.
    pub observed_at: DateText,
    /// What was seen.
    pub kind: ObservationKind,
    /// The value that was seen.
    pub value: Option<String>,
    /// SHA-256 of what was captured.
    pub capture_sha256: Option<Hash>,
    /// How it was looked at.
    pub method: Option<String>,
}

impl ObservationBody {
    /// The target where there is one, else the URI.
    pub fn slot_key(&self) -> String {
        match (&self.target, &self.uri) {
            (Some(target), _) => target.to_string(),
            (None, uri) => uri.clone().unwrap_or_default(),
        }
    }
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObservationKind {
    /// `hash-mismatch`
    HashMismatch,
    /// `text-changed`
    TextChanged,
    /// `removed`
    Removed,
    /// `unreachable`
    Unreachable,
    /// `confirmed`
    Confirmed,
    /// `no-response`
    NoResponse,
    /// `available`
    Available,
}
