//! `rebuild`: state and rows folded anew from the entries.

use std::sync::Arc;

use clap::Args;

use super::progress::Bar;
use super::{Exit, Failure, Place, open, say};
use crate::check::Progress;
use crate::refold::{self, Fault};
use crate::sequencer::StoredState;
use crate::store::Store;

#[derive(Debug, Args)]
pub(super) struct RebuildArgs {
    #[command(flatten)]
    place: Place,
    /// Start over even if an earlier rebuild was interrupted.
    #[arg(long)]
    restart: bool,
}

pub(super) fn run(args: &RebuildArgs) -> Result<(), Failure> {
    let config = args.place.load([])?;
    let store = open::store(&config)?;
    let bar = Bar::new();
    let rebuilt = rebuild(&store, args.restart, &bar);
    bar.end();
    let size = rebuilt?;
    store.close()?;
    say(&format!(
        "State and rows of {} are rebuilt from {size} entries; `claimtrail-log check` compares them.\n",
        config.origin
    ))
}

/// Rebuilds, or goes on where an earlier rebuild stopped. Returns the number of entries.
pub(crate) fn rebuild(store: &Arc<dyn Store>, restart: bool, progress: &dyn Progress) -> Result<u64, Failure> {
    let size = store.head()?.map_or(0, |head| head.size.0);
    let next = match store.rebuild_next()? {
        Some(next) if !restart => next,
        _ => {
            store.rebuild_start()?;
            proto::num::LeafIndex(0)
        }
    };
    progress.part("entries", size);
    progress.done(next.0);
    let mut next = next.0;
    while next < size {
        let chunk = refold::read_chunk(&**store, next, size)?;
        let state = StoredState(&**store);
        let folded = refold::fold_chunk(&state, &chunk, &mut |_, _| Ok(()));
        let pending = folded.map_err(|fault| match fault {
            Fault::Entry(index, what) => {
                Failure::new(Exit::Different, format!("entry {index}: {what}; run `claimtrail-log check`"))
            }
            Fault::State(error) => error.into(),
            Fault::Rules(what) => Failure::new(Exit::Config, what),
        })?;
        let (state, rows) = pending.into_changes();
        let after = next + chunk.len() as u64;
        store.rebuild_put(proto::num::LeafIndex(next), proto::num::LeafIndex(after), &state, &rows)?;
        progress.done(after - next);
        next = after;
    }
    store.rebuild_finish()?;
    Ok(size)
}
