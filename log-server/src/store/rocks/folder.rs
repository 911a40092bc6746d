//! The data folder: whose it is, which format it has, and that only one process writes to it.
//!
//! | file | meaning |
//! |---|---|
//! | `STORE` | the label: `claimtrail-store/1`, line feed, the origin, line feed |
//! | `OWNER` | locked by the process that has the store open: alone for writing, shared for reading only |
//! | `db/` | RocksDB's files |

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The format of the folder that this program writes and reads. Another layout of keys is another number.
pub const FORMAT: u32 = 1;

const LABEL: &str = "STORE";
const NEW_LABEL: &str = "STORE.new";
const LABEL_KIND: &str = "claimtrail-store/";
const OWNER: &str = "OWNER";
const DATABASE: &str = "db";
/// RocksDB's file that names its newest manifest; every database has it.
const CURRENT: &str = "CURRENT";

/// Why a data folder was not opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No label: not a store, or one whose making was interrupted.
    #[error("{} is not a log's data folder (it has no file STORE); make a new log there, or name the right folder", .0.display())]
    NotAStore(PathBuf),
    /// A new log was to be made where one is.
    #[error("{} already holds a log; name an empty folder for a new one", .0.display())]
    AlreadyExists(PathBuf),
    /// Another process has it open.
    #[error("{} is in use by another process; stop that one first", .0.display())]
    InUse(PathBuf),
    /// The folder of another log.
    #[error("{} holds the log {found:?}, not {wanted:?}; name the right folder or the right origin", .dir.display())]
    OtherOrigin {
        /// The folder.
        dir: PathBuf,
        /// Whose it is.
        found: String,
        /// Who asked.
        wanted: String,
    },
    /// A folder written by a program with another format.
    #[error("{} has the store format {found}, this program knows format {FORMAT}; use the program that wrote it", .dir.display())]
    OtherFormat {
        /// The folder.
        dir: PathBuf,
        /// Its format as written in the label.
        found: String,
    },
    /// An origin that cannot be written into a label.
    #[error("{0:?} cannot be an origin: it is empty or has a line break")]
    BadOrigin(String),
    /// The label or the database contradicts itself.
    #[error("{} is damaged: {what}; restore it from a backup or a mirror", .dir.display())]
    Damaged {
        /// The folder.
        dir: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The operating system or the database reported an error.
    #[error("{} cannot be opened: {message}", .dir.display())]
    Io {
        /// The folder.
        dir: PathBuf,
        /// The error.
        message: String,
    },
}

/// A data folder that this process has to itself (or shares with other readers) until it is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    /// Held for its lock.
    _owner: File,
}

impl Folder {
    /// Takes a folder for a new log, and makes it if there is none. It has no label until [`Folder::write_label`].
    pub(super) fn create(dir: &Path, origin: &str) -> Result<Folder, OpenError> {
        if origin.is_empty() || origin.contains(['\n', '\r']) {
            return Err(OpenError::BadOrigin(origin.to_owned()));
        }
        fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
        let folder = Folder::lock(dir, true)?;
        match fs::exists(dir.join(LABEL)) {
            Ok(false) => Ok(folder),
            Ok(true) => Err(OpenError::AlreadyExists(dir.to_owned())),
            Err(error) => Err(failed(dir, &error)),
        }
    }

    /// Takes the folder of a log that exists.
    pub(super) fn open(dir: &Path, origin: &str, write: bool) -> Result<Folder, OpenError> {
        let label = match fs::read(dir.join(LABEL)) {
            Ok(label) => label,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(OpenError::NotAStore(dir.to_owned())),
            Err(error) => return Err(failed(dir, &error)),
        };
        check_label(dir, &label, origin)?;
        Folder::lock(dir, write)
    }

    fn lock(dir: &Path, write: bool) -> Result<Folder, OpenError> {
        let mut options = OpenOptions::new();
        // A reader must not need the right to write.
        options.read(true).write(write).create(write).truncate(false);
        let owner = options.open(dir.join(OWNER)).map_err(|error| failed(dir, &error))?;
        let locked = if write { owner.try_lock() } else { owner.try_lock_shared() };
        match locked {
            Ok(()) => Ok(Folder { dir: dir.to_owned(), _owner: owner }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(dir, &error)),
        }
    }

    /// Where RocksDB's files are.
    pub(super) fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }

    /// Whether RocksDB could open its files now: the folder may be listed and there is a descriptor to read a file with.
    pub(super) fn can_be_read(&self) -> io::Result<()> {
        fs::read_dir(self.database())?;
        File::open(self.database().join(CURRENT)).map(drop)
    }

    /// The folder itself.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the folder a store. Written last, whole and synced: a folder with a label has a database that was made.
    pub(super) fn write_label(&self, origin: &str) -> Result<(), OpenError> {
        let write = || -> io::Result<()> {
            let new = self.dir.join(NEW_LABEL);
            #[allow(
                clippy::disallowed_methods,
                reason = "the new label is synced below and then takes its place by a rename"
            )]
            let mut file = File::create(&new)?;
            write!(file, "{LABEL_KIND}{FORMAT}\n{origin}\n")?;
            file.sync_all()?;
            fs::rename(&new, self.dir.join(LABEL))?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|error| failed(&self.dir, &error))
    }
}

fn check_label(dir: &Path, label: &[u8], origin: &str) -> Result<(), OpenError> {
    let damaged =
        || OpenError::Damaged { dir: dir.to_owned(), what: "the file STORE cannot be read as a label".to_owned() };
    let label = std::str::from_utf8(label).map_err(|_| damaged())?;
    let (kind, rest) = label.split_once('\n').ok_or_else(damaged)?;
    let format = kind.strip_prefix(LABEL_KIND).ok_or_else(damaged)?;
    if format != FORMAT.to_string() {
        return Err(OpenError::OtherFormat { dir: dir.to_owned(), found: format.to_owned() });
    }
    match rest.strip_suffix('\n') {
        Some(found) if found == origin => Ok(()),
        Some(found) if !found.contains('\n') => {
            Err(OpenError::OtherOrigin { dir: dir.to_owned(), found: found.to_owned(), wanted: origin.to_owned() })
        }
        _ => Err(damaged()),
    }
}

fn failed(dir: &Path, error: &io::Error) -> OpenError {
    OpenError::Io { dir: dir.to_owned(), message: error.to_string() }
}
