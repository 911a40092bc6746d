//! `issuer/v1`: who an issuer is, which keys it adds and revokes, for whom it may speak.

use super::number;
use crate::claim::date::DateText;
use crate::claim::id::ClaimId;
use crate::claim::limits::{MAX_IDS, MAX_KEYS};
use crate::claim::names::IssuerId;
use crate::claim::parse::claim_type;
use crate::claim::read;
use crate::claim::types::{ClaimType, Role};
use crate::code::Refused;
use crate::ed25519::{KeyId, PublicKey};
use crate::hash::Hash;
use crate::json::{Fields, Item};

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

impl IssuerBody {
    pub(super) fn read(item: Item, role: Role) -> Result<IssuerBody, Refused> {
        let mut fields = item.object()?;
        let body = match role {
            Role::Operator => IssuerBody::read_revocation(&mut fields)?,
            _ => IssuerBody::read_enrolment(&mut fields)?,
        };
        fields.finish()?;
        Ok(body)
    }

    fn read_enrolment(fields: &mut Fields) -> Result<IssuerBody, Refused> {
        Ok(IssuerBody {
            legal_name: Some(fields.read("legal_name", read::free)?),
            roles: roles(fields)?,
            keys: keys(fields)?,
            revoke: revocations(fields)?,
            identity: Some(fields.read("identity", identity)?),
            admin_threshold: fields.read_opt("admin_threshold", threshold)?,
            country: fields.read_opt("country", read::country)?,
            website: fields.read_opt("website", read::uri)?,
            registry_ids: fields.list_opt("registry_ids", MAX_IDS, read::line)?,
            mandate: fields.read_opt("mandate", mandate)?,
            successor_of: fields.read_opt("successor_of", read::issuer_id)?,
            ceases_on: fields.read_opt("ceases_on", read::date)?,
            recovery: fields.read_opt("recovery", recovery)?,
            replay: fields.read_opt("replay", Item::boolean)?.unwrap_or(false),
        })
    }

    /// What the operator may say about an issuer: that keys are revoked, at least one, and nothing else.
    fn read_revocation(fields: &mut Fields) -> Result<IssuerBody, Refused> {
        if !fields.has("revoke") {
            let message = "with role operator, issuer/v1 only revokes: the body holds \"revoke\" and nothing else";
            return Err(fields.refuse("revoke", fields.codes().missing, message));
        }
        let revoke = revocations(fields)?;
        if revoke.is_empty() {
            return Err(fields.refuse("revoke", fields.codes().value, "expected at least one item"));
        }
        Ok(IssuerBody {
            legal_name: None,
            roles: Vec::new(),
            keys: Vec::new(),
            revoke,
            identity: None,
            admin_threshold: None,
            country: None,
            website: None,
            registry_ids: Vec::new(),
            mandate: None,
            successor_of: None,
            ceases_on: None,
            recovery: None,
            replay: false,
        })
    }
}

fn roles(fields: &mut Fields) -> Result<Vec<Role>, Refused> {
    let choices: Vec<(&str, Role)> =
        Role::ALL.into_iter().filter(|role| *role != Role::Operator).map(|role| (role.as_str(), role)).collect();
    let roles = fields.non_empty_list("roles", choices.len(), |item| item.text()?.choice(&choices))?;
    read::no_twins(&roles, fields.place(), "roles")?;
    Ok(roles)
}

fn keys(fields: &mut Fields) -> Result<Vec<KeyAdd>, Refused> {
    let keys = fields.list("keys", MAX_KEYS, key_add)?;
    let spkis: Vec<_> = keys.iter().map(|key| &key.spki).collect();
    read::no_twins(&spkis, fields.place(), "keys")?;
    Ok(keys)
}

