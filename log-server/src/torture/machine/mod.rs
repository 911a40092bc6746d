//! A log's process on a machine that fails: started, used, ended in every way, on this one thread.

mod submit;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proto::claim::ClaimId;
use proto::dsse::Envelope;
use proto::num::LeafIndex;

use super::claims;
use super::ledger::{Ledger, SeenSigner, durable_record};
use super::model::Model;
use super::plan::Plan;
use super::record::RecordPage;
use super::store::WildStore;
use crate::check::{self, Beside, Difference};
use crate::clock::{LogClock, TimeSource as _};
use crate::log::Log;
use crate::sequencer::{Halted, Queue, QueueLimits, Sequencer, run};
use crate::store::Store;
use crate::store::memory::{MemoryStore, Moment};
use crate::testing::{ManualTime, ORIGIN, Silent, constitution, log_keys};

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
pub(in crate::torture) enum End {
    /// It is killed; the machine goes on.
    Killed,
    /// The machine loses its power.
    PowerLost,
}

/// What outlives every process, and the process of the moment.
pub(in crate::torture) struct Machine {
    pub(in crate::torture) plan: Plan,
    pub(in crate::torture) disk: MemoryStore,
    pub(in crate::torture) page: RecordPage,
    pub(in crate::torture) time: ManualTime,
    /// What a right clock would say, in ms since 1970.
    true_ms: u64,
    pub(in crate::torture) ledger: Ledger,
    pub(in crate::torture) sent: BTreeMap<ClaimId, &'static Envelope>,
    store: Option<Arc<WildStore>>,
    /// The machine's wall and monotonic clocks when the process last read them, in ms.
    clock_read: (u64, u64),
    process: Process,
}

/// A machine's disks and what was said, to begin others from.
#[derive(Clone)]
pub(in crate::torture) struct Base {
    moment: Moment,
    record: Vec<u8>,
    model: Model,
    passed_ms: u64,
}

impl Machine {
    /// A machine with empty disks.
    pub(in crate::torture) fn new(seed: u64) -> Machine {
        let (plan, time) = (Plan::new(seed), ManualTime::default());
        let page = RecordPage::new(ORIGIN, plan.clone());
        let (disk, true_ms, ledger) = (MemoryStore::new(ORIGIN), time.wall_ms(), Ledger::new(Model::new()));
        let (sent, clock_read, process) = (BTreeMap::new(), (0, 0), Process::Down);
        Machine { plan, disk, page, time, true_ms, ledger, sent, store: None, clock_read, process }
    }

    /// A machine that goes on from another one.
    pub(in crate::torture) fn from(base: &Base, seed: u64) -> Machine {
        let mut machine = Machine::new(seed);
        machine.disk.rewind(&base.moment);
        machine.page = RecordPage::of(base.record.clone(), machine.plan.clone());
        machine.ledger = Ledger::new(base.model.clone());
        machine.pass(base.passed_ms);
        machine
    }

    /// What others can go on from; the process must be down.
    pub(in crate::torture) fn base(&self) -> Base {
        Base {
            moment: self.disk.moment(),
            record: self.page.durable(),
            model: self.ledger.ask(|model| model.clone()),
            passed_ms: self.true_ms - ManualTime::default().wall_ms(),
        }
    }

    /// Time passes.
    pub(in crate::torture) fn pass(&mut self, ms: u64) {
        self.time.pass(ms);
        self.true_ms += ms;
    }

    /// Somebody sets the clock this far from the right time.
    pub(in crate::torture) fn set_clock(&mut self, ahead_ms: i64) {
        self.time.set_wall(self.true_ms.saturating_add_signed(ahead_ms));
    }

    /// Whether a process runs and can append.
    pub(in crate::torture) fn is_running(&self) -> bool {
        matches!(self.process, Process::Running(_))
    }

    /// Whether there is no process.
    pub(in crate::torture) fn is_down(&self) -> bool {
        matches!(self.process, Process::Down)
    }

    /// Why the sequencer stopped.
    pub(in crate::torture) fn why_halted(&self) -> Option<String> {
        match &self.process {
            Process::Halted(halted) => Some(halted.why().to_string()),
            _ => None,
        }
    }

    /// The store of the process that runs.
    pub(in crate::torture) fn store(&self) -> Option<&Arc<WildStore>> {
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
    pub(in crate::torture) fn start(&mut self) -> Result<(), String> {
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
    pub(in crate::torture) fn found(&mut self) {
        if let Some((store, signer)) = self.begin() {
            let time = Box::new(self.time.clone());
            if let Ok(published) = Log::found(store, Box::new(signer), time, constitution()) {
                self.ledger.show(&published);
            }
        }
        self.end(End::Killed);
    }

    /// Freezes a stopped log as `freeze` does.
    pub(in crate::torture) fn freeze(&mut self) {
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
    pub(in crate::torture) fn rebuild(&mut self) {
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
    pub(in crate::torture) fn end(&mut self, end: End) {
        self.process = Process::Down;
        let Some(store) = self.store.take() else { return };
        match end {
            End::Killed => store.settle(),
            End::PowerLost => {
                store.lose_power();
                self.page.lose_power();
            }
        }
    }

    /// The process is asked to stop while these claims wait: what `serve` does, with the sequencer's own loop.
    pub(in crate::torture) fn stop(&mut self, envelopes: &[&'static Envelope]) {
        let running = if self.is_running() { envelopes } else { &[] };
        let (items, asked) = self.admit(running, None);
        let Process::Running(sequencer) = std::mem::replace(&mut self.process, Process::Down) else {
            return self.end(End::Killed);
        };
        let queue = Queue::new(QueueLimits::default());
        if queue.push(&mut items.into()).is_err() {
            self.ledger.wrong("the queue is full of a few claims");
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

    /// One try to recover, if the sequencer stopped and that may help; else the operator's restart.
    pub(in crate::torture) fn recover(&mut self) {
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

    /// Thins signed heads as the running log does from time to time.
    pub(in crate::torture) fn prune(&mut self) {
        if let (Process::Running(sequencer), Some(store)) = (&self.process, &self.store)
            && let Some(head) = sequencer.head()
            && store.prune_heads(head.time).is_ok()
        {
            self.plan.count("· prunings");
        }
    }

    /// Keeps a fork report as admission does.
    pub(in crate::torture) fn report(&mut self, key: u64) {
        let pair = (key.to_be_bytes().to_vec(), b"a claim that proves a fork".to_vec());
        if let Some(store) = &self.store
            && store.put_report(&pair.0, &pair.1).is_ok()
        {
            self.ledger.ask(|model| model.report(pair.0, pair.1));
        }
    }

    /// The difference that the real `check` finds on the disk; `scratch` is a folder in which it may work.
    pub(in crate::torture) fn check(&self, scratch: &Path) -> Result<Option<Difference>, String> {
        let keys = log_keys();
        let record = Some(durable_record(&self.page));
        let beside = Beside { vkeys: Some((keys.log_vkey(), keys.time_vkey())), record, scratch };
        let store: Arc<dyn Store> = Arc::new(self.disk.reopen());
        let report = check::run(&store, &beside, &Silent).map_err(|error| format!("check failed: {error}"))?;
        Ok(report.difference)
    }
}
