//! What all handlers share: the log, its limits, and how a handler reads without holding up the others.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use proto::code::Code;
use proto::fold::State;
use proto::num::{LeafIndex, TreeSize};
use proto::query::{Direction, EachRow, QueryError, Reader};
use service::detached::Detached;
use service::problem::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::kept::KeptTiles;
use super::large::LargeAnswers;
use super::limit::AddressLimiter;
use super::room::Room;
use super::stream::{OpenStreams, StreamLimits};
use super::{HttpOptions, ParallelReads};
use crate::log::Log;
use crate::sequencer::Published;
use crate::store::{self, Store, StoreError};
use crate::witness::Witnesses;

/// How long a read waits for the entry that changes its record to be shown; a batch takes some milliseconds.
const MOVING_PATIENCE: Duration = Duration::from_millis(500);

/// How often a record may move under a reader before it is told to come back.
const MOVING_ATTEMPTS: u32 = 4;

/// How long a read waits for its turn. A read takes some tens of milliseconds at most, so that whoever waits longer would
/// only make the line longer.
const TURN_PATIENCE: Duration = Duration::from_secs(2);

/// When a read that got no turn should come again.
const TURN_RETRY: Duration = Duration::from_secs(1);

/// What a read costs. Each kind has turns of its own, so that the dear ones never hold up the cheap ones.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cost {
    /// A few keys: one claim, one entry, a tile, the log's state.
    Point,
    /// Up to 256 entries: a bundle.
    Bundle,
    /// A page of a list.
    Scan,
}

/// Turns for reads of each cost.
struct ReadTurns {
    point: Arc<Semaphore>,
    bundle: Arc<Semaphore>,
    scan: Arc<Semaphore>,
}

impl ReadTurns {
    fn new(reads: ParallelReads) -> ReadTurns {
        let turns = |n: std::num::NonZeroUsize| Arc::new(Semaphore::new(n.get()));
        ReadTurns { point: turns(reads.point), bundle: turns(reads.bundle), scan: turns(reads.scan) }
    }

    async fn take(&self, cost: Cost) -> Result<OwnedSemaphorePermit, Problem> {
        let turns = match cost {
            Cost::Point => &self.point,
            Cost::Bundle => &self.bundle,
            Cost::Scan => &self.scan,
        };
        match tokio::time::timeout(TURN_PATIENCE, turns.clone().acquire_owned()).await {
            Ok(turn) => turn.map_err(Problem::internal),
            Err(_) => {
                let detail = "The log has as many reads of this kind under way as it can serve; ask again.";
                Err(Problem::new(Code::QueueFull, detail).retry_after(TURN_RETRY))
            }
        }
    }
}

/// Shared by all handlers. Clones are the same.
#[derive(Clone)]
pub(super) struct App(Arc<Shared>);

struct Shared {
    log: Arc<Log>,
    detached: Detached,
    limiter: AddressLimiter,
    stream: StreamLimits,
    open_streams: OpenStreams,
    stop: CancellationToken,
    reads: ReadTurns,
    large: LargeAnswers,
    room: Room,
    kept_tiles: KeptTiles,
    witnesses: Option<Witnesses>,
}

impl App {
    pub(super) fn new(log: Arc<Log>, options: &HttpOptions) -> App {
        App(Arc::new(Shared {
            log,
            detached: options.detached.clone(),
            limiter: AddressLimiter::new(options.address_limit),
            stream: options.stream,
            open_streams: OpenStreams::new(&options.stream),
            stop: options.stop.clone(),
            reads: ReadTurns::new(options.parallel_reads),
            large: LargeAnswers::new(options.large_answers),
            room: Room::new(options.under_way_kib),
            kept_tiles: KeptTiles::new(options.tile_cache_bytes),
            witnesses: options.witnesses.clone(),
        }))
    }

    pub(super) fn log(&self) -> &Arc<Log> {
        &self.0.log
    }

    pub(super) fn detached(&self) -> &Detached {
        &self.0.detached
    }

    pub(super) fn limiter(&self) -> &AddressLimiter {
        &self.0.limiter
    }

    pub(super) fn stream_limits(&self) -> StreamLimits {
        self.0.stream
    }

    /// The places of streams.
    pub(super) fn open_streams(&self) -> &OpenStreams {
        &self.0.open_streams
    }

    /// Room for submissions that are not yet answered, of all clients together.
    pub(super) fn room(&self) -> &Room {
        &self.0.room
    }

    /// Room for large answers that are being sent.
    pub(super) fn large(&self) -> &LargeAnswers {
        &self.0.large
    }

    /// When the log stops: streams then take no more.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Full tiles and bundles that were given before.
    pub(super) fn kept_tiles(&self) -> &KeptTiles {
        &self.0.kept_tiles
    }

