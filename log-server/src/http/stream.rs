//! Many claims over one request: one envelope a line in, one answer a line out, in order.
//!
//! Lines are submitted while earlier ones wait for their batch; a bounded number and a bounded number of bytes are under
//! way, and beyond that the request is not read on: a client that sends faster than the log takes is slowed down by its
//! own connection and never gets a 503 for it. A bad line is an error line and harms no other one.
//!
//! ```text
//! {"head":{"size":n,"checkpoint":"…"}}                     before the first receipt that refers to it
//! {"line":1,"status":201,"receipt":{…,"checkpoint_size":n}}
//! {"line":2,"status":422,"problem":{…}}
//! ```

use std::collections::VecDeque;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{FuturesOrdered, Stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Uri};
use http_body_util::BodyExt;
use proto::code::Code;
use proto::receipt::Receipt;
use serde_json::{Value, json};
use service::body::LongBody;
use service::problem::Problem;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::PollSemaphore;

use super::app::App;
use super::claims::{check_content, problem_of};
use super::json::NO_STORE;
use super::params;
use crate::log::{Answer, Turns};

mod lines;

use lines::{Line, Lines};

/// The media types of NDJSON.
const STREAM_TYPES: &[&str] = &["application/x-ndjson", "application/ndjson", "application/jsonl"];

/// Heads that receipts may refer to without being sent again. Repeats are answered under newer heads than new claims
/// beside them, so a few alternate.
const REMEMBERED_HEADS: usize = 16;

/// Bounds of one stream.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// Lines submitted and not yet answered.
    pub lines: NonZeroUsize,
    /// Their bytes. One line more is always taken, so that any line fits.
    pub bytes: NonZeroUsize,
}

/// Half a batch, so that two batches' worth of one stream are never in memory while others wait.
const LINES: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");
/// A hundred streams at this bound take 400 MiB.
const BYTES: NonZeroUsize = NonZeroUsize::new(4 * 1024 * 1024).expect("not zero");

impl Default for StreamLimits {
    fn default() -> StreamLimits {
        StreamLimits { lines: LINES, bytes: BYTES }
    }
}

/// `POST /v1/claims/stream`
pub(super) async fn submit(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    LongBody(body): LongBody,
) -> Result<Response, Problem> {
    params::none(&uri)?;
    check_content(&headers, STREAM_TYPES)?;
    let limit = app.log().published().constitution.current.envelope_bytes;
    let lines = Lines::new(usize::try_from(limit).unwrap_or(usize::MAX));
    let exchange = Exchange {
        room: PollSemaphore::new(app.under_way().clone()),
        held: None,
        app,
        input: Some(body),
        lines,
        count: 0,
        waiting: FuturesOrdered::new(),
        bytes: 0,
        heads: VecDeque::new(),
        turns: Turns::default(),
    };
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")), (CACHE_CONTROL, NO_STORE)];
    Ok((headers, Body::from_stream(exchange)).into_response())
}

/// The answer to one line.
struct Answered {
    number: u64,
    bytes: usize,
    result: Result<Answer, Problem>,
}

type Waiting = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// Reads lines and gives answers, each as far as the other side lets it.
struct Exchange {
    app: App,
    /// `None` when it ended.
    input: Option<Body>,
    lines: Lines,
    /// Room among the submissions of all clients.
    room: PollSemaphore,
    /// A line that waits for room.
    held: Option<Line>,
    count: u64,
    waiting: FuturesOrdered<Waiting>,
    bytes: usize,
    heads: VecDeque<(u64, Arc<str>)>,
    turns: Turns,
}

impl Stream for Exchange {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        let more = this.take_in(cx);
        let mut out = Vec::new();
        // All answers that are there go out in one piece.
        while let Poll::Ready(Some(answered)) = Pin::new(&mut this.waiting).poll_next(cx) {
            this.bytes -= answered.bytes;
            this.write(&mut out, answered);
        }
        if !out.is_empty() {
            return Poll::Ready(Some(Ok(Bytes::from(out))));
        }
        match this.waiting.is_empty() && !more {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }
}

impl Exchange {
    /// Submits lines as long as there is room, reading on where needed. Says whether there may be more.
    fn take_in(&mut self, cx: &mut Context<'_>) -> bool {
        let limits = self.app.stream_limits();
        loop {
            while let Some(line) = self.held.take().or_else(|| self.lines.next(self.input.is_none())) {
                let permits = self.app.permits(if let Line::Whole(envelope) = &line { envelope.len() } else { 0 });
                let Poll::Ready(room) = self.room.poll_acquire_many(cx, permits) else {
                    self.held = Some(line);
                    return true;
                };
                self.submit(line, room);
                if self.waiting.len() >= limits.lines.get() || self.bytes >= limits.bytes.get() {
                    return true;
                }
            }
            if self.waiting.len() >= limits.lines.get() || self.bytes >= limits.bytes.get() {
                return true;
            }
            let Some(input) = &mut self.input else { return false };
            match Pin::new(input).poll_frame_data(cx) {
                Poll::Pending => return true,
                Poll::Ready(Some(Ok(data))) => self.lines.push(&data),
                Poll::Ready(None) => self.input = None,
                Poll::Ready(Some(Err(error))) => {
                    self.input = None;
                    self.lines.abandon();
                    let detail =
                        "The stream broke off here; what was answered before is in the log. Send the rest again.";
                    self.refuse(Problem::new(Code::RequestIncomplete, detail).because(error));
                }
            }
        }
    }

