//! Evidence that others hand in.

use std::fmt;
use std::sync::Arc;

use client::Error;
use client::trust::Trust;
use proto::misbehaviour::{BadMisbehaviour, MAX_FILE_BYTES, Misbehaviour, NotProven};
use proto::note::{Note, Vkey};
use proto::num::Millis;

use super::{NewEvidence, ProvenFile, Source, Stored, claimed_head};
use crate::follow::FollowedLog;
use crate::gossip::core::Head;
use crate::store::Batch;

/// What became of a file that was taken.
pub type Taken = Stored;

/// Why a file was not taken. Whoever handed it in may be honest in every case.
#[derive(Debug)]
pub enum Refused {
    /// It is too large or no misbehaviour file.
    Malformed(BadMisbehaviour),
    /// It is about a log that this monitor does not follow.
    OtherLog(String),
    /// It accuses a key that the operator's trust file does not name for that log.
    OtherKey(String),
    /// It proves nothing.
    NotProven(NotProven),
    /// It could not be kept here: not the sender's fault.
    Own(Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Malformed(why) => write!(f, "it is no misbehaviour file: {why}"),
            Refused::OtherLog(origin) => write!(f, "it is about the log {origin:?}, which is not followed here"),
            Refused::OtherKey(vkey) => {
                write!(f, "it accuses the key {vkey}, which the trust file does not name for this log")
            }
            Refused::NotProven(why) => write!(f, "it proves nothing: {why}"),
            Refused::Own(error) => f.write_str(&error.message),
        }
    }
}

/// Takes a file for whichever of these logs it is about. Cheap checks come first: size, form, log, key; then the signatures.
///
/// Waits for the disk: call it off the async threads.
///
/// # Errors
/// When it is not one to keep.
pub fn take_evidence(logs: &[Arc<FollowedLog>], bytes: &[u8], source: Source, now: Millis) -> Result<Taken, Refused> {
    let file = parse(bytes)?;
    let log = logs.iter().find(|log| log.origin() == file.origin());
    let log = log.ok_or_else(|| Refused::OtherLog(file.origin().to_owned()))?;
    log.take_parsed(&file, source, now)
}

fn parse(bytes: &[u8]) -> Result<Misbehaviour, Refused> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Refused::Malformed(BadMisbehaviour::TooLarge));
    }
    Misbehaviour::parse(bytes).map_err(Refused::Malformed)
}

/// Whether a trust file names this key for the log: as its own, as its time key, or as a witness.
fn names(trust: &Trust, origin: &str, vkey: &Vkey) -> bool {
    let policy = trust.policy();
    let of_log = policy.logs().iter().any(|log| log.origin() == origin && log.vkey() == vkey);
    let may_cosign = |witness: &&proto::policy::Witness| witness.time_key_of().is_none_or(|of| of == origin);
    of_log || policy.witnesses().iter().filter(may_cosign).any(|witness| witness.vkey() == vkey)
}

impl FollowedLog {
    /// Takes a file about this log. One that is known changes nothing.
    ///
    /// Waits for the disk: call it off the async threads.
    ///
    /// # Errors
    /// When it is not one to keep.
    pub fn take_evidence(&self, bytes: &[u8], source: Source, now: Millis) -> Result<Taken, Refused> {
        self.take_parsed(&parse(bytes)?, source, now)
    }

    fn take_parsed(&self, file: &Misbehaviour, source: Source, now: Millis) -> Result<Taken, Refused> {
        if file.origin() != self.origin() {
            return Err(Refused::OtherLog(file.origin().to_owned()));
        }
        if !names(&self.config.trust, self.origin(), file.accused()) {
            return Err(Refused::OtherKey(file.accused().to_string()));
        }
        let proven = ProvenFile::of(file).map_err(Refused::NotProven)?;
        let id = proven.id();
        // Anybody can hand it in again and again: that costs the disk nothing.
        if self.store.evidence(id).map_err(Refused::Own)?.is_some() {
            return Ok(Stored::Known(id));
        }
        if self.is_without_room(id) {
            return Ok(Stored::Enough(id));
        }
        let is_covered = self.store.is_covered(proven.heads()).map_err(Refused::Own)?;
        let batch = Batch { evidence: vec![NewEvidence { file: proven, source }], ..Batch::default() };
        let stored = self.store.commit_evidence(&batch, now).map_err(Refused::Own)?;
        match stored.contains(&Stored::Enough(id)) {
            true if is_covered => self.keep_what_is_ahead(file, now).map_err(Refused::Own)?,
            true => self.stored(&stored),
            false => {}
        }
        self.look(None).map_err(Refused::Own)?;
        Ok(stored.into_iter().next().unwrap_or(Stored::Known(id)))
    }

    /// A file that an act of the operator's covers is not kept. A head in it that is larger than what was read is, like any that
    /// somebody shows: nobody knows yet what it contradicts.
    fn keep_what_is_ahead(&self, file: &Misbehaviour, now: Millis) -> Result<(), Error> {
        let followed = self.store.cursor()?.range.size();
        for note in file.heads().iter().map(Note::to_bytes) {
            let is_ahead = |head: &Head| head.size > followed;
            let Some(head) = claimed_head(&note).filter(is_ahead) else { continue };
            if let Ok(checked) = self.config.trust.policy().check(&note)
                && !self.store.is_covered(&[head])?
            {
                self.offer(&checked, now)?;
            }
        }
        Ok(())
    }
}
