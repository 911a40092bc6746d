//! `check`: the whole log against itself.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::keys::{load_log_keys, not_allowed};
use super::progress::Bar;
use super::{Exit, Failure, Place, open, say, shown};
use crate::check::{Beside, Report, run as check};
use crate::config::Config;
use crate::signer::SignerRecord;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    place: Place,
    /// Say the result as one JSON object.
    #[arg(long)]
    json: bool,
    /// A folder with room for the log's indexes, which are made anew there and removed at the end; the system's folder for
    /// temporary files unless given.
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

pub(super) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let config = args.place.load([])?;
    let vkeys = vkeys(&config)?;
    let keys_compared = vkeys.is_some();
    let store = open::store_read_only(&config)?;
    let record = match SignerRecord::read(&config.signer.record, &config.origin) {
        Err(error) if error.is_not_allowed() => {
            return Err(Failure::new(Exit::Io, format!("{error}; run the check as a user who may read it")));
        }
        record => record,
    };
    let scratch = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let beside = Beside { vkeys, record: Some(record), scratch: &scratch };
    let bar = Bar::new();
    let report = check(&store, &beside, &bar);
    bar.end();
    let report = report?;
    say(&if args.json { to_json(&config.origin, &report, keys_compared) } else { to_text(&config.origin, &report) })?;
    match report.difference {
        None => Ok(()),
        Some(_) => Err(Failure::new(Exit::Different, "")),
    }
}

/// The vkeys of the configured keys; `None`, and said so, when they are not this user's to read. A secret key is for its
/// owner alone, so whoever else checks the log does without: entry 0 names the keys that its heads are verified with.
fn vkeys(config: &Config) -> Result<Option<(String, String)>, Failure> {
    if let Some(path) = not_allowed(config) {
        let said = "is not this user's to read; the configured keys are not compared with those of entry 0";
        let _unseen = writeln!(std::io::stderr(), "claimtrail-log: {} {said}", shown(path));
        return Ok(None);
    }
    let keys = load_log_keys(config)?;
    Ok(Some((keys.log_vkey(), keys.time_vkey())))
}

fn to_text(origin: &str, report: &Report) -> String {
    let counts = format!(
        "{} of {} entries, {} hashes, {} signed heads, {} state keys, {} rows",
        report.entries, report.size, report.hashes, report.heads, report.state, report.rows
    );
    match &report.difference {
        None => {
            let root = report.root.map(|root| root.to_base64()).unwrap_or_default();
            format!("{origin} is as it should be: {counts}\nsize {} root {root}\n", report.size)
        }
        Some(difference) => format!(
            "{origin} is NOT as it should be\n  where:    {}\n  what:     {}\n  up to it: {counts}\n\
             Nothing was changed. Keep this folder as it is, and restore the store from a backup or a mirror that holds \
             all that was signed; if only state or rows differ, `claimtrail-log rebuild` makes them anew.\n",
            difference.place, difference.what
        ),
    }
}

fn to_json(origin: &str, report: &Report, keys_compared: bool) -> String {
    let difference = report.difference.as_ref().map(|found| json!({"place": found.place, "what": found.what}));
    let value = json!({
        "origin": origin,
        "ok": difference.is_none(),
        "size": report.size,
        "root": report.root.map(|root| root.to_base64()),
        "checked": {
            "entries": report.entries,
            "hashes": report.hashes,
            "heads": report.heads,
            "state": report.state,
            "rows": report.rows,
        },
        "keys_compared": keys_compared,
        "difference": difference,
    });
    format!("{value}\n")
}
