//! What a claim does to an earlier one.

use std::fmt;

use super::id::ClaimId;
use super::names::Origin;

/// How a claim relates to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelKind {
    /// `new`: no target.
    New,
    /// `amend`: a correction; replaces the target, with a full body.
    Amend,
    /// `supersede`: a new promise; replaces the target, with a full body.
    Supersede,
    /// `withdraw`: the target holds no more; body `{}`.
    Withdraw,
    /// `confirm`: the issuer stands by the target; body `{}`.
    Confirm,
    /// `dispute`: the issuer contradicts the target; body `{}`.
    Dispute,
    /// `reveal`: kept for a type that does not exist yet; no parsed claim has it.
    Reveal,
}

impl RelKind {
    /// Every kind.
    pub const ALL: [RelKind; 7] = [
        RelKind::New,
        RelKind::Amend,
        RelKind::Supersede,
        RelKind::Withdraw,
        RelKind::Confirm,
        RelKind::Dispute,
        RelKind::Reveal,
    ];

    /// The name as it stands in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            RelKind::New => "new",
            RelKind::Amend => "amend",
            RelKind::Supersede => "supersede",
            RelKind::Withdraw => "withdraw",
            RelKind::Confirm => "confirm",
            RelKind::Dispute => "dispute",
            RelKind::Reveal => "reveal",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<RelKind> {
        RelKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether a claim of this kind replaces its target and so carries a full body.
    pub fn replaces(self) -> bool {
        matches!(self, RelKind::Amend | RelKind::Supersede)
    }

    /// Whether a claim of this kind only speaks about its target: body `{}`, a reason, the target's slot.
    pub fn is_about_target(self) -> bool {
        matches!(self, RelKind::Withdraw | RelKind::Confirm | RelKind::Dispute)
    }
}

impl fmt::Display for RelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The claim that another one is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its id.
    pub id: ClaimId,
    /// The log it is in, when it is not this one.
    pub origin: Option<Origin>,
}

/// The relation to an earlier claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rel {
    /// What is done.
    pub kind: RelKind,
    /// To which claim: present for every kind save `new`.
    pub target: Option<Target>,
    /// Why: present for `withdraw`, `confirm` and `dispute`.
    pub reason: Option<String>,
    /// A remark.
    pub note: Option<String>,
}
