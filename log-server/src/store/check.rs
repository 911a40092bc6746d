//! What every store checks of a batch before it writes a byte.

use proto::hash::Hash;
use proto::num::{LeafIndex, MAX_TREE_SIZE, Millis, TreeSize};

use super::error::{BadBatch, StoreError};
use super::types::{Batch, Head, KeyValue, TILE_LEVELS, TILE_WIDTH, TileRun};

/// An entry bundle writes an entry's length as u16 (C2SP tlog-tiles).
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// Bytes of all entries, keys and values of one batch: what a store must be able to write at once. A thousand of the
/// longest entries with their indexes; the sequencer's own bound is lower.
pub const MAX_BATCH_BYTES: usize = 128 << 20;

/// Bytes of a state, row or report key. Keys are made of hashes, ids and dates, and an id has at most 4 KiB (a claim's
/// longest string), twice in the worst case.
pub const MAX_KEY_BYTES: usize = 16 << 10;

impl Batch {
    /// Whether the batch is one that may follow `before`: indices, sizes, times and tile runs fit, nothing is missing.
    /// Roots are not computed here; that is the sequencer's duty, before and after the write.
    pub fn check(&self, before: Option<&Head>) -> Result<(), BadBatch> {
        let size = before.map_or(TreeSize(0), |head| head.size);
        if self.first != size.next_index() {
            return Err(BadBatch::First { first: self.first, size });
        }
        let sum = self.first.0.saturating_add(self.entries.len() as u64);
        if self.head.size.0 != sum || sum > MAX_TREE_SIZE {
            return Err(BadBatch::Size { head: self.head.size, sum });
        }
        self.check_lengths()?;
        self.check_time(before)?;
        (0..TILE_LEVELS).try_for_each(|level| check_runs(&self.tiles, level, size, self.head.size))?;
        match self.tiles.iter().find(|run| run.level >= TILE_LEVELS) {
            Some(run) => {
                Err(BadBatch::Run { level: run.level, first: run.first, length: run.hashes.len(), expected: 0 })
            }
            None => Ok(()),
        }
    }

    fn check_lengths(&self) -> Result<(), BadBatch> {
        let mut bytes = 0usize;
        for (entry, index) in self.entries.iter().zip(self.first.0..) {
            if entry.is_empty() || entry.len() > MAX_ENTRY_BYTES {
                return Err(BadBatch::EntryLength { index: LeafIndex(index), length: entry.len() });
            }
            bytes += entry.len();
        }
        for pair in self.state.iter().chain(&self.rows) {
            check_pair(pair)?;
            bytes = bytes.saturating_add(pair.0.len() + pair.1.len());
        }
        if bytes > MAX_BATCH_BYTES {
            return Err(BadBatch::TooLarge { bytes, limit: MAX_BATCH_BYTES });
        }
        Ok(())
    }

    /// The rule of DESIGN §3: for a head (n, T), every entry below n has a second of at most T, every one from n on at
    /// least T; and neither heads nor entries ever go back.
    fn check_time(&self, before: Option<&Head>) -> Result<(), BadBatch> {
        let head = &self.head;
        if head.last_timestamp.seconds() > head.time {
            return Err(BadBatch::Time("the last entry is later than the head"));
        }
        if before.is_some_and(|before| head.time < before.time) {
            return Err(BadBatch::Time("the head is earlier than the one before"));
        }
        if self.entries.is_empty() {
            let (root, last) = before.map_or((Hash::EMPTY_ROOT, Millis(0)), |b| (b.root, b.last_timestamp));
            return if (head.root, head.last_timestamp) == (root, last) {
                Ok(())
            } else {
                Err(BadBatch::EmptyButChanged)
            };
        }
        match before {
            Some(before) if head.last_timestamp < before.last_timestamp => {
                Err(BadBatch::Time("the last entry is earlier than the last one before"))
            }
            Some(before) if head.last_timestamp.seconds() < before.time => {
                Err(BadBatch::Time("the last entry is earlier than the head before it"))
            }
            _ => Ok(()),
        }
    }
}

/// Key and value are of a size that every store takes.
pub(crate) fn check_pair((key, value): &KeyValue) -> Result<(), BadBatch> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES || value.len() > MAX_BATCH_BYTES {
        return Err(BadBatch::Pair { key: key.len(), value: value.len(), max_key: MAX_KEY_BYTES });
    }
    Ok(())
}

/// The runs of one level are exactly the hashes that growing from `before` to `after` completes. A hash that is not stored
/// now could never be stored later, so a gap is refused here and not met by a reader.
fn check_runs(runs: &[TileRun], level: u8, before: TreeSize, after: TreeSize) -> Result<(), BadBatch> {
    let mut expected = hashes_at(level, before);
    for run in runs.iter().filter(|run| run.level == level) {
        let room = TILE_WIDTH - expected % TILE_WIDTH;
        let length = run.hashes.len() as u64;
        if run.first != expected || length == 0 || length > room {
            return Err(BadBatch::Run { level, first: run.first, length: run.hashes.len(), expected });
        }
        expected += length;
    }
    if expected != hashes_at(level, after) {
        return Err(BadBatch::RunsMissing { level, end: expected, expected: hashes_at(level, after) });
    }
    Ok(())
}

/// How many hashes a tile level of a tree has: one for every 256^level entries.
pub(crate) fn hashes_at(level: u8, size: TreeSize) -> u64 {
    size.0.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

/// A tile of this level, index and width lies within the tree.
pub(crate) fn check_tile(level: u8, index: u64, width: u16, size: TreeSize) -> Result<(), StoreError> {
    let end = index.checked_mul(TILE_WIDTH).and_then(|first| first.checked_add(u64::from(width)));
    let fits = (1..=TILE_WIDTH).contains(&u64::from(width)) && end.is_some_and(|end| end <= hashes_at(level, size));
    if fits {
        Ok(())
    } else {
        Err(StoreError::OutOfRange { asked: format!("tile {level}/{index} of width {width}"), size })
    }
}

/// A range of entries lies within the tree.
pub(crate) fn check_range(range: &std::ops::Range<u64>, size: TreeSize) -> Result<(), StoreError> {
    if range.end <= size.0 || range.is_empty() {
        Ok(())
    } else {
        Err(StoreError::OutOfRange { asked: format!("entries {} to {}", range.start, range.end), size })
    }
}
