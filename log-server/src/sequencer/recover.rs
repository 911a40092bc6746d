//! A sequencer that stopped, and the only way to start it again.

use std::ops::ControlFlow;

use proto::entry::Entry;
use proto::fold::{Stop, Submission, check_signatures};
use proto::merkle::frontier;
use proto::num::{LeafIndex, TreeSize};
use proto::tile::TileTree;

use super::overlay::{Recent, StoredState};
use super::{Core, Published, Sequencer, StoreTiles, leaf};
use crate::signer::SignError;
use crate::store::{Head, StoreError};

/// Why a sequencer stopped.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// It has not started yet.
    #[error("the log is starting")]
    Starting,
    /// The batch was certainly not written.
    #[error("a batch was not written: {0}")]
    NotWritten(#[source] StoreError),
    /// Nobody knows whether the batch was written.
    #[error("the outcome of a write is unknown: {0}")]
    Unknown(#[source] StoreError),
    /// A read or another write failed.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// Stored bytes are not the ones they should be. Nothing was signed over them.
    #[error("stored data contradict each other: {0}; run `check` before anything else")]
    Mismatch(String),
    /// The signer refused.
    #[error(transparent)]
    Signer(#[from] SignError),
    /// The entries name rules that this program does not know.
    #[error("{0}")]
    Rules(String),
}

impl From<Stop<StoreError>> for Halt {
    fn from(stop: Stop<StoreError>) -> Halt {
        match stop {
            Stop::State(error) => Halt::Store(error),
            Stop::UnknownRules(_) => Halt::Rules(stop.to_string()),
            other => Halt::Mismatch(other.to_string()),
        }
    }
}

impl Halt {
    /// Whether trying again may help; if not, only an operator can.
    pub fn is_passing(&self) -> bool {
        matches!(self, Halt::Starting | Halt::NotWritten(_) | Halt::Unknown(_) | Halt::Store(_))
    }
}

/// A sequencer that cannot append.
pub struct Halted {
    core: Core,
    why: Halt,
}

impl Halted {
    pub(super) fn new(core: Core, why: Halt) -> Halted {
        Halted { core, why }
    }

    /// Why it stopped.
    pub fn why(&self) -> &Halt {
        &self.why
    }

    /// Why it stopped, for whoever gives up.
    pub fn into_why(self) -> Halt {
        self.why
    }

    /// Ends the doubt about the last write, re-derives everything since the last signed head from stored bytes, and signs
    /// the committed head: the same text if it was signed before. Publishes it.
    pub fn recover(self) -> Result<(Sequencer, Option<Published>), Halted> {
        let head = match self.core.store.recover() {
            Ok(head) => head,
            Err(error) => return Err(Halted::new(self.core, Halt::Store(error))),
        };
        let tiles = StoreTiles(self.core.store.clone());
        let size = head.map_or(TreeSize(0), |head| head.size);
        let tree = TileTree::new(tiles, size);
        let range = match frontier(&tree, size) {
            Ok(range) => range,
            Err(error) => return Err(Halted::new(self.core, Halt::Mismatch(error.to_string()))),
        };
        let mut sequencer = Sequencer { core: self.core, head, range, tree, recent: Recent::default() };
        match sequencer.resume() {
            Ok(published) => Ok((sequencer, published)),
            Err(halt) => Err(Halted::new(sequencer.core, halt)),
        }
    }
}

impl Sequencer {
    fn resume(&mut self) -> Result<Option<Published>, Halt> {
        let signed = self.core.signer.last().map_or(TreeSize(0), |last| last.size);
        let Some(head) = self.head else {
            return match signed.0 {
                0 => Ok(None),
                _ => Err(Halt::Mismatch(format!("the store is empty, but a head of size {signed} was signed"))),
            };
        };
        if head.size < signed {
            let message = format!("the store has {} entries, but a head of size {signed} was signed", head.size);
            return Err(Halt::Mismatch(format!("{message}; a backup that is too old was restored")));
        }
        if self.range.root() != head.root {
            return Err(Halt::Mismatch("the root derived from the stored tiles is not the committed head's".into()));
        }
        self.check_unsigned(signed, &head)?;
        self.show(signed).map(Some)
    }

    /// Entries that no head was signed over yet: their hashes are the tiles', their signatures verify. What arrived is no
    /// longer known, so the signatures are what tells whether the bytes are the submitted ones.
    fn check_unsigned(&self, signed: TreeSize, head: &Head) -> Result<(), Halt> {
        let mut bad: Option<(LeafIndex, String)> = None;
        let mut state_error = None;
        let state = StoredState(&*self.core.store);
        self.core.store.entries(signed.0..head.size.0, &mut |index, bytes| {
            let place = self.tree.tile_hash(index);
            let entry = Entry::decode(bytes).map_err(|e| e.to_string());
            let verdict = match (place, entry) {
                (Ok(hash), _) if hash != leaf(bytes) => Err("its hash is not the tile's".to_owned()),
                (Err(error), _) => Err(error),
                (_, Err(error)) => Err(error),
                (_, Ok(entry)) => match Submission::from_entry(&entry).map(|found| check_signatures(found, &state)) {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(Stop::State(error))) => {
                        state_error = Some(error);
                        return ControlFlow::Break(());
                    }
                    Ok(Err(stop)) => Err(stop.to_string()),
                    Err(refused) => Err(refused.to_string()),
                },
            };
            match verdict {
                Ok(()) => ControlFlow::Continue(()),
                Err(why) => {
                    bad = Some((index, why));
                    ControlFlow::Break(())
                }
            }
        })?;
        match (state_error, bad) {
            (Some(error), _) => Err(Halt::Store(error)),
            (None, Some((index, why))) => Err(Halt::Mismatch(format!("entry {index}: {why}"))),
            (None, None) => Ok(()),
        }
    }
}

/// A leaf hash out of the tree's tiles.
trait LeafHash {
    fn tile_hash(&self, index: LeafIndex) -> Result<proto::hash::Hash, String>;
}

impl LeafHash for TileTree<StoreTiles> {
    fn tile_hash(&self, index: LeafIndex) -> Result<proto::hash::Hash, String> {
        use proto::merkle::NodeReader as _;
        self.node(0, index.0).map_err(|error| error.to_string())
    }
}
