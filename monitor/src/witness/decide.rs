//! What a witness decides, without disk, lock or key: the server asks it here, and so does the model that tries every order of
//! requests, crashes and restored databases (`tests/tests/model`).

use client::Error;
use proto::hash::Hash;
use proto::merkle::verify_consistency;
use proto::num::{Seconds, TreeSize};
use service::record::SignedRecord;

use super::{Answer, Cosigned};

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
