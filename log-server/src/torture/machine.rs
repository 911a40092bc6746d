//! A log's process on a machine that fails: started, used, ended in every way, on this one thread.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use proto::claim::ClaimId;
use proto::code::Code;
use proto::dsse::Envelope;
use proto::fold::{self, Stop, Submission, check_signatures};
use proto::hash::Hash;
use proto::num::LeafIndex;
use tokio::sync::oneshot;

use super::claims;
use super::ledger::{Ledger, SeenSigner};
use super::model::Model;
use super::plan::Plan;
use super::record::RecordPage;
use super::store::WildStore;
use crate::check::Progress;
use crate::clock::{AHEAD_MS, HOLD_MS, LogClock, TimeSource as _};
use crate::log::Log;
use crate::sequencer::{
    Halt, Halted, Item, Outcome, Published, Queue, QueueLimits, Sequencer, StoredState, Submitted, run,
};
use crate::store::memory::{MemoryStore, Moment};
use crate::store::{Direction, HeadKey, Store, StoreError};
use crate::testing::{ManualTime, ORIGIN, constitution, log_keys};

/// A process that tries to finish a rebuild; more than this many times nothing fails any more.
const REBUILD_TRIES: usize = 5;

/// Where the process is.
enum Process {
    Down,
    Running(Box<Sequencer>),
    Halted(Box<Halted>),
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is killed; the machine goes on.
    Killed,
    /// The machine loses its power.
    PowerLost,
}

/// A claim on its way: what an answer is compared with.
struct Asked {
    id: ClaimId,
    digest: Hash,
    payload: Vec<u8>,
    answer: oneshot::Receiver<Outcome>,
    /// Its digest was spoilt in memory.
    spoilt: bool,
}

/// What outlives every process, and the process of the moment.
pub(super) struct Machine {
    pub(super) plan: Plan,
    pub(super) disk: MemoryStore,
    pub(super) page: RecordPage,
    pub(super) time: ManualTime,
    /// What a right clock would say, in ms since 1970.
    true_ms: u64,
    pub(super) ledger: Ledger,
    pub(super) sent: BTreeMap<ClaimId, &'static Envelope>,
    store: Option<Arc<WildStore>>,
    /// The machine's wall and monotonic clocks when the process last read them, in ms.
    clock_read: (u64, u64),
    process: Process,
}

/// A machine's disks and what was said, to begin others from.
#[derive(Clone)]
pub(super) struct Base {
    moment: Moment,
    record: Vec<u8>,
    model: Model,
    passed_ms: u64,
}

struct Silent;

impl Progress for Silent {
    fn part(&self, _: &'static str, _: u64) {}
    fn done(&self, _: u64) {}
}

impl Machine {
    /// A machine with empty disks.
    pub(super) fn new(seed: u64) -> Machine {
        let (plan, time) = (Plan::new(seed), ManualTime::default());
        let page = RecordPage::new(ORIGIN, plan.clone());
        let (disk, true_ms, ledger) = (MemoryStore::new(ORIGIN), time.wall_ms(), Ledger::new(Model::new()));
        let (sent, clock_read, process) = (BTreeMap::new(), (0, 0), Process::Down);
        Machine { plan, disk, page, time, true_ms, ledger, sent, store: None, clock_read, process }
    }

    /// A machine that goes on from another one.
    pub(super) fn from(base: &Base, seed: u64) -> Machine {
        let mut machine = Machine::new(seed);
        machine.disk.rewind(&base.moment);
        machine.page = RecordPage::of(base.record.clone(), machine.plan.clone());
        machine.ledger = Ledger::new(base.model.clone());
        machine.pass(base.passed_ms);
        machine
    }

    /// What others can go on from; the process must be down.
    pub(super) fn base(&self) -> Base {
        Base {
            moment: self.disk.moment(),
            record: self.page.durable(),
            model: self.ledger.ask(|model| model.clone()),
            passed_ms: self.true_ms - ManualTime::default().wall_ms(),
        }
    }

    /// Time passes.
    pub(super) fn pass(&mut self, ms: u64) {
        self.time.pass(ms);
        self.true_ms += ms;
    }

    /// Somebody sets the clock this far from the right time.
    pub(super) fn set_clock(&mut self, ahead_ms: i64) {
        self.time.set_wall(self.true_ms.saturating_add_signed(ahead_ms));
    }

