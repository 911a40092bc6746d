//! What is kept of one log: one redb database, in which every step is one transaction.
//!
//! | table | what it holds |
//! |---|---|
//! | `meta` | the origin, a name that no other state has, the cursor, the newest head that was taken |
//! | `state` | the fold's state |
//! | `times` | the times of entries, a bundle each |
//! | `tiles` | leaf hashes and what tiles hold above them |
//! | `bundles` | the entries themselves, if the log is mirrored |
//! | `heads` | every signed head with all its signatures, thinned after a day |
//! | `heads-unread` | those that were shown and could not be held against the tree yet |
//! | `open` | findings that are open |
//! | `events`, `flaps` | their beginnings and ends, and what watch lists matched, numbered; which of them come and go |
//! | `watched` | payloads of claims that a watch is about |
//! | `gossip-…` | heads that wait, statements, what peers have |
//! | `cosigned-by` | the highest cosigned head of each witness that is known here |
//! | `cosigned-lines` | further ones of the trust file's witnesses, which may contradict each other |
//! | `evidence` | misbehaviour files, numbered, each once |
//! | `branches` | leaf hashes of histories that contradict this one |
//!
//! A database is made by an explicit act only. One that is missing is never made anew on the way: what it knew of the log's
//! past would be gone without a word.

pub(crate) mod acknowledge;
mod branches;
mod cosigned;
mod evidence;
pub(crate) mod findings;
mod forks;
mod gossip;
mod heads;
mod life;
mod lines;
mod owed;
mod refused;
mod room;
mod statements;
mod stopped;
mod stops;
mod tiles;
mod unread;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::Error;
use client::database::Reopening;
use client::follow::{Cursor, Judged, Kv, Reading, Remark, Step, Stopped, decode_range, encode_range, encode_times};
use proto::hash::Hash;
use proto::num::{Millis, TreeSize};
use redb::{Database, TableDefinition, WriteTransaction};

use crate::evidence::{EvidenceId, NewEvidence, Stop, Stored};
use crate::follow::Spent;

pub use branches::{Branch, MOST_BRANCH_LEAVES};
pub use findings::Findings;
pub use gossip::{GossipStep, KeptStatement, KeptWaiting, MOST_STATEMENTS_OF_ONE};
pub use heads::{HeadKey, KeptHead};
pub use lines::LineChange;
pub use tiles::StoredTiles;
pub use unread::{MOST_UNREAD, Unread, UnreadHeads};

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const STATE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("state");
const TIMES: TableDefinition<u64, &[u8]> = TableDefinition::new("times");

const ORIGIN: &str = "origin";
const RANGE: &str = "range";
const FOLDED: &str = "folded";
const STOPPED: &str = "stopped";
/// Where the rules stopped in an earlier run, until they come past it.
const WAS_STOPPED: &str = "was-stopped";
const HEAD: &str = "head";
/// The newest head all of whose entries were read when a larger one took its place.
const READ_HEAD: &str = "read-head";
const HEADS_FROM: &str = "heads-from";
/// What that list has cost today.
const LIST_SPENT: &str = "list-spent";
const THINNED: &str = "thinned";

/// How long to wait for a database that another command holds, such as one that just ends.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The database of one log.
pub struct LogStore {
    database: Arc<Reopening>,
    path: PathBuf,
    origin: String,
    life: String,
    mirror: bool,
    state: Reading,
    watching: watched::Watching,
    stop: Arc<Stop>,
    owed: owed::Owed,
}

/// What is made durable together besides a step of following.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    /// Findings that begin and end.
    pub findings: Findings,
    /// Signed heads.
    pub heads: Vec<KeptHead<'a>>,
    /// The newest head that was taken.
    pub newest: Option<&'a [u8]>,
    /// The one whose place it takes, if all its entries were read.
    pub read_head: Option<&'a [u8]>,
    /// The largest head that met the quorum.
    pub covered: Option<&'a [u8]>,
    /// The time up to which the log's own list of heads was read.
    pub heads_from: Option<u64>,
    /// What that list has cost today.
    pub list_spent: Option<Spent>,
    /// What changes in gossip.
    pub gossip: GossipStep,
    /// Misbehaviour files. A new one that no finding of the batch names begins a finding of its own.
    pub evidence: Vec<NewEvidence>,
}

/// The name of an origin in file names and paths: the first half of its hash in hex.
fn short(origin: &str) -> String {
    Hash::of(origin.as_bytes()).to_string()[..32].to_owned()
}

impl LogStore {
    /// Where the database of an origin is.
    pub fn path_in(folder: &Path, origin: &str) -> PathBuf {
        folder.join(format!("{}.redb", short(origin)))
    }

