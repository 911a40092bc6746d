//! Starting a witness: the database held against the records, and the operator's act where they disagree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use client::Error;
use client::trust::Trust;
use proto::hash::Hash;
use service::record::{RecordError, SignerRecord};
use tokio::sync::watch;

use crate::evidence::Stop;

use super::decide::{doubted, higher, may_begin};
use super::doubt::Doubted;
use super::{Cosigned, Known, Slot, Table, Witness, WitnessKeys, remembered, signed_by_log, with_lines};

/// Where the record of a log is.
pub(super) fn record_path(folder: &Path, origin: &str) -> PathBuf {
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
        let (records, cosigned) = (records.to_owned(), watch::Sender::new(0));
        Ok(Witness { keys, table, records, logs: slots, cosigned })
    }

    /// Whether a log without a record may be taken for one that was never cosigned. Where the database knows a cosigned head,
    /// the record was lost: an empty one would hide that something newer may have been cosigned.
    pub fn may_begin(state: &Path, origin: &str) -> Result<bool, Error> {
        match Table::is_in(state) {
            true => Ok(may_begin(Table::open(state)?.get(origin)?.as_ref())),
            false => Ok(true),
        }
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

    /// The operator's act: makes database and record agree on the higher of both, and of what was learned of higher
    /// cosignatures, so that the log is cosigned again. The witness must not run.
    pub fn resume(state: &Path, records: &Path, origin: &str, how: Resume) -> Result<Resumed, Error> {
        Witness::resume_above(state, records, origin, how, &[])
    }

    /// The same, and not below these cosignatures of its own either.
    ///
    /// # Errors
    /// When it is not known what was cosigned last, there are two roots for one size, or the disk fails.
    pub fn resume_above(
        state: &Path,
        records: &Path,
        origin: &str,
        how: Resume,
        seen: &[Known],
    ) -> Result<Resumed, Error> {
        let learned = learned(&remembered::path(records, origin), how)?;
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
            (Err(error), Resume::NothingNewer) => anew(&path, origin, stored.as_ref(), &error)?,
        };
        let mut last = higher(origin, stored, record.last())?;
        for known in learned.iter().chain(seen) {
            last = above(origin, last, known)?;
        }
        if let Some(last) = &last {
            table.put(origin, last)?;
            record.write(&last.record()).map_err(|e| Error::local(e.to_string()))?;
        }
        remembered::remove(&remembered::path(records, origin))?;
        Ok(Resumed { last })
    }
}

/// What the file of what was learned says, when the operator acts.
fn learned(file: &Path, how: Resume) -> Result<Vec<Known>, Error> {
    match (remembered::read(file), how) {
        (Ok(learned), _) => Ok(learned),
        (Err(_), Resume::NothingNewer) => Ok(Vec::new()),
        (Err(why), Resume::FromRecord) => Err(Error::local(format!(
            "{why}. Ask the peers (--ask-peers), or say that nothing newer was cosigned than database and record say \
             (--nothing-newer), if you know that"
        ))),
    }
}

/// What is not below either, with the note if the higher one has it.
fn above(origin: &str, last: Option<Cosigned>, known: &Known) -> Result<Option<Cosigned>, Error> {
    let higher = higher(origin, last, Some(known.record))?;
    Ok(higher.map(|last| {
        match (last.size, last.root) == (known.record.size, known.record.root) && last.note.is_empty() {
            true => Cosigned { note: known.note.clone(), ..last },
            false => last,
        }
    }))
}

