//! A bounded number of expanded tiles, the least recently used ones go first.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{ExpandedTile, TileId};

/// Tiles that are kept. A mutex and not a `RefCell`, so that threads that answer requests can share one tree; it is held
/// for a look-up or an insertion only, never while a tile is read or hashed.
#[derive(Debug)]
pub(super) struct TileCache {
    capacity: NonZeroUsize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Counts uses; a tile's number is that of its last use.
    uses: u64,
    tiles: HashMap<TileId, (u64, Arc<ExpandedTile>)>,
}

impl TileCache {
    pub(super) fn new(capacity: NonZeroUsize) -> TileCache {
        TileCache { capacity, kept: Mutex::new(Kept::default()) }
    }

    pub(super) fn find(&self, id: TileId) -> Option<Arc<ExpandedTile>> {
        let mut kept = self.lock();
        kept.uses += 1;
        let now = kept.uses;
        let (used, tile) = kept.tiles.get_mut(&id)?;
        *used = now;
        Some(Arc::clone(tile))
    }

    pub(super) fn keep(&self, id: TileId, tile: Arc<ExpandedTile>) {
        let mut kept = self.lock();
        kept.uses += 1;
        let now = kept.uses;
        kept.tiles.insert(id, (now, tile));
        if kept.tiles.len() > self.capacity.get() {
            // A scan of all is cheap against the reading and the 255 hashes that each insertion comes with.
            let oldest = kept.tiles.iter().min_by_key(|(_, (used, _))| *used).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                kept.tiles.remove(&oldest);
            }
        }
    }

    /// A thread that panicked while it held the lock left at worst a tile too many or too few behind.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_tile_goes_first() {
        let cache = TileCache::new(NonZeroUsize::new(2).expect("not zero"));
        let id = |index| TileId::new(0, index, 1).expect("in range");
        let tile = Arc::new(ExpandedTile::parse(&[0; 32], 1).expect("one hash"));
        cache.keep(id(0), Arc::clone(&tile));
        cache.keep(id(1), Arc::clone(&tile));
        assert!(cache.find(id(0)).is_some());
        cache.keep(id(2), tile);
        assert!(cache.find(id(1)).is_none(), "used longest ago");
        assert!(cache.find(id(0)).is_some() && cache.find(id(2)).is_some());
    }
}
