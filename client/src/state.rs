//! What the client remembers between runs: for each log, the newest head that it verified.
//!
//! It stands in `heads.redb` in the state folder (`$XDG_STATE_HOME/claimtrail`, else `~/.local/state/claimtrail`, or
//! where `--state` says). The file is held open for single reads and writes only, so that several commands can run side
//! by side. Two heads of one log that contradict each other are written to `tampering/` and stay there; heads that nobody
//! could hold against each other, because the log did not serve what would show it, to `unproven/`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proto::hash::Hash;
use proto::num::{LeafIndex, TreeSize};
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

/// Folder of the evidence that a log contradicts itself.
const TAMPERING: &str = "tampering";
/// Folder of heads that could not be held against each other.
const UNPROVEN: &str = "unproven";
/// Files in one of these folders: a log that contradicts itself under a new head a minute does not fill the disk.
const MAX_KEPT: usize = 1000;
/// A file of evidence: two notes, a proof and an entry stay far below this.
const MAX_EVIDENCE_BYTES: usize = 4 << 20;

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
    /// What shows that they contradict each other.
    pub shown_by: ShownBy,
}

/// Why two heads cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownBy {
    /// Another root for the same size, or a later time for a smaller size: the heads themselves show it.
    Heads,
    /// The larger head's tree has this root at the smaller head's size.
    Root {
        /// The smaller head's size.
        size: TreeSize,
        /// The root at that size under the larger head.
        root: Hash,
        /// Leads from that root to the larger head.
        consistency: Vec<Hash>,
    },
    /// An entry of the second head's tree has a time that the first head's time excludes.
    Entry {
        /// Its place.
        index: LeafIndex,
        /// Its bytes.
        entry: Vec<u8>,
        /// Leads from the entry to the second head.
        inclusion: Vec<Hash>,
    },
}

