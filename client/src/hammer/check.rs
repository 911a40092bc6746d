//! Verifies answers while the load runs, on a thread of its own, and at the end whether all that was acknowledged is in
//! the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::hash::Hash;
use proto::merkle::NodeReader as _;
use proto::num::TreeSize;
use proto::policy::Checked;
use proto::receipt::Receipt;
use proto::tile::{Bundle, BundleId, ExpandedTile, TILE_HEIGHT, TILE_WIDTH, TileId, VerifiedTree};
use tokio::sync::mpsc;

use super::claims::Claims;
use crate::api::Api;
use crate::error::{Error, ErrorKind};
use crate::head;
use crate::submit::{HeadCache, Item};
use crate::tiles::{HttpTiles, HttpTree, tree_error};
use crate::trust::Trust;

/// Answers that wait to be verified; a connection whose answer finds no room waits.
pub(super) const JOBS: usize = 256;
/// Failures whose texts are kept.
const KEPT_TEXTS: usize = 10;
/// How long a log may take to publish a head that covers what it answered: one that asks witnesses publishes what they
/// cosigned, at most once a second and not before the slowest one that it needs.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// How often a log that lags behind is asked for a newer head.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Something to verify.
#[derive(Debug)]
pub(super) enum Job {
    Receipt { of: Of, receipt: Vec<u8> },
    Head { note: Vec<u8> },
    Tile { id: TileId, body: Vec<u8> },
    Bundle { id: BundleId, body: Vec<u8> },
}

/// Which claim a receipt should be of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    /// The one of this number among those that were signed.
    Sent(u64),
    /// The one at this place among those that the log had before.
    Known(usize),
}

/// What verification found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Answers that were verified.
    pub checked: u64,
    /// Those that do not prove what they should; and acknowledged entries that the log's tree does not have.
    pub failed: u64,
    /// Those that could not be verified because the server was out of reach.
    pub unchecked: u64,
    /// Acknowledged entries that were found in the tree of the newest head after the run.
    pub in_tree: u64,
    /// What was wrong, of the first ones.
    pub texts: Vec<String>,
}

impl Verified {
    /// Whether something was to be verified and nothing could be.
    pub fn is_empty_handed(&self) -> bool {
        self.unchecked > 0 && self.checked + self.failed + self.in_tree == 0
    }
}

/// The thread's state.
pub(super) struct Checker {
    pub(super) trust: Trust,
    origin: String,
    pub(super) api: Api,
    pub(super) tiles: HttpTiles,
    pub(super) claims: Option<Arc<Claims>>,
    pub(super) known: Arc<Vec<Item>>,
    tree: Option<HttpTree>,
    acknowledged: Vec<(u64, Hash)>,
    verified: Verified,
}

impl Checker {
    /// For the log of this origin that is believed under `trust`.
    pub(super) fn new(trust: Trust, origin: String, api: Api, tiles: HttpTiles) -> Checker {
        let (known, acknowledged, verified) = (Arc::default(), Vec::new(), Verified::default());
        Checker { trust, origin, api, tiles, claims: None, known, tree: None, acknowledged, verified }
    }

