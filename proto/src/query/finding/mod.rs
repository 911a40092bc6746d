//! Findings that a claim shows: alone, held against the one that stood in its place before, and beside what else its issuer says.
//!
//! Pure functions of these claims and the log's time for the new one, which is the only date that anything is held against. A
//! finding is a pointer, never a verdict: each has an explanation that blames nobody.
//!
//! | code | what | severity |
//! |---|---|---|
//! | `S1` | the end of security updates moved earlier | alarm |
//! | `S2` | less than five years of support after placing, and no word why | notice |
//! | `S4` | support is over or within 90 days of its end when it is logged | notice |
//! | `S5` | a declaration and the promise state different ends of support | warning |
//! | `S7` | sold longer than supported | warning |
//! | `U1` | one version and kind of artifact, two digests | alarm |
//! | `U2` | a version replaces a higher one | notice |
//! | `U4` | logged long after it was published | notice |
//! | `U5` | seen to be gone before the day until which it was promised | warning |
//! | `V1` | many days from public to fix, or no fix after many days | notice |
//! | `V2` | affected became not affected, without a justification | warning |
//! | `V3` | severity, ids or remediation changed under one version of the advisory | warning |
//! | `V4` | under investigation for long | notice |
//! | `V8` | a document of the advisory changed under one version | warning |
//! | `C1` | a contact that is over when it comes, or taken back with none in its place | warning |
//! | `C2` | the promised times to answer became longer | notice |
//! | `K1` | a certificate is suspended, withdrawn or expired | warning |
//! | `I1` | an issuer ceases, and names no successor here | notice |
//! | `contested` | several claims of one slot stand beside each other | warning |
//! | `disputed`, `withdrawn` | somebody disputes a claim; its issuer takes it back | notice |

mod body;
mod contact;
mod release;
mod support;
mod vulnerability;

use serde::{Deserialize, Serialize};

use crate::claim::{Claim, RelKind};
use crate::num::Millis;

/// How bad something is. The last is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Worth a look.
    Notice,
    /// Somebody should look at it.
    Warning,
    /// Somebody must look at it now.
    Alarm,
}

impl Severity {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Notice => "notice",
            Severity::Warning => "warning",
            Severity::Alarm => "alarm",
        }
    }
}

/// The codes of findings, as the table above has them.
pub const CODES: [&str; 21] = [
    "S1",
    "S2",
    "S4",
    "S5",
    "S7",
    "U1",
    "U2",
    "U4",
    "U5",
    "V1",
    "V2",
    "V3",
    "V4",
    "V8",
    "C1",
    "C2",
    "K1",
    "I1",
    "contested",
    "disputed",
    "withdrawn",
];

/// How bad it is to show the finding of this code; nothing for a code that is none.
pub fn severity_of(code: &str) -> Option<Severity> {
    Some(match code {
        "S1" | "U1" => Severity::Alarm,
        "S5" | "S7" | "U5" | "V2" | "V3" | "V8" | "C1" | "K1" | "contested" => Severity::Warning,
        "S2" | "S4" | "U2" | "U4" | "V1" | "V4" | "C2" | "I1" | "disputed" | "withdrawn" => Severity::Notice,
        _ => return None,
    })
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its code.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is seen.
    pub message: String,
    /// How it can come about without fault.
    pub innocent: String,
}

impl Shown {
    fn new(code: &str, severity: Severity, message: String, innocent: &str) -> Shown {
        debug_assert_eq!(severity_of(code), Some(severity), "{code}");
        Shown { code: code.to_owned(), severity, message, innocent: innocent.to_owned() }
    }
}

/// A claim at its place in the log.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The claim.
    pub claim: &'a Claim,
    /// The log's time for it.
    pub time: Millis,
    /// What stood in its slot before, as far as the reader has it: the claim that it replaces, else the slot's current one.
    pub before: Option<&'a Claim>,
    /// Other claims that it is held against, as far as the reader has them: the current ones of the same issuer about the same
    /// product, its contact, and of an observation the claim that was observed.
    pub beside: &'a [Claim],
    /// How many claims of its slot nobody replaced or withdrew, with this one.
    pub heads: u64,
    /// Whether public data are replayed under the issuer's name: its times are those of the replay.
    pub replay: bool,
}

impl Place<'_> {
    /// The log's time for the claim, in the numbers of dates.
    fn now(&self) -> i64 {
        i64::try_from(self.time.0).unwrap_or(i64::MAX)
    }
}

/// What a claim shows.
pub fn shown(place: Place<'_>) -> Vec<Shown> {
    let mut found = Vec::new();
    let claim = place.claim;
    match claim.rel.kind {
        RelKind::Dispute => found.push(Shown::new(
            "disputed",
            Severity::Notice,
            format!("{} disputes a claim: {}", claim.issuer, claim.rel.reason.as_deref().unwrap_or("no reason")),
            "whoever disputes can be wrong",
        )),
        RelKind::Withdraw => found.push(Shown::new(
            "withdrawn",
            Severity::Notice,
            format!("a claim is withdrawn: {}", claim.rel.reason.as_deref().unwrap_or("no reason")),
            "it was made by mistake",
        )),
        _ => {}
    }
    if !claim.rel.kind.is_about_target() && place.heads > 1 {
        found.push(Shown::new(
            "contested",
            Severity::Warning,
            format!("{} claims of one slot stand beside each other; nobody replaced or withdrew them", place.heads),
            "a claim was made anew instead of superseding the one before",
        ));
    }
    found.extend(body::alone(place));
    found.extend(contact::withdrawn(place));
    if let Some(before) = place.before {
        found.extend(body::changed(before, claim));
    }
    found.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.code.cmp(&b.code)));
    found
}

/// The worst severity of what is shown; information when nothing is.
pub fn worst(found: &[Shown]) -> Severity {
    found.iter().map(|shown| shown.severity).max().unwrap_or(Severity::Info)
}

#[cfg(test)]
mod tests;
