//! The heads that the answers of a stream name: each is verified, and held against what is remembered of the log.

use proto::receipt::Receipt;

use super::{HeadCache, Item};
use crate::error::{Error, ErrorKind};
use crate::head::{self, Head};
use crate::state::State;
use crate::tiles::HttpTiles;
use crate::trust::Trust;

/// Heads that are held against what is remembered at once: they share the tiles that this takes, and stay below a megabyte.
const HEADS_AT_ONCE: usize = 1000;

/// The heads that the log showed.
pub(super) struct Shown<'a> {
    trust: &'a Trust,
    origin: &'a str,
    tiles: &'a HttpTiles,
    state: &'a State,
    cache: HeadCache<'a>,
    /// Verified, but not yet held against what is remembered.
    fresh: Vec<String>,
    /// The largest of those that were accepted last.
    pub(super) accepted: Option<Head>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(trust: &'a Trust, origin: &'a str, tiles: &'a HttpTiles, state: &'a State) -> Shown<'a> {
        let cache = HeadCache::new(trust, origin);
        Shown { trust, origin, tiles, state, cache, fresh: Vec::new(), accepted: None }
    }

    /// Whether the receipt proves that this envelope is in the log; its head is compared later, with others.
    pub(super) fn check(&mut self, item: &Item, receipt: &Receipt) -> Result<(), Error> {
        if self.cache.check(item, receipt)? {
            self.fresh.push(receipt.checkpoint.clone());
        }
        Ok(())
    }

    /// Compares when there are many.
    pub(super) async fn accept_many(&mut self) -> Result<(), Error> {
        if self.fresh.len() < HEADS_AT_ONCE { Ok(()) } else { self.accept().await }
    }

    /// Compares; what the network does not let us compare now is left for the next time.
    pub(super) async fn accept_if_reached(&mut self) -> Result<(), Error> {
        match self.accept().await {
            Err(error) if matches!(error.kind, ErrorKind::TryLater | ErrorKind::Unreachable) => Ok(()),
            accepted => accepted,
        }
    }

    /// Holds the heads that were shown since the last time against what is remembered.
    pub(super) async fn accept(&mut self) -> Result<(), Error> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        let notes = std::mem::take(&mut self.fresh);
        let (trust, origin) = (self.trust.clone(), self.origin.to_owned());
        let (state, tiles) = (self.state.clone(), self.tiles.clone());
        let accept = move || (head::accept_all(&trust, &origin, &state, &tiles, &notes), notes);
        let (accepted, notes) = tokio::task::spawn_blocking(accept)
            .await
            .map_err(|e| Error::local(format!("the thread that compares heads ended: {e}")))?;
        match accepted {
            Ok(head) => self.accepted = head,
            Err(error) => {
                self.fresh = notes; // for the next try
                return Err(error);
            }
        }
        Ok(())
    }
}
