//! Findings that are open, and the events of their beginnings and ends.

mod flaps;

use client::Error;
use proto::num::Millis;
use redb::{ReadTransaction, ReadableTable as _, TableDefinition, WriteTransaction};

use self::flaps::Flaps;
use super::{LogStore, room};
use crate::finding::{Event, Finding, Open, What, code};
use crate::watch::Match;

/// the finding's name → the finding, since when
const OPEN: TableDefinition<&str, &[u8]> = TableDefinition::new("open");
/// number → event
const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");

/// Findings that begin and findings that end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    begin: Vec<Finding>,
    end: Vec<String>,
}

impl Findings {
    /// These are there now; those of them that are open already change nothing.
    pub fn begin(findings: Vec<Finding>) -> Findings {
        Findings { begin: findings, end: Vec::new() }
    }

    /// The finding of this name is over, if it was open.
    pub fn end(name: &str) -> Findings {
        Findings { begin: Vec::new(), end: vec![name.to_owned()] }
    }

    /// One more that is there now.
    pub fn push(&mut self, finding: Finding) {
        self.begin.push(finding);
    }

    /// One more that is over. One that begins in the same step does not end.
    pub fn over(&mut self, name: &str) {
        self.end.push(name.to_owned());
    }

    /// Those that are there now.
    pub fn found(&self) -> &[Finding] {
        &self.begin
    }

    pub(crate) fn found_mut(&mut self) -> &mut [Finding] {
        &mut self.begin
    }

    /// Adds others.
    pub fn extend(&mut self, other: Findings) {
        self.begin.extend(other.begin);
        self.end.extend(other.end);
    }
}

pub(crate) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(OPEN)?;
    transaction.open_table(EVENTS)?;
    Ok(())
}

fn text(value: &impl serde::Serialize) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(value).map_err(|e| redb::Error::Io(std::io::Error::other(e)))
}

/// Adds an event.
fn tell(
    events: &mut redb::Table<'_, u64, &'static [u8]>,
    origin: &str,
    what: What,
    now: Millis,
) -> Result<(), redb::Error> {
    let number = events.last()?.map_or(0, |(number, _)| number.value()) + 1;
    let event = Event { number, at: now, origin: origin.to_owned(), what };
    events.insert(number, text(&event)?.as_slice())?;
    Ok(())
}

/// Writes what watch lists matched.
pub(super) fn matched(
    transaction: &WriteTransaction,
    origin: &str,
    matches: Vec<Match>,
    now: Millis,
) -> Result<(), redb::Error> {
    if matches.is_empty() {
        return Ok(());
    }
    let mut events = transaction.open_table(EVENTS)?;
    matches.into_iter().try_for_each(|found| tell(&mut events, origin, What::Matched(Box::new(found)), now))
}

/// Writes what changes; what is open already, or not open, writes nothing. What comes and goes is told seldom.
pub(crate) fn apply(
    transaction: &WriteTransaction,
    origin: &str,
    findings: &Findings,
    now: Millis,
) -> Result<(), redb::Error> {
    if *findings == Findings::default() {
        return Ok(());
    }
    let mut open = transaction.open_table(OPEN)?;
    let mut events = transaction.open_table(EVENTS)?;
    let mut flaps = Flaps::of(transaction)?;
    let quiet = flaps.over(&findings.begin, now)?;
    quiet.into_iter().try_for_each(|what| tell(&mut events, origin, what, now))?;
    let mut tell = |what: What| match flaps.is_told(&what, now)? {
        true => tell(&mut events, origin, what, now),
        false => Ok(()),
    };
    let ended = findings.end.iter().filter(|name| !findings.begin.iter().any(|finding| finding.id == **name));
    for name in ended {
        let was = open.remove(name.as_str())?.map(|value| value.value().to_vec());
        let was: Option<Open> = was.and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(was) = was {
            tell(What::Ended(was.finding))?;
        }
    }
    for finding in &findings.begin {
        if let Some((known, newly_proven)) = known_better(&open, finding)? {
            open.insert(finding.id.as_str(), text(&known)?.as_slice())?;
            // Whoever was told of it without a file is told that there is one. Further ones are found with the finding.
            if newly_proven {
                tell(What::Proven(known.finding))?;
            }
            continue;
        }
        if open.get(finding.id.as_str())?.is_some() {
            continue;
        }
        let finding = match room::none_for(&open, finding)? {
            Some(name) => many(finding, &name),
            None => finding.clone(),
        };
        if open.get(finding.id.as_str())?.is_none() {
            open.insert(finding.id.as_str(), text(&Open { since: now, finding: finding.clone() })?.as_slice())?;
            tell(What::Began(finding))?;
        }
    }
    Ok(())
}

