//! `reports`: the claims that name heads which are not this log's.

use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

use clap::Args;

use super::{Failure, Place, open};

#[derive(Debug, Args)]
pub(super) struct ReportsArgs {
    #[command(flatten)]
    place: Place,
}

/// One envelope a line, as `claimtrail show` and any DSSE tool read it.
pub(super) fn run(args: &ReportsArgs) -> Result<(), Failure> {
    let config = args.place.load([])?;
    let store = open::store_read_only(&config)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    store.reports(None, &mut |_, envelope| {
        written = out.write_all(envelope).and_then(|()| out.write_all(b"\n"));
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written.and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}
