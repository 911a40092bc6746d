//! Claims about claims: `supersede`, `amend`, `withdraw`, `confirm`, `dispute`.

use std::path::PathBuf;

use clap::Args;
use proto::claim::ClaimId;
use proto::json::Value;

use super::context::{Connection, Context};
use super::{check, out, submit};
use crate::clock::{now, rfc3339};
use crate::compose;
use crate::error::Error;
use crate::files::{self, Access, Existing};

#[derive(Debug, Args)]
pub(super) struct Common {
    /// The claim's id
    #[arg(value_parser = check::id)]
    id: ClaimId,
    /// The key to sign with; without one, only the claim is written
    #[arg(short, long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where to write: x.claim.json, and x.envelope.json and x.receipt.json beside it
    #[arg(short, long)]
    output: PathBuf,
    /// Who speaks, when it is not the claim's own issuer
    #[arg(long)]
    issuer: Option<String>,
    /// In which role, when it is not the claim's own
    #[arg(long)]
    role: Option<String>,
    /// The claim that gives the mandate or succession
    #[arg(long, value_parser = check::id)]
    authority: Option<ClaimId>,
    /// Do not anchor the claim to the newest head that was verified
    #[arg(long)]
    no_anchor: bool,
    /// Sign, but do not submit
    #[arg(long)]
    no_submit: bool,
}

#[derive(Debug, Args)]
pub(super) struct Replace {
    #[command(flatten)]
    common: Common,
    /// Set a member, such as body.security_until=2031-03; everything else is as in the claim that is replaced
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct About {
    #[command(flatten)]
    common: Common,
    /// Why
    #[arg(long)]
    reason: String,
}

pub(super) fn replace(context: &Context, command: &Replace, kind: &str) -> Result<(), Error> {
    let connection = context.connect()?;
    let mut value = begin(context, &connection, &command.common)?;
    set_rel(&mut value, kind, &command.common.id, command.reason.as_deref());
    for assignment in &command.set {
        let (path, member) = compose::assignment(assignment)?;
        compose::set(&mut value, &path, member);
    }
    finish(context, &connection, &command.common, value)
}

pub(super) fn about(context: &Context, command: &About, kind: &str) -> Result<(), Error> {
    let connection = context.connect()?;
    let mut value = begin(context, &connection, &command.common)?;
    set_rel(&mut value, kind, &command.common.id, Some(&command.reason));
    for name in ["docs", "legal", "effective", "until"] {
        compose::remove(&mut value, name);
    }
    compose::set(&mut value, &["body"], Value::Object(Vec::new()));
    finish(context, &connection, &command.common, value)
}

/// The target's payload as the new claim begins with it.
fn begin(context: &Context, connection: &Connection, common: &Common) -> Result<Value, Error> {
    let target = super::show::fetch(connection, check::Which::Id(common.id))?;
    let mut value = compose::read(&target.payload)?;
    for name in ["logs", "submit_before", "authority", "on_behalf_of"] {
        compose::remove(&mut value, name);
    }
    compose::set(&mut value, &["asserted_at"], compose::text(&rfc3339(now())));
    let given = [("issuer", common.issuer.clone()), ("role", common.role.clone())];
    let authority = common.authority.map(|id| id.to_string());
    for (name, text) in given.into_iter().chain([("authority", authority)]) {
        if let Some(text) = text {
            compose::set(&mut value, &[name], compose::text(&text));
        }
    }
    if !common.no_anchor {
        // The newest head is what the claim is anchored to, so look at it now.
        let note = connection.wait(connection.api.checkpoint())?;
        connection.accept(context, &note)?;
    }
    Ok(value)
}

fn set_rel(value: &mut Value, kind: &str, target: &ClaimId, reason: Option<&str>) {
    compose::remove(value, "rel");
    compose::set(value, &["rel", "kind"], compose::text(kind));
    compose::set(value, &["rel", "target", "id"], compose::text(&target.to_string()));
    if let Some(reason) = reason {
        compose::set(value, &["rel", "reason"], compose::text(reason));
    }
}

fn finish(context: &Context, connection: &Connection, common: &Common, value: Value) -> Result<(), Error> {
    let payload = compose::payload(&compose::to_bytes(&value), &context.fill(!common.no_anchor)?)?;
    let Some(key) = &common.key else {
        let text = format!("{}\n", serde_json::to_string_pretty(&compose::read(&payload)?).unwrap_or_default());
        files::write(&common.output, text.as_bytes(), Access::Public, Existing::Keep)?;
        let path = common.output.display();
        out::line(format!("{path} is written; edit it, then: claimtrail sign {path} --key KEY"));
        return Ok(());
    };
    let envelope = compose::sign(&payload, &[&crate::keyfile::load(key)?]);
    let path = check::envelope_path(&common.output);
    submit::write_signed(&path, &envelope)?;
    if common.no_submit {
        out::line(format!("{} is written", path.display()));
        return Ok(());
    }
    submit::signed(context, connection, &path)
}
