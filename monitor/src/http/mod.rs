//! The public address.
//!
//! | path | what |
//! |---|---|
//! | `POST /add-checkpoint` | a head cosigned (C2SP tlog-witness) |
//! | `GET /{hash}/checkpoint` | the last head cosigned for a log; `{hash}` is SHA-256 of its origin in hex |
//! | `GET /{hash}/tile/…` | the mirror: tiles and entry bundles of that log (C2SP tlog-tiles) |
//! | `GET /v1/heads` | every signed head of a log that was seen |
//! | `POST /v1/gossip`, `POST /v1/report`, `GET /v1/proof`, `/v1/statements` | heads that others were shown (`gossip.rs`) |
//! | `GET`, `POST /v1/cosigned` | what witnesses that are known here cosigned last |
//! | `POST /v1/evidence` | a misbehaviour file of a peer or of anybody |
//! | `GET /v1/evidence`, `GET /v1/evidence/{id}` | the misbehaviour files that are kept, and each of them byte for byte |
//! | `GET /`, `GET /log/{hash}` | the same for people: how every log is, and what was found |
//! | `GET /v1/alerts.atom` | the newest alerts as a feed, if one is configured |

mod cosigned;
mod evidence;
mod feed;
mod files;
mod findings;
mod gossip;
mod heads;
mod mirror;
mod page;
mod rates;
mod witness;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use proto::code::Code;
use proto::hash::Hash;
use service::client_addr::ClientAddr;
use service::detached::Detached;
use service::metrics::Metrics;
use service::problem::Problem;
use service::{cors, edge};
use tokio::sync::Semaphore;

use crate::alert::Alerts;
use crate::follow::FollowedLog;
use crate::gossip::Gossip;
use crate::witness::Witness;
use rates::Rates;

pub use evidence::{Branches, EvidencePage, TakenAnswer};
pub use findings::findings_router;
pub use gossip::Reported;
pub use heads::{HeadsPage, MAX_LIMIT as MOST_HEADS, ShownHead};
pub use witness::{Answers, SIZE_TYPE};

/// Reads and cosignatures that may block at once: more would only queue for the two or so cores and the disk.
const PARALLEL: usize = 64;

/// The same for what is decided: heads that are cosigned or handed in, and files. Apart from reads, so that nobody who reads much
/// holds up a cosignature.
const PARALLEL_DECISIONS: usize = 16;

/// What all handlers share. Clones are the same.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    logs: Vec<Arc<FollowedLog>>,
    witness: Option<Arc<Witness>>,
    detached: Detached,
    answers: Answers,
    permits: Semaphore,
    decisions: Semaphore,
    rates: Rates,
    feed: OnceLock<Arc<Alerts>>,
    gossip: OnceLock<Arc<Gossip>>,
}

impl Shared {
    /// These logs, and perhaps a witness for them. `detached` is work that goes on when its client hangs up.
    pub fn new(
        logs: Vec<Arc<FollowedLog>>,
        witness: Option<Arc<Witness>>,
        detached: Detached,
        answers: Answers,
    ) -> Shared {
        Shared(Arc::new(Inner {
            logs,
            witness,
            detached,
            answers,
            permits: Semaphore::new(PARALLEL),
            decisions: Semaphore::new(PARALLEL_DECISIONS),
            rates: Rates::new(),
            feed: OnceLock::new(),
            gossip: OnceLock::new(),
        }))
    }

    /// The alerts whose feed is public, if there is one.
    #[must_use]
    pub fn with_feed(self, alerts: Option<Arc<Alerts>>) -> Shared {
        if let Some(alerts) = alerts.filter(|alerts| alerts.feed().is_some()) {
            let _first = self.0.feed.set(alerts); // one that was set before stays
        }
        self
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

    /// The same for what decides.
    async fn deciding<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let _permit = self.0.decisions.acquire().await.map_err(Problem::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(Problem::internal)
    }
}

/// Everything that the public may ask. Already wrapped at the edge (panics, request ids, problems, metrics, CORS).
pub fn public_router(shared: Shared, gossip: Arc<Gossip>, metrics: Option<Metrics>) -> Router {
    let _first = shared.0.gossip.set(gossip.clone()); // one that was set before stays
    let of_gossip = gossip::router(shared.clone(), gossip);
    let feed = match shared.0.feed.get() {
        Some(_) => Router::new().route("/v1/alerts.atom", get(feed::atom)),
        None => Router::new(),
    };
    // What is made anew for each request. Tiles are not: they are many, small, and kept by caches for ever.
    let charged = Router::new()
        .merge(feed)
        .route("/v1/heads", get(heads::list))
        .route("/", get(page::overview))
        .route("/log/{hash}", get(page::one))
        .route("/v1/evidence", get(evidence::list))
        .route("/v1/evidence/{id}", get(evidence::one))
        .layer(axum::middleware::from_fn_with_state(shared.clone(), charge_reader));
    let router = Router::new()
        .merge(charged)
        .route("/add-checkpoint", post(witness::add_checkpoint))
        .route("/{hash}/checkpoint", get(witness::checkpoint))
        .route("/{hash}/tile/{*path}", get(mirror::tile))
        .route("/page.css", get(page::style))
        .with_state(shared)
        .merge(of_gossip);
    edge::wrap(cors::public_reads(router), metrics)
}

/// Charges a read to its address.
async fn charge_reader(
    State(shared): State<Shared>,
    ClientAddr(address): ClientAddr,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    shared.0.rates.charge_reader(address)?;
    Ok(next.run(request).await)
}

/// What the operator's commands ask a running monitor, for the admin address: heads, evidence read, and handed in.
pub fn admin_router(shared: Shared) -> Router {
    Router::new()
        .route("/v1/heads", get(heads::list))
        .route("/v1/evidence", get(evidence::list).post(evidence::take))
        .route("/v1/branches", get(evidence::branches))
        .route("/v1/evidence/{id}", get(evidence::one))
        .with_state(shared)
}
