//! `follow`: the state of a log, made by an explicit act. `serve` never makes one, so that a state that was lost is seen.

use std::path::Path;

use clap::Args;

use super::{Exit, Failure, Place, logs_folder, records_folder, say};
use crate::config::{Config, LogToFollow};
use crate::store::LogStore;
use crate::witness::Witness;

#[derive(Debug, Args)]
pub(super) struct FollowArgs {
    /// The log's origin; the configuration must name it.
    origin: String,
    #[command(flatten)]
    place: Place,
    /// The log was followed before and its state is lost: begin again at entry 0. What was known of its past is gone; heads
    /// that others kept are what is left of it.
    #[arg(long)]
    again: bool,
}

pub(super) fn run(args: &FollowArgs) -> Result<(), Failure> {
    let config = args.place.load([])?;
    let log = configured(&config, &args.origin)?;
    make(&logs_folder(&config), &records_folder(&config), &log.origin, args.again)?;
    say(&format!("{} is followed from entry 0 on, at {}.\n", log.origin, log.url))
}

/// The log of the configuration with this origin.
pub(super) fn configured(config: &Config, origin: &str) -> Result<LogToFollow, Failure> {
    let logs = config.logs()?;
    let known = logs.iter().map(|log| log.origin.clone()).collect::<Vec<_>>().join(", ");
    logs.into_iter().find(|log| log.origin == origin).ok_or_else(|| {
        let message =
            format!("the configuration names no log {origin}; it names: {known}. Add a [[follow]] entry for it");
        Failure::new(Exit::Usage, message)
    })
}

/// Makes database and record of a log.
pub(super) fn make(logs: &Path, records: &Path, origin: &str, again: bool) -> Result<(), Failure> {
    let lost = Witness::has_record(records, origin) && !LogStore::path_in(logs, origin).exists();
    if lost && !again {
        return Err(Failure::new(Exit::Io, lost_text(logs, origin)));
    }
    LogStore::create(logs, origin)?;
    if !Witness::has_record(records, origin) {
        Witness::create_record(records, origin)?;
    }
    Ok(())
}

/// What is said of a state that was there.
fn lost_text(logs: &Path, origin: &str) -> String {
    format!(
        "THE STATE OF {origin} IS LOST: this monitor followed it, and {} is gone. Restore it from a backup. If there is none, \
         `claimtrail-monitor follow {origin} --again` begins at entry 0; what was known of the log's past is then gone",
        LogStore::path_in(logs, origin).display()
    )
}

/// Refuses to run without the state of a log, or with the state of one that the configuration no longer names.
pub(super) fn check(config: &Config, logs: &[LogToFollow]) -> Result<(), Failure> {
    let (folder, records) = (logs_folder(config), records_folder(config));
    let missing = |log: &&LogToFollow| !LogStore::path_in(&folder, &log.origin).exists();
    if let Some(log) = logs.iter().find(missing) {
        let origin = &log.origin;
        let message = match Witness::has_record(&records, origin) {
            true => lost_text(&folder, origin),
            false => format!(
                "there is no state of {origin}. If this monitor never followed it, run `claimtrail-monitor follow {origin}`; if \
                 it did, its state and its record ARE LOST: restore the state from a backup"
            ),
        };
        return Err(Failure::new(Exit::Io, message));
    }
    let known = |path: &Path| logs.iter().any(|log| LogStore::path_in(&folder, &log.origin) == path);
    let Ok(files) = std::fs::read_dir(&folder) else { return Ok(()) };
    let stray = files.filter_map(|file| Some(file.ok()?.path()));
    match stray.filter(|path| path.extension().is_some_and(|end| end == "redb")).find(|path| !known(path)) {
        None => Ok(()),
        Some(path) => {
            let message = format!(
                "{} is the state of a log that the configuration does not name any more. A log that was followed is not dropped \
                 silently: name it again, or move the file away",
                path.display()
            );
            Err(Failure::new(Exit::Config, message))
        }
    }
}
