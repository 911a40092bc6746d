//! The sequencer's thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::Outcome;
use super::batch::{answer_all, ask_again};
use super::{Halted, Published, Queue, Sequencer};

/// An unchanged head is stamped again after this long: readers see that the log is alive.
pub(super) const RESTAMP_AFTER: Duration = Duration::from_secs(30);

/// The first wait before a recovery; it doubles up to [`MAX_RECOVERY_WAIT`].
const FIRST_RECOVERY_WAIT: Duration = Duration::from_millis(50);

/// A store that is gone for longer than this is tried only this often.
const MAX_RECOVERY_WAIT: Duration = Duration::from_secs(5);

/// How often signed heads are thinned.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// What the sequencer tells the rest of the log.
pub trait Events: Send {
    /// A newer head is to be shown. Called before anyone of its batch is answered.
    fn published(&self, published: Arc<Published>);
    /// The sequencer stopped; it tries to recover if that can help. Called once until it works again.
    fn halted(&self, why: &super::Halt);
    /// It could not recover, for another cause than before.
    fn still_halted(&self, why: &super::Halt);
    /// It works again.
    fn recovered(&self);
    /// Whether the machine's clock is believed.
    fn clock(&self, jump: Option<crate::clock::ClockJump>);
    /// A batch of this many claims was answered.
    fn batch(&self, claims: usize, took: Duration);
}

/// Runs until the queue is closed and empty. What waits then is answered; the sequencer is dropped.
pub fn run(mut sequencer: Sequencer, queue: &Queue, events: &dyn Events) {
    let mut stamped = Instant::now();
    let mut pruned = Instant::now();
    loop {
        let patience = RESTAMP_AFTER.saturating_sub(stamped.elapsed());
        let Some(items) = queue.drain(patience) else { return };
        if items.is_empty() && stamped.elapsed() < RESTAMP_AFTER {
            continue;
        }
        let (claims, begun) = (items.len(), Instant::now());
        let stepped = sequencer.append(items, &|published| events.published(Arc::new(published.clone())));
        events.batch(claims, begun.elapsed());
        sequencer = match stepped {
            Ok((next, published)) => {
                if published.is_some() || claims == 0 {
                    stamped = Instant::now(); // without claims or head, the clock is not believed; do not spin
                }
                next
            }
            Err(halted) => match wait_for_recovery(halted, queue, events) {
                Some(next) => next,
                None => return,
            },
        };
        events.clock(sequencer.clock().now().err());
        if pruned.elapsed() > PRUNE_EVERY {
            pruned = Instant::now();
            if let Some(head) = sequencer.head().copied()
                && let Err(error) = sequencer.core.store.prune_heads(head.time)
            {
                tracing::warn!(%error, "old heads could not be thinned");
            }
        }
    }
}

/// Recovers, or answers everyone "ask again" until it can or the log stops.
fn wait_for_recovery(mut halted: Halted, queue: &Queue, events: &dyn Events) -> Option<Sequencer> {
    let mut wait = FIRST_RECOVERY_WAIT;
    tracing::error!(why = %halted.why(), "the sequencer stopped");
    events.halted(halted.why());
    let mut said = halted.why().to_string();
    loop {
        let until = Instant::now() + wait;
        while Instant::now() < until {
            let items = queue.drain(until.saturating_duration_since(Instant::now()))?;
            answer_all(items, &Outcome::Undecided(ask_again()));
        }
        if !halted.why().is_passing() {
            wait = MAX_RECOVERY_WAIT; // only an operator can help; go on answering
            continue;
        }
        halted = match halted.recover() {
            Ok((sequencer, published)) => {
                events.recovered();
                if let Some(published) = published {
                    events.published(Arc::new(published));
                }
                tracing::info!("the sequencer recovered");
                return Some(sequencer);
            }
            Err(halted) => halted,
        };
        let why = halted.why().to_string();
        if why != said {
            tracing::error!(%why, "the sequencer could not recover");
            events.still_halted(halted.why());
            said = why;
        }
        wait = (wait * 2).min(MAX_RECOVERY_WAIT);
    }
}
