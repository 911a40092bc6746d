//! Tiles and entry bundles over HTTP (C2SP tlog-tiles), or from a folder that has files of the same names.
//!
//! A partial tile that the log no longer keeps is cut from the full one. What comes is checked for its length here and
//! for its hashes by [`proto::tile::VerifiedTree`], which also keeps a bounded number of tiles.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::hash::HASH_BYTES;
use proto::num::TreeSize;
use proto::tile::{Bundle, BundleId, TILE_WIDTH, TileId, TileReader, VerifiedTree, VerifyError};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::error::{Error, ErrorKind};
use crate::http::Http;

/// A tile has at most 256 hashes.
const MAX_TILE_BYTES: usize = TILE_WIDTH as usize * HASH_BYTES;
/// A bundle has at most 256 entries, each with a length of two bytes.
const MAX_BUNDLE_BYTES: usize = TILE_WIDTH as usize * (proto::tile::MAX_ENTRY_BYTES + 2);

/// Reads tiles for code that is not asynchronous.
///
/// Its methods wait for the network: call them from a plain thread or inside `spawn_blocking`, never from a task.
#[derive(Debug, Clone)]
pub struct HttpTiles {
    place: Place,
    runtime: Handle,
    /// Whether nobody waits for answers any more; shared by all copies.
    given_up: Arc<watch::Sender<bool>>,
}

/// Where a log's files are.
#[derive(Debug, Clone)]
enum Place {
    Http(Http),
    Folder(PathBuf),
}

/// A tree whose root a verified checkpoint signed, over the log's tiles.
pub type HttpTree = VerifiedTree<HttpTiles>;

impl HttpTiles {
    /// Tiles of the log that `http` talks to, on this runtime.
    pub fn new(http: Http, runtime: Handle) -> HttpTiles {
        HttpTiles { place: Place::Http(http), runtime, given_up: Arc::default() }
    }

    /// Tiles of a copy in a folder, such as `claimtrail-log export` makes.
    pub fn in_folder(folder: &Path, runtime: Handle) -> HttpTiles {
        HttpTiles { place: Place::Folder(folder.to_owned()), runtime, given_up: Arc::default() }
    }

