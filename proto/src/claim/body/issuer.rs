//! `issuer/v1`: who an issuer is, which keys it adds and revokes, for whom it may speak.

use crate::claim::date::DateText;
use crate::claim::id::ClaimId;
use crate::claim::names::IssuerId;
use crate::claim::types::{ClaimType, Role};
use crate::ed25519::{KeyId, PublicKey};
use crate::hash::Hash;

/// An enrolment or a change of it. `legal_name`, `roles`, `keys` and `identity` are required, unless the claim's role
/// is `operator`: then the body holds `revoke` and nothing else (DECISIONS 9).
#[derive(Debug, Clone, PartialEq)]
pub struct IssuerBody {
    /// The name in law; absent only in an operator's revocation.
    pub legal_name: Option<String>,
    /// The roles it may speak in, none twice, never `operator`; empty only in an operator's revocation.
    pub roles: Vec<Role>,
    /// Keys added here, 0–16, none twice; each of them signs the envelope.
    pub keys: Vec<KeyAdd>,
    /// Keys revoked here, 0–16, none twice.
    pub revoke: Vec<Revocation>,
    /// How identity was checked; absent only in an operator's revocation.
    pub identity: Option<Identity>,
    /// How many admin keys must sign a change; `None` leaves it as it is (1 at first).
    pub admin_threshold: Option<u32>,
    /// ISO 3166-1 alpha-2 code, or another two capital letters such as `EU`.
    pub country: Option<String>,
    /// A page about the issuer.
    pub website: Option<String>,
    /// Numbers in registers of companies, as given.
    pub registry_ids: Vec<String>,
    /// The right to speak for another issuer.
    pub mandate: Option<Mandate>,
    /// The issuer whose claims this one takes over.
    pub successor_of: Option<IssuerId>,
    /// The day on which its operations end.
    pub ceases_on: Option<DateText>,
    /// Recovery after lost keys.
    pub recovery: Option<Recovery>,
    /// Whether public data are replayed under this name, which the named maker did not sign (DECISIONS 34).
    pub replay: bool,
}

/// A key that is added.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyAdd {
    /// DER SubjectPublicKeyInfo as given.
    pub spki: Vec<u8>,
    /// The key, checked.
    pub key: PublicKey,
    /// What it is for.
    pub key_use: KeyUse,
    /// It speaks only in entries whose timestamp is before the last instant of this.
    pub until: Option<DateText>,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyUse {
    /// `sign`: claims.
    Sign,
    /// `admin`: keys.
    Admin,
}

/// A key that is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Which one.
    pub key_id: KeyId,
    /// Why.
    pub reason: RevocationReason,
    /// Since when others may have had it.
    pub compromised_since: Option<DateText>,
}

/// Why a key is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevocationReason {
    /// `superseded`: another key takes its place.
    Superseded,
    /// `compromised`: others may have it.
    Compromised,
    /// `lost`: nobody has it.
    Lost,
    /// `ceased`: its issuer or its purpose is no more.
    Ceased,
    /// `unspecified`
    Unspecified,
}

/// How the identity of an issuer was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// By which means.
    pub method: IdentityMethod,
    /// When.
    pub checked_at: DateText,
    /// SHA-256 of what was seen.
    pub evidence_sha256: Option<Hash>,
}

/// By which means identity was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityMethod {
    /// `dns`: a record under the domain name.
    Dns,
    /// `registry`: a public register.
    Registry,
    /// `certificate`: an X.509 certificate.
    Certificate,
    /// `paper`: documents on paper.
    Paper,
}

/// The right to speak for another issuer; needs that issuer's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    /// Who gives it.
    pub mandator: IssuerId,
    /// How long it holds.
    pub until: Option<DateText>,
    /// For which types of claims; empty means all.
    pub types: Vec<ClaimType>,
}

/// Recovery after lost keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// `{kind: "start"}`: the keys added here take effect after the waiting time.
    Start,
    /// `{kind: "veto", claim}`: an old admin key stops the recovery that this claim started.
    Veto(ClaimId),
}
