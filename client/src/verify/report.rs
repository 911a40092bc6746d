//! What verification says: a verdict, and for each sentence what it rests on.

use std::fmt;

use proto::claim::ClaimId;
use proto::hash::Hash;
use proto::num::{LeafIndex, TreeSize};
use serde::Serialize;

/// The outcome as a whole, from the worst to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Something in it is wrong.
    NotProven,
    /// It cannot be read.
    Malformed,
    /// Consistent, but the reader's policy is not met or none was given.
    PolicyNotMet,
    /// Proven under the reader's own trust file.
    Proven,
}

impl Verdict {
    /// The exit code: 0 proven, 1 not proven, 2 malformed, 3 consistent only.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Proven => 0,
            Verdict::NotProven => 1,
            Verdict::Malformed => 2,
            Verdict::PolicyNotMet => 3,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::NotProven => "NOT PROVEN",
            Verdict::Malformed => "MALFORMED",
            Verdict::PolicyNotMet => "CONSISTENT, NOT PROVEN",
            Verdict::Proven => "PROVEN",
        })
    }
}

/// On what a sentence rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Follows from hashes and from signatures of keys that the reader trusts or was given.
    Proven,
    /// The log put its signature under it; if it is false, the log can be convicted of it.
    Committed,
    /// The reader's witnesses say so.
    Attested,
    /// The issuer says so.
    Asserted,
    /// Nobody looked.
    NotChecked,
    /// It is false.
    Failed,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Standing::Proven => "proven",
            Standing::Committed => "committed",
            Standing::Attested => "attested",
            Standing::Asserted => "asserted",
            Standing::NotChecked => "not checked",
            Standing::Failed => "FALSE",
        })
    }
}

/// One sentence of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// A stable name for programs.
    pub id: &'static str,
    /// On what it rests.
    pub standing: Standing,
    /// The sentence.
    pub text: String,
}

/// What was proven, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The log.
    pub origin: String,
    /// The claim.
    #[serde(serialize_with = "as_text")]
    pub claim_id: ClaimId,
    /// Its place.
    pub index: LeafIndex,
    /// Hash of its entry.
    pub leaf_hash: Hash,
    /// Size of the tree of the head.
    pub size: TreeSize,
    /// Root of that tree.
    pub root: Hash,
}

fn as_text<S: serde::Serializer>(id: &ClaimId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// What verification says of one claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The outcome.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// What it is about; absent when the files could not be read far enough.
    pub facts: Option<Facts>,
    /// Sentence by sentence.
    pub statements: Vec<Statement>,
}

impl Report {
    /// A report that ends before there is anything to state.
    pub fn short(verdict: Verdict, reason: impl Into<String>) -> Report {
        Report { verdict, reason: reason.into(), facts: None, statements: Vec::new() }
    }
}
