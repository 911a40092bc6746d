//! Every signed head that was seen, with all its signatures.
//!
//! A head is named by time, size and root, so that two heads that contradict each other are both kept. The same head seen
//! again with further signatures has them added.

use client::Error;
use proto::hash::{HASH_BYTES, Hash};
use proto::note::Note;
use proto::num::{Seconds, TreeSize};
use redb::{ReadTransaction, ReadableTable as _, TableDefinition, WriteTransaction};
use service::thinning::{KEEP_ONE_SECONDS, Thinning, thin_before};

use super::LogStore;
use crate::follow::Spent;

/// time, size, root → note
const HEADS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("heads");

/// In the table of single values: the largest head that met the quorum.
pub(super) const COVERED: &str = "covered";

/// Heads removed in one transaction, so that a long-overdue thinning does not hold up the others.
const MOST_REMOVED: usize = 4096;

/// What names a head: the log's time for it, or when it was seen if it states none; size; root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeadKey {
    /// Its time.
    pub time: Seconds,
    /// Its size.
    pub size: TreeSize,
    /// Its root.
    pub root: Hash,
}

/// Bytes of a key in the table.
const KEY_BYTES: usize = 8 + 8 + HASH_BYTES;

impl HeadKey {
    /// Before all heads of this time and later ones.
    pub fn first_of(time: Seconds) -> HeadKey {
        HeadKey { time, size: TreeSize(0), root: Hash([0; HASH_BYTES]) }
    }

    /// Behind all heads of this time.
    pub fn last_of(time: Seconds) -> HeadKey {
        HeadKey { time, size: TreeSize(u64::MAX), root: Hash([0xff; HASH_BYTES]) }
    }

    /// In the order of the table.
    pub fn to_bytes(self) -> [u8; KEY_BYTES] {
        let mut bytes = [0; KEY_BYTES];
        bytes[..8].copy_from_slice(&self.time.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.size.0.to_be_bytes());
        bytes[16..].copy_from_slice(&self.root.0);
        bytes
    }

    /// Reads what [`HeadKey::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<HeadKey> {
        let (time, rest) = bytes.split_first_chunk::<8>()?;
        let (size, root) = rest.split_first_chunk::<8>()?;
        let (time, size) = (Seconds(u64::from_be_bytes(*time)), TreeSize(u64::from_be_bytes(*size)));
        Some(HeadKey { time, size, root: Hash::from_slice(root)? })
    }
}

/// A signed head on its way into the table.
#[derive(Debug, Clone, Copy)]
pub struct KeptHead<'a> {
    /// What names it.
    pub key: HeadKey,
    /// The note, byte for byte.
    pub note: &'a [u8],
}

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(HEADS)?;
    Ok(())
}

pub(super) fn insert(transaction: &WriteTransaction, heads: &[KeptHead<'_>]) -> Result<(), redb::Error> {
    if heads.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(HEADS)?;
    for head in heads {
        let key = head.key.to_bytes();
        let kept = table.get(key.as_slice())?.map(|value| value.value().to_vec());
        let note = match kept {
            Some(kept) => joined(&kept, head.note),
            None => head.note.to_vec(),
        };
        table.insert(key.as_slice(), note.as_slice())?;
    }
    Ok(())
}

/// The kept note with the other's signature lines that it lacks. A note has room for so many; when it is full, what came
/// first stays.
fn joined(kept: &[u8], other: &[u8]) -> Vec<u8> {
    let (Ok(mut note), Ok(other)) = (Note::parse(kept), Note::parse(other)) else { return kept.to_vec() };
    for line in other.signatures() {
        let known = note.signatures().iter().any(|have| have.same_key(line));
        if !known {
            match note.clone().with_signatures(vec![line.clone()]) {
                Ok(more) => note = more,
                Err(_) => break,
            }
        }
    }
    note.to_bytes()
}

/// Heads to remove among those of these times, and the time up to which that is all.
fn due(transaction: &ReadTransaction, from: Seconds, before: Seconds) -> Result<(Vec<HeadKey>, Seconds), redb::Error> {
    let table = transaction.open_table(HEADS)?;
    let (begin, end) = (HeadKey::first_of(from).to_bytes(), HeadKey::first_of(before).to_bytes());
    let (mut thinning, mut removed) = (Thinning::default(), Vec::new());
    // Of two heads of one minute that are no part of one tree one goes, too: the finding about them keeps both.
    for item in table.range::<&[u8]>(begin.as_slice()..end.as_slice())? {
        let (key, _) = item?;
        let Some(key) = HeadKey::from_bytes(key.value()) else { continue };
        removed.extend(thinning.next(key.time, key));
        if removed.len() == MOST_REMOVED {
            // What is left begins where it was cut: the minutes before it are done.
            return Ok((removed, Seconds(key.time.0 - key.time.0 % KEEP_ONE_SECONDS)));
        }
    }
    Ok((removed, before))
}

fn remove(transaction: &WriteTransaction, heads: &[HeadKey]) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(HEADS)?;
    for key in heads {
        table.remove(key.to_bytes().as_slice())?;
    }
    Ok(())
}

