//! Steps made durable on a thread of their own: while one is written, the entries of the next are read and judged.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

use proto::hash::Hash;

use super::state::Changed;
use super::{Cursor, Kv, Remark, Step, Taken};
use crate::error::Error;

/// A step on its way to the store.
pub(super) struct Sealed {
    pub(super) cursor: Cursor,
    pub(super) state: Changed,
    pub(super) bundles: Vec<Taken>,
    pub(super) nodes: Vec<(u8, u64, Hash)>,
    pub(super) remarks: Vec<Remark>,
}

impl Sealed {
    fn commit<K: Kv>(&self, kv: &K) -> Result<(), Error> {
        let mut state: Vec<_> = self.state.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
        state.sort_unstable();
        let Sealed { cursor, bundles, nodes, remarks, .. } = self;
        kv.commit(&Step { cursor, state, bundles, nodes, remarks })
    }
}

/// The thread that writes. At most one step is on its way, so they become durable in their order.
pub(super) struct Commits {
    steps: Sender<Sealed>,
    done: Receiver<Result<(), Error>>,
    under_way: bool,
}

impl Commits {
    /// Begins the thread, which ends when this value is dropped.
    pub(super) fn begin<'scope, K: Kv>(scope: &'scope Scope<'scope, '_>, kv: &'scope K) -> Commits {
        let (steps, sealed) = channel::<Sealed>();
        let (report, done) = channel();
        scope.spawn(move || {
            for step in sealed {
                let result = step.commit(kv);
                drop(step); // the fold takes its changes over without a copy
                let failed = result.is_err();
                if report.send(result).is_err() || failed {
                    return;
                }
            }
        });
        Commits { steps, done, under_way: false }
    }

    /// Waits until nothing is under way; whether a step was.
    pub(super) fn settle(&mut self) -> Result<bool, Error> {
        if !std::mem::take(&mut self.under_way) {
            return Ok(false);
        }
        self.done.recv().map_err(|_| ended())??;
        Ok(true)
    }

    /// Sends the next step on its way; the one before must be settled.
    pub(super) fn send(&mut self, step: Sealed) -> Result<(), Error> {
        self.steps.send(step).map_err(|_| ended())?;
        self.under_way = true;
        Ok(())
    }
}

fn ended() -> Error {
    Error::local("the thread that keeps what was followed ended early")
}
