//! `observation/v1`: what somebody saw.

use crate::claim::date::DateText;
use crate::claim::id::ClaimId;
use crate::claim::read;
use crate::code::{Code, Refused};
use crate::hash::Hash;
use crate::json::Item;

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

impl ObservationBody {
    pub(super) fn read(item: Item) -> Result<ObservationBody, Refused> {
        let mut fields = item.object()?;
        let target = fields.read_opt("target", read::claim_id)?;
        let uri = fields.read_opt("uri", read::uri)?;
        if target.is_none() && uri.is_none() {
            return Err(fields.refuse("target", Code::ClaimMissing, "an observation has \"target\" or \"uri\""));
        }
        let body = ObservationBody {
            target,
            uri,
            observed_at: fields.read("observed_at", read::date)?,
            kind: fields.read("kind", kind)?,
            value: fields.read_opt("value", read::free)?,
            capture_sha256: fields.read_opt("capture_sha256", read::sha256)?,
            method: fields.read_opt("method", read::free)?,
        };
        fields.finish()?;
        Ok(body)
    }
}

fn kind(item: Item) -> Result<ObservationKind, Refused> {
    item.text()?.choice(&[
        ("hash-mismatch", ObservationKind::HashMismatch),
        ("text-changed", ObservationKind::TextChanged),
        ("removed", ObservationKind::Removed),
        ("unreachable", ObservationKind::Unreachable),
        ("confirmed", ObservationKind::Confirmed),
        ("no-response", ObservationKind::NoResponse),
        ("available", ObservationKind::Available),
    ])
}
