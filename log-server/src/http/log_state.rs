//! The log itself: its keys, limits, mode and rules, and the heads it signed.

use std::ops::ControlFlow;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use proto::checkpoint::CheckpointText;
use proto::claim::ClaimId;
use proto::num::{LeafIndex, Seconds, TreeSize};
use proto::query::time::entry_at;
use serde::Serialize;
use service::problem::Problem;

use super::app::{App, Cost, ReadError, View};
use super::cursor::{self, Cursor, Scope};
use super::json;
use super::params::{self, Params, invalid};
use crate::log::Mode;
use crate::store::{Direction, HeadKey, SignedHead};

#[derive(Serialize)]
struct LogState {
    origin: String,
    log_vkey: String,
    time_vkey: String,
    size: TreeSize,
    root: String,
    time: Seconds,
    mode: ModeJson,
    rules_version: u32,
    constitution: ConstitutionRef,
    pending_constitution: Option<Pending>,
    limits: Limits,
    delta_seconds: u32,
    witnesses: Vec<String>,
    quorum: u32,
    frozen: bool,
    successor: Option<String>,
    software: Software,
}

#[derive(Serialize)]
struct ModeJson {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct ConstitutionRef {
    index: u64,
    claim_id: String,
}

#[derive(Serialize)]
struct Pending {
    index: u64,
    effective_ms: u64,
}

#[derive(Serialize)]
struct Limits {
    entry_bytes: u32,
    envelope_bytes: u32,
    page_items: usize,
    stream_line_bytes: u32,
}

#[derive(Serialize)]
struct Software {
    name: &'static str,
    version: &'static str,
}

/// `GET /v1/log`
pub(super) async fn log(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    params::none(&uri)?;
    let state = app.read(Cost::Point, state).await?;
    Ok(json::dynamic(&state))
}

fn state(view: &View) -> Result<LogState, ReadError> {
    let head = view.published.head;
    let record = &view.published.constitution;
    let current = &record.current;
    let entry = entry_at(view, LeafIndex(current.index))?;
    let (log_vkey, time_vkey) = view.log.vkeys();
    let mode = view.log.mode();
    let pending = record.pending.as_ref().filter(|pending| LeafIndex(pending.index).is_in(head.size));
    Ok(LogState {
        origin: view.log.origin().to_owned(),
        log_vkey,
        time_vkey,
        size: head.size,
        root: head.root.to_base64(),
        time: head.time,
        mode: ModeJson { name: mode.name(), reason: reason(&mode) },
        rules_version: current.rules_version,
        constitution: ConstitutionRef {
            index: current.index,
            claim_id: ClaimId::of(&entry.payload_type, &entry.payload).to_string(),
        },
        pending_constitution: pending
            .map(|pending| Pending { index: pending.index, effective_ms: pending.effective_ms }),
        limits: Limits {
            entry_bytes: current.entry_bytes,
            envelope_bytes: current.envelope_bytes,
            page_items: params::MAX_LIMIT,
            stream_line_bytes: current.envelope_bytes,
        },
        delta_seconds: current.delta_seconds,
        witnesses: current.witnesses.clone(),
        quorum: current.quorum,
        frozen: current.frozen,
        successor: current.successor.clone(),
        software: Software { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
    })
}

/// Why the log is in its mode, as submitters are told.
fn reason(mode: &Mode) -> Option<String> {
    mode.refusal().map(|(refused, _)| refused.message)
}

#[derive(Serialize)]
struct Heads {
    heads: Vec<HeadJson>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct HeadJson {
    time: Seconds,
    size: TreeSize,
    root: String,
    checkpoint: String,
}

/// `GET /v1/heads?before=|after=&limit=&cursor=`: the newest first; with `after` the oldest first.
pub(super) async fn heads(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let mut params = Params::parse(&uri)?;
    let (given, limit) = (params.take("cursor"), params.limit()?);
    let (before, after) = (params.number("before")?, params.number("after")?);
    let scope = Scope::new(uri.path(), &params);
    params.finish()?;
    let begin = match (before, after) {
        (Some(_), Some(_)) => return Err(invalid("Give `before` or `after`, not both.")),
        (None, Some(time)) => (Direction::Forward, Some(HeadKey { time: Seconds(time), size: TreeSize(u64::MAX) })),
        (Some(time), None) => (Direction::Backward, Some(HeadKey { time: Seconds(time), size: TreeSize(0) })),
        (None, None) => (Direction::Backward, None),
    };
    let given = given.map(|text| scope.decode(&text)).transpose()?;
    let heads = app.read(Cost::Scan, move |view| {
        let (direction, begin) = match &given {
            Some(given) => (begin.0, Some(HeadKey { time: Seconds(cursor::number(&given.place)?), size: given.size })),
            None => begin,
        };
        heads_from(view, &scope, direction, begin, limit)
    });
    Ok(json::dynamic(&heads.await?))
}

fn heads_from(
    view: &View,
    scope: &Scope,
    direction: Direction,
    after: Option<HeadKey>,
    limit: usize,
) -> Result<Heads, ReadError> {
    let shown = HeadKey { time: view.published.head.time, size: view.size() };
    let (mut found, mut more): (Vec<SignedHead>, bool) = (Vec::new(), false);
    view.store().signed_heads(after, direction, &mut |head| {
        // A head is stored before it is shown.
        if head.key > shown {
            return match direction {
                Direction::Forward => ControlFlow::Break(()),
                Direction::Backward => ControlFlow::Continue(()),
            };
        }
        if found.len() == limit {
            more = true;
            return ControlFlow::Break(());
        }
        found.push(head);
        ControlFlow::Continue(())
    })?;
    let last = found.last().filter(|_| more).map(|head| head.key);
    // The cursor's two numbers are the head's: its size and its time.
    let next_cursor =
        last.map(|key| scope.encode(&Cursor { size: key.size, place: key.time.0.to_be_bytes().to_vec() }));
    let heads = found.into_iter().map(to_json).collect::<Result<_, _>>()?;
    Ok(Heads { heads, next_cursor })
}

fn to_json(head: SignedHead) -> Result<HeadJson, Problem> {
    let corrupt = |what: &dyn std::fmt::Display| {
        Problem::internal(format_args!("the signed head of size {}: {what}", head.key.size))
    };
    let checkpoint = String::from_utf8(head.note.to_vec()).map_err(|error| corrupt(&error))?;
    let text = checkpoint.split_inclusive("\n\n").next().unwrap_or("");
    let text = CheckpointText::parse(text.strip_suffix('\n').unwrap_or(text)).map_err(|error| corrupt(&error))?;
    Ok(HeadJson { time: head.key.time, size: head.key.size, root: text.root().to_base64(), checkpoint })
}
