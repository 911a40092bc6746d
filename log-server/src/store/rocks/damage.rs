//! Damages a stored log, for tests of what notices it.

use proto::hash::{HASH_BYTES, Hash};
use proto::num::LeafIndex;

use super::layout::{ENTRIES, TILES, run_first, tile_key};
use super::{Failed, RocksStore, options, read};
use crate::store::error::StoreError;
use crate::store::faulty::Damage;

impl Damage for RocksStore {
    fn overwrite_entry(&self, index: LeafIndex, entry: &[u8]) -> Result<(), StoreError> {
        self.write(&options::synced(), |db, write| {
            write.put_cf(read::family(db, ENTRIES)?, index.0.to_be_bytes(), entry);
            Ok(())
        })
        .map_err(Failed::error)
    }

    fn overwrite_hash(&self, level: u8, index: u64, hash: Hash) -> Result<(), StoreError> {
        self.write(&options::synced(), |db, write| {
            let tiles = read::family(db, TILES)?;
            // The run that holds the hash is the last one that does not begin after it.
            let mut runs = db.raw_iterator_cf(tiles);
            runs.seek_for_prev(tile_key(level, index));
            let found = runs.item().and_then(|(key, run)| Some((key, run_first(key)?, run.to_vec())));
            let Some((key, first, mut run)) = found else {
                return Err(StoreError::Corrupt(format!("no run of tile level {level} holds hash {index}")));
            };
            let place = usize::try_from(index - first).ok();
            let stored = place.and_then(|place| run.chunks_exact_mut(HASH_BYTES).nth(place));
            let Some(stored) = stored else {
                return Err(StoreError::Corrupt(format!("no run of tile level {level} holds hash {index}")));
            };
            stored.copy_from_slice(&hash.0);
            write.put_cf(tiles, key, &run);
            Ok(())
        })
        .map_err(Failed::error)
    }
}
