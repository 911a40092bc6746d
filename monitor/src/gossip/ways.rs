//! The ways out to a log, by which it is asked for its head and for proofs.

use client::Error;
use client::api::Api;
use client::http::Http;
use client::tiles::{HttpTiles, HttpTree, proof_error, tree_error};
use proto::merkle::{consistency_proof, root_at};
use proto::num::TreeSize;
use tokio::runtime::Handle;

use super::core::{Head, Proof};
use crate::config::Config;
use crate::follow::FollowedLog;

/// One way out to one log.
pub(super) struct Way {
    pub(super) api: Api,
    pub(super) tiles: HttpTiles,
}

/// All of them, as they are configured; the first is the one by which the log is followed.
pub(super) fn ways(config: &Config, log: &FollowedLog, runtime: &Handle) -> Result<Vec<Way>, Error> {
    let way = |egress: &client::egress::Egress| {
        let http = Http::via(&log.config.url, egress)?
            .with_deadline(config.gossip.answer())
            .with_whole_timeout(config.gossip.answer());
        Ok(Way { api: Api::new(http.clone()), tiles: HttpTiles::new(http, runtime.clone()) })
    };
    config.gossip.egress.iter().map(way).collect()
}

/// The proof out of tiles that one way out shows.
pub(super) fn proof_by(way: &Way, head: Head, from: TreeSize) -> Result<Proof, Error> {
    let tree = HttpTree::open(way.tiles.clone(), head.size, &head.root).map_err(tree_error)?;
    let root = root_at(&tree, from).map_err(proof_error)?;
    let hashes = consistency_proof(&tree, from, head.size).map_err(proof_error)?;
    Ok(Proof { from, root: Some(root), hashes })
}
