//! A log as files that any static server can serve (C2SP tlog-tiles).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proto::tile::{BadBundle, BundleId, TileId, TilePath, encode_bundle};

use crate::check::Progress;
use crate::store::{SignedHead, Store, StoreError, TILE_LEVELS};

/// Why a log could not be written as files.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be written.
    #[error("{path} cannot be written: {error}", path = .0.display(), error = .1)]
    File(PathBuf, io::Error),
    /// Stored entries make no bundle.
    #[error("stored entries make no bundle: {0}")]
    Bundle(#[from] BadBundle),
}

/// Writes checkpoint, tiles and bundles of a signed head into a folder, which is made; durable when it returns.
///
/// # Errors
/// When something cannot be read or written; the folder is then to be thrown away.
pub fn write_tiles(
    store: &dyn Store,
    head: &SignedHead,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(), ExportError> {
    let size = head.key.size;
    fs::create_dir(folder).map_err(|error| ExportError::File(folder.to_owned(), error))?;
    progress.part("bundles", 0);
    for bundle in (0..).map_while(|index| BundleId::at(index, size)) {
        let first = bundle.first().0;
        let mut entries = Vec::with_capacity(usize::from(bundle.width()));
        store.entries(first..first + u64::from(bundle.width()), &mut |_, entry| {
            entries.push(entry.to_vec());
            ControlFlow::Continue(())
        })?;
        put(folder, &TilePath::Entries(bundle).to_string(), &encode_bundle(&entries)?)?;
        progress.done(1);
    }
    progress.part("tiles", 0);
    for level in 0..TILE_LEVELS {
        for tile in (0..).map_while(|index| TileId::at(level, index, size)) {
            let bytes = store.tile(tile.level(), tile.index(), tile.width())?;
            put(folder, &TilePath::Tile(tile).to_string(), &bytes)?;
            progress.done(1);
        }
    }
    // Last, as a mirror would do it: whoever sees the checkpoint finds everything it speaks of.
    put(folder, "checkpoint", &head.note)?;
    // One sync for all files; one for each would take hours for a large log.
    let synced = File::open(folder).and_then(|open| rustix::fs::syncfs(&open).map_err(io::Error::from));
    synced.map_err(|error| ExportError::File(folder.to_owned(), error))
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
    let path = folder.join(name);
    let written = || -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(bytes)
    };
    written().map_err(|error| ExportError::File(path.clone(), error))
}
