//! Who is enrolled, with which keys, and what they said.

use axum::extract::{Path, State};
use axum::response::Response;
use http::Uri;
use proto::b64;
use proto::code::Code;
use proto::ed25519::KeyId;
use proto::fold::{IssuerRecord, KeyHolder, KeyRecord};
use proto::num::{LeafIndex, TreeSize};
use proto::query;
use proto::query::issuer::KeyStatus;
use proto::query::search::{self, Source};
use proto::query::trail::TrailFilter;
use serde::Serialize;
use service::problem::Problem;

use super::app::{App, Cost, ReadError, View};
use super::cursor::{self, Cursor, Scope};
use super::json::{self, ClaimItem};
use super::params::{self, Params};

#[derive(Serialize)]
struct List {
    size: TreeSize,
    items: Vec<Listed>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    id: String,
    legal_name: String,
    roles: Vec<String>,
    replay: bool,
}

/// `GET /v1/issuers`
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let mut params = Params::parse(&uri)?;
    let (given, limit) = (params.take("cursor"), params.limit()?);
    let scope = Scope::new(uri.path(), &params);
    params.finish()?;
    let given = given.map(|text| scope.decode(&text)).transpose()?;
    let list = app.read(Cost::Scan, move |view| listed(view, &scope, given.as_ref(), limit)).await?;
    Ok(json::dynamic(&list))
}

fn listed(view: &View, scope: &Scope, given: Option<&Cursor>, limit: usize) -> Result<List, ReadError> {
    // The registry keeps no earlier states, so every page is of the newest tree.
    let size = view.size();
    let after = given.map(|cursor| String::from_utf8_lossy(&cursor.place).into_owned());
    let page = query::issuer::list(view, size, after.as_deref(), limit)?;
    let items = page.items.into_iter().map(|(id, record)| {
        let IssuerRecord { legal_name, roles, replay, .. } = record;
        Listed { id, legal_name, roles, replay }
    });
    let next_cursor = page.next.map(|id| scope.encode(&Cursor { size, place: id.into_bytes() }));
    Ok(List { size, items: items.collect(), next_cursor })
}

#[derive(Serialize)]
struct Issuer {
    id: String,
    size: TreeSize,
    legal_name: String,
    roles: Vec<String>,
    replay: bool,
    admin_threshold: u32,
    registry: Registry,
    recovery: Option<Recovery>,
    keys_total: u64,
    keys: Vec<Key>,
    claims: Claims,
}

#[derive(Serialize)]
struct Registry {
    first: u64,
    last: u64,
    entries: u64,
}

#[derive(Serialize)]
struct Recovery {
    claim_id: String,
    effective_ms: u64,
}

#[derive(Serialize)]
struct Key {
    key_id: String,
    #[serde(rename = "use")]
    key_use: &'static str,
    spki: String,
    added: u64,
    revoked: Option<u64>,
    from_ms: Option<u64>,
    until_ms: Option<u64>,
    status: &'static str,
}

#[derive(Serialize)]
struct Claims {
    size: TreeSize,
    items: Vec<ClaimItem>,
    next_cursor: Option<String>,
}

/// `GET /v1/issuers/{id}`: the issuer, its keys, and the first page of its claims.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, Problem> {
    params::none(&uri)?;
    let id = params::issuer_id(&id)?;
    let claims_uri: Uri = format!("/v1/issuers/{id}/claims").parse().map_err(Problem::internal)?;
    let scope = Scope::new(claims_uri.path(), &Params::parse(&claims_uri)?);
    let issuer = app.read(Cost::Scan, move |view| issuer(view, &id, &scope)).await?;
    Ok(json::dynamic(&issuer))
}

fn not_enrolled(id: &str) -> Problem {
    Problem::new(Code::RequestNotFound, format!("{id} is not enrolled in this log."))
}

fn issuer(view: &View, id: &str, scope: &Scope) -> Result<Issuer, ReadError> {
    let size = view.size();
    let found = query::issuer::by_id(view, id, size)?.ok_or_else(|| not_enrolled(id))?;
    let record = found.record;
    let now = view.published.head.time.millis();
    let recovery = record.recovery.filter(|waiting| waiting.effective_ms > now.0).map(|waiting| Recovery {
        claim_id: proto::claim::ClaimId(proto::hash::Hash(waiting.claim)).to_string(),
        effective_ms: waiting.effective_ms,
    });
    let keys = found.keys.iter().map(|(key_id, key)| to_key(key_id, key, size, KeyStatus::of(key, size, now)));
    Ok(Issuer {
        id: id.to_owned(),
        size,
        legal_name: record.legal_name,
        roles: record.roles,
        replay: record.replay,
        admin_threshold: record.admin_threshold,
        registry: Registry { first: record.first, last: record.last, entries: record.entries },
        recovery,
        keys_total: record.keys,
        keys: keys.collect(),
        claims: claims_page(view, id, &TrailFilter::default(), scope, None, params::DEFAULT_LIMIT)?,
    })
}

fn to_key(key_id: &KeyId, key: &KeyRecord, size: TreeSize, status: KeyStatus) -> Key {
    Key {
        key_id: key_id.to_string(),
        key_use: match key.holder {
            KeyHolder::Admin => "admin",
            _ => "sign",
        },
        spki: b64::encode(&key.spki),
        added: key.added,
        revoked: key.revoked.filter(|entry| LeafIndex(*entry).is_in(size)),
        from_ms: (key.from_ms > 0).then_some(key.from_ms),
        until_ms: key.until_ms,
        status: status.as_str(),
    }
}

/// `GET /v1/issuers/{id}/claims`
pub(super) async fn claims(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, Problem> {
    let mut params = Params::parse(&uri)?;
    let (given, limit) = (params.take("cursor"), params.limit()?);
    let filter = TrailFilter { issuer: None, claim_type: params.claim_type()? };
    let id = params::issuer_id(&id)?;
    let scope = Scope::new(&format!("/v1/issuers/{id}/claims"), &params);
    params.finish()?;
    let given = given.map(|text| scope.decode(&text)).transpose()?;
    let page = app.read(Cost::Scan, move |view| {
        // The operator's own claims (`log/v1`) are listed too, though the operator is not enrolled.
        let page = claims_page(view, &id, &filter, &scope, given.as_ref(), limit)?;
        if page.items.is_empty() && given.is_none() && query::issuer::record(view, &id, page.size)?.is_none() {
            return Err(not_enrolled(&id).into());
        }
        Ok(page)
    });
    Ok(json::dynamic(&page.await?))
}

fn claims_page(
    view: &View,
    id: &str,
    filter: &TrailFilter,
    scope: &Scope,
    given: Option<&Cursor>,
    limit: usize,
) -> Result<Claims, ReadError> {
    let (size, from) = match given {
        Some(given) => (given.bounded(view.size())?, cursor::number(&given.place)?),
        None => (view.size(), 0),
    };
    let page = search::claims(view, &Source::Issuer(id.to_owned()), filter, size, from, limit)?;
    let next = page.next.map(|next| scope.encode(&Cursor { size, place: next.to_be_bytes().to_vec() }));
    Ok(Claims { size, items: ClaimItem::list(&page.items)?, next_cursor: next })
}
