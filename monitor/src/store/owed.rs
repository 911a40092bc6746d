//! What was found while the database could not be written, kept in memory until it can.
//!
//! What a log must not be able to do is fill the disk and then show a fork: found in that moment, it is made durable as soon as there
//! is room. That cosigning ended is durable already (`evidence/stop.rs`), in a file beside the witness's record.

use std::sync::{Mutex, PoisonError};

use client::Error;
use proto::num::Millis;

use super::{Batch, Findings, HeadKey, KeptHead, LogStore};
use crate::evidence::NewEvidence;

/// Steps that are owed at most, each of some findings with their files; what comes again is found again.
const MOST_OWED: usize = 64;

/// Steps that could not be written.
#[derive(Debug, Default)]
pub(super) struct Owed(Mutex<Vec<Step>>);

#[derive(Debug, PartialEq, Eq)]
struct Step {
    findings: Findings,
    evidence: Vec<NewEvidence>,
    heads: Vec<(HeadKey, Vec<u8>)>,
}

impl LogStore {
    /// Remembers what was found, if anything was.
    pub(super) fn owe(&self, batch: &Batch<'_>) {
        if batch.findings.found().is_empty() && batch.evidence.is_empty() {
            return;
        }
        let heads = batch.heads.iter().map(|head| (head.key, head.note.to_vec())).collect();
        // Not what is over: that may not be so any more.
        let findings = Findings::begin(batch.findings.found().to_vec());
        let step = Step { findings, evidence: batch.evidence.clone(), heads };
        let mut owed = self.owed.0.lock().unwrap_or_else(PoisonError::into_inner);
        if owed.len() < MOST_OWED && !owed.contains(&step) {
            owed.push(step);
        }
    }

    /// Writes what is owed; whether anything was.
    ///
    /// # Errors
    /// When it still cannot be written; it is owed on.
    pub fn pay(&self, now: Millis) -> Result<bool, Error> {
        let owed = std::mem::take(&mut *self.owed.0.lock().unwrap_or_else(PoisonError::into_inner));
        let any = !owed.is_empty();
        let (mut failed, mut first) = (Vec::new(), None);
        for step in owed {
            let heads = step.heads.iter().map(|(key, note)| KeptHead { key: *key, note }).collect();
            let (findings, evidence) = (step.findings.clone(), step.evidence.clone());
            if let Err(error) = self.commit_all(&Batch { findings, evidence, heads, ..Batch::default() }, now) {
                first = first.or(Some(error));
                failed.push(step);
            }
        }
        self.owed.0.lock().unwrap_or_else(PoisonError::into_inner).extend(failed);
        first.map_or(Ok(any), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tests::{Followed, NOW, head, others, three};
    use crate::finding::{Class, Finding, code};

    #[test]
    fn what_was_found_while_nothing_could_be_written_is_written_later() {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        let store = &followed.log.store;
        let fork = Finding::new(Class::Tamper, code::FORK, "two histories")
            .with_heads(&[&head(&others(1), 12), &head(&three(), 12)]);
        let mut findings = Findings::begin(vec![fork]);
        let evidence = followed.log.prove(&mut findings, crate::evidence::Reach::Kept).unwrap();
        assert_eq!(evidence.len(), 3, "the log, its time key and the witness that cosigned both");
        findings.over(code::UNREACHABLE);
        let batch = Batch { findings, evidence, ..Batch::default() };
        (0..3).for_each(|_| store.owe(&batch));
        store.owe(&Batch { findings: Findings::end(code::OLD), ..Batch::default() });
        assert_eq!(store.owed.0.lock().unwrap().len(), 1, "the same once, and nothing that only ends");
        assert_eq!((followed.open_findings().len(), followed.convicted().len()), (0, 0));
        assert!(store.pay(NOW).unwrap());
        assert_eq!((followed.open_findings().len(), followed.convicted().len()), (1, 3));
        assert!(!store.pay(NOW).unwrap(), "paid once");
    }
}
