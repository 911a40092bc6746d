//! A log whose cosigning ended because something could not be written is taken up again when the disk takes writes.
//!
//! A write that failed may be on the disk in full or not at all. Nothing was signed behind it: store, record and signature come in this
//! order, and the first that fails ends the request. So what is known is what a crash at that place leaves, and what is done is
//! what a start does: the database is opened again (which repairs it as after a crash), the record is read anew, and the two are
//! held against each other by the same code. A head that is found stored though nobody was answered is one that may be signed: it was
//! decided under the lock, behind the last one.
//!
//! What was read may be in a cache only, since a sync that failed once can succeed the next time without having written. That lowers
//! nothing: the record writes what it read again, and syncs that, before anything is signed ([`SignerRecord`]), and it is written
//! before each signature. If a power cut then takes the database back, the record is newer and says so.
//!
//! This process knows more than a start does: what it signed last. Where the disk shows less than that, it lost something, and the
//! log is in doubt as after a restored database.
//!
//! [`SignerRecord`]: service::record::SignerRecord

use std::time::{Duration, Instant};

use super::decide::is_above;
use super::doubt::Known;
use super::open::open_slot;
use super::{Slot, Witness};

/// Between two tries: each reads and writes the disk, and anybody can ask for a cosignature.
const TRY_AGAIN: Duration = Duration::from_secs(1);

impl Witness {
    /// Something could not be written: nothing is signed until [`Witness::take_up`] knows what the disk holds.
    pub(super) fn failed(&self, slot: &mut Slot, origin: &str, why: &str) {
        let why = format!("{why}; {origin} is cosigned again when its state can be written");
        tracing::error!(origin, "{why}");
        slot.stopped = Some(why);
        slot.again = Some(Instant::now() + TRY_AGAIN);
    }

    /// Takes a log up again after a failure, if there was one and it is time.
    pub(super) fn take_up(&self, slot: &mut Slot, origin: &str) {
        if slot.again.is_none_or(|at| Instant::now() < at) {
            return;
        }
        let new = match open_slot(&self.keys, &self.table, &self.records, origin, &slot.trust) {
            // The record cannot be written either, and nobody but the disk can help.
            Ok(new) if new.stopped.is_some() && new.doubt.is_none() => {
                return self.failed(slot, origin, &new.stopped.unwrap_or_default());
            }
            Ok(new) => new,
            Err(error) => return self.failed(slot, origin, &error.message),
        };
        let before = slot.last.take();
        let is_less = before.as_ref().is_some_and(|before| is_above(&before.record(), new.last.as_ref()));
        let (waits, evidence) = (slot.waits, slot.evidence.take());
        *slot = Slot { waits, evidence, ..new };
        if is_less {
            let why = format!(
                "{origin} is not cosigned: after a write that failed, its database or record shows less than what this witness \
                 cosigned last. Look at the disk, then run `claimtrail-monitor resume-origin {origin} --ask-peers`"
            );
            let signed = before.as_ref().map(|before| Known { record: before.record(), note: before.note.clone() });
            (slot.last, slot.stopped) = (before, Some(why));
            slot.doubt.get_or_insert_default(); // what the file says was seen stays known
            // A restart must know it, too.
            if let Err(error) = self.remember(slot, origin, signed.as_slice()) {
                tracing::error!(origin, error = error.message, "what was cosigned last is not durable");
            }
        }
        match &slot.stopped {
            Some(why) => tracing::error!(origin, "{why}"),
            None => tracing::warn!(origin, "its state can be written again; it is cosigned again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proto::num::{Seconds, TreeSize};
    use service::record::{Medium, SignedRecord, SignerRecord};

    use super::super::tests::{ORIGIN, ask, begun, head, is_cosigned, open, shown, trees};
    use super::super::{Answer, Cosigned, Restored, remembered, signed_by_log};
    use super::*;

    /// A file that cannot be synced; what is written to it is there.
    #[derive(Debug)]
    struct Unsynced(std::fs::File);

    impl Medium for Unsynced {
        fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
            Medium::read_exact_at(&self.0, bytes, offset)
        }

        fn write_all_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
            Medium::write_all_at(&self.0, bytes, offset)
        }

        fn sync_data(&self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
    }

    fn record_path(folder: &Path) -> std::path::PathBuf {
        super::super::open::record_path(&folder.join("record"), ORIGIN)
    }

    /// The time between two tries is over.
    fn time_passes(witness: &Witness) {
        let over = |slot: &mut Slot| {
            assert!(slot.again.is_some(), "it is tried again");
            slot.again = Some(Instant::now());
        };
        witness.with(ORIGIN, over);
    }

    fn waits(answer: &Answer) -> bool {
        matches!(answer, Answer::Waits(_))
    }

    fn is_stopped(answer: &Answer) -> bool {
        matches!(answer, Answer::Stopped(_))
    }

    #[test]
    fn after_a_store_that_failed_it_goes_on_from_what_the_disk_holds() {
        for written in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let [tree, fork] = trees();
            let witness = begun(folder.path());
            assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 100)));
            witness.table.fail_next(written);
            assert!(waits(&ask(&witness, &tree, 5, 8, 200)));
            assert_eq!(shown(&witness), Some((5, 100)), "nothing was signed");
            assert!(waits(&ask(&witness, &tree, 5, 8, 200)), "not before the disk is looked at");

