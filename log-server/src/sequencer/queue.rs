//! The bounded queue before the sequencer.
//!
//! Claims that come alone and lines of streams wait in two lanes ([`lanes`]), and each batch takes from both. A full lane says so
//! at once, with a Retry-After from the rate at which the queue really drains; only a stream waits for room, by not reading on.

mod lanes;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::answer::Item;
use super::{MAX_BATCH_BYTES, MAX_BATCH_CLAIMS};
use lanes::{Lanes, Way};

/// Bounds of a queue, both lanes together. A lane alone takes three quarters of it.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    /// Claims that wait at most.
    pub claims: usize,
    /// Payload bytes that wait at most.
    pub bytes: usize,
}

impl Default for QueueLimits {
    /// Four full batches: at the designed rate they drain in well under a second.
    fn default() -> QueueLimits {
        QueueLimits { claims: 4 * MAX_BATCH_CLAIMS, bytes: 8 * MAX_BATCH_BYTES }
    }
}

/// Why an item was not taken.
#[derive(Debug, Clone, Copy)]
pub enum Full {
    /// The queue is full; this many seconds from now it should have room.
    Full {
        /// At least 1, at most 60.
        retry_after_seconds: u64,
    },
    /// The log stops.
    Closed,
}

/// No honest estimate reaches further.
pub(super) const MAX_RETRY_AFTER_SECONDS: u64 = 60;

/// How fast the newest measurement moves the drain rate: about the last ten batches count.
const RATE_WEIGHT: f64 = 0.1;

/// Claims with keys that nobody enrolled yet may take this share of the queue: anyone can make them without end, and a
/// wave of first claims right behind its enrolments still fits.
const KEY_UNKNOWN_SHARE: usize = 8;

struct Inner {
    lanes: Lanes,
    /// How many of them came with a key that was unknown.
    key_unknown: usize,
    closed: bool,
    /// Claims a second, smoothed.
    rate: f64,
    last_drain: Option<Instant>,
}

/// The queue.
pub struct Queue {
    limits: QueueLimits,
    inner: Mutex<Inner>,
    ready: Condvar,
    room: Notify,
}

impl Queue {
    /// An empty queue.
    pub fn new(limits: QueueLimits) -> Queue {
        let inner = Inner { lanes: Lanes::default(), key_unknown: 0, closed: false, rate: 0.0, last_drain: None };
        Queue { limits, inner: Mutex::new(inner), ready: Condvar::new(), room: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing here panics while the lock is held; if a later change did, the queue itself would still be whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims that wait.
    pub fn depth(&self) -> usize {
        self.lock().lanes.len()
    }

    /// Whether a claim that comes alone, with so many payload bytes, would be taken now: a look before its signatures are checked, so that a
    /// refusal costs less than an acceptance. Room that is there may be gone when the claim comes.
    pub fn look(&self, bytes: usize) -> Result<(), Full> {
        self.lock().room_for(Way::Alone, bytes, &self.limits)
    }

    /// Takes items that come alone, in their order, as long as there is room; what it does not take stays in `items`.
    pub fn push(&self, items: &mut VecDeque<Item>) -> Result<(), Full> {
        self.push_by(Way::Alone, items)
    }

    fn push_by(&self, way: Way, items: &mut VecDeque<Item>) -> Result<(), Full> {
        let mut inner = self.lock();
        let before = inner.lanes.len();
        let taken = inner.take_from(way, items, &self.limits);
        let more = inner.lanes.len() > before;
        drop(inner);
        if more {
            self.ready.notify_one();
        }
        taken
    }

    /// Takes all items of a stream, each as soon as there is room. What it did not take when the log stops stays in `items`.
    pub async fn push_when_room(&self, items: &mut VecDeque<Item>) -> Result<(), Full> {
        loop {
            let room = self.room.notified();
            let mut room = std::pin::pin!(room);
            room.as_mut().enable(); // before the look, so that no wake-up falls between
            match self.push_by(Way::Stream, items) {
                Err(Full::Full { .. }) => room.await,
                other => return other,
            }
        }
    }

    /// What waits, up to one batch; waits itself for at most `patience`. `None` when the queue is closed and empty.
    pub fn drain(&self, patience: Duration) -> Option<Vec<Item>> {
        let deadline = Instant::now() + patience;
        let mut inner = self.lock();
        while inner.lanes.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if inner.closed {
                return None;
            }
            if left.is_zero() {
                return Some(Vec::new());
            }
            inner = self.ready.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let batch = inner.lanes.batch();
        inner.key_unknown -= batch.iter().filter(|item| item.is_key_unknown()).count();
        inner.measure(batch.len());
        drop(inner);
        self.room.notify_waiters();
        Some(batch)
    }

    /// Takes nothing more; what waits is still drained.
    pub fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
        self.room.notify_waiters();
    }
}

impl Inner {
    fn room_for(&self, way: Way, bytes: usize, limits: &QueueLimits) -> Result<(), Full> {
        if self.closed {
            return Err(Full::Closed);
        }
        if !self.lanes.has_room(way, bytes, limits) {
            return Err(Full::Full { retry_after_seconds: self.retry_after_seconds(way) });
        }
        Ok(())
    }

    fn take_from(&mut self, way: Way, items: &mut VecDeque<Item>, limits: &QueueLimits) -> Result<(), Full> {
        while let Some(item) = items.front() {
            self.room_for(way, item.bytes(), limits)?;
            if item.is_key_unknown() && self.key_unknown >= (limits.claims / KEY_UNKNOWN_SHARE).max(1) {
                return Err(Full::Full { retry_after_seconds: self.retry_after_seconds(way) });
            }
            self.key_unknown += usize::from(item.is_key_unknown());
            if let Some(item) = items.pop_front() {
                self.lanes.push(way, item);
            }
        }
        Ok(())
    }

    fn retry_after_seconds(&self, way: Way) -> u64 {
        let most = MAX_RETRY_AFTER_SECONDS;
        let ahead = self.lanes.ahead(way) as f64;
        (1..most).find(|seconds| ahead <= self.rate.max(1.0) * *seconds as f64).unwrap_or(most)
    }

    /// The rate counts only while there is something to do: an idle log has not become slow.
    fn measure(&mut self, claims: usize) {
        let now = Instant::now();
        if let Some(before) = self.last_drain.replace(now) {
            let seconds = now.duration_since(before).as_secs_f64();
            if seconds < 1.0 {
                let newest = claims as f64 / seconds.max(1e-6);
                self.rate = if self.rate == 0.0 { newest } else { self.rate + RATE_WEIGHT * (newest - self.rate) };
            }
        }
    }
}
