//! What the channels have acknowledged, and what this monitor has to say of itself: one redb database, `alerts.redb`.
//!
//! A cursor is the number of the last event of a log that a channel acknowledged, or is not to be told. It moves only then. If
//! the database is lost, or the state of a log is another than the one that was told ([`super::mark`]), every channel begins at
//! the first event again, which makes summaries: too much is told, never too little. So it is made anew without a word.

use std::path::{Path, PathBuf};
use std::time::Duration;

use client::Error;
use client::database::Reopening;
use proto::num::Millis;
use redb::{ReadTransaction, ReadableTable as _, TableDefinition, WriteTransaction};

use super::refused::Refused;
use super::{Mark, Source, mark, refused};
use crate::finding::{Event, Open, Reason, code};
use crate::store::acknowledge::acknowledge;
use crate::store::{Findings, findings};

/// channel, log → the number of the last event of the summary that is under way
const PLANNED: TableDefinition<(&str, &str), u64> = TableDefinition::new("planned");
/// channel, number → an entry of its feed
const FEED: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("feed");
/// channel → when its last canary was taken, in milliseconds since 1970
const CANARIES: TableDefinition<&str, u64> = TableDefinition::new("canaries");

/// channel → since when it takes nothing, in milliseconds since 1970
const FAILING: TableDefinition<&str, u64> = TableDefinition::new("failing");

/// The name of the file in the state folder.
const FILE: &str = "alerts.redb";

/// How long to wait for a database that another command holds, such as one that just ends.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// The database.
pub struct Outbox {
    database: Reopening,
    path: PathBuf,
    monitor: String,
}

impl Outbox {
    /// Opens or makes the database of the monitor of this name.
    pub fn open(folder: &Path, monitor: &str) -> Result<Outbox, Error> {
        client::files::make_folder(folder)?;
        let path = folder.join(FILE);
        let database = Reopening::open(&path, LOCK_WAIT)?;
        let outbox = Outbox { database, path, monitor: monitor.to_owned() };
        outbox.write(|transaction| {
            mark::make(transaction)?;
            transaction.open_table(PLANNED)?; // opening a table for writing makes it
            transaction.open_table(CANARIES)?;
            transaction.open_table(FEED)?;
            transaction.open_table(FAILING)?;
            refused::make(transaction)?;
            findings::make(transaction)
        })?;
        Ok(outbox)
    }

    /// Where a channel is in a source; at 0 before the first event.
    pub fn cursor(&self, channel: &str, source: &str) -> Result<Mark, Error> {
        Ok(self.read(|transaction| mark::kept(transaction, mark::DONE, channel, source))?.unwrap_or_default().0)
    }

    /// Up to where a channel was told the grave events of a source, alone and ahead of what came before them.
    pub fn grave_cursor(&self, channel: &str, source: &str) -> Result<Mark, Error> {
        Ok(self.read(|transaction| mark::kept(transaction, mark::GRAVE, channel, source))?.unwrap_or_default().0)
    }

    /// A channel has done with the grave events of a source up to this one.
    pub fn grave_done(&self, channel: &str, source: &dyn Source, to: Mark) -> Result<(), Error> {
        self.write(|transaction| mark::forward(transaction, mark::GRAVE, channel, source, to))
    }

    /// A channel takes up where it was in a source. If the state of the source is not the one in which that was counted, it
    /// begins at the first event again, and a summary that was begun is begun anew.
    pub fn resume(&self, channel: &str, source: &dyn Source) -> Result<(), Error> {
        let name = source.name();
        let (kept, grave) = self.read(|transaction| {
            let of = |marks| mark::kept(transaction, marks, channel, name);
            Ok((of(mark::DONE)?, of(mark::GRAVE)?))
        })?;
        let holds = |kept: &Option<(Mark, String)>| match kept {
            Some((was, life)) => Ok::<_, Error>((*was, was.holds(life, source)?)),
            None => Ok((Mark::default(), false)),
        };
        let ((was, holds), (_, grave_holds)) = (holds(&kept)?, holds(&grave)?);
        if was.number > 0 && !holds {
            tracing::warn!(
                channel,
                origin = name,
                "the state is not the one that was told: all that was found is told again"
            );
        }
        let newest = source.last_event()?;
        self.write(|transaction| {
            let mut planned = transaction.open_table(PLANNED)?;
            let last = planned.get((channel, name))?.map(|number| number.value());
            if !holds || last.is_some_and(|last| last > newest) {
                planned.remove((channel, name))?;
            }
            let anew = [(mark::DONE, holds), (mark::GRAVE, holds && grave_holds)];
            let mut anew = anew.into_iter().filter(|(_, holds)| !holds);
            anew.try_for_each(|(marks, _)| mark::put(transaction, marks, channel, source, Mark::default()))
        })
    }

