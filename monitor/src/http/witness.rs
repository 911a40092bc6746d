//! `POST /add-checkpoint` and `GET /{hash}/checkpoint` (C2SP tlog-witness).
//!
//! | # | condition | status |
//! |---|---|---|
//! | 0 | the address sends too fast | 429 |
//! | 1 | the body does not parse | 400 |
//! | 2 | the origin is not known; nothing was verified yet | 404 |
//! | 3 | no signature of a trusted key, or a line of one that does not verify | 403 |
//! | 3a | it contradicts what the log signed before, though no file proves that yet | 422 |
//! | 4 | `old` is larger than the checkpoint | 400 |
//! | 5 | `old` is not the size of the last one cosigned | 409, body: that size, type `text/x.tlog.size` |
//! | 6 | size 0 with another root than the empty tree's | 422 |
//! | 7 | `old` is 0 and the proof is not empty | 422 |
//! | 8 | the same size and another root | 422 |
//! | 9 | the proof does not verify | 422 |
//! | 10 | all is good, and durable | 200, body: signature lines |

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use proto::checkpoint::{BadCheckpoint, CheckpointError};
use proto::code::Code;
use proto::policy::{CheckError, Checked};
use service::body::read_all;
use service::client_addr::ClientAddr;
use service::problem::Problem;

use super::Shared;
use crate::clock;
use crate::finding::code;
use crate::follow::{FollowedLog, Verdict};
use crate::witness::{Answer, BadRequest, MAX_BODY_BYTES, Request};

/// The type of an answer that says which size was cosigned last.
pub const SIZE_TYPE: HeaderValue = HeaderValue::from_static("text/x.tlog.size");

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    status: u16,
}

/// Counts of answers to add-checkpoint.
#[derive(Debug, Clone, Default)]
pub struct Answers(Family<Label, Counter>);

impl Answers {
    /// New counters, registered.
    pub fn register(registry: &mut Registry) -> Answers {
        let answers = Answers::default();
        registry.register("witness_answers", "Answers to add-checkpoint, by status", answers.0.clone());
        answers
    }

    fn count(&self, status: StatusCode) {
        self.0.get_or_create(&Label { status: status.as_u16() }).inc();
    }
}

/// `POST /add-checkpoint`
pub(super) async fn add_checkpoint(
    State(shared): State<Shared>,
    ClientAddr(address): ClientAddr,
    body: Body,
) -> Response {
    let answered = answer(&shared, address, body).await;
    let response = answered.unwrap_or_else(IntoResponse::into_response);
    shared.0.answers.count(response.status());
    response
}

async fn answer(shared: &Shared, address: IpAddr, body: Body) -> Result<Response, Problem> {
    if shared.0.witness.is_none() {
        return Err(Problem::new(Code::RequestNotFound, "This monitor is no witness: it cosigns nothing."));
    }
    shared.0.rates.charge_asker(address)?;
    let body = read_all(body, MAX_BODY_BYTES).await?;
    let asked = shared.clone();
    // A head that is stored is also cosigned and shown, whether or not the client waits.
    let decided = shared.0.detached.run(async move {
        let work = asked.clone();
        asked.deciding(move || decide(&work, &body)).await
    });
    decided.await??
}

