//! The nodes of a tree, out of its tiles.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::cache::TileCache;
use super::{BadTile, ExpandedTile, TILE_HEIGHT, TileId};
use crate::hash::Hash;
use crate::merkle::NodeReader;
use crate::num::TreeSize;

/// How many expanded tiles are kept unless told otherwise: 16 KiB each, 4 MiB together. A proof needs at most eight, a
/// batch of neighbours hardly more.
pub const DEFAULT_CACHED_TILES: NonZeroUsize = NonZeroUsize::new(256).expect("256 is not zero");

/// Gives tiles: from a store, from files, from a server.
pub trait TileReader {
    /// Why a tile could not be given.
    type Error;

    /// The tile's hashes, one after the other, exactly 32 bytes times its width.
    ///
    /// A tile never changes once given. When a partial tile is no longer kept, the first hashes of the full tile
    /// ([`TileId::full`]) are the same bytes, and the reader cuts them.
    fn tile(&self, id: TileId) -> Result<Vec<u8>, Self::Error>;
}

impl<R: TileReader + ?Sized> TileReader for &R {
    type Error = R::Error;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, R::Error> {
        (**self).tile(id)
    }
}

/// A node could not be read from tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileError<E> {
    /// The tree of this size has no such complete node or tile.
    #[error("the tree of {size} entries has no complete node {index} at level {level}")]
    Beyond {
        /// The node's level.
        level: u8,
        /// The node's index in its level.
        index: u64,
        /// The size of the tree.
        size: TreeSize,
    },
    /// What the reader gave is not a tile.
    #[error("{id} is malformed: {error}")]
    Malformed {
        /// Which tile.
        id: TileId,
        /// What is wrong with it.
        error: BadTile,
    },
    /// The reader failed.
    #[error("{id} could not be read")]
    Reader {
        /// Which tile.
        id: TileId,
        /// Why.
        #[source]
        error: E,
    },
}

/// The tree of a given size over tiles that are trusted: proofs for one entry or a whole batch.
///
/// Each tile is read and expanded into its inner nodes once, as long as it is among the bounded number that is kept.
/// Nothing here checks the hashes against a root; for tiles from elsewhere use [`super::VerifiedTree`].
#[derive(Debug)]
pub struct TileTree<R> {
    reader: R,
    size: TreeSize,
    cache: TileCache,
}

impl<R: TileReader> TileTree<R> {
    /// The tree of `size` entries, keeping [`DEFAULT_CACHED_TILES`].
    pub fn new(reader: R, size: TreeSize) -> TileTree<R> {
        TileTree::with_capacity(reader, size, DEFAULT_CACHED_TILES)
    }

    /// The tree of `size` entries, keeping at most `tiles` expanded tiles of 16 KiB.
    pub fn with_capacity(reader: R, size: TreeSize, tiles: NonZeroUsize) -> TileTree<R> {
        TileTree { reader, size, cache: TileCache::new(tiles) }
    }

    /// How many entries the tree has.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// Goes to another size of the same log. Tiles that are kept stay valid: a full tile never changes, and a partial
    /// one is kept under its width.
    pub fn set_size(&mut self, size: TreeSize) {
        self.size = size;
    }

    /// The reader underneath.
    pub fn reader(&self) -> &R {
        &self.reader
    }

    /// A tile of this tree, from those kept or from the reader.
    ///
    /// # Errors
    /// When the reader fails or gives something else than a tile of that width.
    pub fn tile(&self, id: TileId) -> Result<Arc<ExpandedTile>, TileError<R::Error>> {
        if let Some(tile) = self.kept(id) {
            return Ok(tile);
        }
        let tile = self.fetch(id)?;
        self.keep(id, &tile);
        Ok(tile)
    }

    pub(super) fn kept(&self, id: TileId) -> Option<Arc<ExpandedTile>> {
        self.cache.find(id)
    }

    pub(super) fn keep(&self, id: TileId, tile: &Arc<ExpandedTile>) {
        self.cache.keep(id, Arc::clone(tile));
    }

    pub(super) fn fetch(&self, id: TileId) -> Result<Arc<ExpandedTile>, TileError<R::Error>> {
        let bytes = self.reader.tile(id).map_err(|error| TileError::Reader { id, error })?;
        let tile = ExpandedTile::parse(&bytes, id.width()).map_err(|error| TileError::Malformed { id, error })?;
        Ok(Arc::new(tile))
    }
}

impl<R: TileReader> NodeReader for TileTree<R> {
    type Error = TileError<R::Error>;

    fn node(&self, level: u8, index: u64) -> Result<Hash, TileError<R::Error>> {
        let beyond = TileError::Beyond { level, index, size: self.size };
        let Some(place) = Place::of(level, index, self.size) else { return Err(beyond) };
        self.tile(place.tile)?.node(place.level, place.index).ok_or(beyond)
    }
}

/// Where a node stands within the tile that holds it.
pub(super) struct Place {
    pub(super) tile: TileId,
    /// Levels above the tile's own hashes, 0 to 7: a node eight levels up is a hash of the next tile.
    pub(super) level: u8,
    /// Index within that level of the tile.
    pub(super) index: u64,
}

impl Place {
    /// `None` when the tree of `size` entries has no such complete node.
    pub(super) fn of(level: u8, index: u64, size: TreeSize) -> Option<Place> {
        let nodes = size.0.checked_shr(u32::from(level))?;
        if index >= nodes {
            return None;
        }
        let above = level % TILE_HEIGHT;
        let bits = TILE_HEIGHT - above;
        let tile = TileId::at(level / TILE_HEIGHT, index >> bits, size)?;
        Some(Place { tile, level: above, index: index & ((1 << bits) - 1) })
    }
}
