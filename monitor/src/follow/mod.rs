//! One log followed: what is known of it, and the rounds in which more is learned.
//!
//! ```text
//! head asked ─ signature ─ held against what is known ─▶ heads, findings
//!                                  │ it is larger
//!                                  ▼
//!            tiles tied to its root ─ entries hashed, rules run (client::follow) ─▶ cursor, state, tiles, findings
//!                                  │
//!            the log's own list of heads ─ each held against own leaf hashes ─▶ heads, findings
//! ```

mod ahead;
mod backlog;
mod branch;
mod cosigners;
mod cost;
mod covered;
mod judge;
mod junk;
mod lines;
mod list;
mod news;
mod others;
mod round;
mod run;
mod unread;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use client::Error;
use client::api::Api;
use client::http::Http;
use client::tiles::HttpTiles;
use proto::hash::Hash;
use proto::note::Verifier;
use proto::num::{Millis, Seconds, TreeSize};
use proto::policy::{Checked, WitnessState};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::alert::last_seen::LastSeen;
use crate::config::{LogToFollow, Poll};
use crate::evidence::{Again, EvidenceId};
use crate::finding::{Class, Finding, Open, code};
use crate::store::{Findings, LogStore, UnreadHeads};

pub use cosigners::cosigners;
pub use cost::Spent;
pub use judge::Verdict;
pub(crate) use judge::{fork, fork_name, key_of};
pub use round::{Goes, Round};
pub use run::follow_until;
pub(crate) use unread::Tie;

/// How long a head or a page of heads may take in all: a few kilobytes, or a megabyte over a slow line. A log that takes longer
/// is not there, whatever drips from it.
const SMALL_ANSWER: Duration = Duration::from_secs(15);
/// Names of findings that are remembered as ones of which no file can be made: more than are open at most.
const MOST_GIVEN_UP: usize = 4096;

/// A log and what this monitor knows of it. Everything here may be used from several threads.
pub struct FollowedLog {
    /// As it is configured.
    pub config: LogToFollow,
    /// What is kept.
    pub store: LogStore,
    api: Api,
    /// The same for the log's list of heads, with what it reads counted.
    list_api: Api,
    tiles: HttpTiles,
    threads: usize,
    listed_heads: usize,
    /// Where the last round left the log's own list of heads, if it did not come to its end.
    list_left: Mutex<Option<list::ListLeft>>,
    /// What that list has cost today.
    list_cost: Mutex<cost::Cost>,
    seen: ArcSwap<Seen>,
    backlog: Mutex<backlog::Backlog>,
    witnesses: LastSeen,
    /// How far heads meet the quorum of the trust file.
    covered: Mutex<covered::Covered>,
    /// The keys whose cosignatures are kept.
    cosigners: OnceLock<Vec<Verifier>>,
    /// Told whenever what is known has changed; gossip waits for it.
    pub(crate) changed: Notify,
    /// Findings of which this process could make no file, and would not in the next round either; histories without room.
    given_up: Mutex<BTreeSet<String>>,
    /// Heads that are known to be states of the newest tree, entries unread.
    tied: Mutex<unread::TiedHeads>,
    /// When the last look began that showed the newest head.
    looked_at: Mutex<Option<Millis>>,
    /// When heads were discarded last, or this process began.
    discarded_at: Mutex<Millis>,
    /// Heads without a time that this process keeps.
    timeless: Mutex<BTreeSet<(TreeSize, Hash)>>,
    /// Files that this process could not keep because enough of their kind are.
    without_room: Mutex<BTreeSet<EvidenceId>>,
    /// When findings without a file are tried again.
    pub(crate) again: Mutex<Again>,
}

/// What is shown of a log, as it was after the last round.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Entries that were hashed.
    pub size: TreeSize,
    /// Entries that the rules were run over.
    pub folded: TreeSize,
    /// The newest head that was taken: its size, and the log's time for it.
    pub head: Option<(TreeSize, Option<Seconds>)>,
    /// When a round last succeeded, by this machine's clock.
    pub last_success: Option<Millis>,
    /// Heads that were shown and are not held against the tree yet.
    pub unread: Option<UnreadHeads>,
    /// What is open.
    pub open: Vec<Open>,
    /// Misbehaviour files that are kept, by kind.
    pub evidence: BTreeMap<String, u64>,
    /// Why nothing is cosigned though no file proves it.
    pub forked: Option<String>,
}

