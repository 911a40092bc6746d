//! `claimtrail sign`

use std::path::PathBuf;

use clap::Args;
use proto::claim::{ClaimId, PAYLOAD_TYPE};
use proto::dsse::{Envelope, MAX_ENVELOPE_BYTES};
use serde_json::json;

use super::context::Context;
use super::{check, out};
use crate::compose;
use crate::error::Error;
use crate::files::{self, Access, Existing};
use crate::plain::plain;

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The claim (comments allowed), or an envelope that needs one more signature
    file: PathBuf,
    /// The key to sign with; several for claims that several keys sign
    #[arg(short, long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// Where to write the envelope [default: x.envelope.json beside x.claim.json]
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Do not anchor a claim without `logs` to the newest head that was verified
    #[arg(long)]
    no_anchor: bool,
    /// Replace the envelope if it is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(context: &Context, sign: &Sign) -> Result<(), Error> {
    let keys = check::keys(&sign.keys)?;
    let is_envelope = sign.file.to_string_lossy().ends_with(".envelope.json");
    let mut envelope = if is_envelope {
        let envelope = Envelope::parse(&files::read(&sign.file, MAX_ENVELOPE_BYTES)?)?;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(Error::malformed(format!(
                "{}: its payload type is {}, not {PAYLOAD_TYPE}; a key for claims signs nothing else",
                sign.file.display(),
                plain(&envelope.payload_type)
            )));
        }
        envelope
    } else {
        let payload = compose::payload(&check::claim_file(&sign.file)?, &context.fill(!sign.no_anchor)?)?;
        compose::sign(&payload, &[])
    };
    keys.iter().for_each(|key| envelope.add_signature(key));
    let path = match &sign.output {
        Some(path) => path.clone(),
        None if is_envelope => sign.file.clone(),
        None => check::envelope_path(&sign.file),
    };
    let replace = sign.force || path == sign.file;
    let existing = if replace { Existing::Replace } else { Existing::Keep };
    files::write(&path, format!("{}\n", envelope.to_json()).as_bytes(), Access::Public, existing)?;
    let id = ClaimId::of(PAYLOAD_TYPE, &envelope.payload);
    if context.json() {
        out::json(&json!({ "claim_id": id.to_string(), "envelope": path, "signatures": envelope.signatures.len() }));
    } else {
        out::line(format!("{id}"));
        context.remark(format!("{} is written; submit it with: claimtrail submit {}", path.display(), path.display()));
    }
    Ok(())
}