    /// Whether a process runs and can append.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.process, Process::Running(_))
    }

    /// Whether there is no process.
    pub(super) fn is_down(&self) -> bool {
        matches!(self.process, Process::Down)
    }

    /// Why the sequencer stopped.
    pub(super) fn why_halted(&self) -> Option<String> {
        match &self.process {
            Process::Halted(halted) => Some(halted.why().to_string()),
            _ => None,
        }
    }

    /// The store of the process that runs.
    pub(super) fn store(&self) -> Option<&Arc<WildStore>> {
        self.store.as_ref()
    }

    /// A store and a signer for a process that begins. Nobody starts a log whose store is just being rebuilt.
    fn begin(&mut self) -> Option<(Arc<WildStore>, SeenSigner)> {
        self.plan.revive();
        self.ledger.begin();
        let store = Arc::new(WildStore::open(&self.disk, self.plan.clone()));
        self.store = Some(store.clone());
        let signer = SeenSigner::open(store.clone(), &self.page, &self.ledger).ok()?;
        Some((store, signer))
    }

    /// Starts the log as a server does. What went wrong, if it does not start.
    pub(super) fn start(&mut self) -> Result<(), String> {
        let started = self.try_start();
        if started.is_err() {
            self.end(End::Killed); // a server that does not start ends
        }
        started
    }

    fn try_start(&mut self) -> Result<(), String> {
        let (store, signer) = self.begin().ok_or("the record could not be read")?;
        let head = store.head().map_err(|e| e.to_string())?;
        let last = head.map(|head| head.last_timestamp.max(head.time.millis())).unwrap_or_default();
        let clock = LogClock::start(Box::new(self.time.clone()), last);
        self.clock_read = (self.time.wall_ms(), self.time.monotonic_ms());
        let opened = Sequencer::open(store, Box::new(signer), clock);
        let (sequencer, published) = opened.map_err(|halted| halted.into_why().to_string())?;
        let published = published.ok_or("the log was never founded")?;
        self.ledger.show(&published);
        self.plan.count("· starts");
        self.process = Process::Running(Box::new(sequencer));
        Ok(())
    }

    /// Founds the log as `init` does; founding again is refused by the log, not by us.
    pub(super) fn found(&mut self) {
        if let Some((store, signer)) = self.begin() {
            let time = Box::new(self.time.clone());
            if let Ok(published) = Log::found(store, Box::new(signer), time, constitution()) {
                self.ledger.show(&published);
            }
        }
        self.end(End::Killed);
    }

    /// Freezes a stopped log as `freeze` does.
    pub(super) fn freeze(&mut self) {
        let claim = claims::claims().freeze();
        self.sent.insert(claims::id(claim), claim);
        if let Some((store, signer)) = self.begin() {
            let time = Box::new(self.time.clone());
            let frozen = Log::append_stopped(store, Box::new(signer), time, &log_keys(), claim.clone());
            if let Ok(published) = frozen {
                self.ledger.show(&published);
                let size = published.head.size.0;
                self.ledger.see(|model| model.known(claims::id(claim), LeafIndex(size.saturating_sub(1))));
                self.plan.count("· freezes");
            }
        }
        self.end(End::Killed);
    }

    /// Rebuilds state and rows of a stopped log as `rebuild` does, by as many processes as it takes.
    pub(super) fn rebuild(&mut self) {
        let chances = self.plan.chances();
        for attempt in 0.. {
            if attempt == REBUILD_TRIES {
                self.plan.set(Default::default());
            }
            self.plan.revive();
            let store = Arc::new(WildStore::open(&self.disk, self.plan.clone()));
            self.store = Some(store.clone());
            let store: Arc<dyn Store> = store;
            let rebuilt = crate::cli::rebuild::rebuild(&store, self.plan.coin(), &Silent);
            self.end(End::Killed);
            match rebuilt {
                Ok(_) => break,
                Err(failure) if attempt > REBUILD_TRIES => {
                    self.ledger.wrong(format!("a rebuild without faults: {failure:?}"));
                    break;
                }
                Err(_) => {}
            }
        }
        self.plan.count("· rebuilds");
        self.plan.set(chances);
    }

    /// The process ends without a word.
    pub(super) fn end(&mut self, end: End) {
        self.process = Process::Down;
        let Some(store) = self.store.take() else { return };
        match end {
            End::Killed => store.lose_process(),
            End::PowerLost => {
                store.lose_power();
                self.page.lose_power();
            }
        }
    }

