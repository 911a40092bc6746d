//! `init`: a new log, whole or not at all.
//!
//! Everything is made in a folder beside the one that was asked for, which gets its name only at the end.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use client::files::{self, Access, Existing};
use client::{clock, keyfile};
use proto::checkpoint::VerifiedCheckpoint;
use proto::claim::{IssuerId, Origin};
use proto::ed25519::SecretKey;
use proto::note::{Note, Verifier, Vkey};
use proto::policy::Policy;

use super::claim::Founding;
use super::keys::make_log_keys;
use super::{Exit, Failure, say, shown};
use crate::clock::SystemTime;
use crate::config::FILE_NAME;
use crate::log::Log;
use crate::sequencer::Published;
use crate::signer::{FileSigner, LogKeys};
use crate::store::Store;
use crate::store::rocks::{RocksOptions, RocksStore};

/// The trust file that `init` writes.
const TRUST_FILE: &str = "trust.policy";

/// A checkpoint with many cosignatures stays below this.
const MAX_CHECKPOINT_BYTES: usize = 64 * 1024;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder to make. It must be empty or not exist.
    dir: PathBuf,
    /// The log's origin, such as log.example/2027: a name you control, without scheme. Fixed for ever.
    #[arg(long)]
    origin: String,
    /// The operator's own id, a domain name; the origin's host unless given.
    #[arg(long, value_name = "DOMAIN")]
    issuer: Option<String>,
    /// Operator keys to use (secret key files) instead of a new one. They are not copied.
    #[arg(long, value_name = "FILE")]
    operator_key: Vec<PathBuf>,
    /// How many operator keys must sign a change of the rules.
    #[arg(long, value_name = "N", default_value = "1")]
    operator_threshold: NonZeroU32,
    /// Registrar keys to use (secret key files) instead of a new one. They are not copied.
    #[arg(long, value_name = "FILE")]
    registrar_key: Vec<PathBuf>,
    /// The time within which entries appear under a quorum's head, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    delta_seconds: u32,
    /// Bytes of an entry at most.
    #[arg(long, value_name = "BYTES", default_value = "65535")]
    entry_bytes: u32,
    /// Bytes of a submitted envelope at most.
    #[arg(long, value_name = "BYTES", default_value = "131072")]
    envelope_bytes: u32,
    /// The last checkpoint of the log before this one. It is verified with --predecessor-vkey.
    #[arg(long, value_name = "FILE", requires = "predecessor_vkey")]
    predecessor: Option<PathBuf>,
    /// The key of the log before this one.
    #[arg(long, value_name = "VKEY", requires = "predecessor")]
    predecessor_vkey: Option<String>,
    /// The address to serve at, for the configuration.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The address for health and metrics, for the configuration.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8081")]
    admin: SocketAddr,
    /// The log's public address, for the trust file; http://LISTEN unless given.
    #[arg(long)]
    url: Option<String>,
    /// Where the signer's record goes, if not into DIR/signer: another disk, outside every backup.
    #[arg(long, value_name = "FILE")]
    signer_record: Option<PathBuf>,
}

pub(super) fn run(args: &InitArgs) -> Result<(), Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    Origin::parse(&args.origin).map_err(|e| usage(format!("--origin {}: {e}", args.origin)))?;
    let host = args.origin.split('/').next().unwrap_or(&args.origin);
    let issuer = args.issuer.as_deref().unwrap_or(host);
    IssuerId::parse(issuer).map_err(|e| usage(format!("the operator's id {issuer}: {e}; give one with --issuer")))?;
    check_unused(&args.dir)?;
    let stage = Stage::make(&args.dir)?;
    let made = make(args, issuer, &stage.dir)?;
    if let Err(failure) = stage.finish(&args.dir) {
        remove_record(args);
        return Err(failure);
    }
    tell(args, &made)
}

/// What was made.
struct Made {
    keys: LogKeys,
    published: Published,
}

/// The folder is free: it does not exist, or is empty.
fn check_unused(dir: &Path) -> Result<(), Failure> {
    match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = format!("{} is in use: it is not empty; name a new folder for the log", shown(dir));
            Err(Failure::new(Exit::Usage, message))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file(dir, "cannot be used", &error)),
    }
}

