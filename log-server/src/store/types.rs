//! What a store is given and what it gives back.

use bytes::Bytes;
use proto::hash::{HASH_BYTES, Hash};
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};

/// Hashes in a full tile (C2SP tlog-tiles: tiles have a height of 8).
pub const TILE_WIDTH: u64 = 256;

/// Tile levels a tree below 2^63 entries can have: level 7 holds the nodes over 2^56 entries each, level 8 would need 2^64.
pub const TILE_LEVELS: u8 = 8;

/// A key and its value, as the fold returns them.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// What a committed batch made of the tree: the record that the next commit is fenced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Entries in the tree.
    pub size: TreeSize,
    /// The root hash over them.
    pub root: Hash,
    /// The head's time T (DESIGN §3 "Time"), chosen together with the batch. Recovery signs this very time again.
    pub time: Seconds,
    /// The timestamp of the last entry, zero in a tree without entries. The next entry's may not be lower.
    pub last_timestamp: Millis,
}

/// Bytes of a stored [`Head`]: three u64 and the root.
pub(crate) const HEAD_BYTES: usize = 3 * 8 + HASH_BYTES;

impl Head {
    /// `size ‖ root ‖ time ‖ last_timestamp`, numbers big-endian.
    pub(crate) fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..8].copy_from_slice(&self.size.0.to_be_bytes());
        bytes[8..40].copy_from_slice(&self.root.0);
        bytes[40..48].copy_from_slice(&self.time.0.to_be_bytes());
        bytes[48..].copy_from_slice(&self.last_timestamp.0.to_be_bytes());
        bytes
    }

    /// Reads what [`Head::to_bytes`] wrote; `None` for any other length.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Head> {
        let bytes: &[u8; HEAD_BYTES] = bytes.try_into().ok()?;
        Some(Head {
            size: TreeSize(be64(&bytes[..8])?),
            root: Hash::from_slice(&bytes[8..40])?,
            time: Seconds(be64(&bytes[40..48])?),
            last_timestamp: Millis(be64(&bytes[48..])?),
        })
    }
}

/// A big-endian u64 of exactly eight bytes.
pub(crate) fn be64(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// Neighbouring hashes of one tile level. Hash `i` of level L is the node over the entries `[i * 256^L, (i + 1) * 256^L)`;
/// level 0 are the leaf hashes. A run lies within one tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileRun {
    /// The tile level, 0 to 7.
    pub level: u8,
    /// Where in its level the first hash stands, counted from the level's first hash (not from the tile's).
    pub first: u64,
    /// The hashes, at least one.
    pub hashes: Vec<Hash>,
}

impl TileRun {
    /// Adds a hash to the run that it continues, or begins one; runs end at tiles' borders.
    pub fn push(runs: &mut Vec<TileRun>, level: u8, at: u64, hash: Hash) {
        debug_assert!(level < TILE_LEVELS);
        let open = runs.iter_mut().rev().find(|run| run.level == level);
        match open {
            Some(run) if run.first + run.hashes.len() as u64 == at && !at.is_multiple_of(TILE_WIDTH) => {
                run.hashes.push(hash);
            }
            _ => runs.push(TileRun { level, first: at, hashes: vec![hash] }),
        }
    }

    /// Cuts neighbouring hashes of one level, the first one at `first`, into runs that each lie within one tile.
    pub fn split(level: u8, first: u64, hashes: &[Hash]) -> Vec<TileRun> {
        let mut runs = Vec::new();
        let (mut first, mut rest) = (first, hashes);
        while !rest.is_empty() {
            let room = TILE_WIDTH - first % TILE_WIDTH;
            let take = usize::try_from(room).map_or(rest.len(), |room| room.min(rest.len()));
            let (run, later) = rest.split_at(take);
            runs.push(TileRun { level, first, hashes: run.to_vec() });
            first += take as u64;
            rest = later;
        }
        runs
    }
}

/// Everything that becomes durable together: some entries and all that follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The index of the first entry, which is the size of the tree before the batch.
    pub first: LeafIndex,
    /// The entries' bytes. None at all stamps the same tree again with a later time.
    pub entries: Vec<Bytes>,
    /// The hashes that the entries complete, of every tile level: exactly those, each once, ascending within a level.
    pub tiles: Vec<TileRun>,
    /// The fold's state changes. Of two changes of one key the later one counts.
    pub state: Vec<KeyValue>,
    /// The fold's rows. Of two rows with one key the later one counts.
    pub rows: Vec<KeyValue>,
    /// The tree after the batch.
    pub head: Head,
}

/// Where a signed head stands among the others: by time, then by size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeadKey {
    /// The head's time.
    pub time: Seconds,
    /// The head's tree size.
    pub size: TreeSize,
}

/// A head that the log signed, as it was or will be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// Its time and size.
    pub key: HeadKey,
    /// The signed note's bytes, with whatever signatures it carries.
    pub note: Bytes,
}

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the lowest key up.
    Forward,
    /// From the highest key down.
    Backward,
}

/// Bytes that the parts of a store take, for metrics; estimates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// The entries, in bytes.
    pub entries_bytes: u64,
    /// The tree's hashes, in bytes.
    pub tiles_bytes: u64,
    /// The fold's state, in bytes.
    pub state_bytes: u64,
    /// The fold's rows (the search indexes), in bytes.
    pub rows_bytes: u64,
    /// The signed heads, in bytes.
    pub heads_bytes: u64,
    /// The fork reports, in bytes.
    pub reports_bytes: u64,
    /// Main memory held for caches and writes that are not yet in their place, in bytes.
    pub memory_bytes: u64,
}
