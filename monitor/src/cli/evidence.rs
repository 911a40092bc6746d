//! `evidence`: the misbehaviour files that are kept, beside a running monitor (its admin address answers) or from a stopped one's
//! files. Exit codes as of `claimtrail misbehaviour verify`: 0 proven, 1 not proven, 2 malformed; 3 what the trust files do not
//! name.

mod access;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use client::ErrorKind;
use client::files::{self, Access as FileAccess, Existing};
use proto::misbehaviour::{BadMisbehaviour, MAX_FILE_BYTES};
use serde_json::json;

use super::{Exit, Failure, Place, follow, say};
use crate::evidence::{EvidenceId, Kept, NotEvidence, ProvenFile};
use access::{Access, NotTaken};

/// The file proves what it accuses of.
const PROVEN: u8 = 0;
/// It proves nothing.
const NOT_PROVEN: u8 = 1;
/// It is no misbehaviour file.
const MALFORMED: u8 = 2;
/// It is proven, but not about a log or a key that this monitor's trust files name.
const NOT_OURS: u8 = 3;

#[derive(Debug, Args)]
pub(super) struct EvidenceArgs {
    #[command(subcommand)]
    command: EvidenceCommand,
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    place: Place,
    /// The admin address of the running monitor, if it is not the one of the configuration.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Write JSON for programs.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum EvidenceCommand {
    /// List what is kept, the oldest first.
    List {
        /// Only of this log.
        #[arg(long)]
        origin: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Explain a file to somebody who knows nothing of such logs.
    Show {
        /// Its id, or its first digits.
        id: String,
        #[command(flatten)]
        common: Common,
    },
    /// Write a file, byte for byte as it is kept, for others to verify.
    Export {
        /// Its id, or its first digits.
        id: String,
        /// Where to; one that is there stays.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Take a file that somebody handed over: it is verified, and kept if it is about a log and a key of the trust files.
    Import {
        /// The misbehaviour file.
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Say where histories that contradict the followed one part from it; with --json, their leaf hashes from there on.
    Branches {
        #[command(flatten)]
        common: Common,
    },
    /// Check with no network and no monitor whether a file proves what it accuses of.
    Verify {
        /// The misbehaviour file.
        file: PathBuf,
        /// Write JSON for programs.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: &EvidenceArgs) -> Result<u8, Failure> {
    match &args.command {
        EvidenceCommand::List { origin, common } => list(origin.as_deref(), common).map(|()| PROVEN),
        EvidenceCommand::Show { id, common } => show(id, common),
        EvidenceCommand::Export { id, output, common } => export(id, output, common).map(|()| PROVEN),
        EvidenceCommand::Import { file, common } => import(file, common),
        EvidenceCommand::Branches { common } => branches(common).map(|()| PROVEN),
        EvidenceCommand::Verify { file, json } => verify(file, *json),
    }
}

fn open(common: &Common) -> Result<Access, Failure> {
    Access::open(&common.place.load([])?, common.admin.as_deref())
}

fn list(origin: Option<&str>, common: &Common) -> Result<(), Failure> {
    if let Some(origin) = origin {
        follow::configured(&common.place.load([])?, origin)?;
    }
    let listed = open(common)?.list(origin)?;
    if common.json {
        let entry = |(origin, kept): &(String, Kept)| {
            let mut value = serde_json::to_value(kept).unwrap_or_default(); // plain data always serialises
            value["origin"] = json!(origin);
            value
        };
        return say(&format!("{:#}\n", json!({ "evidence": listed.iter().map(entry).collect::<Vec<_>>() })));
    }
    let mut out = String::new();
    for (origin, kept) in &listed {
        let key = kept.accused.split('+').next().unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{}  {}  {}\n  at {origin} under the key {key}, {}: {}",
            kept.id,
            kept.found_at.to_rfc3339(),
            kept.kind,
            kept.source.words(),
            kept.finding
        );
    }
    if listed.is_empty() {
        out.push_str("no evidence is kept\n");
    }
    say(&out)
}

/// The whole id of one that is kept, from its first digits.
fn find(access: &Access, digits: &str) -> Result<EvidenceId, Failure> {
    if let Ok(id) = digits.parse() {
        return Ok(id);
    }
    let listed = access.list(None)?;
    let mut ids: Vec<EvidenceId> = listed.iter().map(|(_, kept)| kept.id).collect();
    ids.retain(|id| !digits.is_empty() && id.to_string().starts_with(digits));
    ids.dedup();
    match ids.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::new(Exit::Usage, format!("no evidence {digits:?} is kept; `evidence list` shows what is"))),
        _ => Err(Failure::new(Exit::Usage, format!("several ids begin with {digits:?}; give more digits"))),
    }
}

fn show(id: &str, common: &Common) -> Result<u8, Failure> {
    let access = open(common)?;
    let id = find(&access, id)?;
    match ProvenFile::check(&access.file(id)?) {
        Ok(file) => {
            let paragraphs = file.proven().explain();
            match common.json {
                true => say(&format!("{:#}\n", json!({ "id": id, "exit_code": PROVEN, "paragraphs": paragraphs })))?,
                false => say(&format!("{}\n", paragraphs.join("\n\n")))?,
            }
            Ok(PROVEN)
        }
        Err(why) => told(&why, &id.to_string(), common.json),
    }
}

fn export(id: &str, output: &Path, common: &Common) -> Result<(), Failure> {
    let access = open(common)?;
    let id = find(&access, id)?;
    files::write(output, &access.file(id)?, FileAccess::Public, Existing::Keep)?;
    match common.json {
        true => say(&format!("{:#}\n", json!({ "id": id, "file": output }))),
        false => say(&format!("{}\nAnybody can verify it: claimtrail misbehaviour verify {0}\n", output.display())),
    }
}

fn branches(common: &Common) -> Result<(), Failure> {
    let logs = open(common)?.branches()?;
    if common.json {
        return say(&format!("{:#}\n", json!({ "logs": logs })));
    }
    let mut out = String::new();
    for (log, branch) in logs.iter().flat_map(|log| log.branches.iter().map(move |branch| (log, branch))) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{}: a head of {} entries (root {}) parts from the followed history at entry {}; {} leaf hashes of it are kept",
            log.origin,
            branch.size,
            branch.root.to_base64(),
            branch.parts_at,
            branch.leaves.len()
        );
    }
    if out.is_empty() {
        out.push_str("no other history was read\n");
    }
    say(&out)
}

