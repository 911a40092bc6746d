//! `claimtrail misbehaviour`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use proto::misbehaviour::{MAX_FILE_BYTES, Misbehaviour, Party, Proven};
use proto::policy::Policy;
use serde_json::json;

use super::context::Context;
use super::out;
use crate::error::Error;
use crate::files;

#[derive(Debug, Subcommand)]
pub(super) enum MisbehaviourCommand {
    /// Check with no network whether a file proves what it accuses of: 0 proven, 1 not proven, 2 malformed
    Verify {
        /// The misbehaviour file
        file: PathBuf,
    },
    /// Explain a file to somebody who knows nothing of such logs; exit codes as for `verify`
    Show {
        /// The misbehaviour file
        file: PathBuf,
    },
}

pub(super) fn run(context: &Context, command: &MisbehaviourCommand) -> Result<u8, Error> {
    let trust = context.trust()?;
    let policy = trust.as_ref().map(crate::trust::Trust::policy);
    match command {
        MisbehaviourCommand::Verify { file } => verify(context, file, policy),
        MisbehaviourCommand::Show { file } => show(context, file, policy),
    }
}

fn read(path: &Path) -> Result<Misbehaviour, Error> {
    let bytes = files::read(path, MAX_FILE_BYTES)?;
    Misbehaviour::parse(&bytes).map_err(|why| Error::malformed(format!("{}: {why}", path.display())))
}

/// Whether the reader's trust file lists the convicted key; `None` without such a file.
fn is_listed(proven: &Proven, policy: Option<&Policy>) -> Option<bool> {
    let policy = policy?;
    let logs = policy.logs().iter().map(proto::policy::Log::vkey);
    let witnesses = policy.witnesses().iter().map(proto::policy::Witness::vkey);
    Some(logs.chain(witnesses).any(|vkey| *vkey == proven.accused))
}

fn relevance(proven: &Proven, policy: Option<&Policy>) -> &'static str {
    match is_listed(proven, policy) {
        Some(true) => "Your trust file lists this key: do not rely on it any more.",
        Some(false) => "Your trust file does not list this key.",
        None => "Name your trust file with --trust to learn whether it lists this key.",
    }
}

fn verify(context: &Context, path: &Path, policy: Option<&Policy>) -> Result<u8, Error> {
    let file = read(path)?;
    let verdict = file.verify();
    let code = u8::from(verdict.is_err());
    match (&verdict, context.json()) {
        (Ok(proven), true) => out::json(&json!({
            "file": path, "verdict": "proven", "exit_code": code, "kind": proven.kind.as_str(), "origin": proven.origin,
            "accused": proven.accused.to_string(), "party": proven.party.to_string(), "finding": proven.finding,
            "hash_only": proven.kind.is_hash_only(), "code": proven.code.map(|code| code.as_str()),
            "in_trust_file": is_listed(proven, policy),
        })),
        (Err(why), true) => out::json(&json!({
            "file": path, "verdict": "not proven", "exit_code": code, "kind": file.kind().as_str(),
            "origin": file.origin(), "accused": file.accused().to_string(), "reason": why.to_string(),
        })),
        (Ok(proven), false) => {
            out::line(format!("{}\n  {}: {}", path.display(), out::styled(out::BAD, "PROVEN"), proven.headline()));
            out::line(format!("  {}, {}: {}", proven.kind, party(proven.party), proven.finding));
            out::line(format!("  key {}\n  {}", proven.accused, relevance(proven, policy)));
        }
        (Err(why), false) => {
            out::line(format!("{}\n  {}: {why}", path.display(), out::styled(out::CARE, "NOT PROVEN")));
            out::line(format!("  {}; nothing is proven against it", file.accusation()));
        }
    }
    Ok(code)
}

fn party(party: Party) -> &'static str {
    match party {
        Party::Log => "by the log's key",
        Party::LogTime => "by the log's time key",
        Party::Witness => "by a witness",
    }
}

fn show(context: &Context, path: &Path, policy: Option<&Policy>) -> Result<u8, Error> {
    let file = read(path)?;
    let verdict = file.verify();
    let code = u8::from(verdict.is_err());
    let paragraphs = match &verdict {
        Ok(proven) => [proven.explain(), vec![relevance(proven, policy).to_owned()]].concat(),
        Err(why) => vec![
            "This file proves nothing. The accused may be as honest as any.".to_owned(),
            format!("What it says: {}.", file.accusation()),
            format!("Why it is not proven: {why}."),
        ],
    };
    if context.json() {
        out::json(&json!({ "file": path, "exit_code": code, "paragraphs": paragraphs }));
    } else {
        out::line(paragraphs.join("\n\n"));
    }
    Ok(code)
}
