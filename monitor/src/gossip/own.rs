//! The own tree: leaf hashes that this monitor kept, asked with no network.

use client::Error;
use proto::hash::Hash;
use proto::merkle::{consistency_proof, root_at};
use proto::num::TreeSize;

use super::core::{Head, OwnTree, Proof};
use crate::follow::FollowedLog;

/// The tree of a log as far as it was followed.
pub(super) struct Own<'a> {
    log: &'a FollowedLog,
    size: TreeSize,
}

impl<'a> Own<'a> {
    pub(super) fn of(log: &'a FollowedLog) -> Result<Own<'a>, Error> {
        Ok(Own { log, size: log.store.cursor()?.range.size() })
    }

    fn root(&self, size: TreeSize) -> Result<Hash, Error> {
        if size == TreeSize(0) {
            return Ok(Hash::EMPTY_ROOT);
        }
        root_at(&self.log.store.tree(self.size), size).map_err(|e| Error::local(e.to_string()))
    }

    /// Whether this head is a state of the own tree.
    pub(super) fn has(&self, head: Head) -> Result<bool, Error> {
        Ok(head.size <= self.size && self.root(head.size)? == head.root)
    }

    /// The root at `from` in the tree of this head, with the proof; nothing when the head is none of the own tree.
    pub(super) fn proof(&self, from: TreeSize, head: Head) -> Result<Option<Proof>, Error> {
        if from == TreeSize(0) || from >= head.size || !self.has(head)? {
            return Ok(None);
        }
        let hashes = consistency_proof(&self.log.store.tree(self.size), from, head.size);
        let hashes = hashes.map_err(|e| Error::local(e.to_string()))?;
        Ok(Some(Proof { from, root: Some(self.root(from)?), hashes }))
    }
}

impl OwnTree for Own<'_> {
    fn root_at(&self, size: TreeSize) -> Option<Hash> {
        if size > self.size {
            return None;
        }
        // What cannot be read now says nothing of the head; it waits.
        self.root(size)
            .inspect_err(|error| tracing::error!(origin = self.log.origin(), error = error.message, "a root"))
            .ok()
    }
}

/// The proof from own leaf hashes that ties `head` to the first `from` entries; nothing when the head is none of the own tree.
///
/// Waits for the disk.
///
/// # Errors
/// When the own tree cannot be read.
pub fn own_proof(log: &FollowedLog, from: TreeSize, head: Head) -> Result<Option<Proof>, Error> {
    Own::of(log)?.proof(from, head)
}