impl LogStore {
    /// Removes heads by the rule of [`service::thinning`]; gives how many. Each minute is looked at once.
    pub fn thin_heads(&self, now: Seconds) -> Result<u64, Error> {
        let (from, before) = (Seconds(self.number(super::THINNED)?.unwrap_or(0)), thin_before(now));
        if before <= from {
            return Ok(0);
        }
        let (due, done) = self.read(|transaction| due(transaction, from, before))?;
        self.write(|transaction| {
            remove(transaction, &due)?;
            transaction.open_table(super::META)?.insert(super::THINNED, done.0.to_be_bytes().as_slice())?;
            Ok(())
        })?;
        Ok(due.len() as u64)
    }

    /// The time up to which the log's own list of heads was read.
    pub fn heads_from(&self) -> Result<u64, Error> {
        Ok(self.number(super::HEADS_FROM)?.unwrap_or(0))
    }

    /// What the log's own list of heads has cost, in the day that was counted last.
    pub fn list_spent(&self) -> Result<Spent, Error> {
        Ok(self.meta(super::LIST_SPENT)?.and_then(|bytes| Spent::from_bytes(&bytes)).unwrap_or_default())
    }

    /// The head in whose place the newest one came, if all its entries were read.
    pub fn read_head(&self) -> Result<Option<Vec<u8>>, Error> {
        self.meta(super::READ_HEAD)
    }

    /// The largest head that met the quorum of the trust file when it was seen.
    pub fn covered(&self) -> Result<Option<Vec<u8>>, Error> {
        self.meta(COVERED)
    }

    /// Whether exactly this head is kept.
    pub fn has_head(&self, key: HeadKey) -> Result<bool, Error> {
        self.read(|transaction| Ok(transaction.open_table(HEADS)?.get(key.to_bytes().as_slice())?.is_some()))
    }

    /// Heads behind `after`, the oldest first, at most so many.
    pub fn heads_after(&self, after: Option<HeadKey>, limit: usize) -> Result<Vec<(HeadKey, Vec<u8>)>, Error> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = after.map(HeadKey::to_bytes);
        let begin = after.as_ref().map_or(Unbounded, |key| Excluded(key.as_slice()));
        self.read(|transaction| {
            let table = transaction.open_table(HEADS)?;
            let range = table.range::<&[u8]>((begin, Unbounded))?;
            range.take(limit).map(|item| item.map(read).map_err(redb::Error::from)).collect()
        })
    }

    /// Heads before `before`, the newest first, at most so many.
    pub fn heads_before(&self, before: Option<HeadKey>, limit: usize) -> Result<Vec<(HeadKey, Vec<u8>)>, Error> {
        use std::ops::Bound::{Excluded, Unbounded};
        let before = before.map(HeadKey::to_bytes);
        let end = before.as_ref().map_or(Unbounded, |key| Excluded(key.as_slice()));
        self.read(|transaction| {
            let table = transaction.open_table(HEADS)?;
            let range = table.range::<&[u8]>((Unbounded, end))?;
            range.rev().take(limit).map(|item| item.map(read).map_err(redb::Error::from)).collect()
        })
    }
}

type Item<'a> = (redb::AccessGuard<'a, &'static [u8]>, redb::AccessGuard<'a, &'static [u8]>);

fn read((key, note): Item<'_>) -> (HeadKey, Vec<u8>) {
    // Only this file writes keys, and all have the same length.
    let key = HeadKey::from_bytes(key.value()).unwrap_or(HeadKey::first_of(Seconds(0)));
    (key, note.value().to_vec())
}