/// A finding that is open already, when it is found again with evidence that it did not name, or with the reason why there is
/// none; and whether it had no evidence before.
fn known_better(
    open: &redb::Table<'_, &'static str, &'static [u8]>,
    finding: &Finding,
) -> Result<Option<(Open, bool)>, redb::Error> {
    if finding.evidence.is_empty() && finding.unproven.is_none() {
        return Ok(None);
    }
    let Some(value) = open.get(finding.id.as_str())? else { return Ok(None) };
    let Open { since, finding: was } = serde_json::from_slice(value.value()).map_err(std::io::Error::other)?;
    let mut evidence = was.evidence.clone();
    evidence.extend(finding.evidence.iter().filter(|id| !was.evidence.contains(id)));
    let more = evidence.len() > was.evidence.len();
    let why = evidence.is_empty() && finding.unproven != was.unproven;
    let unproven = finding.unproven.clone().filter(|_| evidence.is_empty());
    let newly_proven = more && was.evidence.is_empty();
    let renewed = || Open { since, finding: Finding { evidence, unproven, ..finding.clone() } };
    Ok((more || why).then(|| (renewed(), newly_proven)))
}

/// What stands for those that have no room.
fn many(finding: &Finding, name: &str) -> Finding {
    let message = format!("too many findings are open; further ones such as {} are not kept one by one", finding.code);
    Finding::new(finding.class, code::MANY, message).named(name)
}

/// What is open, the worst first.
pub(crate) fn open_in(transaction: &ReadTransaction) -> Result<Vec<Open>, redb::Error> {
    let table = transaction.open_table(OPEN)?;
    let mut all: Vec<Open> = Vec::new();
    for item in table.iter()? {
        let (_, value) = item?;
        all.push(serde_json::from_slice(value.value()).map_err(std::io::Error::other)?);
    }
    all.sort_by_key(|open| (open.finding.class, open.since));
    Ok(all)
}

/// Events behind this number, the oldest first, at most so many.
pub(crate) fn events_in(transaction: &ReadTransaction, number: u64, limit: usize) -> Result<Vec<Event>, redb::Error> {
    let table = transaction.open_table(EVENTS)?;
    let mut all = Vec::new();
    for item in table.range(number.saturating_add(1)..)?.take(limit) {
        let (_, value) = item?;
        all.push(serde_json::from_slice(value.value()).map_err(std::io::Error::other)?);
    }
    Ok(all)
}

/// The number of the newest event; 0 before the first.
pub(crate) fn last_in(transaction: &ReadTransaction) -> Result<u64, redb::Error> {
    let table = transaction.open_table(EVENTS)?;
    Ok(table.last()?.map_or(0, |(number, _)| number.value()))
}

impl LogStore {
    /// What is open, the worst first.
    pub fn open_findings(&self) -> Result<Vec<Open>, Error> {
        self.read(open_in)
    }

    /// The finding of this name, if it is open.
    pub fn open_finding(&self, name: &str) -> Result<Option<Open>, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(OPEN)?;
            let Some(value) = table.get(name)? else { return Ok(None) };
            Ok(Some(serde_json::from_slice(value.value()).map_err(std::io::Error::other)?))
        })
    }

    /// Events behind this number, the oldest first, at most so many.
    pub fn events_after(&self, number: u64, limit: usize) -> Result<Vec<Event>, Error> {
        self.read(|transaction| events_in(transaction, number, limit))
    }

    /// The number of the newest event; 0 before the first.
    pub fn last_event(&self) -> Result<u64, Error> {
        self.read(last_in)
    }
}
