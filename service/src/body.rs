//! Request bodies: they must make progress, end in time and fit.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::FromRequest;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use pin_project_lite::pin_project;
use proto::code::Code;
use tokio::time::{Instant, Sleep};

use crate::conn::after;
use crate::limits::ServeLimits;
use crate::problem::Problem;

/// What the handler wishes of a body, and what became of it; shared between both through a request extension.
#[derive(Debug, Default)]
pub(crate) struct BodyWatch {
    long: AtomicBool,
    timed_out: AtomicBool,
}

impl BodyWatch {
    pub(crate) fn timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }
}

/// Why a request body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client sent nothing, or too slowly, for too long.
    #[error("the request's body did not arrive in time")]
    TimedOut,
    /// The connection broke, or the body's framing is wrong.
    #[error("the request's body broke off: {0}")]
    Broken(#[from] hyper::Error),
}

pin_project! {
    /// A body whose waits are bounded. Time runs only while the handler waits: a server that does not read is not the
    /// client's fault, so back-pressure costs nobody anything.
    pub(crate) struct TimedBody<B> {
        #[pin] body: B,
        idle: Duration,
        total: Duration,
        begun: Option<Instant>,
        waiting_since: Option<Instant>,
        timer: Option<Pin<Box<Sleep>>>,
        watch: Arc<BodyWatch>,
    }
}

impl<B> TimedBody<B> {
    pub(crate) fn new(body: B, limits: &ServeLimits, watch: Arc<BodyWatch>) -> TimedBody<B> {
        TimedBody {
            body,
            idle: limits.body_idle_timeout,
            total: limits.body_total_timeout,
            begun: None,
            waiting_since: None,
            timer: None,
            watch,
        }
    }
}

impl<B: HttpBody<Error = hyper::Error>> HttpBody for TimedBody<B> {
    type Data = B::Data;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, BodyError>>> {
        let this = self.project();
        let end = (!this.watch.long.load(Ordering::Relaxed)).then(|| this.begun.map(|begun| after(begun, *this.total)));
        let end = end.flatten();
        if let Poll::Ready(frame) = this.body.poll_frame(cx) {
            *this.waiting_since = None;
            // A client that always sends one more byte in time must end too.
            if matches!(frame, Some(Ok(_))) && end.is_some_and(|end| end <= Instant::now()) {
                this.watch.timed_out.store(true, Ordering::Relaxed);
                return Poll::Ready(Some(Err(BodyError::TimedOut)));
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)));
        }
        let now = Instant::now();
        let waiting_since = *this.waiting_since.get_or_insert(now);
        let begun = *this.begun.get_or_insert(now);
        let mut deadline = after(waiting_since, *this.idle);
        if !this.watch.long.load(Ordering::Relaxed) {
            deadline = deadline.min(after(begun, *this.total));
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(cx));
        this.watch.timed_out.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(BodyError::TimedOut)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// `size.envelope` when it is longer (at once if its length was declared), `request.incomplete` when it did not arrive
/// in time or in full.
pub async fn read_all(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let mut first: Option<Bytes> = None;
    let mut joined = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| incomplete().because(error))?;
        let Ok(data) = frame.into_data() else { continue };
        match first.take() {
            // Small bodies come in one piece; it is passed on without a copy.
            None if joined.is_empty() => first = Some(data),
            None => joined.extend_from_slice(&data),
            Some(begin) => {
                joined.extend_from_slice(&begin);
                joined.extend_from_slice(&data);
            }
        }
        if first.as_ref().map_or(joined.len(), Bytes::len) > limit {
            return Err(too_large(limit));
        }
    }
    Ok(first.unwrap_or_else(|| Bytes::from(joined)))
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::SizeEnvelope, format!("The request's body is larger than {limit} bytes; send a smaller one."))
        .with("limit", limit)
}

/// The problem of a body that did not arrive in time or in full.
pub(crate) fn incomplete() -> Problem {
    Problem::new(
        Code::RequestIncomplete,
        "The request's body did not arrive in time or in full; send it again over a new connection.",
    )
}

/// A body that may take as long as it keeps making progress, for streams: extracting it lifts the total time.
#[derive(Debug)]
pub struct LongBody(pub Body);

impl<S: Sync> FromRequest<S> for LongBody {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request<Body>, _: &S) -> Result<LongBody, Self::Rejection> {
        if let Some(watch) = request.extensions().get::<Arc<BodyWatch>>() {
            watch.long.store(true, Ordering::Relaxed);
        }
        Ok(LongBody(request.into_body()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn pieces(pieces: &[&'static [u8]]) -> Body {
        let all: Vec<_> = pieces.iter().map(|p| Ok::<_, std::io::Error>(Bytes::from_static(p))).collect();
        Body::from_stream(stream::iter(all))
    }

    #[tokio::test]
    async fn bodies_are_joined_and_bounded() {
        assert_eq!(read_all(pieces(&[b"ab", b"", b"cd", b"e"]), 5).await.expect("fits"), &b"abcde"[..]);
        assert_eq!(read_all(pieces(&[b"", b"ab"]), 5).await.expect("fits"), &b"ab"[..]);
        assert_eq!(read_all(Body::empty(), 0).await.expect("fits"), &b""[..]);
        for body in [pieces(&[b"abc", b"def"]), Body::from("abcdef"), pieces(&[b"abcdef"])] {
            let problem = read_all(body, 5).await.expect_err("too long");
            assert_eq!(problem.code(), Code::SizeEnvelope);
            assert_eq!(problem.to_json()["limit"], 5);
        }
    }

    #[tokio::test]
    async fn a_broken_body_is_incomplete() {
        let broken = [Ok(Bytes::from_static(b"a")), Err(std::io::Error::other("gone"))];
        let problem = read_all(Body::from_stream(stream::iter(broken)), 5).await.expect_err("broken");
        assert_eq!(problem.code(), Code::RequestIncomplete);
    }
}
