//! The monitor's time: the machine's clock, held against the time that passed since the process began.
//!
//! Much hangs on time that cannot be taken back: the time of a cosignature never goes down, a statement that a head stayed
//! unavailable for a day is signed, heads are thinned out. A clock that is wrong for a moment must do none of that. So a step of
//! the clock is not believed at first: time goes on as if there had been none, and what is wrong is told ([`jump`]). A clock that
//! stays where it stepped to is believed after a while: a machine that slept has such a clock, and it is right.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use proto::num::Millis;

/// A difference below this is a correction that well-kept machines make; the log allows as much.
pub const STEP: Millis = Millis(30_000);
/// A clock that says the same for so long after a step is believed; who can act was told long before.
pub const BELIEVED_AFTER: Duration = Duration::from_secs(600);

/// How far the machine's clock is from the time that passed, in milliseconds; ahead is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump(pub i64);

impl std::fmt::Display for Jump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = if self.0 < 0 { "back" } else { "ahead" };
        write!(f, "{} s {way}", self.0.unsigned_abs() / 1000)
    }
}

/// The time, as far as it is believed.
#[derive(Debug)]
pub struct SteadyClock {
    /// The last time that was believed, and the monotonic time then.
    time: Millis,
    at: Duration,
    /// Where the clock stepped to, and since when it says so.
    jumped: Option<(Jump, Duration)>,
}

impl SteadyClock {
    /// One that believes the machine's clock as it is now. `monotonic` is the time since some fixed moment.
    pub fn new(wall: Millis, monotonic: Duration) -> SteadyClock {
        SteadyClock { time: wall, at: monotonic, jumped: None }
    }

    /// The time, when the machine's clock says `wall`.
    pub fn at(&mut self, wall: Millis, monotonic: Duration) -> Millis {
        let passed = u64::try_from(monotonic.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        let expected = Millis(self.time.0.saturating_add(passed));
        let off = difference(wall, expected);
        let is_small = |off: i64| off.unsigned_abs() <= STEP.0;
        let is_believed = match self.jumped {
            _ if is_small(off) => true,
            Some((jump, since)) if is_small(off.saturating_sub(jump.0)) => {
                monotonic.saturating_sub(since) >= BELIEVED_AFTER
            }
            // It stepped now, or once more.
            _ => {
                self.jumped = Some((Jump(off), monotonic));
                false
            }
        };
        if !is_believed {
            return expected;
        }
        (self.time, self.at, self.jumped) = (wall, monotonic, None);
        wall
    }

    /// How far the machine's clock is off, as long as it is not believed.
    pub fn jump(&self) -> Option<Jump> {
        self.jumped.map(|(jump, _)| jump)
    }
}

fn difference(wall: Millis, expected: Millis) -> i64 {
    let signed = |time: Millis| i64::try_from(time.0).unwrap_or(i64::MAX);
    signed(wall).saturating_sub(signed(expected))
}

fn with<T>(work: impl FnOnce(&mut SteadyClock, Millis, Duration) -> T) -> T {
    static CLOCK: OnceLock<(Instant, Mutex<SteadyClock>)> = OnceLock::new();
    let wall = client::clock::now();
    let begin = || (Instant::now(), Mutex::new(SteadyClock::new(wall, Duration::ZERO)));
    let (start, clock) = CLOCK.get_or_init(begin);
    work(&mut clock.lock().unwrap_or_else(PoisonError::into_inner), wall, start.elapsed())
}

/// Now. All that the monitor decides goes by it.
pub fn now() -> Millis {
    with(SteadyClock::at)
}

/// How far the machine's clock is off, if it stepped and is not believed.
pub fn jump() -> Option<Jump> {
    with(|clock, wall, monotonic| {
        clock.at(wall, monotonic);
        clock.jump()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: u64 = 1_800_000_000_000;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_clock_that_is_wrong_for_a_moment_changes_nothing() {
        let mut clock = SteadyClock::new(Millis(START), Duration::ZERO);
        assert_eq!(clock.at(Millis(START + 10_500), seconds(10)), Millis(START + 10_500), "a correction");
        // A day ahead for nine minutes, then back to what is right.
        assert_eq!(clock.at(Millis(START + 86_420_000), seconds(20)), Millis(START + 20_500));
        assert_eq!(clock.jump(), Some(Jump(86_399_500)));
        assert_eq!(clock.at(Millis(START + 86_950_000), seconds(550)), Millis(START + 550_500));
        assert_eq!(clock.at(Millis(START + 560_000), seconds(560)), Millis(START + 560_000));
        assert_eq!(clock.jump(), None);
    }

    #[test]
    fn a_clock_that_stays_where_it_stepped_to_is_believed_and_one_that_steps_on_is_not() {
        for by in [86_400_000_i64, -3_600_000] {
            let stepped = |after: u64| Millis((START + after * 1000).saturating_add_signed(by));
            let mut clock = SteadyClock::new(Millis(START), Duration::ZERO);
            assert_eq!(clock.at(stepped(10), seconds(10)), Millis(START + 10_000));
            assert_eq!(clock.at(stepped(609), seconds(609)), Millis(START + 609_000));
            assert_eq!(clock.at(stepped(610), seconds(610)), stepped(610), "ten minutes later");
            assert_eq!(clock.jump(), None);
        }
        let mut clock = SteadyClock::new(Millis(START), Duration::ZERO);
        for hour in 1..20 {
            let wall = Millis(START + hour * 3_600_000);
            assert_eq!(clock.at(wall, seconds(hour * 60)), Millis(START + hour * 60_000), "an hour a minute");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_clock_says_time_never_gains_more_than_corrections(
            steps in prop::collection::vec((0..60_u64, any::<u64>()), 1..60)
        ) {
            let mut clock = SteadyClock::new(Millis(START), Duration::ZERO);
            let mut passed = 0;
            for (wait, wall) in steps.into_iter().take(10) {
                passed += wait;
                // Below ten minutes in all, no step can be believed.
                let time = clock.at(Millis(wall), seconds(passed));
                let expected = START + passed * 1000;
                prop_assert!(time.0.abs_diff(expected) <= STEP.0 * 10, "{time:?} {expected}");
            }
        }
    }
}
