//! From a payload's bytes to a [`Claim`]: the order of checks is the order of fields in docs/formats.md.

use super::limits::{FREE_TEXT_CHARS, MAX_DOCS, MAX_FILE_BYTES, MAX_IDS, MAX_LOGS};
use super::read;
use super::rel::{Rel, RelKind, Target};
use super::subject::Subject;
use super::types::{ClaimType, Role};
use super::{Body, Claim, Doc, LogRef};
use crate::code::{Code, Refused};
use crate::json::{self, Fields, Item, Limits};
use crate::num::TreeSize;

impl Claim {
    /// Reads a claim's payload and checks its form under rules version 1.
    pub fn parse(payload: &[u8]) -> Result<Claim, Refused> {
        let value = json::parse(payload, &Limits::CLAIM)?;
        let mut fields = Item::document(value, Limits::CLAIM.codes).object()?;
        let claim_type = fields.read("type", claim_type)?;
        let logs = logs(&mut fields, &claim_type)?;
        let issuer = fields.read("issuer", read::issuer_id)?;
        let role = role(&mut fields, &claim_type)?;
        let on_behalf_of = fields.read_opt("on_behalf_of", read::issuer_id)?;
        let subject = subject(&mut fields, &claim_type)?;
        let asserted_at = fields.read("asserted_at", read::instant)?;
        let submit_before = fields.read_opt("submit_before", read::instant)?;
        let effective = fields.read_opt("effective", read::date)?;
        let until = fields.read_opt("until", read::date)?;
        let rel = fields.read("rel", |item| rel(item, &claim_type))?;
        let authority = fields.read_opt("authority", read::claim_id)?;
        let legal = fields.list_opt("legal", MAX_IDS, legal_tag)?;
        let docs = fields.list_opt("docs", MAX_DOCS, doc)?;
        let body = fields.read("body", |item| Body::read(item, &claim_type, role, rel.kind))?;
        fields.finish()?;
        let claim = Claim {
            claim_type,
            logs,
            issuer,
            role,
            on_behalf_of,
            subject,
            asserted_at,
            submit_before,
            effective,
            until,
            rel,
            authority,
            legal,
            docs,
            body,
        };
        claim.own_origin()?;
        Ok(claim)
    }

    /// A constitution is meant for the log it constitutes.
    fn own_origin(&self) -> Result<(), Refused> {
        match &self.body {
            Body::Log(body) if self.logs.iter().all(|log| log.origin != body.origin) => {
                Err(Refused::at(Code::ClaimValue, "/body/origin", "expected the origin that \"logs\" names"))
            }
            _ => Ok(()),
        }
    }
}

/// A known short name, or an absolute URI. Whatever has a colon is meant as a URI.
pub(super) fn claim_type(item: Item) -> Result<ClaimType, Refused> {
    let text = item.text()?;
    if let Some(known) = ClaimType::known(text.as_str()) {
        return Ok(known);
    }
    if !text.as_str().contains(':') {
        let known = ClaimType::KNOWN.map(|known| known.as_str().to_owned()).join(", ");
        let message = format!("not a type of rules version 1 ({known}); a type of your own is an absolute URI");
        return Err(text.refuse(Code::ClaimUnknownType, message));
    }
    if text.as_str().len() > super::limits::TEXT_BYTES {
        return Err(text.refuse(Code::ClaimTooLong, "a type of more than 2048 bytes"));
    }
    if !read::is_absolute_uri(text.as_str()) {
        return Err(text.bad("expected a type of rules version 1, or an absolute URI (RFC 3986, ASCII only)"));
    }
    Ok(ClaimType::Other(text.into_string()))
}

fn logs(fields: &mut Fields, claim_type: &ClaimType) -> Result<Vec<LogRef>, Refused> {
    let max = if claim_type.is_registry() { 1 } else { MAX_LOGS };
    let logs = fields.non_empty_list("logs", max, log_ref)?;
    let origins: Vec<_> = logs.iter().map(|log| &log.origin).collect();
    read::no_twins(&origins, fields.place(), "logs")?;
    Ok(logs)
}

fn log_ref(item: Item) -> Result<LogRef, Refused> {
    let mut fields = item.object()?;
    let origin = fields.read("origin", read::origin)?;
    let size = fields.read_opt("size", tree_size)?;
    let root = fields.read_opt("root", read::root)?;
    if size.is_some() != root.is_some() {
        let absent = if size.is_some() { "root" } else { "size" };
        return Err(fields.refuse(absent, Code::ClaimMissing, "an anchor has both \"size\" and \"root\", or neither"));
    }
    fields.finish()?;
    Ok(LogRef { origin, size, root })
}

/// A tree size; JSON numbers end at 2^53, which no log reaches.
pub(super) fn tree_size(item: Item) -> Result<TreeSize, Refused> {
    Ok(TreeSize(item.integer(0, json::MAX_NUMBER)?.unsigned_abs()))
}

/// The role; `log/v1` is the operator's, and the operator makes no claims about products.
fn role(fields: &mut Fields, claim_type: &ClaimType) -> Result<Role, Refused> {
    let text = fields.text("role")?;
    let Some(role) = Role::parse(text.as_str()) else {
        let names: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
        return Err(text.bad(format!("expected one of: {}", names.join(", "))));
    };
    if *claim_type == ClaimType::Log && role != Role::Operator {
        return Err(text.bad("expected operator: only the operator makes log/v1"));
    }
    if role == Role::Operator && !claim_type.is_registry() {
        return Err(text.bad("the operator makes log/v1 and revokes in issuer/v1, nothing else"));
    }
    Ok(role)
}

