//! How large the tree was at some time.

use super::{QueryError, Reader, Result};
use crate::entry::Entry;
use crate::num::{LeafIndex, Millis, TreeSize};

/// The number of entries, among the first `size`, whose timestamp is before `time`. Timestamps never go back, so this is
/// the tree as it was then. Reads a number of entries that is logarithmic in `size`.
pub fn size_before<R: Reader>(reader: &R, size: TreeSize, time: Millis) -> Result<TreeSize, R> {
    let (mut low, mut high) = (0, size.0);
    while low < high {
        let middle = low + (high - low) / 2;
        if timestamp(reader, LeafIndex(middle))? < time {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(TreeSize(low))
}

/// The number of entries, among the first `size`, whose timestamp is `time` or before.
pub fn size_at<R: Reader>(reader: &R, size: TreeSize, time: Millis) -> Result<TreeSize, R> {
    match time.0.checked_add(1) {
        Some(after) => size_before(reader, size, Millis(after)),
        None => Ok(size),
    }
}

/// The entry at an index that the tree has; one that is missing or malformed is [`QueryError::Corrupt`].
pub fn entry_at<R: Reader>(reader: &R, index: LeafIndex) -> Result<Entry, R> {
    let bytes = reader.entry(index).map_err(QueryError::Read)?;
    let bytes = bytes.ok_or_else(|| QueryError::Corrupt(format!("entry {index} is missing")))?;
    Entry::decode(&bytes).map_err(|error| QueryError::Corrupt(format!("entry {index}: {error}")))
}

fn timestamp<R: Reader>(reader: &R, index: LeafIndex) -> Result<Millis, R> {
    entry_at(reader, index).map(|entry| entry.timestamp)
}
