//! Gossip between monitors, and what clients report.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /v1/gossip?from=` | that of add-checkpoint, at most 64 KiB | 200: the own newest head; 204: none yet |
//! | `POST /v1/report` | the same | 200: JSON, what became of the head |
//! | `GET /v1/proof?origin=&from=&to=&root=` | | 200: JSON, the proof from own leaf hashes |
//! | `GET`, `POST /v1/cosigned` | a cosigned head | what witnesses cosigned last (`cosigned.rs`) |
//! | `POST /v1/evidence?from=` | a misbehaviour file | 200 or 201: JSON, what became of it |
//! | `GET`, `POST /v1/statements` | a statement with its head | signed statements that heads stay unavailable |
//!
//! A request is charged before its body is read, the origin is looked up before anything is verified, and whoever sends is
//! answered after what was decided is durable. `from` is the name that the sender has among its peers: so it can be asked back. It
//! counts only where that peer sends from; anybody can write a name.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode, Uri};
use proto::code::Code;
use proto::hash::Hash;
use proto::misbehaviour::MAX_FILE_BYTES;
use proto::num::TreeSize;
use serde::{Deserialize, Serialize};
use service::body::read_all;
use service::client_addr::ClientAddr;
use service::problem::Problem;

use super::evidence::{TakenAnswer, refused};
use super::files::Files;
use super::rates::{FILE, HEAD, Rates};
use super::{Shared, cosigned, evidence};
use crate::clock;
use crate::evidence::{Source as EvidenceSource, Stored};
use crate::follow::FollowedLog;
use crate::gossip::core::{Head, Input, Proof, Source};
use crate::gossip::head::MAX_GOSSIP_BYTES;
use crate::gossip::peer::{Peer, ProofAnswer, StatementMessage};
use crate::gossip::{Became, Gossip, LogGossip, NotKept, STATEMENTS_PAGE, branch_proof, own_proof};
use crate::store::KeptStatement;
use crate::witness::{BadRequest, Request};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What the handlers here share beside what all do.
#[derive(Clone)]
pub(super) struct Sharing {
    pub(super) shared: Shared,
    pub(super) gossip: Arc<Gossip>,
    rates: Arc<Rates>,
    files: Files,
}

/// Whose a request is.
pub(super) struct Sent {
    /// The peer that it names, if it comes from where that peer sends from.
    pub(super) peer: Option<Arc<Peer>>,
    /// The peer that it names, but from elsewhere.
    called: Option<String>,
}

