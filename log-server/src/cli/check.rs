//! `check`: the whole log against itself, offline.

use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::json;

use super::{DIFFERENT, Failure, Folder, OK, bar, open, say};
use crate::check::{self, Beside, Progress};
use crate::signer::SignerRecord;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    /// Folder with room for the log's indexes; what is written there is removed at the end
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// A bar for each part of the check.
struct Bars(Mutex<Option<indicatif::ProgressBar>>);

impl Progress for Bars {
    fn part(&self, name: &'static str, steps: u64) {
        if let Ok(mut bars) = self.0.lock() {
            if let Some(before) = bars.replace(bar(name, steps)) {
                before.finish_and_clear();
            }
        }
    }

    fn done(&self, steps: u64) {
        if let Ok(bars) = self.0.lock() {
            bars.iter().for_each(|bar| bar.inc(steps));
        }
    }
}

pub(super) fn run(args: &Args) -> Result<u8, Failure> {
    let config = open::config(&args.folder.dir)?;
    let keys = open::keys(&config)?;
    let store = open::store_read_only(&config)?;
    let scratch = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let record = SignerRecord::open(&config.signer.record, &config.origin).map(|record| record.last());
    let beside = Beside { vkeys: Some((keys.log_vkey(), keys.time_vkey())), record: Some(record), scratch: &scratch };
    let bars = Bars(Mutex::new(None));
    let report = check::run(&store, &beside, &bars).map_err(|e| Failure::io(&e))?;
    if let Ok(mut bars) = bars.0.lock() {
        bars.take().iter().for_each(indicatif::ProgressBar::finish_and_clear);
    }
    if args.json {
        let difference = report.difference.as_ref().map(|found| json!({"place": found.place, "what": found.what}));
        let root = report.root.map(|root| root.to_base64());
        say(&json!({
            "size": report.size, "root": root, "entries": report.entries, "hashes": report.hashes, "heads": report.heads,
            "state": report.state, "rows": report.rows, "difference": difference,
        })
        .to_string());
    } else {
        say(&format!(
            "{} entries and {} hashes derived again, {} signed heads, {} state keys and {} rows compared",
            report.entries, report.hashes, report.heads, report.state, report.rows
        ));
        match &report.difference {
            None => say("all is as it should be"),
            Some(found) => say(&format!("DIFFERENT at {}: {}", found.place, found.what)),
        }
    }
    Ok(if report.difference.is_none() { OK } else { DIFFERENT })
}
