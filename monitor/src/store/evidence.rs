//! Misbehaviour files, numbered without gaps, each once.
//!
//! A file, the finding that begins with it and everything else of its batch commit in one transaction.

use std::collections::BTreeMap;
use std::fmt;

use client::Error;
use proto::num::Millis;
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};

use super::{Batch, Findings, LogStore};
use crate::evidence::{EvidenceId, Kept, NewEvidence, Source, Stored};
use crate::finding::Finding;

/// number → the file, byte for byte
const FILES: TableDefinition<u64, &[u8]> = TableDefinition::new("evidence");
/// number → what is kept beside it
const KEPT: TableDefinition<u64, &[u8]> = TableDefinition::new("evidence-kept");
/// id → number
const IDS: TableDefinition<&[u8], u64> = TableDefinition::new("evidence-ids");
/// whose, kind, accused key → how many
pub(super) const COUNTS: TableDefinition<&str, u64> = TableDefinition::new("evidence-counts");
/// id → when the operator resumed cosigning despite it
const RESUMED: TableDefinition<&[u8], u64> = TableDefinition::new("evidence-resumed");

/// Files of one kind against one key that are kept from outside. One convicts the key, and whoever holds a key that misbehaved
/// could make any number of them: eight of at most 8 MiB each do not fill a disk, whatever came first. Those despite which the
/// operator resumed do not count: a fork that is shown after that is news again, and each act of an operator makes room but once.
const MOST_OUTSIDE: u64 = 8;
/// Files of one kind against one key that this monitor makes itself. They have room of their own: nobody outside can take it.
const MOST_OWN: u64 = 64;

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(FILES)?;
    transaction.open_table(KEPT)?;
    transaction.open_table(IDS)?;
    transaction.open_table(COUNTS)?;
    transaction.open_table(RESUMED)?;
    Ok(())
}

/// Puts in the files of a batch that are not there yet; says of each what became of it, and what the batch finds with them.
/// `resumed` are the files despite which the operator resumed, `covered` new ones that show nothing beyond them.
pub(super) fn insert(
    transaction: &WriteTransaction,
    batch: &Batch<'_>,
    (resumed, covered): (&[EvidenceId], &[EvidenceId]),
    now: Millis,
) -> Result<(Vec<Stored>, Findings), redb::Error> {
    if batch.evidence.is_empty() {
        return Ok((Vec::new(), with_findings(transaction, batch, &[], &BTreeMap::new())?));
    }
    let resumed = resumed_counts(transaction, resumed)?;
    let stored = insert_files(transaction, &batch.evidence, (&resumed, covered), now)?;
    let findings = with_findings(transaction, batch, &stored, &resumed)?;
    Ok((stored, findings))
}

fn insert_files(
    transaction: &WriteTransaction,
    evidence: &[NewEvidence],
    (resumed, covered): (&BTreeMap<String, u64>, &[EvidenceId]),
    now: Millis,
) -> Result<Vec<Stored>, redb::Error> {
    let mut files = transaction.open_table(FILES)?;
    let mut kept = transaction.open_table(KEPT)?;
    let mut ids = transaction.open_table(IDS)?;
    let mut counts = transaction.open_table(COUNTS)?;
    let mut all = Vec::new();
    for new in evidence {
        let id = new.file.id();
        if ids.get(id.0.0.as_slice())?.is_some() {
            all.push(Stored::Known(id));
            continue;
        }
        let is_covered = covered.contains(&id);
        if is_covered && new.source.is_outside() {
            all.push(Stored::Enough(id));
            continue;
        }
        let (kind, accused) = (new.file.proven().kind, &new.file.proven().accused);
        let (counted, most) = match is_covered {
            // It ends nothing, so it takes no room of what would: enough of that means that something stands.
            true => (format!("covered {kind} {accused}"), MOST_OWN),
            false => counted(&new.source, kind, accused),
        };
        let count = counts.get(counted.as_str())?.map_or(0, |count| count.value());
        if count.saturating_sub(resumed.get(&counted).copied().unwrap_or(0)) >= most {
            all.push(Stored::Enough(id));
            continue;
        }
        let number = kept.last()?.map_or(0, |(number, _)| number.value()) + 1;
        let mut about = Kept::new(number, new, now);
        about.stops_cosigning &= !is_covered; // nor at the next start
        let about = serde_json::to_vec(&about).map_err(std::io::Error::other)?;
        files.insert(number, new.file.bytes())?;
        kept.insert(number, about.as_slice())?;
        ids.insert(id.0.0.as_slice(), number)?;
        counts.insert(counted.as_str(), count + 1)?;
        all.push(Stored::New(id));
    }
    Ok(all)
}

/// What a file is counted under, and how many of that there may be.
fn counted(source: &Source, kind: impl fmt::Display, accused: impl fmt::Display) -> (String, u64) {
    let (whose, most) = match source {
        Source::Own => ("own", MOST_OWN),
        Source::Peer(_) | Source::Named(_) | Source::Report => ("outside", MOST_OUTSIDE),
    };
    (format!("{whose} {kind} {accused}"), most)
}

