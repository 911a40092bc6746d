//! One connection's requests: sent, repeated as the server asks, taken up again after a break.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::shared::{SHORT_WAIT, Shared};
use super::tally::{Kind, code_of};
use super::wire::{Reply, Wire};

/// A connection that comes back after breaks.
pub(super) struct Caller {
    shared: Arc<Shared>,
    lane: usize,
    wire: Option<Wire>,
    /// The server closes the connection after the last answer.
    closing: bool,
}

/// The final answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    reply: Reply,
}

impl Caller {
    pub(super) fn new(shared: Arc<Shared>, lane: usize) -> Caller {
        Caller { shared, lane, wire: None, closing: false }
    }

    /// Sends a request until it has its final answer, and counts everything. Whatever is sent may be repeated: a claim
    /// that is in the log already is answered with its first receipt. `None` when the run ends before.
    pub(super) async fn call(&mut self, kind: Kind, request: &[u8], intended: Instant) -> Option<Answer> {
        loop {
            if self.shared.is_stopped() {
                break;
            }
            let reply = match self.once(request).await {
                Ok(reply) => reply,
                Err(error) => {
                    self.wire = None;
                    self.shared.failed(self.lane, kind, &error);
                    if self.shared.pause(SHORT_WAIT).await { continue } else { break }
                }
            };
            let body = self.wire.as_ref().map_or(&b""[..], |wire| wire.body(&reply));
            let status = reply.head.status;
            let code = if status >= 400 { code_of(body) } else { "" };
            self.shared.answered(self.lane, kind, intended, (status, code, body.len()));
            if is_passing(status, code) && self.shared.options.keeps_retry_after {
                if self.shared.pause_as_told(reply.head.retry_after_seconds).await { continue } else { break }
            }
            self.shared.done(self.lane, kind, intended, request.len());
            return Some(Answer { reply });
        }
        self.shared.unanswered(self.lane, kind, intended);
        None
    }

    async fn once(&mut self, request: &[u8]) -> io::Result<Reply> {
        if std::mem::take(&mut self.closing) {
            self.wire = None;
        }
        let timeout = self.shared.options.timeout;
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        if self.wire.is_none() {
            let wire = tokio::time::timeout(timeout, self.shared.dialer.wire()).await.map_err(|_| late())??;
            self.wire = Some(wire);
        }
        let wire = self.wire.as_mut().ok_or_else(late)?;
        let reply = tokio::time::timeout(timeout, wire.exchange(request)).await.map_err(|_| late())??;
        self.closing = reply.head.closes;
        Ok(reply)
    }

    /// The body of the last answer.
    pub(super) fn body(&self, answer: &Answer) -> &[u8] {
        self.wire.as_ref().map_or(b"", |wire| wire.body(&answer.reply))
    }
}

impl Answer {
    /// Whether the server gave what was asked for.
    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.reply.head.status)
    }
}

/// Whether asking again later can help; a frozen log stays frozen.
pub(super) fn is_passing(status: u16, code: &str) -> bool {
    matches!(status, 429 | 503) && code != proto::code::Code::ModeFrozen.as_str()
}
