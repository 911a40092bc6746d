//! Starting a witness: the database held against the records, and the operator's act where they disagree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use client::Error;
use client::trust::Trust;
use proto::hash::Hash;
use service::record::{RecordError, SignedRecord, SignerRecord};

use crate::evidence::Stop;

use super::{Cosigned, Slot, Table, Witness, WitnessKeys, signed_by_log, with_lines};

/// Where the record of a log is.
fn record_path(folder: &Path, origin: &str) -> PathBuf {
    folder.join(&Hash::of(origin.as_bytes()).to_string()[..32])
}

/// Where it is written that evidence ends cosigning of a log: beside its record, in no backup.
pub fn stop_path(records: &Path, origin: &str) -> PathBuf {
    record_path(records, origin).with_extension("evidence")
}

/// How the operator lets a log be cosigned again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// From what is higher, record or database.
    FromRecord,
    /// The record is lost; the operator knows that nothing newer was cosigned than the database says.
    NothingNewer,
}

/// From what a log is cosigned on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumed {
    /// The last head that counts as cosigned; nothing when there is none.
    pub last: Option<Cosigned>,
}

impl Witness {
    /// Takes up what was cosigned for these logs. Where the record is missing, damaged or newer than the database, nothing is
    /// cosigned for that log, and the rest goes on.
    pub fn open(keys: WitnessKeys, state: &Path, records: &Path, logs: &[(String, Trust)]) -> Result<Witness, Error> {
        let table = Table::open(state)?;
        let mut slots = BTreeMap::new();
        for (origin, trust) in logs {
            let slot = open_slot(&keys, &table, records, origin, trust)?;
            if let Some(why) = &slot.stopped {
                tracing::error!(origin, "{why}");
            }
            slots.insert(origin.clone(), Mutex::new(slot));
        }
        Ok(Witness { keys, table, logs: slots })
    }

    /// From now on evidence ends cosigning of this log, as `stop` says it and as it is written beside the log's record.
    pub fn heed(&self, origin: &str, records: &Path, stop: &Arc<Stop>) -> Result<(), Error> {
        let Some(slot) = self.logs.get(origin) else { return Ok(()) };
        stop.beside(stop_path(records, origin))?;
        slot.lock().unwrap_or_else(PoisonError::into_inner).evidence = Some(Arc::clone(stop));
        if let Some(why) = stop.why() {
            tracing::error!(origin, "not cosigned: {why}");
        }
        Ok(())
    }

    /// Makes the record of a log that was never cosigned.
    pub fn create_record(records: &Path, origin: &str) -> Result<(), Error> {
        client::files::make_folder(records)?;
        let made = SignerRecord::create(&record_path(records, origin), origin);
        made.map(|_| ()).map_err(|e| Error::local(e.to_string()))
    }

    /// Whether a log has a record: then it was followed or cosigned before.
    pub fn has_record(records: &Path, origin: &str) -> bool {
        record_path(records, origin).exists()
    }

    /// The operator's act: makes database and record agree on the higher of both, so that the log is cosigned again. The
    /// witness must not run.
    pub fn resume(state: &Path, records: &Path, origin: &str, how: Resume) -> Result<Resumed, Error> {
        let table = Table::open(state)?;
        let stored = table.get(origin)?;
        let path = record_path(records, origin);
        let mut record = match (SignerRecord::open(&path, origin), how) {
            (Ok(record), _) => record,
            (Err(error), Resume::FromRecord) => {
                return Err(Error::local(format!(
                    "{error}. What was cosigned last may be newer than the database says. If you know that it is not, from \
                     the log's list of heads and from others who have this witness's cosignatures, say so with \
                     --nothing-newer; if you do not, make a witness with a new key"
                )));
            }
            (Err(error), Resume::NothingNewer) => anew(&path, origin, records, &error)?,
        };
        let last = higher(origin, stored, record.last())?;
        if let Some(last) = &last {
            table.put(origin, last)?;
            let written = record.write(&SignedRecord { size: last.size, root: last.root, time: last.time });
            written.map_err(|e| Error::local(e.to_string()))?;
        }
        Ok(Resumed { last })
    }
}

