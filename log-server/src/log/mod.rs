//! The log as the rest of the server sees it: submit, look up, what is published, in which mode.

#[cfg(test)]
mod fault_tests;
mod lookup;
mod mode;
mod open;
mod reports;
mod stats;
mod submit;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use proto::claim::ClaimId;
use proto::code::Refused;
use proto::receipt::Receipt;
use tokio::sync::watch;

pub use lookup::LookupError;
pub use mode::{Mode, ModeCell, Trouble};
pub use open::{LogConfig, OpenError};
pub use stats::Stats;
use submit::Checks;
pub use submit::{Turn, Turns};

use crate::sequencer::{Published, Queue};
use crate::signer::LogKeys;
use crate::store::Store;
use proto::fold::KeyCache;

/// What an issuer may do in a second, and at once.
#[derive(Debug, Clone, Copy)]
pub struct IssuerLimit {
    /// Claims a second in the long run.
    pub per_second: NonZeroU32,
    /// Claims at once.
    pub burst: NonZeroU32,
}

/// Claims an issuer may submit a second unless configured otherwise: one issuer alone can use a good part of the log, all
/// together share it.
const ISSUER_PER_SECOND: NonZeroU32 = NonZeroU32::new(5_000).expect("not zero");

/// Claims at once unless configured otherwise: a catalogue of products in one go.
const ISSUER_BURST: NonZeroU32 = NonZeroU32::new(50_000).expect("not zero");

impl Default for IssuerLimit {
    fn default() -> IssuerLimit {
        IssuerLimit { per_second: ISSUER_PER_SECOND, burst: ISSUER_BURST }
    }
}

/// The answer to a claim that is in the log.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Where it is, with the proof.
    pub receipt: Receipt,
    /// Whether this submission made the entry; else it was there before.
    pub created: bool,
}

/// The answer to a claim that is not.
#[derive(Debug, Clone)]
pub struct Declined {
    /// Why.
    pub refused: Refused,
    /// The claim's id, if its envelope was read.
    pub claim_id: Option<Box<ClaimId>>,
    /// The receipt of the same payload with other signatures.
    pub receipt: Option<Box<Receipt>>,
    /// When to ask again.
    pub retry_after_seconds: Option<u64>,
    /// The signed refusal, for a claim whose signatures are valid.
    pub refusal_note: Option<Box<str>>,
    /// The limit that was passed, for `size.*`.
    pub limit: Option<u64>,
}

impl From<Refused> for Declined {
    fn from(refused: Refused) -> Declined {
        Declined { refused, claim_id: None, receipt: None, retry_after_seconds: None, refusal_note: None, limit: None }
    }
}

impl Declined {
    /// The same with the claim that it is about.
    fn about(self, claim_id: ClaimId) -> Declined {
        Declined { claim_id: Some(Box::new(claim_id)), ..self }
    }
}

/// A running log.
pub struct Log {
    origin: String,
    keys: LogKeys,
    store: Arc<dyn Store>,
    queue: Arc<Queue>,
    published: Arc<ArcSwap<Published>>,
    newer: watch::Receiver<u64>,
    modes: Arc<ModeCell>,
    issuers: DefaultKeyedRateLimiter<String>,
    /// How many fork reports of each issuer are kept.
    reports: DefaultKeyedRateLimiter<String>,
    known_keys: KeyCache,
    checks: Checks,
    sequencer: Mutex<Option<JoinHandle<()>>>,
    stats: Stats,
}

impl Log {
    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The vkeys of its heads and of its time.
    pub fn vkeys(&self) -> (String, String) {
        (self.keys.log_vkey(), self.keys.time_vkey())
    }

    /// What is shown; every read is bounded by the size of this head.
    pub fn published(&self) -> Arc<Published> {
        self.published.load_full()
    }

    /// Tells when a newer head is shown; the value counts them.
    pub fn newer_heads(&self) -> watch::Receiver<u64> {
        self.newer.clone()
    }

    /// Whether it takes claims, and if not, why.
    pub fn mode(&self) -> Mode {
        self.modes.mode()
    }

    /// The modes, for whoever watches the disk or stops the log.
    pub fn modes(&self) -> &ModeCell {
        &self.modes
    }

    /// The store. Its methods block: call them off the async threads.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Claims that wait for the sequencer.
    pub fn queue_depth(&self) -> usize {
        self.queue.depth()
    }

    /// Counters of the log's work.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Takes no more claims, answers those that wait, and waits for the sequencer's thread to end. Blocks.
    pub fn stop(&self) {
        self.modes.stop();
        self.queue.close();
        let thread = self.sequencer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the sequencer's thread ended in a panic; the next start recovers");
        }
    }

    fn issuer_limiter(limit: IssuerLimit) -> DefaultKeyedRateLimiter<String> {
        RateLimiter::keyed(Quota::per_second(limit.per_second).allow_burst(limit.burst))
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("origin", &self.origin).field("mode", &self.mode()).finish_non_exhaustive()
    }
}
