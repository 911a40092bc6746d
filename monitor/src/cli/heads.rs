//! `heads`: the signed heads that were seen, from a stopped monitor's files. A running one answers at `/v1/heads`.

use std::fmt::Write as _;

use clap::Args;

use super::beside::in_use;
use super::{Failure, Place, follow, logs_folder, say};
use crate::http::ShownHead;
use crate::store::LogStore;

#[derive(Debug, Args)]
pub(super) struct HeadsArgs {
    /// The log's origin.
    origin: String,
    #[command(flatten)]
    place: Place,
    /// How many, the newest first.
    #[arg(long, default_value = "20")]
    limit: usize,
    /// Write JSON for programs, with the signed notes.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &HeadsArgs) -> Result<(), Failure> {
    let config = args.place.load([])?;
    let log = follow::configured(&config, &args.origin)?;
    let opened = LogStore::open(&logs_folder(&config), &log.origin, log.mirror);
    let store = opened.map_err(|error| in_use(&config, error))?;
    let heads = store.heads_before(None, args.limit)?;
    if args.json {
        let heads: Vec<ShownHead> = heads.iter().map(|(key, note)| ShownHead::new(*key, note)).collect();
        return say(&format!("{:#}\n", serde_json::json!({ "origin": log.origin, "heads": heads })));
    }
    if heads.is_empty() {
        return say(&format!("no signed head of {} was seen yet\n", log.origin));
    }
    let mut out = String::new();
    for (key, note) in &heads {
        let signatures = proto::note::Note::parse(note).map_or(0, |note| note.signatures().len());
        let time = key.time.millis().to_rfc3339();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{time}  size {}  root {}  {signatures} signatures", key.size, key.root.to_base64());
    }
    say(&out)
}
