//! `heads`: the signed heads that were seen, from a stopped monitor's files, or as a running one answers at its admin address.

use std::fmt::Write as _;

use std::time::Duration;

use clap::Args;
use client::http::{Http, encode_segment};

use super::beside::stopped_or_running;
use super::{Exit, Failure, Place, follow, logs_folder, say};
use crate::config::{Config, LogToFollow};
use crate::http::{HeadsPage, MOST_HEADS, ShownHead};
use crate::store::LogStore;

/// A page ends at a mebibyte of notes, or behind one that is larger; in JSON that is below this.
const MAX_PAGE_BYTES: usize = 4 << 20;
/// How long a running monitor is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct HeadsArgs {
    /// The log's origin.
    origin: String,
    #[command(flatten)]
    place: Place,
    /// How many, the newest first.
    #[arg(long, default_value = "20")]
    limit: usize,
    /// The admin address of the running monitor, if it is not the one of the configuration.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Write JSON for programs, with the signed notes.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &HeadsArgs) -> Result<(), Failure> {
    let config = args.place.load([])?;
    let log = follow::configured(&config, &args.origin)?;
    let heads = match &args.admin {
        Some(url) => running(url, &log.origin, args.limit)?,
        None => stopped_or_running(
            &config,
            || stopped(&config, &log, args.limit),
            |url| running(url, &log.origin, args.limit),
        )?,
    };
    if args.json {
        return say(&format!("{:#}\n", serde_json::json!({ "origin": log.origin, "heads": heads })));
    }
    if heads.is_empty() {
        return say(&format!("no signed head of {} was seen yet\n", log.origin));
    }
    let mut out = String::new();
    for head in &heads {
        let signatures = proto::note::Note::parse(head.note().as_bytes()).map_or(0, |note| note.signatures().len());
        let time = head.time.millis().to_rfc3339();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{time}  size {}  root {}  {signatures} signatures", head.size, head.root);
    }
    say(&out)
}

fn stopped(config: &Config, log: &LogToFollow, limit: usize) -> Result<Vec<ShownHead>, Failure> {
    let store = LogStore::open(&logs_folder(config), &log.origin, log.mirror)?;
    Ok(store.heads_before(None, limit)?.iter().map(|(key, note)| ShownHead::new(*key, note)).collect())
}

/// What the monitor at this address shows, a page at a time.
fn running(url: &str, origin: &str, limit: usize) -> Result<Vec<ShownHead>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let http = Http::new(url)?.with_deadline(PATIENCE);
    let mut heads = Vec::new();
    let mut cursor = String::new();
    while heads.len() < limit {
        let most = (limit - heads.len()).min(MOST_HEADS);
        let path = format!("/v1/heads?origin={}&limit={most}{cursor}", encode_segment(origin));
        let answer = runtime.block_on(http.get(&path, MAX_PAGE_BYTES))?;
        let page: HeadsPage = serde_json::from_slice(&answer.body).map_err(|error| {
            let message = format!("{} does not answer as a monitor does: {error}", http.base());
            Failure::new(Exit::Unavailable, message)
        })?;
        heads.extend(page.heads);
        let Some(next) = page.next_cursor else { break };
        cursor = format!("&cursor={}", encode_segment(&next));
    }
    Ok(heads)
}