fn import(path: &Path, common: &Common) -> Result<u8, Failure> {
    let (bytes, file) = checked(path)?;
    // Before anything is opened: what proves nothing is nobody's to keep.
    if let Err(why) = file {
        return told(&why, &path.display().to_string(), common.json);
    }
    match open(common)?.take(&bytes)? {
        Ok(taken) => {
            let said = match taken.taken.as_str() {
                "new" => "kept now",
                "known" => "kept already",
                _ => {
                    "proven, but not kept: enough of its kind against this key is, or it shows nothing beyond evidence despite which \
                     the log is cosigned"
                }
            };
            match common.json {
                true => say(&format!("{:#}\n", json!({ "id": taken.id, "taken": taken.taken, "exit_code": PROVEN })))?,
                false => say(&format!("{}: {said}\n", taken.id))?,
            }
            Ok(PROVEN)
        }
        Err(NotTaken(why)) => {
            match common.json {
                true => say(&format!("{:#}\n", json!({ "file": path, "exit_code": NOT_OURS, "reason": why })))?,
                false => say(&format!("{}: proven, but not for this monitor: {why}\n", path.display()))?,
            }
            Ok(NOT_OURS)
        }
    }
}

fn verify(path: &Path, as_json: bool) -> Result<u8, Failure> {
    let file = match checked(path)?.1 {
        Ok(file) => file,
        Err(why) => return told(&why, &path.display().to_string(), as_json),
    };
    let proven = file.proven();
    match as_json {
        true => say(&format!(
            "{:#}\n",
            json!({
                "file": path, "id": file.id(), "verdict": "proven", "exit_code": PROVEN, "kind": proven.kind.as_str(),
                "origin": proven.origin, "accused": proven.accused.to_string(), "finding": proven.finding,
            })
        ))?,
        false => say(&format!(
            "{}\n  PROVEN: {}\n  {}: {}\n  key {}\n",
            path.display(),
            proven.headline(),
            proven.kind,
            proven.finding,
            proven.accused
        ))?,
    }
    Ok(PROVEN)
}

/// Says why a file is no evidence; its exit code.
fn told(why: &NotEvidence, what: &str, as_json: bool) -> Result<u8, Failure> {
    let (verdict, code) = match why {
        NotEvidence::Malformed(_) => ("malformed", MALFORMED),
        NotEvidence::NotProven(_) => ("not proven", NOT_PROVEN),
    };
    match as_json {
        true => say(&format!(
            "{:#}\n",
            json!({ "file": what, "verdict": verdict, "exit_code": code, "reason": why.to_string() })
        ))?,
        false => say(&format!("{what}\n  {}: {why}\n", verdict.to_uppercase()))?,
    }
    Ok(code)
}

/// The file of a path, verified; what is larger than a misbehaviour file may be is none.
fn checked(path: &Path) -> Result<(Vec<u8>, Result<ProvenFile, NotEvidence>), Failure> {
    let bytes = match files::read(path, MAX_FILE_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind == ErrorKind::Malformed => {
            return Ok((Vec::new(), Err(NotEvidence::Malformed(BadMisbehaviour::TooLarge))));
        }
        Err(error) => return Err(error.into()),
    };
    let file = ProvenFile::check(&bytes);
    Ok((bytes, file))
}