    /// Verifies until there is no more to verify, then whether everything acknowledged is in the tree.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> Verified {
        let (trust, origin) = (self.trust.clone(), self.origin.clone());
        let mut heads = HeadCache::new(&trust, &origin);
        while let Some(job) = jobs.blocking_recv() {
            let result = self.one(job, &mut heads);
            self.count(result);
        }
        let acknowledged = std::mem::take(&mut self.acknowledged);
        self.confirm(acknowledged, HEAD_PATIENCE)
    }

    /// Whether these entries are in the tree of the newest head, for which a log that answers before it publishes has
    /// some time.
    pub(super) fn confirm(mut self, mut entries: Vec<(u64, Hash)>, deadline: Duration) -> Verified {
        entries.sort_unstable();
        entries.dedup();
        if let Some((last, _)) = entries.last() {
            let size = TreeSize(last.saturating_add(1));
            match self.tree_of(size, Instant::now() + deadline) {
                Ok(tree) => {
                    self.tree = Some(tree);
                    for (index, leaf) in entries {
                        let result = self.is_at(index, leaf);
                        self.verified.in_tree += u64::from(result.is_ok());
                        if result.is_err() {
                            self.count(result);
                        }
                    }
                }
                Err(error) => self.count(Err(error)),
            }
        }
        self.verified
    }

    fn count(&mut self, result: Result<(), Error>) {
        match result {
            Ok(()) => self.verified.checked += 1,
            Err(error) if matches!(error.kind, ErrorKind::Unreachable | ErrorKind::TryLater | ErrorKind::Refused) => {
                self.verified.unchecked += 1;
            }
            Err(error) => {
                self.verified.failed += 1;
                if self.verified.texts.len() < KEPT_TEXTS {
                    self.verified.texts.push(error.message);
                }
            }
        }
    }

    fn one(&mut self, job: Job, heads: &mut HeadCache<'_>) -> Result<(), Error> {
        match job {
            Job::Receipt { of, receipt } => self.receipt(of, &receipt, heads),
            Job::Head { note } => self.head(&note).map(|_| ()),
            Job::Tile { id, body } => self.tile(id, &body),
            Job::Bundle { id, body } => {
                let wrong = |e: &dyn std::fmt::Display| Error::not_proven(format!("{id}: {e}"));
                let bundle = Bundle::parse(&body, id.width()).map_err(|e| wrong(&e))?;
                let hashes: Vec<u8> = bundle.leaf_hashes().flat_map(|hash| hash.0).collect();
                self.tile(id.tile(), &hashes)
            }
        }
    }

    fn receipt(&mut self, of: Of, receipt: &[u8], heads: &mut HeadCache<'_>) -> Result<(), Error> {
        let nobody = || Error::usage("an answer to a claim that was not sent");
        let sent;
        let item = match of {
            Of::Known(at) => self.known.get(at).ok_or_else(nobody)?,
            Of::Sent(number) => {
                let envelope = self.claims.as_ref().and_then(|claims| claims.body(number)).ok_or_else(nobody)?;
                sent = Item::parse(format!("claim {number}"), None, envelope)?;
                &sent
            }
        };
        let receipt = Receipt::parse(receipt)
            .map_err(|e| Error::not_proven(format!("{}: the answer is no receipt: {e}", item.label)))?;
        heads.check(item, &receipt)?;
        let entry = receipt.entry(&item.envelope.payload).map(|entry| entry.encode());
        if let Ok(Ok(bytes)) = entry {
            self.acknowledged.push((receipt.index.0, Hash::leaf(&bytes)));
        }
        Ok(())
    }

    /// Whether a tile of level 0 belongs to the tree of a signed head. A full one is judged by its own hash.
    fn tile(&mut self, id: TileId, hashes: &[u8]) -> Result<(), Error> {
        let wrong = |what: String| Error::not_proven(format!("{id}: {what}"));
        let tile = ExpandedTile::parse(hashes, id.width()).map_err(|e| wrong(e.to_string()))?;
        let end = id.index() * u64::from(TILE_WIDTH) + u64::from(id.width());
        let tree = self.tree(TreeSize(end))?;
        let same = match tile.root() {
            Some(root) => tree.node(TILE_HEIGHT, id.index()).map_err(tree_error)? == root,
            None => {
                let whole = TileId::at(0, id.index(), tree.size());
                let whole = whole.ok_or_else(|| wrong("the signed tree has no such tile".into()))?;
                tree.tile(whole).map_err(tree_error)?.hashes().starts_with(tile.hashes())
            }
        };
        match same {
            true => Ok(()),
            false => Err(wrong("its hashes are not those of the signed tree".into())),
        }
    }

    fn is_at(&mut self, index: u64, leaf: Hash) -> Result<(), Error> {
        let tree = self.tree(TreeSize(index.saturating_add(1)))?;
        match tree.node(0, index).map_err(tree_error)? == leaf {
            true => Ok(()),
            false => {
                Err(Error::not_proven(format!("entry {index} was acknowledged, and the tree has another one there")))
            }
        }
    }

    /// The tree of a verified head of at least this size.
    fn tree(&mut self, size: TreeSize) -> Result<&HttpTree, Error> {
        let kept = self.tree.take().filter(|tree| tree.size() >= size);
        let tree = match kept {
            Some(tree) => tree,
            None => self.tree_of(size, Instant::now() + HEAD_PATIENCE)?,
        };
        Ok(self.tree.insert(tree))
    }

    /// A head of this log; anything else in its place is a failure here, not an address that is wrong.
    fn head(&self, note: &[u8]) -> Result<Checked, Error> {
        head::of_log(&self.trust, &self.origin, note).map_err(|e| Error::not_proven(e.message))
    }

    fn tree_of(&self, size: TreeSize, deadline: Instant) -> Result<HttpTree, Error> {
        loop {
            let note = self.tiles.wait(self.api.checkpoint())?;
            let head = self.head(&note)?.checkpoint;
            if head.size() >= size {
                return VerifiedTree::open(self.tiles.clone(), head.size(), &head.root()).map_err(tree_error);
            }
            if Instant::now() >= deadline {
                let message = format!("the newest head has {} entries, after {size} were shown", head.size());
                return Err(Error::not_proven(message));
            }
            std::thread::sleep(ASK_AGAIN);
        }
    }
}
