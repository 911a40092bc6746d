//! `serve`: follows every log, serves, and stops in order.
//!
//! Stopping: no more connections → running requests are answered → heads that are being cosigned are decided → rounds end
//! where they can go on later → the admin address goes last. A second signal ends at once.

mod gossip_metrics;
mod metrics;
mod ready;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use clap::Args;
use prometheus_client::registry::Registry;
use service::admin;
use service::admin_host::guard;
use service::detached::Detached;
use service::limits::ServeLimits;
use service::listen::{ServeOptions, Server};
use service::metrics::Metrics;
use service::problem::Problem;
use service::shutdown::Shutdown;
use service::{edge, logging};
use tokio::runtime::{Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::beside::in_use;
use super::status::{LogStatus, Status};
use super::{Exit, Failure, Place, alert, follow, logs_folder, once, open_stop_files, say};
use crate::acknowledge::Everywhere;
use crate::alert::Alerts;
use crate::clock;
use crate::config::Config;
use crate::follow::{FollowedLog, cosigners, follow_until};
use crate::gossip::Gossip;
use crate::http::{Answers, Shared, admin_router, findings_router, public_router};
use crate::witness::{Witness, WitnessKeys};

/// How long a round that waits for a log may take to end once the monitor stops; nothing is lost if it does not.
const ROUND_END: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    place: Place,
    /// Look at every log once, exchange heads and evidence with the peers, say how it is, and end with the exit code of the worst; nothing is served.
    #[arg(long)]
    once: bool,
    /// With --once: write JSON for programs.
    #[arg(long, requires = "once")]
    json: bool,
    /// Where heads are cosigned and the mirror is read (listen.address). Port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// Where health and metrics are (listen.admin). Port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT")]
    admin: Option<SocketAddr>,
    /// Seconds between two looks at a log (poll.seconds).
    #[arg(long, value_name = "SECONDS")]
    poll: Option<u64>,
    /// What is said on standard error: error, warn, info, debug, trace, or module=level, … (log.level).
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// In which form: text or json (log.format).
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

pub(super) fn run(args: &ServeArgs) -> Result<u8, Failure> {
    let level = args.log_level.clone().or_else(|| args.once.then(|| "warn".to_owned()));
    let config = args.place.load([
        ("--listen", "listen.address", args.listen.map(|address| address.to_string())),
        ("--admin", "listen.admin", args.admin.map(|address| address.to_string())),
        ("--poll", "poll.seconds", args.poll.map(|seconds| seconds.to_string())),
        ("--log-level", "log.level", level),
        ("--log-format", "log.format", args.log_format.clone()),
    ])?;
    logging::init(&config.log).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let runtime = Runtime::new().map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}")))?;
    let code = runtime.block_on(serve(&config, args.once, args.json));
    // A round may still wait for a log. What it learned since its last commit is learned again.
    runtime.shutdown_timeout(ROUND_END);
    code
}

async fn serve(config: &Config, once: bool, json: bool) -> Result<u8, Failure> {
    // First of all: a signal that comes while states are opened must not be lost.
    let stop = Shutdown::new();
    stop.on_signals().map_err(|error| Failure::new(Exit::Internal, format!("signals: {error}")))?;
    let to_follow = config.logs()?;
    if to_follow.is_empty() {
        return Err(Failure::new(Exit::Config, "there is nothing to follow: add a [[follow]] entry"));
    }
    follow::check(config, &to_follow)?;
    let opened = config.clone();
    let runtime = Handle::current();
    let open = move || -> Result<Vec<Arc<FollowedLog>>, client::Error> {
        let folder = logs_folder(&opened);
        to_follow.into_iter().map(|log| FollowedLog::open(log, &folder, &opened.poll, runtime.clone())).collect()
    };
    let opened = tokio::task::spawn_blocking(open).await.map_err(Failure::internal)?;
    let logs = opened.map_err(|error| in_use(config, error))?;
    for log in &logs {
        // This program may know more rules than the one that stopped.
        log.store.try_rules_again()?;
    }
    open_stop_files(config, &logs)?;
    keep_cosignatures(config, &logs)?;
    logs.iter().try_for_each(|log| log.end_of_others(&config.peers, clock::now()))?;
    let alerts = alert::open(config, &logs).await?;
    if once {
        let gossip = match config.peers.is_empty() {
            true => None,
            false => Some(open_gossip(config, &logs, None, &stop).await?),
        };
        return once::run(logs, gossip, alerts.as_deref(), json, stop.token()).await;
    }
    listen(config, logs, alerts, &stop).await.map(|()| 0)
}

async fn listen(
    config: &Config,
    logs: Vec<Arc<FollowedLog>>,
    alerts: Option<Arc<Alerts>>,
    stop: &Shutdown,
) -> Result<(), Failure> {
    // The addresses before the rest: one that is taken is said at once.
    let public = bind(config.listen.address, "listen.address").await?;
    let private = bind(config.listen.admin, "listen.admin").await?;
    let witness = open_witness(config, &logs).await?;
    let gossip = open_gossip(config, &logs, witness.as_ref(), stop).await?;
    let parts = Parts::new(config, &logs, witness, gossip.clone(), alerts.clone(), stop);
    let addresses = (public.address(), private.address());
    let admin_stop = CancellationToken::new();
    let admin = tokio::spawn(private.run(parts.admin, ServeOptions::default(), admin_stop.clone()));
    let served = tokio::spawn(public.run(parts.public, parts.options, stop.token()));
    let rounds = TaskTracker::new();
    let outage_after = Duration::from_secs(config.poll.outage_after_seconds);
    for log in &logs {
        let outbox = alerts.as_ref().map(|alerts| alerts.outbox().clone());
        rounds.spawn(follow_until(log.clone(), config.poll.every(), outage_after, outbox, stop.token()));
    }
    rounds.spawn(gossip.clone().run());
    if let Some(alerts) = &alerts {
        alerts.start(&rounds, &stop.token());
    }
    rounds.close();
    say(&format!("listening http://{} admin http://{}\n", addresses.0, addresses.1))?;

    let drained = served.await.map_err(Failure::internal)?;
    if drained.cut > 0 {
        tracing::warn!(connections = drained.cut, "requests that took too long were cut off");
    }
    parts.detached.finished().await;
    if tokio::time::timeout(ROUND_END, rounds.wait()).await.is_err() {
        tracing::info!("a log or a receiver of alerts still does not answer and is given up");
        logs.iter().for_each(|log| log.wait_no_more());
        gossip.give_up();
        // Whoever waited for them ends: the runtime must not be gone under a thread that waits.
        let _ = tokio::time::timeout(ROUND_END, rounds.wait()).await;
    }
    admin_stop.cancel();
    admin.await.map_err(Failure::internal)?;
    tracing::info!("stopped");
    Ok(())
}

