//! The witness (C2SP tlog-witness): cosigns a head of a log if it extends the last one that it cosigned for that log.
//!
//! For each log one lock guards what was cosigned last, and every step from the comparison to the signature happens under it:
//! compare → store → record → sign. What is stored is durable before a signature is made, so a crash at any place can only
//! leave a head stored that nobody has a cosignature of, never the reverse.
//!
//! The record lies outside the database ([`service::record`]). After a database was restored from an old copy the record is
//! newer than it, and the witness does not cosign for that log until it knows from its peers what it cosigned last
//! (`restore.rs`, `doubt.rs`), or its operator acts: `claimtrail-monitor resume-origin`.

mod again;
mod decide;
mod doubt;
mod early;
mod key;
mod open;
mod remembered;
mod request;
mod restore;
mod said;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use client::trust::Trust;
use proto::checkpoint::{CheckpointText, VerifiedCheckpoint};
use proto::hash::Hash;
use proto::note::NoteSignature;
use proto::num::{Seconds, TreeSize};
use service::record::{SignedRecord, SignerRecord};
use tokio::sync::watch;

use crate::evidence::Stop;
use doubt::Doubted;

pub use decide::{
    Asked, RESTORE_STEPS, RestoreStep, STEPS, Step, begins, decide, doubted, higher, is_above, learn, may_begin, newer,
};
pub use doubt::Known;
pub use early::MOST_AHEAD;
pub use key::WitnessKeys;
pub use open::{Resume, Resumed, stop_path};
pub use request::{BadRequest, MAX_BODY_BYTES, MAX_PROOF_LINES, Request};
pub use restore::{Left, PeerAnswer, Restored, is_below, restored};
pub use said::{Said, counted};
pub use table::{Cosigned, Table};

/// What is said until the peers were asked.
const WAITS: &str = "the peers are being asked what this witness cosigned last; that takes seconds after a start, or, with \
                     gossip.cosign_before_peers_answer = false, until more of them than may be bad have answered";

/// Cosigns for the logs that the operator configured.
#[derive(Debug)]
pub struct Witness {
    keys: WitnessKeys,
    table: Table,
    /// The folder of the records.
    records: PathBuf,
    logs: BTreeMap<String, Mutex<Slot>>,
    /// Changes with every cosignature: whoever sends them to the peers waits for it.
    cosigned: watch::Sender<u64>,
}

/// What guards one log.
#[derive(Debug)]
struct Slot {
    /// What was cosigned last, as the database has it.
    last: Option<Cosigned>,
    /// The same with the cosignatures, for readers.
    shown: Option<Vec<u8>>,
    /// The cosignatures that were made last.
    made: Option<Made>,
    /// Where it is written besides; nothing when there is none that can be used.
    record: Option<SignerRecord>,
    /// Why nothing is cosigned.
    stopped: Option<String>,
    /// Whether that is because what was cosigned last is not known, so that what peers know of it may end it.
    doubt: Option<Doubted>,
    /// When a write failed: before which the disk is not tried again.
    again: Option<Instant>,
    /// Whether the peers are to be asked first.
    waits: bool,
    /// Whose signatures are believed.
    trust: Trust,
    /// Evidence that ends cosigning; it comes while the witness runs.
    evidence: Option<Arc<Stop>>,
}

/// Cosignatures of a head: of the same text at the same second they are the same bytes.
#[derive(Debug)]
struct Made {
    text: CheckpointText,
    time: Seconds,
    lines: Vec<NoteSignature>,
}

/// What a witness says to a head whose log signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is cosigned: a line of each key.
    Cosigned(Vec<NoteSignature>),
    /// The size that the client took for the last one cosigned is larger than the head itself (400).
    OldTooLarge,
    /// The last one cosigned is of another size than the client says: this one (409).
    Conflict(TreeSize),
    /// It has the size of the last one cosigned and another root (422).
    OtherRoot,
    /// It is not proven to extend the last one cosigned (422).
    NotProven,
    /// Nothing is cosigned for this log until the operator acts: why (503).
    Stopped(String),
    /// Nothing is cosigned now, and that ends by itself: why (503). The peers are asked, the disk takes no writes, or a clock was
    /// ahead.
    Waits(String),
}

