//! One connection: the clock that watches it, the stream that tells the clock, and the loop that drives both.
//!
//! The HTTP library's own header timeout also runs while a connection is idle, so the two could not differ. Here one
//! clock knows three phases (idle, reading a head, busy with a request) and whether writing stalls. Its timer is set
//! again only when a deadline moves nearer, so a busy connection costs no timer work per request.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use crate::limits::{ServeLimits, WRITE_LEAST_BYTES};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No byte of the next request is here. The first one is awaited like a head, later ones may take their time.
    Idle { first: bool },
    /// A request's head has begun.
    Head,
    /// A request is being answered.
    Busy,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// While the client takes less than we have ready.
    stalled: Option<Stall>,
}

/// A time in which the client has to take a part of what is ready.
#[derive(Debug)]
struct Stall {
    since: Instant,
    taken: usize,
}

/// Watches one connection. Clones watch the same one.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    state: Arc<Mutex<State>>,
    header_read: Duration,
    idle: Duration,
    write_stall: Duration,
}

impl Clock {
    pub(crate) fn new(limits: &ServeLimits) -> Clock {
        let state = State { phase: Phase::Idle { first: true }, since: Instant::now(), stalled: None };
        Clock {
            state: Arc::new(Mutex::new(state)),
            header_read: limits.header_read_timeout,
            idle: limits.idle_timeout,
            write_stall: limits.write_stall_timeout,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = phase;
        state.since = Instant::now();
    }

    /// Bytes came in.
    fn read(&self) {
        let mut state = self.state();
        if let Phase::Idle { first } = state.phase {
            state.phase = Phase::Head;
            // The first head's time runs from the connection's start.
            if !first {
                state.since = Instant::now();
            }
        }
    }

    /// Some of what is ready was written, or nothing could be.
    fn write(&self, polled: &Poll<io::Result<usize>>) {
        let mut state = self.state();
        match polled {
            Poll::Pending => {
                state.stalled.get_or_insert_with(|| Stall { since: Instant::now(), taken: 0 });
            }
            Poll::Ready(Ok(bytes)) => {
                if let Some(stall) = &mut state.stalled {
                    stall.taken += bytes;
                    if stall.taken >= WRITE_LEAST_BYTES {
                        state.stalled = None;
                    }
                }
            }
            Poll::Ready(Err(_)) => {}
        }
    }

    /// All that was ready is written.
    fn flushed(&self) {
        let mut state = self.state();
        // The library may have called the request done while its answer was still being taken.
        if state.stalled.take().is_some() && matches!(state.phase, Phase::Idle { .. }) {
            state.since = Instant::now();
        }
    }

    /// A request is being answered until the guard is dropped.
    pub(crate) fn busy(&self) -> Busy {
        self.enter(Phase::Busy);
        Busy(self.clone())
    }

    fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        let write = state.stalled.as_ref().map(|stall| after(stall.since, self.write_stall));
        let phase = match state.phase {
            Phase::Idle { first: true } | Phase::Head => Some(after(state.since, self.header_read)),
            // Whose answer is still being taken is not idle.
            Phase::Idle { first: false } if state.stalled.is_some() => None,
            Phase::Idle { first: false } => Some(after(state.since, self.idle)),
            Phase::Busy => None,
        };
        phase.into_iter().chain(write).min()
    }
}

/// A moment after another one; a time that no clock reaches is a year, so that no limit can overflow.
pub(crate) fn after(since: Instant, time: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    since + time.min(YEAR)
}

/// While it lives, the connection is busy; then it is idle.
#[derive(Debug)]
pub(crate) struct Busy(Clock);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle { first: false });
    }
}

pin_project! {
    /// A stream that tells the clock what it does.
    #[derive(Debug)]
    pub(crate) struct Watched<S> { #[pin] stream: S, clock: Clock }
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, clock: Clock) -> Watched<S> {
        Watched { stream, clock }
    }
}

impl<S: AsyncRead> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let before = buf.filled().len();
        let polled = this.stream.poll_read(cx, buf);
        if buf.filled().len() > before {
            this.clock.read();
        }
        polled
    }
}

impl<S: AsyncWrite> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        let polled = this.stream.poll_write(cx, buf);
        this.clock.write(&polled);
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        let polled = this.stream.poll_write_vectored(cx, bufs);
        this.clock.write(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let polled = this.stream.poll_flush(cx);
        if polled.is_ready() {
            this.clock.flushed();
        }
        polled
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }
}

