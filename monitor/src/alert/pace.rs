//! How many alerts a channel may send now: a bucket that fills with time.

use std::time::{Duration, Instant};

/// The bucket.
#[derive(Debug)]
pub(super) struct Pace {
    most: u64,
    every: Duration,
    left: u64,
    since: Instant,
}

impl Pace {
    /// A full one: so many at once, and the time after which there is room for one more.
    pub(super) fn new((most, every): (u64, Duration)) -> Pace {
        Pace { most, every, left: most, since: Instant::now() }
    }

    /// How many may be sent now.
    pub(super) fn room(&mut self) -> u64 {
        let more = self.since.elapsed().as_nanos() / self.every.as_nanos().max(1);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.since += self.every.saturating_mul(more).min(self.since.elapsed());
        self.left = self.left.saturating_add(more.into()).min(self.most);
        self.left
    }

    /// One was sent.
    pub(super) fn sent(&mut self) {
        self.left = self.left.saturating_sub(1);
    }
}
