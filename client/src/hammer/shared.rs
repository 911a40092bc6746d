//! What all connections of a run share.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use proto::hash::Hash;
use tokio::sync::{mpsc, watch};

use super::check::Job;
use super::options::{Checks, Options};
use super::pace::Pace;
use super::tally::{Kind, Lane};
use super::wire::Dialer;
use crate::random;
use crate::submit::Item;

/// The wait after a connection failed.
pub(super) const SHORT_WAIT: Duration = Duration::from_millis(100);
/// The wait after "not now" without a time.
pub(super) const UNTOLD_WAIT: Duration = Duration::from_secs(1);

/// What all connections of a run share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) dialer: Dialer,
    /// Tickets of those who send.
    pub(super) writes: Pace,
    /// Tickets of those who read.
    pub(super) reads: Pace,
    /// The size of the newest head that was seen.
    pub(super) size: AtomicU64,
    /// Claims whose receipts are asked for.
    pub(super) known: Arc<Vec<Item>>,
    /// Threads whose senders are still at work.
    sending: AtomicUsize,
    begun: OnceLock<Instant>,
    lanes: Vec<Mutex<Lane>>,
    jobs: Option<mpsc::Sender<Job>>,
    /// Which answers are verified.
    pub(super) sampler: Sampler,
    /// Microseconds after the begin at which the server last answered.
    heard_us: AtomicU64,
    lost: Mutex<Option<String>>,
    stop: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(
        options: Options,
        dialer: Dialer,
        size: u64,
        known: Arc<Vec<Item>>,
        jobs: Option<mpsc::Sender<Job>>,
    ) -> Shared {
        let (rate, length) = (options.rate, options.duration);
        let (writes, reads) = match options.sends() {
            true => (Pace::new(rate, options.most(), length), Pace::new(None, u64::MAX, length)),
            false => (Pace::new(None, 0, length), Pace::new(rate, options.count.unwrap_or(u64::MAX), length)),
        };
        Shared {
            dialer,
            writes,
            reads,
            size: AtomicU64::new(size),
            known,
            sending: AtomicUsize::new(options.threads),
            begun: OnceLock::new(),
            lanes: (0..options.threads).map(|_| Mutex::default()).collect(),
            jobs,
            sampler: Sampler::new(options.checks),
            heard_us: AtomicU64::new(0),
            lost: Mutex::new(None),
            stop: watch::Sender::new(false),
            options,
        }
    }

    /// The clock starts.
    pub(super) fn begin(&self, now: Instant) {
        let _first = self.begun.set(now);
        self.writes.begin(now);
        self.reads.begin(now);
    }

    /// When the clock started.
    pub(super) fn begun(&self) -> Instant {
        *self.begun.get_or_init(Instant::now)
    }

    /// The figures of a thread.
    pub(super) fn lane(&self, lane: usize) -> MutexGuard<'_, Lane> {
        self.lanes[lane].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The figures of all threads so far.
    pub(super) fn total(&self) -> Lane {
        let mut total = Lane::default();
        (0..self.lanes.len()).for_each(|lane| total.add(&self.lane(lane)));
        total
    }

    /// The places that `/add` gave, of all threads.
    pub(super) fn take_added(&self) -> Vec<(u64, Hash)> {
        (0..self.lanes.len()).flat_map(|lane| std::mem::take(&mut self.lane(lane).added)).collect()
    }

    /// Whether what begins at this moment is counted.
    pub(super) fn counts(&self, intended: Instant) -> bool {
        intended >= self.begun() + self.options.warm_up
    }

    /// An answer, final or not.
    pub(super) fn answered(&self, lane: usize, kind: Kind, intended: Instant, answer: (u16, &str, usize)) {
        let now = Instant::now();
        self.heard(now);
        if self.counts(intended) {
            self.lane(lane).of(kind).answer(answer.0, answer.1, answer.2, now);
        }
    }

    /// The server said something.
    pub(super) fn heard(&self, now: Instant) {
        let after = now.saturating_duration_since(self.begun());
        self.heard_us.store(u64::try_from(after.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A request has its final answer.
    pub(super) fn done(&self, lane: usize, kind: Kind, intended: Instant, sent_bytes: usize) {
        let mut lane = self.lane(lane);
        match self.counts(intended) {
            true => lane.of(kind).timed(intended.elapsed(), sent_bytes),
            false => lane.of(kind).warm_up += 1,
        }
    }

    /// A request will have no final answer.
    pub(super) fn unanswered(&self, lane: usize, kind: Kind, intended: Instant) {
        if self.counts(intended) {
            self.lane(lane).of(kind).unanswered(intended.elapsed());
        }
    }

    /// A try failed. When the server has been out of reach for too long, the run ends.
    pub(super) fn failed(&self, lane: usize, kind: Kind, error: &io::Error) {
        self.lane(lane).of(kind).failed(&said(error));
        let heard = self.begun() + Duration::from_micros(self.heard_us.load(Ordering::Relaxed));
        if heard.elapsed() > self.options.patience {
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.to_string());
            self.stop();
        }
    }

    /// The senders of one thread are done. Readers end with the last of them.
    pub(super) fn sender_thread_done(&self) {
        if self.sending.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.reads.stop();
        }
    }

    /// Why the run was given up, if it was.
    pub(super) fn lost(&self) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the run: no more requests, no more waiting.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
        self.writes.stop();
        self.reads.stop();
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Is over when the run is stopped.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as this.
        let _stopped = stop.wait_for(|stop| *stop).await;
    }

    /// Waits; `false` when the run ends before.
    pub(super) async fn pause(&self, wait: Duration) -> bool {
        let left =
            self.options.duration.map(|length| (self.begun() + length).saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left < wait) {
            return false;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = self.stopped() => false,
        }
    }

    /// Waits as the server asked, and up to a quarter longer, so that the connections come back one after the other.
    pub(super) async fn pause_as_told(&self, told_seconds: Option<u64>) -> bool {
        let told = told_seconds.map_or(UNTOLD_WAIT, Duration::from_secs);
        let spread = u64::try_from(told.as_millis() / 4).unwrap_or(0).max(10);
        self.pause(told + Duration::from_millis(random::jitter(spread))).await
    }

    /// Hands an answer to the checker, waiting for it when it is behind.
    pub(super) async fn check(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The checker ends after the last sender does.
            let _taken = jobs.send(job).await;
        }
    }
}

