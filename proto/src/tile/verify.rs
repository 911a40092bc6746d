//! Tiles from a stranger: none is used before it is tied to a signed root.
//!
//! The partial tiles of a tree hold exactly the hashes that its root is computed from, so the root vouches for them. A
//! full tile is vouched for by its own hash, which stands in the tile above; that one is full and vouched for likewise,
//! or partial. So a chain of at most eight tiles leads from the root to any hash.

use std::sync::Arc;

use super::reader::Place;
use super::{Bundle, DEFAULT_CACHED_TILES, ExpandedTile, TileError, TileId, TileReader, TileTree, partial_tiles};
use crate::hash::Hash;
use crate::merkle::{NodeReader, ProofError, root_at};
use crate::num::{LeafIndex, TreeSize};

/// Tiles could not be tied to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError<E> {
    /// The partial tiles lead to another root than the signed one.
    #[error("the tiles of the tree of {size} entries lead to the root {computed}, not to the signed {signed}")]
    Root {
        /// The size of the tree.
        size: TreeSize,
        /// The root that the tiles lead to.
        computed: Hash,
        /// The root that was signed.
        signed: Hash,
    },
    /// A full tile is not the one whose hash stands in the tile above.
    #[error("{id} does not belong to the signed tree: its hash is not the one at place {place} of {parent}")]
    Tile {
        /// The tile that does not belong.
        id: TileId,
        /// The tile above, which does belong.
        parent: TileId,
        /// The place in the tile above.
        place: u16,
    },
    /// The signed tree has no such tile.
    #[error("the tree of {size} entries has no {id}")]
    NoSuchTile {
        /// The tile that was asked for.
        id: TileId,
        /// The size of the tree.
        size: TreeSize,
    },
    /// The size is above 2^63 - 1.
    #[error("a tree of {size} entries is larger than any log may be (2^63-1)")]
    TooLarge {
        /// The size that was given.
        size: TreeSize,
    },
    /// A tile could not be read.
    #[error(transparent)]
    Tiles(#[from] TileError<E>),
}

/// A tree whose root is signed, over tiles that nobody vouches for. Every hash that it gives was tied to the root.
#[derive(Debug)]
pub struct VerifiedTree<R> {
    /// Holds full tiles only after they were checked.
    tree: TileTree<R>,
    /// The partial tiles, by level; they stay, since every chain ends in one of them.
    edge: Vec<(TileId, Arc<ExpandedTile>)>,
}

impl<R: TileReader> VerifiedTree<R> {
    /// Reads the partial tiles of the tree of `size` entries and checks that they lead to `root`, which the caller took
    /// from a verified checkpoint.
    ///
    /// # Errors
    /// [`VerifyError::Root`] when they do not, or when a tile cannot be read.
    pub fn open(reader: R, size: TreeSize, root: &Hash) -> Result<VerifiedTree<R>, VerifyError<R::Error>> {
        let tree = TileTree::with_capacity(reader, size, DEFAULT_CACHED_TILES);
        let edge = partial_tiles(size).map(|id| Ok((id, tree.fetch(id)?))).collect::<Result<Vec<_>, TileError<_>>>()?;
        let opened = VerifiedTree { tree, edge };
        let computed = root_at(&opened, size).map_err(|error| match error {
            ProofError::Reader(error) => error,
            // The other two belong to proofs of entries and of sizes, which are not asked for here.
            ProofError::TooLarge { .. } | ProofError::Beyond { .. } | ProofError::Shrinks { .. } => {
                VerifyError::TooLarge { size }
            }
        })?;
        if computed == *root { Ok(opened) } else { Err(VerifyError::Root { size, computed, signed: *root }) }
    }

    /// How many entries the tree has.
    pub fn size(&self) -> TreeSize {
        self.tree.size()
    }

    /// A tile of the signed tree, checked. `id` must have the width that it has at this size, as [`TileId::at`] gives.
    ///
    /// # Errors
    /// [`VerifyError::Tile`] when the tile is not the signed tree's, [`VerifyError::NoSuchTile`] when that has none of
    /// this name, or when a tile cannot be read.
    pub fn tile(&self, id: TileId) -> Result<Arc<ExpandedTile>, VerifyError<R::Error>> {
        if let Some((_, tile)) = self.edge.iter().find(|(edge, _)| *edge == id) {
            return Ok(Arc::clone(tile));
        }
        if let Some(tile) = self.tree.kept(id) {
            return Ok(tile);
        }
        let no_such_tile = VerifyError::NoSuchTile { id, size: self.size() };
        let Some((parent, place)) = id.parent(self.size()) else { return Err(no_such_tile) };
        // Each step goes one level up, and the top level of a tree is always partial.
        let above = self.tile(parent)?;
        let tile = self.tree.fetch(id)?;
        if tile.root().is_none() || tile.root() != above.node(0, u64::from(place)) {
            return Err(VerifyError::Tile { id, parent, place });
        }
        self.tree.keep(id, &tile);
        Ok(tile)
    }
}

impl<R: TileReader> NodeReader for VerifiedTree<R> {
    type Error = VerifyError<R::Error>;

    fn node(&self, level: u8, index: u64) -> Result<Hash, VerifyError<R::Error>> {
        let beyond = TileError::Beyond { level, index, size: self.size() };
        let Some(place) = Place::of(level, index, self.size()) else { return Err(beyond.into()) };
        Ok(self.tile(place.tile)?.node(place.level, place.index).ok_or(beyond)?)
    }
}

/// An entry is not the one whose leaf hash stands in the tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleMismatch {
    /// The bundle has more or fewer entries than the tile has hashes.
    #[error("the bundle has {entries} entries and the tile {hashes} hashes")]
    Count {
        /// Entries in the bundle.
        entries: usize,
        /// Hashes in the tile.
        hashes: usize,
    },
    /// The leaf hash of an entry differs.
    #[error("entry {index} has the leaf hash {computed}, but the tile says {expected}")]
    Entry {
        /// The entry's index in the log.
        index: LeafIndex,
        /// The leaf hash of its bytes.
        computed: Hash,
        /// The hash in the tile.
        expected: Hash,
    },
}

/// Whether the entries of a bundle are those whose leaf hashes stand in the tile of level 0; `first` is the index of the
/// first entry, for the error.
///
/// # Errors
/// The first entry that differs, or the counts if they do.
pub fn check_bundle(first: LeafIndex, bundle: &Bundle<'_>, tile: &ExpandedTile) -> Result<(), BundleMismatch> {
    let (entries, hashes) = (bundle.entries().len(), tile.hashes().len());
    if entries != hashes {
        return Err(BundleMismatch::Count { entries, hashes });
    }
    for (number, (computed, expected)) in (0u64..).zip(bundle.leaf_hashes().zip(tile.hashes())) {
        if computed != *expected {
            let index = LeafIndex(first.0.saturating_add(number));
            return Err(BundleMismatch::Entry { index, computed, expected: *expected });
        }
    }
    Ok(())
}
