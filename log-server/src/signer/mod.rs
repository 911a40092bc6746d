//! Signing heads, and never two that contradict each other.
//!
//! The signer keeps the last head it signed in a record of its own, outside the store and its backups, written before a
//! signature leaves. It refuses every head that is lower, earlier, or not proven to extend that one: a store restored from
//! an old backup can be read but makes no new head. Without the record the origin never signs again.

use std::path::Path;

use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use proto::merkle::verify_consistency;
use proto::note::{KeyName, NoteSigner};
use proto::num::{Seconds, TreeSize};
use proto::policy::TIME_KEY_SUFFIX;

#[cfg(any(test, feature = "conformance"))]
pub(crate) use service::record::nothing_signed;
pub use service::record::{Medium, RecordError, SignedRecord, SignerRecord};

/// A head to sign: what the note says, and the log's time for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadToSign {
    /// Entries in the tree.
    pub size: TreeSize,
    /// Root hash over them.
    pub root: Hash,
    /// The head's time T.
    pub time: Seconds,
}

/// Why a head was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The head is below the last one signed.
    #[error(
        "the log signed size {signed_size} at time {signed_time} already and never signs below it (asked for size {size}, \
         time {time}); if the store was restored from a backup, restore a newer one"
    )]
    Lower {
        /// Size of the last head signed.
        signed_size: TreeSize,
        /// Time of the last head signed.
        signed_time: Seconds,
        /// Size that was asked for.
        size: TreeSize,
        /// Time that was asked for.
        time: Seconds,
    },
    /// The head is not proven to extend the last one signed.
    #[error(
        "the head of size {size} is not proven to extend the last head signed, of size {signed_size}; nothing was signed"
    )]
    Inconsistent {
        /// Size of the last head signed.
        signed_size: TreeSize,
        /// Size that was asked for.
        size: TreeSize,
    },
    /// The record could not be written; nothing was signed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The text could not be signed.
    #[error("the head could not be signed: {0}")]
    Note(String),
}

/// Where heads are signed. A trait so that the keys can live elsewhere.
pub trait HeadSigner: Send {
    /// The last head signed, `None` before the first.
    fn last(&self) -> Option<HeadToSign>;

    /// Signs a head: the note's text with the log's signature and its timestamped cosignature. `proof` leads from the
    /// last head signed to this one; it is empty for the first head and for the same tree again.
    fn sign(&mut self, head: &HeadToSign, proof: &[Hash]) -> Result<String, SignError>;
}

/// The keys of a log in this process.
#[derive(Clone)]
pub struct LogKeys {
    origin: String,
    log: NoteSigner,
    time: Cosigner,
}

impl LogKeys {
    /// The keys of `origin`: one for its heads, one for its time, named `<origin>/time`.
    pub fn new(origin: &str, log: SecretKey, time: SecretKey) -> Result<LogKeys, SignError> {
        let bad = |e: &dyn std::fmt::Display| SignError::Note(e.to_string());
        let log_name = KeyName::parse(origin).map_err(|e| bad(&e))?;
        let time_name = KeyName::parse(&format!("{origin}{TIME_KEY_SUFFIX}")).map_err(|e| bad(&e))?;
        let time = Cosigner::new(time_name, time).map_err(|e| bad(&e))?;
        LogKeys::from_signers(origin, NoteSigner::new(log_name, log), time)
    }

    /// The same from named keys, as key files hold them.
    pub fn from_signers(origin: &str, log: NoteSigner, time: Cosigner) -> Result<LogKeys, SignError> {
        for (vkey, name) in [(log.vkey(), origin.to_owned()), (time.vkey(), format!("{origin}{TIME_KEY_SUFFIX}"))] {
            if vkey.name().as_str() != name {
                return Err(SignError::Note(format!("the key {vkey} is not the one named {name}")));
            }
        }
        if log.vkey().key_bytes() == time.vkey().key_bytes() {
            return Err(SignError::Note("the log's key and its time key are the same; one key has one role".into()));
        }
        Ok(LogKeys { origin: origin.to_owned(), log, time })
    }

    /// The vkey of the log's heads.
    pub fn log_vkey(&self) -> String {
        self.log.vkey().to_string()
    }

    /// The vkey of the log's time.
    pub fn time_vkey(&self) -> String {
        self.time.vkey().to_string()
    }

    /// The signed note of a head: the log's signature and its timestamped cosignature. Only a [`HeadSigner`] calls this,
    /// after its checks.
    pub(crate) fn sign_head(&self, head: &HeadToSign) -> Result<String, SignError> {
        let note = |e: &dyn std::fmt::Display| SignError::Note(e.to_string());
        let text = CheckpointText::new(&self.origin, head.size, head.root).map_err(|e| note(&e))?;
        text.sign(&[&self.log], &[(&self.time, head.time)]).map_err(|e| note(&e))
    }