/// How many of the kept files the operator resumed despite, by what they are counted under.
fn resumed_counts(
    transaction: &WriteTransaction,
    resumed: &[EvidenceId],
) -> Result<BTreeMap<String, u64>, redb::Error> {
    let (ids, kept) = (transaction.open_table(IDS)?, transaction.open_table(KEPT)?);
    let mut counts = BTreeMap::new();
    for id in resumed {
        let Some(number) = ids.get(id.0.0.as_slice())? else { continue };
        let Some(about) = kept.get(number.value())? else { continue };
        let about: Kept = serde_json::from_slice(about.value()).map_err(std::io::Error::other)?;
        *counts.entry(counted(&about.source, about.kind, &about.accused).0).or_default() += 1;
    }
    Ok(counts)
}

/// The findings of a batch that names files: each names only files that are kept, and a new file that none of them names begins
/// one of its own.
fn with_findings(
    transaction: &WriteTransaction,
    batch: &Batch<'_>,
    stored: &[Stored],
    resumed: &BTreeMap<String, u64>,
) -> Result<Findings, redb::Error> {
    let mut findings = batch.findings.clone();
    let ids = transaction.open_table(IDS)?;
    for finding in findings.found_mut().iter_mut().filter(|finding| !finding.evidence.is_empty()) {
        let mut named = Vec::new();
        for id in &finding.evidence {
            if ids.get(id.0.0.as_slice())?.is_some() {
                named.push(*id);
            }
        }
        finding.evidence = named;
    }
    let is_new = |id: EvidenceId| stored.contains(&Stored::New(id));
    let own: Vec<Finding> = batch
        .evidence
        .iter()
        .filter(|new| is_new(new.file.id()))
        .filter(|new| !findings.found().iter().any(|finding| finding.evidence.contains(&new.file.id())))
        .map(|new| {
            // What is shown after the operator resumed is told once more, though the finding of what came before stays open.
            let (kind, accused) = (new.file.proven().kind, &new.file.proven().accused);
            let of = |source: &Source| resumed.get(&counted(source, kind, accused).0).copied().unwrap_or(0);
            new.finding(of(&Source::Own) + of(&Source::Report))
        })
        .collect();
    own.into_iter().for_each(|finding| findings.push(finding));
    Ok(findings)
}

/// Every file that may end cosigning, and when the operator resumed despite it.
pub(super) fn stops(transaction: &redb::ReadTransaction) -> Result<Vec<(EvidenceId, Option<Millis>)>, redb::Error> {
    let (kept, resumed) = (transaction.open_table(KEPT)?, transaction.open_table(RESUMED)?);
    let mut all = Vec::new();
    for item in kept.iter()? {
        let about: Kept = serde_json::from_slice(item?.1.value()).map_err(std::io::Error::other)?;
        if about.stops_cosigning {
            let at = resumed.get(about.id.0.0.as_slice())?.map(|at| Millis(at.value()));
            all.push((about.id, at));
        }
    }
    Ok(all)
}

impl LogStore {
    /// Files from this number on, the oldest first, at most so many: what senders to peers read from the number behind the one
    /// that they sent last.
    pub fn evidence_from(&self, number: u64, limit: usize) -> Result<Vec<Kept>, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(KEPT)?;
            let mut all = Vec::new();
            for item in table.range(number..)?.take(limit) {
                all.push(serde_json::from_slice(item?.1.value()).map_err(std::io::Error::other)?);
            }
            Ok(all)
        })
    }

    /// How many files of each kind are kept.
    pub fn evidence_counts(&self) -> Result<BTreeMap<String, u64>, Error> {
        self.read(|transaction| {
            let mut counts = BTreeMap::new();
            for item in transaction.open_table(COUNTS)?.iter()? {
                let (name, count) = item?;
                let kind = name.value().split(' ').nth(1).unwrap_or_default().to_owned();
                *counts.entry(kind).or_default() += count.value();
            }
            Ok(counts)
        })
    }

    /// A file with its exact bytes.
    pub fn evidence(&self, id: EvidenceId) -> Result<Option<(Kept, Vec<u8>)>, Error> {
        self.read(|transaction| {
            let Some(number) = transaction.open_table(IDS)?.get(id.0.0.as_slice())?.map(|number| number.value()) else {
                return Ok(None);
            };
            let (kept, files) = (transaction.open_table(KEPT)?, transaction.open_table(FILES)?);
            let (Some(about), Some(bytes)) = (kept.get(number)?, files.get(number)?) else { return Ok(None) };
            let about = serde_json::from_slice(about.value()).map_err(std::io::Error::other)?;
            Ok(Some((about, bytes.value().to_vec())))
        })
    }

    /// The operator's act: the log is cosigned again despite these files. It is recorded here and beside the witness's record.
    ///
    /// # Errors
    /// When one of them is not known, others stand that are not named, or it cannot be recorded in both places: then it is not done.
    pub fn resume_despite(&self, despite: &[EvidenceId], now: Millis) -> Result<(), Error> {
        self.stop.resume(despite, now, || {
            self.write(|transaction| {
                let mut table = transaction.open_table(RESUMED)?;
                for id in despite {
                    table.insert(id.0.0.as_slice(), now.0)?;
                }
                Ok(())
            })
        })
    }
}