/// The folder beside the one that is made; removed unless it is finished.
struct Stage {
    dir: PathBuf,
    finished: bool,
}

impl Stage {
    fn make(dir: &Path) -> Result<Stage, Failure> {
        let absolute = std::path::absolute(dir).map_err(|error| Failure::file(dir, "cannot be named", &error))?;
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(Failure::new(Exit::Usage, format!("{} cannot be a log's folder; name another", shown(dir))));
        };
        fs::create_dir_all(parent).map_err(|error| Failure::file(parent, "cannot be made", &error))?;
        let stage = parent.join(format!(".{}.init-{}", name.to_string_lossy(), std::process::id()));
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&stage).map_err(|error| Failure::file(&stage, "cannot be made", &error))?;
        Ok(Stage { dir: stage, finished: false })
    }

    /// Gives the folder its name. A folder that came to be in use meanwhile stays as it is.
    fn finish(mut self, dir: &Path) -> Result<(), Failure> {
        sync(&self.dir)?;
        fs::rename(&self.dir, dir).map_err(|error| Failure::file(dir, "cannot be made", &error))?;
        self.finished = true;
        let absolute = std::path::absolute(dir).unwrap_or(dir.to_owned());
        absolute.parent().map_or(Ok(()), sync)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.finished {
            let _nothing_more_to_do = fs::remove_dir_all(&self.dir);
        }
    }
}

fn sync(folder: &Path) -> Result<(), Failure> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| Failure::file(folder, "cannot be made durable", &error))
}

fn make(args: &InitArgs, issuer: &str, stage: &Path) -> Result<Made, Failure> {
    for folder in ["keys", "signer"] {
        files::make_folder(&stage.join(folder))?;
    }
    let keys = make_log_keys(&args.origin, &stage.join("keys/log.key"), &stage.join("keys/time.key"))?;
    let operators = given_or_made(&args.operator_key, &stage.join("keys/operator.key"))?;
    let registrars = given_or_made(&args.registrar_key, &stage.join("keys/registrar.key"))?;
    let founding = Founding {
        origin: &args.origin,
        issuer,
        log_vkey: keys.log_vkey(),
        time_vkey: keys.time_vkey(),
        operators: &operators,
        threshold: args.operator_threshold.get(),
        registrars: &registrars,
        delta_seconds: args.delta_seconds,
        entry_bytes: args.entry_bytes,
        envelope_bytes: args.envelope_bytes,
        predecessor: predecessor(args)?,
        now: clock::now(),
    };
    let claim = founding.sign()?;
    write_texts(args, stage, &keys)?;
    // The last step: from here on something was signed, under keys that nobody has seen yet.
    let record = record_path(args).unwrap_or_else(|| stage.join("signer/record"));
    let signer = FileSigner::create(keys.clone(), &record)?;
    let founded = found(args, stage, signer, claim);
    if founded.is_err() {
        remove_record(args);
    }
    Ok(Made { keys, published: founded? })
}

fn found(
    args: &InitArgs,
    stage: &Path,
    signer: FileSigner,
    claim: proto::dsse::Envelope,
) -> Result<Published, Failure> {
    let store: Arc<dyn Store> =
        Arc::new(RocksStore::create(&stage.join("store"), &args.origin, RocksOptions::default())?);
    let published = Log::found(store.clone(), Box::new(signer), Box::new(SystemTime::new()), claim)?;
    store.close()?;
    Ok(published)
}

/// The record's place when it is not in the log's folder.
fn record_path(args: &InitArgs) -> Option<PathBuf> {
    args.signer_record.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()))
}

/// Takes back a record that lies outside the folder. Called only after this run made it.
fn remove_record(args: &InitArgs) {
    if let Some(path) = record_path(args) {
        let _nothing_more_to_do = fs::remove_file(path);
    }
}

fn given_or_made(given: &[PathBuf], made: &Path) -> Result<Vec<SecretKey>, Failure> {
    if given.is_empty() {
        return Ok(vec![keyfile::create(made)?]);
    }
    given.iter().map(|path| keyfile::load(path).map_err(Failure::from)).collect()
}

