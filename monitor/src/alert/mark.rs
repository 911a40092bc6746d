//! Where a channel is in a source, and whether that still holds.
//!
//! Events are counted within the state of a log. A state that is lost and made anew (`follow --again`) counts from 1 again, and
//! one that is brought back from a backup counts on from an earlier number: both give numbers a second time, to other events.
//! So a mark names the state and the time of its event. One that names another state, or an event that is not there, does not
//! hold, and what was found is told from the beginning.

use client::Error;
use proto::num::Millis;
use redb::{ReadTransaction, ReadableTable as _, TableDefinition, WriteTransaction};

use super::Source;
use crate::finding::Event;

/// channel, log → the number of an event, its time, the state in which it was counted
type Marks = TableDefinition<'static, (&'static str, &'static str), (u64, u64, &'static str)>;

/// The last event that is done.
pub(super) const DONE: Marks = TableDefinition::new("marks");

/// The last event up to which all grave ones are done ([`super::grave`]).
pub(super) const GRAVE: Marks = TableDefinition::new("grave-marks");

/// What was kept before states had names: numbers alone. They are let go, which makes summaries.
const NUMBERS: TableDefinition<(&str, &str), u64> = TableDefinition::new("cursors");

/// The last event that a channel has done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Its number; 0 before the first.
    pub number: u64,
    /// When it was found.
    pub at: Millis,
}

impl From<&Event> for Mark {
    fn from(event: &Event) -> Mark {
        Mark { number: event.number, at: event.at }
    }
}

impl Mark {
    /// Whether the events up to this one are still those that were told. `life` is the state in which they were counted.
    pub fn holds(self, life: &str, source: &dyn Source) -> Result<bool, Error> {
        if life != source.life() {
            return Ok(false);
        }
        let Some(before) = self.number.checked_sub(1) else { return Ok(true) };
        let event = source.events_after(before, 1)?;
        Ok(event.first().is_some_and(|event| Mark::from(event) == self))
    }
}

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(DONE)?;
    transaction.open_table(GRAVE)?;
    transaction.delete_table(NUMBERS)?;
    Ok(())
}

/// What is kept of a channel and a source, with the state in which it was counted.
pub(super) fn kept(
    transaction: &ReadTransaction,
    marks: Marks,
    channel: &str,
    source: &str,
) -> Result<Option<(Mark, String)>, redb::Error> {
    let table = transaction.open_table(marks)?;
    let kept = table.get((channel, source))?;
    Ok(kept.map(|value| {
        let (number, at, life) = value.value();
        (Mark { number, at: Millis(at) }, life.to_owned())
    }))
}

/// Keeps a mark, whatever was there.
pub(super) fn put(
    transaction: &WriteTransaction,
    marks: Marks,
    channel: &str,
    source: &dyn Source,
    to: Mark,
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(marks)?;
    table.insert((channel, source.name()), (to.number, to.at.0, source.life()))?;
    Ok(())
}

/// Keeps a mark that is further than the one that was there.
pub(super) fn forward(
    transaction: &WriteTransaction,
    marks: Marks,
    channel: &str,
    source: &dyn Source,
    to: Mark,
) -> Result<(), redb::Error> {
    let was = transaction.open_table(marks)?.get((channel, source.name()))?.map_or(0, |value| value.value().0);
    if to.number > was { put(transaction, marks, channel, source, to) } else { Ok(()) }
}
