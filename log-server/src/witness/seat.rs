//! What is known of one witness: the size that it cosigned last, how it did, and when it is asked again.

use std::sync::Arc;
use std::time::Duration;

use client::http::Backoff;
use proto::num::TreeSize;
use tokio::task::Id;
use tokio::time::Instant;

use super::ask::{Ask, Trouble};

/// The longest wait that a witness can ask for: a proxy before it that says "in an hour" must not keep a quorum away so long.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// How a witness did when it was asked last; the operator hears of changes only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    NotAsked,
    Cosigns,
    Fails(&'static str),
}

/// A witness that is asked.
pub(super) struct Seat {
    /// Its place in the policy.
    pub(super) place: usize,
    /// Its name there.
    pub(super) name: String,
    pub(super) ask: Arc<dyn Ask>,
    /// The size that it cosigned last, as far as is known.
    pub(super) known: TreeSize,
    /// The question that is under way.
    pub(super) task: Option<Id>,
    /// The number of the last head that it is done with.
    pub(super) done: u64,
    /// It is not asked before.
    again: Option<Instant>,
    backoff: Backoff,
    standing: Standing,
}

impl Seat {
    pub(super) fn new(place: usize, name: String, ask: Arc<dyn Ask>) -> Seat {
        Seat {
            place,
            name,
            ask,
            known: TreeSize(0),
            task: None,
            done: 0,
            again: None,
            backoff: Backoff::new(),
            standing: Standing::NotAsked,
        }
    }

    /// Until when it is left alone, if that is not over.
    pub(super) fn rests_until(&self, now: Instant) -> Option<Instant> {
        self.again.filter(|again| *again > now)
    }

    /// Whether it is to be asked for the head of this number now.
    pub(super) fn is_due(&self, number: u64, now: Instant) -> bool {
        self.task.is_none() && self.done < number && self.rests_until(now).is_none()
    }

    /// Whether nothing is to be expected of it for the head of this number for now.
    pub(super) fn is_out(&self, number: u64, now: Instant) -> bool {
        self.task.is_none() && (self.done >= number || self.rests_until(now).is_some())
    }

    /// It cosigned the head of this number.
    pub(super) fn cosigned(&mut self, number: u64) {
        self.done = self.done.max(number);
        self.again = None;
        self.cosigns();
    }

    /// It cosigns, whichever head.
    pub(super) fn cosigns(&mut self) {
        self.backoff = Backoff::new();
        if self.standing != Standing::Cosigns {
            tracing::info!(witness = self.name, "the witness cosigns");
            self.standing = Standing::Cosigns;
        }
    }

    /// It has nothing for the head of this number, and no fault is in that.
    pub(super) fn passed(&mut self, number: u64) {
        self.done = self.done.max(number);
    }

    /// Somebody else was faster whenever it was asked, and no fault is in that: it is asked again at this moment.
    pub(super) fn outrun(&mut self, again: Instant) {
        self.again = Some(again);
    }

    /// It did not cosign: it is asked again after a while, that grows. `least` is the usual time between two questions.
    pub(super) fn failed(&mut self, trouble: &Trouble, least: Duration, now: Instant) {
        let asked = match trouble {
            Trouble::Busy { wait, .. } => wait.map(|wait| wait.min(LONGEST_ASKED)),
            _ => None,
        };
        self.again = Some(now + self.backoff.next(asked).max(least));
        let standing = Standing::Fails(trouble.name());
        if self.standing == standing {
            return;
        }
        self.standing = standing;
        match trouble {
            Trouble::Contradicted(_) | Trouble::Stopped(_) => {
                tracing::error!(witness = self.name, "the witness contradicts this log: {trouble}");
            }
            _ => tracing::warn!(witness = self.name, "the witness does not cosign: {trouble}"),
        }
    }
}
