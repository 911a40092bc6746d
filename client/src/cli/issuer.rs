//! `claimtrail issuer`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use proto::claim::ClaimId;
use proto::ed25519::{KeyId, SecretKey};
use proto::num::Millis;
use serde_json::{Value, json};

use super::context::Context;
use super::issuer_admit::{self, Admit};
use super::issuer_last::last_body;
use super::{check, out, submit};
use crate::clock::{day, now, rfc3339};
use crate::compose;
use crate::error::Error;
use crate::identity;
use crate::plain::plain;

#[derive(Debug, Subcommand)]
pub(super) enum Issuer {
    /// Ask to be enrolled: writes x.envelope.json, signed by your new keys, for the log's operator
    Request(Request),
    /// As registrar: check who asks, sign the request and submit it
    Admit(Admit),
    /// Enrol one more key
    AddKey(AddKey),
    /// Revoke a key, as its issuer or as the log's registrar
    Revoke(Revoke),
    /// After the loss of all admin keys: ask for new ones, or stop such a request
    Recover(Recover),
    /// Show an issuer and its keys
    Show {
        /// The issuer's id
        issuer: String,
    },
}

/// How identity is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Method {
    /// TXT records under the domain name
    Dns,
    /// A file on the https server of that name
    Certificate,
    /// A public register
    Registry,
    /// Documents on paper
    Paper,
}

