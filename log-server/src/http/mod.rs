//! The log over HTTP: the C2SP tiles, and everything of our own under `/v1`.
//!
//! | module | what it answers |
//! |---|---|
//! | `tiles` | `/checkpoint`, `/tile/…` (C2SP tlog-tiles) |
//! | `waiting` | receipts for those who wait for witnesses |
//! | `claims`, `stream` | claims submitted, one or many; one claim with its receipt and proof |
//! | `entries`, `changes` | entries by index, and what is new |
//! | `issuers`, `products` | who is enrolled; products, their trails, and finding both |
//! | `log_state` | the log itself and the heads it signed |
//! | `openapi` | the description of all that |
//!
//! Nothing beyond the newest published head is ever shown. Store calls block and run off the async threads, a bounded
//! number at a time.

mod app;
mod changes;
mod claims;
mod cursor;
mod entries;
mod issuers;
mod json;
mod kept;
mod large;
mod limit;
mod log_state;
mod openapi;
mod params;
mod products;
mod room;
mod stream;
mod tiles;
mod waiting;

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};
use service::detached::Detached;
use service::metrics::Metrics;
use service::{cors, edge};
use tokio_util::sync::CancellationToken;

pub use large::LargeLimits;
pub use limit::AddressLimit;
pub use openapi::document as openapi_document;
pub use params::{DEFAULT_LIMIT, MAX_LIMIT};
pub use stream::StreamLimits;

use crate::log::Log;
use crate::witness::Witnesses;

/// Reads that may block at once, by what they cost.
#[derive(Debug, Clone, Copy)]
pub struct ParallelReads {
    /// Of a few keys: more would only queue for the two or so cores and the disk.
    pub point: NonZeroUsize,
    /// Of bundles: one takes up to 16 MiB while it is made.
    pub bundle: NonZeroUsize,
    /// Of pages of lists: twice the cores of a small server; each may take some tens of milliseconds.
    pub scan: NonZeroUsize,
}

impl Default for ParallelReads {
    fn default() -> ParallelReads {
        let reads = |n| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        ParallelReads { point: reads(64), bundle: reads(8), scan: reads(4) }
    }
}

/// Eight full batches. Parsed, an envelope takes a few times its bytes, so that all of them stay well below 1 GiB.
const UNDER_WAY_KIB: NonZeroUsize = NonZeroUsize::new(64 * 1024).expect("not zero");

/// Eight thousand tiles, which are the leaf hashes of two million entries, or the newest bundles of a busy minute.
pub const DEFAULT_TILE_CACHE_BYTES: usize = 64 << 20;

/// What the public address is served with.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Counters of requests.
    pub metrics: Option<Metrics>,
    /// Submissions that go on when their client hangs up; wait for them before the log is stopped.
    pub detached: Detached,
    /// What one address may submit.
    pub address_limit: AddressLimit,
    /// Bounds of streams.
    pub stream: StreamLimits,
    /// Reads of the store at once.
    pub parallel_reads: ParallelReads,
    /// Bytes of large answers that are being sent.
    pub large_answers: LargeLimits,
    /// When the log stops: streams then take no more lines.
    pub stop: CancellationToken,
    /// KiB of envelopes of all clients that are submitted and not yet answered; three quarters of it for streams.
    pub under_way_kib: NonZeroUsize,
    /// Bytes of full tiles and bundles that are kept ready.
    pub tile_cache_bytes: usize,
    /// Who cosigns the heads that are shown; nobody: heads are shown as the log signs them.
    pub witnesses: Option<Witnesses>,
}

impl Default for HttpOptions {
    fn default() -> HttpOptions {
        HttpOptions {
            metrics: None,
            detached: Detached::new(),
            address_limit: AddressLimit::default(),
            stream: StreamLimits::default(),
            parallel_reads: ParallelReads::default(),
            large_answers: LargeLimits::default(),
            stop: CancellationToken::new(),
            under_way_kib: UNDER_WAY_KIB,
            tile_cache_bytes: DEFAULT_TILE_CACHE_BYTES,
            witnesses: None,
        }
    }
}

/// The paths of the public address, as templates; `/tile/{*path}` stands for tiles and entry bundles.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/checkpoint"),
    ("GET", "/tile/{*path}"),
    ("GET", "/openapi.json"),
    ("POST", "/v1/claims"),
    ("POST", "/v1/claims/stream"),
    ("GET", "/v1/claims/{id}"),
    ("GET", "/v1/claims/{id}/receipt"),
    ("GET", "/v1/claims/{id}/proof"),
    ("GET", "/v1/entries/{index}"),
    ("GET", "/v1/issuers"),
    ("GET", "/v1/issuers/{id}"),
    ("GET", "/v1/issuers/{id}/claims"),
    ("GET", "/v1/products"),
    ("GET", "/v1/products/{manufacturer}/{model}"),
    ("GET", "/v1/find"),
    ("GET", "/v1/changes"),
    ("GET", "/v1/log"),
    ("GET", "/v1/heads"),
];

/// Everything that the public may ask. Already wrapped at the edge (panics, request ids, problems, metrics, CORS).
pub fn public_router(log: Arc<Log>, options: HttpOptions) -> Router {
    let app = app::App::new(log, &options);
    let router = Router::new()
        .route("/checkpoint", get(tiles::checkpoint))
        .route("/tile/{*path}", get(tiles::tile))
        .route("/openapi.json", get(openapi::serve))
        .route("/v1/claims", post(claims::submit))
        .route("/v1/claims/stream", post(stream::submit))
        .route("/v1/claims/{id}", get(claims::show))
        .route("/v1/claims/{id}/receipt", get(claims::receipt))
        .route("/v1/claims/{id}/proof", get(claims::proof))
        .route("/v1/entries/{index}", get(entries::show))
        .route("/v1/issuers", get(issuers::list))
        .route("/v1/issuers/{id}", get(issuers::show))
        .route("/v1/issuers/{id}/claims", get(issuers::claims))
        .route("/v1/products", get(products::list))
        .route("/v1/products/{manufacturer}/{model}", get(products::trail))
        .route("/v1/find", get(products::find))
        .route("/v1/changes", get(changes::list))
        .route("/v1/log", get(log_state::log))
        .route("/v1/heads", get(log_state::heads))
        .route_layer(middleware::from_fn_with_state(app.clone(), large::hold_room))
        .route_layer(middleware::from_fn_with_state(app.clone(), limit::charge_posts))
        .with_state(app);
    edge::wrap(cors::public_reads(router), options.metrics)
}
