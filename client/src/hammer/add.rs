//! After a run against `/add`: is everything in the tree, where the answers said?

use std::time::Duration;

use super::check::{Checker, Verified};
use super::outcome::Outcome;
use super::run::io_runtime;
use super::target::Target;
use crate::api::Api;
use crate::error::Error;
use crate::http::Http;
use crate::tiles::HttpTiles;
use crate::trust::Trust;

/// Holds every place that was answered against the tree of the newest head under this vkey. The log has until the
/// deadline to publish a head that covers them all.
pub fn confirm(outcome: &Outcome, target: &Target, vkey: &str, deadline: Duration) -> Result<Verified, Error> {
    let trust = Trust::parse(format!("log {vkey}\nquorum none\n").as_bytes())
        .map_err(|e| Error::usage(format!("{vkey:?} is not the vkey of a log: {}", e.message)))?;
    let origin = trust.log(None)?.origin().to_owned();
    let runtime = io_runtime()?;
    let api = Api::new(Http::new(&target.base())?.with_deadline(deadline));
    let tiles = HttpTiles::new(api.http().clone(), runtime.handle().clone());
    Ok(Checker::new(trust, origin, api, tiles).confirm(outcome.added.clone(), deadline))
}
