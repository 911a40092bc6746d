//! Evidence that ends cosigning, and what the operator's act covers.
//!
//! Whoever has one head of another history can make any number of files of it, one with each head that the log signs in public. So an
//! act covers heads, by what they say: those of the files, or of the forks without a file (`forks.rs`), that it names. A file all of
//! whose heads are among these, or states of the followed tree, shows nothing that was not looked at. It ends nothing, and from outside
//! it takes no room. A further head that is no state of the followed tree is news, whatever its size and kind, and whatever it is shown
//! beside: a state of the followed tree that an act named covers nothing.

use std::collections::BTreeSet;

use client::Error;
use proto::hash::Hash;
use proto::merkle::root_at;
use proto::misbehaviour::Misbehaviour;
use proto::num::{Millis, TreeSize};

use super::{Batch, LogStore};
use crate::evidence::{EvidenceId, NewEvidence, Stored, claimed_head, heads_of};
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

    /// Whether an act of the operator's covers heads that contradict each other. What contradicts a state of the followed tree is of
    /// another history, be it larger than what was read or not. Beside a covered head a larger one may be of the followed tree: that
    /// one says nothing yet, and is judged when it was read.
    pub(crate) fn is_covered(&self, heads: &[Head]) -> Result<bool, Error> {
        let covered = self.covered_heads()?;
        if covered.is_empty() {
            return Ok(false);
        }
        let (followed, others) = (self.cursor()?.range.size(), self.not_own(heads)?);
        let any = others.iter().any(|head| covered.contains(head));
        Ok(any && others.iter().all(|head| covered.contains(head) || head.size > followed))
    }

    /// Those of these heads that are not known to be states of the followed tree. The newest one that was taken is one, also before
    /// its entries are read.
    pub(super) fn not_own(&self, heads: &[Head]) -> Result<Vec<Head>, Error> {
        let (followed, mut others) = (self.cursor()?.range.size(), Vec::new());
        let newest = self.newest()?.and_then(|note| claimed_head(&note));
        for head in heads.iter().filter(|head| Some(**head) != newest) {
            if head.size > followed || self.root_of(followed, head.size)? != head.root {
                others.push(*head);
            }
        }
        Ok(others)
    }

    fn root_of(&self, followed: TreeSize, size: TreeSize) -> Result<Hash, Error> {
        if size == TreeSize(0) {
            return Ok(Hash::EMPTY_ROOT);
        }
        root_at(&self.tree(followed), size).map_err(|error| Error::local(error.to_string()))
    }

    /// How many files and heads acts of the operator's have named so far.
    pub(crate) fn resumed_so_far(&self) -> Result<usize, Error> {
        Ok(self.stop.resumed().len() + self.heads_of_resumed_forks()?.len())
    }

    /// The heads of the files despite which the operator resumed, as far as these are kept, and of the forks without one.
    fn covered_heads(&self) -> Result<BTreeSet<Head>, Error> {
        let mut heads = self.heads_of_resumed_forks()?;
        for id in self.stop.resumed() {
            let file = self.evidence(id)?.and_then(|(_, bytes)| Misbehaviour::parse(&bytes).ok());
            heads.extend(file.iter().flat_map(heads_of));
        }
        Ok(heads)
    }
}
