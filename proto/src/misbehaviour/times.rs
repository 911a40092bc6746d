//! What entry format 1 fixes whatever the rules: times, claim ids, and the end that a freeze is.

use super::shown::Shown;
use super::verify::{Head, NotProven, harmless};
use crate::claim::{Body, ClaimId};
use crate::num::TreeSize;

/// The later entry has the earlier time.
pub(super) fn time_back(shown: &Shown) -> Result<String, NotProven> {
    let ((i, first), (j, second)) = shown.pair()?;
    if first.timestamp <= second.timestamp {
        return harmless("the later entry has no earlier time");
    }
    let (one, other) = (first.timestamp, second.timestamp);
    Ok(format!("entry {j} has the time {other} ms, before {one} ms of entry {i}, which precedes it"))
}

/// For a head (n, T): every entry i < n has ⌊ms/1000⌋ ≤ T, every entry j ≥ n has ⌊ms/1000⌋ ≥ T.
pub(super) fn head_time(stated: &Head, shown: &Shown) -> Result<String, NotProven> {
    let Some(time) = stated.time else { return harmless("the first head states no time") };
    let (index, entry) = shown.first()?;
    let (size, seconds) = (stated.text.size(), entry.timestamp.seconds());
    let said = format!("a signed head of {size} entries states the time {time} s");
    match index.is_in(size) {
        true if seconds > time => {
            Ok(format!("{said}, but entry {index}, which is in its tree, has the later time {} ms", entry.timestamp))
        }
        false if seconds < time => {
            Ok(format!("{said}, but entry {index}, which came after it, has the earlier time {} ms", entry.timestamp))
        }
        _ => harmless("the entry's time fits the head's"),
    }
}

/// One claim id at two indices.
pub(super) fn duplicate_claim(shown: &Shown) -> Result<String, NotProven> {
    let ((i, first), (j, second)) = shown.pair()?;
    let id = ClaimId::of(&first.payload_type, &first.payload);
    if id != ClaimId::of(&second.payload_type, &second.payload) {
        return harmless("the entries hold different claims");
    }
    Ok(format!("the claim {id} stands at index {i} and again at index {j}"))
}

/// The tree has more entries than those up to the freeze. The freeze's constitution is in the file, so that it is known
/// under which rules it was taken.
pub(super) fn after_freeze(head: &Head, shown: &Shown) -> Result<String, NotProven> {
    let (index, _) = shown.first()?;
    let claim = shown.under_rules_1(index)?.claim();
    let Body::Log(body) = &claim.body else { return harmless(format!("entry {index} is no log/v1 claim")) };
    if body.freeze.is_none() {
        return harmless(format!("entry {index} freezes nothing"));
    }
    let TreeSize(size) = head.text.size();
    if size <= index.size_with().0 {
        return harmless("nothing follows the freeze in this tree");
    }
    Ok(format!("entry {index} freezes the log, but the tree of the signed head has {size} entries"))
}
