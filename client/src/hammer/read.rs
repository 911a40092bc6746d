//! The readers: tiles, bundles, the newest head, receipts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use proto::num::TreeSize;
use proto::tile::{BundleId, TILE_WIDTH, TileId};

use super::caller::Caller;
use super::check::{Job, Of};
use super::options::Read;
use super::pace::Ticket;
use super::random::Random;
use super::shared::Shared;
use super::tally::Kind;

/// A connection that reads.
struct Reader {
    shared: Arc<Shared>,
    caller: Caller,
    random: Random,
}

impl Reader {
    fn new(shared: Arc<Shared>, seed: u64, lane: usize, place: usize) -> Reader {
        let caller = Caller::new(shared.clone(), lane);
        Reader { shared, caller, random: Random::at(seed, place as u64) }
    }
}

/// Reads tiles, bundles and heads in turn, as long as there are tickets.
pub(super) async fn tiles(shared: Arc<Shared>, seed: u64, lane: usize, place: usize) {
    let mut reader = Reader::new(shared.clone(), seed, lane, place);
    let reads = shared.options.reads.clone();
    for turn in place.. {
        let Some(ticket) = shared.reads.next().await else { return };
        let done = match reads[turn % reads.len()] {
            Read::Tile => reader.tile(ticket).await,
            Read::Bundle => reader.bundle(ticket).await,
            Read::Newest => reader.newest(ticket).await,
        };
        if done.is_none() {
            return;
        }
    }
}

/// Asks for receipts of random claims that the log had at the beginning.
pub(super) async fn receipts(shared: Arc<Shared>, seed: u64, lane: usize, place: usize) {
    let mut reader = Reader::new(shared.clone(), seed, lane, place);
    while let Some(ticket) = shared.reads.next().await {
        let at = usize::try_from(reader.random.below(shared.known.len() as u64)).unwrap_or(0);
        let request = shared.options.target.get(&format!("/v1/claims/{}/receipt", shared.known[at].id));
        let Some(answer) = reader.caller.call(Kind::Receipt, &request, ticket.intended).await else { return };
        if answer.is_good() && shared.sampler.takes() {
            let receipt = reader.caller.body(&answer).to_vec();
            shared.check(Job::Receipt { of: Of::Known(at), receipt }).await;
        }
    }
}

impl Reader {
    /// Gets a path; the body if it came and is to be verified.
    async fn get(&mut self, kind: Kind, path: &str, intended: Instant) -> Option<Option<Vec<u8>>> {
        let request = self.shared.options.target.get(path);
        let answer = self.caller.call(kind, &request, intended).await?;
        let verified = answer.is_good() && self.shared.sampler.takes();
        Some(verified.then(|| self.caller.body(&answer).to_vec()))
    }

    fn size(&self) -> TreeSize {
        TreeSize(self.shared.size.load(Ordering::Relaxed))
    }

    /// A full tile's number, or that of the only partial one in a small log.
    fn somewhere(&mut self) -> u64 {
        let full = self.size().0 / u64::from(TILE_WIDTH);
        self.random.below(full.max(1))
    }

    async fn tile(&mut self, ticket: Ticket) -> Option<()> {
        let index = self.somewhere();
        let id = TileId::at(0, index, self.size())?;
        let body = self.get(Kind::Tile, &id.to_string(), ticket.intended).await?;
        if let Some(body) = body {
            self.shared.check(Job::Tile { id, body }).await;
        }
        Some(())
    }

    async fn bundle(&mut self, ticket: Ticket) -> Option<()> {
        let index = self.somewhere();
        let id = BundleId::at(index, self.size())?;
        let body = self.get(Kind::Bundle, &id.to_string(), ticket.intended).await?;
        if let Some(body) = body {
            self.shared.check(Job::Bundle { id, body }).await;
        }
        Some(())
    }

    /// The newest head, then where its last entry is. The second and third request begin when the one before is done.
    async fn newest(&mut self, ticket: Ticket) -> Option<()> {
        let request = self.shared.options.target.get("/checkpoint");
        let answer = self.caller.call(Kind::Checkpoint, &request, ticket.intended).await?;
        let note = self.caller.body(&answer).to_vec();
        let Some(size) = size_of(&note).filter(|_| answer.is_good()) else { return Some(()) };
        self.shared.size.fetch_max(size.0, Ordering::Relaxed);
        if self.shared.sampler.takes() {
            self.shared.check(Job::Head { note }).await;
        }
        let last = size.0.saturating_sub(1) / u64::from(TILE_WIDTH);
        if let Some(id) = TileId::at(0, last, size)
            && let Some(body) = self.get(Kind::NewestTile, &id.to_string(), Instant::now()).await?
        {
            self.shared.check(Job::Tile { id, body }).await;
        }
        if let Some(id) = BundleId::at(last, size)
            && let Some(body) = self.get(Kind::NewestBundle, &id.to_string(), Instant::now()).await?
        {
            self.shared.check(Job::Bundle { id, body }).await;
        }
        Some(())
    }
}

/// The size in the second line of a head that is not verified.
pub(super) fn size_of(note: &[u8]) -> Option<TreeSize> {
    let line = std::str::from_utf8(note).ok()?.lines().nth(1)?;
    proto::num::parse_decimal(line).ok().map(TreeSize)
}
