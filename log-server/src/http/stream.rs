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
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{FuturesOrdered, Stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Uri};
use http_body_util::BodyExt;
use proto::code::Code;
use proto::num::TreeSize;
use serde_json::json;
use service::body::LongBody;
use service::caps::Place;
use service::client_addr::ClientAddr;
use service::problem::Problem;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;
use tokio_util::sync::{PollSemaphore, WaitForCancellationFutureOwned};

use super::app::App;
use super::claims::check_content;
use super::json::NO_STORE;
use super::params;
use crate::log::Turns;

mod answers;
mod group;
mod limits;
mod lines;

use answers::{ReceiptLine, problem_json, size_of_head, write_line};
use group::{Answered, Group, GroupAnswered, answer_lines};
pub(super) use limits::OpenStreams;
pub use limits::StreamLimits;
use lines::Lines;

/// The media types of NDJSON.
const STREAM_TYPES: &[&str] = &["application/x-ndjson", "application/ndjson", "application/jsonl"];

/// Heads that receipts may refer to without being sent again. Repeats are answered under newer heads than new claims
/// beside them, so a few alternate.
const REMEMBERED_HEADS: usize = 16;

/// Lines that are checked together at most, in one hand-over between threads: some milliseconds of one core, so that claims
/// that come alone are not kept waiting.
const GROUP_LINES: usize = 64;

/// Their bytes, so that a group of large claims takes no longer.
const GROUP_BYTES: usize = 256 * 1024;

/// Answers that go out in one piece, up to the end of the group that reaches it: what a client does not read stays in the
/// few pieces that its connection holds, and as receipts, which are smaller.
const PIECE_BYTES: usize = 64 * 1024;

/// When to come again to a log that stops: a restart takes some seconds.
const STOPPING_RETRY: Duration = Duration::from_secs(5);

/// `POST /v1/claims/stream`
pub(super) async fn submit(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    uri: Uri,
    headers: HeaderMap,
    LongBody(body): LongBody,
) -> Result<Response, Problem> {
    params::none(&uri)?;
    check_content(&headers, STREAM_TYPES)?;
    let place = app.open_streams().take(address)?;
    let limit = app.log().published().constitution.current.envelope_bytes;
    let lines = Lines::new(usize::try_from(limit).unwrap_or(usize::MAX));
    let stopped = Box::pin(app.stop().clone().cancelled_owned());
    let exchange = Exchange {
        room: PollSemaphore::new(app.room().streams.permits()),
        address,
        pause: None,
        held: None,
        app,
        input: Some(body),
        lines,
        count: 0,
        waiting: FuturesOrdered::new(),
        under_way: (0, 0),
        heads: VecDeque::new(),
        turns: Turns::default(),
        line_timer: None,
        stopped,
        ending: None,
        _place: place,
    };
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")), (CACHE_CONTROL, NO_STORE)];
    Ok((headers, Body::from_stream(exchange)).into_response())
}

type Waiting = Pin<Box<dyn Future<Output = GroupAnswered> + Send>>;

/// Reads lines and gives answers, each as far as the other side lets it.
struct Exchange {
    app: App,
    /// `None` when it ended.
    input: Option<Body>,
    lines: Lines,
    /// Room among the streams of all clients.
    room: PollSemaphore,
    /// Whose rate the lines are charged to, and how long it makes them wait.
    address: IpAddr,
    pause: Option<Pin<Box<Sleep>>>,
    /// A group that waits for its time or for room.
    held: Option<Group>,
    count: u64,
    waiting: FuturesOrdered<Waiting>,
    /// Lines and bytes in `waiting`.
    under_way: (usize, usize),
    heads: VecDeque<(TreeSize, Arc<str>)>,
    turns: Turns,
    /// The time of the line that has begun and not ended.
    line_timer: Option<Pin<Box<Sleep>>>,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The last line of the answer, where the input did not end by itself.
    ending: Option<Problem>,
    /// Among the open streams.
    _place: Place,
}

impl Stream for Exchange {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        let more = this.take_in(cx);
        let mut out = Vec::new();
        // Answers that are there go out together.
        while out.len() < PIECE_BYTES
            && let Poll::Ready(Some(GroupAnswered { bytes, lines })) = Pin::new(&mut this.waiting).poll_next(cx)
        {
            this.under_way = (this.under_way.0 - lines.len(), this.under_way.1 - bytes);
            lines.into_iter().for_each(|line| this.write(&mut out, line));
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
        if self.input.is_some() && self.stopped.as_mut().poll(cx).is_ready() {
            let detail = "The log is shutting down and takes no more; send what has no answer again.";
            self.end(Problem::new(Code::ModeStopping, detail).retry_after(STOPPING_RETRY));
        }
        let more = self.take_in_while_there_is_room(cx);
        if self.held.is_some() || self.is_full() {
            self.line_timer = None; // a line that is not read on is not late
        }
        more
    }

    /// Takes nothing more in. What came before is answered, then this.
    fn end(&mut self, why: Problem) {
        self.input = None;
        self.lines.abandon();
        self.ending = Some(why);
    }

