//! Starting a log, and founding one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use proto::dsse::Envelope;
use proto::fold::{KeyCache, Submission, check_signatures};
use tokio::sync::watch;

use super::submit::Checks;
use super::{IssuerLimit, Log, ModeCell, Stats, Trouble, reports};
use crate::clock::{ClockJump, LogClock, TimeSource};
use crate::sequencer::{
    self, Events, Halt, Item, Outcome, Published, Queue, QueueLimits, Reply, Sequencer, StoredState, Submitted,
};
use crate::signer::{HeadSigner, LogKeys};
use crate::store::{Store, StoreError};

/// What a log is opened with.
pub struct LogConfig {
    /// The log's own keys; the signer's, too.
    pub keys: LogKeys,
    /// Who signs heads.
    pub signer: Box<dyn HeadSigner>,
    /// Where it is kept.
    pub store: Arc<dyn Store>,
    /// Where time comes from.
    pub time: Box<dyn TimeSource>,
    /// Bounds of the queue.
    pub queue: QueueLimits,
    /// What an issuer may submit.
    pub issuer: IssuerLimit,
    /// Why the log takes no claims, if the operator wants that.
    pub read_only: Option<String>,
}

/// Why a log did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Recovery did not succeed.
    #[error("the log cannot start: {0}")]
    Halted(Halt),
    /// The store has no entry 0.
    #[error("the log has no constitution; make one with `claimtrail-log init`")]
    Empty,
    /// The constitution names other keys than the configuration.
    #[error("the constitution names {what} {expected}, the configuration has {found}")]
    OtherKeys {
        /// Which key.
        what: &'static str,
        /// In the log.
        expected: String,
        /// In the configuration.
        found: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The claim was refused.
    #[error("the claim was refused: {0}")]
    Refused(String),
    /// The thread could not be started.
    #[error("the sequencer's thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl Log {
    /// Recovers, checks that the keys are the log's, and starts the sequencer's thread.
    pub fn open(config: LogConfig) -> Result<Arc<Log>, OpenError> {
        let origin = config.store.origin().to_owned();
        let last = config.store.head()?.map(|head| head.last_timestamp.max(head.time.millis())).unwrap_or_default();
        let clock = LogClock::start(config.time, last);
        let opened = Sequencer::open(config.store.clone(), config.signer, clock);
        let (sequencer, published) = opened.map_err(|halted| OpenError::Halted(halted.into_why()))?;
        let published = published.ok_or(OpenError::Empty)?;
        check_keys(&published, &config.keys)?;
        let modes = Arc::new(ModeCell::default());
        modes.set_read_only(config.read_only);
        let (newer_sender, newer) = watch::channel(0);
        let queue = Arc::new(Queue::new(config.queue));
        let cell = Arc::new(ArcSwap::from_pointee(published));
        let stats = Stats::default();
        let shown = Shown { cell: cell.clone(), modes: modes.clone(), newer: newer_sender, stats: stats.clone() };
        shown.published(cell.load_full());
        let (thread_queue, thread_events) = (queue.clone(), shown);
        let thread = std::thread::Builder::new()
            .name("sequencer".into())
            .spawn(move || run_guarded(sequencer, &thread_queue, &thread_events))?;
        Ok(Arc::new(Log {
            origin,
            keys: config.keys,
            store: config.store,
            queue,
            published: cell,
            newer,
            modes,
            issuers: Log::issuer_limiter(config.issuer),
            reports: reports::limiter(),
            known_keys: KeyCache::default(),
            checks: Checks::new(),
            sequencer: Mutex::new(Some(thread)),
            stats,
        }))
    }

    /// Appends entry 0 to an empty store, without a thread: what `init` does.
    pub fn found(
        store: Arc<dyn Store>,
        signer: Box<dyn HeadSigner>,
        time: Box<dyn TimeSource>,
        constitution: Envelope,
    ) -> Result<Published, OpenError> {
        let clock = LogClock::start(time, Default::default());
        let opened = Sequencer::open(store.clone(), signer, clock);
        let (sequencer, published) = opened.map_err(|halted| OpenError::Halted(halted.into_why()))?;
        if published.is_some() {
            return Err(OpenError::Refused("the store has a log already".into()));
        }
        append_alone(sequencer, &store, constitution).map(|(_, published)| published)
    }

    /// Appends one claim to a log that nobody serves, without a thread: what `freeze` does.
    pub fn append_stopped(
        store: Arc<dyn Store>,
        signer: Box<dyn HeadSigner>,
        time: Box<dyn TimeSource>,
        keys: &LogKeys,
        claim: Envelope,
    ) -> Result<Published, OpenError> {
        let last = store.head()?.map(|head| head.last_timestamp.max(head.time.millis())).unwrap_or_default();
        let opened = Sequencer::open(store.clone(), signer, LogClock::start(time, last));
        let (sequencer, published) = opened.map_err(|halted| OpenError::Halted(halted.into_why()))?;
        check_keys(&published.ok_or(OpenError::Empty)?, keys)?;
        append_alone(sequencer, &store, claim).map(|(_, published)| published)
    }
}

