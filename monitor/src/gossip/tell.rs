//! What gossip tells, in words.

use proto::num::Millis;

use super::core::{Head, Waiting};
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
    let minutes = now.seconds().0.saturating_sub(waiting.since.0) / 60;
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
