//! The last head that met the quorum, as a file: what was shown as the newest head is shown after a restart, too.
//!
//! The file is a plain signed note, written in full and synced before the head is shown. It also guards the log: a store or a
//! history that does not contain what witnesses have cosigned is not served.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use client::files::{self, Access, Existing};
use proto::num::TreeSize;
use proto::policy::{CheckError, Policy};

use crate::log::Log;

/// A note with as many lines as it may have.
const MAX_RECORD_BYTES: usize = proto::note::MAX_NOTE_BYTES;

/// Why the last cosigned head cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum BadRecord {
    /// The file cannot be read or its folder made.
    #[error("{0}")]
    File(String),
    /// It holds no head of this log.
    #[error(
        "{path} holds no head of this log: {why}; restore the file, or move it away: then no head is shown until a quorum \
             has cosigned"
    )]
    NotAHead {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: CheckError,
    },
    /// Witnesses have cosigned more than the log has.
    #[error(
        "witnesses have cosigned a head of {cosigned} entries ({path}), and the store has {stored}: it was restored from an old \
         backup; get the missing entries from a newer backup or a mirror, and do not sign"
    )]
    Ahead {
        /// The file.
        path: PathBuf,
        /// Size of the cosigned head.
        cosigned: TreeSize,
        /// Size of the log.
        stored: TreeSize,
    },
    /// Witnesses have cosigned another history.
    #[error(
        "the head of {size} entries that witnesses have cosigned ({path}) is not what the store holds; this log would show two \
         histories: stop it and run `claimtrail-log check`"
    )]
    OtherHistory {
        /// The file.
        path: PathBuf,
        /// Size of the cosigned head.
        size: TreeSize,
    },
    /// The store could not be asked.
    #[error("the cosigned head cannot be compared with the store: {0}")]
    Store(String),
}

/// Where the last head is kept.
#[derive(Debug, Clone)]
pub(super) struct Record {
    path: PathBuf,
}

impl Record {
    /// The file, and the note in it if there is one, compared with the log.
    pub(super) fn open(path: &Path, policy: &Policy, log: &Log) -> Result<(Record, Option<Bytes>), BadRecord> {
        let file = |error: client::Error| BadRecord::File(error.message);
        let record = Record { path: path.to_owned() };
        if !path.try_exists().map_err(|error| BadRecord::File(format!("{}: {error}", path.display())))? {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                files::make_folder(folder).map_err(file)?;
            }
            return Ok((record, None));
        }
        let note = files::read(path, MAX_RECORD_BYTES).map_err(file)?;
        let checked = policy.check(&note).map_err(|why| BadRecord::NotAHead { path: path.to_owned(), why })?;
        let (head, stored) = (checked.checkpoint.text(), log.published().head.size);
        if head.size() > stored {
            return Err(BadRecord::Ahead { path: path.to_owned(), cosigned: head.size(), stored });
        }
        let root = log.root_at(head.size()).map_err(|error| BadRecord::Store(error.to_string()))?;
        if head.origin() != log.origin() || root != head.root() {
            return Err(BadRecord::OtherHistory { path: path.to_owned(), size: head.size() });
        }
        Ok((record, Some(note.into())))
    }

    /// Makes a head durable. Blocks.
    pub(super) fn write(&self, note: &[u8]) -> Result<(), client::Error> {
        files::write(&self.path, note, Access::Public, Existing::Replace)
    }
}