    /// A channel has done with the events of a source up to this one. A cursor never goes back.
    pub fn done(&self, channel: &str, source: &dyn Source, to: Mark) -> Result<(), Error> {
        self.write(|transaction| mark::forward(transaction, mark::DONE, channel, source, to))
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

    /// Since when a channel takes nothing, also before this monitor was started.
    pub fn failing_since(&self, channel: &str) -> Result<Option<Millis>, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(FAILING)?;
            Ok(table.get(channel)?.map(|since| Millis(since.value())))
        })
    }

    /// A channel takes nothing since then, or takes alerts again.
    pub fn fails_since(&self, channel: &str, since: Option<Millis>) -> Result<(), Error> {
        self.write(|transaction| {
            let mut table = transaction.open_table(FAILING)?;
            match since {
                Some(since) => _ = table.insert(channel, since.0)?,
                None => _ = table.remove(channel)?,
            }
            Ok(())
        })
    }

    /// Ends what was found of channels that are not configured any more.
    pub fn forget_others(&self, channels: &[&str], now: Millis) -> Result<(), Error> {
        let mut over = Findings::default();
        for Open { finding, .. } in Source::open(self)? {
            let channel = finding.id.strip_prefix(code::STUCK).and_then(|rest| rest.strip_prefix(':'));
            if channel.is_some_and(|name| !channels.contains(&name)) {
                over.over(&finding.id);
            }
        }
        self.note(&over, now)
    }

    /// Keeps an alert that a channel did not take as it is.
    pub fn add_refused(&self, channel: &str, refused: &Refused) -> Result<(), Error> {
        self.write(|transaction| refused::add(transaction, channel, refused))
    }

    /// Those alerts of a channel, the oldest first.
    pub fn refused(&self, channel: &str) -> Result<Vec<Refused>, Error> {
        self.read(|transaction| refused::of(transaction, channel))
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

    /// What came and went and is over for long enough is told now: nobody may have a word to say for weeks.
    pub fn tell_quiet(&self, now: Millis) -> Result<(), Error> {
        match self.read(|transaction| findings::is_any_quiet(transaction, now))? {
            true => self.write(|transaction| findings::tell_quiet(transaction, &self.monitor, now)),
            false => Ok(()),
        }
    }

    /// What is wrong with this monitor itself now.
    pub fn open_findings(&self) -> Result<Vec<Open>, Error> {
        self.read(findings::open_in)
    }

    /// The operator knows of something that is wrong with this monitor itself; nothing when it is not open.
    pub fn acknowledge(&self, name: &str, because: &Reason, now: Millis) -> Result<Option<Open>, Error> {
        self.write(|transaction| acknowledge(transaction, &self.monitor, name, because, now))
    }

    fn read<T>(&self, work: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>) -> Result<T, Error> {
        self.database.read(work).map_err(|e| self.broken(&e))
    }

    fn write<T>(&self, work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>) -> Result<T, Error> {
        self.database.write(work).map_err(|e| self.broken(&e))
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> Error {
        Error::local(format!(
            "the outbox of alerts {} cannot be used: {error}. If the disk is full, make room; it goes on by itself. If the file \
             is damaged, stop the monitor and move it away: every channel then gets a summary of all that was found",
            self.path.display()
        ))
    }
}

impl Source for Outbox {
    fn name(&self) -> &str {
        &self.monitor
    }

    /// What is told and what was told of it are in one database: they are lost or brought back together.
    fn life(&self) -> &str {
        ""
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
    use crate::finding::{Class, Finding};

    #[test]
    fn cursors_go_forward_only_and_stay() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path(), "m").unwrap();
        let log = Outbox::open(&folder.path().join("log"), "log").unwrap(); // a source like any other
        let other = Outbox::open(&folder.path().join("other"), "other").unwrap();
        let at = |number| Mark { number, at: Millis(number) };
        assert_eq!(outbox.cursor("a", "log").unwrap(), Mark::default());
        outbox.done("a", &log, at(5)).unwrap();
        outbox.done("a", &log, at(3)).unwrap();
        outbox.done("a", &other, at(1)).unwrap();
        outbox.took_canary("a", Millis(7)).unwrap();
        assert!(Outbox::open(folder.path(), "m").unwrap_err().message.contains("in use"));
        drop(outbox);
        let outbox = Outbox::open(folder.path(), "m").unwrap();
        let cursors = (outbox.cursor("a", "log").unwrap(), outbox.cursor("b", "log").unwrap());
        assert_eq!(cursors, (at(5), Mark::default()));
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
        outbox.note(&Findings::begin(vec![stuck]), Millis(900_000)).unwrap();
        outbox.forget_others(&["a"], Millis(900_001)).unwrap();
        assert_eq!(Source::open(&outbox).unwrap().len(), 1);
        outbox.forget_others(&["b"], Millis(900_002)).unwrap();
        assert!(Source::open(&outbox).unwrap().is_empty(), "nobody could end it");
        let kinds: Vec<_> = outbox.events_after(0, 2).unwrap().iter().map(|event| event.what.kind()).collect();
        assert_eq!((kinds, outbox.last_event().unwrap()), (vec!["began", "ended"], 4));
    }
}
