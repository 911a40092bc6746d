//! Findings that come and go, told seldom.
//!
//! A log can make a finding begin and end with every other look, at no cost: each time would be an alert, and two events that
//! are kept for ever. So what begins again within [`QUIET_MS`] of its end is told once more, and from then on as one that stays:
//! its further ends and beginnings are told to nobody, until it was not found for that long. What is open now is not touched by
//! that: `status` and exit codes say how it is.

use proto::num::Millis;
use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata as _, Table, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::text;
use crate::finding::{Finding, What};

/// the finding's name → how it comes and goes
const FLAPS: TableDefinition<&str, &[u8]> = TableDefinition::new("flaps");

/// How long a finding must be over before its end is told, once it has begun again; ten minutes. A receiver that people read
/// takes ten alerts in that time.
pub(super) const QUIET_MS: u64 = 10 * 60 * 1000;

/// Findings that are watched for this at once; each is a kilobyte at most. A log cannot make so many end in ten minutes, except
/// heads that were unresolved, of which 64 are open at once; what is beyond is told each time.
const MOST: u64 = 1000;

/// How a finding comes and goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Flap {
    /// Since when it is so.
    since: Millis,
    /// How it is.
    how: How,
    /// The finding, without its heads: an end names none.
    finding: Finding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum How {
    /// It ended, and that was told.
    Over,
    /// It began again, and that was told.
    Again,
    /// It is over once more, which is not told yet.
    Quiet,
}

/// The table, within a step.
pub(super) struct Flaps<'a>(Table<'a, &'static str, &'static [u8]>);

