//! The heads that the log published, held against its entries: root and time.

use proto::code::Code;
use proto::merkle::root_at;
use proto::num::{Seconds, TreeSize};

use super::store::AuditStore;
use super::{Audit, Breach, check_time};
use crate::api::PublishedHead;
use crate::error::Error;
use crate::tiles::{HttpTree, proof_error};

/// Heads asked for at once; logs of this kind give at most this many.
const PAGE: u32 = 200;
/// Pages read in one audit: all heads of a day, and years at one a minute are left to later audits' newer heads.
const MAX_PAGES: usize = 500;

/// Checks every head that is newer than those of the last audit; gives their number.
pub(super) fn check(
    audit: &Audit<'_>,
    store: &AuditStore,
    tree: &HttpTree,
    breaches: &mut Vec<Breach>,
) -> Result<u64, Error> {
    let until = store.heads_until()?;
    let (mut before, mut newest, mut count) = (None, until, 0);
    for _ in 0..MAX_PAGES {
        let page = match audit.tiles.wait(audit.api.heads_before(before, PAGE)) {
            Ok(page) => page,
            // A log of another make keeps no list of heads.
            Err(error) if error.problem.as_ref().is_some_and(|problem| problem.status == 404) => return Ok(count),
            Err(error) => return Err(error),
        };
        let oldest = page.iter().map(|head| head.time).min();
        for head in page.iter().filter(|head| head.time > until) {
            count += 1;
            newest = newest.max(head.time);
            breaches.extend(check_head(audit, store, tree, head)?);
        }
        match oldest {
            Some(oldest) if oldest > until && before != Some(oldest) => before = Some(oldest),
            _ => break,
        }
    }
    store.set_heads_until(newest)?;
    Ok(count)
}

fn check_head(
    audit: &Audit<'_>,
    store: &AuditStore,
    tree: &HttpTree,
    head: &PublishedHead,
) -> Result<Option<Breach>, Error> {
    let breach = |message: String| Ok(Some(Breach { index: None, code: Code::EntryTime.to_string(), message }));
    let checked = match audit.trust.policy().check(head.checkpoint.as_bytes()) {
        Ok(checked) => checked,
        Err(e) => return breach(format!("the log lists a head of time {} that is not one: {e}", head.time)),
    };
    let checkpoint = &checked.checkpoint;
    if checkpoint.size() > tree.size() {
        return Ok(None); // made while we audited; the next audit has its entries
    }
    if checkpoint.size() > TreeSize(0) && root_at(tree, checkpoint.size()).map_err(proof_error)? != checkpoint.root() {
        let size = checkpoint.size();
        return breach(format!("TAMPERING: the log signed another tree of {size} entries:\n{}", head.checkpoint));
    }
    match checked.log_time {
        Some(time) if time != Seconds(head.time) => {
            breach(format!("the log lists a head under the time {}, which it signed at {time}", head.time))
        }
        Some(time) => check_time(store, checkpoint.size(), time),
        None => Ok(None),
    }
}
