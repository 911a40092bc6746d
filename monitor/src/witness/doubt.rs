//! A witness that does not know what it cosigned last: its record is lost, or newer than its database, or a cosignature of its
//! own is known that neither of the two has. Nothing is cosigned then, until enough peers have said what they know of it.

use std::path::Path;

use client::Error;
use service::record::{RecordError, SignedRecord, SignerRecord};

use super::decide::{RESTORE_STEPS, RestoreStep, is_above, learn, why_seen};
use super::open::{anew, cosigned_again, is_lost, record_path};
use super::restore::{Left, PeerAnswer, Restored, restored};
use super::{Cosigned, Slot, Witness, remembered};

/// What is known of a doubt.
#[derive(Debug, Default)]
pub(super) struct Doubted {
    /// The highest own cosignatures that were seen elsewhere than in database and record, each head once.
    seen: Vec<Known>,
    /// What of that is durable, in the file of `remembered.rs`.
    durable: Vec<Known>,
    /// Whether the file is damaged: then it stays as it is, or the next start would take it for all that was seen.
    damaged: bool,
    /// What came of the last time that peers were asked.
    asked: Option<String>,
}

/// A cosignature of the witness's own that was seen somewhere, verified under its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The head and the time.
    pub record: SignedRecord,
    /// The note with the lines of the log alone.
    pub note: Vec<u8>,
}

impl Slot {
    /// Everything that is stopped, with what came of asking.
    pub(super) fn doubted(&self) -> Option<String> {
        let why = self.stopped.as_ref()?;
        match self.doubt.as_ref().and_then(|doubt| doubt.asked.as_ref()) {
            Some(asked) => Some(format!("{why}. The peers were asked: {asked}")),
            None => Some(why.clone()),
        }
    }
}

impl Witness {
    /// Why nothing is cosigned for a log, if that is because it is not known what was cosigned last.
    pub fn doubt(&self, origin: &str) -> Option<String> {
        self.with(origin, |slot| slot.stopped.clone().filter(|_| slot.doubt.is_some()))?
    }

    /// Nothing is cosigned for a log until the peers were asked what they know: database and record may both have been put back.
    pub fn wait_for_peers(&self, origin: &str) {
        self.with(origin, |slot| slot.waits = true);
    }