            // The disk still fails, then it does not.
            witness.table.fail_reads(true);
            time_passes(&witness);
            assert!(waits(&ask(&witness, &tree, 5, 8, 200)));
            witness.table.fail_reads(false);
            time_passes(&witness);
            let held = if written { 8 } else { 5 };
            let other = ask(&witness, &fork, 5, 9, 300);
            let expected = if written { Answer::Conflict(TreeSize(8)) } else { Answer::NotProven };
            assert_eq!(other, expected, "written: {written}");
            assert!(witness.stopped(ORIGIN).is_none());
            assert!(is_cosigned(&ask(&witness, &tree, held, 9, 150)));
            let time = if written { 200 } else { 150 };
            assert_eq!(shown(&witness), Some((9, time)), "no time is lowered");
            drop(witness);
            assert_eq!(shown(&open(folder.path())), Some((9, time)), "it is durable");
        }
    }

    #[test]
    fn after_a_record_that_failed_it_goes_on_with_a_record_that_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let [tree, fork] = trees();
        let witness = begun(folder.path());
        assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 100)));
        let path = record_path(folder.path());
        let file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let failing = SignerRecord::open_on(&path, Box::new(Unsynced(file)), ORIGIN).unwrap();
        witness.with(ORIGIN, |slot| slot.record = Some(failing));
        assert!(waits(&ask(&witness, &tree, 5, 8, 200)));
        time_passes(&witness);
        assert_eq!(ask(&witness, &fork, 5, 9, 300), Answer::Conflict(TreeSize(8)), "it was stored");
        assert_eq!(SignerRecord::read(&path, ORIGIN).unwrap().unwrap().size, TreeSize(8));
        assert!(is_cosigned(&ask(&witness, &tree, 8, 8, 250)));
    }

    #[test]
    fn a_disk_that_shows_less_than_was_signed_is_a_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let [tree, _] = trees();
        let witness = begun(folder.path());
        assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 100)));
        let (five, record) =
            (witness.table.get(ORIGIN).unwrap().unwrap(), std::fs::read(record_path(folder.path())).unwrap());
        assert!(is_cosigned(&ask(&witness, &tree, 5, 8, 200)));
        witness.table.fail_next(false);
        assert!(waits(&ask(&witness, &tree, 8, 9, 300)));
        // Both are put back while it runs.
        witness.table.put(ORIGIN, &Cosigned { time: Seconds(100), ..five }).unwrap();
        std::fs::write(record_path(folder.path()), record).unwrap();
        time_passes(&witness);
        assert!(is_stopped(&ask(&witness, &tree, 5, 9, 300)));
        assert!(witness.doubt(ORIGIN).is_some_and(|why| why.contains("shows less")));
        assert!(is_stopped(&ask(&witness, &tree, 8, 9, 300)), "that stays until peers or the operator say more");
    }

    #[test]
    fn what_was_seen_elsewhere_stays_known() {
        let folder = tempfile::tempdir().unwrap();
        let [tree, fork] = trees();
        let witness = begun(folder.path());
        assert!(is_cosigned(&ask(&witness, &tree, 0, 5, 100)));
        let (five, record) =
            (witness.table.get(ORIGIN).unwrap().unwrap(), std::fs::read(record_path(folder.path())).unwrap());
        assert!(is_cosigned(&ask(&witness, &tree, 5, 8, 200)));
        // Another root of the same size was seen once; the file stayed.
        let other = head(&fork, 8);
        let seen = SignedRecord { size: other.size(), root: other.root(), time: Seconds(200) };
        let seen = Known { record: seen, note: signed_by_log(&other).into_bytes() };
        remembered::write(&remembered::path(&witness.records, ORIGIN), &[seen]).unwrap();
        witness.table.fail_next(false);
        assert!(waits(&ask(&witness, &tree, 8, 9, 300)));
        witness.table.put(ORIGIN, &Cosigned { time: Seconds(100), ..five }).unwrap();
        std::fs::write(record_path(folder.path()), record).unwrap();
        time_passes(&witness);
        assert!(is_stopped(&ask(&witness, &tree, 5, 9, 300)));
        let outcome = witness.restore(ORIGIN, &[], &[], 1).unwrap();
        assert_eq!(outcome, Some(Restored::TwoRoots(TreeSize(8))));
    }
}
