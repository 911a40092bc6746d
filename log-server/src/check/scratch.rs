//! A map on disk that lives as long as a check: state and rows as they are folded anew. A log's indexes may be larger than
//! memory.

use std::path::{Path, PathBuf};

use proto::fold::State;
use rocksdb::{ColumnFamily, DB, DBIterator, IteratorMode, Options, WriteBatch};

use super::{CheckError, Ended};
use crate::store::KeyValue;

/// The column families.
const STATE: &str = "state";
const ROWS: &str = "rows";

/// Folders tried before giving up: another check by a process of the same number may have left one behind.
const NAMES: u32 = 100;

/// The map. Its folder is removed when it is dropped.
pub(super) struct Scratch {
    db: Option<DB>,
    dir: PathBuf,
}

impl Scratch {
    /// Makes an empty one in a folder of its own under `base`.
    pub(super) fn create(base: &Path) -> Result<Scratch, Ended> {
        let dir = make_folder(base)?;
        let mut scratch = Scratch { db: None, dir };
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let opened = DB::open_cf(&options, &scratch.dir, [STATE, ROWS]);
        scratch.db = Some(opened.map_err(|e| failed(e.into_string()))?);
        Ok(scratch)
    }

    fn parts(&self) -> Result<(&DB, &ColumnFamily, &ColumnFamily), CheckError> {
        let missing = || CheckError::Scratch("it is closed".to_owned());
        let db = self.db.as_ref().ok_or_else(missing)?;
        Ok((db, db.cf_handle(STATE).ok_or_else(missing)?, db.cf_handle(ROWS).ok_or_else(missing)?))
    }

    /// Puts what a chunk of entries changed.
    #[allow(clippy::disallowed_methods, reason = "nothing here outlives the process: the stored log is not written")]
    pub(super) fn put(&self, state: &[KeyValue], rows: &[KeyValue]) -> Result<(), Ended> {
        let (db, state_family, rows_family) = self.parts().map_err(Ended::Failed)?;
        let mut batch = WriteBatch::default();
        for (family, pairs) in [(state_family, state), (rows_family, rows)] {
            for (key, value) in pairs {
                batch.put_cf(family, key, value);
            }
        }
        db.write_without_wal(batch).map_err(|e| failed(e.into_string()))
    }

    /// All of the state, ascending.
    pub(super) fn state(&self) -> Result<Pairs<'_>, Ended> {
        let (db, state, _) = self.parts().map_err(Ended::Failed)?;
        Ok(Pairs(db.iterator_cf(state, IteratorMode::Start)))
    }

    /// All rows, ascending.
    pub(super) fn rows(&self) -> Result<Pairs<'_>, Ended> {
        let (db, _, rows) = self.parts().map_err(Ended::Failed)?;
        Ok(Pairs(db.iterator_cf(rows, IteratorMode::Start)))
    }
}

/// Pairs in the order of their keys.
pub(super) struct Pairs<'a>(DBIterator<'a>);

impl Pairs<'_> {
    /// The next one.
    #[allow(clippy::type_complexity, reason = "a key and its value, as the database gives them")]
    pub(super) fn next(&mut self) -> Result<Option<(Box<[u8]>, Box<[u8]>)>, Ended> {
        self.0.next().transpose().map_err(|e| failed(e.into_string()))
    }
}

impl State for Scratch {
    type Error = CheckError;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, CheckError> {
        let (db, state, _) = self.parts()?;
        db.get_cf(state, key).map_err(|e| CheckError::Scratch(e.into_string()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.db = None;
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "the scratch folder could not be removed; remove it by hand");
        }
    }
}

fn failed(what: String) -> Ended {
    Ended::Failed(CheckError::Scratch(what))
}

fn make_folder(base: &Path) -> Result<PathBuf, Ended> {
    let process = std::process::id();
    for n in 0..NAMES {
        let dir = base.join(format!("claimtrail-check-{process}-{n}"));
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(format!("{}: {error}", dir.display()))),
        }
    }
    Err(failed(format!("{} holds {NAMES} folders of earlier checks; remove them", base.display())))
}