    /// Whether a line has begun too long ago.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.lines.is_unfinished() {
            self.line_timer = None;
            return false;
        }
        let timeout = self.app.stream_limits().line_timeout;
        let timer = self.line_timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        timer.as_mut().poll(cx).is_ready()
    }

    fn take_in_while_there_is_room(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            while let Some(mut group) = self.held.take().or_else(|| self.next_group()) {
                if !self.is_within_rate(&mut group, cx) {
                    self.held = Some(group);
                    return true;
                }
                let permits = self.app.room().streams.of(group.bytes);
                let Poll::Ready(room) = self.room.poll_acquire_many(cx, permits) else {
                    self.held = Some(group);
                    return true;
                };
                self.submit(group, room);
                if self.is_full() {
                    return true;
                }
            }
            if let Some(problem) = self.ending.take() {
                self.submit(Group { lines: vec![Err(problem)], ..Group::default() }, None);
            }
            if self.is_full() {
                return true;
            }
            let Some(input) = &mut self.input else { return false };
            match Pin::new(input).poll_frame_data(cx) {
                Poll::Pending if self.is_late(cx) => {
                    let detail = "The line did not arrive in time; what was answered before is in the log. Send the rest \
                                  again.";
                    self.end(Problem::new(Code::RequestIncomplete, detail));
                }
                Poll::Pending => return true,
                Poll::Ready(Some(Ok(data))) => {
                    if data.contains(&b'\n') {
                        self.line_timer = None;
                    }
                    self.lines.push(&data);
                }
                Poll::Ready(None) => self.input = None,
                Poll::Ready(Some(Err(error))) => {
                    let detail =
                        "The stream broke off here; what was answered before is in the log. Send the rest again.";
                    self.end(Problem::new(Code::RequestIncomplete, detail).because(error));
                }
            }
        }
    }

    /// Charges a group to its address once. Until that succeeds, nothing is read on.
    fn is_within_rate(&mut self, group: &mut Group, cx: &mut Context<'_>) -> bool {
        while !group.is_charged {
            if let Some(pause) = &mut self.pause {
                if pause.as_mut().poll(cx).is_pending() {
                    return false;
                }
                self.pause = None;
            }
            match self.app.limiter().charge_lines(self.address, group.lines.len()) {
                Some(wait) => self.pause = Some(Box::pin(tokio::time::sleep(wait))),
                None => group.is_charged = true,
            }
        }
        true
    }

    fn is_full(&self) -> bool {
        let limits = self.app.stream_limits();
        self.under_way.0 >= limits.lines.get() || self.under_way.1 >= limits.bytes.get()
    }

    /// The lines that are there, up to a group of them; none waits for another.
    fn next_group(&mut self) -> Option<Group> {
        let mut group = Group::default();
        while group.lines.len() < GROUP_LINES && group.bytes < GROUP_BYTES {
            let Some(line) = self.lines.next(self.input.is_none()) else { break };
            group.take(line);
        }
        (!group.lines.is_empty()).then_some(group)
    }

    fn submit(&mut self, group: Group, room: Option<OwnedSemaphorePermit>) {
        let first = self.count + 1;
        let bytes = group.bytes;
        self.count += group.lines.len() as u64;
        self.under_way = (self.under_way.0 + group.lines.len(), self.under_way.1 + bytes);
        let (envelopes, lines) = group.split();
        let (log, turn) = (self.app.log().clone(), self.turns.take());
        // A task of its own: it goes on when the client hangs up, and all groups advance at once.
        let detached = self.app.detached().clone();
        let submitted = async move {
            let answers = log.submit_in_turn(envelopes, turn).await;
            drop(room);
            answers
        };
        let task = tokio::spawn(async move { detached.run(submitted).await });
        self.waiting.push_back(Box::pin(async move {
            let answers = match task.await {
                Ok(Ok(answers)) => Ok(answers),
                Ok(Err(problem)) => Err(problem),
                Err(stopped) => Err(Problem::internal(stopped)),
            };
            GroupAnswered { bytes, lines: answer_lines(first, lines, answers) }
        }));
    }

    fn write(&mut self, out: &mut Vec<u8>, Answered { number, result }: Answered) {
        let problem = match result.and_then(|answer| Ok((size_of_head(&answer.receipt)?, answer))) {
            Ok((size, answer)) => {
                self.write_head(out, size, &answer.receipt.checkpoint);
                let status = if answer.created { 201 } else { 200 };
                return write_line(out, &ReceiptLine { line: number, status, receipt: answer.receipt.under(size) });
            }
            Err(problem) => problem,
        };
        if let Some(cause) = problem.internal_cause() {
            tracing::error!(line = number, code = %problem.code(), cause, "a line of a stream failed");
        }
        let status = problem.status().as_u16();
        write_line(out, &json!({"line": number, "status": status, "problem": problem_json(&problem)}));
    }

    fn write_head(&mut self, out: &mut Vec<u8>, size: TreeSize, checkpoint: &str) {
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
