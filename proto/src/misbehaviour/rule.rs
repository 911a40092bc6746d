//! A rule broken at an index: the log's own rules refuse the entry, over a state that knows only what the file shows.

use super::known::{Known, NotKnown};
use super::shown::Shown;
use super::verify::{Finding, NotProven, harmless, not_shown};
use crate::claim::ClaimType;
use crate::code::Refused;
use crate::entry::Entry;
use crate::fold::{Stop, Submission, check_signatures, decide};
use crate::num::LeafIndex;

/// Whether the rules in force refuse the entry in question.
pub(super) fn broken_rule(shown: &Shown) -> Result<Finding, NotProven> {
    let (index, entry) = shown.first()?;
    let claim = match Submission::from_entry(entry) {
        Ok(claim) => claim,
        Err(_) if index == LeafIndex(0) => return not_shown("no constitution says which rules hold for entry 0"),
        Err(refused) => {
            shown.constitution_of(index)?;
            return Ok(finding(index, refused));
        }
    };
    match judge(index, entry, claim, shown)? {
        Ok(()) => harmless("the rules take the entry, as far as the file shows what they read"),
        Err(Stop::Refused(refused)) => Ok(finding(index, refused)),
        Err(Stop::State(why)) => not_shown(why.to_string()),
        Err(stop @ (Stop::Corrupt(_) | Stop::UnknownRules(_))) => not_shown(stop.to_string()),
    }
}

fn finding(index: LeafIndex, refused: Refused) -> Finding {
    (format!("the rules that entry {index} names refuse it: {refused}"), Some(refused.code))
}

/// What the rules say to the entry at its index and time.
fn judge(
    index: LeafIndex,
    entry: &Entry,
    claim: Submission,
    shown: &Shown,
) -> Result<Result<(), Stop<NotKnown>>, NotProven> {
    let known = match index {
        LeafIndex(0) => {
            // Of a constitution the version must be known; any other type is no constitution under any rules.
            if claim.claim().claim_type == ClaimType::Log {
                shown.constitution_of(index)?;
            }
            Known::before_entry_0(&claim)
        }
        _ => Known::before(index, entry, &claim, shown)?,
    };
    let decided = check_signatures(claim, &known).and_then(|checked| decide(index, entry.timestamp, &checked, &known));
    Ok(decided.map(drop))
}
