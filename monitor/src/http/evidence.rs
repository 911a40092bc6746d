//! `GET /v1/evidence?origin=&from=&limit=` and `GET /v1/evidence/{id}`: the misbehaviour files that are kept about a log, and
//! each of them byte for byte. At the admin address `POST /v1/evidence` takes one.

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use proto::code::Code;
use proto::misbehaviour::MAX_FILE_BYTES;
use serde::{Deserialize, Serialize};
use service::admin::json_only;
use service::body::read_all;
use service::problem::Problem;

use super::Shared;
use crate::clock;
use crate::evidence::{EvidenceId, Kept, Refused, Source, Stored, take_evidence};
use crate::store::Branch;

/// Files in a page unless asked for otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Files in a page at most: what is said of one stays below 16 KiB.
const MAX_LIMIT: usize = 200;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// A file is named by its hash. A year is the longest that caches promise to understand.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    origin: Option<String>,
    from: Option<u64>,
    limit: Option<usize>,
}

/// A page of the list.
#[derive(Debug, Serialize, Deserialize)]
pub struct EvidencePage {
    /// The log.
    pub origin: String,
    /// The files, the oldest first.
    pub evidence: Vec<Kept>,
    /// The number to go on from; nothing at the end.
    pub next: Option<u64>,
}

/// What became of a file that was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenAnswer {
    /// Its name.
    pub id: EvidenceId,
    /// `new`, `known`, or `enough`: as many of its kind against this key are kept as ever are.
    pub taken: String,
}

impl TakenAnswer {
    /// In words.
    pub fn new(stored: Stored) -> TakenAnswer {
        let (id, taken) = match stored {
            Stored::New(id) => (id, "new"),
            Stored::Known(id) => (id, "known"),
            Stored::Enough(id) => (id, "enough"),
        };
        TakenAnswer { id, taken: taken.to_owned() }
    }
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(Code::RequestInvalid, detail)
}

fn not_found(detail: impl Into<String>) -> Problem {
    Problem::new(Code::RequestNotFound, detail)
}

/// `GET /v1/evidence`
pub(super) async fn list(State(shared): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let Query(asked) = Query::<Asked>::try_from_uri(&uri)
        .map_err(|_| invalid("The parameters are `origin`, `from` (a number of the list) and `limit`, each once."))?;
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid(format!("`limit` is 1 to {MAX_LIMIT}.")).with("limit", MAX_LIMIT));
    }
    let log = match (&asked.origin, shared.0.logs.as_slice()) {
        (Some(origin), _) => shared.log(origin),
        (None, [only]) => Some(only),
        (None, _) => return Err(invalid("This monitor follows several logs; say which with `origin`.")),
    };
    let log = log.ok_or_else(|| not_found("This monitor does not follow the log of that origin."))?.clone();
    let (origin, from) = (log.origin().to_owned(), asked.from.unwrap_or(1));
    let found = shared.blocking(move || log.store.evidence_from(from, limit + 1));
    let mut evidence = found.await?.map_err(Problem::internal)?;
    let next = evidence.get(limit).map(|kept| kept.number);
    evidence.truncate(limit);
    let answer = axum::Json(EvidencePage { origin, evidence, next });
    Ok(([(CACHE_CONTROL, NO_STORE)], answer).into_response())
}

/// `GET /v1/evidence/{id}`
pub(super) async fn one(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let nothing = || not_found("No evidence of that id is kept here; an id is a SHA-256 in lower-case hex.");
    let id: EvidenceId = id.parse().map_err(|_| nothing())?;
    let logs = shared.0.logs.clone();
    let found = shared.blocking(move || logs.iter().find_map(|log| log.store.evidence(id).transpose()).transpose());
    let (_, bytes) = found.await?.map_err(|error: client::Error| Problem::internal(error))?.ok_or_else(nothing)?;
    Ok(([(CONTENT_TYPE, JSON), (CACHE_CONTROL, IMMUTABLE)], bytes).into_response())
}

/// The histories of a log that contradict the one that was followed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Branches {
    /// The log.
    pub origin: String,
    /// Its other histories.
    pub branches: Vec<Branch>,
}

/// `GET /v1/branches`, at the admin address: of each log where its other histories part from the followed one, and their leaf
/// hashes from there on.
pub(super) async fn branches(State(shared): State<Shared>) -> Result<Response, Problem> {
    let logs = shared.0.logs.clone();
    let read = move || -> Result<Vec<Branches>, client::Error> {
        logs.iter()
            .map(|log| Ok(Branches { origin: log.origin().to_owned(), branches: log.store.branches()? }))
            .collect()
    };
    let all = shared.blocking(read).await?.map_err(Problem::internal)?;
    Ok(([(CACHE_CONTROL, NO_STORE)], axum::Json(all)).into_response())
}

/// `POST /v1/evidence`, at the admin address: the operator hands in a file.
pub(super) async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    json_only(&headers)?;
    let bytes = read_all(body, MAX_FILE_BYTES).await?;
    match take_from(&shared, bytes, Source::Report).await? {
        Ok(stored) => {
            let status = if matches!(stored, Stored::New(_)) { StatusCode::CREATED } else { StatusCode::OK };
            Ok((status, [(CACHE_CONTROL, NO_STORE)], axum::Json(TakenAnswer::new(stored))).into_response())
        }
        Err(why) => Err(refused(&why)),
    }
}

/// Takes a file of whomever.
pub(super) async fn take_from(
    shared: &Shared,
    file: Bytes,
    source: Source,
) -> Result<Result<Stored, Refused>, Problem> {
    let asked = shared.clone();
    // What is stored has its consequences, whether or not the client waits.
    let taken = shared.0.detached.run(async move {
        let logs = asked.0.logs.clone();
        asked.deciding(move || take_evidence(&logs, &file, source, clock::now())).await
    });
    taken.await?
}

/// Why a file was not taken, for whoever handed it in.
pub(crate) fn refused(why: &Refused) -> Problem {
    let code = match why {
        Refused::Malformed(_) | Refused::NotProven(_) => Code::RequestInvalid,
        Refused::OtherLog(_) | Refused::OtherKey(_) => Code::RequestNotFound,
        Refused::Own(error) => return Problem::internal(&error.message),
    };
    Problem::new(code, format!("The file is not taken: {why}."))
}
