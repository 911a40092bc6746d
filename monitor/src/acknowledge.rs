//! What the operator says of a finding that does not end: that it is known, and why it may stay.
//!
//! Nothing is removed by that, and nothing else changes: the finding stays open and shown, a log that is not cosigned stays so.
//! Exit codes and the first line of the pages no longer count it, so that the next one is seen. It holds for the finding as it is:
//! with new evidence, in a worse class, as other tampering under the same name (another file that is served wrong), or begun anew, it
//! counts again.

use std::fmt;
use std::sync::Arc;

use client::Error;
use proto::num::Millis;
use serde::{Deserialize, Serialize};

use crate::alert::{Outbox, Source as _};
use crate::finding::Open;
use crate::follow::FollowedLog;

/// Bytes of a reason: a few sentences, shown in a line beside the finding.
const MAX_REASON_BYTES: usize = 1000;

/// Why an open finding is no news to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Reason(String);

impl Reason {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reason {
    type Error = String;

    fn try_from(text: String) -> Result<Reason, String> {
        let words = text.trim();
        match words.len() {
            1..=MAX_REASON_BYTES => Ok(Reason(words.to_owned())),
            _ => Err(format!("a reason has 1 to {MAX_REASON_BYTES} bytes; say in a sentence why the finding may stay")),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// That the operator knows of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// When that was said, in milliseconds since 1970.
    pub at: Millis,
    /// Why it may stay.
    pub because: Reason,
}

/// What is open at one log, or with this monitor itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAt {
    /// The log, or the monitor's own name.
    pub origin: String,
    /// The worst first.
    pub open: Vec<Open>,
}

/// Which finding is acknowledged, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// The log, or the monitor's own name.
    pub origin: String,
    /// The name of the finding.
    pub finding: String,
    /// Why it may stay.
    pub because: Reason,
}

/// Everything of a monitor in which findings are open. Clones are the same.
#[derive(Debug, Clone)]
pub struct Everywhere {
    logs: Vec<Arc<FollowedLog>>,
    own: Option<Arc<Outbox>>,
}

impl Everywhere {
    /// These logs, and what this monitor has to say of itself.
    pub fn new(logs: Vec<Arc<FollowedLog>>, own: Option<Arc<Outbox>>) -> Everywhere {
        Everywhere { logs, own }
    }

    /// What is open.
    ///
    /// # Errors
    /// When a database cannot be read.
    pub fn open(&self) -> Result<Vec<OpenAt>, Error> {
        let of_log =
            |log: &Arc<FollowedLog>| Ok(OpenAt { origin: log.origin().to_owned(), open: log.store.open_findings()? });
        let of_own = |own: &Arc<Outbox>| Ok(OpenAt { origin: own.name().to_owned(), open: own.open_findings()? });
        self.logs.iter().map(of_log).chain(self.own.iter().map(of_own)).collect()
    }

    /// Acknowledges a finding; gives it as it is then, or nothing when it is not open.
    ///
    /// # Errors
    /// When a database cannot be written.
    pub fn acknowledge(&self, asked: &Acknowledge, now: Millis) -> Result<Option<Open>, Error> {
        let Acknowledge { origin, finding, because } = asked;
        if let Some(log) = self.logs.iter().find(|log| log.origin() == origin) {
            let open = log.store.acknowledge(finding, because, now)?;
            log.look(None)?;
            return Ok(open);
        }
        let own = self.own.as_ref().filter(|own| own.name() == origin);
        own.map_or(Ok(None), |own| own.acknowledge(finding, because, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something() {
        let read = |text: &str| serde_json::from_value::<Reason>(serde_json::json!(text));
        assert_eq!(read(" told by its operator \n").unwrap().as_str(), "told by its operator");
        for bad in ["", " \n", &"x".repeat(MAX_REASON_BYTES + 1)] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