async fn bind(address: SocketAddr, key: &str) -> Result<Server, Failure> {
    Server::bind(address).await.map_err(|error| {
        let message = format!("{address} cannot be listened on: {error}; free it, or set {key} to another address");
        Failure::new(Exit::Unavailable, message)
    })
}

async fn open_gossip(
    config: &Config,
    logs: &[Arc<FollowedLog>],
    witness: Option<&Arc<Witness>>,
    stop: &Shutdown,
) -> Result<Arc<Gossip>, Failure> {
    let (config, logs, witness, stop) = (config.clone(), logs.to_vec(), witness.cloned(), stop.token());
    let runtime = Handle::current();
    let open = move || Gossip::open(&config, &logs, witness.as_ref(), &runtime, stop);
    Ok(tokio::task::spawn_blocking(open).await.map_err(Failure::internal)??)
}

/// Cosignatures of the peers, of the trust files' witnesses, and the own ones are kept.
fn keep_cosignatures(config: &Config, logs: &[Arc<FollowedLog>]) -> Result<(), Failure> {
    let keys = config.witness.as_ref().map(|witness| WitnessKeys::load(&witness.keys)).transpose()?;
    let own = keys.as_ref().map(WitnessKeys::vkeys).unwrap_or_default();
    for log in logs {
        log.keep_cosignatures_of(cosigners(&log.config.trust, &config.peers, &own)?);
    }
    Ok(())
}

async fn open_witness(config: &Config, logs: &[Arc<FollowedLog>]) -> Result<Option<Arc<Witness>>, Failure> {
    let Some(witness) = config.witness.clone() else { return Ok(None) };
    let followed = logs.to_vec();
    let logs: Vec<_> = logs.iter().map(|log| (log.origin().to_owned(), log.config.trust.clone())).collect();
    let state = config.state.clone();
    let open = move || -> Result<Witness, client::Error> {
        let opened = Witness::open(WitnessKeys::load(&witness.keys)?, &state, &witness.record, &logs)?;
        for log in &followed {
            opened.heed(log.origin(), &witness.record, log.store.stop())?;
        }
        Ok(opened)
    };
    Ok(Some(Arc::new(tokio::task::spawn_blocking(open).await.map_err(Failure::internal)??)))
}

/// What runs, put together.
struct Parts {
    public: Router,
    admin: Router,
    options: ServeOptions,
    detached: Detached,
}

impl Parts {
    fn new(
        config: &Config,
        logs: &[Arc<FollowedLog>],
        witness: Option<Arc<Witness>>,
        gossip: Arc<Gossip>,
        alerts: Option<Arc<Alerts>>,
        stop: &Shutdown,
    ) -> Parts {
        let mut registry = Registry::with_prefix("claimtrail_monitor");
        let requests = Metrics::register(&mut registry);
        let answers = Answers::register(&mut registry);
        registry.register_collector(Box::new(metrics::LogsCollector::new(logs.to_vec(), witness.clone())));
        registry.register_collector(Box::new(gossip_metrics::GossipCollector::new(gossip.clone())));
        let detached = Detached::new();
        let shared = Shared::new(logs.to_vec(), witness.clone(), detached.clone(), answers).with_feed(alerts.clone());
        let options = ServeOptions {
            limits: ServeLimits::default(),
            trusted_proxies: config.listen.trusted_proxies.clone(),
            metrics: Some(requests.clone()),
        };
        let (stopping, watched) = (stop.token(), logs.to_vec());
        let ready = move || ready::of(stopping.is_cancelled(), &watched);
        let (shown, shown_gossip, shown_alerts) = (logs.to_vec(), gossip.clone(), alerts.clone());
        let status = get(async move || -> Result<axum::Json<Status>, Problem> {
            let of = |log: &Arc<FollowedLog>| LogStatus::of(log, witness.as_deref()).with_gossip(&shown_gossip);
            let logs = shown.iter().map(of).collect();
            let own = shown_alerts.as_ref().map(|alerts| alerts.outbox().open_findings()).transpose();
            let own = own.map_err(|error| Problem::internal(error.message))?.unwrap_or_default();
            Ok(axum::Json(Status { logs, own }))
        });
        let admin = admin::router(Arc::new(registry), ready).route("/status", status);
        let everywhere = Everywhere::new(logs.to_vec(), alerts.as_ref().map(|alerts| alerts.outbox().clone()));
        let admin = admin.merge(findings_router(everywhere));
        let admin = admin.merge(alert::routes(alerts)).merge(admin_router(shared.clone()));
        Parts {
            public: public_router(shared, gossip, Some(requests)),
            admin: edge::wrap(guard(admin, config.listen.admin_hosts.clone()), None),
            options,
            detached,
        }
    }
}
