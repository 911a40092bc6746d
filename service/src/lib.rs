//! What both servers need to serve: the same limits, the same errors, the same way to start and to stop.
//!
//! | module | what it holds | source |
//! |---|---|---|
//! | [`listen`], [`conn`], [`caps`], [`limits`] | HTTP/1.1 with time, size and connection limits, graceful stop | RFC 9112 |
//! | [`body`] | request bodies that must make progress | RFC 9110 §15.5.9 |
//! | [`client_addr`] | whose request it is, behind trusted proxies or not | |
//! | [`problem`], [`status`] | errors as `application/problem+json` with a stable code | RFC 9457 |
//! | [`edge`] | what every public router is wrapped in: panics, request ids, errors, metrics | |
//! | [`cors`] | public reads from any web page | Fetch standard, "CORS protocol" |
//! | [`admin`], [`metrics`] | health, readiness, metrics on an address of their own | OpenMetrics 1.0 |
//! | [`admin_host`] | for whom that address answers | RFC 9110 §15.5.20 |
//! | [`config`] | defaults < file < environment < flags | TOML 1.0 |
//! | [`shutdown`], [`detached`], [`logging`] | stop in order, finish what was begun, say what happened | |
//! | [`output`] | what commands print | |
//! | [`record`], [`thinning`] | the last head signed, kept apart; which signed heads are kept how long | |
//!
//! ```
//! use axum::{Router, routing::get};
//! use service::{edge, listen, shutdown::Shutdown};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let stop = Shutdown::new();
//! let router = edge::wrap(Router::new().route("/hello", get(|| async { "hello" })), None);
//! let server = listen::Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
//! println!("listening on {}", server.address());
//! let running = tokio::spawn(server.run(router, listen::ServeOptions::default(), stop.token()));
//! stop.trigger();
//! assert_eq!(running.await.unwrap().cut, 0);
//! # });
//! ```

pub mod admin;
pub mod admin_host;
pub mod body;
pub mod caps;
pub mod client_addr;
pub mod config;
pub mod conn;
pub mod cors;
pub mod detached;
pub mod edge;
mod framing;
pub mod limits;
pub mod listen;
pub mod logging;
pub mod metrics;
pub mod output;
pub mod problem;
pub mod record;
pub mod shutdown;
pub mod status;
pub mod thinning;
