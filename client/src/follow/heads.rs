//! The heads that the log published, the oldest first.

use std::ops::ControlFlow;

use proto::num::TreeSize;

use crate::api::{Api, PublishedHead};
use crate::error::Error;
use crate::tiles::HttpTiles;

/// Heads asked for at once; logs of this kind give at most this many.
pub const HEADS_PAGE: u32 = 200;

/// A place in a log's list of heads, to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPlace {
    from: u64,
    cursor: Option<String>,
    /// Time and size of the head before it.
    last: (u64, TreeSize),
}

impl ListPlace {
    /// Before all heads from this second on. A second is begun anew, because the log may have signed more heads in it.
    pub fn from(second: u64) -> ListPlace {
        ListPlace { from: second, cursor: None, last: (second.saturating_sub(1), TreeSize(u64::MAX)) }
    }

    /// The second that the list was begun with.
    pub fn second(&self) -> u64 {
        self.from
    }
}

/// Shows the heads that the log lists from this second on, the oldest first, until `each` has enough; `false` when there were
/// more than `pages` have. Waits for the network.
pub fn each_from(
    api: &Api,
    tiles: &HttpTiles,
    from: u64,
    pages: usize,
    each: &mut dyn FnMut(&PublishedHead) -> Result<ControlFlow<()>, Error>,
) -> Result<bool, Error> {
    Ok(each_behind(api, tiles, ListPlace::from(from), pages, each)?.is_none())
}

/// The same behind a place, which may be in the middle of a second; the place to go on from when there were more than `pages`
/// have.
pub fn each_behind(
    api: &Api,
    tiles: &HttpTiles,
    place: ListPlace,
    pages: usize,
    each: &mut dyn FnMut(&PublishedHead) -> Result<ControlFlow<()>, Error>,
) -> Result<Option<ListPlace>, Error> {
    let ListPlace { from, mut cursor, mut last } = place;
    let after = from.saturating_sub(1);
    for _ in 0..pages {
        let page = match tiles.wait(api.heads_after(after, cursor.as_deref(), HEADS_PAGE)) {
            Ok(page) => page,
            // A log of another make keeps no list of heads.
            Err(error) if error.problem.as_ref().is_some_and(|problem| problem.status == 404) => return Ok(None),
            Err(error) => return Err(error),
        };
        for head in &page.heads {
            if each(head)?.is_break() {
                return Ok(None);
            }
            let place = (head.time, head.size);
            if place < last {
                return Err(api.nonsense("/v1/heads", &"the heads are not in the order of their times"));
            }
            last = place;
        }
        cursor = page.next_cursor.filter(|_| !page.heads.is_empty());
        if cursor.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(ListPlace { from, cursor, last }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::runtime::Runtime;
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

    use super::*;
    use crate::error::ErrorKind;
    use crate::http::Http;

    /// Lists heads as a log does: those after a time, from a cursor on, a page at a time.
    struct Listing(Vec<(u64, u64)>);

    impl Respond for Listing {
        fn respond(&self, request: &Request) -> ResponseTemplate {
            let number = |wanted: &str| {
                let found = request.url.query_pairs().find(|(name, _)| name == wanted);
                found.map(|(_, value)| value.parse::<usize>().unwrap())
            };
            let (after, limit) = (number("after").unwrap() as u64, number("limit").unwrap());
            let left: Vec<_> =
                self.0.iter().filter(|(time, _)| *time > after).skip(number("cursor").unwrap_or(0)).collect();
            let heads: Vec<_> = left.iter().take(limit).collect();
            let heads: Vec<_> =
                heads.iter().map(|(time, size)| json!({"time": time, "size": size, "checkpoint": ""})).collect();
            let next = (left.len() > limit).then(|| (number("cursor").unwrap_or(0) + limit).to_string());
            ResponseTemplate::new(200).set_body_json(json!({ "heads": heads, "next_cursor": next }))
        }
    }

    /// What is shown of a list from a second on, in so many pages, and whether that was all.
    fn shown(list: Vec<(u64, u64)>, from: u64, pages: usize) -> Result<(Vec<(u64, u64)>, bool), Error> {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(path("/v1/heads")).respond_with(Listing(list)).mount(&server).await;
            server
        });
        let http = Http::new(&server.uri()).unwrap();
        let (api, tiles) = (Api::new(http.clone()), HttpTiles::new(http, runtime.handle().clone()));
        let mut seen = Vec::new();
        let all = each_from(&api, &tiles, from, pages, &mut |head| {
            seen.push((head.time, head.size.0));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((seen, all))
    }

    #[test]
    fn every_head_is_shown_once_however_many_share_a_second() {
        let heads: Vec<(u64, u64)> = (1..=700).map(|size| (1 + size / 450, size)).collect();
        assert_eq!(shown(heads.clone(), 0, 5000).unwrap(), (heads.clone(), true));
        let last: Vec<_> = heads.iter().copied().filter(|(time, _)| *time >= 2).collect();
        assert_eq!(shown(heads.clone(), 2, 5000).unwrap(), (last, true), "the second is begun anew");
        assert_eq!(shown(heads.clone(), 0, 3).unwrap(), (heads[..600].to_vec(), false), "what is left is said");
    }

    #[test]
    fn a_list_that_is_in_no_order_is_refused() {
        let long: Vec<(u64, u64)> = (1..=200).map(|size| (2, size)).collect();
        for list in [vec![(2, 5), (1, 6)], vec![(2, 5), (2, 4)], [long, vec![(2, 7)]].concat()] {
            let error = shown(list, 0, 5000).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
        }
    }
}
