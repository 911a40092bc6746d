//! `alert`: test the channels, show what waits, make the key that signs webhooks.
//!
//! A running monitor holds the outbox and is asked at its admin address: it is its way out that is to be tested. A stopped one
//! is stood in for by this process.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::Query;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::{Args, Subcommand};
use client::http::{Http, encode_segment};
use client::plain::plain;
use client::{Error, ErrorKind, keyfile};
use proto::code::Code;
use serde::Deserialize;
use service::admin::json_only;
use service::problem::Problem;
use tokio::runtime::Runtime;

use super::beside::is_held;
use super::{Exit, Failure, Place, logs_folder, say};
use crate::alert::channel::webhook::public_key;
use crate::alert::config::{Kind, channels};
use crate::alert::deliver::Shown;
use crate::alert::{Alerts, Tested};
use crate::config::Config;
use crate::follow::FollowedLog;
use crate::witness::WitnessKeys;

/// Thousands of channels and logs stay below this.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// What is posted to the admin address has this type: no web page can send it to another site without being asked.
const TYPE: &str = "application/json";

#[derive(Debug, Subcommand)]
pub(super) enum AlertCommand {
    /// Send a test alert through every channel and say how it went; works beside a running monitor, which then sends it.
    Test(TestArgs),
    /// Show every channel: how it is, where it is in every log, and how many alerts wait.
    List(ListArgs),
    /// Make the key that signs webhooks, if there is none, and show its public half for the receivers.
    Key(KeyArgs),
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    place: Place,
    /// Only this channel.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// The admin address of the running monitor, if it is not the one of the configuration.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// The admin address of the running monitor, if it is not the one of the configuration.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Write JSON for programs.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(command: &AlertCommand) -> Result<u8, Failure> {
    match command {
        AlertCommand::Test(args) => test(args),
        AlertCommand::List(args) => list(args).map(|()| 0),
        AlertCommand::Key(args) => key(args).map(|()| 0),
    }
}

/// The channels of the configuration; nothing when it has none.
pub(super) async fn open(config: &Config, logs: &[Arc<FollowedLog>]) -> Result<Option<Arc<Alerts>>, Failure> {
    if config.alert.is_empty() {
        return Ok(None);
    }
    let (config, logs) = (config.clone(), logs.to_vec());
    let open = move || -> Result<Alerts, Error> {
        let channels = channels(&config.alert, &config.alerts, &Arc::new(config.watches()?))?;
        Alerts::open(&config.state, &name(&config)?, channels, &logs)
    };
    Ok(Some(Arc::new(tokio::task::spawn_blocking(open).await.map_err(Failure::internal)??)))
}

