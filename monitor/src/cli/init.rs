//! `init`: a new monitor.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use client::files::{self, Access, Existing};
use client::http::Http;
use client::trust::Trust;
use proto::note::KeyName;

use super::{Exit, Failure, follow, say, shown};
use crate::config::{Config, FILE_NAME};
use crate::witness::WitnessKeys;

/// A trust file is a page of text.
const MAX_TRUST_BYTES: usize = proto::policy::MAX_POLICY_BYTES;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder to make. It must be empty or not exist.
    dir: PathBuf,
    /// The witness's name: a name that its operator controls, without scheme, such as witness.example. Fixed with its key.
    #[arg(long)]
    name: String,
    /// Trust files of the logs to follow, one log each; they are copied. Get them from the logs' operators by a way you trust.
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Keep the entries of these logs, and serve them.
    #[arg(long)]
    mirror: bool,
    /// The log's address, instead of the one in its trust file; for a single log.
    #[arg(long)]
    url: Option<String>,
    /// The address to serve at, for the configuration.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// The address for health and metrics, for the configuration.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8091")]
    admin: SocketAddr,
}

pub(super) fn run(args: &InitArgs) -> Result<(), Failure> {
    let usage = |message: &str| Failure::new(Exit::Usage, message.to_owned());
    if args.url.is_some() && args.trust.len() != 1 {
        return Err(usage("--url is for a single log; give one --trust with it"));
    }
    check_unused(&args.dir)?;
    // Everything is read and checked before anything is made: a folder that is half made would be in the way of the next try.
    KeyName::parse(&args.name).map_err(|e| usage(&format!("--name {:?}: {e}", args.name)))?;
    if args.listen == args.admin && args.listen.port() != 0 {
        return Err(usage("--listen and --admin are one address; give each its own"));
    }
    let policies = read_policies(args)?;
    for folder in ["", "keys", "trust"] {
        files::make_folder(&args.dir.join(folder))?;
    }
    let vkey = WitnessKeys::create(&args.dir.join("keys/witness.key"), &args.name)?;
    for (number, text) in policies.iter().enumerate() {
        files::write(&args.dir.join(trust_name(number)), text, Access::Public, Existing::Keep)?;
    }
    let file = args.dir.join(FILE_NAME);
    files::write(&file, config_text(args).as_bytes(), Access::Public, Existing::Keep)?;
    let file = std::path::absolute(&file).unwrap_or(file);
    let config = Config::load(&file, [], [])?;
    let mut text = format!("The monitor {} is made in {}.\n  key  {vkey}\n", args.name, shown(&args.dir));
    for log in config.logs()? {
        follow::make(&config, &log.origin, false)?;
        let _ = writeln!(text, "  log  {} at {}", log.origin, log.url); // writing to a string cannot fail
    }
    let dir = shown(&args.dir);
    let _ = writeln!(
        text,
        "\nNext:\n  - start it:          claimtrail-monitor serve --dir {dir}\n  - tell the logs' operators the key, so that they \
         ask for cosignatures, and your peers, so that they know what was cosigned last\n  - back up {dir}/keys and {dir}/state; never restore {dir}/record"
    );
    say(&text)
}

/// The trust files, each of one log that has an address, no two of one log.
fn read_policies(args: &InitArgs) -> Result<Vec<Vec<u8>>, Failure> {
    let (mut policies, mut origins) = (Vec::new(), BTreeSet::new());
    for path in &args.trust {
        let text = files::read(path, MAX_TRUST_BYTES)?;
        let trust = Trust::parse(&text)?;
        let log = trust.log(None)?;
        let usage = |message: String| Failure::new(Exit::Usage, format!("{}: {message}", path.display()));
        let url = args.url.as_deref().or(log.url());
        let url = url.ok_or_else(|| usage(format!("the address of {} is missing; give --url", log.origin())))?;
        Http::new(url)?;
        if !origins.insert(log.origin().to_owned()) {
            return Err(usage(format!("{} is the log of another --trust file, too; give one of both", log.origin())));
        }
        policies.push(text);
    }
    Ok(policies)
}

fn trust_name(number: usize) -> String {
    format!("trust/log-{}.policy", number + 1)
}

/// The folder is free: it does not exist, or is empty.
fn check_unused(dir: &Path) -> Result<(), Failure> {
    match std::fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = format!("{} is in use: it is not empty; name a new folder for the monitor", shown(dir));
            Err(Failure::new(Exit::Usage, message))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::new(Exit::Io, format!("{} cannot be used: {error}", shown(dir)))),
    }
}

/// A text in a TOML file.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string() // JSON's escapes are TOML's, too
}

fn config_text(args: &InitArgs) -> String {
    let mut text = format!(
        "# The configuration of a Claimtrail monitor. Relative paths are taken from this file's folder.\n\
         # Keys that are not here have their defaults; `claimtrail-monitor serve --help` says what goes over this file.\n\
         state = \"state\"\n\n\
         [listen]\n\
         # Witness, mirror and heads.\n\
         address = {}\n\
         # Health, readiness, metrics and status; not for the public.\n\
         admin = {}\n\n\
         [witness]\n\
         keys = [\"keys/witness.key\"]\n\
         # What was cosigned last. Never restore this folder from a backup.\n\
         record = \"record\"\n",
        quoted(&args.listen.to_string()),
        quoted(&args.admin.to_string()),
    );
    for number in 0..args.trust.len() {
        let _ = write!(text, "\n[[follow]]\ntrust = {}\n", quoted(&trust_name(number)));
        if let Some(url) = &args.url {
            let _ = writeln!(text, "url = {}", quoted(url));
        }
        if args.mirror {
            text.push_str("mirror = true\n");
        }
    }
    text
}
