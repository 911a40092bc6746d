//! Whether a log grows faster than it can be followed.

use proto::num::TreeSize;

use crate::finding::{Class, Finding, code};

/// Rounds in a row in which the backlog must have grown: fewer are a burst.
const ROUNDS: u32 = 5;

/// Entries below which a backlog is none: what a log takes in the seconds between two rounds.
const LEAST: u64 = 10_000;

/// How many entries were not read yet when a round began, round by round. It begins anew with the program.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    last: u64,
    grew: u32,
    first: u64,
}

impl Backlog {
    /// A round begins with this head, and so much was read; says when that has grown for long.
    pub(super) fn round(&mut self, head: TreeSize, read: TreeSize) -> Option<Finding> {
        let behind = head.0.saturating_sub(read.0);
        if behind <= self.last || behind < LEAST {
            (self.grew, self.first) = (0, behind);
        } else {
            self.grew += 1;
        }
        self.last = behind;
        (self.grew >= ROUNDS).then(|| {
            let message = format!(
                "{behind} entries are not read yet, more in each of the last {} rounds ({} before): the log grows faster than \
                 this monitor follows, or it does not serve what it signed",
                self.grew, self.first
            );
            Finding::new(Class::Degraded, code::BACKLOG, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_that_grows_for_long_is_told_until_it_shrinks() {
        let mut backlog = Backlog::default();
        let mut behind = |entries: u64| backlog.round(TreeSize(1_000_000 + entries), TreeSize(1_000_000)).is_some();
        assert!(!behind(9_000_000), "the first round of all");
        assert!((0..20).all(|i| !behind(8_000_000 - i * 100_000)), "much, and less in every round");
        assert!(!behind(0));
        let told: Vec<bool> = (1..=7).map(|i| behind(i * LEAST)).collect();
        assert_eq!(told, [false, false, false, false, true, true, true]);
        assert!(!behind(6 * LEAST), "it shrinks");
        assert!((0..50).all(|i| !behind(i)), "a busy log is no backlog");
    }
}