    /// Makes the database of a log that was never followed; one that is there stays, and is an error.
    pub fn create(folder: &Path, origin: &str) -> Result<(), Error> {
        client::files::make_folder(folder)?;
        let path = LogStore::path_in(folder, origin);
        if path.exists() {
            return Err(Error::local(format!("{} is there already: {origin} is followed", path.display())));
        }
        // Made beside its place, so that a database under its name is always whole.
        let begun = path.with_extension("redb.new");
        let life = life::new()?;
        let make = || -> Result<(), redb::Error> {
            let database = Database::create(&begun)?;
            let transaction = database.begin_write()?;
            {
                transaction.open_table(META)?.insert(ORIGIN, origin.as_bytes())?;
                life::make(&transaction, &life)?;
                transaction.open_table(STATE)?;
                transaction.open_table(TIMES)?;
                tiles::make(&transaction)?;
                heads::make(&transaction)?;
                findings::make(&transaction)?;
                gossip::make(&transaction)?;
                evidence::make(&transaction)?;
                branches::make(&transaction)?;
                cosigned::make(&transaction)?;
                lines::make(&transaction)?;
            }
            Ok(transaction.commit()?)
        };
        make().map_err(|e| Error::local(format!("{} cannot be made: {e}", begun.display())))?;
        let named = std::fs::rename(&begun, &path).and_then(|()| std::fs::File::open(folder)?.sync_all());
        named.map_err(|e| Error::local(format!("{} cannot be made: {e}", path.display())))
    }

    /// Whether another process holds the database of a log now.
    pub fn is_held(folder: &Path, origin: &str) -> bool {
        let file = std::fs::File::open(LogStore::path_in(folder, origin));
        // As long as a database is open, its file is locked.
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
    }

    /// Opens the database of a log; it must be there and be this log's.
    pub fn open(folder: &Path, origin: &str, mirror: bool) -> Result<LogStore, Error> {
        let path = LogStore::path_in(folder, origin);
        if !path.exists() {
            return Err(Error::local(format!("there is no state of {origin}: {} is missing", path.display())));
        }
        let database = Arc::new(Reopening::open(&path, LOCK_WAIT)?);
        let new_life = life::new()?;
        let check = || -> Result<(Vec<u8>, String, Reading, Stop), redb::Error> {
            // One that was made before there was evidence or gossip has no tables for it, and perhaps no name.
            let life = database.write(|transaction| {
                evidence::make(transaction)?;
                branches::make(transaction)?;
                cosigned::make(transaction)?;
                lines::make(transaction)?;
                gossip::make(transaction)?;
                life::make(transaction, &new_life)
            })?;
            let transaction = database.begin_read()?;
            let table = transaction.open_table(META)?;
            let found = table.get(ORIGIN)?.map(|value| value.value().to_vec()).unwrap_or_default();
            let stop = Stop::new(evidence::stops(&transaction)?);
            Ok((found, life, Reading::open(Arc::clone(&database), STATE)?, stop))
        };
        let (found, life, state, stop) = check().map_err(|e| broken(&path, &e))?;
        if found != origin.as_bytes() {
            let found = String::from_utf8_lossy(&found).into_owned();
            return Err(Error::local(format!("{} is the state of {found:?}, not of {origin}", path.display())));
        }
        let watching = watched::Watching::default();
        let stop = Arc::new(stop);
        let (origin, owed) = (origin.to_owned(), owed::Owed::default());
        Ok(LogStore { database, path, origin, life, mirror, state, watching, stop, owed })
    }

    /// The log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What tells this state from one that was made anew.
    pub fn life(&self) -> &str {
        &self.life
    }

    /// Whether entries are kept and served.
    pub fn is_mirror(&self) -> bool {
        self.mirror
    }

    /// How far this log was followed.
    pub fn cursor(&self) -> Result<Cursor, Error> {
        let damaged = |what: &str| broken(&self.path, &format!("its {what} is damaged"));
        let range = match self.meta(RANGE)? {
            Some(bytes) => decode_range(&bytes).ok_or_else(|| damaged("compact range"))?,
            None => return Ok(Cursor::default()),
        };
        let folded = self.number(FOLDED)?.ok_or_else(|| damaged("cursor"))?;
        let stopped = match self.meta(STOPPED)? {
            Some(text) => Some(serde_json::from_slice::<Stopped>(&text).map_err(|_| damaged("cursor"))?),
            None => None,
        };
        Ok(Cursor { range, folded: TreeSize(folded), stopped })
    }

    /// The newest head that was taken, byte for byte.
    pub fn newest(&self) -> Result<Option<Vec<u8>>, Error> {
        self.meta(HEAD)
    }

    /// Whether evidence ends cosigning of this log; shared with whoever cosigns.
    pub fn stop(&self) -> &Arc<Stop> {
        &self.stop
    }

    /// All of it in one transaction; `covered` are files that the operator's act covers (`stops.rs`).
    fn commit_all(&self, batch: &Batch<'_>, covered: &[EvidenceId], now: Millis) -> Result<Vec<Stored>, Error> {
        self.write(|transaction| {
            let (stored, findings) = evidence::insert(transaction, batch, (&self.stop.resumed(), covered), now)?;
            findings::apply(transaction, &self.origin, &findings, now)?;
            heads::insert(transaction, &batch.heads)?;
            gossip::apply(transaction, &batch.gossip)?;
            let mut meta = transaction.open_table(META)?;
            if let Some(note) = batch.newest {
                meta.insert(HEAD, note)?;
            }
            if let Some(note) = batch.read_head {
                meta.insert(READ_HEAD, note)?;
            }
            if let Some(note) = batch.covered {
                meta.insert(heads::COVERED, note)?;
            }
            if let Some(until) = batch.heads_from {
                meta.insert(HEADS_FROM, until.to_be_bytes().as_slice())?;
            }
            if let Some(spent) = batch.list_spent {
                meta.insert(LIST_SPENT, spent.to_bytes().as_slice())?;
            }
            Ok(stored)
        })
    }

