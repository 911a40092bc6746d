//! `claimtrail verify`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::out;
use crate::error::Error;
use crate::keyfile;
use crate::plain::plain;
use crate::verify::{Material, MaterialPaths, Report, Standing, Verdict};

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Receipts or proofs, or the claims beside them: files that belong together share a stem (x.receipt.json, x.tlog-proof,
    /// x.envelope.json, x.entry, x.payload.json)
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A public key that you hold to be the issuer's, to check its signature here
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// The claim's envelope, when it does not share the stem
    #[arg(long, value_name = "FILE")]
    envelope: Option<PathBuf>,
    /// The claim's payload, when it does not share the stem
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
}

pub(super) fn run(context: &Context, verify: &Verify) -> Result<u8, Error> {
    let trust = context.trust()?;
    let keys = verify.keys.iter().map(|path| keyfile::load_public(path)).collect::<Result<Vec<_>, _>>()?;
    let mut worst = Verdict::Proven;
    let mut shown = Vec::new();
    for file in &verify.files {
        let mut paths = MaterialPaths::beside(file)?;
        paths.envelope = verify.envelope.clone().or(paths.envelope);
        paths.payload = verify.payload.clone().or(paths.payload);
        let report = match Material::load(&paths)? {
            Ok(material) => material.judge(trust.as_ref(), &keys),
            Err(report) => report,
        };
        worst = worst.min(report.verdict);
        if context.json() {
            shown.push(json!({ "file": file, "report": report }));
        } else {
            out::line(format!("{}\n{}", file.display(), text(&report)));
        }
    }
    if context.json() {
        out::json(&json!({ "verdict": worst, "exit_code": worst.exit_code(), "files": shown }));
    }
    Ok(worst.exit_code())
}

/// A report for people.
fn text(report: &Report) -> String {
    let style = match report.verdict {
        Verdict::Proven => out::GOOD,
        Verdict::PolicyNotMet => out::CARE,
        Verdict::NotProven | Verdict::Malformed => out::BAD,
    };
    let mut text = format!("  {}: {}", out::styled(style, report.verdict), plain(&report.reason));
    if let Some(facts) = &report.facts {
        text.push_str(&format!("\n  claim {}", facts.claim_id));
    }
    for statement in &report.statements {
        let style = match statement.standing {
            Standing::Proven => out::GOOD,
            Standing::Failed => out::BAD,
            _ => anstyle::Style::new(),
        };
        let standing = out::styled(style, format!("{:<11}", statement.standing.to_string()));
        text.push_str(&format!("\n  {standing}  {}", statement.text));
    }
    text
}
