//! Evidence that ends cosigning, and what the operator's act covers.
//!
//! Whoever has one head of another history can make any number of files of it, one with each head that the log signs in public. So an
//! act covers the heads of the files that it names: a file all of whose heads are among these, or states of the followed tree, shows
//! nothing that was not looked at. It ends nothing, and from outside it takes no room. A further head of another history is news.

use std::collections::BTreeSet;

use client::Error;
use proto::merkle::root_at;
use proto::misbehaviour::Misbehaviour;
use proto::num::Millis;

use super::{Batch, LogStore};
use crate::evidence::{EvidenceId, NewEvidence, Stored, heads_of};
use crate::gossip::core::Head;

impl LogStore {
    /// Makes all of it durable, or nothing of it.
    pub fn commit_batch(&self, batch: &Batch<'_>, now: Millis) -> Result<(), Error> {
        self.commit_evidence(batch, now).map(drop)
    }

    /// The same; says what became of each piece of evidence. The keys that it convicts must be ones of the trust file.
    pub fn commit_evidence(&self, batch: &Batch<'_>, now: Millis) -> Result<Vec<Stored>, Error> {
        let covered = self.covered_of(&batch.evidence);
        let stops = batch.evidence.iter().filter(|new| new.file.stops_cosigning()).map(|new| new.file.id());
        // Before it is durable: nothing is cosigned in between.
        let raised = self.stop.raise(stops.filter(|id| !covered.contains(id)));
        // Besides on another disk, perhaps: it ends cosigning also when this database cannot be written, and after a restart then.
        let written = if raised.is_empty() { Ok(()) } else { self.stop.write() };
        let stored = self.commit_all(batch, &covered, now).inspect_err(|_| self.owe(batch))?;
        self.forget_what_has_no_room(&stored)?;
        written.map(|()| stored)
    }

    /// What is not kept is not what the operator could look at; enough of its kind is, and stands: it ends cosigning now.
    pub(super) fn forget_what_has_no_room(&self, stored: &[Stored]) -> Result<(), Error> {
        let without_room = stored.iter().filter_map(|one| match one {
            Stored::Enough(id) => Some(*id),
            Stored::New(_) | Stored::Known(_) => None,
        });
        if self.stop.forget(without_room) { self.stop.write() } else { Ok(()) }
    }

    /// Those of these files that an act covers. One that cannot be held against what is kept is not.
    pub(super) fn covered_of(&self, evidence: &[NewEvidence]) -> Vec<EvidenceId> {
        let is_covered = |new: &&NewEvidence| self.is_covered(new.file.heads()).unwrap_or(false);
        let stops = evidence.iter().filter(|new| new.file.stops_cosigning());
        stops.filter(is_covered).map(|new| new.file.id()).collect()
    }

    /// Whether an act of the operator's covers heads that contradict each other. One that is larger than what was read says nothing
    /// yet: it is judged when it was.
    pub(crate) fn is_covered(&self, heads: &[Head]) -> Result<bool, Error> {
        let covered = self.covered_heads()?;
        if !heads.iter().any(|head| covered.contains(head)) {
            return Ok(false);
        }
        let followed = self.cursor()?.range.size();
        for head in heads.iter().filter(|head| head.size <= followed && !covered.contains(head)) {
            let ours = root_at(&self.tree(followed), head.size).map_err(|error| Error::local(error.to_string()))?;
            if ours != head.root {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The heads of the files despite which the operator resumed, as far as these are kept.
    fn covered_heads(&self) -> Result<BTreeSet<Head>, Error> {
        let mut heads = BTreeSet::new();
        for id in self.stop.resumed() {
            let file = self.evidence(id)?.and_then(|(_, bytes)| Misbehaviour::parse(&bytes).ok());
            heads.extend(file.iter().flat_map(heads_of));
        }
        Ok(heads)
    }
}
