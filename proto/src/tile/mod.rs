//! Tiles and entry bundles, as logs publish them (C2SP tlog-tiles).
//!
//! A tile is 256 hashes of one level of the tree, every eighth level; an entry bundle is the 256 entries under a tile of
//! level 0. Both are files with fixed names, and a full one never changes.
//!
//! - [`TileId`], [`BundleId`], [`TilePath`]: the names, parsed strictly, and which tiles a tree of some size has;
//! - [`Bundle`], [`encode_bundle`]: the entries in a bundle;
//! - [`TileReader`], [`TileTree`]: proofs out of tiles that are trusted because they are one's own;
//! - [`VerifiedTree`]: tiles from a stranger, each tied to a signed root before its hashes are used.

mod bundle;
mod cache;
mod expanded;
mod id;
mod path;
mod reader;
mod verify;

pub use bundle::{BadBundle, Bundle, MAX_ENTRY_BYTES, encode_bundle, push_entry};
pub use expanded::{BadTile, ExpandedTile};
pub use id::{
    BadTileId, BundleId, MAX_TILE_INDEX, MAX_TILE_LEVEL, TileId, full_tiles, hashes_at, partial_tiles, partial_width,
};
pub use path::{BadTilePath, MAX_PATH_BYTES, TilePath};
pub use reader::{DEFAULT_CACHED_TILES, TileError, TileReader, TileTree};
pub use verify::{BundleMismatch, VerifiedTree, VerifyError, check_bundle};

/// How many levels of the tree a tile covers; the hashes of tile level L are the nodes at level 8·L.
pub const TILE_HEIGHT: u8 = 8;

/// How many hashes a full tile has, and how many entries a full bundle.
pub const TILE_WIDTH: u16 = 1 << TILE_HEIGHT;
