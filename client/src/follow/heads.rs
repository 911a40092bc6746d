//! The heads that the log published, from the newest back to those that are known.

use crate::api::{Api, PublishedHead};
use crate::error::Error;
use crate::tiles::HttpTiles;

/// Heads asked for at once; logs of this kind give at most this many.
const PAGE: u32 = 200;
/// Shows every head that the log lists after the time `until`, at most about `most` of the newest; gives the time of the newest.
/// Waits for the network.
pub fn each_newer(
    api: &Api,
    tiles: &HttpTiles,
    until: u64,
    most: usize,
    each: &mut dyn FnMut(&PublishedHead) -> Result<(), Error>,
) -> Result<u64, Error> {
    let (mut before, mut newest) = (None, until);
    for _ in 0..most.div_ceil(PAGE as usize).max(1) {
        let page = match tiles.wait(api.heads_before(before, PAGE)) {
            Ok(page) => page,
            // A log of another make keeps no list of heads.
            Err(error) if error.problem.as_ref().is_some_and(|problem| problem.status == 404) => return Ok(newest),
            Err(error) => return Err(error),
        };
        let oldest = page.iter().map(|head| head.time).min();
        for head in page.iter().filter(|head| head.time > until) {
            newest = newest.max(head.time);
            each(head)?;
        }
        match oldest {
            Some(oldest) if oldest > until && before != Some(oldest) => before = Some(oldest),
            _ => break,
        }
    }
    Ok(newest)
}
