//! Key files: PEM, as other tools write and read them.
//!
//! | file | what | form |
//! |---|---|---|
//! | `x.key` | a secret key | `PRIVATE KEY`: PKCS #8 of an Ed25519 seed without its public half (RFC 8410 §7), mode 0600 |
//! | `x.key.pub` | its public half | `PUBLIC KEY`: SubjectPublicKeyInfo (RFC 8410 §4) |
//!
//! Lines before `-----BEGIN` are a remark. Exactly one key stands in a file.

use std::path::{Path, PathBuf};

use proto::ed25519::{PublicKey, SecretKey};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::files::{self, Access, Existing};
use crate::random;

/// A key file with a page of remarks stays below this.
const MAX_KEY_FILE_BYTES: usize = 8 * 1024;

/// DER of a PKCS #8 v1 Ed25519 key up to the 32-byte seed (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

const SECRET: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// Where the public half of a key file stands.
pub fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Makes a new key, and writes it and its public half. Files that are there already stay, and are an error.
pub fn create(path: &Path) -> Result<SecretKey, Error> {
    let key = SecretKey::from_seed(&*random::seed()?);
    write(path, &key)?;
    Ok(key)
}

/// Writes a secret key (mode 0600) and its public half beside it.
pub fn write(path: &Path, key: &SecretKey) -> Result<(), Error> {
    let public_file = public_path(path);
    // Before anything is written: half a pair would be in the way of the next try.
    for name in [path, &public_file] {
        if name.symlink_metadata().is_ok() {
            return Err(files::taken(name));
        }
    }
    let seed = Zeroizing::new(key.to_seed());
    let der = Zeroizing::new([PKCS8_PREFIX.as_slice(), seed.as_slice()].concat());
    let text = Zeroizing::new(encode(SECRET, &der));
    files::write(path, text.as_bytes(), Access::Owner, Existing::Keep)?;
    let public = encode(PUBLIC, &key.public().to_spki());
    files::write(&public_file, public.as_bytes(), Access::Public, Existing::Keep).inspect_err(|_| {
        let _ = std::fs::remove_file(path); // just made here, and nobody has used it
    })
}

/// Reads a secret key. A file that others can read is refused: whoever could read it may have the key.
pub fn load(path: &Path) -> Result<SecretKey, Error> {
    check_mode(path)?;
    let text = Zeroizing::new(files::read(path, MAX_KEY_FILE_BYTES)?);
    let der = Zeroizing::new(decode(path, &text, SECRET)?);
    let seed = der.strip_prefix(&PKCS8_PREFIX).and_then(|seed| <[u8; 32]>::try_from(seed).ok()).map(Zeroizing::new);
    let seed = seed.ok_or_else(|| {
        Error::malformed(format!(
            "{} is not an Ed25519 key in PKCS #8 form; make one with `claimtrail key new`",
            path.display()
        ))
    })?;
    Ok(SecretKey::from_seed(&seed))
}

/// Reads a public key, from a `.pub` file or from a secret key file.
pub fn load_public(path: &Path) -> Result<PublicKey, Error> {
    let text = Zeroizing::new(files::read(path, MAX_KEY_FILE_BYTES)?);
    if has_label(&text, SECRET) {
        return load(path).map(|key| key.public());
    }
    let der = decode(path, &text, PUBLIC)?;
    PublicKey::from_spki(&der).map_err(|e| Error::malformed(format!("{}: {e}", path.display())))
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata =
        std::fs::metadata(path).map_err(|e| Error::local(format!("the key {} cannot be read: {e}", path.display())))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let message = format!(
            "{0} can be read or written by others (mode {mode:04o}); a signing key is for its owner alone: \
             run `chmod 600 {0}`, and if others had access to this machine, make a new key",
            path.display()
        );
        return Err(Error::local(message));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> Result<(), Error> {
    Ok(())
}

fn begin(label: &str) -> String {
    format!("-----BEGIN {label}-----")
}

fn has_label(text: &[u8], label: &str) -> bool {
    String::from_utf8_lossy(text).lines().any(|line| line == begin(label))
}

/// PEM with one line of base64: both kinds of key fit in 64 characters (RFC 7468 §2).
fn encode(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", proto::b64::encode(der))
}

fn decode(path: &Path, text: &[u8], label: &str) -> Result<Vec<u8>, Error> {
    let bad =
        |what: &str| Error::malformed(format!("{} {what}; expected is a PEM file with one {label}", path.display()));
    let text = std::str::from_utf8(text).map_err(|_| bad("is not text"))?;
    let mut lines = text.lines().skip_while(|line| *line != begin(label));
    lines.next().ok_or_else(|| bad(&format!("has no line {}", begin(label))))?;
    let end = format!("-----END {label}-----");
    let body: Zeroizing<String> = Zeroizing::new(lines.by_ref().take_while(|line| *line != end).collect());
    if body.contains('-') || lines.any(|line| !line.trim().is_empty()) {
        return Err(bad("does not end after one key"));
    }
    proto::b64::decode(&body).map_err(|_| bad("is damaged: not base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410 §10.3, the example of a private key without attributes.
    const RFC_8410: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    /// RFC 8410 §10.1, the public half of the same key.
    const RFC_8410_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    fn put(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        files::write(&path, text.as_bytes(), Access::Owner, Existing::Replace).unwrap();
        path
    }

    #[test]
    fn the_example_of_rfc_8410_reads_and_writes_back() {
        let folder = tempfile::tempdir().unwrap();
        let key = load(&put(folder.path(), "rfc", RFC_8410)).unwrap();
        let copy = folder.path().join("copy");
        write(&copy, &key).unwrap();
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), RFC_8410);
        assert_eq!(std::fs::read_to_string(public_path(&copy)).unwrap(), RFC_8410_PUBLIC);
        assert_eq!(load_public(&copy).unwrap(), load_public(&public_path(&copy)).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = put(folder.path(), "open", RFC_8410);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = load(&path).unwrap_err();
        assert!(error.message.contains("0640") && error.message.contains("chmod 600"), "{error}");
    }

    #[test]
    fn damaged_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("empty", String::new()),
            ("public", RFC_8410_PUBLIC.to_owned()),
            ("two", RFC_8410.repeat(2)),
            ("cut", RFC_8410.replace("VhC", "Vh")),
            ("other", RFC_8410.replace("MC4C", "MC5C")),
        ] {
            let error = load(&put(folder.path(), name, &text)).unwrap_err();
            assert!(error.message.contains(name), "{error}");
        }
    }

    #[test]
    fn a_public_half_that_is_there_leaves_no_secret_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        put(folder.path(), "k.pub", "somebody's");
        let error = create(&path).unwrap_err();
        assert!(error.message.contains("k.pub is there already"), "{error}");
        assert!(!path.exists(), "a secret key without its public half");
        assert_eq!(std::fs::read_to_string(public_path(&path)).unwrap(), "somebody's");
    }

    #[test]
    fn new_keys_differ_and_are_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        let first = create(&path).unwrap();
        assert!(create(&path).is_err());
        assert_eq!(load(&path).unwrap().public(), first.public());
        assert_ne!(create(&folder.path().join("l")).unwrap().public(), first.public());
    }
}
