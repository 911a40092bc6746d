//! The sequencer: the one place where claims become entries.
//!
//! It runs on a thread of its own. A batch is whatever queued while the last write ran. For each batch, in this order:
//! decide each claim at its own index → one synced write → read back and compare, re-derive the root → the signer's
//! record, the signature → store the signed head → publish → answer everyone with their proofs.
//!
//! [`Sequencer`] can append. Whatever goes wrong after the decision to write turns it into [`Halted`], which cannot; the
//! only way back is [`Halted::recover`], which runs the same steps from "read back" on. Starting a log is the same.

#![allow(clippy::result_large_err, reason = "a halted sequencer is the whole sequencer; it is moved once per fault")]

mod anchor;
mod answer;
mod batch;
mod overlay;
mod queue;
mod recover;
mod reply;
mod run;
mod tiles;

use std::sync::Arc;

use bytes::Bytes;
use proto::fold::LogRecord;
use proto::hash::Hash;
use proto::merkle::CompactRange;
use proto::tile::TileTree;

pub(crate) use anchor::wrong_anchor;
pub use answer::{Accepted, Item, Outcome, Submitted};
pub(crate) use batch::{ask_again, no_room};
pub use overlay::StoredState;
pub use queue::{Full, Queue, QueueLimits};
pub use recover::{Halt, Halted};
pub use reply::{Answers, Reply};
pub use run::{Events, run};
pub use tiles::StoreTiles;

use crate::clock::LogClock;
use crate::signer::HeadSigner;
use crate::store::{Head, Store};

/// Claims in one batch at most: a batch of this many small claims takes a few milliseconds to write, so nobody waits long
/// behind it.
pub const MAX_BATCH_CLAIMS: usize = 2048;

/// Payload bytes in one batch at most, with the same reason; well below what the store takes in one write.
pub const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

/// What the log shows: the newest head that was signed and stored.
#[derive(Debug, Clone)]
pub struct Published {
    /// Size, root and times.
    pub head: Head,
    /// The signed note.
    pub note: Bytes,
    /// The constitution in force and what is under way.
    pub constitution: LogRecord,
}

/// What a sequencer works on.
struct Core {
    store: Arc<dyn Store>,
    signer: Box<dyn HeadSigner>,
    clock: LogClock,
}

/// A sequencer that can append: the store's head is known, re-derived and signed.
pub struct Sequencer {
    core: Core,
    /// The committed head; `None` before entry 0.
    head: Option<Head>,
    /// The right edge of the tree at that head.
    range: CompactRange,
    /// The tree over stored tiles, for proofs.
    tree: TileTree<StoreTiles>,
    recent: overlay::Recent,
}

impl Sequencer {
    /// Takes up a log: recovery from whatever state its last run left. Publishes the head it finds, if there is one.
    pub fn open(
        store: Arc<dyn Store>,
        signer: Box<dyn HeadSigner>,
        clock: LogClock,
    ) -> Result<(Sequencer, Option<Published>), Halted> {
        Halted::new(Core { store, signer, clock }, Halt::Starting).recover()
    }

    /// The committed head.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Whether the machine's clock is believed.
    pub fn clock(&mut self) -> &mut LogClock {
        &mut self.core.clock
    }
}

/// The leaf hash of stored bytes, computed again at every place where bytes could have changed.
fn leaf(bytes: &[u8]) -> Hash {
    Hash::leaf(bytes)
}
