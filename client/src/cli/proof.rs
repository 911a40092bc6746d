//! `claimtrail proof` and `claimtrail checkpoint`

use std::path::{Path, PathBuf};

use clap::Args;
use proto::claim::PAYLOAD_TYPE;
use proto::dsse::{Envelope, MAX_ENVELOPE_BYTES};
use serde_json::json;

use super::check::Which;
use super::context::{Connection, Context};
use super::out;
use crate::clock::rfc3339;
use crate::error::Error;
use crate::files::{self, Access, Existing};
use crate::head::Seen;
use crate::verify::{Content, Proof, Verdict, judge};

#[derive(Debug, Args)]
pub(super) struct ProofCommand {
    /// The claim's id, or its index
    which: Which,
    /// Where to write it, x.tlog-proof; the claim goes beside it, x.envelope.json
    #[arg(short, long)]
    output: PathBuf,
}

pub(super) fn run(context: &Context, command: &ProofCommand) -> Result<(), Error> {
    let connection = context.connect()?;
    let found = super::show::fetch(&connection, command.which)?;
    let (envelope, receipt) = (found.envelope(), found.receipt);
    let proof = receipt.to_tlog_proof().map_err(|e| Error::unreachable(format!("the log's receipt: {e}")))?;
    let content = Content::Payload(envelope.payload.clone(), Some(envelope.signatures.clone()));
    let report = judge(&Proof::Tlog(proof.clone()), &content, Some(&connection.trust), &[]);
    if report.verdict < Verdict::PolicyNotMet {
        return Err(Error::not_proven(format!("the log's proof does not hold: {}", report.reason)));
    }
    connection.accept(context, receipt.checkpoint.as_bytes())?;
    let name = command.output.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.strip_suffix(".tlog-proof").unwrap_or(&name);
    let beside = command.output.with_file_name(format!("{stem}.envelope.json"));
    let is_there = beside.symlink_metadata().is_ok();
    if is_there {
        same_claim(&beside, &envelope)?;
    }
    files::write(&command.output, proof.to_string().as_bytes(), Access::Public, Existing::Replace)?;
    if !is_there {
        files::write(&beside, format!("{}\n", envelope.to_json()).as_bytes(), Access::Public, Existing::Keep)?;
    }
    if context.json() {
        out::json(&json!({ "proof": command.output, "envelope": beside, "verdict": report.verdict }));
    } else {
        out::line(format!(
            "{} (entry {}), with the claim in {}",
            command.output.display(),
            receipt.index,
            beside.display()
        ));
        if report.verdict == Verdict::PolicyNotMet {
            context.remark(format!("note: {}", report.reason));
        }
    }
    Ok(())
}

/// A file of the envelope's name holds this claim: else the proof would stand beside what it does not prove.
fn same_claim(path: &Path, envelope: &Envelope) -> Result<(), Error> {
    let sorted = |envelope: &Envelope| {
        let mut signatures = envelope.signatures.clone();
        signatures.sort_by_key(|by| by.key_id);
        (envelope.payload_type.clone(), envelope.payload.clone(), signatures)
    };
    let kept = Envelope::parse(&files::read(path, MAX_ENVELOPE_BYTES)?).ok();
    if kept.is_some_and(|kept| sorted(&kept) == sorted(envelope)) {
        return Ok(());
    }
    Err(Error::local(format!(
        "{} is there already and is not the envelope of this claim; choose another name for the proof, or move it away",
        path.display()
    )))
}

impl super::show::Found {
    /// The envelope as it was submitted, save for its spelling.
    fn envelope(&self) -> Envelope {
        Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: self.payload.clone(),
            signatures: self.receipt.signatures.clone(),
        }
    }
}

pub(super) fn checkpoint(context: &Context) -> Result<(), Error> {
    let connection: Connection = context.connect()?;
    let note = connection.wait(connection.api.checkpoint())?;
    let head = connection.accept(context, &note)?;
    let checkpoint = &head.checked.checkpoint;
    let seen = match head.seen {
        Seen::First => "the first head of this log that is remembered".to_owned(),
        Seen::Same => "the remembered tree".to_owned(),
        Seen::Extends(old) => format!("contains the remembered tree of {old} entries"),
        Seen::Earlier(old) => format!("an earlier state of the remembered tree of {old} entries"),
    };
    let quorum = &head.checked.quorum;
    if context.json() {
        out::json(&json!({
            "origin": checkpoint.origin(), "size": checkpoint.size(), "root": checkpoint.root(),
            "time": head.checked.log_time, "quorum_met": quorum.met, "cosigned": quorum.cosigned,
            "checkpoint": String::from_utf8_lossy(&note), "seen": seen,
        }));
        return Ok(());
    }
    out::line(format!(
        "{}: {} entries, root {}",
        checkpoint.origin(),
        checkpoint.size(),
        checkpoint.root().to_base64()
    ));
    if let Some(time) = head.checked.log_time {
        out::line(format!("  made at {} by the log's own clock", rfc3339(time.millis())));
    }
    out::line(format!("  {seen}"));
    if quorum.needed > 0 {
        out::line(format!("  {} of {} witnesses, {} needed", quorum.cosigned, quorum.counted, quorum.needed));
    }
    Ok(())
}
