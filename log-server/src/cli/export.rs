//! `export`: checkpoint, tiles and entry bundles as files, laid out as C2SP tlog-tiles names them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use client::files::{self, Access, Existing};
use proto::num::TreeSize;
use proto::tile::{BundleId, TILE_WIDTH, TileId, hashes_at, push_entry};

use super::{Failure, Folder, OK, bar, open, say};
use crate::store::{Direction, SignedHead, Store, StoreError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    /// New folder for the files
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<u8, Failure> {
    let config = open::config(&args.folder.dir)?;
    let store = open::store_read_only(&config)?;
    if args.out.exists() {
        return Err(Failure::usage(format!("{} is there already; name a new folder", args.out.display())));
    }
    let io = |e: &dyn std::fmt::Display| Failure::io(e);
    let head = newest_head(&*store).map_err(|e| io(&e))?.ok_or_else(|| Failure::io(&"no head was ever signed"))?;
    let size = head.key.size;
    files::make_folder(&args.out).map_err(|e| io(&e))?;
    let bundles = size.0.div_ceil(u64::from(TILE_WIDTH));
    let progress = bar("export", bundles);
    for index in 0..bundles {
        let Some(id) = BundleId::at(index, size) else { break };
        write(&args.out, &id.to_string(), &bundle(&*store, id)?)?;
        progress.inc(1);
    }
    let mut tiles = 0u64;
    for level in 0..crate::store::TILE_LEVELS {
        for index in 0..hashes_at(level, size).div_ceil(u64::from(TILE_WIDTH)) {
            let Some(id) = TileId::at(level, index, size) else { break };
            write(&args.out, &id.to_string(), &store.tile(level, index, id.width()).map_err(|e| io(&e))?)?;
            tiles += 1;
        }
    }
    // The checkpoint last: whoever finds it finds its tiles.
    write(&args.out, "checkpoint", &head.note)?;
    progress.finish_and_clear();
    say(&format!("{size} entries in {bundles} bundles and {tiles} tiles written to {}", args.out.display()));
    Ok(OK)
}

fn newest_head(store: &dyn Store) -> Result<Option<SignedHead>, StoreError> {
    let mut newest = None;
    store.signed_heads(None, Direction::Backward, &mut |head| {
        newest = Some(head);
        ControlFlow::Break(())
    })?;
    Ok(newest)
}

fn bundle(store: &dyn Store, id: BundleId) -> Result<Vec<u8>, Failure> {
    let (first, mut bytes, mut failed) = (id.first().0, Vec::new(), None);
    let range = first..TreeSize(first + u64::from(id.width())).0;
    let scanned = store.entries(range, &mut |index, entry| {
        let number = usize::try_from(index.0 - first).unwrap_or(usize::MAX);
        match push_entry(&mut bytes, number, entry) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    scanned.map_err(|e| Failure::io(&e))?;
    match failed {
        None => Ok(bytes),
        Some(error) => Err(Failure::io(&error)),
    }
}

fn write(out: &Path, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let path = out.join(name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Failure::io(&format!("{}: {e}", folder.display())))?;
    }
    files::write(&path, bytes, Access::Public, Existing::Keep).map_err(|e| Failure::io(&e))
}
