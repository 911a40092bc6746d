//! What the process under test is seen to do: heads that leave the signer, heads that are shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::hash::Hash;

use super::model::{Model, Wrong};
use super::plan::Plan;
use super::record::RecordPage;
use super::store::WildStore;
use crate::clock::ClockJump;
use crate::sequencer::{Events, Halt, Published};
use crate::signer::{FileSigner, HeadSigner, HeadToSign, RecordError, SignError, SignedRecord, SignerRecord};
use crate::testing::{ORIGIN, log_keys};

#[derive(Default)]
struct Inner {
    model: Model,
    wrong: Option<Wrong>,
    published: Option<Published>,
    /// After damage that must never be signed: the first entry of the batch that it is in.
    spoilt_from: Option<u64>,
    damaged: bool,
}

/// The observer; clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Inner>>);

impl Ledger {
    /// Begins with what was said before.
    pub(super) fn new(model: Model) -> Ledger {
        Ledger(Arc::new(Mutex::new(Inner { model, ..Inner::default() })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the model; what is wrong is kept until [`Ledger::verdict`]. Of a damaged log nothing is expected here.
    pub(super) fn see(&self, look: impl FnOnce(&mut Model) -> Result<(), Wrong>) {
        let mut inner = self.inner();
        if !inner.damaged
            && let Err(wrong) = look(&mut inner.model)
        {
            inner.wrong.get_or_insert(wrong);
        }
    }

    /// Asks the model.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&mut Model) -> T) -> T {
        ask(&mut self.inner().model)
    }

    /// Something is wrong, damaged or not.
    pub(super) fn wrong(&self, what: impl Into<Wrong>) {
        self.inner().wrong.get_or_insert(what.into());
    }

    /// The first thing that was wrong.
    pub(super) fn verdict(&self) -> Result<(), Wrong> {
        self.inner().wrong.clone().map_or(Ok(()), Err)
    }

    /// What this process shows.
    pub(super) fn published(&self) -> Option<Published> {
        self.inner().published.clone()
    }

    /// A process begins: it shows nothing yet.
    pub(super) fn begin(&self) {
        self.inner().published = None;
    }

    /// A head is shown.
    pub(super) fn show(&self, published: &Published) {
        self.see(|model| model.shown(published));
        self.inner().published = Some(published.clone());
    }

    /// From here on the log is damaged.
    pub(super) fn damage(&self) {
        self.inner().damaged = true;
    }

    /// A batch is damaged from this entry on, in a way that must be seen before it is signed.
    pub(super) fn spoil_from(&self, first: u64) {
        self.inner().spoilt_from = Some(first);
    }

    fn signed(&self, head: &HeadToSign, note: &str) {
        let mut inner = self.inner();
        if inner.spoilt_from.is_some_and(|first| head.size.0 > first) {
            let what = format!("a head of size {} was signed over damaged entries", head.size);
            inner.wrong.get_or_insert(what);
        }
        if let Err(wrong) = inner.model.signed(head, note)
            && !inner.damaged
        {
            inner.wrong.get_or_insert(wrong);
        }
    }
}

/// The last head signed as the durable bytes of the record say it.
pub(super) fn durable_record(page: &RecordPage) -> Result<Option<SignedRecord>, RecordError> {
    let quiet = RecordPage::of(page.durable(), Plan::new(0));
    Ok(SignerRecord::open_on("record".as_ref(), Box::new(quiet), ORIGIN)?.last())
}

/// The signer of the log, with everything that leaves it seen.
pub(super) struct SeenSigner {
    signer: FileSigner,
    store: Arc<WildStore>,
    page: RecordPage,
    ledger: Ledger,
}

impl SeenSigner {
    /// A process takes up the record.
    pub(super) fn open(store: Arc<WildStore>, page: &RecordPage, ledger: &Ledger) -> Result<SeenSigner, RecordError> {
        let record = SignerRecord::open_on("record".as_ref(), Box::new(page.clone()), ORIGIN)?;
        let signer = FileSigner::over(log_keys(), record);
        Ok(SeenSigner { signer, store, page: page.clone(), ledger: ledger.clone() })
    }
}

impl HeadSigner for SeenSigner {
    fn last(&self) -> Option<HeadToSign> {
        self.signer.last()
    }

    fn sign(&mut self, head: &HeadToSign, proof: &[Hash]) -> Result<String, SignError> {
        let note = self.signer.sign(head, proof)?;
        let durable = self.store.durable_head().map(|head| (head.size, head.root, head.time));
        let recorded = durable_record(&self.page).ok().flatten();
        self.ledger.see(|_| match (durable, recorded) {
            (durable, _) if durable != Some((head.size, head.root, head.time)) => {
                Err(format!("{head:?} was signed, durable is {durable:?}"))
            }
            (_, Some(record)) if (record.size, record.root, record.time) == (head.size, head.root, head.time) => Ok(()),
            (_, record) => Err(format!("{head:?} was signed, the durable record says {record:?}")),
        });
        self.ledger.signed(head, &note);
        Ok(note)
    }
}

impl Events for Ledger {
    fn published(&self, published: Arc<Published>) {
        self.show(&published);
    }

    fn halted(&self, _: &Halt) {}

    fn still_halted(&self, _: &Halt) {}

    fn recovered(&self) {}

    fn clock(&self, _: Option<ClockJump>) {}

    fn batch(&self, _: usize, _: Duration) {}
}
