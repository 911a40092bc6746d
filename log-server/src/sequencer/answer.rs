//! What is handed to the sequencer, and what comes back.

use proto::claim::ClaimId;
use proto::code::Refused;
use proto::entry::{Links, SignatureBy};
use proto::fold::{Checked, Submission};
use proto::hash::Hash;
use proto::num::{LeafIndex, Millis};

use super::queue::Full;
use super::reply::Reply;

/// A claim, with or without its signatures checked.
#[derive(Debug, Clone)]
pub enum Submitted {
    /// Every signature verifies.
    Checked(Checked),
    /// A key was not known when it was looked up; a claim queued before may enrol it.
    KeyUnknown(Submission),
}

impl Submitted {
    /// What was submitted.
    pub fn submission(&self) -> &Submission {
        match self {
            Submitted::Checked(checked) => checked.submission(),
            Submitted::KeyUnknown(submission) => submission,
        }
    }
}

/// A claim in the queue.
#[derive(Debug)]
pub struct Item {
    /// The claim.
    pub submitted: Submitted,
    /// Digest over its id and signatures, taken when it arrived: what is stored is compared with it.
    pub digest: Hash,
    /// Where the answer goes. Nobody may be listening any more.
    pub reply: Reply,
}

impl Item {
    /// Whether a key was unknown when the claim was checked.
    pub fn is_key_unknown(&self) -> bool {
        matches!(self.submitted, Submitted::KeyUnknown(_))
    }

    /// Roughly the bytes it takes in an entry.
    pub fn bytes(&self) -> usize {
        self.submitted.submission().payload().len()
    }
}

/// A claim that became an entry; the head that proves it was published.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The claim's id.
    pub claim_id: ClaimId,
    /// Where it is.
    pub index: LeafIndex,
    /// The log's time for it.
    pub timestamp: Millis,
    /// What the log applied.
    pub links: Links,
    /// Its signatures, ascending by key id.
    pub signatures: Vec<SignatureBy>,
    /// The inclusion proof under the head of its batch.
    pub inclusion: Vec<Hash>,
    /// That head.
    pub note: bytes::Bytes,
}

/// The answer to a claim.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A new entry.
    Accepted(Box<Accepted>),
    /// The claim id is in the log already, at this index.
    Known(LeafIndex),
    /// The rules refuse it.
    Refused {
        /// Why.
        why: Refused,
        /// Whether every signature verifies: then the refusal is signed, whatever was known when the claim arrived.
        signed: bool,
    },
    /// The queue did not take it.
    NotQueued(Full),
    /// The outcome is not known: a write failed, or the log stops. Asking again is safe.
    Undecided(Refused),
}
