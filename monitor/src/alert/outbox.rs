//! What the channels have acknowledged, and what this monitor has to say of itself: one redb database, `alerts.redb`.
//!
//! A cursor is the number of the last event of a log that a channel acknowledged, or is not to be told. It moves only then. If
//! the database is lost, every channel begins at the first event again, which makes summaries: too much is told, never too
//! little. So it is made anew without a word.

use std::path::{Path, PathBuf};
use std::time::Duration;

use client::Error;
use proto::num::Millis;
use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction};

use super::Source;
use crate::finding::{Event, Open};
use crate::store::{Findings, findings};

/// channel, log → the number of the last event that is done
const CURSORS: TableDefinition<(&str, &str), u64> = TableDefinition::new("cursors");
/// channel, log → the number of the last event of the summary that is under way
const PLANNED: TableDefinition<(&str, &str), u64> = TableDefinition::new("planned");
/// channel, number → an entry of its feed
const FEED: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("feed");
/// channel → when its last canary was taken, in milliseconds since 1970
const CANARIES: TableDefinition<&str, u64> = TableDefinition::new("canaries");

/// The name of the file in the state folder.
const FILE: &str = "alerts.redb";

/// How long to wait for a database that another command holds, such as one that just ends.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// The database.
pub struct Outbox {
    database: Database,
    path: PathBuf,
    monitor: String,
}

impl Outbox {
    /// Opens or makes the database of the monitor of this name.
    pub fn open(folder: &Path, monitor: &str) -> Result<Outbox, Error> {
        client::files::make_folder(folder)?;
        let path = folder.join(FILE);
        let database = client::state::open_database(&path, LOCK_WAIT)?;
        let outbox = Outbox { database, path, monitor: monitor.to_owned() };
        outbox.write(|transaction| {
            transaction.open_table(CURSORS)?; // opening a table for writing makes it
            transaction.open_table(PLANNED)?;
            transaction.open_table(CANARIES)?;
            transaction.open_table(FEED)?;
            findings::make(transaction)
        })?;
        Ok(outbox)
    }

    /// The number of the last event of a source that a channel has done with; 0 before the first.
    pub fn cursor(&self, channel: &str, source: &str) -> Result<u64, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(CURSORS)?;
            Ok(table.get((channel, source))?.map_or(0, |number| number.value()))
        })
    }

    /// A channel has done with the events of a source up to this number. A cursor never goes back.
    pub fn done(&self, channel: &str, source: &str, number: u64) -> Result<(), Error> {
        self.write(|transaction| {
            let mut table = transaction.open_table(CURSORS)?;
            let was = table.get((channel, source))?.map_or(0, |number| number.value());
            if number > was {
                table.insert((channel, source), number)?;
            }
            Ok(())
        })
    }

    /// How far the summary goes that was begun last. What was begun stays as it is for every try, and so does its id.
    pub fn planned(&self, channel: &str, source: &str) -> Result<Option<u64>, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(PLANNED)?;
            Ok(table.get((channel, source))?.map(|number| number.value()))
        })
    }

    /// A summary is begun that goes so far.
    pub fn plan(&self, channel: &str, source: &str, last: u64) -> Result<(), Error> {
        self.write(|transaction| {
            transaction.open_table(PLANNED)?.insert((channel, source), last)?;
            Ok(())
        })
    }

    /// When the last canary of a channel was taken.
    pub fn last_canary(&self, channel: &str) -> Result<Option<Millis>, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(CANARIES)?;
            Ok(table.get(channel)?.map(|time| Millis(time.value())))
        })
    }

    /// A channel took a canary.
    pub fn took_canary(&self, channel: &str, at: Millis) -> Result<(), Error> {
        self.write(|transaction| {
            transaction.open_table(CANARIES)?.insert(channel, at.0)?;
            Ok(())
        })
    }

    /// Puts an entry at the end of a channel's feed and lets go of the oldest beyond `most`. `is_it` says whether an entry that
    /// is there is the same one, come again.
    pub fn put_in_feed(
        &self,
        channel: &str,
        entry: &[u8],
        most: usize,
        is_it: impl Fn(&[u8]) -> bool,
    ) -> Result<(), Error> {
        self.write(|transaction| {
            let mut table = transaction.open_table(FEED)?;
            let mut numbers = Vec::new();
            for item in table.range((channel, 0)..=(channel, u64::MAX))? {
                let (key, value) = item?;
                if is_it(value.value()) {
                    return Ok(());
                }
                numbers.push(key.value().1);
            }
            table.insert((channel, numbers.last().map_or(1, |last| last + 1)), entry)?;
            let over = (numbers.len() + 1).saturating_sub(most);
            for number in &numbers[..over.min(numbers.len())] {
                table.remove((channel, *number))?;
            }
            Ok(())
        })
    }

    /// A channel's feed, the newest entry first.
    pub fn feed(&self, channel: &str) -> Result<Vec<Vec<u8>>, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(FEED)?;
            let entries = table.range((channel, 0)..=(channel, u64::MAX))?.rev();
            entries.map(|item| Ok(item?.1.value().to_vec())).collect()
        })
    }

    /// What is wrong with this monitor itself begins or ends.
    pub fn note(&self, found: &Findings, now: Millis) -> Result<(), Error> {
        self.write(|transaction| findings::apply(transaction, &self.monitor, found, now))
    }

    /// What is wrong with this monitor itself now.
    pub fn open_findings(&self) -> Result<Vec<Open>, Error> {
        self.read(findings::open_in)
    }

    fn read<T>(&self, work: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>) -> Result<T, Error> {
        let done = || work(&self.database.begin_read()?);
        done().map_err(|e| self.broken(&e))
    }

    fn write(&self, work: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>) -> Result<(), Error> {
        let done = || {
            let transaction = self.database.begin_write()?;
            work(&transaction)?;
            Ok::<_, redb::Error>(transaction.commit()?)
        };
        done().map_err(|e| self.broken(&e))
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> Error {
        Error::local(format!(
            "the outbox of alerts {} cannot be used: {error}. Stop the monitor and move the file away: every channel then gets a \
             summary of all that was found",
            self.path.display()
        ))
    }
}

