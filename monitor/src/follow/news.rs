//! What is found again and changes nothing. Heads of a fork are public once the fork is known, so that anybody can show them again
//! and again: that must not cost the disk.

use std::sync::PoisonError;

use client::Error;

use super::FollowedLog;
use crate::evidence::{EvidenceId, NewEvidence, Stored};
use crate::finding::{Finding, code};
use crate::store::Findings;

/// Names of files without room that a process remembers, 32 bytes each. There are more only if a log signs thousands of forks.
const MOST_WITHOUT_ROOM: usize = 4096;

impl FollowedLog {
    /// Leaves what is news of findings that were proven as far as they can be, and of their files.
    pub(crate) fn only_news(&self, findings: &mut Findings, evidence: &mut Vec<NewEvidence>) -> Result<(), Error> {
        let mut known = Vec::new();
        for finding in findings.found() {
            if self.is_known(finding)? {
                known.push(finding.id.clone());
            }
        }
        findings.forget(&known);
        evidence.retain(|new| findings.found().iter().any(|one| one.evidence.contains(&new.file.id())));
        Ok(())
    }

    /// A fork that is found under the name of one that an act of the operator's covers, by a head that it does not cover, is another
    /// fork: it has a name of its own, and so it is told, proven and heeded anew. A third history beside the newest head that was
    /// taken is such a one.
    pub(crate) fn name_anew(&self, finding: &mut Finding) -> Result<(), Error> {
        if finding.code != code::FORK || self.store.resumed_so_far()? == 0 {
            return Ok(());
        }
        let Some(open) = self.store.open_finding(&finding.id)? else { return Ok(()) };
        if self.store.is_fork_covered(&open.finding)? && !self.store.is_fork_covered(finding)? {
            // Found once more before the next act, it has the same name again.
            finding.id = format!("{}-after-{}", finding.id, self.store.resumed_so_far()?);
        }
        Ok(())
    }

    fn is_known(&self, finding: &Finding) -> Result<bool, Error> {
        let without_room = self.without_room.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let has_room = |id: &&EvidenceId| !without_room.contains(*id);
        if let Some(open) = self.store.open_finding(&finding.id)? {
            let was = open.finding;
            let says_why = finding.unproven.is_none() || !was.evidence.is_empty() || finding.unproven == was.unproven;
            return Ok(says_why && finding.evidence.iter().filter(has_room).all(|id| was.evidence.contains(id)));
        }
        // Further findings of its kind are told as one, and there is never room again: none of them ends.
        if self.store.open_finding(&format!("{}:{}", code::MANY, finding.code))?.is_none() {
            return Ok(false);
        }
        for id in finding.evidence.iter().filter(has_room) {
            if self.store.evidence(*id)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a file had no room before. There is more behind an act of the operator's alone, which another process hears of.
    pub(crate) fn is_without_room(&self, id: EvidenceId) -> bool {
        self.without_room.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    /// Remembers which files of a batch had no room.
    pub(crate) fn stored(&self, stored: &[Stored]) {
        let enough = stored.iter().filter_map(|one| match one {
            Stored::Enough(id) => Some(*id),
            Stored::New(_) | Stored::Known(_) => None,
        });
        let mut without_room = self.without_room.lock().unwrap_or_else(PoisonError::into_inner);
        for id in enough {
            if without_room.len() >= MOST_WITHOUT_ROOM {
                without_room.clear();
            }
            without_room.insert(id);
        }
    }
}