/// Evidence that is kept in the state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The file.
    pub path: PathBuf,
    /// When it was found, RFC 3339.
    pub found_at: String,
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

    /// Remembers a verified head in the place of the one that it was compared with; `false` when another command changed
    /// what is remembered in the meantime, so that the head must be compared again.
    pub fn replace(&self, origin: &str, old: Option<&[u8]>, size: TreeSize, note: &[u8]) -> Result<bool, Error> {
        files::make_folder(&self.folder)?;
        let database = self.open()?;
        let write = || -> Result<bool, redb::Error> {
            let transaction = database.begin_write()?;
            let unchanged = {
                let mut table = transaction.open_table(HEADS)?;
                let unchanged = table.get(origin)?.as_ref().map(|kept| kept.value().1) == old;
                if unchanged {
                    table.insert(origin, (size.0, note))?;
                }
                unchanged
            };
            transaction.commit()?;
            Ok(unchanged)
        };
        write().map_err(|e| self.broken(&e))
    }

    /// Keeps two contradicting heads in a file of their own and gives the error that says so. The same two again are the
    /// same file.
    pub fn contradiction(&self, found: &Contradiction<'_>) -> Error {
        let mut file = serde_json::json!({
            "format": "claimtrail-contradiction/1",
            "origin": found.origin,
            "found_at": clock::rfc3339(clock::now()),
            "first": String::from_utf8_lossy(found.first),
            "second": String::from_utf8_lossy(found.second),
        });
        match &found.shown_by {
            ShownBy::Heads => {}
            ShownBy::Root { size, root, consistency } => {
                file["root"] = serde_json::json!({ "size": size, "root": root, "consistency": consistency });
            }
            ShownBy::Entry { index, entry, inclusion } => {
                let entry = proto::b64::encode(entry);
                file["entry"] = serde_json::json!({ "index": index, "entry": entry, "inclusion": inclusion });
            }
        }
        let place = match self.keep(TAMPERING, &[found.first, found.second], &file) {
            Ok(path) => format!("both signed heads are kept in {}", path.display()),
            Err(error) => format!("they could not be kept ({error}); here they are:\n{file:#}"),
        };
        Error::not_proven(format!(
            "TAMPERING: a holder of the key of {} signed two histories that cannot both be true; {place}. \
             Do not rely on this log; show the file to its witnesses and monitors",
            found.origin
        ))
    }

    /// Keeps a signed head that could not be held against the one seen before, beside that one; where it is, in words.
    pub fn unproven(&self, origin: &str, seen: &[u8], shown: &[u8], why: &str) -> String {
        let file = serde_json::json!({
            "format": "claimtrail-unproven/1",
            "origin": origin,
            "found_at": clock::rfc3339(clock::now()),
            "seen": String::from_utf8_lossy(seen),
            "shown": String::from_utf8_lossy(shown),
            "why": why,
        });
        match self.keep(UNPROVEN, &[seen, shown], &file) {
            Ok(path) => format!("both signed heads are kept in {}", path.display()),
            Err(error) => format!("they could not be kept ({error}); here they are:\n{file:#}"),
        }
    }

    /// The evidence against this log that earlier commands kept, in the order of its files' names.
    pub fn evidence(&self, origin: &str) -> Result<Vec<Evidence>, Error> {
        let folder = self.folder.join(TAMPERING);
        let fail = |e: std::io::Error| Error::local(format!("{} cannot be read: {e}", folder.display()));
        let entries = match std::fs::read_dir(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(fail)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(fail)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let file: serde_json::Value = serde_json::from_slice(&files::read(&path, MAX_EVIDENCE_BYTES)?)
                .map_err(|e| Error::local(format!("{} is no evidence: {e}; move it away", path.display())))?;
            if file["origin"] == origin {
                found.push(Evidence { path, found_at: file["found_at"].as_str().unwrap_or("?").to_owned() });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// The newest verified head of every log, byte for byte.
    pub fn all_newest(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        if !self.heads_path().exists() {
            return Ok(Vec::new());
        }
        let database = self.open()?;
        let read = || -> Result<Vec<(String, Vec<u8>)>, redb::Error> {
            let table = match database.begin_read()?.open_table(HEADS) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                table => table?,
            };
            let mut all = Vec::new();
            for item in table.iter()? {
                let (origin, head) = item?;
                all.push((origin.value().to_owned(), head.value().1.to_vec()));
            }
            Ok(all)
        };
        read().map_err(|e| self.broken(&e))
    }

    /// The files of contradictions and of heads that could not be held against each other.
    pub fn kept_files(&self) -> Result<Vec<PathBuf>, Error> {
        let mut files = Vec::new();
        for folder in [TAMPERING, UNPROVEN] {
            let folder = self.folder.join(folder);
            let fail = |e: std::io::Error| Error::local(format!("{} cannot be read: {e}", folder.display()));
            let entries = match std::fs::read_dir(&folder) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                entries => entries.map_err(fail)?,
            };
            for entry in entries {
                let path = entry.map_err(fail)?.path();
                files.extend(Some(path).filter(|path| path.extension().is_some_and(|extension| extension == "json")));
            }
        }
        files.sort();
        Ok(files)
    }

    /// Writes a file that is named after these notes, unless it is there.
    fn keep(&self, folder: &str, notes: &[&[u8]], file: &serde_json::Value) -> Result<PathBuf, Error> {
        let folder = self.folder.join(folder);
        let path = folder.join(format!("{}.json", &Hash::of_parts(notes).to_string()[..32]));
        files::make_folder(&folder)?;
        if !path.exists() {
            if std::fs::read_dir(&folder).is_ok_and(|entries| entries.count() >= MAX_KEPT) {
                let message = format!("{} has {MAX_KEPT} files already; move them away", folder.display());
                return Err(Error::local(message));
            }
            files::write(&path, format!("{file:#}\n").as_bytes(), Access::Public, Existing::Replace)?;
        }
        Ok(path)
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
    fn a_head_takes_the_place_of_the_one_it_was_compared_with() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().join("deep/er"))).unwrap();
        assert_eq!(state.newest("a").unwrap(), None);
        assert!(state.replace("a", None, TreeSize(5), b"five").unwrap());
        assert!(state.replace("b", None, TreeSize(9), b"nine").unwrap());
        for stale in [None, Some(b"four".as_slice())] {
            assert!(!state.replace("a", stale, TreeSize(6), b"six").unwrap(), "another command was faster");
        }
        assert_eq!(state.newest("a").unwrap().as_deref(), Some(b"five".as_slice()));
        assert!(state.replace("a", Some(b"five"), TreeSize(6), b"six").unwrap());
        assert_eq!(state.newest("a").unwrap().as_deref(), Some(b"six".as_slice()));
        assert_eq!(state.newest("c").unwrap(), None);
    }

    #[test]
    fn of_many_commands_at_once_one_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().to_owned())).unwrap();
        let first = |size: u64| state.replace("a", None, TreeSize(5), &size.to_be_bytes()).unwrap();
        let won: Vec<u64> = std::thread::scope(|scope| {
            let tries: Vec<_> = (1..=8u64).map(|size| scope.spawn(move || first(size).then_some(size))).collect();
            tries.into_iter().filter_map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(won.len(), 1);
        assert_eq!(state.newest("a").unwrap(), Some(won[0].to_be_bytes().to_vec()));
    }

    #[test]
    fn contradictions_are_kept_once_and_said_loudly() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().to_owned())).unwrap();
        assert_eq!(state.evidence("log.example").unwrap(), []);
        let found = Contradiction { origin: "log.example", first: b"one", second: b"two", shown_by: ShownBy::Heads };
        for _ in 0..2 {
            let error = state.contradiction(&found);
            assert!(error.message.starts_with("TAMPERING"), "{error}");
        }
        let kept = state.evidence("log.example").unwrap();
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(state.evidence("other.example").unwrap(), []);
        let text = std::fs::read_to_string(&kept[0].path).unwrap();
        assert!(text.contains("\"first\": \"one\"") && text.contains("\"second\": \"two\""), "{text}");
    }

    #[test]
    fn heads_that_nothing_ties_together_are_kept_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().to_owned())).unwrap();
        let said = state.unproven("log.example", b"seen", b"shown", "no tiles");
        let file = std::fs::read_dir(folder.path().join(UNPROVEN)).unwrap().next().unwrap().unwrap().path();
        assert!(said.contains(&file.display().to_string()), "{said}");
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains("\"seen\": \"seen\"") && text.contains("\"shown\": \"shown\""), "{text}");
        assert_eq!(state.evidence("log.example").unwrap(), [], "it proves nothing");
    }
}