    fn submit(&mut self, line: Line, room: Option<OwnedSemaphorePermit>) {
        let envelope = match line {
            Line::Whole(envelope) => envelope,
            Line::Blank => {
                return self
                    .refuse(Problem::new(Code::EnvelopeMalformed, "The line is blank; each line is one envelope."));
            }
            Line::TooLong { limit } => {
                let detail = format!("The line is longer than {limit} bytes; it was skipped up to its end.");
                return self.refuse(Problem::new(Code::SizeEnvelope, detail).with("limit", limit));
            }
        };
        self.count += 1;
        let (number, bytes) = (self.count, envelope.len());
        self.bytes += bytes;
        let (log, kept) = (self.app.log().clone(), envelope.clone());
        let turn = self.turns.take();
        // A task of its own: it goes on when the client hangs up, and all lines advance at once.
        let detached = self.app.detached().clone();
        let submitted = async move {
            let answer = log.submit_in_turn(kept, true, turn).await;
            drop(room);
            answer
        };
        let task = tokio::spawn(async move { detached.run(submitted).await });
        self.waiting.push_back(Box::pin(async move {
            let result = match task.await {
                Ok(Ok(answered)) => answered.map_err(|declined| problem_of(declined, &envelope)),
                Ok(Err(problem)) => Err(problem),
                Err(stopped) => Err(Problem::internal(stopped)),
            };
            Answered { number, bytes, result }
        }));
    }

    fn refuse(&mut self, problem: Problem) {
        self.count += 1;
        let number = self.count;
        self.waiting.push_back(Box::pin(std::future::ready(Answered { number, bytes: 0, result: Err(problem) })));
    }

    fn write(&mut self, out: &mut Vec<u8>, Answered { number, result, .. }: Answered) {
        let line = match result.and_then(|answer| Ok((with_size(&answer.receipt)?, answer))) {
            Ok(((size, receipt), answer)) => {
                self.write_head(out, size, &answer.receipt.checkpoint);
                json!({"line": number, "status": if answer.created { 201 } else { 200 }, "receipt": receipt})
            }
            Err(problem) => {
                if let Some(cause) = problem.internal_cause() {
                    tracing::error!(line = number, code = %problem.code(), cause, "a line of a stream failed");
                }
                json!({"line": number, "status": problem.status().as_u16(), "problem": problem_json(&problem)})
            }
        };
        write_line(out, &line);
    }

    fn write_head(&mut self, out: &mut Vec<u8>, size: u64, checkpoint: &str) {
        if self.heads.iter().any(|(known, note)| *known == size && **note == *checkpoint) {
            return;
        }
        self.heads.retain(|(known, _)| *known != size); // the newest note of a size is the one receipts refer to
        self.heads.push_back((size, checkpoint.into()));
        if self.heads.len() > REMEMBERED_HEADS {
            self.heads.pop_front();
        }
        write_line(out, &json!({"head": {"size": size, "checkpoint": checkpoint}}));
    }
}

fn write_line(out: &mut Vec<u8>, line: &Value) {
    out.extend_from_slice(line.to_string().as_bytes()); // JSON text has no line feeds outside of escapes
    out.push(b'\n');
}

/// The problem, with what a response of its own would say in its Retry-After header.
fn problem_json(problem: &Problem) -> Value {
    let mut value = problem.to_json();
    if let (Value::Object(members), Some(seconds)) = (&mut value, problem.retry_after_seconds()) {
        members.insert("retry_after_seconds".to_owned(), seconds.into());
    }
    value
}

/// The receipt with the size of its head in the place of the head.
fn with_size(receipt: &Receipt) -> Result<(u64, Value), Problem> {
    let size = receipt.checkpoint.lines().nth(1).and_then(|line| proto::num::parse_decimal(line).ok());
    let size = size.ok_or_else(|| Problem::internal("a head without a size was to be sent"))?;
    let mut value = receipt.to_value();
    if let Value::Object(members) = &mut value {
        members.remove("checkpoint");
        members.insert("checkpoint_size".to_owned(), size.into());
    }
    Ok((size, value))
}

/// The data frames of a body; trailers are nothing to us.
trait PollData {
    fn poll_frame_data(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>>;
}

impl PollData for Body {
    fn poll_frame_data(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        loop {
            let mut frame = self.frame();
            match std::task::ready!(Pin::new(&mut frame).poll(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}
