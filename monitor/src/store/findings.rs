//! Findings that are open, and the events of their beginnings and ends.

mod flaps;

use client::Error;
use proto::num::Millis;
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use self::flaps::Flaps;
use super::{LogStore, room};
use crate::finding::{Class, Event, Finding, Open, What, code};
use crate::watch::Match;

/// the finding's name → the finding, since when
pub(super) const OPEN: TableDefinition<&str, &[u8]> = TableDefinition::new("open");
/// number → event
pub(super) const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");

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

    /// Leaves out those of these names. One that is over in the same step, too, stays: it keeps that from ending.
    pub(crate) fn forget(&mut self, names: &[String]) {
        self.begin.retain(|finding| self.end.contains(&finding.id) || !names.contains(&finding.id));
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
    Flaps::of(transaction).map(drop)
}

pub(super) fn text(value: &impl serde::Serialize) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(value).map_err(|e| redb::Error::Io(std::io::Error::other(e)))
}

/// Adds an event.
pub(super) fn tell(
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
    tell_over(&mut flaps, &mut events, origin, &findings.begin, now)?;
    let mut tell = |what: What, was_acknowledged: bool| match flaps.is_told(&what, now)? || was_acknowledged {
        true => tell(&mut events, origin, what, now),
        false => Ok(()),
    };
    let ended = findings.end.iter().filter(|name| !findings.begin.iter().any(|finding| finding.id == **name));
    for name in ended {
        let was = open.remove(name.as_str())?.map(|value| value.value().to_vec());
        let was: Option<Open> = was.and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(was) = was {
            tell(What::Ended(was.finding), false)?;
        }
    }
    for finding in &findings.begin {
        let (mut found, mut was) = (finding.clone(), known(&open, &finding.id)?);
        if was.is_none()
            && let Some(name) = room::none_for(&open, finding)?
        {
            found = many(finding, &name);
            was = known(&open, &found.id)?;
        }
        let was_acknowledged = was.as_ref().is_some_and(|was| was.acknowledged.is_some());
        let (now_open, told) = match was {
            None => (Open::new(now, found.clone()), Some(What::Began(found))),
            Some(was) => match again(was, &found) {
                Some(changed) => changed,
                None => continue,
            },
        };
        open.insert(now_open.finding.id.as_str(), text(&now_open)?.as_slice())?;
        if let Some(told) = told {
            tell(told, was_acknowledged)?;
        }
    }
    Ok(())
}

/// Tells the end of what came and went and is over for long enough, and is not found now.
fn tell_over(
    flaps: &mut Flaps<'_>,
    events: &mut redb::Table<'_, u64, &'static [u8]>,
    origin: &str,
    found: &[Finding],
    now: Millis,
) -> Result<(), redb::Error> {
    flaps.over(found, now)?.into_iter().try_for_each(|what| tell(events, origin, what, now))
}

/// The same where nothing else is to be written.
pub(crate) fn tell_quiet(transaction: &WriteTransaction, origin: &str, now: Millis) -> Result<(), redb::Error> {
    tell_over(&mut Flaps::of(transaction)?, &mut transaction.open_table(EVENTS)?, origin, &[], now)
}

/// Whether that would tell anything.
pub(crate) fn is_any_quiet(transaction: &ReadTransaction, now: Millis) -> Result<bool, redb::Error> {
    flaps::is_any_over(transaction, now)
}

/// The finding of this name, if it is open.
pub(super) fn known(
    open: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Option<Open>, redb::Error> {
    let Some(value) = open.get(name)? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(value.value()).map_err(std::io::Error::other)?))
}

/// A finding that is open already, when it is found again and more is known of it: evidence that it did not name, the reason why
/// there is none, a worse class, other tampering under the same name; and what is told of that. What is more than the operator
/// acknowledged is not acknowledged.
fn again(was: Open, finding: &Finding) -> Option<(Open, Option<What>)> {
    let Open { since, finding: was, acknowledged } = was;
    let mut evidence = was.evidence.clone();
    evidence.extend(finding.evidence.iter().filter(|id| !was.evidence.contains(id)));
    let more = evidence.len() > was.evidence.len();
    let worse = finding.class < was.class;
    let why = evidence.is_empty() && finding.unproven.is_some() && finding.unproven != was.unproven;
    // What was served or signed wrongly has no name of its own: only its message says what it is.
    let other = finding.class == Class::Tamper && finding.id == finding.code && finding.message != was.message;
    if !(more || worse || why || other) {
        return None;
    }
    let unproven = finding.unproven.clone().or(was.unproven).filter(|_| evidence.is_empty());
    let renewed = Finding { evidence, unproven, ..finding.clone() };
    // Whoever was told of it without a file is told that there is one. Further ones are found with the finding, unless somebody
    // has done with it.
    let told =
        match (worse || (other && acknowledged.is_some()), more && (was.evidence.is_empty() || acknowledged.is_some()))
        {
            (true, _) => Some(What::Began(renewed.clone())),
            (false, true) => Some(What::Proven(renewed.clone())),
            (false, false) => None,
        };
    let acknowledged = acknowledged.filter(|_| !more && !worse && !other);
    Some((Open { since, finding: renewed, acknowledged }, told))
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
        self.read(|transaction| known(&transaction.open_table(OPEN)?, name))
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
