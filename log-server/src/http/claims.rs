//! Claims: submitted one at a time, and shown with everything the log knows of them.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use proto::b64;
use proto::claim::ClaimId;
use proto::code::Code;
use proto::fold::read;
use proto::num::{LeafIndex, Millis};
use proto::query::{self, QueryError};
use proto::receipt::Receipt;
use serde::Serialize;
use serde_json::value::RawValue;
use service::body::read_all;
use service::problem::Problem;

use super::app::{App, Cost, ReadError, View};
use super::json::{self, LinksJson, NO_STORE, SignatureJson, Status};
use super::params;
use super::waiting::{Wait, Waited};
use crate::log::{Answer, Declined};
use crate::store::StoreError;

/// What a single envelope may be sent as.
const ENVELOPE_TYPES: &[&str] = &["application/json", "application/vnd.dsse.envelope.v1+json"];

/// `POST /v1/claims`
pub(super) async fn submit(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let wait = Wait::parse(&uri, &app)?;
    check_content(&headers, ENVELOPE_TYPES)?;
    // Reading belongs to it: a claim that was sent in full is decided, also when its client hangs up at once.
    let answer = app.detached().run(take(app.clone(), body)).await??;
    let waited = wait.out(&app, answer.receipt).await?;
    let status = match waited {
        Waited::Late(_) => StatusCode::ACCEPTED,
        _ if answer.created => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let receipt = waited.into_receipt();
    let mut response = (status, receipt_json(&receipt)).into_response();
    if let Ok(location) = HeaderValue::try_from(format!("/v1/claims/{}", receipt.claim_id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Reads a claim and submits it.
async fn take(app: App, body: Body) -> Result<Answer, Problem> {
    let limit = app.log().published().constitution.current.envelope_bytes;
    let envelope = read_all(body, usize::try_from(limit).unwrap_or(usize::MAX)).await?;
    let room = &app.room().alone;
    let _room = room.permits().acquire_many_owned(room.of(envelope.len())).await.map_err(Problem::internal)?;
    app.log().submit(envelope).await.map_err(problem_of)
}

/// Refuses bodies of another type or in a coding. A missing type is taken for the right one.
pub(super) fn check_content(headers: &HeaderMap, types: &[&str]) -> Result<(), Problem> {
    let refuse = |what: String| Problem::new(Code::RequestContentType, format!("{what}; send {}.", types.join(" or ")));
    // Of several fields each counts.
    let is_coding = |coding: &HeaderValue| !coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().any(is_coding) {
        return Err(refuse("A body in a content coding is not taken here".into()));
    }
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    match types.iter().any(|known| known.eq_ignore_ascii_case(essence)) {
        true => Ok(()),
        false => Err(refuse("This content type is not taken here".into())),
    }
}

/// A declined submission as the client sees it.
pub(super) fn problem_of(declined: Declined) -> Problem {
    let mut problem = Problem::from(declined.refused);
    if let Some(id) = declined.claim_id {
        problem = problem.with("claim_id", id.to_string());
    }
    if let Some(receipt) = declined.receipt {
        problem = problem.with("receipt", receipt.to_value());
    }
    if let Some(note) = declined.refusal_note {
        problem = problem.with("refusal", String::from(note));
    }
    if let Some(limit) = declined.limit {
        problem = problem.with("limit", limit);
    }
    match declined.retry_after_seconds {
        Some(seconds) => problem.retry_after(Duration::from_secs(seconds)),
        None => problem,
    }
}

fn receipt_json(receipt: &Receipt) -> impl IntoResponse + use<> {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json")), (CACHE_CONTROL, NO_STORE)];
    (headers, receipt.to_json())
}

/// `GET /v1/claims/{id}/receipt`
pub(super) async fn receipt(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, Problem> {
    let wait = Wait::parse(&uri, &app)?;
    let waited = wait.out(&app, find_receipt(&app, &id).await?).await?;
    Ok((waited.status(), receipt_json(&waited.into_receipt())).into_response())
}

/// `GET /v1/claims/{id}/proof`: C2SP tlog-proof.
pub(super) async fn proof(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, Problem> {
    let wait = Wait::parse(&uri, &app)?;
    let waited = wait.out(&app, find_receipt(&app, &id).await?).await?;
    let status = waited.status();
    let proof = waited.into_receipt().to_tlog_proof().map_err(Problem::internal)?;
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")), (CACHE_CONTROL, NO_STORE)];
    Ok((status, headers, proof.to_string()).into_response())
}

async fn find_receipt(app: &App, id: &str) -> Result<Receipt, Problem> {
    let id = params::claim_id(id)?;
    app.read(Cost::Point, move |view| {
        let receipt = view.log.receipt(&id).map_err(|error| lookup_problem(&*error))?;
        receipt.ok_or_else(|| unknown(&id).into())
    })
    .await
}

/// A lookup that met a store in recovery, or one that failed.
pub(super) fn lookup_problem(error: &(dyn std::error::Error + 'static)) -> ReadError {
    match StoreError::cause_of(error) {
        Some(error) => error.clone().into(),
        None => Problem::internal(error).into(),
    }
}

fn unknown(id: &ClaimId) -> Problem {
    Problem::new(Code::RequestNotFound, format!("The claim {id} is not in this log."))
}

#[derive(Serialize)]
struct Shown {
    claim_id: String,
    index: LeafIndex,
    timestamp: Millis,
    #[serde(rename = "type")]
    claim_type: String,
    issuer: String,
    role: &'static str,
    rel: &'static str,
    replay: bool,
    slot: Option<Slot>,
    status: Option<Status>,
    links: LinksJson,
    payload: String,
    claim: Box<RawValue>,
    signatures: Vec<SignatureJson>,
    entry: String,
}

#[derive(Serialize)]
struct Slot {
    first: u64,
    issuer: String,
    #[serde(rename = "type")]
    claim_type: String,
    manufacturer: String,
    model: String,
    key: Option<String>,
}

/// `GET /v1/claims/{id}`
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, Problem> {
    params::none(&uri)?;
    let id = params::claim_id(&id)?;
    let shown = app.read(Cost::Point, move |view| shown(view, &id)).await?;
    Ok(json::dynamic(&shown))
}

fn shown(view: &View, id: &ClaimId) -> Result<Shown, ReadError> {
    let logged = query::claim::by_id(view, id, view.size())?.ok_or_else(|| unknown(id))?;
    let slot = match logged.slot {
        None => None,
        Some(first) => read::slot(view, first).map_err(QueryError::from)?.map(|slot| Slot {
            first,
            issuer: slot.issuer,
            claim_type: slot.claim_type,
            manufacturer: slot.manufacturer,
            model: slot.model,
            key: logged.claim.slot_key(),
        }),
    };
    let entry = logged.entry.encode().map_err(Problem::internal)?;
    let claim = serde_json::from_slice(&logged.entry.payload).map_err(Problem::internal)?;
    Ok(Shown {
        claim_id: id.to_string(),
        index: logged.index,
        timestamp: logged.entry.timestamp,
        claim_type: logged.claim.claim_type.as_str().to_owned(),
        issuer: logged.claim.issuer.as_str().to_owned(),
        role: logged.claim.role.as_str(),
        rel: logged.claim.rel.kind.as_str(),
        replay: logged.replay,
        slot,
        status: logged.standing.map(Status::from),
        links: logged.entry.links.into(),
        payload: b64::encode(&logged.entry.payload),
        claim,
        signatures: logged.entry.signatures.iter().map(SignatureJson::from).collect(),
        entry: b64::encode(&entry),
    })
}
