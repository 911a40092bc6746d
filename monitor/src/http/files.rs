//! Places for misbehaviour files that others hand in: how many are in memory at once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::code::Code;
use service::caps::client_key;
use service::problem::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Files of strangers that are read or verified at once, and as many of peers besides: each is 8 MiB at most, so both together
/// are 128 MiB, and about as much while they are parsed. Peers have places of their own, since a stranger may hold one for as
/// long as a slow body may take.
const MOST_AT_ONCE: usize = 8;

/// Of those of strangers the ones that one address may hold: a body may drip for half a minute, and a few addresses would have all.
const MOST_OF_ONE: usize = 2;

/// When somebody is asked to come again who finds no place: most files are some kilobytes and verified in milliseconds.
const AGAIN: Duration = Duration::from_secs(2);

/// The places.
#[derive(Debug, Clone)]
pub(super) struct Files {
    peers: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    /// How many each address has of the strangers'; nobody is in it who has none.
    held: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

/// One of them; free again when it is dropped.
#[derive(Debug)]
pub(super) struct FilePlace {
    _permit: OwnedSemaphorePermit,
    /// Whose it is, if it is one of the strangers'.
    of: Option<(Files, IpAddr)>,
}

impl Default for Files {
    fn default() -> Files {
        let places = || Arc::new(Semaphore::new(MOST_AT_ONCE));
        Files { peers: places(), strangers: places(), held: Arc::default() }
    }
}

impl Files {
    /// A place for a file of a peer, or of a stranger at this address, before anything of the body is read.
    pub(super) fn take(&self, is_peer: bool, address: IpAddr) -> Result<FilePlace, Problem> {
        let full = || {
            let why = "So many files are read at once that this one has no room; wait as Retry-After says.";
            Problem::new(Code::QueueFull, why).retry_after(AGAIN)
        };
        let places = if is_peer { &self.peers } else { &self.strangers };
        let permit = places.clone().try_acquire_owned().map_err(|_| full())?;
        if is_peer {
            return Ok(FilePlace { _permit: permit, of: None });
        }
        let key = client_key(address);
        let has_room = self.count(key, |held| {
            let has_room = *held < MOST_OF_ONE;
            *held += usize::from(has_room);
            has_room
        });
        if has_room { Ok(FilePlace { _permit: permit, of: Some((self.clone(), key)) }) } else { Err(full()) }
    }

    fn count<T>(&self, key: IpAddr, change: impl FnOnce(&mut usize) -> T) -> T {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let done = change(held.entry(key).or_default());
        held.retain(|_, held| *held > 0);
        done
    }
}

impl Drop for FilePlace {
    fn drop(&mut self) {
        if let Some((files, key)) = &self.of {
            files.count(*key, |held| *held = held.saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use http::StatusCode;
    use http::header::RETRY_AFTER;

    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn strangers_have_so_many_places_and_take_none_of_the_peers() {
        let files = Files::default();
        let held: Vec<_> = (1..).take(MOST_AT_ONCE).map(|n| files.take(false, address(n)).unwrap()).collect();
        let response = files.take(false, address(99)).unwrap_err().into_response();
        assert_eq!(
            (response.status(), &response.headers()[RETRY_AFTER]),
            (StatusCode::SERVICE_UNAVAILABLE, &"2".parse().unwrap())
        );
        assert!(files.take(true, address(99)).is_ok());
        drop(held);
        assert!(files.take(false, address(99)).is_ok());
    }

    #[test]
    fn one_address_has_few_of_them() {
        let files = Files::default();
        let mut held: Vec<_> = (0..MOST_OF_ONE).map(|_| files.take(false, address(1)).unwrap()).collect();
        assert!(files.take(false, address(1)).is_err());
        assert!(files.take(false, address(2)).is_ok(), "another one is not held up");
        let of_peer: Vec<_> = (0..MOST_AT_ONCE).map(|_| files.take(true, address(1)).unwrap()).collect();
        assert_eq!(of_peer.len(), MOST_AT_ONCE, "peers may be many behind one address");
        held.pop();
        assert!(files.take(false, address(1)).is_ok());
        drop(held);
        assert!(files.held.lock().unwrap().is_empty(), "nobody is remembered");
    }
}