impl Seen {
    /// The worst class of what is open and was not acknowledged.
    pub fn worst(&self) -> Option<Class> {
        Open::worst(&self.open)
    }
}

impl FollowedLog {
    /// Takes up what is kept of a log.
    ///
    /// # Errors
    /// When the state is missing, in use or damaged, or was kept under other keys.
    pub fn open(
        config: LogToFollow,
        folder: &std::path::Path,
        poll: &Poll,
        runtime: Handle,
    ) -> Result<Arc<FollowedLog>, Error> {
        let mut store = LogStore::open(folder, &config.origin, config.mirror)?;
        store.watch(config.watches.clone())?;
        let answer = Duration::from_secs(poll.answer_seconds.get());
        let http = Http::via(&config.url, &config.egress)?.with_deadline(Duration::from_secs(poll.retry_seconds.get()));
        let small = http.clone().with_whole_timeout(answer.min(SMALL_ANSWER));
        let meter = Arc::<AtomicU64>::default();
        let (api, list_api) = (Api::new(small.clone()), Api::new(small.with_meter(meter.clone())));
        let most = cost::Most { heads: poll.listed_heads_a_day.get(), bytes: poll.listed_bytes_a_day.get() };
        let list_cost = Mutex::new(cost::Cost::new(store.list_spent()?, most, meter));
        let tiles = HttpTiles::new(http.with_whole_timeout(answer), runtime);
        let (threads, listed_heads) = (poll.threads(), poll.listed_heads.get());
        let silent_after = Duration::from_secs(poll.silent_after_seconds.get());
        let named = config.trust.policy().witnesses().iter().map(|witness| witness.vkey().name().as_str().to_owned());
        let witnesses = LastSeen::new(code::WITNESS, "the witness", silent_after, named);
        let (seen, backlog, given_up) = (ArcSwap::default(), Mutex::default(), Mutex::default());
        let changed = Notify::new();
        let log = FollowedLog {
            config,
            store,
            api,
            list_api,
            tiles,
            threads,
            listed_heads,
            list_left: Mutex::default(),
            list_cost,
            seen,
            backlog,
            witnesses,
            covered: Mutex::default(),
            cosigners: OnceLock::new(),
            changed,
            given_up,
            timeless: Mutex::default(),
            without_room: Mutex::default(),
            tied: Mutex::default(),
            looked_at: Mutex::default(),
            discarded_at: Mutex::new(crate::clock::now()),
            again: Mutex::default(),
        };
        // Who cosigned the newest head that is kept is expected to go on.
        if let Some(newest) = log.newest()? {
            log.saw_witnesses(&newest, crate::clock::now());
        }
        log.take_up_covered()?;
        log.look(None)?;
        Ok(Arc::new(log))
    }

    /// The log.
    pub fn origin(&self) -> &str {
        &self.config.origin
    }

    /// Waits for no answer of the log any more: this monitor stops.
    pub fn wait_no_more(&self) {
        self.tiles.give_up();
    }

    /// What is known, as it was after the last round.
    pub fn seen(&self) -> Arc<Seen> {
        self.seen.load_full()
    }

    /// The newest head that was taken.
    pub(crate) fn newest(&self) -> Result<Option<Checked>, Error> {
        let Some(note) = self.store.newest()? else { return Ok(None) };
        // A line under a key that was not known then, and is none of the log's, does not make what was taken another head.
        let checked = self.config.trust.policy().check(&note).or_else(|e| self.kept_head(&note).ok_or(e)).map_err(|e| {
            Error::local(format!(
                "the head of {} that was taken last is not one under this trust file: {e}. Either the trust file names other \
                 keys than before, or the state is another's",
                self.origin()
            ))
        })?;
        Ok(Some(checked))
    }

