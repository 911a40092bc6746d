//! Looking things up under the newest published head. Everything here blocks.

use proto::claim::ClaimId;
use proto::entry::{Entry, EntryExtra};
use proto::fold;
use proto::hash::Hash;
use proto::merkle::{inclusion_proof, root_at};
use proto::num::{LeafIndex, TreeSize};
use proto::receipt::Receipt;
use proto::tile::TileTree;

use super::Log;
use crate::sequencer::{StoreTiles, StoredState};
use crate::store::StoreError;

/// Why a lookup failed.
pub type LookupError = Box<dyn std::error::Error + Send + Sync>;

impl Log {
    /// The receipt of a claim under the newest head.
    pub fn receipt(&self, id: &ClaimId) -> Result<Option<Receipt>, LookupError> {
        let state = StoredState(&*self.store);
        let Some(found) = fold::read::claim(&state, id).map_err(unread)? else { return Ok(None) };
        Ok(self.receipt_at(LeafIndex(found.index))?.map(|(receipt, _)| receipt))
    }

    /// The receipt of the claim at an index, and the payload; `None` beyond the published tree.
    pub fn receipt_at(&self, index: LeafIndex) -> Result<Option<(Receipt, Vec<u8>)>, LookupError> {
        let published = self.published();
        self.receipt_under(index, published.head.size, &published.note)
    }

    /// The same under a head of this size that was published, perhaps with cosignatures.
    pub fn receipt_under(
        &self,
        index: LeafIndex,
        size: TreeSize,
        note: &[u8],
    ) -> Result<Option<(Receipt, Vec<u8>)>, LookupError> {
        let Some(entry) = self.entry_under(size, index)? else { return Ok(None) };
        let inclusion = inclusion_proof(&self.tree(size), index, size)?;
        let EntryExtra { timestamp, links, signatures } = EntryExtra::of(&entry);
        let receipt = Receipt {
            origin: self.origin.clone(),
            claim_id: ClaimId::of(&entry.payload_type, &entry.payload),
            index,
            timestamp,
            links,
            signatures,
            inclusion,
            checkpoint: String::from_utf8_lossy(note).into_owned(),
        };
        Ok(Some((receipt, entry.payload)))
    }

    fn entry_under(&self, size: TreeSize, index: LeafIndex) -> Result<Option<Entry>, LookupError> {
        if !index.is_in(size) {
            return Ok(None);
        }
        let bytes = self.store.entry(index)?.ok_or_else(|| format!("entry {index} is missing in the store"))?;
        Ok(Some(Entry::decode(&bytes)?))
    }

    /// The root of the first `size` entries, of a tree that was published.
    pub fn root_at(&self, size: TreeSize) -> Result<Hash, LookupError> {
        Ok(root_at(&self.tree(size), size)?)
    }

    /// The tree of a size that was published, over the store's tiles.
    pub fn tree(&self, size: TreeSize) -> TileTree<StoreTiles> {
        TileTree::new(StoreTiles(self.store.clone()), size)
    }
}

/// The store's error stays one: whoever asks is told whether it passes.
fn unread(stop: fold::Stop<StoreError>) -> LookupError {
    match stop {
        fold::Stop::State(error) => Box::new(error),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_in_recovery_is_known_as_such_to_whoever_looked_something_up() {
        let error = unread(fold::Stop::State(StoreError::Recovering));
        assert_eq!(StoreError::cause_of(&*error), Some(&StoreError::Recovering));
    }
}
