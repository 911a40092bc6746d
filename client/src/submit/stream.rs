//! Many envelopes in one stream: sent and answered at the same time, taken up again after an interruption.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::receipt::Receipt;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};

use super::answer::Answer;
use super::reader::Reader;
use super::shown::Shown;
use super::summary::{Progress, Summary};
use super::{Item, Journal, Source};
use crate::api::Api;
use crate::error::{Error, ErrorKind};
use crate::http::{Backoff, NDJSON_TYPE, asked_wait};
use crate::problem::Problem;
use crate::state::State;
use crate::tiles::HttpTiles;
use crate::trust::Trust;

/// Envelopes sent and not answered: more than two of the log's batches, so that it never waits for us, and few enough
/// to keep in memory for sending them again.
const WINDOW: usize = 4096;
/// Lines on their way into the connection.
const LINES_READY: usize = 64;

/// A bulk submission.
pub struct Bulk<'a> {
    /// The log.
    pub api: &'a Api,
    /// Under which its receipts are checked.
    pub trust: &'a Trust,
    /// Its origin.
    pub origin: &'a str,
    /// Its tiles.
    pub tiles: &'a HttpTiles,
    /// What is remembered of it.
    pub state: &'a State,
    /// Where receipts are kept.
    pub journal: &'a mut Journal,
    /// Is told each receipt.
    pub each: &'a mut (dyn FnMut(&Item, &Receipt) + Send),
    /// Is told how far it is.
    pub progress: &'a mut (dyn FnMut(Progress) + Send),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Head { head: StreamHead },
    Receipt { status: u16, receipt: serde_json::Map<String, Value> },
    Problem { status: u16, problem: Problem },
}

#[derive(Deserialize)]
struct StreamHead {
    size: u64,
    checkpoint: String,
}

/// What is shared between sending and reading.
#[derive(Default)]
struct Flight {
    /// To be sent (again) before anything new.
    backlog: VecDeque<Item>,
    /// Sent and not answered, in order.
    pending: VecDeque<Item>,
    /// Answered with "not now": for the next connection.
    later: Vec<Item>,
    /// The last reason for "not now".
    why_later: Option<Error>,
}

impl Flight {
    /// Whether all was answered, but some with "not now".
    fn is_to_be_repeated(&self) -> bool {
        self.pending.is_empty() && !self.later.is_empty()
    }

    /// After a connection: what was not answered, or with "not now", is to be sent again, the unanswered ones first and in
    /// their order. Gives how many there are.
    fn take_back(&mut self) -> usize {
        self.backlog.extend(self.later.drain(..));
        while let Some(item) = self.pending.pop_back() {
            self.backlog.push_front(item);
        }
        self.backlog.len()
    }
}