/// The subject: none for `log/v1` and `issuer/v1`, optional for `contact/v1` and other parties' types, else required.
fn subject(fields: &mut Fields, claim_type: &ClaimType) -> Result<Option<Subject>, Refused> {
    match claim_type {
        ClaimType::Log | ClaimType::Issuer if fields.has("subject") => Err(fields.refuse(
            "subject",
            Code::ClaimUnknownMember,
            format!("{claim_type} is about no product; leave the subject out"),
        )),
        ClaimType::Log | ClaimType::Issuer => Ok(None),
        ClaimType::Contact | ClaimType::Other(_) => fields.read_opt("subject", |item| Subject::read(item, claim_type)),
        _ => fields.read("subject", |item| Subject::read(item, claim_type)).map(Some),
    }
}

fn rel(item: Item, claim_type: &ClaimType) -> Result<Rel, Refused> {
    let mut fields = item.object()?;
    let kind = rel_kind(&mut fields, claim_type)?;
    let target = fields.read_opt("target", target)?;
    match (&target, kind) {
        (Some(_), RelKind::New) => {
            return Err(fields.refuse("target", Code::ClaimValue, "a new claim has no target; leave it out"));
        }
        (None, kind) if kind != RelKind::New => {
            return Err(fields.refuse("target", Code::ClaimMissing, format!("{kind} names the claim it is about")));
        }
        _ => {}
    }
    let reason = fields.read_opt("reason", read::free)?;
    if reason.is_none() && kind.is_about_target() {
        return Err(fields.refuse("reason", Code::ClaimMissing, format!("{kind} gives its reason")));
    }
    let note = fields.read_opt("note", read::free)?;
    fields.finish()?;
    Ok(Rel { kind, target, reason, note })
}

/// The kind. Constitutions and registry entries are changed by new ones only (keys by `revoke`): an empty body in their
/// chain would say nothing that the rules could apply.
fn rel_kind(fields: &mut Fields, claim_type: &ClaimType) -> Result<RelKind, Refused> {
    let text = fields.text("kind")?;
    match RelKind::parse(text.as_str()) {
        Some(RelKind::Reveal) => Err(text.bad("reveal is for a type that does not exist yet")),
        Some(kind) if kind.is_about_target() && claim_type.is_registry() => {
            Err(text.bad(format!("{claim_type} takes new only; keys are revoked in issuer/v1")))
        }
        Some(kind) => Ok(kind),
        None => Err(text.bad("expected one of: new, amend, supersede, withdraw, confirm, dispute")),
    }
}

fn target(item: Item) -> Result<Target, Refused> {
    let mut fields = item.object()?;
    let id = fields.read("id", read::claim_id)?;
    let origin = fields.read_opt("origin", read::origin)?;
    fields.finish()?;
    Ok(Target { id, origin })
}

/// A tag `scheme:rest`, such as `cra:annex-ii.7`: lower-case letters, digits and `.:_/()-`.
fn legal_tag(item: Item) -> Result<String, Refused> {
    let text = item.text()?;
    if text.as_str().len() > FREE_TEXT_CHARS {
        return Err(text.refuse(Code::ClaimTooLong, format!("a tag of more than {FREE_TEXT_CHARS} bytes")));
    }
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".:_/()-".contains(&b);
    let parts_ok = text.as_str().split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
    if !parts_ok || !text.as_str().bytes().all(allowed) {
        return Err(text.bad("expected a tag such as cra:annex-ii.7 (lower-case letters, digits and .:_/()-)"));
    }
    Ok(text.into_string())
}

fn doc(item: Item) -> Result<Doc, Refused> {
    let mut fields = item.object()?;
    let doc = Doc {
        rel: fields.read("rel", read::token)?,
        media_type: fields.read_opt("media_type", media_type)?,
        sha256: fields.read("sha256", read::sha256)?,
        size: fields.read_opt("size", file_size)?,
        uri: fields.read_opt("uri", read::uri)?,
        publish: fields.read_opt("publish", Item::boolean)?.unwrap_or(false),
    };
    fields.finish()?;
    Ok(doc)
}

/// `type/subtype` in the characters of RFC 6838 §4.2, with parameters after `;`, 127 bytes at most in all.
fn media_type(item: Item) -> Result<String, Refused> {
    const MEDIA_TYPE_BYTES: usize = 127;
    let text = item.text()?;
    let (essence, parameters) = text.as_str().split_once(';').unwrap_or((text.as_str(), ""));
    let name = |part: &str| {
        part.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let essence_ok = essence.split_once('/').is_some_and(|(kind, subtype)| name(kind) && name(subtype));
    let parameters_ok = parameters.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if !essence_ok || !parameters_ok || text.as_str().len() > MEDIA_TYPE_BYTES {
        return Err(text.bad("expected a media type such as application/pdf, at most 127 bytes"));
    }
    Ok(text.into_string())
}

/// The length of a file in bytes.
pub(super) fn file_size(item: Item) -> Result<u64, Refused> {
    Ok(item.integer(0, MAX_FILE_BYTES)?.unsigned_abs())
}
