//! Full tiles and bundles, kept in memory as the bytes that go out: they never change, and a reader who follows the log
//! asks for the same ones as everybody else.

use axum::body::Bytes;
use proto::tile::TilePath;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// What an entry of the cache costs besides its bytes; rounded up.
const OVERHEAD_BYTES: u64 = 128;

/// Bytes of a typical answer, a full tile: from it the cache takes how many there will be.
const TYPICAL_BYTES: usize = 8 * 1024;

/// One of the things kept: which, and whether packed with gzip.
pub(super) type Name = (TilePath, bool);

/// A body as it goes out.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) body: Bytes,
    pub(super) gzip: bool,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Name, Kept> for ByBytes {
    fn weight(&self, _: &Name, kept: &Kept) -> u64 {
        kept.body.len() as u64 + OVERHEAD_BYTES
    }
}

/// Bodies that never change, the least useful ones go first.
pub(super) struct KeptTiles(Cache<Name, Kept, ByBytes>);

impl KeptTiles {
    /// At most so many bytes. Zero keeps nothing.
    pub(super) fn new(bytes: usize) -> KeptTiles {
        KeptTiles(Cache::with_weighter(bytes / TYPICAL_BYTES, bytes as u64, ByBytes))
    }

    pub(super) fn find(&self, name: &Name) -> Option<Kept> {
        self.0.get(name)
    }

    /// Keeps a body if it can never be another one: a partial tile is soon replaced by a wider one and asked for no more.
    pub(super) fn keep(&self, name: Name, kept: &Kept) {
        if name.0.is_full() {
            self.0.insert(name, kept.clone());
        }
    }

    #[cfg(test)]
    fn bytes(&self) -> u64 {
        self.0.weight()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(path: &str) -> Name {
        (path.parse().expect("a path"), false)
    }

    #[test]
    fn only_full_tiles_are_kept_and_their_bytes_are_bounded() {
        let kept = Kept { body: Bytes::from(vec![7; TYPICAL_BYTES]), gzip: false };
        let tiles = KeptTiles::new(16 * TYPICAL_BYTES);
        tiles.keep(tile("tile/0/000.p/7"), &kept);
        assert!(tiles.find(&tile("tile/0/000.p/7")).is_none());
        for n in 0..200 {
            tiles.keep(tile(&format!("tile/0/{n:03}")), &kept);
            assert!(tiles.bytes() <= 16 * TYPICAL_BYTES as u64);
        }
        let left = (0..200).filter(|n| tiles.find(&tile(&format!("tile/0/{n:03}"))).is_some()).count();
        assert!((1..16).contains(&left), "{left} are left");
        let nothing = KeptTiles::new(0);
        nothing.keep(tile("tile/0/000"), &kept);
        assert!(nothing.find(&tile("tile/0/000")).is_none());
    }
}
