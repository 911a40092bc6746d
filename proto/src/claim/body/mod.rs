//! The nine bodies of rules version 1, one module each.

mod conformity;
mod contact;
mod issuer;
mod log;
mod observation;
mod product;
mod release;
mod support;
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
pub use vulnerability::{Advisory, Remediation, Severity, StatusRow, Times, VulnerabilityBody, VulnerabilityState};

use crate::json;

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
