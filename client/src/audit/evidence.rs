//! What an audit finds against the log is kept, so that the next one says it again.

use proto::code::Code;
use proto::hash::Hash;
use proto::merkle::{NodeReader as _, inclusion_proof};
use proto::num::LeafIndex;
use proto::policy::Checked;

use super::{Audit, Audited, Breach, Outcome};
use crate::error::Error;
use crate::follow::{BUNDLE, check_time};
use crate::state::{Contradiction, ShownBy};
use crate::tiles::{HttpTree, proof_error, tree_error};

/// A breach by a head that contradicts the audited one; both are kept.
pub(super) fn breach(
    audit: &Audit<'_>,
    code: Code,
    what: &str,
    head: &Checked,
    audited: &Checked,
    shown_by: ShownBy,
) -> Breach {
    let (first, second) = (head.checkpoint.to_bytes(), audited.checkpoint.to_bytes());
    let found = Contradiction { origin: audit.origin, first: &first, second: &second, shown_by };
    let message = format!("{what}. {}", audit.state.contradiction(&found));
    Breach { index: None, code: code.to_string(), message }
}

/// Whether the time of a head fits the entries around its end. An entry that it does not fit is kept with its place under the
/// audited head.
pub(super) fn time(
    audit: &Audit<'_>,
    seen: &Audited<'_>,
    head: &Checked,
    audited: &Checked,
) -> Result<Option<Breach>, Error> {
    let Some(time) = head.log_time else { return Ok(None) };
    let Some(found) = check_time(seen.store, seen.followed, head.checkpoint.size(), time)? else { return Ok(None) };
    let index = found.index.unwrap_or_default();
    match entry(audit, seen.tree, index) {
        Ok(shown_by) => {
            let kept = breach(audit, Code::HeadTime, &found.message, head, audited, shown_by);
            Ok(Some(Breach { index: found.index, ..kept }))
        }
        Err(error) => {
            let message = format!("{}; the entry could not be kept as evidence: {error}", found.message);
            Ok(Some(Breach { message, ..found }))
        }
    }
}

/// An entry with the proof of its place in the audited tree.
fn entry(audit: &Audit<'_>, tree: &HttpTree, index: LeafIndex) -> Result<ShownBy, Error> {
    let entries = audit.tiles.bundle(index.0 / BUNDLE, tree.size())?;
    let place = usize::try_from(index.0 % BUNDLE).unwrap_or(usize::MAX);
    let leaf = tree.node(0, index.0).map_err(tree_error)?;
    let entry = entries.into_iter().nth(place).filter(|entry| Hash::leaf(entry) == leaf);
    let entry = entry.ok_or_else(|| Error::not_proven("the log serves another entry now"))?;
    let inclusion = inclusion_proof(tree, index, tree.size()).map_err(proof_error)?;
    Ok(ShownBy::Entry { index, entry, inclusion })
}

/// Says again what earlier commands found: evidence does not go away when the log hides what it showed.
pub(super) fn recall(audit: &Audit<'_>, outcome: &mut Outcome) -> Result<(), Error> {
    for kept in audit.state.evidence(audit.origin)? {
        let path = kept.path.display().to_string();
        if outcome.breaches.iter().any(|breach| breach.message.contains(&path)) {
            continue;
        }
        let message = format!(
            "TAMPERING was found at {}; the evidence is kept in {path}. As long as the file is there, this log is not clean",
            kept.found_at
        );
        outcome.breaches.push(Breach { index: None, code: Code::HeadFork.to_string(), message });
    }
    Ok(())
}
