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
