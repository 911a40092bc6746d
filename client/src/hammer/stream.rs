//! Bulk streams: lines of claims out, lines of answers in, at the same time, on one connection each.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::caller::is_passing;
use super::check::{Job, Of};
use super::claims::Claims;
use super::shared::{SHORT_WAIT, Shared, UNTOLD_WAIT};
use super::tally::{Kind, code_of};
use super::wire::{Chunks, Head, Socket, broken};
use crate::http::NDJSON_TYPE;

/// Claims in one chunk: about 100 KB, which is what a socket takes at once.
const CHUNK_CLAIMS: u32 = 64;
/// The last chunk (RFC 9112 §7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// Heads that receipts refer to: that of the running batch, and a few for repeats.
const KEPT_HEADS: usize = 16;
/// A receipt without its head, or a head, with room.
const MAX_LINE_BYTES: usize = 1024 * 1024;
/// Read at once.
const READ_BYTES: usize = 64 * 1024;

/// A claim that was sent, or is to be sent again.
#[derive(Debug, Clone, Copy)]
struct Sent {
    number: u64,
    intended: Instant,
    bytes: usize,
}

/// What sending and reading share.
#[derive(Default)]
struct Flight {
    /// Sent and not answered, in order.
    pending: VecDeque<Sent>,
    /// To be sent again.
    again: VecDeque<Sent>,
    /// When the log wants to hear of those again.
    not_before: Option<Instant>,
    /// There are no more tickets.
    ended: bool,
}

/// One stream, taken up again after breaks.
pub(super) struct Stream {
    shared: Arc<Shared>,
    claims: Arc<Claims>,
    lane: usize,
    flight: Mutex<Flight>,
}

impl Stream {
    pub(super) fn new(shared: Arc<Shared>, claims: Arc<Claims>, lane: usize) -> Stream {
        Stream { shared, claims, lane, flight: Mutex::default() }
    }