    /// Waits for an answer on this runtime.
    ///
    /// # Errors
    /// Those of the answer; at once when it is given up.
    pub fn wait<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let mut given_up = self.given_up.subscribe();
        self.runtime.block_on(async {
            tokio::select! {
                answer = answer => answer,
                _ = given_up.wait_for(|given_up| *given_up) => Err(Error::unreachable("the answer is not waited for: this program stops")),
            }
        })
    }

    /// From now on no answer is waited for, by no copy: the program stops, and a runtime must not end under somebody who waits.
    pub fn give_up(&self) {
        self.given_up.send_replace(true);
    }

    /// Whether answers are not waited for any more.
    pub fn is_given_up(&self) -> bool {
        *self.given_up.borrow()
    }

    /// The entries of a bundle, each in turn, as the tree of `size` entries has it.
    pub fn bundle(&self, index: u64, size: TreeSize) -> Result<Vec<Vec<u8>>, Error> {
        self.with_bundle(index, size, |entries| entries.iter().map(|entry| entry.to_vec()).collect())
    }

    /// As [`HttpTiles::bundle`], for a reader that needs no copies.
    pub fn with_bundle<T>(&self, index: u64, size: TreeSize, read: impl FnOnce(&[&[u8]]) -> T) -> Result<T, Error> {
        let id = BundleId::at(index, size)
            .ok_or_else(|| Error::usage(format!("a tree of {size} entries has no entry bundle {index}")))?;
        let full = BundleId::new(index, TILE_WIDTH).ok().filter(|_| id.width() < TILE_WIDTH);
        let path = full.map(|full| full.to_string());
        let (bytes, width) = self.either(&id.to_string(), path.as_deref(), id.width(), MAX_BUNDLE_BYTES)?;
        let bundle = Bundle::parse(&bytes, width).map_err(|e| self.no_bundle(&id.to_string(), &e))?;
        let entries = bundle.entries();
        Ok(read(&entries[..entries.len().min(usize::from(id.width()))]))
    }

    /// What is no bundle at all accuses no log over HTTP: a portal's page looks like this, and so does a proxy that cuts answers.
    /// Between a reader and its own copy is nobody.
    fn no_bundle(&self, id: &str, error: &dyn std::fmt::Display) -> Error {
        match self.place {
            Place::Http(_) => Error::unreachable(format!(
                "the log does not answer with entries: {id} is {error}; check the address, and what stands between you and the log"
            )),
            Place::Folder(_) => Error::not_proven(format!("the copy's {id} is not one of its signed tree: {error}")),
        }
    }

    /// Asks for the path, and where that is gone for the full one; says which width came.
    fn either(&self, path: &str, full: Option<&str>, width: u16, limit: usize) -> Result<(Vec<u8>, u16), Error> {
        match (self.get(path, limit)?, full) {
            (Found::Bytes(bytes), _) => Ok((bytes, width)),
            (Found::Missing(error), None) => Err(error),
            (Found::Missing(_), Some(full)) => match self.get(full, limit)? {
                Found::Bytes(bytes) => Ok((bytes, TILE_WIDTH)),
                Found::Missing(error) => Err(error),
            },
        }
    }

    fn get(&self, path: &str, limit: usize) -> Result<Found, Error> {
        match &self.place {
            Place::Folder(folder) => read(&folder.join(path), limit),
            Place::Http(http) => match self.wait(http.get(path, limit)) {
                Ok(answer) => Ok(Found::Bytes(answer.body.to_vec())),
                Err(error) if is_missing(&error) => Ok(Found::Missing(reading(error))),
                Err(error) => Err(reading(error)),
            },
        }
    }
}

/// What is under a name.
enum Found {
    Bytes(Vec<u8>),
    /// Nothing; with the error for a reader that needs it.
    Missing(Error),
}

/// Reads one file of a copy, within bounds.
fn read(path: &Path, limit: usize) -> Result<Found, Error> {
    let failed = |error: io::Error| Error::local(format!("{} cannot be read: {error}", path.display()));
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing(failed(error))),
        Err(error) => return Err(failed(error)),
    };
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let length = file.metadata().map_err(failed)?.len().min(most);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(Error::not_proven(format!("{} has more than {limit} bytes", path.display())));
    }
    Ok(Found::Bytes(bytes))
}

impl TileReader for HttpTiles {
    type Error = Error;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, Error> {
        let full = (!id.is_full()).then(|| id.full().to_string());
        let path = id.to_string();
        let (mut bytes, _) = self.either(&path, full.as_deref(), id.width(), MAX_TILE_BYTES)?;
        bytes.truncate(usize::from(id.width()) * HASH_BYTES);
        Ok(bytes)
    }
}

fn is_missing(error: &Error) -> bool {
    error.problem.as_ref().is_some_and(|problem| matches!(problem.status, 404 | 410))
}

/// A log that does not give what its signed head says it has is no refusal.
fn reading(error: Error) -> Error {
    let kind = if error.kind == ErrorKind::Refused { ErrorKind::Unreachable } else { error.kind };
    Error { kind, ..error }
}

/// The reader's own error where there is one, else what is wrong with the tiles.
pub fn tree_error(error: VerifyError<Error>) -> Error {
    match error {
        VerifyError::Tiles(proto::tile::TileError::Reader { error, .. }) => error,
        VerifyError::Tiles(error @ proto::tile::TileError::Malformed { .. }) => Error::unreachable(format!(
            "the log does not answer with tiles: {error}; check the address, and what stands between you and the log"
        )),
        other => Error::not_proven(format!("the log serves tiles that do not fit its signed head: {other}")),
    }
}

