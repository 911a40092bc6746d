//! What writes put into one RocksDB batch.

use proto::hash::HASH_BYTES;
use proto::num::{LeafIndex, Seconds};
use rocksdb::{DB, WriteBatch};
use service::thinning::{KEEP_ONE_SECONDS, Thinning, thin_before};

use super::layout::{
    ENTRIES, HEADS, META, META_HEAD, META_REBUILD, META_THINNED, REPORTS, ROWS, STATE, TILES, head_key, tile_key,
};
use super::read;
use super::read::family;
use crate::store::check::{MAX_KEY_BYTES, check_pair};
use crate::store::error::{FenceMismatch, StoreError};
use crate::store::types::{Batch, Head, HeadKey, KeyValue, SignedHead};

/// Signed heads removed in one write, so that a long-overdue pruning does not hold up a commit.
pub(super) const PRUNE_STEP: usize = 4096;

/// Checks the fence and the batch against what a fresh read says, then puts all of it.
pub(super) fn batch(db: &DB, write: &mut WriteBatch, expected: Option<&Head>, batch: &Batch) -> Result<(), StoreError> {
    let found = read::head(db)?;
    if found.as_ref() != expected {
        return Err(StoreError::Fence(Box::new(FenceMismatch { expected: expected.copied(), found })));
    }
    if let Some(next) = read::rebuild_next(db)? {
        return Err(StoreError::Rebuilding { next });
    }
    batch.check(expected)?;
    let entries = family(db, ENTRIES)?;
    for (index, entry) in (batch.first.0..).zip(&batch.entries) {
        write.put_cf(entries, index.to_be_bytes(), entry);
    }
    let tiles = family(db, TILES)?;
    let mut hashes = Vec::new();
    for run in &batch.tiles {
        hashes.clear();
        hashes.reserve(run.hashes.len() * HASH_BYTES);
        run.hashes.iter().for_each(|hash| hashes.extend_from_slice(&hash.0));
        write.put_cf(tiles, tile_key(run.level, run.first), &hashes);
    }
    put_pairs(db, write, STATE, &batch.state)?;
    put_pairs(db, write, ROWS, &batch.rows)?;
    write.put_cf(family(db, META)?, META_HEAD, batch.head.to_bytes());
    Ok(())
}

/// Puts them ascending by key: neighbours in the sorted list in memory are then written one after another, which costs less
/// than a search from its top for random keys in turn. Of two values of one key the later one stays, for the sort is stable.
fn put_pairs(db: &DB, write: &mut WriteBatch, name: &str, pairs: &[KeyValue]) -> Result<(), StoreError> {
    let family = family(db, name)?;
    let mut ascending: Vec<&KeyValue> = pairs.iter().collect();
    ascending.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (key, value) in ascending {
        write.put_cf(family, key, value);
    }
    Ok(())
}

pub(super) fn signed_head(db: &DB, write: &mut WriteBatch, head: &SignedHead) -> Result<(), StoreError> {
    write.put_cf(family(db, HEADS)?, head_key(head.key), &head.note);
    Ok(())
}

pub(super) fn report(db: &DB, write: &mut WriteBatch, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    check_pair(&(key.to_vec(), value.to_vec()))?;
    write.put_cf(family(db, REPORTS)?, key, value);
    Ok(())
}

/// Removes some of the heads that are due; returns how many, and whether that was all.
pub(super) fn prune(db: &DB, write: &mut WriteBatch, now: Seconds) -> Result<(u64, bool), StoreError> {
    let (from, before) = (read::thinned_before(db)?, thin_before(now));
    if before <= from {
        return Ok((0, true));
    }
    let mut thinning = Thinning::default();
    let mut removed: Vec<HeadKey> = Vec::new();
    read::head_keys(db, from..before, &mut |key| {
        removed.extend(thinning.next(key.time, key));
        removed.len() < PRUNE_STEP
    })?;
    let heads = family(db, HEADS)?;
    for key in &removed {
        write.delete_cf(heads, head_key(*key));
    }
    let all = removed.len() < PRUNE_STEP;
    // What is left of a step cut short begins where it was cut: the minutes before it are done.
    let done = if all {
        before
    } else {
        removed.last().map_or(from, |key| Seconds(key.time.0 - key.time.0 % KEEP_ONE_SECONDS))
    };
    write.put_cf(family(db, META)?, META_THINNED, done.0.to_be_bytes());
    Ok((removed.len() as u64, all))
}

/// Empties state and rows and begins a rebuild.
pub(super) fn rebuild_start(db: &DB, write: &mut WriteBatch) -> Result<(), StoreError> {
    for name in [STATE, ROWS] {
        write.delete_range_cf(family(db, name)?, Vec::new(), above_all_keys());
    }
    write.put_cf(family(db, META)?, META_REBUILD, 0u64.to_be_bytes());
    Ok(())
}

/// A key above every key that a store takes.
pub(super) fn above_all_keys() -> Vec<u8> {
    vec![0xff; MAX_KEY_BYTES + 1]
}

pub(super) fn rebuild_put(
    db: &DB,
    write: &mut WriteBatch,
    steps: (LeafIndex, LeafIndex),
    state: &[KeyValue],
    rows: &[KeyValue],
) -> Result<(), StoreError> {
    let (from, next) = steps;
    let expected = read::rebuild_next(db)?;
    if expected != Some(from) || next < from || next.0 > read::size(db)?.0 {
        return Err(StoreError::RebuildStep { expected, given: from });
    }
    state.iter().chain(rows).try_for_each(check_pair)?;
    put_pairs(db, write, STATE, state)?;
    put_pairs(db, write, ROWS, rows)?;
    write.put_cf(family(db, META)?, META_REBUILD, next.0.to_be_bytes());
    Ok(())
}

pub(super) fn rebuild_finish(db: &DB, write: &mut WriteBatch) -> Result<(), StoreError> {
    let (expected, end) = (read::rebuild_next(db)?, read::size(db)?.next_index());
    if expected != Some(end) {
        return Err(StoreError::RebuildStep { expected, given: end });
    }
    write.delete_cf(family(db, META)?, META_REBUILD);
    Ok(())
}
