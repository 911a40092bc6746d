//! `init`: keys, configuration, entry 0. All of it, or nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use client::files::{self, Access, Existing};
use client::{clock, keyfile, trust};
use proto::b64;
use proto::claim::{IssuerId, Origin, PAYLOAD_TYPE};
use proto::dsse::Envelope;
use proto::ed25519::{PublicKey, SecretKey};
use serde_json::{Value, json};

use super::{Failure, OK, say};
use crate::clock::SystemTime;
use crate::config::{self, Config};
use crate::log::Log;
use crate::signer::{FileSigner, LogKeys};
use crate::store::Store;
use crate::store::rocks::RocksStore;

/// δ unless chosen: the time within which entries appear under a quorum's head.
const DEFAULT_DELTA_SECONDS: u32 = 60;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: super::Folder,
    /// Name of the log, for ever: a schema-less URL such as log.example/2026
    #[arg(long)]
    origin: String,
    /// Id of the operator: a domain name such as operator.example
    #[arg(long)]
    issuer: String,
    /// Secret key of the operator, made elsewhere; without it one is made in DIR/keys
    #[arg(long, value_name = "FILE")]
    operator_key: Vec<PathBuf>,
    /// How many operator keys sign a change of the rules
    #[arg(long, default_value_t = 1)]
    operator_threshold: u32,
    /// Secret key of a registrar, made elsewhere; without it one is made in DIR/keys
    #[arg(long, value_name = "FILE")]
    registrar_key: Vec<PathBuf>,
    /// Seconds within which entries appear under a quorum's head
    #[arg(long, default_value_t = DEFAULT_DELTA_SECONDS)]
    delta_seconds: u32,
    /// Public URL, for the trust file
    #[arg(long, default_value = "http://127.0.0.1:8480")]
    url: String,
}

pub(super) fn run(args: &Args) -> Result<u8, Failure> {
    let origin = Origin::parse(&args.origin).map_err(|e| Failure::usage(format!("--origin: {e}")))?;
    let issuer = IssuerId::parse(&args.issuer).map_err(|e| Failure::usage(format!("--issuer: {e}")))?;
    let folder = &args.folder.dir;
    refuse_used(folder)?;
    let part = part_of(folder)?;
    let made = make(args, &origin, &issuer, &part)
        .and_then(|vkeys| std::fs::rename(&part, folder).map_err(|e| Failure::io(&e)).map(|()| vkeys));
    let (log_vkey, time_vkey) = made.inspect_err(|_| {
        let _removed = std::fs::remove_dir_all(&part); // nothing half-made stays
    })?;
    let dir = folder.display();
    say(&format!("log {origin} made in {dir}"));
    say(&format!("log key   {log_vkey}\ntime key  {time_vkey}"));
    say(&format!(
        "Move {dir}/keys/operator.key and registrar.key offline; back up {dir}/keys, but never {dir}/signer.\n\
         Readers' trust file: {dir}/trust.policy\nNext: claimtrail-log serve {dir}"
    ));
    Ok(OK)
}

/// A folder with anything in it is somebody's.
fn refuse_used(folder: &Path) -> Result<(), Failure> {
    match std::fs::read_dir(folder) {
        Ok(mut inside) => match inside.next() {
            Some(_) => {
                Err(Failure::usage(format!("{} is in use; a new log needs a new or empty folder", folder.display())))
            }
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::io(&format!("{}: {error}", folder.display()))),
    }
}

/// Where the log is made before it gets its name.
fn part_of(folder: &Path) -> Result<PathBuf, Failure> {
    let name = folder.file_name().ok_or_else(|| Failure::usage("name a folder for the log"))?;
    let mut part = std::ffi::OsString::from(".");
    part.push(name);
    part.push(format!(".{}.part", std::process::id()));
    Ok(folder.with_file_name(part))
}

