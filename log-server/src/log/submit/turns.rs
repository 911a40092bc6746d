//! Turns: claims of one stream are checked at once but queued in the order in which they came, so that one can name
//! another that comes shortly before it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Groups of one stream that are checked or wait for it at once: two for each of two cores, so that none is idle between
/// groups, and few enough that other streams, which wait in the same line, are not kept behind a whole one.
const CHECKS_AT_ONCE: usize = 4;

/// A place in a line. Dropping a turn lets the next one go.
#[derive(Debug)]
pub struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _after: oneshot::Sender<()>,
    checks: Arc<Semaphore>,
}

/// Hands out the turns of one stream.
#[derive(Debug)]
pub struct Turns {
    last: Option<oneshot::Receiver<()>>,
    checks: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns { last: None, checks: Arc::new(Semaphore::new(CHECKS_AT_ONCE)) }
    }
}

impl Turns {
    /// The next turn.
    pub fn take(&mut self) -> Turn {
        let (after, next) = oneshot::channel();
        Turn { before: self.last.replace(next), _after: after, checks: self.checks.clone() }
    }
}

impl Turn {
    /// Waits until few enough groups of the stream are being checked; `None` never comes, since nobody closes the line.
    pub(super) async fn check(&self) -> Option<OwnedSemaphorePermit> {
        self.checks.clone().acquire_owned().await.ok()
    }

    /// Waits until the turn before is over, however it ended.
    pub(super) async fn come(&mut self) {
        if let Some(before) = self.before.take() {
            let _over = before.await;
        }
    }
}
