//! What goes out alone, first, and outside of what a channel takes one by one: two histories, and whatever a file proves.
//!
//! A log can make as many findings as it likes, and with them fill what a channel takes at once. What convicts it must not wait
//! behind them, nor be one line among many. So it is looked for first, in the whole of what waits, and sent as it is, with its
//! heads and its evidence. The channel's mark stays where it is; a second one says up to where the grave events were told.

use std::time::Duration;

use crate::finding::{Event, What, code};

/// Grave alerts of one log that go out so in a burst, and the time after which one more may. Two histories make a finding for each
/// head that shows them, of which two hundred are kept: the first twenty say it, and the rest is told with everything else. It
/// is counted for each log, so that none takes the place of another.
pub(super) const PACE: (u64, Duration) = (20, Duration::from_secs(60));

/// Whether an event goes out so. It depends on nothing but the event: what was told alone is not told again.
pub(super) fn is_grave(event: &Event) -> bool {
    match &event.what {
        What::Began(finding) | What::Proven(finding) => {
            [code::FORK, code::EVIDENCE].contains(&finding.code.as_str()) || !finding.evidence.is_empty()
        }
        _ => false,
    }
}
