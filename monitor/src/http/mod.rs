//! The public address.
//!
//! | path | what |
//! |---|---|
//! | `POST /add-checkpoint` | a head cosigned (C2SP tlog-witness) |
//! | `GET /{hash}/checkpoint` | the last head cosigned for a log; `{hash}` is SHA-256 of its origin in hex |
//! | `GET /{hash}/tile/…` | the mirror: tiles and entry bundles of that log (C2SP tlog-tiles) |
//! | `GET /v1/heads` | every signed head of a log that was seen |
//! | `GET /v1/evidence`, `GET /v1/evidence/{id}` | the misbehaviour files that are kept, and each of them byte for byte |

mod evidence;
mod heads;
mod mirror;
mod witness;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use proto::code::Code;
use proto::hash::Hash;
use service::detached::Detached;
use service::metrics::Metrics;
use service::problem::Problem;
use service::{cors, edge};
use tokio::sync::Semaphore;

use crate::follow::FollowedLog;
use crate::witness::Witness;

pub use evidence::{Branches, EvidencePage, TakenAnswer};
pub use heads::ShownHead;
pub use witness::{Answers, SIZE_TYPE};

/// Reads and cosignatures that may block at once: more would only queue for the two or so cores and the disk.
const PARALLEL: usize = 64;

/// What all handlers share. Clones are the same.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    logs: Vec<Arc<FollowedLog>>,
    witness: Option<Arc<Witness>>,
    detached: Detached,
    answers: Answers,
    permits: Semaphore,
}

impl Shared {
    /// These logs, and perhaps a witness for them. `detached` is work that goes on when its client hangs up.
    pub fn new(
        logs: Vec<Arc<FollowedLog>>,
        witness: Option<Arc<Witness>>,
        detached: Detached,
        answers: Answers,
    ) -> Shared {
        Shared(Arc::new(Inner { logs, witness, detached, answers, permits: Semaphore::new(PARALLEL) }))
    }

    fn log(&self, origin: &str) -> Option<&Arc<FollowedLog>> {
        self.0.logs.iter().find(|log| log.origin() == origin)
    }

    /// The log whose origin has this hash, in lower-case hex.
    fn by_hash(&self, hex: &str) -> Result<&Arc<FollowedLog>, Problem> {
        let hash = Hash::from_hex(hex).ok().filter(|hash| hash.to_string() == hex);
        let is_it = |log: &&Arc<FollowedLog>| hash.is_some_and(|hash| Hash::of(log.origin().as_bytes()) == hash);
        let detail =
            "The path begins with the SHA-256 of a log's origin in lower-case hex; no log of this monitor has it.";
        self.0.logs.iter().find(is_it).ok_or_else(|| Problem::new(Code::RequestNotFound, detail))
    }

    /// Runs what blocks off the async threads, a bounded number at a time.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let _permit = self.0.permits.acquire().await.map_err(Problem::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(Problem::internal)
    }
}

/// Everything that the public may ask. Already wrapped at the edge (panics, request ids, problems, metrics, CORS).
pub fn public_router(shared: Shared, metrics: Option<Metrics>) -> Router {
    let router = Router::new()
        .route("/add-checkpoint", post(witness::add_checkpoint))
        .route("/{hash}/checkpoint", get(witness::checkpoint))
        .route("/{hash}/tile/{*path}", get(mirror::tile))
        .route("/v1/heads", get(heads::list))
        .route("/v1/evidence", get(evidence::list))
        .route("/v1/evidence/{id}", get(evidence::one))
        .with_state(shared);
    edge::wrap(cors::public_reads(router), metrics)
}

/// What the operator's commands ask a running monitor, for the admin address: evidence read, and handed in.
pub fn admin_router(shared: Shared) -> Router {
    Router::new()
        .route("/v1/evidence", get(evidence::list).post(evidence::take))
        .route("/v1/branches", get(evidence::branches))
        .route("/v1/evidence/{id}", get(evidence::one))
        .with_state(shared)
}
