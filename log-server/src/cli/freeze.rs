//! `freeze`: the last entry of a log.

use std::path::PathBuf;

use client::{clock, keyfile};
use proto::claim::{Origin, PAYLOAD_TYPE};
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::entry::Entry;
use proto::num::LeafIndex;
use serde_json::{Value, json};

use super::{Failure, Folder, OK, open, say};
use crate::clock::{LogClock, SystemTime};
use crate::log::append_alone;
use crate::sequencer::Sequencer;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    /// Secret key of the operator; as many as the constitution's threshold says
    #[arg(long, value_name = "FILE", required = true)]
    operator_key: Vec<PathBuf>,
    /// Origin of the log that goes on
    #[arg(long)]
    successor: Option<String>,
    /// Yes, for ever
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &Args) -> Result<u8, Failure> {
    if !args.yes {
        return Err(Failure::usage("a frozen log never takes a claim again; say --yes if that is what you want"));
    }
    if let Some(successor) = &args.successor {
        Origin::parse(successor).map_err(|e| Failure::usage(format!("--successor: {e}")))?;
    }
    let config = open::config(&args.folder.dir)?;
    let (store, signer) = (open::store(&config)?, open::signer(&config)?);
    let io = |e: &dyn std::fmt::Display| Failure::io(e);
    let loaded: Result<Vec<SecretKey>, _> = args.operator_key.iter().map(|path| keyfile::load(path)).collect();
    let keys = loaded.map_err(|e| io(&e))?;
    let last = store.head().map_err(|e| io(&e))?.map(|head| head.last_timestamp.max(head.time.millis()));
    let clock = LogClock::start(Box::new(SystemTime::new()), last.unwrap_or_default());
    let opened = Sequencer::open(store.clone(), Box::new(signer), clock);
    let (sequencer, published) = opened.map_err(|halted| io(halted.why()))?;
    let published = published.ok_or_else(|| Failure::io(&"the log was never founded"))?;
    let index = LeafIndex(published.constitution.current.index);
    let bytes = store.entry(index).map_err(|e| io(&e))?.ok_or_else(|| Failure::io(&"the constitution is missing"))?;
    let entry = Entry::decode(&bytes).map_err(|e| io(&e))?;
    let mut claim: Value = serde_json::from_slice(&entry.payload).map_err(|e| io(&e))?;
    claim["asserted_at"] = json!(clock::rfc3339(clock::now()));
    claim["body"]["freeze"] = json!({"successor": args.successor});
    if let Some(members) = claim.as_object_mut() {
        members.remove("effective"); // a freeze holds at once
    }
    let signed = Envelope::sign(PAYLOAD_TYPE, claim.to_string().as_bytes(), &keys.iter().collect::<Vec<_>>());
    let (sequencer, published) = append_alone(sequencer, &store, signed).map_err(|e| io(&e))?;
    drop(sequencer);
    store.close().map_err(|e| io(&e))?;
    say(&format!("{} is frozen with {} entries", config.origin, published.head.size));
    Ok(OK)
}
