//! `resume-origin`: the operator's act that lets a log be cosigned again.

mod ask;

use clap::Args;

use super::beside::in_use;
use super::{Exit, Failure, Place, follow, logs_folder, records_folder, say};
use crate::clock;
use crate::config::{Config, LogToFollow};
use crate::evidence::EvidenceId;
use crate::gossip::last_cosigned::Asking;
use crate::store::LogStore;
use crate::witness::{Known, Resume, Witness, WitnessKeys, stop_path};

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The log's origin.
    origin: String,
    #[command(flatten)]
    place: Place,
    /// The record is lost or damaged, and you know that nothing newer was cosigned than the database says. If that is wrong,
    /// this witness may sign two histories.
    #[arg(long)]
    nothing_newer: bool,
    /// Ask the peers what this witness cosigned last, and go on from the highest of that, record and database. A running monitor
    /// does so by itself; more peers must answer than may be bad (gossip.bad_peers).
    #[arg(long, conflicts_with_all = ["nothing_newer", "despite_evidence"])]
    ask_peers: bool,
    /// It is proven that a holder of the log's key signed two histories, you looked at this evidence, and the log is to be
    /// cosigned all the same. Name each piece of evidence that stands. The act is recorded.
    #[arg(long, value_name = "ID", conflicts_with = "nothing_newer")]
    despite_evidence: Vec<EvidenceId>,
    /// Two histories are known that a holder of the log's key signed, though what proves it to others is missing, so that there is no
    /// evidence to name. Name each such finding (head.fork:…, as `status` shows it). The act is recorded; evidence that comes later
    /// ends cosigning again.
    #[arg(long, value_name = "FINDING", conflicts_with_all = ["nothing_newer", "ask_peers"])]
    despite_fork: Vec<String>,
}

pub(super) fn run(args: &ResumeArgs) -> Result<(), Failure> {
    let config = args.place.load([])?;
    let log = follow::configured(&config, &args.origin)?;
    if config.witness.is_none() {
        let message = "this monitor is no witness: the configuration has no [witness]";
        return Err(Failure::new(Exit::Config, message));
    }
    let opened = LogStore::open(&logs_folder(&config), &log.origin, log.mirror);
    let store = opened.map_err(|error| in_use(&config, error))?;
    store.stop().beside(stop_path(&records_folder(&config), &log.origin))?;
    if !args.despite_evidence.is_empty() {
        store.resume_despite(&args.despite_evidence, clock::now())?;
    }
    if !args.despite_fork.is_empty() {
        store.resume_despite_forks(&args.despite_fork, clock::now())?;
    }
    if !args.despite_evidence.is_empty() || !args.despite_fork.is_empty() {
        return match why_not(&store)? {
            None => say(&format!("{} is cosigned again despite that; it is recorded.\n", log.origin)),
            Some(why) => Err(stopped(format!("{} is still not cosigned: {why}", log.origin))),
        };
    }
    if args.ask_peers {
        return ask::run(&config, &log, &store);
    }
    let how = if args.nothing_newer { Resume::NothingNewer } else { Resume::FromRecord };
    let seen = own_seen(&config, &log, &store)?;
    let resumed = Witness::resume_above(&config.state, &records_folder(&config), &log.origin, how, &seen)?;
    let from = match resumed.last {
        Some(last) => format!("from the head of {} entries on (root {})", last.size, last.root.to_base64()),
        None => "from its first head on; nothing was cosigned so far".to_owned(),
    };
    match why_not(&store)? {
        None => say(&format!("{} is cosigned again, {from}.\n", log.origin)),
        Some(why) => {
            Err(stopped(format!("{} would be cosigned {from}, but {why}. See --despite-evidence", log.origin)))
        }
    }
}

/// The witness's own cosignatures that this monitor saw, such as under a head that the log showed: it would not cosign below them.
fn own_seen(config: &Config, log: &LogToFollow, store: &LogStore) -> Result<Vec<Known>, Failure> {
    let Some(witness) = &config.witness else { return Ok(Vec::new()) };
    let keys = WitnessKeys::load(&witness.keys)?;
    let asking = Asking::new(&log.origin, &log.trust, &keys.vkeys())?;
    let mut seen = Vec::new();
    for own in &asking.own {
        let kept = store.cosigned_by(&own.vkey().to_string())?;
        seen.extend(kept.and_then(|kept| asking.own_line(own, &kept.note)));
    }
    Ok(seen)
}

/// Why the log is not cosigned, whatever is known of what was cosigned last: evidence, or a fork that no file proves yet.
fn why_not(store: &LogStore) -> Result<Option<String>, Failure> {
    let fork = store.unproven_fork()?;
    Ok(store.stop().why().or(fork))
}

/// What was asked for was done as far as it goes, and the log is not cosigned all the same.
fn stopped(message: String) -> Failure {
    Failure::new(Exit::Unavailable, message)
}
