//! Whether the log takes claims.

use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::code::{Code, Refused};

use crate::clock::ClockJump;

/// Nobody makes room on a disk sooner.
pub(super) const DISK_RETRY_AFTER_SECONDS: u64 = 60;

/// Only the operator sets a clock right.
pub(super) const CLOCK_RETRY_AFTER_SECONDS: u64 = 60;

/// Witnesses that come back are asked again within some seconds.
const UNWITNESSED_RETRY_AFTER_SECONDS: u64 = 10;

/// Nor mends what stopped a log.
const STOPPED_RETRY_AFTER_SECONDS: u64 = 60;

/// Why the sequencer stopped. The words are for the operator: they may name files and what the system said of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What went wrong.
    pub why: String,
    /// Whether the log tries to recover by itself.
    pub is_passing: bool,
}

/// What the log does with claims. It can be read in every mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Takes them.
    Normal,
    /// The operator configured it so.
    ReadOnly(String),
    /// The disk reserve is reached.
    DiskLow,
    /// No quorum of witnesses has cosigned for too long.
    Unwitnessed,
    /// The machine's clock is not believed.
    ClockJump(String),
    /// A write failed; the sequencer recovers, or waits for the operator.
    Recovering(Trouble),
    /// Frozen for ever, with the origin of the successor.
    Frozen(Option<String>),
    /// Shutting down.
    Stopping,
}

impl Mode {
    /// The mode's name in answers.
    pub fn name(&self) -> &'static str {
        match self {
            Mode::Normal => "normal",
            Mode::ReadOnly(_) => "read_only",
            Mode::DiskLow => "disk_low",
            Mode::Unwitnessed => "unwitnessed",
            Mode::ClockJump(_) => "clock_jump",
            Mode::Recovering(_) => "recovering",
            Mode::Frozen(_) => "frozen",
            Mode::Stopping => "stopping",
        }
    }

    /// What a submitter is told, and when to ask again; `None` when claims are taken. What went wrong inside is not for the
    /// public.
    pub fn refusal(&self) -> Option<(Refused, Option<u64>)> {
        let (code, message, retry) = match self {
            Mode::Normal => return None,
            Mode::ReadOnly(why) => (Code::ModeReadOnly, format!("the log is read-only: {why}"), None),
            Mode::DiskLow => {
                let refused = crate::sequencer::no_room();
                return Some((refused, Some(DISK_RETRY_AFTER_SECONDS)));
            }
            Mode::Unwitnessed => {
                let message = "the log's witnesses do not cosign; claims are taken again when enough of them do";
                (Code::ModeUnwitnessed, message.into(), Some(UNWITNESSED_RETRY_AFTER_SECONDS))
            }
            Mode::ClockJump(_) => return Some((ClockJump::refused(), Some(CLOCK_RETRY_AFTER_SECONDS))),
            Mode::Recovering(Trouble { is_passing: true, .. }) => {
                (Code::ModeRecovering, "the log recovers from a failed write; ask again".into(), Some(1))
            }
            Mode::Recovering(Trouble { is_passing: false, .. }) => {
                let message = "the log has stopped over a fault and waits for its operator; it can be read";
                (Code::ModeRecovering, message.into(), Some(STOPPED_RETRY_AFTER_SECONDS))
            }
            Mode::Frozen(Some(next)) => {
                (Code::ModeFrozen, format!("the log is frozen for ever; its successor is {next}"), None)
            }
            Mode::Frozen(None) => (Code::ModeFrozen, "the log is frozen for ever".into(), None),
            Mode::Stopping => (Code::ModeStopping, "the log is shutting down; ask again".into(), Some(5)),
        };
        Some((Refused::new(code, message), retry))
    }
}

/// Everything that bears on the mode.
#[derive(Debug, Default)]
struct Causes {
    stopping: bool,
    frozen: Option<Option<String>>,
    recovering: Option<Trouble>,
    clock: Option<String>,
    disk_low: bool,
    unwitnessed: bool,
    read_only: Option<String>,
}

/// The causes, kept up by those who know of them; the gravest one is the mode.
#[derive(Debug, Default)]
pub struct ModeCell(Mutex<Causes>);

impl ModeCell {
    fn causes(&self) -> MutexGuard<'_, Causes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gravest cause.
    pub fn mode(&self) -> Mode {
        let causes = self.causes();
        if causes.stopping {
            return Mode::Stopping;
        }
        if let Some(successor) = &causes.frozen {
            return Mode::Frozen(successor.clone());
        }
        if let Some(why) = &causes.recovering {
            return Mode::Recovering(why.clone());
        }
        if let Some(why) = &causes.clock {
            return Mode::ClockJump(why.clone());
        }
        if causes.disk_low {
            return Mode::DiskLow;
        }
        if causes.unwitnessed {
            return Mode::Unwitnessed;
        }
        causes.read_only.clone().map_or(Mode::Normal, Mode::ReadOnly)
    }

    /// The log stops.
    pub fn stop(&self) {
        self.causes().stopping = true;
    }

    /// The log is frozen, for ever.
    pub fn freeze(&self, successor: Option<String>) {
        self.causes().frozen = Some(successor);
    }

    /// The sequencer stopped, or works again.
    pub fn set_recovering(&self, why: Option<Trouble>) {
        self.causes().recovering = why;
    }

    /// The clock is not believed, or is again.
    pub fn set_clock(&self, why: Option<String>) {
        self.causes().clock = why;
    }

    /// The disk reserve is reached, or is free again.
    pub fn set_disk_low(&self, low: bool) {
        self.causes().disk_low = low;
    }

    /// Entries have waited too long for a quorum of witnesses, or no longer do.
    pub fn set_unwitnessed(&self, is_late: bool) {
        self.causes().unwitnessed = is_late;
    }

    /// The operator wants no claims, or wants them again.
    pub fn set_read_only(&self, why: Option<String>) {
        self.causes().read_only = why;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_cause_is_told() {
        let cell = ModeCell::default();
        assert_eq!(cell.mode(), Mode::Normal);
        cell.set_read_only(Some("maintenance".into()));
        cell.set_unwitnessed(true);
        assert_eq!(cell.mode(), Mode::Unwitnessed);
        cell.set_disk_low(true);
        assert_eq!(cell.mode(), Mode::DiskLow);
        cell.freeze(Some("log.example/2".into()));
        let (refused, retry) = cell.mode().refusal().expect("a frozen log refuses");
        assert_eq!((refused.code, retry), (Code::ModeFrozen, None));
        cell.stop();
        assert_eq!(cell.mode(), Mode::Stopping);
    }

    #[test]
    fn what_went_wrong_inside_is_not_told_to_submitters() {
        for (is_passing, expected) in [(true, 1), (false, 60)] {
            let why = "Io error: /secret/000012.sst".to_owned();
            let (refused, retry) = Mode::Recovering(Trouble { why, is_passing }).refusal().expect("refuses");
            assert!(!refused.message.contains("secret"), "{}", refused.message);
            assert_eq!(retry, Some(expected));
        }
        let (refused, retry) = Mode::ClockJump("the clock says 1970".into()).refusal().expect("refuses");
        assert!(!refused.message.contains("1970"), "{}", refused.message);
        assert_eq!(retry, Some(60));
    }
}