    /// They were, whether or not they answered.
    pub fn peers_were_asked(&self, origin: &str) {
        if self.with(origin, |slot| std::mem::take(&mut slot.waits)) == Some(true) {
            // What was cosigned last is shown to them from now on.
            self.cosigned.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// Whether they are still to be asked. Until then they are not shown what this witness knows: one that sees none of its
    /// cosignatures would only say it after it.
    pub fn waits_for_peers(&self, origin: &str) -> bool {
        self.with(origin, |slot| slot.waits).unwrap_or(false)
    }

    /// Notes what came of asking the peers, for whoever looks why nothing is cosigned.
    pub fn asked(&self, origin: &str, outcome: &str) {
        let note = |slot: &mut Slot| {
            if let Some(doubt) = &mut slot.doubt {
                doubt.asked = Some(outcome.to_owned());
            }
        };
        self.with(origin, note);
    }

    /// A cosignature of this witness was seen somewhere. One that is above what database and record say shows that both were
    /// put back to an older state, or that the key is used elsewhere: nothing is cosigned from now on, also after a restart.
    /// Gives whether it is so.
    ///
    /// May wait for the disk: call it off the async threads.
    pub fn saw_own(&self, origin: &str, seen: &Known) -> bool {
        let looked = self.with(origin, |slot| {
            if !is_above(&seen.record, slot.last.as_ref()) {
                return false;
            }
            // A failed write may be over any moment; this is not.
            if slot.stopped.is_none() || slot.again.is_some() {
                slot.again = None;
                let why = format!(
                    "{origin} is not cosigned: {}. Run `claimtrail-monitor resume-origin {origin} --ask-peers` when you know why",
                    why_seen(&seen.record)
                );
                tracing::error!(origin, "{why}");
                slot.stopped = Some(why);
                slot.doubt = Some(Doubted::default());
            }
            if let Err(error) = self.remember(slot, origin, std::slice::from_ref(seen)) {
                // Nothing is signed as long as this process runs; who looks again tries again.
                tracing::error!(origin, error = error.message, "a higher cosignature that was seen is not durable yet");
            }
            true
        });
        looked.unwrap_or(false)
    }

    /// Takes down what was seen, in memory and in the file that a restart reads.
    ///
    /// # Errors
    /// When it is not durable.
    pub(super) fn remember(&self, slot: &mut Slot, origin: &str, seen: &[Known]) -> Result<(), Error> {
        let path = remembered::path(&self.records, origin);
        let Some(doubt) = &mut slot.doubt else {
            // It is stopped for another reason, until a restart: that one finds it.
            let mut kept = Doubted::of(remembered::read(&path));
            seen.iter().for_each(|known| learn(&mut kept.seen, known));
            return kept.keep(&path);
        };
        seen.iter().for_each(|known| learn(&mut doubt.seen, known));
        doubt.keep(&path)
    }

    /// Lets a log be cosigned again, if what is left here and what the peers say is enough for it; gives what was decided, or
    /// nothing when there is no doubt. `known` are the peers' notes.
    ///
    /// Waits for the disk: call it off the async threads.
    ///
    /// # Errors
    /// When the outcome cannot be made durable. Then nothing is cosigned.
    pub fn restore(
        &self,
        origin: &str,
        answers: &[PeerAnswer],
        known: &[Known],
        bad: usize,
    ) -> Result<Option<Restored>, Error> {
        let restore = |slot: &mut Slot| self.restore_in(slot, origin, answers, known, bad);
        self.with(origin, restore).unwrap_or(Ok(None))
    }

    fn restore_in(
        &self,
        slot: &mut Slot,
        origin: &str,
        answers: &[PeerAnswer],
        known: &[Known],
        bad: usize,
    ) -> Result<Option<Restored>, Error> {
        if slot.doubt.is_none() {
            return Ok(None);
        }
        // What a peer said once is known from then on, also when it is silent the next time, and after a restart.
        self.remember(slot, origin, known)?;
        let of_doubt = slot.doubt.iter().flat_map(|doubt| &doubt.seen);
        let seen: Vec<Known> = of_doubt.chain(known).cloned().collect();
        let path = record_path(&self.records, origin);
        let opened = SignerRecord::open(&path, origin);
        let recorded = match &opened {
            Ok(record) => record.last(),
            Err(error) if is_lost(error) => None,
            Err(error) => return Err(Error::local(error.to_string())),
        };
        let left = Left {
            own: slot.last.as_ref().map(Cosigned::record).into_iter().chain(recorded).collect(),
            seen: seen.iter().map(|known| known.record).collect(),
        };
        let outcome = restored(&left, answers, bad);
        let Restored::From(from) = outcome else { return Ok(Some(outcome)) };
        let last = with_note(slot, from, &seen);
        // As before a signature: what is durable comes first, and only then anything may be signed.
        let record = self.mend(origin, &last, opened)?;
        slot.shown = cosigned_again(&self.keys, &slot.trust, &last);
        (slot.last, slot.record) = (Some(last), Some(record));
        (slot.stopped, slot.doubt) = (None, None);
        self.cosigned.send_modify(|count| *count = count.wrapping_add(1));
        Ok(Some(outcome))
    }

    /// Makes durable from what a log is cosigned on, in the order of [`RESTORE_STEPS`].
    fn mend(
        &self,
        origin: &str,
        last: &Cosigned,
        opened: Result<SignerRecord, RecordError>,
    ) -> Result<SignerRecord, Error> {
        let path = record_path(&self.records, origin);
        let mut record = opened;
        for step in RESTORE_STEPS {
            match step {
                RestoreStep::Store => self.table.put(origin, last)?,
                RestoreStep::Record => {
                    let mut whole = match record {
                        Ok(whole) => whole,
                        Err(error) => anew(&path, origin, Some(last), &error)?,
                    };
                    whole.write(&last.record()).map_err(|e| Error::local(e.to_string()))?;
                    record = Ok(whole);
                }
                RestoreStep::Forget => self.forget(origin),
            }
        }
        record.map_err(|e| Error::local(e.to_string()))
    }

    /// What was learned says nothing any more that database and record do not say.
    fn forget(&self, origin: &str) {
        if let Err(error) = remembered::remove(&remembered::path(&self.records, origin)) {
            // The next start removes it.
            tracing::warn!(origin, error = error.message, "what was seen is durable now, and its file stays");
        }
    }
}

/// The head with its note, wherever that is known from; without one it is not shown until the next is cosigned.
fn with_note(slot: &Slot, from: SignedRecord, seen: &[Known]) -> Cosigned {
    let SignedRecord { size, root, time } = from;
    let of_seen = seen.iter().filter(|known| (known.record.size, known.record.root) == (size, root));
    let of_last = slot.last.as_ref().filter(|last| (last.size, last.root) == (size, root));
    let mut notes = of_last.map(|last| &last.note).into_iter().chain(of_seen.map(|known| &known.note));
    let note = notes.find(|note| !note.is_empty()).cloned().unwrap_or_default();
    Cosigned { size, root, time, note }
}

impl Doubted {
    /// As a file says it.
    pub(super) fn of(file: Result<Vec<Known>, String>) -> Doubted {
        let damaged = file.is_err();
        let seen = file.unwrap_or_default();
        Doubted { durable: seen.clone(), seen, damaged, asked: None }
    }

    /// The heads that were seen.
    pub(super) fn records(&self) -> Vec<SignedRecord> {
        self.seen.iter().map(|known| known.record).collect()
    }

    /// Makes durable what is not yet.
    fn keep(&mut self, path: &Path) -> Result<(), Error> {
        if self.durable != self.seen && !self.damaged {
            remembered::write(path, &self.seen)?;
            self.durable.clone_from(&self.seen);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