impl Method {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Method::Dns => "dns",
            Method::Certificate => "certificate",
            Method::Registry => "registry",
            Method::Paper => "paper",
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Request {
    /// Your id: a domain name you control
    #[arg(long)]
    issuer: String,
    /// Your name in law
    #[arg(long)]
    legal_name: String,
    /// A role you ask for; the first is the one the request speaks in
    #[arg(long = "role", required = true)]
    roles: Vec<String>,
    /// A key for claims
    #[arg(long = "sign-key", value_name = "FILE")]
    sign_keys: Vec<PathBuf>,
    /// A key for managing keys; keep it apart from the others
    #[arg(long = "admin-key", value_name = "FILE", required = true)]
    admin_keys: Vec<PathBuf>,
    /// How many admin keys must sign a change
    #[arg(long, default_value_t = 1)]
    admin_threshold: u32,
    /// How the operator can check who you are
    #[arg(long, value_enum, default_value = "dns")]
    identity: Method,
    /// Where you are, two capital letters
    #[arg(long)]
    country: Option<String>,
    /// A page about you
    #[arg(long)]
    website: Option<String>,
    /// Public data are replayed under this name; the named maker did not sign them
    #[arg(long)]
    replay: bool,
    /// Where to write it, x.envelope.json
    #[arg(short, long)]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Managed {
    /// The issuer's id
    #[arg(long)]
    issuer: String,
    /// Admin keys that sign the change, as many as the threshold says
    #[arg(long = "admin-key", value_name = "FILE")]
    admin_keys: Vec<PathBuf>,
    /// Where to write the envelope, x.envelope.json; the receipt goes beside it
    #[arg(short, long)]
    output: PathBuf,
    /// Sign, but do not submit
    #[arg(long)]
    no_submit: bool,
}

#[derive(Debug, Args)]
pub(super) struct AddKey {
    #[command(flatten)]
    managed: Managed,
    /// The new key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// What it is for: sign or admin
    #[arg(long = "use", default_value = "sign", value_parser = ["sign", "admin"])]
    key_use: String,
    /// Until when it is valid
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    managed: Managed,
    /// The key's id
    #[arg(long, value_name = "HEX")]
    key_id: String,
    /// superseded, compromised, lost, ceased or unspecified
    #[arg(long, value_parser = ["superseded", "compromised", "lost", "ceased", "unspecified"])]
    reason: String,
    /// Since when others may have had it
    #[arg(long, value_name = "DATE")]
    compromised_since: Option<String>,
    /// Revoke as the log's operator, with this registrar key
    #[arg(long, value_name = "FILE", conflicts_with = "admin_keys")]
    registrar_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Recover {
    #[command(flatten)]
    managed: Managed,
    /// New admin keys; the request then goes to the operator (`issuer admit`)
    #[arg(long = "new-admin-key", value_name = "FILE")]
    new_admin_keys: Vec<PathBuf>,
    /// New keys for claims
    #[arg(long = "new-sign-key", value_name = "FILE")]
    new_sign_keys: Vec<PathBuf>,
    /// Stop the recovery that this claim started, with an old admin key
    #[arg(long, value_name = "ID", value_parser = check::id, conflicts_with = "new_admin_keys")]
    veto: Option<ClaimId>,
}

pub(super) fn run(context: &Context, command: Issuer) -> Result<(), Error> {
    match command {
        Issuer::Request(request) => ask(context, &request),
        Issuer::Admit(admit) => issuer_admit::run(context, &admit),
        Issuer::AddKey(add) => add_key(context, &add),
        Issuer::Revoke(command) => revoke(context, &command),
        Issuer::Recover(command) => recover(context, &command),
        Issuer::Show { issuer } => show(context, &issuer),
    }
}

/// A key as a claim adds it.
fn added(key: &SecretKey, key_use: &str, until: Option<&str>) -> Value {
    let mut added = json!({ "alg": "ed25519", "spki": proto::b64::encode(key.public().to_spki()), "use": key_use });
    if let Some(until) = until {
        added["until"] = json!(until);
    }
    added
}

/// The frame of a registry claim; a claim of the registry is meant for one log.
fn frame(context: &Context, issuer: &str, role: &str, body: Value) -> Result<Vec<u8>, Error> {
    let claim = json!({
        "type": "issuer/v1", "issuer": issuer, "role": role, "rel": { "kind": "new" },
        "asserted_at": rfc3339(now()), "body": body,
    });
    let fill = context.fill(true)?;
    if fill.log.is_none() {
        return Err(Error::usage("which log? Name its trust file with --trust FILE or CLAIMTRAIL_TRUST"));
    }
    compose::payload(claim.to_string().as_bytes(), &fill)
}

fn ask(context: &Context, request: &Request) -> Result<(), Error> {
    let (sign, admin) = (check::keys(&request.sign_keys)?, check::keys(&request.admin_keys)?);
    let keys: Vec<&SecretKey> = sign.iter().chain(&admin).collect();
    let listed: Vec<Value> = sign
        .iter()
        .map(|key| added(key, "sign", None))
        .chain(admin.iter().map(|key| added(key, "admin", None)))
        .collect();
    if admin.len() < usize::try_from(request.admin_threshold).unwrap_or(usize::MAX) {
        let message =
            format!("{} admin keys must sign changes, but {} are given", request.admin_threshold, admin.len());
        return Err(Error::usage(message));
    }
    let evidence = identity::evidence(keys.iter().map(|key| key.public().id()));
    let mut body = json!({
        "legal_name": request.legal_name, "roles": request.roles, "keys": listed,
        "admin_threshold": request.admin_threshold, "identity": stated(request.identity, &evidence),
    });
    for (name, value) in [("country", &request.country), ("website", &request.website)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    if request.replay {
        body["replay"] = json!(true);
    }
    let role = request.roles.first().map(String::as_str).unwrap_or_default();
    let payload = frame(context, &request.issuer, role, body)?;
    write(&request.output, &payload, &keys)?;
    out::line(format!("{} is written; send it to the log's operator.", request.output.display()));
    tell_what_to_publish(request.identity, &request.issuer, &keys);
    Ok(())
}

/// What the operator will look for; the order of the lines does not matter to the check.
fn tell_what_to_publish(method: Method, issuer: &str, keys: &[&SecretKey]) {
    let lines: String = keys.iter().map(|key| identity::evidence([key.public().id()])).collect();
    let lines = lines.trim_end();
    match method {
        Method::Dns => out::line(format!("Publish as TXT records of {}\n{lines}", identity::dns_name(issuer))),
        Method::Certificate => {
            out::line(format!("Publish at https://{issuer}{}\n{lines}", identity::WELL_KNOWN_PATH));
        }
        Method::Registry | Method::Paper => {}
    }
}

/// `identity` with the digest of what will be found, where that is known before.
fn stated(method: Method, evidence: &str) -> Value {
    let mut identity = json!({ "method": method.as_str(), "checked_at": day(now()) });
    if matches!(method, Method::Dns | Method::Certificate) {
        identity["evidence_sha256"] = json!(proto::hash::Hash::of(evidence.as_bytes()).to_string());
    }
    identity
}

fn write(path: &std::path::Path, payload: &[u8], keys: &[&SecretKey]) -> Result<(), Error> {
    submit::write_signed(path, &compose::sign(payload, keys))
}

/// Writes the envelope, and submits it unless told not to.
fn finish(context: &Context, managed: &Managed, payload: &[u8], keys: &[&SecretKey]) -> Result<(), Error> {
    write(&managed.output, payload, keys)?;
    if managed.no_submit {
        out::line(format!("{} is written", managed.output.display()));
        return Ok(());
    }
    submit::signed(context, &context.connect()?, &managed.output)
}

fn add_key(context: &Context, command: &AddKey) -> Result<(), Error> {
    let new = crate::keyfile::load(&command.key)?;
    let admins = check::keys(&command.managed.admin_keys)?;
    let (role, mut body) = last_body(context, &command.managed.issuer)?;
    body["keys"] = json!([added(&new, &command.key_use, command.until.as_deref())]);
    let payload = frame(context, &command.managed.issuer, &role, body)?;
    let keys: Vec<&SecretKey> = admins.iter().chain([&new]).collect();
    finish(context, &command.managed, &payload, &keys)
}

fn revoke(context: &Context, command: &Revoke) -> Result<(), Error> {
    KeyId::parse(&command.key_id)
        .ok_or_else(|| Error::usage("a key id is 64 lower-case hex digits (`claimtrail key show`)"))?;
    let mut revocation = json!({ "key_id": command.key_id, "reason": command.reason });
    if let Some(since) = &command.compromised_since {
        revocation["compromised_since"] = json!(since);
    }
    if let Some(path) = &command.registrar_key {
        let registrar = crate::keyfile::load(path)?;
        let payload = frame(context, &command.managed.issuer, "operator", json!({ "revoke": [revocation] }))?;
        return finish(context, &command.managed, &payload, &[&registrar]);
    }
    let admins = check::keys(&command.managed.admin_keys)?;
    if admins.is_empty() {
        return Err(Error::usage("who revokes? Give --admin-key (the issuer) or --registrar-key (the log's operator)"));
    }
    let (role, mut body) = last_body(context, &command.managed.issuer)?;
    body["keys"] = json!([]);
    body["revoke"] = json!([revocation]);
    let payload = frame(context, &command.managed.issuer, &role, body)?;
    finish(context, &command.managed, &payload, &admins.iter().collect::<Vec<_>>())
}

fn recover(context: &Context, command: &Recover) -> Result<(), Error> {
    let (role, mut body) = last_body(context, &command.managed.issuer)?;
    if let Some(claim) = &command.veto {
        let admins = check::keys(&command.managed.admin_keys)?;
        body["keys"] = json!([]);
        body["recovery"] = json!({ "kind": "veto", "claim": claim.to_string() });
        let payload = frame(context, &command.managed.issuer, &role, body)?;
        return finish(context, &command.managed, &payload, &admins.iter().collect::<Vec<_>>());
    }
    let (sign, admin) = (check::keys(&command.new_sign_keys)?, check::keys(&command.new_admin_keys)?);
    if admin.is_empty() {
        return Err(Error::usage("a recovery brings new admin keys: --new-admin-key FILE; or stop one with --veto ID"));
    }
    let keys: Vec<&SecretKey> = sign.iter().chain(&admin).collect();
    let listed =
        sign.iter().map(|key| added(key, "sign", None)).chain(admin.iter().map(|key| added(key, "admin", None)));
    body["keys"] = json!(listed.collect::<Vec<_>>());
    body["recovery"] = json!({ "kind": "start" });
    let evidence = identity::evidence(keys.iter().map(|key| key.public().id()));
    body["identity"] = stated(Method::Dns, &evidence);
    let payload = frame(context, &command.managed.issuer, &role, body)?;
    write(&command.managed.output, &payload, &keys)?;
    let path = command.managed.output.display();
    out::line(format!(
        "{path} is written; send it to the log's operator, who checks who you are and runs `claimtrail issuer admit`."
    ));
    tell_what_to_publish(Method::Dns, &command.managed.issuer, &keys);
    out::line("The new keys speak seven days of log time after that, unless an old admin key vetoes.");
    Ok(())
}

fn show(context: &Context, issuer: &str) -> Result<(), Error> {
    let connection = context.connect()?;
    let answer = connection.wait(connection.api.issuer(issuer))?;
    if context.json() {
        out::json(&answer);
        return Ok(());
    }
    let text = |value: &Value| plain(value.as_str().unwrap_or("-"));
    let roles: Vec<_> = answer["roles"].as_array().into_iter().flatten().map(&text).collect();
    out::line(format!("{issuer}  {}  ({})", text(&answer["legal_name"]), roles.join(", ")));
    if answer["replay"].as_bool() == Some(true) {
        out::line("  public data are replayed under this name; the named maker did not sign them");
    }
    for key in answer["keys"].as_array().into_iter().flatten() {
        let when = |name: &str, word: &str| key[name].as_u64().map(|ms| format!(", {word} {}", rfc3339(Millis(ms))));
        let (from, until) = (when("from_ms", "from"), when("until_ms", "until"));
        // For a key that speaks no more, the plan does not matter.
        let is_in_use = matches!(key["status"].as_str(), Some("active" | "waiting"));
        let times: String = if is_in_use { from.into_iter().chain(until).collect() } else { String::new() };
        out::line(format!("  {}  {:<5}  {}{times}", text(&key["key_id"]), text(&key["use"]), text(&key["status"])));
    }
    Ok(())
}
