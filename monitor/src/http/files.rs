//! Places for misbehaviour files that others hand in: how many are in memory at once.

use std::sync::Arc;
use std::time::Duration;

use proto::code::Code;
use service::problem::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Files of strangers that are read or verified at once, and as many of peers besides: each is 8 MiB at most, so both together
/// are 128 MiB, and about as much while they are parsed. Peers have places of their own, since a stranger may hold one for as
/// long as a slow body may take.
const MOST_AT_ONCE: usize = 8;

/// When somebody is asked to come again who finds no place: most files are some kilobytes and verified in milliseconds.
const AGAIN: Duration = Duration::from_secs(2);

/// The places.
#[derive(Debug, Clone)]
pub(super) struct Files {
    peers: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

impl Default for Files {
    fn default() -> Files {
        let places = || Arc::new(Semaphore::new(MOST_AT_ONCE));
        Files { peers: places(), strangers: places() }
    }
}

impl Files {
    /// One of them, before anything of the body is read; free again when it is dropped.
    pub(super) fn take(&self, is_peer: bool) -> Result<OwnedSemaphorePermit, Problem> {
        let places = if is_peer { &self.peers } else { &self.strangers };
        let why = "So many files are read at once that this one has no room; wait as Retry-After says.";
        places.clone().try_acquire_owned().map_err(|_| Problem::new(Code::QueueFull, why).retry_after(AGAIN))
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use http::StatusCode;
    use http::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn strangers_have_so_many_places_and_take_none_of_the_peers() {
        let files = Files::default();
        let held: Vec<_> = (0..MOST_AT_ONCE).map(|_| files.take(false).unwrap()).collect();
        let response = files.take(false).unwrap_err().into_response();
        assert_eq!(
            (response.status(), &response.headers()[RETRY_AFTER]),
            (StatusCode::SERVICE_UNAVAILABLE, &"2".parse().unwrap())
        );
        assert!(files.take(true).is_ok());
        drop(held);
        assert!(files.take(false).is_ok());
    }
}