impl Bulk<'_> {
    /// Sends everything. Interrupted connections are taken up again as long as something moves within the connection's
    /// deadline; after that the error says how to go on later.
    ///
    /// Every head that a receipt names is held against what is remembered of the log, also when the submission fails.
    pub async fn run(&mut self, source: Source) -> Result<Summary, Error> {
        let mut heads = Shown::new(self.trust, self.origin, self.tiles, self.state);
        let sent = self.send(source, &mut heads).await;
        let accepted = heads.accept().await;
        match (sent, accepted) {
            // That the log contradicts itself comes before anything else.
            (Err(error), Ok(())) => Err(error),
            (Err(error), Err(other)) if other.kind != ErrorKind::NotProven => Err(error),
            (_, Err(error)) => Err(error),
            (Ok(summary), Ok(())) => Ok(Summary { head: heads.accepted, ..summary }),
        }
    }

    async fn send(&mut self, source: Source, heads: &mut Shown<'_>) -> Result<Summary, Error> {
        let mut source = Reader::start(source)?;
        let mut summary = Summary::default();
        let flight = Mutex::new(Flight::default());
        let mut backoff = Backoff::new();
        let mut last_move = Instant::now();
        loop {
            if lock(&flight).backlog.is_empty() {
                // All that was sent is answered; the time until there is more is nobody's fault, and may be long.
                heads.accept_if_reached().await?;
                if !self.wait_for_next(&mut source, &flight, &mut summary).await {
                    break;
                }
                last_move = Instant::now();
            }
            let before = summary.progress.total();
            let round = self.round(&mut source, &flight, heads, &mut summary).await;
            self.journal.finish()?;
            let left = lock(&flight).take_back();
            if summary.progress.total() > before {
                last_move = Instant::now();
                backoff = Backoff::new();
            }
            let (asked, why) = match round {
                Ok(asked) => (asked, None),
                Err(error) if matches!(error.kind, ErrorKind::TryLater | ErrorKind::Unreachable) => {
                    let asked = error.problem.as_ref().and_then(|problem| problem.retry_after_seconds);
                    if left > 0 {
                        self.may_go_on(&summary, last_move, error.clone())?;
                    }
                    (asked.map(asked_wait), Some(error))
                }
                Err(error) => return Err(error),
            };
            if left == 0 {
                continue; // to the next envelope, if there is one
            }
            let deadline = self.api.http().deadline();
            let (is_stuck, waited) = (summary.progress.total() == before, last_move.elapsed());
            if let Some(asked) = asked.filter(|asked| waited + *asked > deadline) {
                return Err(asked_too_long(left, why.or_else(|| lock(&flight).why_later.take()), asked));
            }
            if is_stuck && waited > deadline {
                return Err(not_now(left, lock(&flight).why_later.take()));
            }
            tokio::time::sleep(backoff.next(asked)).await;
        }
        summary.broken = source.into_broken();
        Ok(summary)
    }

    fn may_go_on(&self, summary: &Summary, last_move: Instant, mut error: Error) -> Result<(), Error> {
        if last_move.elapsed() <= self.api.http().deadline() {
            return Ok(());
        }
        // Not those that are skipped: how many of these were looked at so far is chance.
        let done = summary.progress.created + summary.progress.repeated;
        error.message.push_str(&format!("; {done} claims got their receipts, run the same command again to go on"));
        Err(error)
    }

    /// One connection, for what stands in the backlog and comes after it: sends until the source is empty, reads until the
    /// log ends the answer. Gives the longest wait that single lines asked for.
    async fn round(
        &mut self,
        source: &mut Reader,
        flight: &Mutex<Flight>,
        heads: &mut Shown<'_>,
        summary: &mut Summary,
    ) -> Result<Option<Duration>, Error> {
        let (lines, ready) = mpsc::channel::<Bytes>(LINES_READY);
        let window = Semaphore::new(WINDOW);
        let stream = futures_util::stream::unfold(ready, |mut ready| async move {
            ready.recv().await.map(|line| (Ok::<Bytes, std::io::Error>(line), ready))
        });
        let body = reqwest::Body::wrap_stream(stream);
        let api = self.api.clone();
        let request = api.http().stream("/v1/claims/stream", NDJSON_TYPE, body);
        tokio::pin!(request);
        let mut lines = Some(lines);
        let mut answer = Answer::default();
        let mut response: Option<reqwest::Response> = None;
        loop {
            let has_room = window.available_permits() > 0;
            let ready = lines.is_some() && self.has_next(source, flight, summary);
            if lines.is_some() && !ready && source.is_over() {
                lines = None; // the end of the body
            }
            let is_idle = lines.is_some() && !ready;
            if is_idle && lock(flight).is_to_be_repeated() {
                lines = None; // what the log could not take must not wait for more input
            }
            let mut closed = false;
            tokio::select! {
                permit = reserve(lines.as_ref()), if lines.is_some() && has_room && ready => match permit {
                    Some(permit) => {
                        let Some(line) = send_next(flight) else { continue };
                        if let Ok(taken) = window.try_acquire() {
                            taken.forget(); // comes back with the answer
                        }
                        permit.send(line);
                    }
                    // The connection takes no more; what it still answers is read, the rest is for the next one.
                    None => closed = true,
                },
                () = source.wait(), if is_idle => {}
                got = &mut request, if response.is_none() => response = Some(got?),
                chunk = next_chunk(response.as_mut()), if response.is_some() => {
                    let Some(chunk) = chunk.map_err(|e| Error::unreachable(format!("the log's answer broke off: {e}")))? else {
                        return Ok(answer.longest_wait);
                    };
                    answer.buffer.extend_from_slice(&chunk);
                    while let Some(line) = answer.next_line()? {
                        let answered = self.take_line(&line, &mut answer, flight, heads, summary)?;
                        if answered {
                            window.add_permits(1);
                            (self.progress)(summary.progress);
                        }
                    }
                    heads.accept_many().await?;
                }
            }
            if closed {
                lines = None;
            }
        }
    }

    /// Waits until the next envelope without a receipt stands in the backlog; `false` when there is none left.
    async fn wait_for_next(&mut self, source: &mut Reader, flight: &Mutex<Flight>, summary: &mut Summary) -> bool {
        while !self.has_next(source, flight, summary) {
            if source.is_over() {
                return false;
            }
            source.wait().await;
        }
        true
    }

    /// Takes what was read, until an envelope without a receipt stands in the backlog; says whether one does. Waits for
    /// nothing.
    fn has_next(&mut self, source: &mut Reader, flight: &Mutex<Flight>, summary: &mut Summary) -> bool {
        while lock(flight).backlog.is_empty() {
            match source.take() {
                None => return false,
                Some(Ok(item)) if self.journal.has(&item, self.origin) => {
                    summary.progress.skipped += 1;
                    (self.progress)(summary.progress);
                }
                Some(Ok(item)) => lock(flight).backlog.push_back(item),
                Some(Err(error)) => summary.reject(String::new(), error),
            }
        }
        true
    }

    /// One line of the answer; says whether it answers an envelope.
    fn take_line(
        &mut self,
        line: &[u8],
        answer: &mut Answer,
        flight: &Mutex<Flight>,
        heads: &mut Shown<'_>,
        summary: &mut Summary,
    ) -> Result<bool, Error> {
        let nonsense =
            |e: &dyn std::fmt::Display| Error::unreachable(format!("the log's answer is not understood: {e}"));
        if line.trim_ascii().is_empty() {
            return Ok(false);
        }
        let line: Line = serde_json::from_slice(line).map_err(|e| nonsense(&e))?;
        if let Line::Head { head } = line {
            answer.heads.push((head.size, head.checkpoint));
            return Ok(false);
        }
        let Some(item) = lock(flight).pending.pop_front() else {
            return match line {
                // The log ends the stream and says why; nothing is lost, the rest is for the next one.
                Line::Problem { problem, .. } if problem.retry_after_seconds.is_some() => {
                    answer.longest_wait = answer.longest_wait.max(problem.retry_after_seconds.map(Duration::from_secs));
                    Ok(false)
                }
                _ => Err(nonsense(&"more answers than questions")),
            };
        };
        match line {
            Line::Head { .. } => {}
            Line::Receipt { status, receipt } => {
                let receipt = answer.complete(receipt).map_err(|e| nonsense(&e))?;
                heads.check(&item, &receipt)?;
                self.journal.keep(&item, &receipt)?;
                (self.each)(&item, &receipt);
                if status == 201 { summary.progress.created += 1 } else { summary.progress.repeated += 1 }
            }
            Line::Problem { status, mut problem } => {
                problem.status = status;
                if problem.is_passing() {
                    let wait = problem.retry_after_seconds.map(asked_wait);
                    answer.longest_wait = answer.longest_wait.max(wait);
                    let mut flight = lock(flight);
                    flight.later.push(item);
                    flight.why_later = Some(problem.into_error());
                } else {
                    summary.reject(item.label, problem.into_error());
                }
            }
        }
        Ok(true)
    }
}

