//! `claimtrail claim`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::claim::{Claim, ClaimId, ClaimType, PAYLOAD_TYPE, Role};
use serde_json::json;

use super::context::Context;
use super::{check, out};
use crate::compose::{self, NewClaim};
use crate::error::Error;
use crate::files::{self, Access, Existing};

#[derive(Debug, Subcommand)]
pub(super) enum ClaimCommand {
    /// Write a commented template, with `logs`, the anchor and the time filled in
    New(New),
    /// Check the form of a claim, by the rules of the log
    Check {
        /// The claim, comments allowed
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// support/v1, release/v1, vulnerability/v1, product/v1, contact/v1, conformity/v1, observation/v1, issuer/v1, log/v1 or
    /// a URI of your own
    claim_type: String,
    /// Where to write it [default: standard output]
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Who speaks, a domain name
    #[arg(long)]
    issuer: Option<String>,
    /// In which role
    #[arg(long)]
    role: Option<String>,
    /// Who made the product [default: the issuer, when it speaks as manufacturer]
    #[arg(long)]
    manufacturer: Option<String>,
    /// Which product
    #[arg(long)]
    model: Option<String>,
    /// Set a member, such as body.security_until=2031-03; the result is then plain JSON without comments
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Take the body from this JSON file; the result is then plain JSON without comments
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// Do not anchor the claim to the newest head that was verified
    #[arg(long)]
    no_anchor: bool,
}

pub(super) fn run(context: &Context, command: ClaimCommand) -> Result<(), Error> {
    match command {
        ClaimCommand::New(new) => write_new(context, &new),
        ClaimCommand::Check { file } => {
            let payload = compose::payload(&check::claim_file(&file)?, &context.fill(true)?)?;
            let claim = Claim::parse(&payload)?;
            let id = ClaimId::of(PAYLOAD_TYPE, &payload);
            if context.json() {
                out::json(&json!({ "valid": true, "type": claim.claim_type.as_str(), "claim_id": id.to_string() }));
            } else {
                let who = format!("{} by {} as {}", claim.claim_type, claim.issuer, claim.role);
                out::line(format!("{} {who}, {} bytes", out::styled(out::GOOD, "valid form:"), payload.len()));
            }
            Ok(())
        }
    }
}

/// Whether the issuer is likely to be the product's maker; all other roles speak about products of others.
fn speaks_of_its_own(new: &New) -> bool {
    new.role.as_deref().is_none_or(|role| role == Role::Manufacturer.as_str())
}

fn write_new(context: &Context, new: &New) -> Result<(), Error> {
    let claim_type = match ClaimType::known(&new.claim_type) {
        Some(known) => known,
        None if new.claim_type.contains(':') => ClaimType::Other(new.claim_type.clone()),
        None => {
            let known: Vec<_> = ClaimType::KNOWN.iter().map(|known| known.as_str().to_owned()).collect();
            return Err(Error::usage(format!(
                "{:?} is no type of claim; there are {}",
                new.claim_type,
                known.join(", ")
            )));
        }
    };
    let fill = context.fill(!new.no_anchor)?;
    let maker = new.manufacturer.as_ref().or(new.issuer.as_ref().filter(|_| speaks_of_its_own(new)));
    let given = [
        ("issuer", new.issuer.as_ref()),
        ("role", new.role.as_ref()),
        ("manufacturer", maker),
        ("model", new.model.as_ref()),
    ];
    let members = given.into_iter().filter_map(|(name, value)| Some((name, value?.clone()))).collect();
    let mut text = compose::new_claim(&NewClaim { claim_type, fill: &fill, members });
    if !new.set.is_empty() || new.body.is_some() {
        let mut value = compose::read(text.as_bytes())?;
        if let Some(path) = &new.body {
            compose::set(&mut value, &["body"], compose::read(&check::claim_file(path)?)?);
        }
        for assignment in &new.set {
            let (path, member) = compose::assignment(assignment)?;
            compose::set(&mut value, &path, member);
        }
        text = format!("{}\n", serde_json::to_string_pretty(&value).unwrap_or_default());
    }
    match &new.output {
        Some(path) => {
            files::write(path, text.as_bytes(), Access::Public, Existing::Keep)?;
            context.remark(format!(
                "{} is written; edit it, then: claimtrail sign {} --key KEY",
                path.display(),
                path.display()
            ));
        }
        None => out::raw(text.as_bytes()),
    }
    if fill.log.is_none() {
        context.remark("note: without --trust the log in `logs` is an example; put the origin of your log there");
    }
    Ok(())
}
