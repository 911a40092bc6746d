//! The types of claims and the roles of those who make them.

use std::fmt;

/// What kind of claim it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClaimType {
    /// `log/v1`: the log's constitution.
    Log,
    /// `issuer/v1`: enrolment, keys, mandates.
    Issuer,
    /// `product/v1`: a product exists.
    Product,
    /// `support/v1`: until when it gets security updates.
    Support,
    /// `contact/v1`: where vulnerabilities are reported.
    Contact,
    /// `release/v1`: a version and its artifacts.
    Release,
    /// `vulnerability/v1`: what is affected and what is fixed.
    Vulnerability,
    /// `conformity/v1`: a declaration or certificate.
    Conformity,
    /// `observation/v1`: what somebody saw.
    Observation,
    /// Another party's type, an absolute URI, kept as it is.
    Other(String),
}

impl ClaimType {
    /// The nine types of rules version 1.
    pub const KNOWN: [ClaimType; 9] = [
        ClaimType::Log,
        ClaimType::Issuer,
        ClaimType::Product,
        ClaimType::Support,
        ClaimType::Contact,
        ClaimType::Release,
        ClaimType::Vulnerability,
        ClaimType::Conformity,
        ClaimType::Observation,
    ];

    /// The name as it stands in payloads.
    pub fn as_str(&self) -> &str {
        match self {
            ClaimType::Log => "log/v1",
            ClaimType::Issuer => "issuer/v1",
            ClaimType::Product => "product/v1",
            ClaimType::Support => "support/v1",
            ClaimType::Contact => "contact/v1",
            ClaimType::Release => "release/v1",
            ClaimType::Vulnerability => "vulnerability/v1",
            ClaimType::Conformity => "conformity/v1",
            ClaimType::Observation => "observation/v1",
            ClaimType::Other(uri) => uri,
        }
    }

    /// The known type of this name; `None` for anything else, URIs included.
    pub fn known(name: &str) -> Option<ClaimType> {
        ClaimType::KNOWN.into_iter().find(|known| known.as_str() == name)
    }

    /// Whether this is `log/v1` or `issuer/v1`: claims that change the rules or the registry.
    pub fn is_registry(&self) -> bool {
        matches!(self, ClaimType::Log | ClaimType::Issuer)
    }
}

impl fmt::Display for ClaimType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// In which role an issuer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// `manufacturer`
    Manufacturer,
    /// `authorised-representative`
    AuthorisedRepresentative,
    /// `importer`
    Importer,
    /// `conformity-body`
    ConformityBody,
    /// `csirt`
    Csirt,
    /// `researcher`
    Researcher,
    /// `authority`
    Authority,
    /// `operator`: the log's own; nobody is enrolled in it.
    Operator,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 8] = [
        Role::Manufacturer,
        Role::AuthorisedRepresentative,
        Role::Importer,
        Role::ConformityBody,
        Role::Csirt,
        Role::Researcher,
        Role::Authority,
        Role::Operator,
    ];

    /// The name as it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Manufacturer => "manufacturer",
            Role::AuthorisedRepresentative => "authorised-representative",
            Role::Importer => "importer",
            Role::ConformityBody => "conformity-body",
            Role::Csirt => "csirt",
            Role::Researcher => "researcher",
            Role::Authority => "authority",
            Role::Operator => "operator",
        }
    }

    /// The role of this name.
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
