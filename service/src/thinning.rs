//! Which signed heads are kept: all of the last 24 hours, then the newest of every minute.
//!
//! An evidence file wants a head soon after a claim, not every one: under load a log signs hundreds of heads in a second,
//! and a minute is close enough to a claim of last year.

use proto::num::Seconds;

/// Younger heads are all kept, so that whoever holds one of today's can ask about it.
pub const KEEP_ALL_SECONDS: u64 = 24 * 60 * 60;

/// Of older heads one is kept in each span of this length, counted from 1970.
pub const KEEP_ONE_SECONDS: u64 = 60;

/// Heads before this time are thinned. It is a whole minute, so that a minute is thinned at once and never looked at again.
pub fn thin_before(now: Seconds) -> Seconds {
    let limit = now.0.saturating_sub(KEEP_ALL_SECONDS);
    Seconds(limit - limit % KEEP_ONE_SECONDS)
}

/// Is shown the heads to thin, ascending, and names those to remove.
#[derive(Debug)]
pub struct Thinning<K> {
    last: Option<(Seconds, K)>,
}

impl<K> Default for Thinning<K> {
    fn default() -> Thinning<K> {
        Thinning { last: None }
    }
}

impl<K> Thinning<K> {
    /// The next head in order; returns the head before it if that is not the newest of its minute.
    pub fn next(&mut self, time: Seconds, key: K) -> Option<K> {
        let minute = |time: Seconds| time.0 / KEEP_ONE_SECONDS;
        self.last.replace((time, key)).filter(|(last, _)| minute(*last) == minute(time)).map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_minute_stays() {
        let heads = [(0, 1), (0, 2), (59, 2), (60, 2), (61, 3), (119, 9), (180, 9)];
        let mut thinning = Thinning::default();
        let removed: Vec<_> =
            heads.iter().filter_map(|(time, size)| thinning.next(Seconds(*time), (*time, *size))).collect();
        assert_eq!(removed, [(0, 1), (0, 2), (60, 2), (61, 3)]);
    }

    #[test]
    fn the_edge_is_a_whole_minute_a_day_back() {
        assert_eq!(thin_before(Seconds(59)), Seconds(0));
        assert_eq!(thin_before(Seconds(KEEP_ALL_SECONDS + 59)), Seconds(0));
        assert_eq!(thin_before(Seconds(KEEP_ALL_SECONDS + 60)), Seconds(60));
    }
}