fn make(args: &Args, origin: &Origin, issuer: &IssuerId, part: &Path) -> Result<(String, String), Failure> {
    let io = |e: &dyn std::fmt::Display| Failure::io(e);
    for folder in [part.to_owned(), part.join("keys"), part.join("signer")] {
        files::make_folder(&folder).map_err(|e| io(&e))?;
    }
    let keys = part.join("keys");
    let log = keyfile::create(&keys.join("log.key")).map_err(|e| io(&e))?;
    let time = keyfile::create(&keys.join("time.key")).map_err(|e| io(&e))?;
    let operators = given_or_made(&args.operator_key, &keys.join("operator.key"))?;
    let registrars = given_or_made(&args.registrar_key, &keys.join("registrar.key"))?;
    let log_keys = LogKeys::new(origin.as_str(), log, time).map_err(|e| io(&e))?;
    let claim = constitution(args, origin, issuer, &log_keys, &operators, &registrars);
    let signers: Vec<&SecretKey> = operators.iter().chain(&registrars).collect();
    let envelope = Envelope::sign(PAYLOAD_TYPE, claim.to_string().as_bytes(), &signers);
    let write =
        |name: &str, text: &str| files::write(&part.join(name), text.as_bytes(), Access::Public, Existing::Keep);
    write(config::FILE_NAME, &config::initial(origin.as_str())).map_err(|e| io(&e))?;
    let (log_vkey, time_vkey) = (log_keys.log_vkey(), log_keys.time_vkey());
    let policy = trust::from_operator(&log_vkey, &time_vkey, &args.url).map_err(|e| io(&e))?;
    write("trust.policy", &policy).map_err(|e| io(&e))?;
    let config = super::open::config(part)?;
    found(&config, log_keys, envelope)?;
    Ok((log_vkey, time_vkey))
}

fn found(config: &Config, keys: LogKeys, envelope: Envelope) -> Result<(), Failure> {
    let store = RocksStore::create(&config.store.dir, &config.origin, config.rocks()).map_err(|e| Failure::io(&e))?;
    let store: Arc<dyn Store> = Arc::new(store);
    let signer = FileSigner::create(keys, &config.signer.record).map_err(|e| Failure::io(&e))?;
    Log::found(store.clone(), Box::new(signer), Box::new(SystemTime::new()), envelope).map_err(|e| Failure::io(&e))?;
    store.close().map_err(|e| Failure::io(&e))
}

fn given_or_made(given: &[PathBuf], made: &Path) -> Result<Vec<SecretKey>, Failure> {
    let keys = match given {
        [] => keyfile::create(made).map(|key| vec![key]),
        given => given.iter().map(|path| keyfile::load(path)).collect(),
    };
    keys.map_err(|e| Failure::io(&e))
}

fn constitution(
    args: &Args,
    origin: &Origin,
    issuer: &IssuerId,
    keys: &LogKeys,
    operators: &[SecretKey],
    registrars: &[SecretKey],
) -> Value {
    let list = |keys: &[SecretKey]| keys.iter().map(|key| listed(&key.public())).collect::<Vec<_>>();
    json!({
        "type": "log/v1",
        "logs": [{"origin": origin.as_str()}],
        "issuer": issuer.as_str(),
        "role": "operator",
        "asserted_at": clock::rfc3339(clock::now()),
        "rel": {"kind": "new"},
        "body": {
            "origin": origin.as_str(),
            "log_vkey": keys.log_vkey(),
            "time_vkey": keys.time_vkey(),
            "hash": "sha-256",
            "entry_format": 1,
            "operator_keys": list(operators),
            "operator_threshold": args.operator_threshold,
            "registrar_keys": list(registrars),
            "witnesses": [],
            "quorum": 0,
            "delta_seconds": args.delta_seconds,
            "rules_version": proto::fold::RULES_VERSION,
            "limits": {
                "entry_bytes": proto::entry::MAX_ENTRY_BYTES,
                "envelope_bytes": proto::dsse::MAX_ENVELOPE_BYTES,
            },
            "retention": "forever",
        },
    })
}

fn listed(key: &PublicKey) -> Value {
    json!({"alg": "ed25519", "spki": b64::encode(key.to_spki())})
}
