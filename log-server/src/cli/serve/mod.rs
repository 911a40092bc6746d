//! `serve`: recovers, listens, and stops in order.
//!
//! Stopping: no more connections → running requests are answered → submissions whose clients left are decided → the
//! sequencer ends → the store is flushed and closed → the admin address goes last. A second signal ends at once.

mod descriptors;
mod metrics;
mod watch;
mod witness;

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use futures_util::future::BoxFuture;
use prometheus_client::registry::Registry;
use service::admin::{self, Readiness};
use service::admin_host::guard;
use service::detached::Detached;
use service::limits::ServeLimits;
use service::listen::{ServeOptions, Server};
use service::metrics::Metrics;
use service::shutdown::Shutdown;
use service::{edge, logging};
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure, Place, open, say};
use crate::clock::SystemTime;
use crate::config::Config;
use crate::http::{HttpOptions, public_router};
use crate::log::{Log, LogConfig, Mode};
use crate::store::{Store, StoreError};

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    place: Place,
    /// Where claims are taken and the log is read (listen.address). Port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// Where health and metrics are (listen.admin). Port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT")]
    admin: Option<SocketAddr>,
    /// Take no claims, and say why (read_only).
    #[arg(long, value_name = "REASON")]
    read_only: Option<String>,
    /// What is said on standard error: error, warn, info, debug, trace, or module=level, … (log.level).
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// In which form: text or json (log.format).
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

pub(super) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let config = args.place.load([
        ("--listen", "listen.address", args.listen.map(|address| address.to_string())),
        ("--admin", "listen.admin", args.admin.map(|address| address.to_string())),
        ("--read-only", "read_only", args.read_only.clone()),
        ("--log-level", "log.level", args.log_level.clone()),
        ("--log-format", "log.format", args.log_format.clone()),
    ])?;
    logging::init(&config.log).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}")))?;
    runtime.block_on(serve(&config))
}

