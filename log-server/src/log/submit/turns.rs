//! Turns: claims of one stream are checked at once but queued in the order in which they came, so that one can name
//! another that comes shortly before it. And whose turn it is to be checked.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, oneshot};

/// Groups of one stream that are checked or wait for it at once: two for each of two cores, so that none is idle between
/// groups, and few enough that other streams, which wait in the same line, are not kept behind a whole one.
const CHECKS_AT_ONCE: usize = 4;

/// Who may check forms and signatures: as many threads as there are cores, since more would only take each other's time.
/// Streams wait in a line of their own, of which no more stand in the line of all than there are cores: a claim that comes
/// alone waits for one group of lines, not for those of all streams.
#[derive(Debug)]
pub(in crate::log) struct Checks {
    cores: Semaphore,
    streams: Semaphore,
}

/// The right to check, until it is dropped.
#[derive(Debug)]
pub(super) struct Core<'a> {
    _core: SemaphorePermit<'a>,
    _stream: Option<SemaphorePermit<'a>>,
}

impl Checks {
    pub(in crate::log) fn new() -> Checks {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Checks { cores: Semaphore::new(cores), streams: Semaphore::new(cores) }
    }

    /// Waits for a core; an error never comes, since nobody closes the lines.
    pub(super) async fn core(&self, is_stream: bool) -> Result<Core<'_>, AcquireError> {
        let stream = if is_stream { Some(self.streams.acquire().await?) } else { None };
        Ok(Core { _core: self.cores.acquire().await?, _stream: stream })
    }
}

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
