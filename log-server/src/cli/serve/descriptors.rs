//! Open files: the system gives a process so many, and connections must not take those that the store needs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use service::limits::ServeLimits;

use super::{Exit, Failure};

/// A new log opens some 40 files and threads' pipes; below this not even that and a few connections fit.
const LEAST_FILES: u64 = 64;

/// Of the files that may be open, connections get one in so many; the rest is for the store, whose table files grow with the log.
const CONNECTIONS_SHARE: u64 = 2;

/// Raises the limit of open files as far as the system lets this program, and gives connections their share of it. A log with
/// fewer connections is better than one whose store cannot open a file.
pub(super) fn shared_out(limits: ServeLimits) -> Result<ServeLimits, Failure> {
    let wanted = (limits.max_connections as u64).saturating_mul(CONNECTIONS_SHARE);
    let Some(files) = raised_to(wanted) else { return Ok(limits) };
    if files < LEAST_FILES {
        let message = format!(
            "the system lets this program have {files} open files; a log needs at least {LEAST_FILES}, better {wanted}: raise \
             the limit (ulimit -n, or LimitNOFILE= of its service)"
        );
        return Err(Failure::new(Exit::Unavailable, message));
    }
    let connections = usize::try_from(files / CONNECTIONS_SHARE).unwrap_or(usize::MAX);
    if connections >= limits.max_connections {
        return Ok(limits);
    }
    tracing::warn!(
        "the system lets this program have {files} open files, enough for {connections} connections and not for {}: raise the \
         limit to {wanted} (ulimit -n, or LimitNOFILE= of its service)",
        limits.max_connections
    );
    // Nobody gets a larger share of the fewer places.
    let per_address = (limits.max_connections_per_address * connections / limits.max_connections).max(1);
    Ok(ServeLimits { max_connections: connections, max_connections_per_address: per_address, ..limits })
}

/// The limit after it was raised toward `wanted`; `None` when there is none.
fn raised_to(wanted: u64) -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current?;
    let most = limit.maximum.map_or(wanted, |most| most.min(wanted));
    if most <= current {
        return Some(current);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }) {
        Ok(()) => Some(most),
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            Some(current)
        }
    }
}