impl Sent {
    /// Where a file comes from.
    fn source(self) -> EvidenceSource {
        match (self.peer, self.called) {
            (Some(peer), _) => EvidenceSource::Peer(peer.config.name.clone()),
            (None, Some(name)) => EvidenceSource::Named(name),
            (None, None) => EvidenceSource::Report,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sender {
    from: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedProof {
    origin: String,
    from: u64,
    to: u64,
    root: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedStatements {
    origin: String,
    #[serde(default)]
    cursor: Option<String>,
}

/// What became of a head that a client reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The log.
    pub origin: String,
    /// The head's size.
    pub size: TreeSize,
    /// `known`, `waits`, `contradicts` or `discarded`.
    pub verdict: String,
    /// For people.
    pub explanation: String,
    /// The own newest head, signed by the log.
    pub head: Option<String>,
}

#[derive(Debug, Serialize)]
struct Statements {
    origin: String,
    statements: Vec<KeptStatement>,
    next_cursor: Option<String>,
}

pub(super) fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(Code::RequestInvalid, detail)
}

pub(super) fn unknown_log() -> Problem {
    Problem::new(Code::RequestNotFound, "This monitor does not follow the log of that origin.")
}

/// Everything of gossip. Merge it with the other public routes.
pub(super) fn router(shared: Shared, gossip: Arc<Gossip>) -> Router {
    Router::new()
        .route("/v1/gossip", post(push))
        .route("/v1/report", post(report))
        .route("/v1/proof", get(proof))
        .route("/v1/cosigned", get(cosigned::last).post(cosigned::take))
        .route("/v1/evidence", post(take_evidence))
        .route("/v1/statements", get(statements).post(take_statement))
        .with_state(Sharing { shared, gossip, rates: Arc::new(Rates::new()), files: Files::default() })
}

impl Sharing {
    /// Charges a request, and says whose it is.
    pub(super) fn charge(&self, uri: &Uri, address: IpAddr, cost: NonZeroU32) -> Result<Sent, Problem> {
        let Query(sender) = Query::<Sender>::try_from_uri(uri)
            .map_err(|_| invalid("The only parameter is `from`, the sender's name."))?;
        let name = sender.from.as_deref().unwrap_or_default();
        let peer = self.gossip.peer_at(name, address).cloned();
        self.rates.charge(peer.as_ref().map(|peer| peer.config.name.as_str()), address, cost)?;
        let called = self.gossip.peer(name).filter(|_| peer.is_none()).map(|peer| peer.config.name.clone());
        Ok(Sent { peer, called })
    }

    /// Charges whoever asks for something, by address alone: a witness that does not know what it cosigned last asks its peers for it,
    /// and whoever asks much must not keep the answer from it. Most peers cannot be told from anybody by where they send from.
    pub(super) fn charge_reader(&self, address: IpAddr) -> Result<(), Problem> {
        self.shared.0.rates.charge_reader(address)
    }

    /// Takes a pushed head: what became of it, and the log.
    async fn take(&self, peer: Option<Arc<Peer>>, body: Body) -> Result<(Became, TreeSize, Arc<LogGossip>), Problem> {
        let body = read_all(body, MAX_GOSSIP_BYTES).await?;
        let asked = self.clone();
        // A head that is kept is also judged and asked for, whether or not the client waits.
        let taken = self.shared.0.detached.run(async move {
            let work = asked.clone();
            asked.shared.deciding(move || work.judge(peer.as_deref(), &body)).await
        });
        taken.await??
    }

    fn judge(&self, peer: Option<&Peer>, body: &[u8]) -> Result<(Became, TreeSize, Arc<LogGossip>), Problem> {
        let request = Request::parse(body).map_err(|why: BadRequest| invalid(why.to_string()))?;
        let log = self.gossip.log(request.note.claimed_origin()).ok_or_else(unknown_log)?;
        let shown = log
            .check(request.note.clone())
            .map_err(|why| Problem::new(Code::CheckpointSignature, format!("The head is not taken: {why}.")))?;
        let source = peer.and_then(|peer| log.peer(&peer.config.name)).map_or(Source::Anyone, Source::Peer);
        let proof = Proof { from: request.old, root: None, hashes: request.proof };
        let proof = Some(proof).filter(|proof| proof.from > TreeSize(0) && !proof.hashes.is_empty());
        let size = shown.checkpoint.size();
        let input = |head, random| Input::Received { head, source, proof, random };
        let (became, acts) = log.take(&shown, input, clock::now()).map_err(|e| Problem::internal(&e.message))?;
        self.gossip.act(log, acts);
        // Behind what is said of the head: a line of a witness may contradict another one of it.
        log.log().keep_cosigned(&request.note, &shown).map_err(|e| Problem::internal(&e.message))?;
        Ok((became, size, log.clone()))
    }
}

/// `POST /v1/gossip`
async fn push(
    State(state): State<Sharing>,
    ClientAddr(address): ClientAddr,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let sent = state.charge(&uri, address, HEAD)?;
    let (_, _, log) = state.take(sent.peer, body).await?;
    Ok(match log.own_note() {
        Some(note) => ([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NO_STORE)], note).into_response(),
        None => (StatusCode::NO_CONTENT, [(CACHE_CONTROL, NO_STORE)]).into_response(),
    })
}

/// `POST /v1/report`
async fn report(
    State(state): State<Sharing>,
    ClientAddr(address): ClientAddr,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let sent = state.charge(&uri, address, HEAD)?;
    let (became, size, log) = state.take(sent.peer, body).await?;
    let (verdict, explanation) = words(became);
    let reported = Reported {
        origin: log.log().origin().to_owned(),
        size,
        verdict: verdict.to_owned(),
        explanation: explanation.to_owned(),
        head: log.own_note().map(|note| String::from_utf8_lossy(&note).into_owned()),
    };
    Ok(([(CACHE_CONTROL, NO_STORE)], axum::Json(reported)).into_response())
}

fn words(became: Became) -> (&'static str, &'static str) {
    match became {
        Became::Known => ("known", "It is a state of the tree that this monitor follows."),
        Became::Contradicts => (
            "contradicts",
            "It contradicts what the log showed this monitor: a holder of the log's key signed two histories. It is kept, and \
             what proves it is at /v1/evidence.",
        ),
        Became::Waits => (
            "waits",
            "It is larger than what this monitor has followed. It is kept, and held against the log's tree as soon as its \
             entries can be read; the log and the peers are asked.",
        ),
        Became::Discarded => (
            "discarded",
            "It is larger than what this monitor has followed, and so many heads wait that this one has no room. Show it again \
             later.",
        ),
    }
}

/// `GET /v1/proof`
async fn proof(State(state): State<Sharing>, ClientAddr(address): ClientAddr, uri: Uri) -> Result<Response, Problem> {
    state.charge_reader(address)?;
    let Query(asked) = Query::<AskedProof>::try_from_uri(&uri).map_err(|_| {
        invalid("The parameters are `origin`, `from` and `to` (sizes) and `root` (that of the larger, in base64), each once.")
    })?;
    let log = state.gossip.log(&asked.origin).ok_or_else(unknown_log)?.log().clone();
    let root = Hash::from_base64(&asked.root).map_err(|_| invalid("`root` is 32 bytes in canonical base64."))?;
    if asked.from == 0 || asked.from >= asked.to {
        return Err(invalid("`from` is at least 1 and below `to`."));
    }
    let (from, head) = (TreeSize(asked.from), Head { size: TreeSize(asked.to), root });
    let found = state.shared.blocking(move || proof_of(&log, from, head)).await?;
    let found = found.map_err(|e| Problem::internal(&e.message))?;
    let other = "The tree that this monitor follows has no such head, or not yet, and neither has another history of this log \
                 that is kept here.";
    let found = found.ok_or_else(|| Problem::new(Code::RequestBeyondTree, other))?;
    Ok(([(CACHE_CONTROL, NO_STORE)], axum::Json(found)).into_response())
}

/// Out of own leaf hashes, or those of another history whose newest head this is.
fn proof_of(log: &FollowedLog, from: TreeSize, head: Head) -> Result<Option<ProofAnswer>, client::Error> {
    if let Some(proof) = own_proof(log, from, head)? {
        return Ok(Some(ProofAnswer::new(&proof, head.size)));
    }
    let other = branch_proof(log, from, head)?;
    Ok(other.map(|(proof, at)| ProofAnswer { parts_at: Some(at), ..ProofAnswer::new(&proof, head.size) }))
}

/// `POST /v1/evidence`: a peer or anybody hands in a file.
async fn take_evidence(
    State(state): State<Sharing>,
    ClientAddr(address): ClientAddr,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let sent = state.charge(&uri, address, FILE)?;
    let _place = state.files.take(sent.peer.is_some(), address)?;
    let source = sent.source();
    let bytes = read_all(body, MAX_FILE_BYTES).await?;
    match evidence::take_from(&state.shared, bytes, source).await? {
        Ok(stored) => {
            let status = if matches!(stored, Stored::New(_)) { StatusCode::CREATED } else { StatusCode::OK };
            Ok((status, [(CACHE_CONTROL, NO_STORE)], axum::Json(TakenAnswer::new(stored))).into_response())
        }
        Err(why) => Err(refused(&why)),
    }
}

/// `GET /v1/statements`, a page at a time
async fn statements(
    State(state): State<Sharing>,
    ClientAddr(address): ClientAddr,
    uri: Uri,
) -> Result<Response, Problem> {
    state.charge_reader(address)?;
    let Query(asked) = Query::<AskedStatements>::try_from_uri(&uri)
        .map_err(|_| invalid("The parameters are `origin` and `cursor`, each once."))?;
    let log = state.gossip.log(&asked.origin).ok_or_else(unknown_log)?.log().clone();
    let place = asked.cursor.as_deref().map(place_of).transpose()?;
    let found = state.shared.blocking(move || log.store.statements_after(place.as_deref(), STATEMENTS_PAGE + 1));
    let mut found = found.await?.map_err(|e| Problem::internal(&e.message))?;
    let is_more = found.len() > STATEMENTS_PAGE;
    found.truncate(STATEMENTS_PAGE);
    let next_cursor = found.last().filter(|_| is_more).map(|(place, _)| cursor_of(place));
    let statements = found.into_iter().map(|(_, kept)| kept).collect();
    let answer = axum::Json(Statements { origin: asked.origin, statements, next_cursor });
    Ok(([(CACHE_CONTROL, NO_STORE)], answer).into_response())
}

/// The place behind a statement, in hex. Opaque to clients.
fn cursor_of(place: &[u8]) -> String {
    place.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn place_of(text: &str) -> Result<Vec<u8>, Problem> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let place: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    let place = place.filter(|place| cursor_of(place) == text);
    place.ok_or_else(|| invalid("The cursor is not one of this list; give it back as it was."))
}

/// `POST /v1/statements`: a peer states that a head stays unavailable to it.
async fn take_statement(
    State(state): State<Sharing>,
    ClientAddr(address): ClientAddr,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let peer = state.charge(&uri, address, HEAD)?.peer;
    let body = read_all(body, MAX_GOSSIP_BYTES).await?;
    let message: StatementMessage = serde_json::from_slice(&body)
        .map_err(|_| invalid("The body is JSON with `statement` and `checkpoint`, both signed notes."))?;
    let gossip = state.gossip.clone();
    let keep = move || gossip.keep_statement(&message, peer.as_deref(), clock::now());
    let kept = state.shared.deciding(keep).await?;
    kept.map_err(|why| match why {
        NotKept::OtherLog => unknown_log(),
        NotKept::NoPeer => {
            Problem::new(Code::CheckpointSignature, "No peer whose key is known here made this statement.")
        }
        NotKept::Wrong(why) => invalid(format!("The statement is not taken: {why}.")),
        NotKept::Own(error) => Problem::internal(&error.message),
    })?;
    Ok((StatusCode::NO_CONTENT, [(CACHE_CONTROL, NO_STORE)]).into_response())
}

#[cfg(test)]
mod tests {
    use service::detached::Detached;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::Config;
    use crate::http::Answers;

    /// A witness that was started anew asks its peers what it cosigned last: nobody else's requests keep the answer from it.
    #[tokio::test]
    async fn who_asks_is_not_held_up_by_what_others_ask() {
        let config: Config = serde_json::from_str("{}").unwrap();
        let runtime = tokio::runtime::Handle::current();
        let gossip = Gossip::open(&config, &[], None, &runtime, CancellationToken::new()).unwrap();
        let shared = Shared::new(Vec::new(), None, Detached::new(), Answers::default());
        let state = Sharing { shared, gossip, rates: Arc::new(Rates::new()), files: Files::default() };
        let address = |last: u8| IpAddr::from([192, 0, 2, last]);
        let uri_of_proof: Uri =
            "/v1/proof?origin=log.example&from=1&to=2&root=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
                .parse()
                .unwrap();
        let asked = |last: u8| proof(State(state.clone()), ClientAddr(address(last)), uri_of_proof.clone());
        for last in 0..20 {
            for _ in 0..200 {
                assert_eq!(asked(last).await.unwrap_err().code(), Code::RequestNotFound);
            }
        }
        let uri: Uri = "/v1/cosigned?origin=log.example&key=k&nonce=n".parse().unwrap();
        let answer = cosigned::last(State(state.clone()), ClientAddr(address(99)), uri).await;
        assert_eq!(answer.unwrap_err().code(), Code::RequestNotFound);
        // One that asks much is, also for nonsense.
        for (last, uri) in [(1, uri_of_proof), (50, "/v1/proof".parse().unwrap())] {
            let mut refused = false;
            for _ in 0..2000 {
                let answer = proof(State(state.clone()), ClientAddr(address(last)), uri.clone()).await;
                refused |= answer.unwrap_err().code() == Code::LimitAddress;
            }
            assert!(refused, "{last}");
        }
    }
}
