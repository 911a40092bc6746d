//! What a witness decides, without disk, lock or key: the server asks it here, and so does the model that tries every order of
//! requests, crashes and restored databases (`tests/tests/model`).

use client::Error;
use proto::hash::Hash;
use proto::merkle::verify_consistency;
use proto::num::{Seconds, TreeSize};
use service::record::SignedRecord;

use super::{Answer, Cosigned, Known};

/// Heads that are remembered as seen: the highest one counts, and others only if they contradict it.
const MOST_SEEN: usize = 16;

/// What is done about a head that may be cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// It is made durable in the database.
    Store,
    /// It is made durable in the record outside of it.
    Record,
    /// It is signed.
    Sign,
}

/// First what is durable, then the signature: a crash in between lowers nothing. The record comes behind the database, so that
/// a record that is newer means a database that was put back.
pub const STEPS: [Step; 3] = [Step::Store, Step::Record, Step::Sign];

/// What is done when peers' answers let a log be cosigned again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RestoreStep {
    /// What it goes on from is made durable in the database.
    Store,
    /// It is made durable in the record outside of it.
    Record,
    /// The file of what was learned of higher cosignatures is removed.
    Forget,
}

/// As before a signature, and what was learned is forgotten last: a crash in between leaves the file, and with it the doubt.
pub const RESTORE_STEPS: [RestoreStep; 3] = [RestoreStep::Store, RestoreStep::Record, RestoreStep::Forget];

/// What a client asks, its head's signature verified.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The size that it takes for the last one cosigned.
    pub old: TreeSize,
    /// The consistency proof from there.
    pub proof: &'a [Hash],
    /// The head's size.
    pub size: TreeSize,
    /// Its root.
    pub root: Hash,
}

/// What is to be cosigned behind `last`, or the answer instead. `now` is this machine's time; a cosignature is never earlier
/// than the one before.
pub fn decide(last: Option<&Cosigned>, asked: &Asked<'_>, now: Seconds) -> Result<SignedRecord, Answer> {
    match refusal(last, asked) {
        Some(no) => Err(no),
        None => {
            let time = last.map_or(now, |last| last.time.max(now)).max(Seconds(1));
            Ok(SignedRecord { size: asked.size, root: asked.root, time })
        }
    }
}

/// The first of the conditions of C2SP tlog-witness, "add-checkpoint", that the request does not meet.
fn refusal(last: Option<&Cosigned>, asked: &Asked<'_>) -> Option<Answer> {
    let &Asked { old, proof, size, root } = asked;
    let stored = last.map_or(TreeSize(0), |last| last.size);
    if old > size {
        return Some(Answer::OldTooLarge);
    }
    if old != stored {
        return Some(Answer::Conflict(stored));
    }
    if old == TreeSize(0) && !proof.is_empty() {
        return Some(Answer::NotProven);
    }
    // Every tree extends the empty one, and a checkpoint of size 0 has its root.
    let last = last.filter(|_| old > TreeSize(0))?;
    if old == size && last.root != root {
        return Some(Answer::OtherRoot);
    }
    verify_consistency(old, size, &last.root, &root, proof).err().map(|_| Answer::NotProven)
}

/// Whether a log whose record is missing may be taken for one that was never cosigned.
pub fn may_begin(stored: Option<&Cosigned>) -> bool {
    stored.is_none()
}

/// Why the record is newer than the database, if it is: then nothing is cosigned until the operator acts.
pub fn newer(record: Option<SignedRecord>, stored: Option<&Cosigned>) -> Option<String> {
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

/// Why it is not known at a start what was cosigned last, if so: the record is newer than the database, or something was learned of
/// a cosignature that neither of the two has.
pub fn doubted(record: Option<SignedRecord>, stored: Option<&Cosigned>, learned: &[SignedRecord]) -> Option<String> {
    newer(record, stored).or_else(|| learned.iter().find(|seen| is_above(seen, stored)).map(why_seen))
}

/// Whether this was cosigned after `last`, or beside it.
pub fn is_above(record: &SignedRecord, last: Option<&Cosigned>) -> bool {
    let Some(last) = last else { return record.time > Seconds(0) };
    record.size > last.size || record.time > last.time || (record.size == last.size && record.root != last.root)
}

/// Why nothing is cosigned when this was seen, and neither database nor record has it.
pub(super) fn why_seen(seen: &SignedRecord) -> String {
    let SignedRecord { size, time, .. } = seen;
    format!(
        "a cosignature of this witness's own key over {size} entries at {time} is known, and neither its database nor its record \
         has it: both were put back to an older state, or the key is used elsewhere"
    )
}

/// Takes down a cosignature that was seen: the highest ones are kept, each head once, at the latest time.
pub fn learn(seen: &mut Vec<Known>, new: &Known) {
    let head = (new.record.size, new.record.root);
    match seen.iter_mut().find(|old| (old.record.size, old.record.root) == head) {
        Some(old) => old.record.time = old.record.time.max(new.record.time),
        None => seen.push(new.clone()),
    }
    seen.sort_by_key(|known| std::cmp::Reverse(known.record.size));
    seen.truncate(MOST_SEEN);
}

/// Whether cosigning begins after a start, the peers having been asked: at once, or, where the operator wants answers first, when
/// as many have answered as are needed.
pub fn begins(answers_first: bool, answered: usize, needed: usize) -> bool {
    !answers_first || answered >= needed
}

/// What is not below either of both. Two roots for one size are no matter of order: one of them is wrong.
pub fn higher(origin: &str, stored: Option<Cosigned>, record: Option<SignedRecord>) -> Result<Option<Cosigned>, Error> {
    let of_record = |r: SignedRecord| Cosigned { size: r.size, root: r.root, time: r.time, note: Vec::new() };
    match (stored, record) {
        (stored, None) => Ok(stored),
        (None, Some(record)) => Ok(Some(of_record(record))),
        (Some(stored), Some(record)) if stored.size == record.size && stored.root != record.root => {
            Err(Error::local(format!(
                "two roots were cosigned for {} entries of {origin}, or the database and the record say so; this witness must not \
                 cosign again: make one with a new key",
                stored.size
            )))
        }
        (Some(stored), Some(record)) if stored.size >= record.size => {
            Ok(Some(Cosigned { time: stored.time.max(record.time), ..stored }))
        }
        (Some(stored), Some(record)) => Ok(Some(Cosigned { time: stored.time.max(record.time), ..of_record(record) })),
    }
}
