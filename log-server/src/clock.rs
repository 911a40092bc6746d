//! The log's time: one owner, never back.
//!
//! The clock of the machine is compared with the last time given plus what a monotonic clock says has passed. Up to
//! [`HOLD_MS`] back the last time is held; further back, or more than [`AHEAD_MS`] ahead, the clock is not believed and the
//! log takes no claims until the operator acts: a log never convicts itself by its own clock.

use std::fmt;
use std::time::Instant;

use proto::code::{Code, Refused};
use proto::num::Millis;

/// Corrections of this many milliseconds back happen on well-kept machines; the last time is held until the clock catches up.
pub const HOLD_MS: u64 = 10_000;

/// A jump ahead of this many milliseconds is not a correction: entries would carry a time that has not come.
pub const AHEAD_MS: u64 = 30_000;

/// Where time comes from; the machine's clock, or a test's.
pub trait TimeSource: Send + Sync {
    /// Milliseconds since 1970 UTC.
    fn wall_ms(&self) -> u64;
    /// Milliseconds since some fixed moment; never goes back.
    fn monotonic_ms(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemTime {
    start: Instant,
}

impl SystemTime {
    /// The machine's clocks, from now on.
    pub fn new() -> SystemTime {
        SystemTime { start: Instant::now() }
    }
}

impl Default for SystemTime {
    fn default() -> SystemTime {
        SystemTime::new()
    }
}

impl TimeSource for SystemTime {
    #[allow(clippy::disallowed_methods, reason = "the one place where the log server reads the wall clock")]
    fn wall_ms(&self) -> u64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The machine's clock cannot be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct ClockJump {
    /// What the machine says, in milliseconds since 1970.
    pub wall_ms: u64,
    /// What it should say, by the log's last time and the time that passed.
    pub expected_ms: u64,
}

impl ClockJump {
    /// What submitters are told. What the clocks say is for the operator.
    pub(crate) fn refused() -> Refused {
        let message = "the log's clock is not believed; claims are taken again when its operator has acted";
        Refused::new(Code::ClockJump, message)
    }
}

impl fmt::Display for ClockJump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (way, by) = match self.wall_ms.checked_sub(self.expected_ms) {
            Some(by) => ("ahead", by),
            None => ("back", self.expected_ms - self.wall_ms),
        };
        write!(
            f,
            "the machine's clock jumped {:.1} s {way}; set it right and restart the log, which takes no claims until then",
            by as f64 / 1000.0
        )
    }
}

/// The log's clock. After a jump it gives no time until it is made anew.
pub struct LogClock {
    source: Box<dyn TimeSource>,
    /// The last time given, and the monotonic time at which it was.
    last_ms: u64,
    at_ms: u64,
    jumped: Option<ClockJump>,
}

impl LogClock {
    /// Starts from the log's last persisted time. How long the log stood still is unknown, so only a clock that is behind
    /// that time is refused here.
    pub fn start(source: Box<dyn TimeSource>, last: Millis) -> LogClock {
        let (wall_ms, at_ms) = (source.wall_ms(), source.monotonic_ms());
        let behind = last.0.saturating_sub(wall_ms) > HOLD_MS;
        let jumped = behind.then_some(ClockJump { wall_ms, expected_ms: last.0 });
        LogClock { source, last_ms: last.0.max(wall_ms), at_ms, jumped }
    }

    /// The time for the next batch; never below the one before.
    pub fn now(&mut self) -> Result<Millis, ClockJump> {
        if let Some(jump) = self.jumped {
            return Err(jump);
        }
        let (wall_ms, mono_ms) = (self.source.wall_ms(), self.source.monotonic_ms());
        let expected_ms = self.last_ms.saturating_add(mono_ms.saturating_sub(self.at_ms));
        let ahead = wall_ms.saturating_sub(expected_ms) > AHEAD_MS;
        let back = expected_ms.saturating_sub(wall_ms) > HOLD_MS;
        if ahead || back {
            let jump = ClockJump { wall_ms, expected_ms };
            self.jumped = Some(jump);
            return Err(jump);
        }
        self.last_ms = self.last_ms.max(wall_ms);
        self.at_ms = mono_ms;
        Ok(Millis(self.last_ms))
    }
}

impl fmt::Debug for LogClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogClock").field("last_ms", &self.last_ms).field("jumped", &self.jumped).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[derive(Clone, Default)]
    struct Hands(Arc<(AtomicU64, AtomicU64)>);

    impl Hands {
        fn set(&self, wall_ms: u64, mono_ms: u64) {
            self.0.0.store(wall_ms, Ordering::SeqCst);
            self.0.1.store(mono_ms, Ordering::SeqCst);
        }
    }

    impl TimeSource for Hands {
        fn wall_ms(&self) -> u64 {
            self.0.0.load(Ordering::SeqCst)
        }
        fn monotonic_ms(&self) -> u64 {
            self.0.1.load(Ordering::SeqCst)
        }
    }

    fn clock(wall_ms: u64, last_ms: u64) -> (Hands, LogClock) {
        let hands = Hands::default();
        hands.set(wall_ms, 0);
        let clock = LogClock::start(Box::new(hands.clone()), Millis(last_ms));
        (hands, clock)
    }

    #[test]
    fn small_steps_back_hold_the_time() {
        let (hands, mut clock) = clock(100_000, 100_000);
        hands.set(91_000, 500);
        assert_eq!(clock.now(), Ok(Millis(100_000)));
        hands.set(100_400, 9_900);
        assert_eq!(clock.now(), Ok(Millis(100_400)));
    }

    #[test]
    fn jumps_stop_the_clock_for_good() {
        let (hands, mut clock) = clock(100_000, 100_000);
        hands.set(131_000, 500);
        assert!(clock.now().is_err());
        hands.set(100_600, 600);
        assert!(clock.now().is_err(), "only the operator starts it again");
        let (hands, mut clock) = self::clock(100_000, 100_000);
        hands.set(89_000, 500);
        assert!(clock.now().unwrap_err().to_string().contains("11.5 s back"));
    }

    #[test]
    fn a_long_rest_is_no_jump_but_a_clock_behind_the_log_is() {
        let (_, mut fine) = clock(9_000_000, 100_000);
        assert_eq!(fine.now(), Ok(Millis(9_000_000)));
        let (_, mut behind) = clock(100_000, 9_000_000);
        assert!(behind.now().is_err());
    }
}
