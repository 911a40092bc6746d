//! Reads of one open database.

use std::ops::Range;

use bytes::Bytes;
use proto::hash::HASH_BYTES;
use proto::num::{LeafIndex, Seconds, TreeSize};
use rocksdb::{ColumnFamily, DB, DBRawIterator, ErrorKind, ReadOptions, properties};

use super::layout::{
    ENTRIES, FAMILIES, HEADS, META, META_HEAD, META_REBUILD, META_THINNED, REPORTS, ROWS, STATE, TILES, head_key,
    parse_head_key, prefix_end, run_first, tile_end, tile_key,
};
use super::options::{between, entry_scan};
use crate::store::check::{check_range, check_tile};
use crate::store::error::StoreError;
use crate::store::types::{Direction, Head, HeadKey, SignedHead, StoreStats, TILE_WIDTH, be64};
use crate::store::{EachEntry, EachHead, EachPair};

/// RocksDB's errors: damage told apart from failure.
pub(super) fn failed(error: rocksdb::Error) -> StoreError {
    match error.kind() {
        ErrorKind::Corruption => StoreError::Corrupt(error.into_string()),
        _ => StoreError::Io(error.into_string()),
    }
}

fn corrupt(what: String) -> StoreError {
    StoreError::Corrupt(what)
}

/// A column family, which every open database has.
pub(super) fn family<'a>(db: &'a DB, name: &str) -> Result<&'a ColumnFamily, StoreError> {
    db.cf_handle(name).ok_or_else(|| corrupt(format!("column family {name} is missing")))
}

fn value(db: &DB, name: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let value = db.get_pinned_cf(family(db, name)?, key).map_err(failed)?;
    Ok(value.map(|value| value.to_vec()))
}

fn number(db: &DB, key: &[u8]) -> Result<Option<u64>, StoreError> {
    let Some(bytes) = value(db, META, key)? else { return Ok(None) };
    let number = be64(&bytes).ok_or_else(|| corrupt(format!("meta {} is no number", key.escape_ascii())))?;
    Ok(Some(number))
}

pub(super) fn meta(db: &DB, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    value(db, META, key)
}

pub(super) fn head(db: &DB) -> Result<Option<Head>, StoreError> {
    let Some(bytes) = value(db, META, META_HEAD)? else { return Ok(None) };
    Head::from_bytes(&bytes).map(Some).ok_or_else(|| corrupt("the committed head is unreadable".to_owned()))
}

pub(super) fn size(db: &DB) -> Result<TreeSize, StoreError> {
    Ok(head(db)?.map(|head| head.size).unwrap_or_default())
}

pub(super) fn rebuild_next(db: &DB) -> Result<Option<LeafIndex>, StoreError> {
    Ok(number(db, META_REBUILD)?.map(LeafIndex))
}

pub(super) fn thinned_before(db: &DB) -> Result<Seconds, StoreError> {
    Ok(Seconds(number(db, META_THINNED)?.unwrap_or(0)))
}

pub(super) fn entry(db: &DB, index: LeafIndex) -> Result<Option<Bytes>, StoreError> {
    Ok(value(db, ENTRIES, &index.0.to_be_bytes())?.map(Bytes::from))
}

pub(super) fn state(db: &DB, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    value(db, STATE, key)
}

/// Is given each key and value; says whether to go on.
type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool, StoreError> + 'a;

pub(super) fn state_scan(db: &DB, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError> {
    pairs(db, STATE, b"", after, Direction::Forward, each)
}

/// Walks a family in one direction. The bounds are in `options`.
fn scan(
    db: &DB,
    name: &str,
    options: ReadOptions,
    direction: Direction,
    each: &mut Visit<'_>,
) -> Result<(), StoreError> {
    let mut iterator: DBRawIterator<'_> = db.raw_iterator_cf_opt(family(db, name)?, options);
    match direction {
        Direction::Forward => iterator.seek_to_first(),
        Direction::Backward => iterator.seek_to_last(),
    }
    while let Some((key, value)) = iterator.item() {
        if !each(key, value)? {
            return Ok(());
        }
        match direction {
            Direction::Forward => iterator.next(),
            Direction::Backward => iterator.prev(),
        }
    }
    // An iterator also stops where it failed.
    iterator.status().map_err(failed)
}

pub(super) fn entries(db: &DB, range: Range<u64>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
    check_range(&range, size(db)?)?;
    if range.is_empty() {
        return Ok(());
    }
    let mut next = range.start;
    let mut ended = false;
    scan(db, ENTRIES, entry_scan(&range), Direction::Forward, &mut |key, entry| {
        if be64(key) != Some(next) {
            return Err(corrupt(format!("entry {next} is missing")));
        }
        ended = each(LeafIndex(next), entry).is_break();
        next += 1;
        Ok(!ended)
    })?;
    if !ended && next != range.end {
        return Err(corrupt(format!("entry {next} is missing")));
    }
    Ok(())
}

pub(super) fn tile(db: &DB, level: u8, index: u64, width: u16) -> Result<Vec<u8>, StoreError> {
    check_tile(level, index, width, size(db)?)?;
    let wanted = usize::from(width) * HASH_BYTES;
    let first = index * TILE_WIDTH;
    let mut next = first;
    let mut tile = Vec::with_capacity(wanted);
    let options = between(tile_key(level, first).to_vec(), Some(tile_end(level, index).to_vec()));
    scan(db, TILES, options, Direction::Forward, &mut |key, run| {
        // Runs follow each other without a gap, and only whole hashes are in them.
        if run_first(key) != Some(next) || run.len() % HASH_BYTES != 0 {
            return Err(corrupt(format!("hash {next} of tile level {level} is missing")));
        }
        next += (run.len() / HASH_BYTES) as u64;
        tile.extend_from_slice(run);
        Ok(tile.len() < wanted)
    })?;
    if tile.len() < wanted || next > first + TILE_WIDTH {
        return Err(corrupt(format!("hash {next} of tile level {level} is missing")));
    }
    tile.truncate(wanted);
    Ok(tile)
}

/// Where a scan of keys with a prefix begins and ends, beyond `after`; `None` if nothing can be there.
fn bounds(prefix: &[u8], after: Option<&[u8]>, direction: Direction) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let (mut from, mut end) = (prefix.to_vec(), prefix_end(prefix));
    match (after, direction) {
        (Some(after), Direction::Forward) => {
            let next = [after, &[0]].concat();
            from = from.max(next);
        }
        (Some(after), Direction::Backward) => {
            end = Some(end.map_or_else(|| after.to_vec(), |end| end.min(after.to_vec())));
        }
        (None, _) => {}
    }
    // RocksDB has no meaning for bounds that cross.
    end.as_ref().is_none_or(|end| from < *end).then_some((from, end))
}

