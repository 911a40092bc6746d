//! Signed statements that heads stay unavailable, and the list of them, a page at a time.

use std::ops::Bound;

use client::Error;
use proto::hash::HASH_BYTES;
use redb::{ReadableTable as _, Table, WriteTransaction};

use super::LogStore;
use super::gossip::{GossipStep, KeptStatement, MOST_STATEMENTS_OF_ONE, STATEMENTS, head_of, key_of, text};
use crate::gossip::core::Head;

/// A key is size, root, and who says so.
const NAME_AT: usize = 8 + HASH_BYTES;

fn place(head: Head, by: &str) -> Vec<u8> {
    [key_of(head).as_slice(), by.as_bytes()].concat()
}

/// Writes what a step of gossip changes of statements.
pub(super) fn apply(transaction: &WriteTransaction, step: &GossipStep) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(STATEMENTS)?;
    for (head, by) in &step.statements_over {
        table.remove(place(*head, by).as_slice())?;
    }
    for (head, kept) in &step.own_statements {
        table.insert(place(*head, &kept.by).as_slice(), text(kept)?.as_slice())?;
    }
    for (head, kept) in &step.statements {
        let place = place(*head, &kept.by);
        let is_there = table.get(place.as_slice())?.is_some();
        if is_there || count(&table, &kept.by)? < MOST_STATEMENTS_OF_ONE {
            table.insert(place.as_slice(), text(kept)?.as_slice())?;
        }
    }
    Ok(())
}

fn count(table: &Table<'_, &'static [u8], &'static [u8]>, by: &str) -> Result<usize, redb::Error> {
    let mut count = 0;
    for item in table.iter()? {
        count += usize::from(item?.0.value().get(NAME_AT..) == Some(by.as_bytes()));
    }
    Ok(count)
}

impl LogStore {
    /// The signed statements that heads stay unavailable, the smallest head first.
    pub fn statements(&self) -> Result<Vec<KeptStatement>, Error> {
        Ok(self.statements_after(None, usize::MAX)?.into_iter().map(|(_, kept)| kept).collect())
    }

    /// What somebody stated about a head.
    pub fn statement(&self, head: Head, by: &str) -> Result<Option<KeptStatement>, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(STATEMENTS)?;
            let Some(value) = table.get(place(head, by).as_slice())? else { return Ok(None) };
            Ok(Some(serde_json::from_slice(value.value()).map_err(std::io::Error::other)?))
        })
    }

    /// The heads about which somebody's statements are kept.
    pub fn stated_by(&self, by: &str) -> Result<Vec<Head>, Error> {
        self.read(|transaction| {
            let mut heads = Vec::new();
            for item in transaction.open_table(STATEMENTS)?.iter()? {
                let (key, _) = item?;
                if key.value().get(NAME_AT..) == Some(by.as_bytes()) {
                    heads.extend(key.value().get(..NAME_AT).and_then(head_of));
                }
            }
            Ok(heads)
        })
    }

    /// Statements behind this place, the smallest head first, each with its own place.
    pub fn statements_after(&self, place: Option<&[u8]>, limit: usize) -> Result<Vec<(Vec<u8>, KeptStatement)>, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(STATEMENTS)?;
            let begin = place.map_or(Bound::Unbounded, Bound::Excluded);
            let mut found = Vec::new();
            for item in table.range::<&[u8]>((begin, Bound::Unbounded))?.take(limit) {
                let (key, value) = item?;
                let kept = serde_json::from_slice(value.value()).map_err(std::io::Error::other)?;
                found.push((key.value().to_vec(), kept));
            }
            Ok(found)
        })
    }
}
