//! `resume-origin`: the operator's act that lets a log be cosigned again.

use clap::Args;

use super::{Exit, Failure, Place, follow, records_folder, say};
use crate::witness::{Resume, Witness};

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
}

pub(super) fn run(args: &ResumeArgs) -> Result<(), Failure> {
    let config = args.place.load([])?;
    let log = follow::configured(&config, &args.origin)?;
    if config.witness.is_none() {
        let message = "this monitor is no witness: the configuration has no [witness]";
        return Err(Failure::new(Exit::Config, message));
    }
    let how = if args.nothing_newer { Resume::NothingNewer } else { Resume::FromRecord };
    let resumed = Witness::resume(&config.state, &records_folder(&config), &log.origin, how)?;
    let from = match resumed.last {
        Some(last) => format!("from the head of {} entries on (root {})", last.size, last.root.to_base64()),
        None => "from its first head on; nothing was cosigned so far".to_owned(),
    };
    say(&format!("{} is cosigned again, {from}.\n", log.origin))
}
