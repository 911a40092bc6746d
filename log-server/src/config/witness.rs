//! `[witness]`: who cosigns the log's heads, and how they are asked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::LimitSeconds;
use crate::witness::{WithoutQuorum, WitnessOptions};

/// Often enough that nobody waits long for cosignatures, and seldom enough for witnesses that serve many logs.
const DEFAULT_EVERY: LimitMillis = LimitMillis(1000);
/// A witness answers within a fraction of a second, from the other side of the world too.
const DEFAULT_TIMEOUT: LimitMillis = LimitMillis(5000);
/// An hour: a witness that is asked less often than that keeps no head fresh.
const MAX_MILLIS: u64 = 3_600_000;
/// Two rounds with a witness that takes its whole time, and less than the minute after which most clients give up.
const DEFAULT_WAIT: LimitSeconds = LimitSeconds(15);

/// A time of 1 to 3,600,000 milliseconds, an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub struct LimitMillis(u64);

impl TryFrom<u64> for LimitMillis {
    type Error = String;

    fn try_from(millis: u64) -> Result<LimitMillis, String> {
        match (1..=MAX_MILLIS).contains(&millis) {
            true => Ok(LimitMillis(millis)),
            false => Err(format!("{millis} is no time here: it is 1 to {MAX_MILLIS} milliseconds")),
        }
    }
}

/// The witnesses of the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// A policy file (C2SP tlog-policy): a `log` line with this log's key, a `witness` line with URL for each witness, groups
    /// and the quorum. Give readers the same file as their trust file.
    pub policy: PathBuf,
    /// Milliseconds between two heads that witnesses are asked for, at least.
    #[serde(default = "every")]
    pub every_ms: LimitMillis,
    /// Milliseconds that one witness may take to answer.
    #[serde(default = "timeout")]
    pub timeout_ms: LimitMillis,
    /// What `/checkpoint` shows while the newest head has no quorum. `closed`: the last head that met it; after half of the
    /// log's delta_seconds without one, no more claims are taken. `open`: the newest head with the cosignatures it has.
    #[serde(default)]
    pub without_quorum: WithoutQuorum,
    /// Seconds that a request with `?wait=witnessed` waits for the quorum at most.
    #[serde(default = "wait_seconds")]
    pub wait_seconds: LimitSeconds,
    /// The last head that met the quorum, so that `/checkpoint` shows it after a restart, too. Like the signer's record, never
    /// restore it from a backup.
    #[serde(default = "record")]
    pub record: PathBuf,
}

fn every() -> LimitMillis {
    DEFAULT_EVERY
}

fn timeout() -> LimitMillis {
    DEFAULT_TIMEOUT
}

fn wait_seconds() -> LimitSeconds {
    DEFAULT_WAIT
}

fn record() -> PathBuf {
    "witness/checkpoint".into()
}

impl WitnessConfig {
    /// Relative paths are taken from the folder of the configuration.
    pub(super) fn take_from(&mut self, folder: &Path) {
        for path in [&mut self.policy, &mut self.record] {
            *path = folder.join(&*path);
        }
    }

    /// How witnesses are asked.
    pub fn options(&self) -> WitnessOptions {
        WitnessOptions {
            every: Duration::from_millis(self.every_ms.0),
            timeout: Duration::from_millis(self.timeout_ms.0),
            without_quorum: self.without_quorum,
            wait: Duration::from_secs(self.wait_seconds.0),
            record: self.record.clone(),
        }
    }
}