/// The same for the errors of proofs made from a tree.
pub fn proof_error(error: proto::merkle::ProofError<VerifyError<Error>>) -> Error {
    match error {
        proto::merkle::ProofError::Reader(error) => tree_error(error),
        other => Error::usage(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proto::hash::Hash;
    use proto::merkle::{MemoryTree, root_at};
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::files::{self, Access, Existing};

    #[test]
    fn a_partial_tile_that_is_gone_is_cut_from_the_full_one() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let leaves: Vec<Hash> = (0..300u32).map(|i| Hash::leaf(&i.to_be_bytes())).collect();
        let mut tree = MemoryTree::new();
        leaves.iter().for_each(|leaf| _ = tree.append(*leaf));
        let bytes: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.0).collect();
        let full = ResponseTemplate::new(200).set_body_bytes(&bytes[..MAX_TILE_BYTES]);
        let bundle = proto::tile::encode_bundle(&(0..256u32).map(u32::to_be_bytes).collect::<Vec<_>>()).unwrap();
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(path("/tile/0/000")).respond_with(full).mount(&server).await;
            let entries = ResponseTemplate::new(200).set_body_bytes(bundle);
            Mock::given(path("/tile/entries/000")).respond_with(entries).mount(&server).await;
            server
        });
        let tiles = HttpTiles::new(Http::new(&server.uri()).unwrap(), runtime.handle().clone());
        let size = TreeSize(200);
        let root = root_at(&tree, size).unwrap();
        let verified = VerifiedTree::open(tiles.clone(), size, &root).unwrap();
        assert_eq!(root_at(&verified, TreeSize(77)).unwrap(), root_at(&tree, TreeSize(77)).unwrap());
        assert_eq!(tiles.bundle(0, size).unwrap().len(), 200);
        assert_eq!(tiles.bundle(1, size).unwrap_err().kind, ErrorKind::Usage);
        let other = VerifiedTree::open(tiles.clone(), TreeSize(201), &root).unwrap_err();
        assert_eq!(tree_error(other).kind, ErrorKind::NotProven);
        let cut = ResponseTemplate::new(200).set_body_bytes(b"<html>please log in</html>".as_slice());
        runtime.block_on(Mock::given(path("/tile/0/001.p/44")).respond_with(cut).mount(&server));
        let portal = VerifiedTree::open(tiles.clone(), TreeSize(300), &root).unwrap_err();
        assert_eq!(tree_error(portal).kind, ErrorKind::Unreachable, "a page in place of a tile is no tampering");
        runtime.block_on(server.reset());
        let missing = VerifiedTree::open(tiles, TreeSize(300), &root).unwrap_err();
        assert_eq!(tree_error(missing).kind, ErrorKind::Unreachable);
    }

    #[test]
    fn a_copy_in_a_folder_is_read_the_same_way() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let tiles = HttpTiles::in_folder(folder.path(), runtime.handle().clone());
        assert_eq!(tiles.bundle(0, TreeSize(3)).unwrap_err().kind, ErrorKind::Local, "nothing is there");
        std::fs::create_dir_all(folder.path().join("tile/entries")).unwrap();
        let full = folder.path().join("tile/entries/000");
        let write = |bytes: &[u8]| files::write(&full, bytes, Access::Public, Existing::Replace).unwrap();
        write(&proto::tile::encode_bundle(&(0..256u32).map(u32::to_be_bytes).collect::<Vec<_>>()).unwrap());
        let last = tiles.with_bundle(0, TreeSize(3), |entries| entries.last().map(|entry| entry.to_vec())).unwrap();
        assert_eq!(last.as_deref(), Some([0, 0, 0, 2].as_slice()), "cut from the full one");
        write(&vec![0; MAX_BUNDLE_BYTES + 1]);
        assert_eq!(tiles.bundle(0, TreeSize(256)).unwrap_err().kind, ErrorKind::NotProven, "too large to be one");
    }
}
