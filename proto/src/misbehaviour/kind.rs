//! The kinds of misbehaviour, and what a file of each kind holds.

use std::fmt;
use std::ops::RangeInclusive;

use super::{MAX_ENTRIES, Party};

/// What a file accuses of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `same-size`: two heads of one size with two roots.
    SameSize,
    /// `inconsistent`: two heads of different sizes; at the smaller size the larger tree has another root.
    Inconsistent,
    /// `two-entries`: one index, two entries, each under a signed head.
    TwoEntries,
    /// `time-back`: under one head, a later entry with an earlier time.
    TimeBack,
    /// `head-time`: a head's time that contradicts the time of an entry.
    HeadTime,
    /// `duplicate-claim`: under one head, one claim id at two indices.
    DuplicateClaim,
    /// `after-freeze`: a tree that goes on after a freeze.
    AfterFreeze,
    /// `wrong-link`: an entry whose link is not the one that the rules give.
    WrongLink,
    /// `broken-rule`: an entry that the rules refuse.
    BrokenRule,
}

/// How many parts a file of a kind has.
pub(super) struct Shape {
    pub(super) heads: usize,
    pub(super) alternative: bool,
    pub(super) leaves: usize,
    pub(super) entries: RangeInclusive<usize>,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Kind; 9] = [
        Kind::SameSize,
        Kind::Inconsistent,
        Kind::TwoEntries,
        Kind::TimeBack,
        Kind::HeadTime,
        Kind::DuplicateClaim,
        Kind::AfterFreeze,
        Kind::WrongLink,
        Kind::BrokenRule,
    ];

    /// The name as it stands in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::SameSize => "same-size",
            Kind::Inconsistent => "inconsistent",
            Kind::TwoEntries => "two-entries",
            Kind::TimeBack => "time-back",
            Kind::HeadTime => "head-time",
            Kind::DuplicateClaim => "duplicate-claim",
            Kind::AfterFreeze => "after-freeze",
            Kind::WrongLink => "wrong-link",
            Kind::BrokenRule => "broken-rule",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether it is shown by hashes alone: two histories under one key, whatever the entries say. Only these are a
    /// reason for a witness to stop cosigning.
    pub fn is_hash_only(self) -> bool {
        matches!(self, Kind::SameSize | Kind::Inconsistent | Kind::TwoEntries)
    }

    /// Whether a key of this party can be accused of it. Times that a head states are the time key's; what entries say
    /// is what the log's own key signed.
    pub(super) fn accuses(self, party: Party) -> bool {
        match self {
            Kind::HeadTime => party == Party::LogTime,
            _ => self.is_hash_only() || party == Party::Log,
        }
    }

    pub(super) fn shape(self) -> Shape {
        let none = 0..=0;
        let shape = |heads, entries| Shape { heads, alternative: false, leaves: 0, entries };
        match self {
            Kind::SameSize => shape(2, none),
            Kind::Inconsistent => Shape { alternative: true, ..shape(2, none) },
            Kind::TwoEntries => Shape { leaves: 2, ..shape(2, none) },
            Kind::HeadTime => shape(2, 1..=1),
            Kind::TimeBack | Kind::DuplicateClaim | Kind::AfterFreeze => shape(1, 2..=2),
            Kind::WrongLink | Kind::BrokenRule => shape(1, 1..=MAX_ENTRIES),
        }
    }

    /// Whether all entries stand in the order of their indices; else the first is the one in question, and the others do.
    pub(super) fn is_about_first(self) -> bool {
        matches!(self, Kind::AfterFreeze | Kind::WrongLink | Kind::BrokenRule)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
