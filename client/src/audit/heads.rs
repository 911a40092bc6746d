//! The heads that the log published, held against its entries: root and time.

use std::ops::ControlFlow;

use proto::code::Code;
use proto::num::{Seconds, TreeSize};
use proto::policy::Checked;

use super::{Audit, Audited, Breach, Outcome, evidence};
use crate::api::{Api, PublishedHead};
use crate::error::Error;
use crate::follow::{HEADS_PAGE, each_from};
use crate::head::{self, Head, other_root};
use crate::state::ShownBy;

/// Pages read in one audit, so that it ends whatever the log lists: a million heads. The next audit goes on from there.
const MAX_PAGES: usize = 5000;
/// Breaches after which no more heads are looked at; nobody needs more to know what the log is.
const MAX_BREACHES: usize = 100;
/// After so many heads in a row that are newer than the audited one, the rest is left to the next audit.
const MAX_LATER: u32 = HEADS_PAGE;

/// What is to say of a published head.
enum Judged {
    Good,
    /// It was made after the audited head; the next audit has its entries.
    Later,
    Bad(Breach),
}

/// Checks every published head that no earlier audit found good.
pub(super) fn check(
    audit: &Audit<'_>,
    api: &Api,
    seen: &Audited<'_>,
    audited: &Head,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let from = seen.store.heads_from()?;
    let (mut good_until, mut all_good, mut later, mut bad) = (from, true, 0, 0);
    let listed = each_from(api, &audit.tiles, from, MAX_PAGES, &mut |head| {
        later += 1;
        match judge(audit, seen, &audited.checked, head)? {
            Judged::Later => all_good = false,
            Judged::Good => later = 0,
            Judged::Bad(breach) => {
                (later, all_good) = (0, false);
                bad += 1;
                outcome.breaches.push(breach);
            }
        }
        outcome.heads += u64::from(later == 0);
        if all_good {
            good_until = head.time;
        }
        let enough = later >= MAX_LATER || bad >= MAX_BREACHES;
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    if !listed {
        outcome.remarks.push("the log lists more heads than one audit checks; run it again for the others".into());
    }
    seen.store.set_heads_from(good_until)
}

fn judge(audit: &Audit<'_>, seen: &Audited<'_>, audited: &Checked, listed: &PublishedHead) -> Result<Judged, Error> {
    let plain = |code: Code, message| Ok(Judged::Bad(Breach { index: None, code: code.to_string(), message }));
    let place = format!("the log lists a head of {} entries under the time {}", listed.size, listed.time);
    let head = match head::of_log(audit.trust, audit.origin, listed.checkpoint.as_bytes()) {
        Ok(head) => head,
        Err(e) => return plain(Code::HeadMalformed, format!("{place} that is not one: {e}")),
    };
    let (size, root) = (head.checkpoint.size(), head.checkpoint.root());
    if size != listed.size {
        return plain(Code::HeadMalformed, format!("{place}, which it signed for {size} entries"));
    }
    if let Some(time) = head.log_time.filter(|time| *time != Seconds(listed.time)) {
        return plain(Code::HeadTime, format!("{place}, which it signed at {time}"));
    }
    if size > seen.tree.size() {
        // Heads are never smaller than earlier ones.
        let earlier = head.log_time.zip(audited.log_time).is_some_and(|(time, audited)| time < audited);
        if earlier {
            let what = format!("{place}, which is before the audited head of {} entries", seen.tree.size());
            // The smaller one comes first.
            return Ok(Judged::Bad(evidence::breach(audit, Code::HeadTime, &what, audited, &head, ShownBy::Heads)));
        }
        return Ok(Judged::Later);
    }
    if size > TreeSize(0)
        && let Some(shown_by) = other_root(seen.tree, size, root)?
    {
        let what = format!("the log signed another tree of {size} entries");
        return Ok(Judged::Bad(evidence::breach(audit, Code::HeadFork, &what, &head, audited, shown_by)));
    }
    Ok(evidence::time(audit, seen, &head, audited)?.map_or(Judged::Good, Judged::Bad))
}