/// A new record in the place of one that is missing or damaged; a damaged one is kept beside it. It comes to its place with what
/// the database says: an empty one, left by a crash, would not tell if that database is put back to an older state.
pub(super) fn anew(
    path: &Path,
    origin: &str,
    stored: Option<&Cosigned>,
    error: &RecordError,
) -> Result<SignerRecord, Error> {
    let io = |file: &Path, e: std::io::Error| Error::local(format!("{} cannot be made or moved: {e}", file.display()));
    match error {
        RecordError::Damaged { .. } => {
            let aside = path.with_extension(format!("damaged-{}", crate::clock::now()));
            std::fs::rename(path, &aside).map_err(|e| io(path, e))?;
        }
        RecordError::Io { error, .. } if error.kind() == std::io::ErrorKind::NotFound => {}
        other => return Err(Error::local(other.to_string())),
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    client::files::make_folder(folder)?;
    let begun = path.with_extension("new");
    match std::fs::remove_file(&begun) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(&begun, error)),
        _ => {} // one that was begun before a crash
    }
    let mut record = SignerRecord::create(&begun, origin).map_err(|e| Error::local(e.to_string()))?;
    if let Some(stored) = stored {
        record.write(&stored.record()).map_err(|e| Error::local(e.to_string()))?;
    }
    std::fs::rename(&begun, path).map_err(|e| io(path, e))?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| io(folder, e))?;
    SignerRecord::open(path, origin).map_err(|e| Error::local(e.to_string()))
}

/// What is known of a log, out of database and record.
pub(super) fn open_slot(
    keys: &WitnessKeys,
    table: &Table,
    records: &Path,
    origin: &str,
    trust: &Trust,
) -> Result<Slot, Error> {
    let last = table.get(origin)?;
    let file = remembered::path(records, origin);
    let learned = remembered::read(&file);
    let stopped = |why: String, doubt: Option<Doubted>| {
        let why = format!(
            "{origin} is not cosigned: {why}. Run `claimtrail-monitor resume-origin {origin}` when you know why"
        );
        let (last, trust) = (last.clone(), trust.clone());
        Ok(Slot {
            last,
            shown: None,
            made: None,
            record: None,
            stopped: Some(why),
            doubt,
            again: None,
            waits: false,
            trust,
            evidence: None,
        })
    };
    let of_file = || Doubted::of(learned.clone());
    let mut record = match SignerRecord::open(&record_path(records, origin), origin) {
        Ok(record) => record,
        Err(error) => return stopped(error.to_string(), is_lost(&error).then(of_file)),
    };
    if let Some(why) = doubted(record.last(), last.as_ref(), &of_file().records()) {
        return stopped(why, Some(of_file()));
    }
    if let Err(why) = &learned {
        return stopped(why.clone(), Some(of_file()));
    }
    let mut shown = None;
    if let Some(last) = &last {
        // A crash may have come between the two; from here on they agree, and the same head may be signed again.
        let agreed = record.write(&last.record());
        if let Err(error) = agreed {
            return stopped(error.to_string(), None);
        }
        shown = cosigned_again(keys, trust, last);
    }
    // Both are as high as all that was learned, and that is durable.
    if let Err(error) = remembered::remove(&file) {
        tracing::warn!(
            origin,
            error = error.message,
            "what was learned of higher cosignatures is over, and its file stays"
        );
    }
    let (record, trust) = (Some(record), trust.clone());
    let (stopped, doubt, again) = (None, None, None);
    Ok(Slot { last, shown, made: None, record, stopped, doubt, again, waits: false, trust, evidence: None })
}

/// Whether the record is gone or damaged: what it said may be known elsewhere.
pub(super) fn is_lost(error: &RecordError) -> bool {
    match error {
        RecordError::Damaged { .. } => true,
        RecordError::Io { error, .. } => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// The last head with cosignatures at its own time, which are the same bytes as before.
pub(super) fn cosigned_again(keys: &WitnessKeys, trust: &Trust, last: &Cosigned) -> Option<Vec<u8>> {
    let head = trust.policy().check(&last.note).ok()?.checkpoint;
    debug_assert_eq!(signed_by_log(&head).as_bytes(), last.note);
    let lines = keys.sign(head.text(), last.time).ok()?;
    Some(with_lines(&head, &lines))
}