async fn serve(config: &Config) -> Result<(), Failure> {
    // First of all: a signal that comes while the log recovers must not be lost.
    let stop = Shutdown::new();
    stop.on_signals().map_err(|error| Failure::new(Exit::Internal, format!("signals: {error}")))?;
    let limits = descriptors::shared_out(config.limits.serve())?;
    // The addresses before the log: one that is taken is said at once, and nothing has been signed.
    let public = bind(config.listen.address, "listen.address").await?;
    let private = bind(config.listen.admin, "listen.admin").await?;
    let opened = config.clone();
    let (log, store) = blocking(move || open_log(&opened)).await??;
    let mut parts = Parts::new(config, limits, &log, &store, &stop)?;
    // The first look before the first claim: a full disk is known from the start.
    let first_look = parts.watch.clone();
    let low = blocking(move || first_look.look(false)).await?;
    let watch = tokio::spawn(parts.watch.clone().run(low, stop.token()));
    let asking = tokio::spawn(parts.asking.take().unwrap_or_else(|| Box::pin(std::future::ready(()))));
    let addresses = (public.address(), private.address());
    let admin_stop = CancellationToken::new();
    let admin = tokio::spawn(private.run(parts.admin, ServeOptions::default(), admin_stop.clone()));
    let served = tokio::spawn(public.run(parts.public, parts.options, stop.token()));
    say(&format!("listening http://{} admin http://{}\n", addresses.0, addresses.1))?;
    tracing::info!(origin = log.origin(), size = log.published().head.size.0, mode = log.mode().name(), "serving");

    let drained = served.await.map_err(internal)?;
    if drained.cut > 0 {
        tracing::warn!(connections = drained.cut, "requests that took too long were cut off");
    }
    parts.detached.finished().await;
    watch.await.map_err(internal)?;
    asking.await.map_err(internal)?;
    let closed = blocking(move || {
        log.stop();
        drop(log);
        store.close()
    });
    closed.await??;
    admin_stop.cancel();
    admin.await.map_err(internal)?;
    tracing::info!("stopped");
    Ok(())
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Internal, format!("a part of the server failed: {error}"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(internal)
}

async fn bind(address: SocketAddr, key: &str) -> Result<Server, Failure> {
    Server::bind(address).await.map_err(|error| {
        let message = format!("{address} cannot be listened on: {error}; free it, or set {key} to another address");
        Failure::new(Exit::Unavailable, message)
    })
}

/// Opens keys and store, recovers, and starts the sequencer.
fn open_log(config: &Config) -> Result<(Arc<Log>, Arc<dyn Store>), Failure> {
    // The store first: who has it is the only process that may go by the signer's record.
    let store = open::store(config)?;
    let (keys, signer) = open::signer(config)?;
    if let Some(next) = store.rebuild_next()? {
        return Err(StoreError::Rebuilding { next }.into());
    }
    let log = Log::open(LogConfig {
        keys,
        signer: Box::new(signer),
        store: store.clone(),
        time: Box::new(SystemTime::new()),
        queue: config.limits.queue(),
        issuer: config.limits.issuer(),
        read_only: config.read_only.clone(),
    })?;
    Ok((log, store))
}

/// What runs, put together.
struct Parts {
    public: axum::Router,
    admin: axum::Router,
    options: ServeOptions,
    detached: Detached,
    watch: watch::Watch,
    /// Asks witnesses, if there are any.
    asking: Option<BoxFuture<'static, ()>>,
}

impl Parts {
    fn new(
        config: &Config,
        limits: ServeLimits,
        log: &Arc<Log>,
        store: &Arc<dyn Store>,
        stop: &Shutdown,
    ) -> Result<Parts, Failure> {
        let mut registry = Registry::with_prefix("claimtrail");
        let requests = Metrics::register(&mut registry);
        let watch = watch::Watch::new(log.clone(), store.clone(), config.store.disk_reserve_bytes);
        log.stats().register(&mut registry);
        registry.register_collector(Box::new(metrics::LogCollector::new(log.clone(), watch.clone())));
        let (witnesses, asking) = witness::open(config, log, &mut registry, stop.token())?
            .map(|asking| (asking.witnesses, asking.task))
            .unzip();
        let detached = Detached::new();
        let http = HttpOptions {
            metrics: Some(requests.clone()),
            detached: detached.clone(),
            address_limit: config.limits.address(),
            tile_cache_bytes: config.store.tile_cache_bytes,
            witnesses,
            stream: config.limits.stream(),
            stop: stop.token(),
            ..HttpOptions::default()
        };
        let options =
            ServeOptions { limits, trusted_proxies: config.listen.trusted_proxies.clone(), metrics: Some(requests) };
        let (asked, stopping) = (log.clone(), stop.token());
        let ready = move || readiness(&asked.mode(), stopping.is_cancelled(), || asked.store().head().is_ok());
        Ok(Parts {
            public: public_router(log.clone(), http),
            admin: edge::wrap(guard(admin::router(Arc::new(registry), ready), config.listen.admin_hosts.clone()), None),
            options,
            detached,
            watch,
            asking,
        })
    }
}

/// A log that can be read is ready, whether it takes claims or not; one that stops is not. While it recovers, reads mostly
/// work; whether they do is asked.
fn readiness(mode: &Mode, stopping: bool, is_readable: impl FnOnce() -> bool) -> Readiness {
    match mode {
        _ if stopping => Readiness::NotReady("stopping".to_owned()),
        Mode::Stopping => Readiness::NotReady("stopping".to_owned()),
        Mode::Recovering(trouble) if !is_readable() => Readiness::NotReady(format!("recovering: {}", trouble.why)),
        mode => Readiness::in_mode(mode.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Trouble;

    #[test]
    fn readable_is_ready() {
        let ready = Readiness::in_mode;
        assert_eq!(readiness(&Mode::Frozen(None), false, || true), ready("frozen"));
        assert_eq!(readiness(&Mode::DiskLow, false, || true), ready("disk_low"));
        assert_eq!(readiness(&Mode::Normal, true, || true), Readiness::NotReady("stopping".into()));
        let recovering = Mode::Recovering(Trouble { why: "a write failed".into(), is_passing: true });
        assert_eq!(readiness(&recovering, false, || true), ready("recovering"));
        let unreadable = readiness(&recovering, false, || false);
        assert_eq!(unreadable, Readiness::NotReady("recovering: a write failed".into()));
    }
}
