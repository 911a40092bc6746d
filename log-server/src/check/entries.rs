//! Entries, hashes and the fold, from the first entry to the last.

use std::sync::Arc;

use bytes::Bytes;
use proto::entry::Entry;
use proto::fold::Checked;
use proto::hash::{HASH_BYTES, Hash};
use proto::merkle::{CompactRange, root_at};
use proto::num::{LeafIndex, Millis};
use proto::tile::TileTree;

use super::scratch::Scratch;
use super::{Ended, Progress, Report, differs};
use crate::refold::{Fault, fold_chunk, read_chunk};
use crate::sequencer::StoreTiles;
use crate::store::{Head, Store, TILE_LEVELS, TILE_WIDTH};

/// Runs over all entries; what they fold to is in `scratch` afterwards.
pub(super) fn check(
    report: &mut Report,
    store: &Arc<dyn Store>,
    head: &Head,
    scratch: &Scratch,
    progress: &dyn Progress,
) -> Result<(), Ended> {
    progress.part("entries", head.size.0);
    let tree = TileTree::new(StoreTiles(store.clone()), head.size);
    let mut range = CompactRange::new();
    let mut last = Millis(0);
    while report.entries < head.size.0 {
        let chunk = read_chunk(&**store, report.entries, head.size.0)?;
        report.hashes += check_hashes(&**store, &mut range, &chunk)?;
        let folded = fold_chunk(scratch, &chunk, &mut |entry, checked| {
            check_time(&mut last, entry)?;
            check_anchor(store.origin(), &tree, checked)
        });
        let pending = folded.map_err(|fault| match fault {
            Fault::Entry(index, what) => differs(format!("entry {index}"), what),
            Fault::State(error) => Ended::Failed(error),
            Fault::Rules(what) => Ended::Failed(super::CheckError::Rules(what)),
        })?;
        let (state, rows) = pending.into_changes();
        scratch.put(&state, &rows)?;
        report.entries += chunk.len() as u64;
        progress.done(chunk.len() as u64);
    }
    check_head(head, &range, last)?;
    report.root = Some(head.root);
    Ok(())
}

/// The committed head is what the entries give.
fn check_head(head: &Head, range: &CompactRange, last: Millis) -> Result<(), Ended> {
    const PLACE: &str = "the committed head";
    if range.root() != head.root {
        let what = format!("its root is {}, the entries give {}", head.root.to_base64(), range.root().to_base64());
        return Err(differs(PLACE, what));
    }
    if head.last_timestamp != last {
        let what = format!("it says that the last entry is of {}, it is of {last}", head.last_timestamp);
        return Err(differs(PLACE, what));
    }
    if head.time < last.seconds() {
        let what = format!("its time {} is before the last entry's, {}", head.time, last.seconds());
        return Err(differs(PLACE, what));
    }
    Ok(())
}

fn check_time(last: &mut Millis, entry: &Entry) -> Result<(), String> {
    if entry.timestamp < *last {
        return Err(format!("its time {} is before {last}, its predecessor's", entry.timestamp));
    }
    *last = entry.timestamp;
    Ok(())
}

/// A head of this log that the claim names was this log's.
fn check_anchor(origin: &str, tree: &TileTree<StoreTiles>, checked: &Checked) -> Result<(), String> {
    let Some((size, root)) = checked.anchor(origin) else { return Ok(()) };
    let ours = root_at(tree, size).map_err(|error| format!("the head it is anchored to: {error}"))?;
    if ours != root {
        let (root, ours) = (root.to_base64(), ours.to_base64());
        return Err(format!("it is anchored to the root {root} at size {size}, where the log has {ours}"));
    }
    Ok(())
}

/// The hashes that a chunk completes, one level after the other.
struct Completed {
    first: u64,
    hashes: Vec<Hash>,
}

/// Derives every hash that the chunk completes and compares it with the stored one. Returns how many.
fn check_hashes(store: &dyn Store, range: &mut CompactRange, chunk: &[(LeafIndex, Bytes)]) -> Result<u64, Ended> {
    let mut levels: Vec<Option<Completed>> = (0..TILE_LEVELS).map(|_| None).collect();
    for (_, bytes) in chunk {
        range.append_collect(Hash::leaf(bytes), &mut |level, at, hash| {
            if let Some(level) = levels.get_mut(usize::from(level)) {
                level.get_or_insert_with(|| Completed { first: at, hashes: Vec::new() }).hashes.push(hash);
            }
        });
    }
    let mut count = 0;
    for (level, completed) in (0..TILE_LEVELS).zip(levels) {
        let Some(completed) = completed else { continue };
        count += completed.hashes.len() as u64;
        compare(store, level, &completed)?;
    }
    Ok(count)
}

fn compare(store: &dyn Store, level: u8, derived: &Completed) -> Result<(), Ended> {
    let end = derived.first + derived.hashes.len() as u64;
    let mut hashes = derived.hashes.iter();
    let mut at = derived.first;
    while at < end {
        let tile = at / TILE_WIDTH;
        let tile_end = end.min((tile + 1) * TILE_WIDTH);
        let width = u16::try_from(tile_end - tile * TILE_WIDTH).unwrap_or(u16::MAX); // at most 256
        let stored = store.tile(level, tile, width)?;
        let skip = usize::try_from(at % TILE_WIDTH).unwrap_or(0) * HASH_BYTES;
        for stored in stored[skip..].chunks_exact(HASH_BYTES) {
            if hashes.next().is_some_and(|derived| derived.0 != stored) {
                return Err(differs(format!("tile level {level}, hash {at}"), hash_differs(level, at)));
            }
            at += 1;
        }
    }
    Ok(())
}

fn hash_differs(level: u8, at: u64) -> String {
    match level {
        0 => format!("the stored hash is not the one of entry {at}: the entry or the hash was altered"),
        _ => "the stored hash is not the one that the hashes below it give: it was altered".to_owned(),
    }
}
