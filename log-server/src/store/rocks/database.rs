//! The database of a data folder: opened, told apart, flushed.

use std::path::Path;

use rocksdb::{DB, Options};

use super::folder::Folder;
use super::{OpenError, RocksOptions, layout, options, read};
use crate::store::error::StoreError;

/// Opens for writing. RocksDB replays its write-ahead log; flushing then puts what was replayed into synced tables, so that
/// it is durable even if an earlier process read it back from a log whose sync had failed.
pub(super) fn open_database(folder: &Folder, settings: &Options, options: &RocksOptions) -> Result<DB, OpenError> {
    let families = options::families(options);
    let db =
        DB::open_cf_descriptors(settings, folder.database(), families).map_err(|error| failed(folder.dir(), error))?;
    flush_database(&db).map_err(|error| failed(folder.dir(), error))?;
    Ok(db)
}

/// Opens for reading: what is in the write-ahead log is read from there, and nothing is written.
pub(super) fn database_to_read(folder: &Folder, settings: &Options, options: &RocksOptions) -> Result<DB, OpenError> {
    DB::open_cf_descriptors_read_only(settings, folder.database(), options::families(options), false)
        .map_err(|error| failed(folder.dir(), error))
}

/// Puts everything from memory into synced tables.
pub(super) fn flush_database(db: &DB) -> Result<(), rocksdb::Error> {
    db.flush_wal(true)?;
    for family in layout::FAMILIES {
        if let Some(family) = db.cf_handle(family) {
            db.flush_cf(family)?;
        }
    }
    Ok(())
}

/// The database belongs to the label beside it.
pub(super) fn check_origin(db: &DB, dir: &Path, origin: &str) -> Result<(), OpenError> {
    let damaged = |what: String| OpenError::Damaged { dir: dir.to_owned(), what };
    match read::meta(db, layout::META_ORIGIN).map_err(|error| damaged(error.to_string()))? {
        Some(found) if found == origin.as_bytes() => Ok(()),
        Some(found) => Err(OpenError::OtherOrigin {
            dir: dir.to_owned(),
            found: String::from_utf8_lossy(&found).into_owned(),
            wanted: origin.to_owned(),
        }),
        None => Err(damaged("the database does not say whose it is".to_owned())),
    }
}

/// What RocksDB said, as the opening's own error.
pub(super) fn failed(dir: &Path, error: rocksdb::Error) -> OpenError {
    match read::failed(error) {
        StoreError::Corrupt(what) => OpenError::Damaged { dir: dir.to_owned(), what },
        error => OpenError::Io { dir: dir.to_owned(), message: error.to_string() },
    }
}
