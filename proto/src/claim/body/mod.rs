//! The nine bodies of rules version 1, one module each.

mod conformity;
mod contact;
mod issuer;
mod log;
mod observation;
mod product;
mod release;
mod support;
mod vkey;
mod vulnerability;

pub use conformity::{ConformityBody, ConformityStatus};
pub use contact::ContactBody;
pub use issuer::{
    Identity, IdentityMethod, IssuerBody, KeyAdd, KeyUse, Mandate, Recovery, Revocation, RevocationReason,
};
pub use log::{Freeze, LogBody, LogKey, LogLimits, Predecessor, Witness};
pub use observation::{ObservationBody, ObservationKind};
pub use product::ProductBody;
pub use release::{Artifact, ArtifactRole, ReleaseBody};
pub use support::{AsGiven, SupportBody, SupportDate, Updates};
pub use vulnerability::{
    Advisory, Remediation, Severity, StatusRow, Times, VulnerabilityBody, VulnerabilityState, is_cve,
};

use super::rel::RelKind;
use super::types::{ClaimType, Role};
use crate::code::{Code, Refused};
use crate::json::{self, Item};

/// What a claim says.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// `log/v1`
    Log(Box<LogBody>),
    /// `issuer/v1`
    Issuer(Box<IssuerBody>),
    /// `product/v1`
    Product(Box<ProductBody>),
    /// `support/v1`
    Support(Box<SupportBody>),
    /// `contact/v1`
    Contact(Box<ContactBody>),
    /// `release/v1`
    Release(Box<ReleaseBody>),
    /// `vulnerability/v1`
    Vulnerability(Box<VulnerabilityBody>),
    /// `conformity/v1`
    Conformity(Box<ConformityBody>),
    /// `observation/v1`
    Observation(Box<ObservationBody>),
    /// The body of another party's type, kept as it is.
    Other(json::Value),
    /// `{}` of `withdraw`, `confirm` and `dispute`, whatever the type.
    Empty,
}

impl Body {
    /// Reads the body of a claim of this type, role and kind.
    pub(super) fn read(item: Item, claim_type: &ClaimType, role: Role, kind: RelKind) -> Result<Body, Refused> {
        if kind.is_about_target() {
            return empty(item, kind);
        }
        Ok(match claim_type {
            ClaimType::Log => Body::Log(Box::new(LogBody::read(item)?)),
            ClaimType::Issuer => Body::Issuer(Box::new(IssuerBody::read(item, role)?)),
            ClaimType::Product => Body::Product(Box::new(ProductBody::read(item)?)),
            ClaimType::Support => Body::Support(Box::new(SupportBody::read(item)?)),
            ClaimType::Contact => Body::Contact(Box::new(ContactBody::read(item)?)),
            ClaimType::Release => Body::Release(Box::new(ReleaseBody::read(item)?)),
            ClaimType::Vulnerability => Body::Vulnerability(Box::new(VulnerabilityBody::read(item)?)),
            ClaimType::Conformity => Body::Conformity(Box::new(ConformityBody::read(item)?)),
            ClaimType::Observation => Body::Observation(Box::new(ObservationBody::read(item)?)),
            ClaimType::Other(_) => Body::Other(item.into_value()),
        })
    }
}

/// `{}`; a claim that speaks about another one says what it says in `rel`.
fn empty(item: Item, kind: RelKind) -> Result<Body, Refused> {
    let fields = item.object()?;
    if !fields.is_empty() {
        return Err(fields.refuse_self(Code::ClaimValue, format!("{kind} has the body {{}}; say why in rel.reason")));
    }
    Ok(Body::Empty)
}

/// A whole number between `min` and `max`, which lie within `u32`.
fn number(item: Item, min: i64, max: i64) -> Result<u32, Refused> {
    let place = item.place().clone();
    let number = item.integer(min, max)?;
    u32::try_from(number).map_err(|_| Refused::at(Code::ClaimValue, place, "a number beyond 32 bits"))
}