    /// The process is asked to stop while these claims wait: what `serve` does, with the sequencer's own loop.
    pub(super) fn stop(&mut self, envelopes: &[&'static Envelope]) {
        let running = if self.is_running() { envelopes } else { &[] };
        let (items, asked) = self.admit(running, None);
        let Process::Running(sequencer) = std::mem::replace(&mut self.process, Process::Down) else {
            return self.end(End::Killed);
        };
        let queue = Queue::new(QueueLimits::default());
        for item in items {
            if queue.push(item).is_err() {
                self.ledger.wrong("the queue is full of a few claims");
            }
        }
        queue.close();
        run(*sequencer, &queue, &self.ledger.clone());
        self.hear(asked);
        if let Some(store) = &self.store
            && store.close().is_ok()
        {
            self.plan.count("· stops");
        }
        self.end(End::Killed);
    }

    /// Submits claims in one batch. `spoil_bit`: a bit of the last one's digest flips while it waits.
    pub(super) fn submit(&mut self, envelopes: &[&'static Envelope], spoil_bit: Option<usize>) {
        if !self.is_running() {
            return; // whoever asks a log that stopped is told to ask again
        }
        let (items, asked) = self.admit(envelopes, spoil_bit);
        if !items.is_empty() {
            self.append(items);
        }
        self.hear(asked);
    }

    /// The unchanged head is stamped again.
    pub(super) fn stamp(&mut self) {
        self.append(Vec::new());
    }

    fn append(&mut self, items: Vec<Item>) {
        let (ledger, jumped) = (self.ledger.clone(), self.clock_jumped());
        self.process = match std::mem::replace(&mut self.process, Process::Down) {
            Process::Running(sequencer) => match sequencer.append(items, &|published| ledger.show(published)) {
                Ok((sequencer, published)) => {
                    let written = published.is_some();
                    self.plan.count(if written { "· batches" } else { "· batches with nothing to write" });
                    published.iter().for_each(|published| self.is_kept(published));
                    if written && jumped {
                        self.ledger.wrong("the log went on over a jump of its clock");
                    }
                    Process::Running(Box::new(sequencer))
                }
                Err(halted) => {
                    // What the log itself made is always fit to be written, and nobody else writes.
                    if let Halt::NotWritten(error @ (StoreError::Malformed(_) | StoreError::Fence(_))) = halted.why() {
                        self.ledger.see(|_| Err(format!("the log made a batch that no store takes: {error}")));
                    }
                    Process::Halted(Box::new(halted))
                }
            },
            other => other,
        };
    }

    /// Whether the clock jumped so far since the process last read it that no correction explains it: to the bounds of
    /// [`clock`](crate::clock), the time that the log may be holding is added.
    fn clock_jumped(&mut self) -> bool {
        let (wall, monotonic) = (self.time.wall_ms(), self.time.monotonic_ms());
        let (wall_before, monotonic_before) = std::mem::replace(&mut self.clock_read, (wall, monotonic));
        let expected = wall_before + (monotonic - monotonic_before);
        wall > expected + AHEAD_MS + HOLD_MS || wall + HOLD_MS < expected
    }

    /// What is shown was stored before: who sees a head can ask for it again.
    fn is_kept(&self, published: &Published) {
        let key = HeadKey { time: published.head.time, size: published.head.size };
        self.ledger.see(|_| {
            let mut found = false;
            let scanned = self.disk.signed_heads(None, Direction::Backward, &mut |kept| {
                found = kept.key == key && kept.note == published.note;
                ControlFlow::Break(())
            });
            match scanned.is_ok() && found {
                true => Ok(()),
                false => Err(format!("the head of size {} is shown and not stored", key.size)),
            }
        });
    }

    /// One try to recover, if the sequencer stopped and that may help; else the operator's restart.
    pub(super) fn recover(&mut self) {
        self.process = match std::mem::replace(&mut self.process, Process::Down) {
            Process::Halted(halted) if halted.why().is_passing() => match halted.recover() {
                Ok((sequencer, published)) => {
                    self.plan.count("· recoveries");
                    published.iter().for_each(|published| self.ledger.show(published));
                    Process::Running(Box::new(sequencer))
                }
                Err(halted) => Process::Halted(Box::new(halted)),
            },
            Process::Halted(_) => return self.end(End::Killed),
            other => other,
        };
    }

    /// Admission as the log does it before its queue.
    fn admit(&mut self, envelopes: &[&'static Envelope], spoil_bit: Option<usize>) -> (Vec<Item>, Vec<Asked>) {
        let (mut items, mut asked) = (Vec::new(), Vec::new());
        let Some(store) = self.store.clone() else { return (items, asked) };
        for envelope in envelopes {
            self.sent.insert(claims::id(envelope), envelope);
            let Ok(submission) = Submission::from_envelope((*envelope).clone()) else { continue };
            let Some(submitted) = self.check(&store, submission) else { continue };
            let (reply, answer) = oneshot::channel();
            let right = submitted.submission().digest();
            let mut digest = right;
            let spoilt = spoil_bit.filter(|_| std::ptr::eq(*envelope, *envelopes.last().unwrap_or(envelope)));
            if let Some(bit) = spoilt {
                digest.0[bit / 8 % digest.0.len()] ^= 0x80 >> (bit % 8);
            }
            let (id, payload) = (submitted.submission().id(), submitted.submission().payload().to_vec());
            asked.push(Asked { id, digest: right, payload, answer, spoilt: spoilt.is_some() });
            items.push(Item { submitted, digest, reply });
        }
        (items, asked)
    }

    fn check(&self, store: &WildStore, submission: Submission) -> Option<Submitted> {
        let (state, id, digest) = (StoredState(store), submission.id(), submission.digest());
        let known = fold::read::claim(&state, &id).ok()?;
        let shown = self.ledger.published()?.head.size;
        if let Some(index) = known.map(|known| LeafIndex(known.index)).filter(|index| index.is_in(shown)) {
            let entry = store.entry(index).ok()??;
            let same = proto::entry::Entry::decode(&entry).is_ok_and(|entry| entry.payload == submission.payload());
            self.ledger.see(|model| match same {
                true => model.known(id, index),
                false => Err(format!("{id} is known as entry {index}, which is another claim")),
            });
            return None;
        }
        match check_signatures(submission.clone(), &state) {
            Ok(checked) => Some(Submitted::Checked(Box::new(checked))),
            Err(Stop::Refused(refused)) if refused.code == Code::KeyUnknown => {
                Some(Submitted::KeyUnknown(Box::new(submission)))
            }
            Err(Stop::Refused(refused)) => {
                self.ledger.see(|model| model.refused(id, digest, &refused));
                None
            }
            Err(_) => None,
        }
    }

    /// Holds every answer against all that was said before.
    fn hear(&mut self, asked: Vec<Asked>) {
        for Asked { id, digest, payload, mut answer, spoilt } in asked {
            match answer.try_recv() {
                Ok(Outcome::Accepted(accepted)) => {
                    if spoilt {
                        self.ledger.wrong(format!("{id} was accepted although its bytes were spoilt in memory"));
                    }
                    self.plan.count("· claims acknowledged");
                    self.ledger.see(|model| model.accepted(&accepted, digest, &payload));
                }
                Ok(Outcome::Known(index)) => self.ledger.see(|model| model.known(id, index)),
                Ok(Outcome::Refused(refused)) if refused.code == Code::EntryTime => {
                    self.ledger.see(|_| Err(format!("the log's own time refuses {id}: {refused}")));
                }
                Ok(Outcome::Refused(refused)) => self.ledger.see(|model| model.refused(id, digest, &refused)),
                Ok(Outcome::Undecided(_)) => self.plan.count("· claims told to ask again"),
                Err(_) => self.ledger.wrong(format!("{id} was answered with silence")),
            }
        }
    }

    /// Thins signed heads as the running log does from time to time.
    pub(super) fn prune(&mut self) {
        if let (Process::Running(sequencer), Some(store)) = (&self.process, &self.store)
            && let Some(head) = sequencer.head()
            && store.prune_heads(head.time).is_ok()
        {
            self.plan.count("· prunings");
        }
    }

    /// Keeps a fork report as admission does.
    pub(super) fn report(&mut self, key: u64) {
        let pair = (key.to_be_bytes().to_vec(), b"a claim that proves a fork".to_vec());
        if let Some(store) = &self.store
            && store.put_report(&pair.0, &pair.1).is_ok()
        {
            self.ledger.ask(|model| model.report(pair.0, pair.1));
        }
    }

    /// How long a day is for those who wait until old heads are thinned.
    pub(super) const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
}