    fn flight(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends as long as there are tickets, until everything sent is answered.
    pub(super) async fn run(self) {
        loop {
            if !self.wait_as_told().await {
                break;
            }
            let round = tokio::select! {
                round = self.connection() => round,
                () = self.shared.stopped() => break,
            };
            {
                let mut flight = self.flight();
                let Flight { pending, again, .. } = &mut *flight;
                // Unanswered ones go first, in their order.
                pending.drain(..).rev().for_each(|sent| again.push_front(sent));
            }
            if let Err(error) = round {
                self.shared.failed(self.lane, Kind::Claim, &error);
                if !self.shared.pause(SHORT_WAIT).await {
                    break;
                }
            } else if self.flight().ended && self.flight().again.is_empty() {
                return;
            }
        }
        let Flight { pending, again, .. } = std::mem::take(&mut *self.flight());
        pending.iter().chain(&again).for_each(|sent| self.shared.unanswered(self.lane, Kind::Claim, sent.intended));
    }

    /// Waits until the log wants to hear of those again that it put off; `false` when the run ends before.
    async fn wait_as_told(&self) -> bool {
        let until = self.flight().not_before;
        let wait = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if !self.shared.pause(wait).await {
            return false;
        }
        let mut flight = self.flight();
        if flight.not_before == until {
            flight.not_before = None;
        }
        true
    }

    /// One connection from its head to the end of the answer.
    async fn connection(&self) -> io::Result<()> {
        let timeout = self.shared.options.timeout;
        let socket = tokio::time::timeout(timeout, self.shared.dialer.socket()).await;
        let (input, output) = tokio::io::split(socket.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??);
        let answers = Answers { stream: self, input, raw: Vec::with_capacity(READ_BYTES), heads: VecDeque::new() };
        let reading = answers.read();
        tokio::pin!(reading);
        let sending = self.send(output);
        tokio::pin!(sending);
        // The answer may end first, when the log refuses the request as a whole.
        tokio::select! {
            read = &mut reading => return read,
            sent = &mut sending => sent?,
        }
        reading.await
    }

    /// Sends until there are no more tickets.
    async fn send(&self, mut output: WriteHalf<Box<dyn Socket>>) -> io::Result<()> {
        let mut chunk = self.shared.options.target.post_chunked("/v1/claims/stream", NDJSON_TYPE);
        output.write_all(&chunk).await?;
        output.flush().await?;
        loop {
            chunk.clear();
            if self.flight().not_before.is_some() && !self.wait_as_told().await {
                break;
            }
            let again = self.flight().again.pop_front();
            if let Some(sent) = again {
                self.put(&mut chunk, Sent { bytes: 0, ..sent }, 1);
            } else {
                match self.shared.writes.some(CHUNK_CLAIMS).await {
                    None => break,
                    Some((ticket, count)) => {
                        let sent = Sent { number: ticket.number, intended: ticket.intended, bytes: 0 };
                        self.put(&mut chunk, sent, count);
                    }
                }
            }
            output.write_all(&chunk).await?;
            output.flush().await?;
        }
        self.flight().ended = true;
        output.write_all(LAST_CHUNK).await?;
        output.flush().await
    }

    /// Puts `count` claims from this one on into a chunk, and notes that they are sent.
    fn put(&self, chunk: &mut Vec<u8>, first: Sent, count: u64) {
        let (mut at, end) = (first.number, first.number + count);
        while at < end {
            let Some((lines, claims)) = self.claims.run(at, end - at) else { return };
            chunk.extend_from_slice(format!("{:x}\r\n", lines.len()).as_bytes());
            chunk.extend_from_slice(lines);
            chunk.extend_from_slice(b"\r\n");
            let mut flight = self.flight();
            for number in at..at + claims {
                let bytes = self.claims.whole(number).map_or(0, <[u8]>::len);
                let intended = self.shared.writes.intended(number, first.intended);
                flight.pending.push_back(Sent { number, intended, bytes });
            }
            at += claims;
        }
    }
}

/// The answer of one connection.
struct Answers<'a> {
    stream: &'a Stream,
    input: ReadHalf<Box<dyn Socket>>,
    raw: Vec<u8>,
    heads: VecDeque<(u64, String)>,
}