fn pairs(
    db: &DB,
    name: &str,
    prefix: &[u8],
    after: Option<&[u8]>,
    direction: Direction,
    each: &mut EachPair<'_>,
) -> Result<(), StoreError> {
    let Some((from, end)) = bounds(prefix, after, direction) else { return Ok(()) };
    scan(db, name, between(from, end), direction, &mut |key, value| Ok(each(key, value).is_continue()))
}

pub(super) fn rows(
    db: &DB,
    prefix: &[u8],
    after: Option<&[u8]>,
    direction: Direction,
    each: &mut EachPair<'_>,
) -> Result<(), StoreError> {
    pairs(db, ROWS, prefix, after, direction, each)
}

pub(super) fn reports(db: &DB, after: Option<&[u8]>, each: &mut EachPair<'_>) -> Result<(), StoreError> {
    pairs(db, REPORTS, b"", after, Direction::Forward, each)
}

pub(super) fn signed_heads(
    db: &DB,
    after: Option<HeadKey>,
    direction: Direction,
    each: &mut EachHead<'_>,
) -> Result<(), StoreError> {
    let after = after.map(head_key);
    let after = after.as_ref().map(<[u8; 16]>::as_slice);
    let Some((from, end)) = bounds(b"", after, direction) else { return Ok(()) };
    scan(db, HEADS, between(from, end), direction, &mut |key, note| {
        let key = parse_head_key(key).ok_or_else(|| corrupt("a signed head's key is unreadable".to_owned()))?;
        Ok(each(SignedHead { key, note: Bytes::copy_from_slice(note) }).is_continue())
    })
}

/// The keys of the signed heads with a time in `range`, ascending.
pub(super) fn head_keys(
    db: &DB,
    range: Range<Seconds>,
    each: &mut dyn FnMut(HeadKey) -> bool,
) -> Result<(), StoreError> {
    let edge = |time| head_key(HeadKey { time, size: TreeSize(0) }).to_vec();
    scan(db, HEADS, between(edge(range.start), Some(edge(range.end))), Direction::Forward, &mut |key, _| {
        let key = parse_head_key(key).ok_or_else(|| corrupt("a signed head's key is unreadable".to_owned()))?;
        Ok(each(key))
    })
}

pub(super) fn stats(db: &DB) -> Result<StoreStats, StoreError> {
    let property = |name: &str, property: &properties::PropName| -> Result<u64, StoreError> {
        Ok(db.property_int_value_cf(family(db, name)?, property).map_err(failed)?.unwrap_or(0))
    };
    let bytes = |name: &str| -> Result<u64, StoreError> {
        Ok(property(name, properties::LIVE_SST_FILES_SIZE)? + property(name, properties::CUR_SIZE_ALL_MEM_TABLES)?)
    };
    let mut memory = property(META, properties::BLOCK_CACHE_USAGE)?;
    for name in FAMILIES {
        memory += property(name, properties::SIZE_ALL_MEM_TABLES)?;
        memory += property(name, properties::ESTIMATE_TABLE_READERS_MEM)?;
    }
    Ok(StoreStats {
        entries_bytes: bytes(ENTRIES)?,
        tiles_bytes: bytes(TILES)?,
        state_bytes: bytes(STATE)?,
        rows_bytes: bytes(ROWS)?,
        heads_bytes: bytes(HEADS)?,
        reports_bytes: bytes(REPORTS)?,
        memory_bytes: memory,
    })
}
