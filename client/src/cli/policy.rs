//! `claimtrail policy`

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::context::Context;
use super::out;
use crate::error::Error;
use crate::files;
use crate::trust::Trust;

/// A checkpoint with many cosignatures stays below this.
const MAX_CHECKPOINT_BYTES: usize = 256 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Check a trust file, and perhaps a checkpoint under it
    Check {
        /// The trust file
        file: PathBuf,
        /// A checkpoint to judge
        checkpoint: Option<PathBuf>,
    },
}

pub(super) fn run(context: &Context, command: PolicyCommand) -> Result<u8, Error> {
    let PolicyCommand::Check { file, checkpoint } = command;
    let trust = Trust::load(&file)?;
    let policy = trust.policy();
    let head = checkpoint.map(|path| files::read(&path, MAX_CHECKPOINT_BYTES)).transpose()?;
    let head = head.map(|note| policy.check(&note).map_err(|e| crate::trust::of_file(&e))).transpose()?;
    let logs: Vec<_> = policy.logs().iter().map(|log| json!({ "origin": log.origin(), "url": log.url() })).collect();
    let witnesses = policy.witnesses().iter().map(|witness| {
        json!({ "name": witness.name().to_string(), "time_key_of": witness.time_key_of(), "vkey": witness.vkey().to_string() })
    });
    let witnesses: Vec<_> = witnesses.collect();
    let met = head.as_ref().is_none_or(|head| head.quorum.met);
    if context.json() {
        let head = head.as_ref().map(|head| {
            json!({ "size": head.checkpoint.size(), "root": head.checkpoint.root(), "quorum_met": head.quorum.met })
        });
        out::json(
            &json!({ "logs": logs, "witnesses": witnesses, "asks_for_witnesses": !policy.has_no_quorum(), "checkpoint": head }),
        );
        return Ok(if met { 0 } else { 3 });
    }
    for log in policy.logs() {
        out::line(format!("log      {}  {}", log.origin(), log.url().unwrap_or("(no address)")));
    }
    for witness in policy.witnesses() {
        let what = if witness.time_key_of().is_some() { "time key" } else { "witness " };
        out::line(format!("{what} {}", witness.vkey().name().as_str()));
    }
    if policy.has_no_quorum() {
        out::line("quorum   none: a log that shows different trees to different readers would not be noticed");
    } else {
        out::line("quorum   witnesses are asked for");
    }
    if let Some(head) = &head {
        let quorum = &head.quorum;
        out::line(format!(
            "head     {} entries, signed by the log; {} of {} witnesses, {} needed: {}",
            head.checkpoint.size(),
            quorum.cosigned,
            quorum.counted,
            quorum.needed,
            if quorum.met { "met" } else { "NOT MET" }
        ));
    }
    Ok(if met { 0 } else { 3 })
}