/// Appends one claim on this thread and returns the sequencer and what is shown then.
pub(crate) fn append_alone(
    sequencer: Sequencer,
    store: &Arc<dyn Store>,
    envelope: Envelope,
) -> Result<(Sequencer, Published), OpenError> {
    let refused = |why: &dyn std::fmt::Display| OpenError::Refused(why.to_string());
    let submission = Submission::from_envelope(envelope).map_err(|e| refused(&e))?;
    let digest = submission.digest();
    let checked = check_signatures(submission, &StoredState(&**store)).map_err(|e| refused(&e))?;
    let (reply, mut answers) = Reply::single();
    let item = Item { submitted: Submitted::Checked(checked), digest, reply };
    let (sequencer, published) =
        sequencer.append(vec![item], &|_| ()).map_err(|halted| OpenError::Halted(halted.into_why()))?;
    let answer = answers.try_recv().ok().and_then(|mut answers| answers.pop().flatten());
    match (answer, published) {
        (Some(Outcome::Accepted(_)), Some(published)) => Ok((sequencer, published)),
        (Some(Outcome::Refused { why, .. } | Outcome::Undecided(why)), _) => Err(refused(&why)),
        _ => Err(refused(&"the claim is in the log already")),
    }
}

/// Runs the sequencer. Should it ever panic, the log says so and answers nobody with silence: a restart recovers.
fn run_guarded(sequencer: Sequencer, queue: &Queue, shown: &Shown) {
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sequencer::run(sequencer, queue, shown)));
    if ran.is_err() {
        tracing::error!("the sequencer's thread ended in a panic; restart the log, which then recovers");
        let why = "the sequencer failed; the operator must restart the log".into();
        shown.modes.set_recovering(Some(Trouble { why, is_passing: false }));
        queue.close();
        while let Some(items) = queue.drain(Duration::ZERO) {
            drop(items); // whoever waits is told to ask again
        }
    }
}

fn check_keys(published: &Published, keys: &LogKeys) -> Result<(), OpenError> {
    let current = &published.constitution.current;
    let pairs =
        [("the log key", &current.log_vkey, keys.log_vkey()), ("the time key", &current.time_vkey, keys.time_vkey())];
    for (what, expected, found) in pairs {
        if *expected != found {
            return Err(OpenError::OtherKeys { what, expected: expected.clone(), found });
        }
    }
    Ok(())
}

/// What the sequencer changes for all to see.
struct Shown {
    cell: Arc<ArcSwap<Published>>,
    modes: Arc<ModeCell>,
    newer: watch::Sender<u64>,
    stats: Stats,
}

impl Events for Shown {
    fn published(&self, published: Arc<Published>) {
        if published.constitution.current.frozen {
            self.modes.freeze(published.constitution.current.successor.clone());
        }
        self.cell.store(published);
        self.newer.send_modify(|count| *count += 1);
    }

    fn halted(&self, why: &Halt) {
        self.stats.halted();
        self.still_halted(why);
    }

    fn still_halted(&self, why: &Halt) {
        self.modes.set_recovering(Some(Trouble { why: why.to_string(), is_passing: why.is_passing() }));
    }

    fn recovered(&self) {
        self.modes.set_recovering(None);
    }

    fn clock(&self, jump: Option<ClockJump>) {
        self.modes.set_clock(jump.map(|jump| jump.to_string()));
    }

    fn batch(&self, claims: usize, took: Duration) {
        self.stats.batch(claims, took);
        tracing::debug!(claims, ?took, "batch");
    }
}
