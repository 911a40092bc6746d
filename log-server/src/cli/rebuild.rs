//! `rebuild`: derived state and rows anew from the entries. An interrupted one goes on where it was.

use proto::num::LeafIndex;

use super::{Failure, Folder, OK, bar, open, say};
use crate::refold::{self, Fault};
use crate::sequencer::StoredState;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
}

pub(super) fn run(args: &Args) -> Result<u8, Failure> {
    let config = open::config(&args.folder.dir)?;
    let store = open::store(&config)?;
    let io = |e: &dyn std::fmt::Display| Failure::io(e);
    let head = store.head().map_err(|e| io(&e))?.ok_or_else(|| Failure::io(&"the log was never founded"))?;
    if store.rebuild_next().map_err(|e| io(&e))?.is_none() {
        store.rebuild_start().map_err(|e| io(&e))?;
    }
    let progress = bar("rebuild", head.size.0);
    while let Some(next) = store.rebuild_next().map_err(|e| io(&e))?.filter(|next| next.is_in(head.size)) {
        progress.set_position(next.0);
        let chunk = refold::read_chunk(&*store, next.0, head.size.0).map_err(|e| io(&e))?;
        let end = LeafIndex(next.0 + chunk.len() as u64);
        let state = StoredState(&*store);
        let folded = refold::fold_chunk(&state, &chunk, &mut |_, _| Ok(())).map_err(|fault| match fault {
            Fault::Entry(index, what) => Failure::io(&format!("entry {index}: {what}; run `check`")),
            Fault::State(error) => Failure::io(&error),
            Fault::Rules(what) => Failure::io(&what),
        })?;
        let (state, rows) = folded.into_changes();
        store.rebuild_put(next, end, &state, &rows).map_err(|e| io(&e))?;
    }
    store.rebuild_finish().map_err(|e| io(&e))?;
    progress.finish_and_clear();
    store.close().map_err(|e| io(&e))?;
    say(&format!("state and rows made anew from {} entries", head.size));
    Ok(OK)
}