/// The log takes some of the claims at no try; the last reason it gave is said.
fn not_now(left: usize, why: Option<Error>) -> Error {
    let mut error = why.unwrap_or_else(|| Error::new(ErrorKind::TryLater, "the log does not answer to all"));
    error.message.push_str(&format!("; {left} claims are not in the log yet, run the same command again to go on"));
    error
}

/// What the log asks for, and what our own waits grow to, may be longer than the reader wants to wait.
fn asked_too_long(left: usize, why: Option<Error>, wait: Duration) -> Error {
    let mut error = not_now(left, why);
    error.kind = ErrorKind::TryLater;
    error.message.push_str(&format!(" in {} s (--retry-for waits longer)", wait.as_secs().max(1)));
    error
}

fn lock(flight: &Mutex<Flight>) -> MutexGuard<'_, Flight> {
    flight.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves the next envelope from the backlog to those that wait for an answer, and gives its line. It is in one of the
/// two at any time, so that no error on the way can lose it.
fn send_next(flight: &Mutex<Flight>) -> Option<Bytes> {
    let mut flight = lock(flight);
    let item = flight.backlog.pop_front()?;
    let line = format!("{}\n", item.envelope.to_json());
    flight.pending.push_back(item);
    Some(line.into())
}

/// Room for one line in the connection; `None` when it takes no more.
async fn reserve(lines: Option<&mpsc::Sender<Bytes>>) -> Option<mpsc::Permit<'_, Bytes>> {
    lines?.reserve().await.ok()
}

async fn next_chunk(response: Option<&mut reqwest::Response>) -> Result<Option<Bytes>, reqwest::Error> {
    match response {
        Some(response) => response.chunk().await,
        None => Ok(None),
    }
}