impl Witness {
    /// Whether it cosigns for this log.
    pub fn knows(&self, origin: &str) -> bool {
        self.logs.contains_key(origin)
    }

    /// Changes with every cosignature.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.cosigned.subscribe()
    }

    /// Its keys.
    pub fn keys(&self) -> &WitnessKeys {
        &self.keys
    }

    /// The size of the last head cosigned for a log; 0 when there is none. Nothing for a log that it does not know.
    pub fn size(&self, origin: &str) -> Option<TreeSize> {
        self.with(origin, |slot| slot.last.as_ref().map_or(TreeSize(0), |last| last.size))
    }

    /// The last head cosigned for a log with its cosignatures; nothing when there is none.
    pub fn checkpoint(&self, origin: &str) -> Option<Vec<u8>> {
        self.with(origin, |slot| slot.shown.clone())?
    }

    /// Why nothing is cosigned for a log, if so, whether or not it ends by itself.
    pub fn stopped(&self, origin: &str) -> Option<String> {
        match self.with(origin, |slot| slot.refusal())?? {
            Answer::Stopped(why) | Answer::Waits(why) => Some(why),
            _ => None,
        }
    }

    /// Whether nothing is cosigned for a log until the operator acts.
    pub fn needs_operator(&self, origin: &str) -> bool {
        matches!(self.with(origin, |slot| slot.refusal()), Some(Some(Answer::Stopped(_))))
    }

    /// Stores and cosigns a head, or says why not. `old` is the size that the client takes for the last one cosigned, `now`
    /// this machine's time; a cosignature is never earlier than the one before.
    ///
    /// Waits for the disk: call it off the async threads.
    pub fn cosign(&self, old: TreeSize, proof: &[Hash], head: &VerifiedCheckpoint, now: Seconds) -> Answer {
        self.cosign_at(old, proof, head, None, now)
    }

    /// The same for a head whose log says when it signed it: no cosignature is more than [`MOST_AHEAD`] behind that.
    pub fn cosign_at(
        &self,
        old: TreeSize,
        proof: &[Hash],
        head: &VerifiedCheckpoint,
        log_time: Option<Seconds>,
        now: Seconds,
    ) -> Answer {
        let unknown = || Answer::Stopped(format!("{} is not a log of this witness", head.origin()));
        let now = early::held(now, log_time);
        self.with(head.origin(), |slot| self.cosign_in(slot, (old, proof), head, log_time, now)).unwrap_or_else(unknown)
    }

    /// The time of the last cosignature.
    pub fn last_time(&self, origin: &str) -> Option<Seconds> {
        self.with(origin, |slot| slot.last.as_ref().map(|last| last.time))?
    }

    /// What is to be said of a size 0 whose root is not the empty tree's, which is no checkpoint at all: it is told apart
    /// from what is malformed (422, but only behind 400 and 409).
    pub fn refuse_empty_root(&self, origin: &str, old: TreeSize) -> Option<Answer> {
        let answer = |slot: &mut Slot| match (old, slot.size()) {
            (TreeSize(1..), _) => Answer::OldTooLarge,
            (TreeSize(0), TreeSize(0)) => Answer::NotProven,
            (TreeSize(0), stored) => Answer::Conflict(stored),
        };
        let answer = |slot: &mut Slot| slot.refusal().unwrap_or_else(|| answer(slot));
        self.with(origin, answer)
    }

    fn with<T>(&self, origin: &str, work: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let slot = self.logs.get(origin)?;
        // A panic under the lock left the slot as it was or stopped: both are safe.
        Some(work(&mut slot.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn cosign_in(
        &self,
        slot: &mut Slot,
        (old, proof): (TreeSize, &[Hash]),
        head: &VerifiedCheckpoint,
        log_time: Option<Seconds>,
        now: Seconds,
    ) -> Answer {
        self.take_up(slot, head.origin());
        if let Some(no) = slot.refusal() {
            return no;
        }
        let next = match decide(slot.last.as_ref(), &Asked { old, proof, size: head.size(), root: head.root() }, now) {
            Ok(next) => next,
            Err(no) => return no,
        };
        if let Some(why) = early::refusal(next.time, log_time) {
            return Answer::Waits(why);
        }
        // Anybody can send the newest head again and again; that costs the disk nothing.
        let made = slot.made.as_ref().filter(|made| made.text == *head.text() && made.time == next.time);
        if let Some(made) = made {
            return Answer::Cosigned(made.lines.clone());
        }
        match self.store_and_sign(slot, head, next) {
            Ok(lines) => Answer::Cosigned(lines),
            Err(why) => {
                // What the disk holds now is unknown: nothing is signed before it was read again.
                self.failed(slot, head.origin(), &why);
                slot.refusal().unwrap_or(Answer::Waits(why))
            }
        }
    }

    /// What is to be done about a head that may be cosigned, in the order of [`STEPS`].
    fn store_and_sign(
        &self,
        slot: &mut Slot,
        head: &VerifiedCheckpoint,
        next: SignedRecord,
    ) -> Result<Vec<NoteSignature>, String> {
        let SignedRecord { size, root, time } = next;
        let last = Cosigned { size, root, time, note: signed_by_log(head).into_bytes() };
        let mut lines = Vec::new();
        for step in STEPS {
            match step {
                Step::Store => self.table.put(head.origin(), &last).map_err(|e| e.message)?,
                Step::Record => {
                    let record = slot.record.as_mut().ok_or("there is no record of what was cosigned")?;
                    record.write(&next).map_err(|e| e.to_string())?;
                }
                Step::Sign => lines = self.keys.sign(head.text(), time)?,
            }
        }
        slot.last = Some(last);
        slot.made = Some(Made { text: head.text().clone(), time, lines: lines.clone() });
        slot.shown = Some(with_lines(head, &lines));
        self.cosigned.send_modify(|count| *count = count.wrapping_add(1));
        Ok(lines)
    }
}

impl Slot {
    /// Why nothing is cosigned. What needs the operator comes first, also where something else ends by itself.
    fn refusal(&self) -> Option<Answer> {
        // A write that failed is tried again.
        let (broken, stopped) = if self.again.is_some() { (self.doubted(), None) } else { (None, self.doubted()) };
        let stopped = stopped.or_else(|| self.evidence.as_ref()?.why()).map(Answer::Stopped);
        let waits = || broken.or_else(|| self.waits.then(|| WAITS.to_owned())).map(Answer::Waits);
        stopped.or_else(waits)
    }

    fn size(&self) -> TreeSize {
        self.last.as_ref().map_or(TreeSize(0), |last| last.size)
    }
}

/// The head's note with the lines of the log alone: anybody can add others that say nothing.
fn signed_by_log(head: &VerifiedCheckpoint) -> String {
    let note = head.note();
    let mut out = format!("{}\n", note.text());
    let is_verified = |line: &NoteSignature| {
        note.verified().iter().any(|signed| signed.name() == line.name() && signed.key_hash() == line.key_hash())
    };
    note.lines().iter().filter(|line| is_verified(line)).for_each(|line| out.push_str(&format!("{line}\n")));
    out
}

/// The head's note with the witness's own lines behind the log's.
fn with_lines(head: &VerifiedCheckpoint, lines: &[NoteSignature]) -> Vec<u8> {
    let mut note = signed_by_log(head);
    lines.iter().for_each(|line| note.push_str(&format!("{line}\n")));
    note.into_bytes()
}

#[cfg(test)]
mod tests;
