//! The witness's own keys.
//!
//! A key file holds one line `PRIVATE+KEY+name+id+base64`, as the log's keys do and other note tools write it. A witness may
//! have several keys, and each makes a line of its own: that is how a key of another type (ML-DSA-44, type 06) can be added
//! beside Ed25519 before anybody has to do without the old one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use client::Error;
use client::files::{self, Access, Existing};
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::ed25519::SecretKey;
use proto::last_cosigned::LastCosigned;
use proto::note::{KeyName, NoteSignature, PrivateKey, Vkey};
use proto::num::Seconds;
use proto::unavailable::Unavailable;

/// One line of a few hundred bytes; a seed of ML-DSA-44 is no longer.
const MAX_KEY_FILE_BYTES: usize = 4096;

/// A key that cosigns. Types that are added here sign what [`CheckpointText`] says in the form of their type.
#[derive(Debug, Clone)]
enum WitnessKey {
    /// Type 04: cosignature/v1.
    Ed25519(Cosigner),
}

impl WitnessKey {
    fn vkey(&self) -> &Vkey {
        match self {
            WitnessKey::Ed25519(cosigner) => cosigner.vkey(),
        }
    }

    fn sign(&self, text: &CheckpointText, time: Seconds) -> Result<NoteSignature, String> {
        match self {
            WitnessKey::Ed25519(cosigner) => cosigner.sign(text, time).map_err(|e| e.to_string()),
        }
    }
}

/// All keys of one witness.
#[derive(Debug, Clone)]
pub struct WitnessKeys {
    keys: Vec<WitnessKey>,
}

impl WitnessKeys {
    /// A witness with one Ed25519 key.
    pub fn ed25519(cosigner: Cosigner) -> WitnessKeys {
        WitnessKeys { keys: vec![WitnessKey::Ed25519(cosigner)] }
    }

    /// Makes a new key of this name and its file, mode 0600; a file that is there stays, and is an error.
    pub fn create(path: &Path, name: &str) -> Result<Vkey, Error> {
        let name = KeyName::parse(name).map_err(|e| Error::usage(format!("the witness's name {name}: {e}")))?;
        let cosigner = Cosigner::new(name, SecretKey::from_seed(&*client::random::seed()?))
            .map_err(|e| Error::usage(format!("the witness's name: {e}")))?;
        let vkey = cosigner.vkey().clone();
        let text = format!("{}\n", PrivateKey::Cosigner(cosigner).to_secret_text());
        files::write(path, text.as_bytes(), Access::Owner, Existing::Keep)?;
        Ok(vkey)
    }

    /// Reads key files. Files that others can read are refused: whoever could read one may have the key.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<WitnessKeys, Error> {
        if paths.is_empty() {
            return Err(Error::malformed("witness.keys names no key file; `claimtrail-monitor init` makes one"));
        }
        let keys = paths.iter().map(|path| load(path.as_ref())).collect::<Result<Vec<_>, _>>()?;
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|other| other.vkey().key_bytes() == key.vkey().key_bytes()) {
                return Err(Error::malformed(format!("witness.keys names the key {} twice", key.vkey())));
            }
        }
        Ok(WitnessKeys { keys })
    }

    /// What readers need to check the cosignatures.
    pub fn vkeys(&self) -> Vec<&Vkey> {
        self.keys.iter().map(WitnessKey::vkey).collect()
    }

    /// The name of the first key.
    pub fn name(&self) -> Option<String> {
        self.keys.first().map(|key| key.vkey().name().to_string())
    }

    /// A statement that a head stays unavailable, by the first key. It cosigns nothing.
    pub fn state(&self, statement: &Unavailable) -> Option<String> {
        self.keys.first().and_then(|WitnessKey::Ed25519(cosigner)| statement.sign(cosigner).ok())
    }

    /// What is known of another witness's last cosignature, stated by the first key. It cosigns nothing.
    pub fn state_last(&self, answer: &LastCosigned) -> Option<String> {
        self.keys.first().and_then(|WitnessKey::Ed25519(cosigner)| answer.sign(cosigner).ok())
    }

    /// A line of each key. Whether to sign at all is for [`super::Witness`], which calls this after everything is durable.
    pub(super) fn sign(&self, text: &CheckpointText, time: Seconds) -> Result<Vec<NoteSignature>, String> {
        self.keys.iter().map(|key| key.sign(text, time)).collect()
    }
}

fn load(path: &Path) -> Result<WitnessKey, Error> {
    let metadata =
        std::fs::metadata(path).map_err(|e| Error::local(format!("the key {} cannot be read: {e}", path.display())))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::local(format!(
            "{0} can be read or written by others (mode {mode:04o}); run `chmod 600 {0}`, and if others had access to this \
             machine, make a witness with a new key",
            path.display()
        )));
    }
    let bytes = files::read(path, MAX_KEY_FILE_BYTES)?;
    let text = String::from_utf8_lossy(&bytes);
    match PrivateKey::parse(text.trim_end_matches('\n')) {
        Ok(PrivateKey::Cosigner(cosigner)) => Ok(WitnessKey::Ed25519(cosigner)),
        Ok(PrivateKey::Note(signer)) => Err(Error::malformed(format!(
            "{} holds the key {}, which makes no cosignatures; a witness needs one of type 04",
            path.display(),
            signer.vkey()
        ))),
        Err(error) => Err(Error::malformed(format!("{}: {error}", path.display()))),
    }
}
