//! How long to wait before a request is tried again: what the server asks for, or waits that double.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::random;

/// The first wait between two tries; doubled each time.
const FIRST_WAIT_MS: u64 = 200;
/// The longest wait that we choose ourselves.
const LONGEST_WAIT_MS: u64 = 10_000;

/// The longest wait that a server can ask for, one day: whatever is longer is as good as never, and a wait must not
/// overflow the clock.
const LONGEST_ASKED: Duration = Duration::from_secs(86_400);

/// Waits that double, with jitter, never shorter than the server asks.
#[derive(Debug)]
pub struct Backoff {
    next_ms: u64,
    longest_ms: u64,
}

impl Backoff {
    /// Begins with the shortest wait.
    pub fn new() -> Backoff {
        Backoff { next_ms: FIRST_WAIT_MS, longest_ms: LONGEST_WAIT_MS }
    }

    /// For those who may wait longer: the first wait, and the longest one that is chosen here.
    pub fn between(first: Duration, longest: Duration) -> Backoff {
        let millis = |wait: Duration| u64::try_from(wait.min(LONGEST_ASKED).as_millis()).unwrap_or(LONGEST_WAIT_MS);
        Backoff { next_ms: millis(first), longest_ms: millis(longest) }
    }

    /// The next wait: what the server asked for or our own, and up to half as much again so that clients spread.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let own = Duration::from_millis(self.next_ms);
        self.next_ms = (self.next_ms * 2).min(self.longest_ms);
        let wait = asked.map_or(own, |asked| asked.min(LONGEST_ASKED));
        let spread = u64::try_from(own.as_millis() / 2).unwrap_or(0);
        wait + Duration::from_millis(random::jitter(spread))
    }
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::new()
    }
}

/// `Retry-After` in seconds; the form with a date is not used by logs and counts as absent.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(asked_wait)
}

/// A wait that a server asks for, in seconds, within bounds.
pub(crate) fn asked_wait(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST_ASKED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_obey() {
        let mut backoff = Backoff::new();
        let first = backoff.next(None);
        assert!(first >= Duration::from_millis(FIRST_WAIT_MS) && first <= Duration::from_millis(FIRST_WAIT_MS * 3 / 2));
        assert!(backoff.next(Some(Duration::from_secs(7))) >= Duration::from_secs(7));
        for _ in 0..20 {
            assert!(backoff.next(None) <= Duration::from_millis(LONGEST_WAIT_MS * 3 / 2));
        }
        let never = backoff.next(Some(Duration::MAX));
        assert!(never <= LONGEST_ASKED + Duration::from_millis(LONGEST_WAIT_MS), "no clock overflows");
    }
}
