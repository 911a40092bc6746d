//! The time of a cosignature against the head's own time.
//!
//! The time of a cosignature never goes down, so one that a wrong clock made would stay for as long as the clock was ahead, and
//! longer than any restart. A head says when its log signed it; no cosignature goes further beyond that than logs allow. Then a
//! clock that is a day ahead costs minutes.

use proto::num::Seconds;

/// How far a cosignature may be ahead of the time at which the log signed the head. The log refuses cosignatures that are so far
/// ahead of its own clock, which is not behind the time of its head.
pub const MOST_AHEAD: Seconds = Seconds(300);

/// This machine's time, as far as the head bears it out. A head without a time says nothing.
pub(super) fn held(now: Seconds, log_time: Option<Seconds>) -> Seconds {
    log_time.map_or(now, |log| now.min(latest(log)))
}

/// Why the head cannot be cosigned at this time: an earlier cosignature was of a later time than this head allows.
pub(super) fn refusal(time: Seconds, log_time: Option<Seconds>) -> Option<String> {
    let log = log_time.filter(|log| time > latest(*log))?;
    Some(format!(
        "its last cosignature is of {time}, more than {MOST_AHEAD} s after the time of this head, {log}: this machine's clock was \
         ahead then, or the head is old. No time of a cosignature goes down; heads from {} on are cosigned again",
        time.0.saturating_sub(MOST_AHEAD.0)
    ))
}

fn latest(log: Seconds) -> Seconds {
    Seconds(log.0.saturating_add(MOST_AHEAD.0))
}

#[cfg(test)]
mod tests {
    use super::super::Answer;
    use super::super::tests::{begun, head, is_cosigned, proof, shown, trees};
    use super::*;
    use proto::num::TreeSize;

    #[test]
    fn a_clock_that_is_ahead_costs_minutes_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let witness = begun(folder.path());
        let [tree, _] = trees();
        let ask = |old: u64, new: u64, log: Option<u64>, now: u64| {
            witness.cosign_at(TreeSize(old), &proof(&tree, old, new), &head(&tree, new), log.map(Seconds), Seconds(now))
        };
        assert!(is_cosigned(&ask(0, 5, Some(10_000), 182_800)), "two days ahead");
        assert_eq!(shown(&witness), Some((5, 10_300)));
        assert!(is_cosigned(&ask(5, 6, Some(10_005), 10_005)), "the clock is right again");
        assert_eq!(shown(&witness), Some((6, 10_300)), "no time goes down");
        // One that is ahead already, by a head without a time.
        assert!(is_cosigned(&ask(6, 7, None, 20_000)));
        assert!(matches!(ask(7, 8, Some(10_010), 10_010), Answer::Waits(why) if why.contains("20000")));
        assert_eq!(ask(6, 8, Some(10_010), 10_010), Answer::Conflict(TreeSize(7)), "who is behind is told so first");
        assert!(is_cosigned(&ask(7, 8, Some(19_700), 19_700)));
        assert_eq!(shown(&witness), Some((8, 20_000)));
    }
}
