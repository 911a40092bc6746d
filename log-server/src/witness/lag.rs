//! Since when entries wait for a head with a quorum.

use std::collections::VecDeque;
use std::time::Duration;

use proto::num::TreeSize;
use tokio::time::Instant;

/// Heads that come closer together than this count as one: a busy log signs hundreds a second.
const TOGETHER: Duration = Duration::from_millis(100);

/// Marks that are kept at most, which are those of a minute and a half at full rate. What waits longer than that is known by
/// its oldest mark; when more come they are counted with the newest one.
const MAX_MARKS: usize = 1024;

/// Sizes that the log reached, each with the moment, of which witnesses have not cosigned enough yet.
#[derive(Debug, Default)]
pub(super) struct Lag {
    marks: VecDeque<(TreeSize, Instant)>,
}

impl Lag {
    /// The log has so many entries now.
    pub(super) fn reached(&mut self, size: TreeSize, now: Instant) {
        let full = self.marks.len() >= MAX_MARKS;
        match self.marks.back_mut() {
            Some((marked, _)) if *marked >= size => {}
            // With the earlier moment of the two: an entry is never taken for younger than it is.
            Some((marked, at)) if full || now.duration_since(*at) < TOGETHER => *marked = size,
            _ => self.marks.push_back((size, now)),
        }
    }

    /// A head of this size met the quorum.
    pub(super) fn covered(&mut self, size: TreeSize) {
        while self.marks.front().is_some_and(|(marked, _)| *marked <= size) {
            self.marks.pop_front();
        }
    }

    /// Since when the oldest entry waits.
    pub(super) fn since(&self) -> Option<Instant> {
        self.marks.front().map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_that_waits_counts() {
        let (mut lag, start) = (Lag::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(lag.since(), None);
        for (size, second) in [(5, 1), (5, 2), (7, 3), (9, 8)] {
            lag.reached(TreeSize(size), at(second));
        }
        assert_eq!(lag.since(), Some(at(1)));
        lag.covered(TreeSize(4));
        assert_eq!(lag.since(), Some(at(1)));
        lag.covered(TreeSize(7));
        assert_eq!(lag.since(), Some(at(8)));
        lag.covered(TreeSize(9));
        assert_eq!(lag.since(), None);
    }

    #[test]
    fn a_busy_log_costs_bounded_memory_and_no_entry_is_taken_for_younger() {
        let (mut lag, start) = (Lag::default(), Instant::now());
        for size in 1..=40_000u64 {
            lag.reached(TreeSize(size), start + Duration::from_millis(size * 10));
        }
        assert_eq!(lag.marks.len(), MAX_MARKS);
        lag.covered(TreeSize(1000));
        assert!(lag.since().unwrap() <= start + Duration::from_millis(10_010));
        lag.covered(TreeSize(39_999));
        assert!(lag.since().is_some(), "the newest entry still waits");
    }
}
