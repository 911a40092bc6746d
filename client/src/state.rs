//! What the client remembers between runs: for each log, the newest head that it verified.
//!
//! It stands in `heads.redb` in the state folder (`$XDG_STATE_HOME/claimtrail`, else `~/.local/state/claimtrail`, or
//! where `--state` says). The file is held open for single reads and writes only, so that several commands can run side
//! by side. Two heads of one log that contradict each other are written to `tampering/` and stay there.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proto::hash::Hash;
use proto::num::TreeSize;
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use crate::clock;
use crate::error::Error;
use crate::files::{self, Access, Existing};

/// origin → (size, note)
const HEADS: TableDefinition<&str, (u64, &[u8])> = TableDefinition::new("heads");

/// How long another command may hold the file before we give up.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How often the lock is tried.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// The state folder.
#[derive(Debug, Clone)]
pub struct State {
    folder: PathBuf,
}

/// Two heads of one log, each signed by its key, that cannot both be true.
#[derive(Debug, Clone)]
pub struct Contradiction<'a> {
    /// The log.
    pub origin: &'a str,
    /// The smaller head, or the one seen first, byte for byte.
    pub first: &'a [u8],
    /// The other head, byte for byte.
    pub second: &'a [u8],
    /// For heads of different sizes: the root that the larger head's tree has at the smaller size, and the proof that
    /// leads from it to the larger head.
    pub alternative: Option<(TreeSize, Hash, Vec<Hash>)>,
}

impl State {
    /// The state in this folder, or in the usual one; the folder is made when something is first written.
    pub fn at(folder: Option<PathBuf>) -> Result<State, Error> {
        let folder = folder.or_else(usual_folder).ok_or_else(|| {
            Error::local("no place to keep state: neither XDG_STATE_HOME nor HOME is set; say where with --state DIR")
        })?;
        Ok(State { folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The newest head of this log that was verified, byte for byte.
    pub fn newest(&self, origin: &str) -> Result<Option<Vec<u8>>, Error> {
        if !self.heads_path().exists() {
            return Ok(None);
        }
        let database = self.open()?;
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let transaction = database.begin_read()?;
            let table = match transaction.open_table(HEADS) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
                table => table?,
            };
            Ok(table.get(origin)?.map(|value| value.value().1.to_vec()))
        };
        read().map_err(|e| self.broken(&e))
    }

    /// Remembers a verified head, unless a larger one of the same log is there.
    pub fn remember(&self, origin: &str, size: TreeSize, note: &[u8]) -> Result<(), Error> {
        files::make_folder(&self.folder)?;
        let database = self.open()?;
        let write = || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            {
                let mut table = transaction.open_table(HEADS)?;
                let larger = table.get(origin)?.is_some_and(|kept| kept.value().0 > size.0);
                if !larger {
                    table.insert(origin, (size.0, note))?;
                }
            }
            Ok(transaction.commit()?)
        };
        write().map_err(|e| self.broken(&e))
    }

    /// Keeps two contradicting heads in a file of their own and gives the error that says so.
    pub fn contradiction(&self, found: &Contradiction<'_>) -> Error {
        let alternative = found
            .alternative
            .as_ref()
            .map(|(size, root, proof)| serde_json::json!({ "size": size, "root": root, "consistency": proof }));
        let file = serde_json::json!({
            "format": "claimtrail-contradiction/1",
            "origin": found.origin,
            "found_at": clock::rfc3339(clock::now()),
            "first": String::from_utf8_lossy(found.first),
            "second": String::from_utf8_lossy(found.second),
            "alternative": alternative,
        });
        let name = format!("{}-{}.json", clock::now(), &Hash::of_parts(&[found.first, found.second]).to_string()[..16]);
        let folder = self.folder.join("tampering");
        let path = folder.join(name);
        let kept = files::make_folder(&folder)
            .and_then(|()| files::write(&path, format!("{file:#}\n").as_bytes(), Access::Public, Existing::Keep));
        let place = match kept {
            Ok(()) => format!("both signed heads are kept in {}", path.display()),
            Err(error) => format!("they could not be kept ({error}); here they are:\n{file:#}"),
        };
        Error::not_proven(format!(
            "TAMPERING: a holder of the key of {} signed two histories that cannot both be true; {place}. \
             Do not rely on this log; show the file to its witnesses and monitors",
            found.origin
        ))
    }

    fn heads_path(&self) -> PathBuf {
        self.folder.join("heads.redb")
    }

    /// Opens the file, waiting while another command has it.
    fn open(&self) -> Result<Database, Error> {
        open_database(&self.heads_path(), LOCK_WAIT)
    }

    fn broken(&self, error: &redb::Error) -> Error {
        Error::local(format!(
            "the state in {} cannot be used: {error}; move the file away to begin anew (the log's past is then not remembered)",
            self.heads_path().display()
        ))
    }
}

/// Opens or makes a database that one process at a time holds, waiting at most `wait` for another.
pub fn open_database(path: &Path, wait: Duration) -> Result<Database, Error> {
    let started = Instant::now();
    loop {
        match Database::create(path) {
            Ok(database) => return Ok(database),
            Err(DatabaseError::DatabaseAlreadyOpen) if started.elapsed() < wait => std::thread::sleep(LOCK_POLL),
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                let message = format!("{} is in use by another command; wait for it to end", path.display());
                return Err(Error::local(message));
            }
            Err(error) => return Err(Error::local(format!("{} cannot be opened: {error}", path.display()))),
        }
    }
}

fn usual_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local").join("state")))?;
    Some(base.join("claimtrail"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_head_stays_and_origins_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().join("deep/er"))).unwrap();
        assert_eq!(state.newest("a").unwrap(), None);
        state.remember("a", TreeSize(5), b"five").unwrap();
        state.remember("b", TreeSize(9), b"nine").unwrap();
        state.remember("a", TreeSize(4), b"four").unwrap();
        assert_eq!(state.newest("a").unwrap().as_deref(), Some(b"five".as_slice()));
        state.remember("a", TreeSize(6), b"six").unwrap();
        assert_eq!(state.newest("a").unwrap().as_deref(), Some(b"six".as_slice()));
        assert_eq!(state.newest("c").unwrap(), None);
    }

    #[test]
    fn many_commands_share_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().to_owned())).unwrap();
        std::thread::scope(|scope| {
            for size in 1..=8u64 {
                let state = &state;
                scope.spawn(move || state.remember("a", TreeSize(size), &size.to_be_bytes()).unwrap());
            }
        });
        assert_eq!(state.newest("a").unwrap(), Some(8u64.to_be_bytes().to_vec()));
    }

    #[test]
    fn contradictions_are_kept_and_said_loudly() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().to_owned())).unwrap();
        let found = Contradiction { origin: "log.example", first: b"one", second: b"two", alternative: None };
        let error = state.contradiction(&found);
        assert!(error.message.starts_with("TAMPERING"), "{error}");
        let files: Vec<_> = std::fs::read_dir(folder.path().join("tampering")).unwrap().collect();
        assert_eq!(files.len(), 1);
        let text = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
        assert!(text.contains("\"first\": \"one\"") && text.contains("\"second\": \"two\""), "{text}");
    }
}