fn key_add(item: Item) -> Result<KeyAdd, Refused> {
    let mut fields = item.object()?;
    fields.read("alg", read::algorithm)?;
    let (spki, key) = fields.read("spki", read::spki)?;
    let key_use =
        fields.read("use", |item| item.text()?.choice(&[("sign", KeyUse::Sign), ("admin", KeyUse::Admin)]))?;
    let until = fields.read_opt("until", read::date)?;
    fields.finish()?;
    Ok(KeyAdd { spki, key, key_use, until })
}

fn revocations(fields: &mut Fields) -> Result<Vec<Revocation>, Refused> {
    let revoke = fields.list_opt("revoke", MAX_KEYS, revocation)?;
    let ids: Vec<_> = revoke.iter().map(|revocation| revocation.key_id).collect();
    read::no_twins(&ids, fields.place(), "revoke")?;
    Ok(revoke)
}

fn revocation(item: Item) -> Result<Revocation, Refused> {
    let mut fields = item.object()?;
    let revocation = Revocation {
        key_id: fields.read("key_id", key_id)?,
        reason: fields.read("reason", revocation_reason)?,
        compromised_since: fields.read_opt("compromised_since", read::date)?,
    };
    fields.finish()?;
    Ok(revocation)
}

fn key_id(item: Item) -> Result<KeyId, Refused> {
    let text = item.text()?;
    KeyId::parse(text.as_str()).ok_or_else(|| text.bad("expected a key id: 64 lower-case hex digits"))
}

fn revocation_reason(item: Item) -> Result<RevocationReason, Refused> {
    item.text()?.choice(&[
        ("superseded", RevocationReason::Superseded),
        ("compromised", RevocationReason::Compromised),
        ("lost", RevocationReason::Lost),
        ("ceased", RevocationReason::Ceased),
        ("unspecified", RevocationReason::Unspecified),
    ])
}

fn identity(item: Item) -> Result<Identity, Refused> {
    let mut fields = item.object()?;
    let identity = Identity {
        method: fields.read("method", identity_method)?,
        checked_at: fields.read("checked_at", read::date)?,
        evidence_sha256: fields.read_opt("evidence_sha256", read::sha256)?,
    };
    fields.finish()?;
    Ok(identity)
}

fn identity_method(item: Item) -> Result<IdentityMethod, Refused> {
    item.text()?.choice(&[
        ("dns", IdentityMethod::Dns),
        ("registry", IdentityMethod::Registry),
        ("certificate", IdentityMethod::Certificate),
        ("paper", IdentityMethod::Paper),
    ])
}

/// At least one, and no more than one claim can add, since an entry has room for that many signatures.
fn threshold(item: Item) -> Result<u32, Refused> {
    number(item, 1, i64::try_from(MAX_KEYS).unwrap_or(i64::MAX))
}

fn mandate(item: Item) -> Result<Mandate, Refused> {
    let mut fields = item.object()?;
    let mandate = Mandate {
        mandator: fields.read("mandator", read::issuer_id)?,
        until: fields.read_opt("until", read::date)?,
        types: fields.list_opt("types", MAX_IDS, mandated_type)?,
    };
    read::no_twins(&mandate.types, fields.place(), "types")?;
    fields.finish()?;
    Ok(mandate)
}

/// A mandate never reaches the registry or the log's rules.
fn mandated_type(item: Item) -> Result<ClaimType, Refused> {
    let place = item.place().clone();
    let code = item.codes().value;
    let claim_type = claim_type(item)?;
    if claim_type.is_registry() {
        return Err(Refused::at(code, place, format!("{claim_type} cannot be mandated")));
    }
    Ok(claim_type)
}

fn recovery(item: Item) -> Result<Recovery, Refused> {
    let mut fields = item.object()?;
    let is_veto = fields.read("kind", |item| item.text()?.choice(&[("start", false), ("veto", true)]))?;
    let recovery = match is_veto {
        true => Recovery::Veto(fields.read("claim", read::claim_id)?),
        false => Recovery::Start,
    };
    fields.finish()?;
    Ok(recovery)
}