/// What this monitor calls itself.
fn name(config: &Config) -> Result<String, Error> {
    if let Some(name) = &config.alerts.name {
        return Ok(name.clone());
    }
    let Some(witness) = &config.witness else { return Ok("monitor".to_owned()) };
    let keys = WitnessKeys::load(&witness.keys)?;
    Ok(keys.vkeys().first().map_or_else(|| "monitor".to_owned(), |vkey| vkey.name().to_string()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    channel: Option<String>,
}

/// `GET /alerts` and `POST /alerts/test` of the admin address.
pub(super) fn routes(alerts: Option<Arc<Alerts>>) -> Router {
    let Some(alerts) = alerts else { return Router::new() };
    let shown = alerts.clone();
    let list = async move || -> Result<Response, Problem> {
        let shown = tokio::task::spawn_blocking(move || shown.shown()).await.map_err(Problem::internal)?;
        Ok(axum::Json(shown.map_err(Problem::internal)?).into_response())
    };
    let test = async move |headers: HeaderMap, Query(asked): Query<Asked>| -> Result<Response, Problem> {
        json_only(&headers)?;
        let busy = || Problem::new(Code::QueueFull, "A test runs already; ask again when it is over.");
        Ok(axum::Json(alerts.test(asked.channel.as_deref()).await.ok_or_else(busy)?).into_response())
    };
    Router::new().route("/alerts", get(list)).route("/alerts/test", post(test))
}

fn check_any(config: &Config) -> Result<(), Failure> {
    if config.alert.is_empty() {
        let message = "there is no channel: add an [[alert]] entry to the configuration (docs/alerts.md)";
        return Err(Failure::new(Exit::Config, message));
    }
    Ok(())
}

/// A stopped monitor's channels, or the address at which a running one answers.
enum Found {
    Here(Arc<Alerts>),
    Running(Http, String),
}

impl Found {
    fn new(config: &Config, admin: Option<&String>, runtime: &Runtime) -> Result<Found, Failure> {
        if let Some(url) = admin {
            return Ok(Found::Running(Http::new(url)?, String::new()));
        }
        let open = || -> Result<Arc<Alerts>, Failure> {
            if is_held(config)? {
                return Err(Failure::new(Exit::Io, "the monitor's state is in use by another command"));
            }
            let logs = config.logs()?.into_iter();
            let handle = runtime.handle();
            let open = logs.map(|log| FollowedLog::open(log, &logs_folder(config), &config.poll, handle.clone()));
            let logs: Vec<_> = open.collect::<Result<_, _>>()?;
            let alerts = runtime.block_on(self::open(config, &logs))?;
            alerts.ok_or_else(|| Failure::new(Exit::Config, "there is no channel"))
        };
        match open() {
            Ok(alerts) => Ok(Found::Here(alerts)),
            // Held by a running monitor, or not usable; who asks is told both.
            Err(held) if held.exit == Exit::Io => {
                Ok(Found::Running(Http::new(&format!("http://{}", config.listen.admin))?, held.message))
            }
            Err(failure) => Err(failure),
        }
    }
}

/// A running monitor does not answer.
fn silent(held: &str, error: Error) -> Failure {
    let failure = Failure::from(error);
    match held {
        "" => failure,
        held => {
            Failure::new(failure.exit, format!("{held}; and a running monitor does not answer: {}", failure.message))
        }
    }
}

fn nonsense(http: &Http, error: &serde_json::Error) -> Failure {
    Failure::new(Exit::Unavailable, format!("{} does not answer as a monitor does: {error}", http.base()))
}

fn test(args: &TestArgs) -> Result<u8, Failure> {
    let config = args.place.load([])?;
    check_any(&config)?;
    let runtime = Runtime::new().map_err(Failure::internal)?;
    let tested: Vec<Tested> = match Found::new(&config, args.admin.as_ref(), &runtime)? {
        Found::Here(alerts) => runtime.block_on(alerts.test(args.channel.as_deref())).unwrap_or_default(),
        Found::Running(http, held) => {
            let query = args.channel.as_deref().map(|name| format!("?channel={}", encode_segment(name)));
            let path = format!("/alerts/test{}", query.unwrap_or_default());
            let answer = runtime.block_on(http.post(&path, TYPE, "{}".into(), MAX_ANSWER_BYTES));
            let answer = answer.map_err(|e| silent(&held, e))?;
            serde_json::from_slice(&answer.body).map_err(|e| nonsense(&http, &e))?
        }
    };
    // A try whose time was over may still hang; nobody waits for it.
    runtime.shutdown_background();
    if tested.is_empty() {
        let message = format!("there is no channel {}", args.channel.as_deref().unwrap_or_default());
        return Err(Failure::new(Exit::Usage, message));
    }
    let mut out = String::new();
    for one in &tested {
        let said =
            one.error.as_ref().map_or_else(|| "taken".to_owned(), |error| format!("NOT TAKEN: {}", plain(error)));
        let _ = writeln!(out, "{} ({}): {said}", one.channel, one.way); // writing to a string cannot fail
    }
    say(&out)?;
    Ok(u8::from(tested.iter().any(|one| one.error.is_some())))
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let config = args.place.load([])?;
    check_any(&config)?;
    let runtime = Runtime::new().map_err(Failure::internal)?;
    let channels: Vec<Shown> = match Found::new(&config, args.admin.as_ref(), &runtime)? {
        Found::Here(alerts) => alerts.shown()?,
        Found::Running(http, held) => {
            let answer = runtime.block_on(http.get("/alerts", MAX_ANSWER_BYTES)).map_err(|e| silent(&held, e))?;
            serde_json::from_slice(&answer.body).map_err(|e| nonsense(&http, &e))?
        }
    };
    if args.json {
        return say(&format!("{:#}\n", serde_json::json!({ "channels": channels })));
    }
    say(&channels.iter().map(text).collect::<String>())
}

fn text(shown: &Shown) -> String {
    let mut out = format!("{} ({})", shown.channel, shown.way);
    // Writing to a string cannot fail.
    if let Some(time) = shown.state.last_taken {
        let _ = write!(out, ", last taken {}", time.to_rfc3339());
    }
    if let Some(time) = shown.last_canary {
        let _ = write!(out, ", last canary {}", time.to_rfc3339());
    }
    out.push('\n');
    if let Some(since) = shown.state.failing_since {
        let (tries, error) = (shown.state.tries, shown.state.error.as_deref().unwrap_or_default());
        let _ = writeln!(out, "  TAKES NOTHING since {}, {tries} tries: {}", since.to_rfc3339(), plain(error));
    }
    for refused in &shown.refused {
        let (id, at) = (&refused.id, refused.at.to_rfc3339());
        let _ = writeln!(out, "  told without its text at {at}: {id}: {}", plain(&refused.why));
    }
    for place in &shown.places {
        let _ = writeln!(
            out,
            "  {}: done up to {} of {}, {} wait",
            place.source, place.cursor, place.newest, place.waiting
        );
    }
    out
}

fn key(args: &KeyArgs) -> Result<(), Failure> {
    let config = args.place.load([])?;
    let path = &config.alerts.key;
    if !path.exists() {
        keyfile::create(path)?;
    }
    let key = public_key(path).map_err(|e| match e.kind {
        ErrorKind::Local => Failure::new(Exit::Io, e.message),
        _ => Failure::new(Exit::Config, e.message),
    })?;
    let used = config.alert.iter().any(|channel| channel.kind == Kind::Webhook);
    let hint = if used { "" } else { "No channel uses it yet: add an [[alert]] entry of kind \"webhook\".\n" };
    say(&format!("{key}\n{hint}"))
}