impl<'a> Flaps<'a> {
    pub(super) fn of(transaction: &'a WriteTransaction) -> Result<Flaps<'a>, redb::Error> {
        Ok(Flaps(transaction.open_table(FLAPS)?))
    }

    /// What is over for long enough, to be told now; not what is found in this very step.
    pub(super) fn over(&mut self, found: &[Finding], now: Millis) -> Result<Vec<What>, redb::Error> {
        let mut ended = Vec::new();
        for (name, flap) in due(&self.0, now)? {
            match flap.how {
                How::Quiet if found.iter().any(|finding| finding.id == name) => {}
                How::Quiet => {
                    self.put(&Flap { since: now, how: How::Over, finding: flap.finding.clone() })?;
                    ended.push(What::Ended(flap.finding));
                }
                _ => drop(self.0.remove(name.as_str())?),
            }
        }
        Ok(ended)
    }

    /// Whether this is told now. Evidence, and what is worse than what was told, always is.
    pub(super) fn is_told(&mut self, what: &What, now: Millis) -> Result<bool, redb::Error> {
        let finding = match what {
            What::Began(finding) | What::Ended(finding) => finding,
            _ => return Ok(true),
        };
        let known = self.0.get(finding.id.as_str())?.map(|value| read(value.value())).transpose()?;
        let (how, is_told) = match (what, known) {
            (What::Ended(_), None) => (How::Over, true),
            (What::Ended(_), Some(flap)) if flap.how == How::Over => (How::Over, true),
            (What::Ended(_), Some(_)) => (How::Quiet, false),
            (_, None) => return Ok(true),
            (_, Some(flap)) => (How::Again, flap.how == How::Over || finding.class < flap.finding.class),
        };
        self.put(&Flap { since: now, how, finding: without_heads(finding) })?;
        Ok(is_told || !finding.evidence.is_empty())
    }

    fn put(&mut self, flap: &Flap) -> Result<(), redb::Error> {
        let name = flap.finding.id.as_str();
        if self.0.len()? < MOST || self.0.get(name)?.is_some() {
            self.0.insert(name, text(flap)?.as_slice())?;
        }
        Ok(())
    }
}

/// Whether the end of anything is to be told now.
pub(super) fn is_any_over(transaction: &ReadTransaction, now: Millis) -> Result<bool, redb::Error> {
    Ok(due(&transaction.open_table(FLAPS)?, now)?.iter().any(|(_, flap)| flap.how == How::Quiet))
}

/// Those that are over for long enough.
fn due(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    now: Millis,
) -> Result<Vec<(String, Flap)>, redb::Error> {
    let mut due = Vec::new();
    for item in table.iter()? {
        let (name, value) = item?;
        let flap = read(value.value())?;
        if flap.how != How::Again && now.0.saturating_sub(flap.since.0) >= QUIET_MS {
            due.push((name.value().to_owned(), flap));
        }
    }
    Ok(due)
}

fn without_heads(finding: &Finding) -> Finding {
    Finding { heads: Vec::new(), alternative: None, ..finding.clone() }
}

fn read(bytes: &[u8]) -> Result<Flap, redb::Error> {
    Ok(serde_json::from_slice(bytes).map_err(std::io::Error::other)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Class, code};
    use crate::store::{Batch, Findings, LogStore};

    fn store(folder: &std::path::Path) -> LogStore {
        if !LogStore::path_in(folder, "log.example/a").exists() {
            LogStore::create(folder, "log.example/a").unwrap();
        }
        LogStore::open(folder, "log.example/a", false).unwrap()
    }

    fn list() -> Finding {
        Finding::new(Class::Tamper, code::SIGNATURE, "listed").named("list").with_heads(&[b"a head"])
    }

    fn step(log: &LogStore, found: Option<Finding>, at: u64) {
        let mut findings = Findings::begin(found.into_iter().collect());
        findings.over(&list().id);
        log.commit_batch(&Batch { findings, ..Batch::default() }, Millis(at)).unwrap();
    }

    fn told(log: &LogStore) -> Vec<(&'static str, u64)> {
        let events = log.events_after(0, 10_000).unwrap();
        events.iter().map(|event| (event.what.kind(), event.at.0)).collect()
    }

    #[test]
    fn what_comes_and_goes_is_told_once_more_and_then_when_it_is_quiet() {
        let folder = tempfile::tempdir().unwrap();
        let log = store(folder.path());
        for round in 0..2000u64 {
            step(&log, (round % 2 == 0).then(list), round * 1000);
            assert_eq!(log.open_findings().unwrap().len(), usize::from(round % 2 == 0), "what is open is what is so");
        }
        let flapping = [("began", 0), ("ended", 1000), ("began", 2000)];
        assert_eq!(told(&log), flapping, "2,000 looks");
        drop(log);
        let log = store(folder.path());
        let over = 1_999_000 + QUIET_MS;
        step(&log, None, over - 1);
        assert_eq!(told(&log), flapping, "also over a restart");
        step(&log, None, over);
        step(&log, None, over + 1);
        assert_eq!(told(&log)[3..], [("ended", over)]);
        step(&log, Some(list()), over + 2);
        step(&log, None, over + 3);
        assert_eq!(told(&log)[4..], [("began", over + 2)], "it may begin again at once: told, and its end is not");
        step(&log, None, over + 3 + QUIET_MS);
        assert_eq!(told(&log)[5..], [("ended", over + 3 + QUIET_MS)]);
        let later = over + 3 + 2 * QUIET_MS;
        step(&log, None, later);
        step(&log, Some(list()), later + 1);
        step(&log, None, later + 2);
        assert_eq!(told(&log)[6..], [("began", later + 1), ("ended", later + 2)], "one that is long over is a new one");
    }

    #[test]
    fn what_is_proven_or_worse_is_told_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let log = store(folder.path());
        let mild = Finding { class: Class::Degraded, ..list() };
        for round in 0..6u64 {
            step(&log, (round % 2 == 0).then(|| mild.clone()), round);
        }
        assert_eq!(told(&log).len(), 3);
        step(&log, Some(list()), 7);
        assert_eq!(told(&log)[3..], [("began", 7)], "it is tampering now");
    }
}