    /// The newest head whose entries were all read, byte for byte: what is shown where nothing is cosigned.
    pub fn followed_head(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.followed()?.map(|head| head.checkpoint.to_bytes()))
    }

    /// The newest head that was taken, if its entries were all read.
    pub(crate) fn followed(&self) -> Result<Option<Checked>, Error> {
        let followed = self.store.cursor()?.range.size();
        Ok(self.newest()?.filter(|head| head.checkpoint.size() <= followed))
    }

    /// The newest head of which all entries were read: the newest one that was taken, or the one before it as long as a log
    /// keeps back the entries of the newest.
    pub(crate) fn read_head(&self) -> Result<Option<Checked>, Error> {
        if let Some(followed) = self.followed()? {
            return Ok(Some(followed));
        }
        let Some(note) = self.store.read_head()? else { return Ok(None) };
        // Under a trust file that names other keys now it is no other side for anything.
        Ok(self.known_head(&note))
    }

    /// Why nothing is cosigned though no file is there yet: two histories are known, both signed by the log, and the operator has
    /// not resumed despite that.
    pub fn forked(&self) -> Option<String> {
        self.seen().forked.clone()
    }

    /// Notes who cosigned a head of the log.
    fn saw_witnesses(&self, head: &Checked, now: Millis) {
        let cosigned = head.witnesses.iter().filter(|witness| matches!(witness.state, WitnessState::Cosigned(_)));
        for witness in cosigned {
            self.witnesses.saw(witness.vkey.name().as_str(), now);
        }
    }

    /// Freshness: whether a backlog grows, and who cosigns no more.
    fn judge_freshness(&self, head: &Checked, now: Millis, findings: &mut Findings) -> Result<(), Error> {
        self.saw_witnesses(head, now);
        self.witnesses.judge(now, &self.seen().open, findings);
        let read = self.store.cursor()?.range.size();
        let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        backlog.round(head.checkpoint.size(), read).into_iter().for_each(|finding| findings.push(finding));
        Ok(())
    }

    /// The log's tiles.
    pub(crate) fn tiles(&self) -> &HttpTiles {
        &self.tiles
    }

    /// No file can be made of the finding of this name, as far as this program knows.
    pub(crate) fn give_up(&self, name: &str) {
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        // Findings that are open are bounded; those that come and go must not add up.
        if given_up.len() >= MOST_GIVEN_UP {
            given_up.clear();
        }
        given_up.insert(name.to_owned());
    }

    pub(crate) fn is_given_up(&self, name: &str) -> bool {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// A round could not be ended, so that what is kept is not what it should be; shown until one can.
    pub(crate) fn look_failed(&self, message: &str, now: Millis) {
        let finding = Finding::new(Class::Degraded, code::OWN, message).named("round");
        let seen = self.seen.load();
        let before = seen.open.iter().find(|open| open.finding.id == finding.id);
        let since = before.map_or(now, |open| open.since);
        let mut now = (**seen).clone();
        now.open.retain(|open| open.finding.id != finding.id);
        now.open.push(Open::new(since, finding));
        self.seen.store(Arc::new(now));
    }

    /// Whether this monitor fails to follow the log, by its own fault.
    pub fn is_failing(&self) -> bool {
        self.seen.load().open.iter().any(|open| open.finding.code == code::OWN)
    }

    /// Reads anew what is shown.
    pub(crate) fn look(&self, success: Option<Millis>) -> Result<(), Error> {
        let (cursor, newest) = (self.store.cursor()?, self.newest()?);
        self.seen.store(Arc::new(Seen {
            size: cursor.range.size(),
            folded: cursor.folded,
            unread: self.store.unread_heads(newest.as_ref().map_or(TreeSize(0), |head| head.checkpoint.size()))?,
            head: newest.map(|head| (head.checkpoint.size(), head.log_time)),
            last_success: success.or(self.seen.load().last_success),
            open: self.store.open_findings()?,
            evidence: self.store.evidence_counts()?,
            forked: self.store.unproven_fork()?,
        }));
        self.changed.notify_one();
        Ok(())
    }
}

impl std::fmt::Debug for FollowedLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FollowedLog").field("origin", &self.origin()).finish_non_exhaustive()
    }
}
