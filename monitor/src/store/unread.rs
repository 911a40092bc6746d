//! Heads that were shown before their entries were read: each is kept here until the log's tree says what it is.
//!
//! They are among all heads as well (`heads.rs`), but those are named by the time that the log stated, and thinned: a log that states
//! an old time, or waits a day, must not get rid of one that way.

use client::Error;
use proto::num::Seconds;
use redb::{ReadableTable as _, ReadableTableMetadata as _, TableDefinition, WriteTransaction};

use super::LogStore;
use super::gossip::{head_of, key_of};
use crate::gossip::core::Head;

/// size, root → since when, note
const UNREAD: TableDefinition<&[u8], &[u8]> = TableDefinition::new("heads-unread");

/// Such heads of a log at most, of some hundred bytes each. An honest log's are tied to its newest head within seconds, so that
/// this is room for hundreds a second; what finds none is told.
pub const MOST_UNREAD: u64 = 4096;

/// A head that was shown and not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The head.
    pub head: Head,
    /// When it was shown first.
    pub since: Seconds,
    /// The signed note.
    pub note: Vec<u8>,
}

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(UNREAD)?;
    Ok(())
}

/// Adds these where there is room, and removes those.
pub(super) fn apply(transaction: &WriteTransaction, new: &[Unread], read: &[Head]) -> Result<(), redb::Error> {
    if new.is_empty() && read.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(UNREAD)?;
    for head in read {
        table.remove(key_of(*head).as_slice())?;
    }
    for one in new {
        let key = key_of(one.head);
        // Since when it is there stays.
        if table.len()? < MOST_UNREAD && table.get(key.as_slice())?.is_none() {
            let value = [one.since.0.to_be_bytes().as_slice(), &one.note].concat();
            table.insert(key.as_slice(), value.as_slice())?;
        }
    }
    Ok(())
}

impl LogStore {
    /// All of them, the smallest first.
    pub fn unread(&self) -> Result<Vec<Unread>, Error> {
        self.read(|transaction| {
            let mut all = Vec::new();
            for item in transaction.open_table(UNREAD)?.iter()? {
                let (key, value) = item?;
                // Only this file writes them.
                let Some((head, (since, note))) = head_of(key.value()).zip(value.value().split_first_chunk::<8>())
                else {
                    continue;
                };
                all.push(Unread { head, since: Seconds(u64::from_be_bytes(*since)), note: note.to_vec() });
            }
            Ok(all)
        })
    }

    /// Whether this head is among them, and how many there are.
    pub fn is_unread(&self, head: Head) -> Result<(bool, u64), Error> {
        self.read(|transaction| {
            let table = transaction.open_table(UNREAD)?;
            Ok((table.get(key_of(head).as_slice())?.is_some(), table.len()?))
        })
    }
}