    /// The key for statements besides heads.
    pub fn note_signer(&self) -> &NoteSigner {
        &self.log
    }
}

/// Signs with keys in this process and a record in a file.
pub struct FileSigner {
    keys: LogKeys,
    record: SignerRecord,
}

impl FileSigner {
    /// Takes up the record at `path`; it must be this origin's.
    pub fn open(keys: LogKeys, path: &Path) -> Result<FileSigner, SignError> {
        let record = SignerRecord::open(path, &keys.origin)?;
        Ok(FileSigner { keys, record })
    }

    /// Makes the record of a new origin; refused where there is one.
    pub fn create(keys: LogKeys, path: &Path) -> Result<FileSigner, SignError> {
        let record = SignerRecord::create(path, &keys.origin)?;
        Ok(FileSigner { keys, record })
    }

    /// Signs with a record that is kept elsewhere, for tests.
    #[cfg(any(test, feature = "conformance"))]
    pub(crate) fn over(keys: LogKeys, record: SignerRecord) -> FileSigner {
        FileSigner { keys, record }
    }
}

/// Whether `head` may be signed after `last`: not lower, not earlier, and proven to extend it.
pub fn check_extends(last: Option<&HeadToSign>, head: &HeadToSign, proof: &[Hash]) -> Result<(), SignError> {
    let Some(last) = last else { return Ok(()) };
    if head.size < last.size || head.time < last.time {
        let (signed_size, signed_time) = (last.size, last.time);
        return Err(SignError::Lower { signed_size, signed_time, size: head.size, time: head.time });
    }
    let inconsistent = || SignError::Inconsistent { signed_size: last.size, size: head.size };
    if last.size.0 == 0 {
        return if proof.is_empty() { Ok(()) } else { Err(inconsistent()) };
    }
    verify_consistency(last.size, head.size, &last.root, &head.root, proof).map_err(|_| inconsistent())
}

impl HeadSigner for FileSigner {
    fn last(&self) -> Option<HeadToSign> {
        self.record.last().map(|last| HeadToSign { size: last.size, root: last.root, time: last.time })
    }

    fn sign(&mut self, head: &HeadToSign, proof: &[Hash]) -> Result<String, SignError> {
        check_extends(self.last().as_ref(), head, proof)?;
        // First the record, then the signature: a crash between them costs nothing, the other order could cost the log.
        self.record.write(&SignedRecord { size: head.size, root: head.root, time: head.time })?;
        self.keys.sign_head(head)
    }
}

#[cfg(test)]
mod tests {
    use proto::merkle::{MemoryTree, consistency_proof, root_at};

    use super::*;

    fn keys() -> LogKeys {
        // Test keys.
        LogKeys::new("log.example/test", SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32])).unwrap()
    }

    fn head(tree: &MemoryTree, size: u64, time: u64) -> HeadToSign {
        HeadToSign { size: TreeSize(size), root: root_at(tree, TreeSize(size)).unwrap(), time: Seconds(time) }
    }

    fn proof(tree: &MemoryTree, old: u64, new: u64) -> Vec<Hash> {
        consistency_proof(tree, TreeSize(old), TreeSize(new)).unwrap()
    }

    #[test]
    fn never_lower_never_inconsistent_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let (mut tree, mut other) = (MemoryTree::new(), MemoryTree::new());
        for i in 0..9u8 {
            tree.append(Hash::leaf(&[i]));
            other.append(Hash::leaf(&[i, 1]));
        }
        let mut signer = FileSigner::create(keys(), &path).unwrap();
        signer.sign(&head(&tree, 5, 100), &[]).unwrap();
        drop(signer);
        let mut signer = FileSigner::open(keys(), &path).unwrap();
        assert!(matches!(signer.sign(&head(&tree, 4, 100), &[]), Err(SignError::Lower { .. })));
        assert!(matches!(signer.sign(&head(&tree, 7, 99), &proof(&tree, 5, 7)), Err(SignError::Lower { .. })));
        assert!(matches!(signer.sign(&head(&other, 5, 100), &[]), Err(SignError::Inconsistent { .. })));
        assert!(matches!(
            signer.sign(&head(&other, 7, 100), &proof(&other, 5, 7)),
            Err(SignError::Inconsistent { .. })
        ));
        let again = signer.sign(&head(&tree, 5, 100), &[]).unwrap();
        assert_eq!(again, signer.sign(&head(&tree, 5, 100), &[]).unwrap(), "the same head gives the same bytes");
        signer.sign(&head(&tree, 9, 101), &proof(&tree, 5, 9)).unwrap();
        assert!(FileSigner::create(keys(), &path).is_err(), "a record is never made anew");
    }

    #[test]
    fn one_key_in_two_roles_is_refused() {
        let key = SecretKey::from_seed(&[1; 32]);
        assert!(LogKeys::new("log.example", key.clone(), key).is_err());
    }
}
