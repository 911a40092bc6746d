//! What gossip tells, in words.

use proto::num::{Millis, Seconds};

use super::core::{Head, STATEMENT_SECONDS, Waiting};
use crate::finding::{Class, Finding, code};

/// What names the finding of a head that waits.
fn name(head: Head) -> String {
    format!("{}-{}", head.size, &head.root.to_string()[..16])
}

/// The name of that finding.
pub(super) fn waits_name(head: Head) -> String {
    format!("{}:{}", code::UNRESOLVED, name(head))
}

/// A head waits for longer than it should.
pub(super) fn waits(waiting: &Waiting, who: &str, note: &[u8], now: Millis) -> Finding {
    let head = waiting.head;
    let minutes = now.seconds().0.saturating_sub(waiting.untied.0) / 60;
    let message = format!(
        "{who} was shown a head of {} entries that the log signed; since {minutes} minutes neither the log nor any peer shows \
         whether it is of the tree that is followed here. The log may show different trees to different people",
        head.size
    );
    Finding::new(Class::Degraded, code::UNRESOLVED, message).named(name(head)).with_heads(&[note])
}

/// Heads were discarded.
pub(super) fn discarded(total: u64) -> Finding {
    let message = format!(
        "more heads that the log signed were shown than can wait to be held against its tree; {total} or more were discarded so \
         far. Only the log signs heads: it may try to hide one among them, or others show old ones while its entries are read"
    );
    Finding::new(Class::Degraded, code::DISCARDED, message)
}

/// Since when a head is known, as it is signed: by a clock that may have been behind, but nobody has it before the log signed it.
pub(super) fn stated_since(since: Seconds, log_time: Option<Seconds>, now: Seconds) -> Seconds {
    let is_past = |time: &Seconds| time.0.saturating_add(STATEMENT_SECONDS) <= now.0;
    log_time.filter(is_past).map_or(since, |time| time.max(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_known_no_earlier_than_it_was_signed() {
        let now = Seconds(10 * STATEMENT_SECONDS);
        let since = |since: u64, log: Option<u64>| stated_since(Seconds(since), log.map(Seconds), now).0;
        assert_eq!(since(7, None), 7);
        assert_eq!(since(7, Some(9_000)), 9_000, "the clock was behind");
        assert_eq!(since(9_100, Some(9_000)), 9_100);
        assert_eq!(since(7, Some(now.0)), 7, "a time of the log's that says nothing");
    }
}