    /// Who cosigns the heads that are shown.
    pub(super) fn witnesses(&self) -> Option<&Witnesses> {
        self.0.witnesses.as_ref()
    }

    /// Runs a read off the async threads, under the head that is newest when it begins. When a record moves under it, it
    /// is run again under the next head.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        cost: Cost,
        work: impl Fn(&View) -> Result<T, ReadError> + Send + Sync + 'static,
    ) -> Result<T, Problem> {
        let work = Arc::new(work);
        let mut newer = self.log().newer_heads();
        for _ in 0..MOVING_ATTEMPTS {
            newer.borrow_and_update();
            match self.attempt(cost, work.clone()).await? {
                Ok(value) => return Ok(value),
                Err(ReadError::Problem(problem)) => return Err(problem),
                Err(ReadError::Moving) => {}
            }
            // Both outcomes lead to the next attempt: a newer head, or none for so long.
            let _shown = tokio::time::timeout(MOVING_PATIENCE, newer.changed()).await;
        }
        let detail = "The record changes in this moment and the log has not signed the change yet; ask again.";
        Err(Problem::new(Code::ModeRecovering, detail).retry_after(Duration::from_secs(1)))
    }

    async fn attempt<T: Send + 'static>(
        &self,
        cost: Cost,
        work: Arc<impl Fn(&View) -> Result<T, ReadError> + Send + Sync + 'static>,
    ) -> Result<Result<T, ReadError>, Problem> {
        let turn = self.0.reads.take(cost).await?;
        let view = View { log: self.log().clone(), published: self.log().published() };
        let read = tokio::task::spawn_blocking(move || {
            let read = work(&view);
            drop(turn); // here: a client that hangs up ends the wait, but not the work
            read
        });
        read.await.map_err(Problem::internal)
    }
}

/// The log under one head.
pub(super) struct View {
    pub(super) log: Arc<Log>,
    pub(super) published: Arc<Published>,
}

impl View {
    /// The tree size that bounds everything shown.
    pub(super) fn size(&self) -> TreeSize {
        self.published.head.size
    }

    pub(super) fn store(&self) -> &dyn Store {
        &**self.log.store()
    }
}

/// Why a read gave no value.
pub(super) enum ReadError {
    /// It is answered so.
    Problem(Problem),
    /// It is tried again under the next head.
    Moving,
}

impl From<Problem> for ReadError {
    fn from(problem: Problem) -> ReadError {
        ReadError::Problem(problem)
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> ReadError {
        ReadError::Problem(store_problem(&error))
    }
}

impl From<QueryError<StoreError>> for ReadError {
    fn from(error: QueryError<StoreError>) -> ReadError {
        match error {
            QueryError::Moving => ReadError::Moving,
            QueryError::Read(error) => error.into(),
            QueryError::Corrupt(_) => ReadError::Problem(Problem::internal(error)),
        }
    }
}

fn store_problem(error: &StoreError) -> Problem {
    match error {
        StoreError::Closed => Problem::new(Code::ModeStopping, "The log is shutting down; ask again.")
            .retry_after(Duration::from_secs(5))
            .because(error),
        StoreError::Recovering | StoreError::NeedsRecovery => {
            Problem::new(Code::ModeRecovering, "The log recovers from a failed write in this moment; ask again.")
                .retry_after(Duration::from_secs(1))
                .because(error)
        }
        _ => Problem::internal(error),
    }
}

impl State for View {
    type Error = StoreError;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store().state(key)
    }
}

impl Reader for View {
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        each: &mut EachRow<'_>,
    ) -> Result<(), StoreError> {
        let direction = match direction {
            Direction::Forward => store::Direction::Forward,
            Direction::Backward => store::Direction::Backward,
        };
        self.store().rows(prefix, after, direction, &mut |key, value| -> ControlFlow<()> { each(key, value) })
    }

    fn entry(&self, index: LeafIndex) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.store().entry(index)?.map(|bytes| bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn scans_that_take_every_turn_hold_up_no_other_read_and_nobody_waits_for_ever() {
        let one = NonZeroUsize::MIN;
        let turns = ReadTurns::new(ParallelReads { point: one, bundle: one, scan: one });
        let scan = turns.take(Cost::Scan).await.expect("a turn");
        drop(turns.take(Cost::Point).await.expect("a turn of its own"));
        drop(turns.take(Cost::Bundle).await.expect("a turn of its own"));
        let problem = turns.take(Cost::Scan).await.expect_err("none in time");
        assert_eq!((problem.code(), problem.status().as_u16()), (Code::QueueFull, 503));
        assert_eq!(problem.retry_after_seconds(), Some(TURN_RETRY.as_secs()));
        drop(scan);
        assert!(turns.take(Cost::Scan).await.is_ok());
    }
}
