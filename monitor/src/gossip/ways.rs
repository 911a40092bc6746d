//! The ways out to a log, by which it is asked for its head and for proofs.

use std::time::Instant;

use client::Error;
use client::api::Api;
use client::http::Http;
use client::tiles::{HttpTiles, proof_error, tree_error};
use proto::merkle::{consistency_proof, root_at};
use proto::num::TreeSize;
use proto::tile::{TileId, TileReader, VerifiedTree};
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

/// The proof out of tiles that one way out shows. What it asks for begins before `end`, so that a log which drips holds nobody
/// for longer than that and one answer.
pub(super) fn proof_by(way: &Way, head: Head, from: TreeSize, end: Instant) -> Result<Proof, Error> {
    let tiles = Until { tiles: way.tiles.clone(), end };
    let tree = VerifiedTree::open(tiles, head.size, &head.root).map_err(tree_error)?;
    let root = root_at(&tree, from).map_err(proof_error)?;
    let hashes = consistency_proof(&tree, from, head.size).map_err(proof_error)?;
    Ok(Proof { from, root: Some(root), hashes })
}

/// Tiles that are asked for until a moment comes.
struct Until {
    tiles: HttpTiles,
    end: Instant,
}

impl TileReader for Until {
    type Error = Error;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, Error> {
        match Instant::now() < self.end {
            true => self.tiles.tile(id),
            false => Err(Error::unreachable("the log takes too long for the tiles of a proof")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use proto::hash::Hash;

    use super::*;

    #[test]
    fn nothing_is_asked_for_when_the_time_is_over() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let http = Http::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let http = http.with_deadline(Duration::ZERO).with_whole_timeout(Duration::from_millis(200));
        let way = Way { api: Api::new(http.clone()), tiles: HttpTiles::new(http, runtime.handle().clone()) };
        let head = Head { size: TreeSize(300), root: Hash::of(b"root") };
        assert!(proof_by(&way, head, TreeSize(7), Instant::now()).unwrap_err().message.contains("too long"));
        assert!(listener.accept().is_err(), "nobody came");
        assert!(proof_by(&way, head, TreeSize(7), Instant::now() + Duration::from_secs(60)).is_err());
        assert!(listener.accept().is_ok(), "within its time it is asked");
    }
}
