//! Leaf hashes as tiles, and mirrored bundles.

use std::collections::BTreeMap;

use client::Error;
use proto::hash::{HASH_BYTES, Hash};
use proto::num::TreeSize;
use proto::tile::{BadBundle, Bundle, BundleId, TILE_WIDTH, TileId, TileReader, TileTree, encode_bundle};
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};

use super::{LogStore, broken};

/// (tile level, index) → hashes, as many as there are
const TILES: TableDefinition<(u8, u64), &[u8]> = TableDefinition::new("tiles");
/// index → number of entries (two bytes), then the bundle as the log served it last
const BUNDLES: TableDefinition<u64, &[u8]> = TableDefinition::new("bundles");

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(TILES)?;
    transaction.open_table(BUNDLES)?;
    Ok(())
}

/// Puts new hashes behind those that are there.
pub(super) fn insert(transaction: &WriteTransaction, nodes: &[(u8, u64, Hash)]) -> Result<(), redb::Error> {
    let mut grown: BTreeMap<(u8, u64), Vec<u8>> = BTreeMap::new();
    let mut tiles = transaction.open_table(TILES)?;
    for (level, index, hash) in nodes {
        let (tile, place) = (index / u64::from(TILE_WIDTH), index % u64::from(TILE_WIDTH));
        let bytes = match grown.entry((*level, tile)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let kept = tiles.get((*level, tile))?.map(|value| value.value().to_vec()).unwrap_or_default();
                entry.insert(kept)
            }
        };
        let start = usize::try_from(place).unwrap_or(usize::MAX).saturating_mul(HASH_BYTES);
        if bytes.len() < start {
            let message = format!("hash {index} of tile level {level} would leave a hole");
            return Err(redb::Error::Io(std::io::Error::other(message)));
        }
        bytes.truncate(start);
        bytes.extend_from_slice(&hash.0);
    }
    for (key, bytes) in &grown {
        tiles.insert(key, bytes.as_slice())?;
    }
    Ok(())
}

/// A bundle as it is kept.
pub(super) fn kept_bundle(entries: &[Vec<u8>]) -> Result<Vec<u8>, BadBundle> {
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    Ok([count.to_be_bytes().as_slice(), &encode_bundle(entries)?].concat())
}

pub(super) fn insert_bundles(transaction: &WriteTransaction, bundles: &[(u64, Vec<u8>)]) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(BUNDLES)?;
    for (index, bytes) in bundles {
        table.insert(index, bytes.as_slice())?;
    }
    Ok(())
}

/// The hashes that are kept, as tiles. They are this monitor's own: nothing is asked of anyone.
#[derive(Clone, Copy)]
pub struct StoredTiles<'a>(&'a LogStore);

impl LogStore {
    /// The tree of `size` entries, which must not be more than were followed.
    pub fn tree(&self, size: TreeSize) -> TileTree<StoredTiles<'_>> {
        TileTree::new(StoredTiles(self), size)
    }

    /// A tile, cut to its width; nothing when not so many hashes are known yet.
    pub fn tile_bytes(&self, id: TileId) -> Result<Option<Vec<u8>>, Error> {
        let bytes = self.read(|transaction| {
            let table = transaction.open_table(TILES)?;
            Ok(table.get((id.level(), id.index()))?.map(|value| value.value().to_vec()))
        })?;
        let wanted = usize::from(id.width()) * HASH_BYTES;
        Ok(bytes.filter(|bytes| bytes.len() >= wanted).map(|mut bytes| {
            bytes.truncate(wanted);
            bytes
        }))
    }

    /// A mirrored bundle, cut to its width; nothing when it is not kept, or not so much of it.
    pub fn bundle_bytes(&self, id: BundleId) -> Result<Option<Vec<u8>>, Error> {
        let bytes = self.read(|transaction| {
            let table = transaction.open_table(BUNDLES)?;
            Ok(table.get(id.index())?.map(|value| value.value().to_vec()))
        })?;
        let Some(bytes) = bytes else { return Ok(None) };
        let damaged = || broken(&self.path, &format!("{id} is damaged"));
        let (count, bytes) = bytes.split_first_chunk::<2>().ok_or_else(damaged)?;
        let count = u16::from_be_bytes(*count);
        if count < id.width() {
            return Ok(None);
        }
        let kept = Bundle::parse(bytes, count).map_err(|_| damaged())?;
        let cut = &kept.entries()[..usize::from(id.width())];
        encode_bundle(cut).map(Some).map_err(|e| broken(&self.path, &e))
    }
}

impl TileReader for StoredTiles<'_> {
    type Error = Error;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, Error> {
        let missing = || broken(&self.0.path, &format!("{id} is missing"));
        self.0.tile_bytes(id)?.ok_or_else(missing)
    }
}
