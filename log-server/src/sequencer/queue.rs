//! The bounded queue before the sequencer.
//!
//! A full queue says so at once, with a Retry-After from the rate at which it really drains; only a stream waits for room,
//! by not reading on.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::answer::Item;
use super::{MAX_BATCH_BYTES, MAX_BATCH_CLAIMS};

/// Bounds of a queue.
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
    items: VecDeque<Item>,
    bytes: usize,
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
        let inner =
            Inner { items: VecDeque::new(), bytes: 0, key_unknown: 0, closed: false, rate: 0.0, last_drain: None };
        Queue { limits, inner: Mutex::new(inner), ready: Condvar::new(), room: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing here panics while the lock is held; if a later change did, the queue itself would still be whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims that wait.
    pub fn depth(&self) -> usize {
        self.lock().items.len()
    }

    /// Whether a claim with so many payload bytes would be taken now: a look before its signatures are checked, so that a
    /// refusal costs less than an acceptance. Room that is there may be gone when the claim comes.
    pub fn look(&self, bytes: usize) -> Result<(), Full> {
        self.lock().room_for(bytes, &self.limits)
    }

    /// Takes items in their order as long as there is room; what it does not take stays in `items`.
    pub fn push(&self, items: &mut VecDeque<Item>) -> Result<(), Full> {
        let mut inner = self.lock();
        let before = inner.items.len();
        let taken = inner.take_from(items, &self.limits);
        let more = inner.items.len() > before;
        drop(inner);
        if more {
            self.ready.notify_one();
        }
        taken
    }

    /// Takes all items, each as soon as there is room. What it did not take when the log stops stays in `items`.
    pub async fn push_when_room(&self, items: &mut VecDeque<Item>) -> Result<(), Full> {
        loop {
            let room = self.room.notified();
            let mut room = std::pin::pin!(room);
            room.as_mut().enable(); // before the look, so that no wake-up falls between
            match self.push(items) {
                Err(Full::Full { .. }) => room.await,
                other => return other,
            }
        }
    }

    /// What waits, up to one batch; waits itself for at most `patience`. `None` when the queue is closed and empty.
    pub fn drain(&self, patience: Duration) -> Option<Vec<Item>> {
        let deadline = Instant::now() + patience;
        let mut inner = self.lock();
        while inner.items.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if inner.closed {
                return None;
            }
            if left.is_zero() {
                return Some(Vec::new());
            }
            inner = self.ready.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(next) = inner.items.front() {
            if batch.len() == MAX_BATCH_CLAIMS || (!batch.is_empty() && bytes + next.bytes() > MAX_BATCH_BYTES) {
                break;
            }
            bytes += next.bytes();
            inner.key_unknown -= usize::from(next.is_key_unknown());
            batch.extend(inner.items.pop_front());
        }
        inner.bytes -= bytes;
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
    fn room_for(&self, bytes: usize, limits: &QueueLimits) -> Result<(), Full> {
        if self.closed {
            return Err(Full::Closed);
        }
        if self.items.len() >= limits.claims || self.bytes + bytes > limits.bytes {
            return Err(Full::Full { retry_after_seconds: self.retry_after_seconds() });
        }
        Ok(())
    }

    fn take_from(&mut self, items: &mut VecDeque<Item>, limits: &QueueLimits) -> Result<(), Full> {
        while let Some(item) = items.front() {
            self.room_for(item.bytes(), limits)?;
            if item.is_key_unknown() && self.key_unknown >= (limits.claims / KEY_UNKNOWN_SHARE).max(1) {
                return Err(Full::Full { retry_after_seconds: self.retry_after_seconds() });
            }
            self.bytes += item.bytes();
            self.key_unknown += usize::from(item.is_key_unknown());
            self.items.extend(items.pop_front());
        }
        Ok(())
    }

    fn retry_after_seconds(&self) -> u64 {
        let most = MAX_RETRY_AFTER_SECONDS;
        let is_done_in = |seconds: &u64| self.items.len() as f64 <= self.rate.max(1.0) * *seconds as f64;
        (1..most).find(is_done_in).unwrap_or(most)
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

#[cfg(test)]
mod tests {
    use proto::fold::{Submission, check_signatures};

    use super::*;
    use crate::sequencer::{Reply, Submitted};
    use crate::testing;

    fn item(envelope: proto::dsse::Envelope, known: bool) -> Item {
        let submission = Submission::from_envelope(envelope).expect("a claim");
        let digest = submission.digest();
        let submitted = match known {
            // An enrolment brings its own keys, so nothing needs to be in the state.
            true => {
                let empty = std::collections::HashMap::new();
                Submitted::Checked(check_signatures(submission, &empty).expect("signed"))
            }
            false => Submitted::KeyUnknown(submission),
        };
        Item { submitted, digest, reply: Reply::single().0 }
    }

    fn push(queue: &Queue, item: Item) -> Result<(), Full> {
        queue.push(&mut VecDeque::from([item]))
    }

    #[test]
    fn unknown_keys_take_their_share_and_leave_the_rest_to_others() {
        let constitution = testing::constitution();
        let queue = Queue::new(QueueLimits { claims: 16, bytes: usize::MAX });
        let stranger = |n: usize| item(testing::support(&format!("M-{n}"), "2031-03"), false);
        let pushed = (0..16).filter(|n| push(&queue, stranger(*n)).is_ok()).count();
        assert_eq!(pushed, 16 / KEY_UNKNOWN_SHARE);
        assert!(matches!(push(&queue, stranger(99)), Err(Full::Full { .. })));
        for _ in pushed..16 {
            push(&queue, item(constitution.clone(), true)).expect("room for claims whose keys are known");
        }
        assert!(push(&queue, item(constitution.clone(), true)).is_err(), "full");
        assert_eq!(queue.drain(Duration::ZERO).map(|batch| batch.len()), Some(16));
        push(&queue, stranger(100)).expect("a drained queue has room for strangers again");
    }
}