impl Source for Outbox {
    fn name(&self) -> &str {
        &self.monitor
    }

    fn link(&self, _: u64) -> Option<String> {
        None
    }

    fn events_after(&self, number: u64, limit: usize) -> Result<Vec<Event>, Error> {
        self.read(|transaction| findings::events_in(transaction, number, limit))
    }

    fn last_event(&self) -> Result<u64, Error> {
        self.read(findings::last_in)
    }

    fn open(&self) -> Result<Vec<Open>, Error> {
        self.open_findings()
    }

    fn state(&self) -> String {
        "runs".to_owned()
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Class, Finding, code};

    #[test]
    fn cursors_go_forward_only_and_stay() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path(), "m").unwrap();
        assert_eq!(outbox.cursor("a", "log").unwrap(), 0);
        outbox.done("a", "log", 5).unwrap();
        outbox.done("a", "log", 3).unwrap();
        outbox.done("a", "other", 1).unwrap();
        outbox.took_canary("a", Millis(7)).unwrap();
        assert!(Outbox::open(folder.path(), "m").unwrap_err().message.contains("in use"));
        drop(outbox);
        let outbox = Outbox::open(folder.path(), "m").unwrap();
        assert_eq!((outbox.cursor("a", "log").unwrap(), outbox.cursor("b", "log").unwrap()), (5, 0));
        assert_eq!((outbox.last_canary("a").unwrap(), outbox.last_canary("b").unwrap()), (Some(Millis(7)), None));
    }

    #[test]
    fn what_is_wrong_with_the_monitor_is_numbered_like_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path(), "m").unwrap();
        let stuck = Finding::new(Class::Degraded, code::STUCK, "no").named("a");
        outbox.note(&Findings::begin(vec![stuck.clone()]), Millis(1)).unwrap();
        outbox.note(&Findings::begin(vec![stuck.clone()]), Millis(2)).unwrap();
        outbox.note(&Findings::end(&stuck.id), Millis(3)).unwrap();
        let kinds: Vec<_> = outbox.events_after(0, 9).unwrap().iter().map(|event| event.what.kind()).collect();
        assert_eq!((kinds, outbox.last_event().unwrap()), (vec!["began", "ended"], 2));
    }
}