/// What happened, in few different words, so that failures can be counted.
fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "connection reset".into(),
        io::ErrorKind::UnexpectedEof => "connection closed early".into(),
        io::ErrorKind::TimedOut => "no answer in time".into(),
        _ => error.to_string(),
    }
}

/// Says which answers are verified: the first one, and then one in so many, by whatever connection they come.
#[derive(Debug)]
pub(super) struct Sampler {
    every: Option<u64>,
    seen: AtomicU64,
}

impl Sampler {
    pub(super) fn new(checks: Checks) -> Sampler {
        let every = match checks {
            Checks::All => Some(1),
            Checks::Sample(every) => Some(u64::from(every.max(1))),
            Checks::None => None,
        };
        Sampler { every, seen: AtomicU64::new(0) }
    }

    /// Whether to verify the next answer.
    pub(super) fn takes(&self) -> bool {
        self.every.is_some_and(|every| self.seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(every))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_even() {
        for (checks, expected) in [(Checks::All, 100), (Checks::Sample(10), 10), (Checks::None, 0)] {
            let sampler = Sampler::new(checks);
            assert_eq!(sampler.takes(), expected > 0, "a short run is verified, too");
            assert_eq!(
                (1..100).filter(|_| sampler.takes()).count() + usize::from(expected > 0),
                expected,
                "{checks:?}"
            );
        }
    }
}
