//! What was cosigned last for each log, in a database of its own: an answer never waits for a log that is being followed.
//!
//! After a failure it is opened again before its next use. A write that failed is there in full or not at all, and who asked for it is
//! told: see `again.rs` for what a witness does then.

use std::path::{Path, PathBuf};
use std::time::Duration;

use client::Error;
use client::database::Reopening;
use proto::hash::{HASH_BYTES, Hash};
use proto::num::{Seconds, TreeSize};
use redb::TableDefinition;
use service::record::SignedRecord;

/// origin → size, time, root, note
const COSIGNED: TableDefinition<&str, &[u8]> = TableDefinition::new("cosigned");

/// The name of the file in the state folder.
const FILE: &str = "witness.redb";

/// How long to wait for a database that another command holds, such as one that just ends.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The last head cosigned for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Its size.
    pub size: TreeSize,
    /// Its root.
    pub root: Hash,
    /// The time of the cosignature.
    pub time: Seconds,
    /// The note as its log signed it. Empty when only size, root and time are known.
    pub note: Vec<u8>,
}

impl Cosigned {
    /// The same without the note.
    pub fn record(&self) -> SignedRecord {
        SignedRecord { size: self.size, root: self.root, time: self.time }
    }

    /// As it is kept.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [self.size.0.to_be_bytes().as_slice(), &self.time.0.to_be_bytes(), &self.root.0, &self.note].concat()
    }

    /// Reads what [`Cosigned::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Cosigned> {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (root, note) = rest.split_at_checked(HASH_BYTES)?;
        Some(Cosigned {
            size: TreeSize(u64::from_be_bytes(*size)),
            time: Seconds(u64::from_be_bytes(*time)),
            root: Hash::from_slice(root)?,
            note: note.to_vec(),
        })
    }
}

/// The database.
pub struct Table {
    database: Reopening,
    path: PathBuf,
    #[cfg(test)]
    fails: tests::Fails,
}

impl Table {
    /// Whether there is one in a folder.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// Makes the database if there is none. Without it nothing is lost that the records do not have, and they decide.
    pub fn open(folder: &Path) -> Result<Table, Error> {
        client::files::make_folder(folder)?;
        let path = folder.join(FILE);
        let database = Reopening::open(&path, LOCK_WAIT)?;
        let table = Table {
            database,
            path,
            #[cfg(test)]
            fails: tests::Fails::default(),
        };
        table.write(|_| Ok(()))?; // opening a table for writing makes it
        Ok(table)
    }

    /// What was cosigned last for a log.
    pub fn get(&self, origin: &str) -> Result<Option<Cosigned>, Error> {
        #[cfg(test)]
        self.fails.read()?;
        let read = self.database.read(|transaction| {
            let table = transaction.open_table(COSIGNED)?;
            Ok(table.get(origin)?.map(|value| value.value().to_vec()))
        });
        match read.map_err(|e| self.broken(&e))? {
            None => Ok(None),
            Some(bytes) => {
                Cosigned::from_bytes(&bytes).map(Some).ok_or_else(|| self.broken(&format!("{origin} is damaged")))
            }
        }
    }

    /// Makes it durable.
    pub fn put(&self, origin: &str, last: &Cosigned) -> Result<(), Error> {
        let put = || {
            self.write(|table| {
                table.insert(origin, last.to_bytes().as_slice())?;
                Ok(())
            })
        };
        #[cfg(test)]
        self.fails.write(put)?;
        put()
    }

    fn write(
        &self,
        work: impl FnOnce(&mut redb::Table<'_, &'static str, &'static [u8]>) -> Result<(), redb::Error>,
    ) -> Result<(), Error> {
        let done = self.database.write(|transaction| work(&mut transaction.open_table(COSIGNED)?));
        done.map_err(|e| self.broken(&e))
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> Error {
        Error::local(format!("what was cosigned ({}) cannot be read or written: {error}", self.path.display()))
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// How the disk of a test fails.
    #[derive(Debug, Default)]
    pub(super) struct Fails {
        /// The next write, which may be there all the same.
        write: Mutex<Option<bool>>,
        reads: AtomicBool,
    }

    impl Fails {
        pub(super) fn read(&self) -> Result<(), Error> {
            match self.reads.load(Ordering::SeqCst) {
                true => Err(Error::local("a test's disk fails")),
                false => Ok(()),
            }
        }

        pub(super) fn write(&self, write: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
            match self.write.lock().unwrap().take() {
                Some(true) => write().and(Err(Error::local("a test's disk fails behind a write"))),
                Some(false) => Err(Error::local("a test's disk fails before a write")),
                None => Ok(()),
            }
        }
    }

    impl Table {
        /// The next write fails, and is there all the same or not.
        pub(in crate::witness) fn fail_next(&self, written: bool) {
            *self.fails.write.lock().unwrap() = Some(written);
        }

        /// Reads fail from now on, or do not.
        pub(in crate::witness) fn fail_reads(&self, fail: bool) {
            self.fails.reads.store(fail, Ordering::SeqCst);
        }
    }
}
