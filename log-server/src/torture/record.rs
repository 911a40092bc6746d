//! The medium under the signer's record: a page in a cache and what of it is durable.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::plan::{Fate, Plan};
use crate::signer::{Medium, nothing_signed};

#[derive(Debug)]
struct Page {
    /// What a read sees.
    cached: Vec<u8>,
    /// What outlives the loss of power.
    durable: Vec<u8>,
    /// Whether a sync would write the page. After a failed sync systems take the page for clean, though it never arrived.
    dirty: bool,
}

/// A page that outlives processes; clones are the same page.
#[derive(Debug, Clone)]
pub(super) struct RecordPage {
    page: Arc<Mutex<Page>>,
    plan: Plan,
}

impl RecordPage {
    /// The record of an origin that has signed nothing yet.
    pub(super) fn new(origin: &str, plan: Plan) -> RecordPage {
        RecordPage::of(nothing_signed(origin), plan)
    }

    /// A record with these bytes, all durable.
    pub(super) fn of(bytes: Vec<u8>, plan: Plan) -> RecordPage {
        let page = Page { cached: bytes.clone(), durable: bytes, dirty: false };
        RecordPage { page: Arc::new(Mutex::new(page)), plan }
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What would be there after a loss of power.
    pub(super) fn durable(&self) -> Vec<u8> {
        self.page().durable.clone()
    }

    /// The power was lost: of a page that was not synced any beginning may have arrived.
    pub(super) fn lose_power(&self) {
        let mut page = self.page();
        if page.dirty {
            let arrived = self.plan.below(page.cached.len() + 1);
            let Page { cached, durable, .. } = &mut *page;
            durable[..arrived].copy_from_slice(&cached[..arrived]);
        }
        page.cached = page.durable.clone();
        page.dirty = false;
    }
}

fn injected(what: &str) -> io::Error {
    io::Error::other(format!("injected fault: {what}"))
}

impl Medium for RecordPage {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        if self.plan.read_fails("record's read failed") {
            return Err(injected("reading the record"));
        }
        let page = self.page();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = page.cached.get(from..from.saturating_add(bytes.len()));
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let fate = self.plan.record(&[Fate::Lost, Fate::Persisted, Fate::Unsynced], "record write");
        let arrived = match fate {
            Fate::Well | Fate::Persisted | Fate::DiesAfter => bytes.len(),
            Fate::Lost | Fate::Refused | Fate::DiesBefore => 0,
            Fate::Late | Fate::Unsynced => self.plan.below(bytes.len()), // torn
        };
        let mut page = self.page();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let place = page.cached.get_mut(from..from.saturating_add(arrived));
        place.ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(&bytes[..arrived]);
        page.dirty |= arrived > 0;
        if fate == Fate::Well { Ok(()) } else { Err(injected("writing the record")) }
    }

    fn sync_data(&self) -> io::Result<()> {
        let fate = self.plan.record(&[Fate::Lost, Fate::Persisted], "record sync");
        let mut page = self.page();
        if matches!(fate, Fate::Well | Fate::Persisted | Fate::DiesAfter) && page.dirty {
            page.durable = page.cached.clone();
        }
        // Of a process that died before its sync the page is still to be written.
        page.dirty &= fate == Fate::DiesBefore;
        if fate == Fate::Well { Ok(()) } else { Err(injected("syncing the record")) }
    }
}
