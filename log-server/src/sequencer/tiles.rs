//! The store's tiles, as the tree reads them.

use std::sync::Arc;

use proto::tile::{TileId, TileReader};

use crate::store::{Store, StoreError};

/// Reads tiles from a store. They were written and re-derived by this log, so they are trusted.
#[derive(Clone)]
pub struct StoreTiles(pub Arc<dyn Store>);

impl TileReader for StoreTiles {
    type Error = StoreError;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, StoreError> {
        self.0.tile(id.level(), id.index(), id.width())
    }
}