    /// Lets the rules begin again where they stopped: a newer program may know more of them.
    pub fn try_rules_again(&self) -> Result<(), Error> {
        self.write(|transaction| {
            let mut meta = transaction.open_table(META)?;
            let stopped = meta.remove(STOPPED)?.map(|value| value.value().to_vec());
            if let Some(stopped) = stopped {
                meta.insert(WAS_STOPPED, stopped.as_slice())?;
            }
            Ok(())
        })
    }

    fn was_stopped(&self) -> Result<Option<Stopped>, Error> {
        let damaged = |e: serde_json::Error| broken(&self.path, &e);
        self.meta(WAS_STOPPED)?.map(|text| serde_json::from_slice(&text).map_err(damaged)).transpose()
    }

    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.read(|transaction| Ok(transaction.open_table(META)?.get(name)?.map(|value| value.value().to_vec())))
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Error> {
        Ok(self.meta(name)?.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes))
    }

    fn read<T>(&self, work: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>) -> Result<T, Error> {
        self.database.read(work).map_err(|e| broken(&self.path, &e))
    }

    fn write<T>(&self, work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>) -> Result<T, Error> {
        self.database.write(work).map_err(|e| broken(&self.path, &e))
    }
}

impl Kv for LogStore {
    fn state(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.state.get(key).map_err(|e| broken(&self.path, &e))
    }

    fn times(&self, bundle: u64) -> Result<Option<Vec<u8>>, Error> {
        self.read(|transaction| Ok(transaction.open_table(TIMES)?.get(bundle)?.map(|value| value.value().to_vec())))
    }

    fn judged(&self, judged: &Judged<'_>) -> Result<Option<Remark>, Error> {
        self.remark(judged)
    }

    /// The step, the finding it may end with, and what watches matched, in one transaction.
    fn commit(&self, step: &Step<'_>) -> Result<(), Error> {
        let was = self.was_stopped()?;
        let findings = match (&step.cursor.stopped, &was) {
            (Some(stopped), _) => Findings::begin(vec![stopped::finding(stopped)]),
            // A newer program came past the entry: what was found there is over.
            (None, Some(was)) if was.index < step.cursor.folded.0 => Findings::end(&stopped::finding(was).id),
            (None, _) => Findings::default(),
        };
        let noted = watched::read(step.remarks).map_err(|e| broken(&self.path, &e))?;
        let kept: Vec<String> = noted.iter().map(|one| one.id.clone()).collect();
        let bundles = step.bundles.iter().filter(|taken| self.mirror && !taken.entries.is_empty());
        let encoded: Vec<(u64, Vec<u8>)> = bundles
            .map(|taken| Ok((taken.bundle, tiles::kept_bundle(&taken.entries).map_err(|e| broken(&self.path, &e))?)))
            .collect::<Result<_, Error>>()?;
        self.write(|transaction| {
            {
                let mut state = transaction.open_table(STATE)?;
                for (key, value) in &step.state {
                    state.insert(*key, *value)?;
                }
                let mut times = transaction.open_table(TIMES)?;
                for taken in step.bundles {
                    times.insert(taken.bundle, encode_times(&taken.times).as_slice())?;
                }
                let mut meta = transaction.open_table(META)?;
                meta.insert(RANGE, encode_range(&step.cursor.range).as_slice())?;
                meta.insert(FOLDED, step.cursor.folded.0.to_be_bytes().as_slice())?;
                match &step.cursor.stopped {
                    Some(stopped) => {
                        let text = serde_json::to_vec(stopped).map_err(std::io::Error::other)?;
                        meta.insert(STOPPED, text.as_slice())?;
                    }
                    None => _ = meta.remove(STOPPED)?,
                }
                if was.is_some_and(|was| was.index < step.cursor.folded.0) {
                    meta.remove(WAS_STOPPED)?;
                }
            }
            tiles::insert(transaction, step.nodes)?;
            tiles::insert_bundles(transaction, &encoded)?;
            let now = crate::clock::now();
            let matches = watched::insert(transaction, noted)?;
            findings::matched(transaction, &self.origin, matches, now)?;
            findings::apply(transaction, &self.origin, &findings, now)
        })?;
        self.watching.committed(&kept);
        self.state.renew().map_err(|e| broken(&self.path, &e))
    }
}

fn broken(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::local(format!(
        "the monitor's state {} cannot be used: {error}. If the disk is full or not writable, mend that; the monitor goes on by \
         itself. If the file is damaged, stop the monitor, keep the file, and restore one from a backup; to begin anew from \
         entry 0 run `claimtrail-monitor follow --again`",
        path.display()
    ))
}

#[cfg(test)]
mod tests;