impl Answers<'_> {
    /// Reads to the end of the answer.
    async fn read(mut self) -> io::Result<()> {
        let head = loop {
            match Head::parse(&self.raw)? {
                Some(head) if head.status >= 200 => break head,
                Some(interim) => drop(self.raw.drain(..interim.bytes)),
                None => self.more().await?,
            }
        };
        self.raw.drain(..head.bytes);
        if !(200..300).contains(&head.status) {
            return self.refused(&head).await;
        }
        let (mut chunks, mut lines) = (Chunks::default(), Vec::new());
        loop {
            let used = chunks.take(&self.raw, &mut lines)?;
            self.raw.drain(..used);
            let whole = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            for line in lines[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                self.line(line).await?;
            }
            lines.drain(..whole);
            if chunks.ended() {
                break;
            }
            if lines.len() > MAX_LINE_BYTES {
                return Err(broken("an endless line"));
            }
            self.more().await?;
        }
        match self.stream.flight().pending.is_empty() {
            true => Ok(()),
            false => Err(broken("the answer ended before every line was answered")),
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        self.raw.reserve(READ_BYTES);
        let read = tokio::time::timeout(self.stream.shared.options.timeout, self.input.read_buf(&mut self.raw)).await;
        match read {
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error),
            // Nobody is late when nothing was asked: an open loop may be slow.
            Err(_) if self.stream.flight().pending.is_empty() => Ok(()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// The log takes no stream now.
    async fn refused(&mut self, head: &Head) -> io::Result<()> {
        let code = code_of(&self.raw).to_owned();
        let now = Instant::now();
        let stream = self.stream;
        stream.shared.answered(stream.lane, Kind::Claim, now, (head.status, &code, self.raw.len()));
        if is_passing(head.status, &code) {
            stream.shared.pause_as_told(head.retry_after_seconds).await;
            return Ok(());
        }
        stream.shared.stop();
        Ok(())
    }

    async fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let nonsense = || broken("a line that is no answer");
        if line.starts_with(b"{\"head\"") {
            let value: Value = serde_json::from_slice(line).map_err(|_| nonsense())?;
            let (size, note) = (value["head"]["size"].as_u64(), value["head"]["checkpoint"].as_str());
            self.heads.push_back((size.ok_or_else(nonsense)?, note.ok_or_else(nonsense)?.to_owned()));
            if self.heads.len() > KEPT_HEADS {
                self.heads.pop_front();
            }
            return Ok(());
        }
        let status = status_of(line).ok_or_else(nonsense)?;
        let code = if status >= 400 { code_of(line) } else { "" };
        let (stream, shared) = (self.stream, &self.stream.shared);
        let sent = stream.flight().pending.pop_front().ok_or_else(|| broken("more answers than questions"))?;
        shared.answered(stream.lane, Kind::Claim, sent.intended, (status, code, line.len()));
        if is_passing(status, code) && shared.options.keeps_retry_after {
            let value: Value = serde_json::from_slice(line).map_err(|_| nonsense())?;
            let told = value["problem"]["retry_after_seconds"].as_u64().map_or(UNTOLD_WAIT, Duration::from_secs);
            let mut flight = stream.flight();
            flight.not_before = flight.not_before.max(Some(Instant::now() + told));
            flight.again.push_back(sent);
            return Ok(());
        }
        shared.done(stream.lane, Kind::Claim, sent.intended, sent.bytes);
        if status < 300 && self.stream.shared.sampler.takes() {
            let receipt = self.receipt(line).ok_or_else(nonsense)?;
            shared.check(Job::Receipt { of: Of::Sent(sent.number), receipt }).await;
        }
        Ok(())
    }

    /// The receipt of a line with the head that it refers to.
    fn receipt(&self, line: &[u8]) -> Option<Vec<u8>> {
        let mut value: Value = serde_json::from_slice(line).ok()?;
        let receipt = value["receipt"].as_object_mut()?;
        let size = receipt.remove("checkpoint_size")?.as_u64()?;
        let (_, note) = self.heads.iter().rev().find(|(of, _)| *of == size)?;
        receipt.insert("checkpoint".into(), note.clone().into());
        Some(value["receipt"].to_string().into_bytes())
    }
}

/// The member `status` of a line. It stands near the beginning or at the end, whichever way the log orders members; a
/// line is read whole only where it does not.
fn status_of(line: &[u8]) -> Option<u16> {
    const MEMBER: &[u8] = b"\"status\":";
    /// Before it there is at most the number of the line.
    const NEAR: usize = 48;
    let begin = &line[..line.len().min(NEAR)];
    let end = &line[line.len().saturating_sub(MEMBER.len() + 4)..];
    for place in [begin, end] {
        if let Some(at) = place.windows(MEMBER.len()).position(|window| window == MEMBER)
            && let Some(digits) = place.get(at + MEMBER.len()..at + MEMBER.len() + 3)
            && let Ok(status) = std::str::from_utf8(digits).unwrap_or("").parse()
        {
            return Some(status);
        }
    }
    let value: Value = serde_json::from_slice(line).ok()?;
    value["status"].as_u64().and_then(|status| status.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_found_wherever_it_stands() {
        for line in [
            r#"{"line":1,"receipt":{"index":1,"x":"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"},"status":201}"#,
            r#"{"line":123456789,"status":201,"receipt":{"index":1,"x":"yyyyyyyyyyyyyyyyyyyyyyyyyyyyy"}}"#,
            r#"{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":1, "status" : 201, "bbbbbbbbbbbbbbbbbbbbbbbbbbbb":2}"#,
        ] {
            assert_eq!(status_of(line.as_bytes()), Some(201), "{line}");
        }
        assert_eq!(status_of(b"{}"), None);
        assert_eq!(status_of(b"nonsense"), None);
    }
}