/// A new record in the place of one that is missing or damaged; a damaged one is kept beside it.
fn anew(path: &Path, origin: &str, records: &Path, error: &RecordError) -> Result<SignerRecord, Error> {
    match error {
        RecordError::Damaged { .. } => {
            let aside = path.with_extension(format!("damaged-{}", client::clock::now()));
            std::fs::rename(path, &aside)
                .map_err(|e| Error::local(format!("{} cannot be moved away: {e}", path.display())))?;
        }
        RecordError::Io { error, .. } if error.kind() == std::io::ErrorKind::NotFound => {}
        other => return Err(Error::local(other.to_string())),
    }
    client::files::make_folder(records)?;
    SignerRecord::create(path, origin).map_err(|e| Error::local(e.to_string()))
}

/// What is not below either of both. Two roots for one size are no matter of order: one of them is wrong.
fn higher(origin: &str, stored: Option<Cosigned>, record: Option<SignedRecord>) -> Result<Option<Cosigned>, Error> {
    let of_record = |r: SignedRecord| Cosigned { size: r.size, root: r.root, time: r.time, note: Vec::new() };
    match (stored, record) {
        (stored, None) => Ok(stored),
        (None, Some(record)) => Ok(Some(of_record(record))),
        (Some(stored), Some(record)) if stored.size == record.size && stored.root != record.root => {
            Err(Error::local(format!(
                "the database and the record of {origin} have two roots for {} entries; this witness must not cosign again: \
                 make one with a new key",
                stored.size
            )))
        }
        (Some(stored), Some(record)) if stored.size >= record.size => {
            Ok(Some(Cosigned { time: stored.time.max(record.time), ..stored }))
        }
        (Some(stored), Some(record)) => Ok(Some(Cosigned { time: stored.time.max(record.time), ..of_record(record) })),
    }
}

fn open_slot(keys: &WitnessKeys, table: &Table, records: &Path, origin: &str, trust: &Trust) -> Result<Slot, Error> {
    let last = table.get(origin)?;
    let stopped = |why: String, record| {
        let why = format!(
            "{origin} is not cosigned: {why}. Run `claimtrail-monitor resume-origin {origin}` when you know why"
        );
        Ok(Slot { last: last.clone(), shown: None, record, stopped: Some(why), evidence: None })
    };
    let mut record = match SignerRecord::open(&record_path(records, origin), origin) {
        Ok(record) => record,
        Err(error) => return stopped(error.to_string(), None),
    };
    if let Some(why) = newer(record.last(), last.as_ref()) {
        return stopped(why, None);
    }
    let mut shown = None;
    if let Some(last) = &last {
        // A crash may have come between the two; from here on they agree, and the same head may be signed again.
        let agreed = record.write(&SignedRecord { size: last.size, root: last.root, time: last.time });
        if let Err(error) = agreed {
            return stopped(error.to_string(), None);
        }
        shown = cosigned_again(keys, trust, last);
    }
    Ok(Slot { last, shown, record: Some(record), stopped: None, evidence: None })
}

/// Why the record is newer than the database, if it is.
fn newer(record: Option<SignedRecord>, stored: Option<&Cosigned>) -> Option<String> {
    let record = record?;
    let Some(stored) = stored else {
        return Some(format!("a head of {} entries was cosigned, and the database does not know it", record.size));
    };
    if (record.size, record.time) > (stored.size, stored.time) || record.time > stored.time {
        return Some(format!(
            "a head of {} entries was cosigned at {}, and the database knows only one of {} at {}: it was restored from an old \
             copy, or is another's",
            record.size, record.time, stored.size, stored.time
        ));
    }
    (record.size == stored.size && record.root != stored.root)
        .then(|| format!("the database and the record have two roots for {} entries", record.size))
}

/// The last head with cosignatures at its own time, which are the same bytes as before.
fn cosigned_again(keys: &WitnessKeys, trust: &Trust, last: &Cosigned) -> Option<Vec<u8>> {
    let head = trust.policy().check(&last.note).ok()?.checkpoint;
    debug_assert_eq!(signed_by_log(&head).as_bytes(), last.note);
    let lines = keys.sign(head.text(), last.time).ok()?;
    Some(with_lines(&head, &lines))
}
