//! Hands out the open database to readers, and waits for them when it has to be closed.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocksdb::DB;

use crate::store::error::StoreError;

/// A reader that holds up a recovery or a stop for longer than this is stuck: the wait ends with an error.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(30);

/// What stands behind the gate.
enum Behind {
    Open(Arc<DB>),
    /// Being taken down to be opened again.
    Recovering,
    /// Could not be opened again.
    Broken,
    Closed,
}

struct State {
    behind: Behind,
    readers: usize,
}

/// The one place that owns the open database.
pub(super) struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

/// The right to use the database. It stays open as long as this lives.
pub(super) struct Lease<'a> {
    /// `None` only while being dropped.
    db: Option<Arc<DB>>,
    gate: &'a Gate,
}

/// Why the database was taken down.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Recover,
    Close,
}

impl Gate {
    pub(super) fn new(db: DB) -> Gate {
        Gate { state: Mutex::new(State { behind: Behind::Open(Arc::new(db)), readers: 0 }), left: Condvar::new() }
    }

    /// A lock whose holder panicked: the state is set in single steps and is never half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a reader (or the writer) in. Never waits: a reader may ask again from within a scan.
    pub(super) fn enter(&self) -> Result<Lease<'_>, StoreError> {
        let mut state = self.state();
        let db = match &state.behind {
            Behind::Open(db) => Arc::clone(db),
            Behind::Recovering => return Err(StoreError::Recovering),
            Behind::Broken => return Err(StoreError::NeedsRecovery),
            Behind::Closed => return Err(StoreError::Closed),
        };
        state.readers += 1;
        Ok(Lease { db: Some(db), gate: self })
    }

    /// Lets nobody in any more, waits until all have left, and closes the database. If they do not leave, the gate is open
    /// again and this is an error.
    pub(super) fn take_down(&self, purpose: Purpose) -> Result<(), StoreError> {
        let mut state = self.state();
        if matches!(state.behind, Behind::Closed) {
            return Err(StoreError::Closed);
        }
        let meanwhile = match purpose {
            Purpose::Recover => Behind::Recovering,
            Purpose::Close => Behind::Closed,
        };
        let before = std::mem::replace(&mut state.behind, meanwhile);
        let waited = self.left.wait_timeout_while(state, LEAVE_TIMEOUT, |state| state.readers > 0);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.readers > 0 {
            let message = format!("{} readers did not end within {} s", state.readers, LEAVE_TIMEOUT.as_secs());
            state.behind = before;
            return Err(StoreError::Io(message));
        }
        drop(state);
        // The last owner: this closes the files and frees RocksDB's own lock.
        drop(before);
        Ok(())
    }

    /// Opens the gate again over what a recovery opened; `None` if it failed.
    pub(super) fn put_back(&self, db: Option<DB>) {
        self.state().behind = db.map_or(Behind::Broken, |db| Behind::Open(Arc::new(db)));
    }
}

impl Deref for Lease<'_> {
    type Target = DB;

    fn deref(&self) -> &DB {
        self.db.as_ref().expect("a lease has its database until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // First the share, then the count: who sees no readers must be the last owner.
        self.db = None;
        let mut state = self.gate.state();
        state.readers -= 1;
        if state.readers == 0 {
            self.gate.left.notify_all();
        }
    }
}