/// Origin, size and root of the verified last head of the log before this one.
fn predecessor(args: &InitArgs) -> Result<Option<(String, u64, String)>, Failure> {
    let (Some(file), Some(vkey)) = (&args.predecessor, &args.predecessor_vkey) else { return Ok(None) };
    let bad = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, format!("{}: {error}", shown(file)));
    let vkey = Vkey::parse(vkey).map_err(|e| Failure::new(Exit::Usage, format!("--predecessor-vkey: {e}")))?;
    let verifier = Verifier::new(&vkey).map_err(|e| Failure::new(Exit::Usage, format!("--predecessor-vkey: {e}")))?;
    let note = Note::parse(&files::read(file, MAX_CHECKPOINT_BYTES)?).map_err(|e| bad(&e))?;
    let head = VerifiedCheckpoint::verify(note, vkey.name().as_str(), &[verifier], &[]).map_err(|e| bad(&e))?;
    Ok(Some((head.origin().to_owned(), head.size().0, head.root().to_base64())))
}

fn write_texts(args: &InitArgs, stage: &Path, keys: &LogKeys) -> Result<(), Failure> {
    let config = config_text(args);
    files::write(&stage.join(FILE_NAME), config.as_bytes(), Access::Public, Existing::Keep)?;
    let trust = trust_text(args, keys);
    Policy::parse(&trust).map_err(|e| Failure::new(Exit::Usage, format!("--url: {e}")))?;
    files::write(&stage.join(TRUST_FILE), trust.as_bytes(), Access::Public, Existing::Keep)?;
    Ok(())
}

/// A text in a TOML file.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string() // JSON's escapes are TOML's, too
}

fn config_text(args: &InitArgs) -> String {
    let record = record_path(args).map_or_else(|| "signer/record".to_owned(), |path| path.display().to_string());
    format!(
        "# The configuration of a Claimtrail log. Relative paths are taken from this file's folder.\n\
         # Keys that are not here have their defaults; `claimtrail-log serve --help` says what goes over this file.\n\
         origin = {}\n\n\
         [listen]\n\
         # Claims and reads.\n\
         address = {}\n\
         # Health, readiness and metrics; not for the public.\n\
         admin = {}\n\n\
         [keys]\n\
         log = \"keys/log.key\"\n\
         time = \"keys/time.key\"\n\n\
         [signer]\n\
         # What was signed last. Never restore this file from a backup: restore the store, and the log goes on only if it\n\
         # holds all that was signed.\n\
         record = {}\n\n\
         [store]\n\
         dir = \"store\"\n",
        quoted(&args.origin),
        quoted(&args.listen.to_string()),
        quoted(&args.admin.to_string()),
        quoted(&record),
    )
}

fn trust_text(args: &InitArgs, keys: &LogKeys) -> String {
    let url = match &args.url {
        Some(url) => format!(" {url}"),
        None if args.listen.port() == 0 => String::new(),
        None => format!(" http://{}", args.listen),
    };
    format!(
        "# Whom a reader of {} trusts (C2SP tlog-policy). Give this file to your readers by a way they trust.\n\
         log {}{url}\n\
         # The log's own time; never counted in a quorum.\n\
         witness log-time {}\n\
         quorum none\n",
        args.origin,
        keys.log_vkey(),
        keys.time_vkey(),
    )
}

fn tell(args: &InitArgs, made: &Made) -> Result<(), Failure> {
    let dir = shown(&args.dir);
    let mut text = format!(
        "The log {} is founded in {dir}.\n  log key   {}\n  time key  {}\n  root      {} (size {})\n\nNext:\n",
        args.origin,
        made.keys.log_vkey(),
        made.keys.time_vkey(),
        made.published.head.root.to_base64(),
        made.published.head.size,
    );
    let made_here = |given: &[PathBuf], name: &str| match given.is_empty() {
        true => format!("{dir}/keys/{name}.key "),
        false => String::new(),
    };
    let away = made_here(&args.operator_key, "operator") + &made_here(&args.registrar_key, "registrar");
    if !away.is_empty() {
        text += &format!("  - move {away}to a safe place: the server does not need them\n");
    }
    text += &format!(
        "  - start it:           claimtrail-log serve {dir}\n  - give your readers:  {dir}/{TRUST_FILE}\n  \
         - back up {dir}/keys and {dir}/store; never restore the signer's record\n"
    );
    say(&text)
}
