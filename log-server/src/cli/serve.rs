//! `serve`: the log, until a signal.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use service::admin::{self, Readiness};
use service::listen::{ServeOptions, Server};
use service::metrics::Metrics;
use service::shutdown::Shutdown;

use super::{CONFIG, Failure, Folder, OK, UNAVAILABLE, open, say};
use crate::clock::SystemTime;
use crate::config::Config;
use crate::http::{HttpOptions, public_router};
use crate::log::{Log, LogConfig, Mode};
use crate::store::Store;

/// How often the disk is looked at and gauges are set.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// How long submissions of clients that hung up may take once the server stops; a batch takes milliseconds.
const DETACHED_DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    /// Public address; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Admin address: health, readiness, metrics
    #[arg(long, value_name = "ADDR:PORT")]
    admin: Option<SocketAddr>,
    /// Take no claims, and say why
    #[arg(long, value_name = "REASON")]
    read_only: Option<String>,
    /// What is logged: error, warn, info, debug, trace, or directives
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<u8, Failure> {
    let folder = &args.folder.dir;
    let failure = |error: service::config::ConfigError| Failure { code: CONFIG, message: error.to_string() };
    let layers = Config::layers(folder).map_err(failure)?;
    let layers = layers.flag("--listen", "listen.public", args.listen).flag("--admin", "listen.admin", args.admin);
    let layers = layers.flag("--read-only", "read_only", args.read_only.as_deref());
    let layers = layers.flag("--log-level", "log.level", args.log_level.as_deref());
    let config = Config::load(layers, folder).map_err(failure)?;
    service::logging::init(&config.log).map_err(|e| Failure { code: CONFIG, message: e.to_string() })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| Failure::io(&e))?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<u8, Failure> {
    // The addresses first: a port that is taken is found out before anything is recovered or signed.
    let (public, admin) = (bind(config.listen.public).await?, bind(config.listen.admin).await?);
    let (public_at, admin_at) = (public.address(), admin.address());
    let shutdown = Shutdown::new();
    shutdown.on_signals().map_err(|e| Failure::io(&e))?;
    let (opening, store) = (config.clone(), open::store(&config)?);
    let log = {
        let store = store.clone();
        let opened = tokio::task::spawn_blocking(move || open_log(&opening, store)).await;
        opened.map_err(|e| Failure::io(&e))??
    };
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let gauges = Gauges::register(&mut registry);
    let options =
        HttpOptions { metrics: Some(metrics.clone()), address_limit: config.address_limit(), ..HttpOptions::default() };
    let detached = options.detached.clone();
    let router = public_router(log.clone(), options);
    let ready = log.clone();
    let admin_router = admin::router(Arc::new(registry), move || readiness(&ready.mode()));
    let admin_stop = Shutdown::new();
    let admin_task = tokio::spawn(admin.run(admin_router, ServeOptions::default(), admin_stop.token()));
    let watch = tokio::spawn(watch(log.clone(), config.store.reserve_bytes, gauges));
    say(&format!("listening http://{public_at} admin http://{admin_at}"));
    tracing::info!(origin = log.origin(), size = log.published().head.size.0, %public_at, "serving");
    let serving = ServeOptions {
        limits: config.serve_limits(),
        trusted_proxies: config.listen.trusted_proxies.clone(),
        metrics: Some(metrics),
    };
    let drained = public.run(router, serving, shutdown.token()).await;
    tracing::info!(cut = drained.cut, "requests are finished");
    if tokio::time::timeout(DETACHED_DEADLINE, detached.finished()).await.is_err() {
        tracing::warn!("some submissions of clients that hung up were not finished");
    }
    watch.abort();
    let stopping = log.clone();
    let stopped = tokio::task::spawn_blocking(move || {
        stopping.stop();
        stopping.store().close()
    });
    admin_stop.trigger();
    let _admin = admin_task.await;
    stopped.await.map_err(|e| Failure::io(&e))?.map_err(|e| Failure::io(&e))?;
    tracing::info!("stopped");
    Ok(OK)
}

async fn bind(address: SocketAddr) -> Result<Server, Failure> {
    let failed = |error| Failure { code: UNAVAILABLE, message: format!("{address} cannot be listened on: {error}") };
    Server::bind(address).await.map_err(failed)
}

fn open_log(config: &Config, store: Arc<dyn Store>) -> Result<Arc<Log>, Failure> {
    let log = LogConfig {
        keys: open::keys(config)?,
        signer: Box::new(open::signer(config)?),
        store,
        time: Box::new(SystemTime::new()),
        queue: config.queue_limits(),
        issuer: config.issuer_limit(),
        read_only: config.read_only.clone(),
    };
    Log::open(log).map_err(|e| Failure::io(&e))
}

fn readiness(mode: &Mode) -> Readiness {
    match mode {
        Mode::Recovering(why) => Readiness::NotReady(format!("recovering: {why}")),
        Mode::Stopping => Readiness::NotReady("stopping".into()),
        _ => Readiness::Ready,
    }
}

/// What operators watch besides requests.
struct Gauges {
    size: Gauge,
    head_time: Gauge,
    queue: Gauge,
    normal: Gauge,
    free_bytes: Gauge,
    memory_bytes: Gauge,
}

impl Gauges {
    fn register(registry: &mut Registry) -> Gauges {
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(format!("claimtrail_log_{name}"), help, gauge.clone());
            gauge
        };
        Gauges {
            size: gauge("tree_size", "Entries under the newest published head"),
            head_time: gauge("head_time_seconds", "Time of the newest published head, seconds since 1970"),
            queue: gauge("queue_claims", "Claims that wait for the sequencer"),
            normal: gauge("takes_claims", "1 if the log takes claims, 0 if not"),
            free_bytes: gauge("disk_free_bytes", "Bytes free where the log is kept"),
            memory_bytes: gauge("store_memory_bytes", "Main memory held by the store"),
        }
    }
}

/// Keeps the disk reserve and the gauges. Ends with the log.
async fn watch(log: Arc<Log>, reserve_bytes: u64, gauges: Gauges) {
    let mut ticks = tokio::time::interval(WATCH_EVERY);
    let gauged = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    loop {
        ticks.tick().await;
        let store = log.store().clone();
        let looked = tokio::task::spawn_blocking(move || (store.disk_free(), store.stats())).await;
        let Ok((free, stats)) = looked else { return };
        match free {
            Ok(Some(free)) => {
                log.modes().set_disk_low(free < reserve_bytes);
                gauges.free_bytes.set(gauged(free));
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the free disk space is not known"),
        }
        if let Ok(stats) = stats {
            gauges.memory_bytes.set(gauged(stats.memory_bytes));
        }
        let published = log.published();
        gauges.size.set(gauged(published.head.size.0));
        gauges.head_time.set(gauged(published.head.time.0));
        gauges.queue.set(gauged(log.queue_depth() as u64));
        gauges.normal.set(i64::from(log.mode() == Mode::Normal));
    }
}
