//! The claim's payload: who says what about which product, and whether it has the form that rules version 1 demands.
//!
//! [`Claim::parse`] is the only way from bytes to a [`Claim`]; it checks form, never meaning and never the right to
//! speak (that is [`crate::fold`]). Checks run in the order of the fields in docs/formats.md; the first failure is
//! the refusal. All limits are in [`limits`]; all are part of rules version 1 and never change under that name.

mod assigned;
pub mod body;
pub mod date;
pub mod id;
pub mod ids;
pub mod limits;
pub mod names;
pub mod normal;
pub(crate) mod parse;
mod read;
pub mod rel;
pub mod subject;
mod template;
#[cfg(test)]
mod tests;
pub mod types;

pub use body::Body;
pub use date::{DateText, Instant};
pub use id::{ClaimId, PAYLOAD_TYPE, pae};
pub use ids::{ProductId, Scheme};
pub use names::{IssuerId, Origin};
pub use rel::{Rel, RelKind, Target};
pub use subject::{Manufacturer, ProductKey, Subject, Units};
pub use template::{strip_comments, template};
pub use types::{ClaimType, Role};

use crate::hash::Hash;
use crate::num::TreeSize;

/// A claim whose form was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// What kind of claim it is.
    pub claim_type: ClaimType,
    /// The logs it is meant for, 1–4 (exactly one for `issuer/v1` and `log/v1`), no origin twice.
    pub logs: Vec<LogRef>,
    /// Who speaks.
    pub issuer: IssuerId,
    /// In which role.
    pub role: Role,
    /// For whom, when a mandate is used.
    pub on_behalf_of: Option<IssuerId>,
    /// The product: present for product types, absent for `log/v1` and `issuer/v1`.
    pub subject: Option<Subject>,
    /// When the issuer says it spoke; no proof of time.
    pub asserted_at: Instant,
    /// The log refuses the claim once its time is past this.
    pub submit_before: Option<Instant>,
    /// From when it holds.
    pub effective: Option<DateText>,
    /// Until when it holds.
    pub until: Option<DateText>,
    /// What it does to an earlier claim.
    pub rel: Rel,
    /// The claim that gives the mandate or the succession this one uses.
    pub authority: Option<ClaimId>,
    /// Tags such as `cra:annex-ii.7`.
    pub legal: Vec<String>,
    /// Documents by digest.
    pub docs: Vec<Doc>,
    /// What is said.
    pub body: Body,
}

/// A log that the claim is meant for, optionally anchored to a head of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRef {
    /// The log's origin.
    pub origin: Origin,
    /// Size of a head the issuer saw; present exactly when `root` is.
    pub size: Option<TreeSize>,
    /// Root hash of that head.
    pub root: Option<Hash>,
}

/// A document, named by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doc {
    /// What it is to the claim, a token such as `advisory`.
    pub rel: String,
    /// Its media type.
    pub media_type: Option<String>,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
    /// Its length in bytes.
    pub size: Option<u64>,
    /// Where it can be had.
    pub uri: Option<String>,
    /// Whether the issuer wants it published (absent: no).
    pub publish: bool,
}

impl Claim {
    /// The slot key (DECISIONS 8): `None` when the body is empty, because `withdraw`, `confirm` and `dispute` belong
    /// to their target's slot.
    pub fn slot_key(&self) -> Option<String> {
        match &self.body {
            Body::Empty => None,
            // `log/v1` has no slot of its own; its links follow the last constitution.
            Body::Log(_) | Body::Issuer(_) | Body::Product(_) | Body::Contact(_) | Body::Other(_) => {
                Some(String::new())
            }
            Body::Support(_) => {
                let units = self.subject.as_ref().and_then(|subject| subject.units.as_ref());
                Some(units.map(Units::canonical).unwrap_or_default())
            }
            Body::Release(body) => Some(body.version.clone()),
            Body::Vulnerability(body) => Some(body.slot_key()),
            Body::Conformity(body) => Some(body.slot_key()),
            Body::Observation(body) => Some(body.slot_key()),
        }
    }

    /// The product this claim is about, as slots and search key it.
    pub fn product(&self) -> Option<ProductKey> {
        self.subject.as_ref().map(Subject::key)
    }
}
