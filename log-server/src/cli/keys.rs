//! The key files of a log.
//!
//! | file | form |
//! |---|---|
//! | `keys/log.key`, `keys/time.key` | one line `PRIVATE+KEY+name+id+base64`, as other note tools write it; mode 0600 |
//! | `keys/operator.key`, `keys/registrar.key` | PKCS #8 PEM, as `claimtrail key new` writes it; mode 0600; `.pub` beside it |

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use client::files::{self, Access, Existing};
use proto::cosignature::Cosigner;
use proto::ed25519::SecretKey;
use proto::note::{KeyName, NoteSigner, PrivateKey};
use proto::policy::TIME_KEY_SUFFIX;

use super::{Exit, Failure, shown};
use crate::config::Config;
use crate::signer::LogKeys;

/// One line of a few hundred bytes.
const MAX_KEY_FILE_BYTES: usize = 4096;

/// Makes the log's own two keys and writes their files.
pub(super) fn make_log_keys(origin: &str, log_file: &Path, time_file: &Path) -> Result<LogKeys, Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, format!("--origin {origin}: {error}"));
    let name = KeyName::parse(origin).map_err(|e| bad(&e))?;
    let time_name = KeyName::parse(&format!("{origin}{TIME_KEY_SUFFIX}")).map_err(|e| bad(&e))?;
    let log = NoteSigner::new(name, new_key()?);
    let time = Cosigner::new(time_name, new_key()?).map_err(|e| bad(&e))?;
    write(log_file, &PrivateKey::Note(log.clone()))?;
    write(time_file, &PrivateKey::Cosigner(time.clone()))?;
    LogKeys::from_signers(origin, log, time).map_err(Failure::from)
}

fn new_key() -> Result<SecretKey, Failure> {
    Ok(SecretKey::from_seed(&*client::random::seed()?))
}

fn write(path: &Path, key: &PrivateKey) -> Result<(), Failure> {
    let text = format!("{}\n", key.to_secret_text());
    files::write(path, text.as_bytes(), Access::Owner, Existing::Keep).map_err(Failure::from)
}

/// Reads the keys that the configuration names; they must be this origin's.
pub(super) fn load_log_keys(config: &Config) -> Result<LogKeys, Failure> {
    let log = match load(&config.keys.log)? {
        PrivateKey::Note(signer) => signer,
        other => return Err(wrong(&config.keys.log, &other, "the log's key, of type 01")),
    };
    let time = match load(&config.keys.time)? {
        PrivateKey::Cosigner(signer) => signer,
        other => return Err(wrong(&config.keys.time, &other, "the log's time key, of type 04")),
    };
    LogKeys::from_signers(&config.origin, log, time).map_err(Failure::from)
}

/// The first of the configured key files that this user has no right to read: a check by someone else goes on without it.
pub(super) fn not_allowed(config: &Config) -> Option<&Path> {
    let denied = |path: &&Path| {
        std::fs::File::open(path).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    [config.keys.log.as_path(), &config.keys.time].into_iter().find(denied)
}

fn wrong(path: &Path, found: &PrivateKey, expected: &str) -> Failure {
    Failure::new(Exit::Config, format!("{} holds the {found}; expected is {expected}", shown(path)))
}

fn load(path: &Path) -> Result<PrivateKey, Failure> {
    let metadata = std::fs::metadata(path).map_err(|error| Failure::file(path, "cannot be read", &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let message = format!(
            "{0} can be read or written by others (mode {mode:04o}); run `chmod 600 {0}`, and if others had access to \
             this machine, the log needs a successor with new keys",
            shown(path)
        );
        return Err(Failure::new(Exit::Config, message));
    }
    let bytes = files::read(path, MAX_KEY_FILE_BYTES)?;
    let text = String::from_utf8_lossy(&bytes);
    PrivateKey::parse(text.trim_end_matches('\n'))
        .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", shown(path))))
}
