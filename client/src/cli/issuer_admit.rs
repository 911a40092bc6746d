//! `claimtrail issuer admit`: the registrar's decision.

use std::path::{Path, PathBuf};

use clap::Args;
use proto::claim::body::{IdentityMethod, IssuerBody};
use proto::claim::{Body, Claim};
use proto::dsse::{Envelope, MAX_ENVELOPE_BYTES};
use serde_json::json;

use super::context::{Connection, Context};
use super::issuer::Method;
use super::lookup::Lookup;
use super::{out, submit};
use crate::clock::{now, rfc3339};
use crate::error::Error;
use crate::files::{self, Access, Existing};
use crate::identity;
use crate::keyfile;

#[derive(Debug, Args)]
pub(super) struct Admit {
    /// The request, x.envelope.json
    file: PathBuf,
    /// Your registrar key
    #[arg(long, value_name = "FILE")]
    registrar_key: PathBuf,
    /// Look at the TXT records or the well-known file now; what was seen is kept in x.identity.json
    #[arg(long, conflicts_with = "checked")]
    check: bool,
    /// You checked who asks, by this method, which must be the one that the request names
    #[arg(long, value_enum)]
    checked: Option<Method>,
    #[command(flatten)]
    lookup: Lookup,
    /// Sign, but do not submit
    #[arg(long)]
    no_submit: bool,
}

pub(super) fn run(context: &Context, admit: &Admit) -> Result<(), Error> {
    let mut envelope = Envelope::parse(&files::read(&admit.file, MAX_ENVELOPE_BYTES)?)?;
    let claim = Claim::parse(&envelope.payload)?;
    let Body::Issuer(body) = &claim.body else {
        return Err(Error::usage(format!(
            "{} is a {} claim, not a request to be enrolled",
            admit.file.display(),
            claim.claim_type
        )));
    };
    let connection = context.connect()?;
    let seen = check_identity(context, admit, &connection, claim.issuer.as_str(), body)?;
    let record = sibling(&admit.file, ".identity.json");
    files::write(&record, format!("{seen:#}\n").as_bytes(), Access::Public, Existing::Replace)?;
    context.remark(format!("identity: {} (kept in {})", seen["method"].as_str().unwrap_or_default(), record.display()));
    envelope.add_signature(&keyfile::load(&admit.registrar_key)?);
    files::write(&admit.file, format!("{}\n", envelope.to_json()).as_bytes(), Access::Public, Existing::Replace)?;
    if admit.no_submit {
        out::line(format!("{} is signed", admit.file.display()));
        return Ok(());
    }
    submit::signed(context, &connection, &admit.file)
}

fn sibling(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{}{ending}", name.strip_suffix(".envelope.json").unwrap_or(&name)))
}

/// Checks the identity as the request names it, or takes the operator's word; gives the record of it.
fn check_identity(
    context: &Context,
    admit: &Admit,
    connection: &Connection,
    issuer: &str,
    body: &IssuerBody,
) -> Result<serde_json::Value, Error> {
    let named = body.identity.as_ref().map(|identity| identity.method);
    let named = match named {
        Some(IdentityMethod::Dns) => Method::Dns,
        Some(IdentityMethod::Certificate) => Method::Certificate,
        Some(IdentityMethod::Registry) => Method::Registry,
        Some(IdentityMethod::Paper) => Method::Paper,
        None => return Err(Error::malformed("the request does not say how identity is shown")),
    };
    if let Some(stated) = admit.checked {
        if stated != named {
            let message = format!(
                "you checked by {}, but the request names {}; have it made anew",
                stated.as_str(),
                named.as_str()
            );
            return Err(Error::usage(message));
        }
        return Ok(
            json!({ "issuer": issuer, "method": named.as_str(), "checked_at": rfc3339(now()), "by": "operator" }),
        );
    }
    if !admit.check {
        return Err(Error::usage("how was identity checked? --check looks now, --checked METHOD states that you did"));
    }
    let (expected, digest) = identity::evidence_of(body);
    if body.identity.as_ref().and_then(|identity| identity.evidence_sha256) != Some(digest) {
        return Err(Error::not_proven(
            "the request's `evidence_sha256` is not the digest of the lines for its keys; have it made anew",
        ));
    }
    let (place, found) = match named {
        Method::Dns => (identity::dns_name(issuer), connection.wait(admit.lookup.txt(issuer))?),
        Method::Certificate => connection.wait(admit.lookup.well_known(issuer))?,
        Method::Registry | Method::Paper => {
            return Err(Error::usage(format!(
                "{} cannot be checked here; check it and say --checked {0}",
                named.as_str()
            )));
        }
    };
    identity::compare(&expected, &found, &place)?;
    context.remark(format!("{place} names every key of the request"));
    Ok(json!({
        "issuer": issuer, "method": named.as_str(), "checked_at": rfc3339(now()), "by": "lookup", "place": place,
        "found": found, "evidence_sha256": digest.to_string(),
    }))
}