fn decide(shared: &Shared, body: &[u8]) -> Result<Response, Problem> {
    let request = Request::parse(body).map_err(|why: BadRequest| malformed(why.to_string()))?;
    let origin = request.note.claimed_origin().to_owned();
    let unknown = || Problem::new(Code::RequestNotFound, "This witness does not cosign for the log of that origin.");
    let witness = shared.0.witness.as_ref().filter(|witness| witness.knows(&origin)).ok_or_else(unknown)?;
    let log = shared.log(&origin).ok_or_else(unknown)?;
    let old = request.old;
    // Anybody can add lines of keys that nobody here knows; what follows keeps none of them.
    let policy = log.config.trust.policy();
    let head = match policy.check_note(policy.only_known_lines(request.note)) {
        Ok(head) => head,
        Err(CheckError::Checkpoint(CheckpointError::Text(BadCheckpoint::EmptyRoot))) => {
            let answer = witness.refuse_empty_root(&origin, old).ok_or_else(unknown)?;
            return respond(answer, "a tree of size 0 has the root of the empty tree, SHA-256 of nothing");
        }
        Err(CheckError::Checkpoint(CheckpointError::Text(why))) => return Err(malformed(format!("{why}."))),
        Err(CheckError::Malformed(why)) => return Err(malformed(format!("{why}."))),
        Err(why) => {
            return Err(Problem::new(Code::CheckpointSignature, format!("The checkpoint is not taken: {why}.")));
        }
    };
    // Signed by the log, so it is kept whatever the answer will be, and held against what was followed: first, since a
    // contradiction that it shows ends cosigning.
    if look_into(log, &head)? {
        let why = "it contradicts what the log signed before";
        return Err(Problem::new(Code::CheckpointInconsistent, format!("Not cosigned: {why}.")));
    }
    if let Some(why) = log.forked() {
        return respond(Answer::Stopped(why), "");
    }
    let answer = witness.cosign_at(old, &request.proof, &head.checkpoint, head.log_time, clock::now().seconds());
    respond(answer, "the proof does not lead from the last cosigned checkpoint to this one")
}

/// Keeps a head; whether it is of another history than the one that was followed. Both are signed by the log, so it is not
/// cosigned, with or without a file that proves it. A look that fails is no yes: it is not cosigned either.
fn look_into(log: &FollowedLog, head: &Checked) -> Result<bool, Problem> {
    let contradicts = match log.offer(head, clock::now()) {
        Ok(Verdict::Contradicts(finding)) => {
            tracing::error!(origin = log.origin(), code = finding.code, "{}", client::plain::plain(&finding.message));
            // A stop that evidence makes is said as one.
            finding.code == code::FORK && log.store.stop().why().is_none()
        }
        Ok(Verdict::Known | Verdict::Larger) => false,
        Err(error) => {
            let detail =
                "The head could not be held against what the log signed before, so it is not cosigned now. Ask again.";
            return Err(Problem::new(Code::WitnessStopped, detail).because(error.message));
        }
    };
    Ok(contradicts)
}

fn malformed(detail: String) -> Problem {
    Problem::new(Code::RequestInvalid, detail)
}

fn respond(answer: Answer, not_proven: &str) -> Result<Response, Problem> {
    let inconsistent = |why: &str| Err(Problem::new(Code::CheckpointInconsistent, format!("Not cosigned: {why}.")));
    match answer {
        Answer::Cosigned(lines) => {
            let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
            Ok(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NO_STORE)], body).into_response())
        }
        Answer::OldTooLarge => Err(malformed("The old size is larger than the checkpoint's.".to_owned())),
        Answer::Conflict(size) => {
            let headers = [(CONTENT_TYPE, SIZE_TYPE), (CACHE_CONTROL, NO_STORE)];
            Ok((StatusCode::CONFLICT, headers, format!("{size}\n")).into_response())
        }
        Answer::OtherRoot => inconsistent("another root was cosigned for this size"),
        Answer::NotProven => inconsistent(not_proven),
        // The reason is in the operator's log; it names local files.
        Answer::Stopped(why) => Err(Problem::new(
            Code::WitnessStopped,
            "This witness does not cosign for this log until its operator has looked into it.",
        )
        .because(why)),
    }
}

/// `GET /{hash}/checkpoint`: the last head cosigned. A monitor that is no witness shows the newest one that it followed.
pub(super) async fn checkpoint(State(shared): State<Shared>, Path(hash): Path<String>) -> Result<Response, Problem> {
    let log = shared.by_hash(&hash)?.clone();
    let witness = shared.0.witness.clone();
    let note = shared.blocking(move || match witness {
        Some(witness) => Ok(witness.checkpoint(log.origin())),
        None => log.followed_head(),
    });
    let nothing = || Problem::new(Code::RequestNotFound, "No checkpoint of this log was cosigned yet.");
    let note = note.await?.map_err(|error: client::Error| Problem::internal(error))?.ok_or_else(nothing)?;
    Ok(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NO_STORE)], note).into_response())
}
