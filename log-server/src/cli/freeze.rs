//! `freeze`: the last entry of a log.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use client::{clock, keyfile};
use proto::claim::Origin;
use proto::entry::Entry;
use proto::fold;
use proto::num::LeafIndex;

use super::{Exit, Failure, Place, claim, open, say};
use crate::clock::SystemTime;
use crate::log::Log;
use crate::sequencer::StoredState;
use crate::store::Store;

/// The log must be stopped. Its last entry says that nothing follows: any entry after it is a provable breach. This cannot be
/// undone.
#[derive(Debug, Args)]
pub(super) struct FreezeArgs {
    #[command(flatten)]
    place: Place,
    /// Secret key files of operators in force, as many as the constitution's threshold says.
    #[arg(long, value_name = "FILE", required = true)]
    operator_key: Vec<PathBuf>,
    /// The origin of the log that goes on.
    #[arg(long, value_name = "ORIGIN")]
    successor: Option<String>,
    /// Yes, for ever.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &FreezeArgs) -> Result<(), Failure> {
    if !args.yes {
        let message = "a frozen log never takes a claim again; say --yes if that is what you want";
        return Err(Failure::new(Exit::Usage, message));
    }
    if let Some(successor) = &args.successor {
        Origin::parse(successor).map_err(|e| Failure::new(Exit::Usage, format!("--successor {successor}: {e}")))?;
    }
    let config = args.place.load([])?;
    let operators: Vec<_> = args.operator_key.iter().map(|path| keyfile::load(path)).collect::<Result<_, _>>()?;
    let store = open::store(&config)?;
    let constitution = constitution_in_force(&store)?;
    let claim = claim::freeze(&constitution, args.successor.as_deref(), &operators, clock::now())?;
    let (keys, signer) = open::signer(&config)?;
    let published = Log::append_stopped(store.clone(), Box::new(signer), Box::new(SystemTime::new()), &keys, claim)?;
    store.close()?;
    say(&format!(
        "{} is frozen at size {} root {}. It can be served for reading; it takes no more claims.\n",
        config.origin,
        published.head.size,
        published.head.root.to_base64()
    ))
}

/// The payload of the `log/v1` claim in force now.
fn constitution_in_force(store: &Arc<dyn Store>) -> Result<Vec<u8>, Failure> {
    let damaged = |what: String| Failure::new(Exit::Different, format!("{what}; run `claimtrail-log check`"));
    if let Some(next) = store.rebuild_next()? {
        return Err(crate::store::StoreError::Rebuilding { next }.into());
    }
    let log = fold::constitution(&StoredState(&**store)).map_err(|stop| damaged(stop.to_string()))?;
    let mut log = log.ok_or_else(|| damaged("the log has no constitution".to_owned()))?;
    log.advance(clock::now());
    if log.current.frozen {
        return Err(Failure::new(Exit::Refused, "the log is frozen already"));
    }
    let index = LeafIndex(log.current.index);
    let bytes = store.entry(index)?.ok_or_else(|| damaged(format!("entry {index} is missing")))?;
    let entry = Entry::decode(&bytes).map_err(|error| damaged(format!("entry {index}: {error}")))?;
    Ok(entry.payload)
}
