//! What the log's own list of heads may cost in a day.
//!
//! A log can list as many heads as it likes, all of them signed, and each is read, verified and kept. How much of that is worth it
//! is not the log's to choose: beyond a day's worth the list is left where it is, which is told, and the log is followed on without it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proto::num::Millis;

use crate::finding::{Class, Finding, code};

/// What a day is here. The log keeps all of its heads for as long, and one a minute of older ones: a list that is left lying for
/// that long is short again.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What was spent on the list since a day began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// When the day began.
    pub since: Millis,
    /// Heads that were read.
    pub heads: u64,
    /// Bytes of the log's answers, those that were no list as well.
    pub bytes: u64,
}

impl Spent {
    /// As it is kept.
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        for (place, number) in bytes.chunks_exact_mut(8).zip([self.since.0, self.heads, self.bytes]) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    /// Reads what [`Spent::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Spent> {
        let mut numbers = bytes.chunks_exact(8).filter_map(|part| Some(u64::from_be_bytes(part.try_into().ok()?)));
        let spent = Spent { since: Millis(numbers.next()?), heads: numbers.next()?, bytes: numbers.next()? };
        (bytes.len() == 24).then_some(spent)
    }
}

/// The most of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Most {
    pub(super) heads: u64,
    pub(super) bytes: u64,
}

/// What was spent, held against the most.
#[derive(Debug)]
pub(super) struct Cost {
    spent: Spent,
    most: Most,
    /// Bytes that the connection read in all, and how many of them are counted in `spent`.
    meter: Arc<AtomicU64>,
    counted: u64,
}

impl Cost {
    pub(super) fn new(spent: Spent, most: Most, meter: Arc<AtomicU64>) -> Cost {
        let counted = meter.load(Ordering::Relaxed);
        Cost { spent, most, meter, counted }
    }

    /// What was spent so far.
    pub(super) fn spent(&mut self) -> Spent {
        let read = self.meter.load(Ordering::Relaxed);
        self.spent.bytes = self.spent.bytes.saturating_add(read.saturating_sub(self.counted));
        self.counted = read;
        self.spent
    }

    /// So many heads were read.
    pub(super) fn read(&mut self, heads: u64) {
        self.spent.heads = self.spent.heads.saturating_add(heads);
    }

    /// Whether there is room for one more page now.
    pub(super) fn has_room(&mut self, now: Millis) -> bool {
        let spent = self.spent();
        // A clock that was ahead when the day began does not make the day longer.
        if spent.since > now || now.0 - spent.since.0 >= DAY_MS {
            self.spent = Spent { since: now, heads: 0, bytes: 0 };
            return true;
        }
        spent.heads < self.most.heads && spent.bytes < self.most.bytes
    }

    /// That there is none.
    pub(super) fn finding(&mut self) -> Finding {
        let Spent { since, heads, bytes } = self.spent();
        let message = format!(
            "the log's list of heads has cost {heads} heads and {bytes} bytes since {}, and is not at its end; {} heads or {} bytes \
             are a day's. It is read on after that day; what it lists meanwhile is not held against the tree",
            since.to_rfc3339(),
            self.most.heads,
            self.most.bytes
        );
        Finding::new(Class::Degraded, code::LIST, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost() -> Cost {
        Cost::new(Spent::default(), Most { heads: 100, bytes: 1000 }, Arc::default())
    }

    #[test]
    fn a_day_has_room_for_so_many_heads_and_bytes() {
        let start = Millis(50 * DAY_MS);
        let (mut heads, mut bytes) = (cost(), cost());
        assert!(heads.has_room(start) && bytes.has_room(start));
        heads.read(99);
        bytes.meter.fetch_add(999, Ordering::Relaxed);
        assert!(heads.has_room(start) && bytes.has_room(start));
        heads.read(1);
        bytes.meter.fetch_add(1, Ordering::Relaxed);
        for cost in [&mut heads, &mut bytes] {
            assert!(!cost.has_room(Millis(start.0 + DAY_MS - 1)));
            assert_eq!((cost.finding().code.as_str(), cost.finding().class), (code::LIST, Class::Degraded));
        }
        assert_eq!(heads.spent(), Spent { since: start, heads: 100, bytes: 0 });
        assert_eq!(bytes.spent(), Spent { since: start, heads: 0, bytes: 1000 });
        assert!(heads.has_room(Millis(start.0 + DAY_MS)), "the next day");
        assert_eq!(heads.spent(), Spent { since: Millis(start.0 + DAY_MS), heads: 0, bytes: 0 });
    }

    #[test]
    fn what_was_spent_is_read_back_and_a_clock_that_was_ahead_keeps_no_list_from_being_read() {
        let spent = Spent { since: Millis(7), heads: 8, bytes: 9 };
        assert_eq!(Spent::from_bytes(&spent.to_bytes()), Some(spent));
        assert_eq!((Spent::from_bytes(b"short"), Spent::from_bytes(&[0; 25])), (None, None));
        let most = Most { heads: 100, bytes: 1000 };
        let ahead = Spent { since: Millis(900 * DAY_MS), heads: 100, bytes: 0 };
        assert!(Cost::new(ahead, most, Arc::default()).has_room(Millis(50 * DAY_MS)));
    }
}
