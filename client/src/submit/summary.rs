//! What comes of a bulk submission.

use crate::error::Error;
use crate::head::Head;

/// Refusals that are kept for the summary; more are only counted.
const KEPT_REJECTIONS: usize = 1000;

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Claims with a new entry.
    pub created: u64,
    /// Claims that the log had already.
    pub repeated: u64,
    /// Claims that had a receipt in the journal and were not sent.
    pub skipped: u64,
    /// Claims that were refused, by the log or because they cannot be read.
    pub rejected: u64,
}

impl Progress {
    /// All that is done.
    pub fn total(&self) -> u64 {
        self.created + self.repeated + self.skipped + self.rejected
    }
}

/// A claim that is not in the log, and why.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The claim's name for people.
    pub label: String,
    /// Why.
    pub error: Error,
}

/// What came of a bulk submission.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The counts.
    pub progress: Progress,
    /// The first thousand refusals.
    pub rejected: Vec<Rejected>,
    /// The largest of the receipts' heads, accepted last.
    pub head: Option<Head>,
    /// Why the source could not be read to its end; what came before was sent.
    pub broken: Option<Error>,
}

impl Summary {
    /// Counts a claim that is not in the log.
    pub(super) fn reject(&mut self, label: String, error: Error) {
        self.progress.rejected += 1;
        if self.rejected.len() < KEPT_REJECTIONS {
            self.rejected.push(Rejected { label, error });
        }
    }
}