pin_project! {
    /// A response body that keeps the connection busy until it is sent or dropped.
    pub(crate) struct BusyBody<B> { #[pin] body: B, busy: Option<Busy> }
}

impl<B> BusyBody<B> {
    pub(crate) fn new(body: B, busy: Busy) -> BusyBody<B> {
        BusyBody { body, busy: Some(busy) }
    }
}

impl<B: Body> Body for BusyBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = this.body.poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            *this.busy = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the drive loop needs of a connection.
pub(crate) trait Drivable: Future {
    /// Finish the running request, take no further one.
    fn finish(self: Pin<&mut Self>);
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself, in order or not.
    Itself,
    /// A deadline of its clock passed.
    TimedOut,
    /// The server's drain deadline passed while a request was running.
    Cut,
}

/// Drives a connection to its end: by itself, by the clock, gracefully after `stop`, at once after `cut`.
pub(crate) async fn drive<C: Drivable>(
    connection: C,
    clock: Clock,
    stop: CancellationToken,
    cut: CancellationToken,
) -> Ended {
    let mut connection = pin!(connection);
    let mut stopped = pin!(stop.cancelled());
    let mut cut_off = pin!(cut.cancelled());
    let mut stopping = false;
    let mut timer = pin!(tokio::time::sleep_until(clock.deadline().unwrap_or_else(Instant::now)));
    std::future::poll_fn(move |cx| {
        if !stopping && stopped.as_mut().poll(cx).is_ready() {
            stopping = true;
            connection.as_mut().finish();
        }
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ended::Itself);
        }
        if cut_off.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ended::Cut);
        }
        if past_deadline(&clock, timer.as_mut(), cx) { Poll::Ready(Ended::TimedOut) } else { Poll::Pending }
    })
    .await
}

/// Whether the clock's deadline is over; if not, the timer wakes the task no later than at it.
fn past_deadline(clock: &Clock, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> bool {
    loop {
        let Some(deadline) = clock.deadline() else { return false };
        // Completed timers are set again too: one that fired early for an older deadline must fire for this one.
        if deadline < timer.deadline() || timer.is_elapsed() {
            timer.as_mut().reset(deadline);
        }
        if timer.as_mut().poll(cx).is_pending() {
            return false;
        }
        if clock.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// A client that takes some bytes at each interval.
    struct Sipping {
        sip: usize,
        next: Pin<Box<Sleep>>,
        every: Duration,
    }

    impl AsyncWrite for Sipping {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            std::task::ready!(self.next.as_mut().poll(cx));
            let next = Instant::now() + self.every;
            self.next.as_mut().reset(next);
            Poll::Ready(Ok(buf.len().min(self.sip)))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Drivable for Pin<Box<dyn Future<Output = ()>>> {
        fn finish(self: Pin<&mut Self>) {}
    }

    /// How an answer of one MiB ends, and after how long, when a client takes so many bytes a second.
    async fn answer(sip: usize) -> (Ended, Duration) {
        let limits = ServeLimits::default();
        let clock = Clock::new(&limits);
        let every = Duration::from_secs(1);
        let client = Sipping { sip, next: Box::pin(tokio::time::sleep(every)), every };
        let mut stream = Watched::new(client, clock.clone());
        let busy = clock.busy();
        let writing: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
            drop(busy); // as the library does with an answer of one piece
            stream.write_all(&vec![0; 1 << 20]).await.expect("taken");
            stream.flush().await.expect("taken");
        });
        let begun = Instant::now();
        let ended = drive(writing, clock, CancellationToken::new(), CancellationToken::new()).await;
        (ended, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_byte_now_and_then_is_cut() {
        let (ended, took) = answer(1024).await;
        assert_eq!(ended, Ended::TimedOut);
        assert!(took <= Duration::from_secs(32), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_gets_its_answer_however_long_it_takes() {
        let (ended, took) = answer(8 * 1024).await;
        assert_eq!(ended, Ended::Itself);
        assert!(took > ServeLimits::default().idle_timeout, "{took:?}");
    }

    #[tokio::test]
    async fn no_limit_overflows_the_clock() {
        let limits = ServeLimits { header_read_timeout: Duration::MAX, ..ServeLimits::default() };
        assert!(Clock::new(&limits).deadline() > Some(Instant::now()));
    }
}
