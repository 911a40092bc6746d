//! A redb database that survives a disk that was full for a while.
//!
//! After one failed read or write redb refuses everything until the database is closed and opened again, since nobody knows what
//! the file holds. So it is opened again before the next use: opening repairs what a write left half-done, as after a crash.
//! Nothing is hidden by that: the use that failed says so. What it was to write is there in full or not at all, as after a crash.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase as _, StorageError, WriteTransaction};

use crate::error::Error;
use crate::state::open_database;

/// Opens the database once more.
type Open = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

/// The database. Everything here may be used from several threads.
pub struct Reopening {
    open: Open,
    /// Nothing while it could not be opened again.
    current: RwLock<Option<Database>>,
    /// A use failed, so that it is to be opened again.
    failed: AtomicBool,
}

impl Reopening {
    /// Opens or makes the database of this file, which one process at a time holds; waits at most `wait` for another.
    ///
    /// # Errors
    /// When it is held for longer, is none, or the disk fails.
    pub fn open(path: &Path, wait: Duration) -> Result<Reopening, Error> {
        let database = open_database(path, wait)?;
        let path = path.to_owned();
        Ok(Reopening::with(database, Box::new(move || Database::open(&path))))
    }

    fn with(database: Database, open: Open) -> Reopening {
        Reopening { open, current: RwLock::new(Some(database)), failed: AtomicBool::new(false) }
    }

    /// A view of what is committed.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn begin_read(&self) -> Result<ReadTransaction, redb::Error> {
        self.begin(|database| Ok(database.begin_read()?))
    }

    /// Reads in one view.
    ///
    /// # Errors
    /// Those of `work`, and when the disk fails.
    pub fn read<T>(&self, work: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>) -> Result<T, redb::Error> {
        let transaction = self.begin_read()?;
        self.noticed(work(&transaction))
    }

    /// Writes all or nothing, durable when this returns.
    ///
    /// # Errors
    /// Those of `work`: nothing was written then. And when the disk fails: all was written, or nothing.
    pub fn write<T>(&self, work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>) -> Result<T, redb::Error> {
        let transaction = self.begin(|database| Ok(database.begin_write()?))?;
        let done = self.noticed(work(&transaction))?;
        self.noticed(transaction.commit().map_err(redb::Error::from))?;
        Ok(done)
    }

    /// Whether the last use failed on the disk, and this one will open the database again.
    pub fn is_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn begin<T>(&self, begin: impl Fn(&Database) -> Result<T, redb::Error>) -> Result<T, redb::Error> {
        if self.is_failed() {
            self.open_again()?;
        }
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let database = current.as_ref().ok_or(redb::Error::PreviousIo)?;
        self.noticed(begin(database))
    }

    fn open_again(&self) -> Result<(), redb::Error> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if !self.is_failed() {
            return Ok(()); // somebody else was faster
        }
        // The old one is closed first: its file is locked.
        drop(current.take());
        *current = Some((self.open)()?);
        self.failed.store(false, Ordering::Release);
        Ok(())
    }

    fn noticed<T>(&self, done: Result<T, redb::Error>) -> Result<T, redb::Error> {
        if done.as_ref().is_err_and(is_of_disk) {
            self.failed.store(true, Ordering::Release);
        }
        done
    }

    /// Notes what an older view of this database came upon.
    pub(crate) fn notice(&self, error: &StorageError) {
        if matches!(error, StorageError::Io(_) | StorageError::PreviousIo | StorageError::DatabaseClosed) {
            self.failed.store(true, Ordering::Release);
        }
    }
}

fn is_of_disk(error: &redb::Error) -> bool {
    matches!(error, redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::DatabaseClosed)
}

impl std::fmt::Debug for Reopening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reopening").field("failed", &self.is_failed()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use redb::{StorageBackend, TableDefinition};

    use super::*;
    use crate::follow::Reading;

    const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("table");

    /// A file in memory whose disk can be full.
    #[derive(Debug, Clone, Default)]
    struct Disk {
        bytes: Arc<Mutex<Vec<u8>>>,
        is_full: Arc<AtomicBool>,
    }

    impl Disk {
        fn room(&self) -> std::io::Result<()> {
            match self.is_full.load(Ordering::SeqCst) {
                true => Err(std::io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> std::io::Result<u64> {
            Ok(self.bytes.lock().unwrap().len() as u64)
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
            let from = usize::try_from(offset).unwrap();
            out.copy_from_slice(&self.bytes.lock().unwrap()[from..from + out.len()]);
            Ok(())
        }

        fn set_len(&self, len: u64) -> std::io::Result<()> {
            self.room()?;
            self.bytes.lock().unwrap().resize(usize::try_from(len).unwrap(), 0);
            Ok(())
        }

        fn sync_data(&self) -> std::io::Result<()> {
            self.room()
        }

        fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
            self.room()?;
            let from = usize::try_from(offset).unwrap();
            self.bytes.lock().unwrap()[from..from + data.len()].copy_from_slice(data);
            Ok(())
        }
    }

    fn put(database: &Reopening, key: &[u8]) -> Result<(), redb::Error> {
        database.write(|transaction| {
            transaction.open_table(TABLE)?.insert(key, b"value".as_slice())?;
            Ok(())
        })
    }

    #[test]
    fn a_disk_that_was_full_is_used_again_when_it_has_room() {
        let disk = Disk::default();
        let open = {
            let disk = disk.clone();
            move || redb::Builder::new().create_with_backend(disk.clone())
        };
        let database = Arc::new(Reopening::with(open().unwrap(), Box::new(open)));
        put(&database, b"before").unwrap();
        let reading = Reading::open(database.clone(), TABLE).unwrap();
        disk.is_full.store(true, Ordering::SeqCst);
        for _ in 0..3 {
            put(&database, b"during").unwrap_err();
            assert!(database.is_failed());
        }
        disk.is_full.store(false, Ordering::SeqCst);
        put(&database, b"after").unwrap();
        assert!(!database.is_failed());
        reading.renew().unwrap();
        let kept = [b"before".as_slice(), b"during", b"after"].map(|key| reading.get(key).unwrap().is_some());
        assert_eq!((kept[0], kept[2]), (true, true));
    }
}
