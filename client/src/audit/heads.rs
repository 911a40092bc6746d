//! The heads that the log published, held against its entries: root and time.

use std::ops::ControlFlow;

use proto::code::Code;
use proto::num::{Seconds, TreeSize};
use proto::policy::Checked;

use super::store::AuditStore;
use super::{Audit, Breach, Outcome, evidence};
use crate::api::{Api, PublishedHead};
use crate::error::Error;
use crate::head::{self, Head, other_root};
use crate::state::ShownBy;
use crate::tiles::{HttpTiles, HttpTree};

/// Heads asked for at once; logs of this kind give at most this many.
const PAGE: u32 = 200;
/// Pages read in one audit, so that it ends whatever the log lists: a million heads. The next audit goes on from there.
const MAX_PAGES: usize = 5000;
/// Breaches after which no more heads are looked at; nobody needs more to know what the log is.
const MAX_BREACHES: usize = 100;
/// After so many heads in a row that are newer than the audited one, the rest is left to the next audit.
const MAX_LATER: u32 = PAGE;

/// What is to say of a published head.
enum Judged {
    Good,
    /// It was made after the audited head; the next audit has its entries.
    Later,
    Bad(Breach),
}

/// Checks every published head that no earlier audit found good.
pub(super) fn check(
    audit: &Audit<'_>,
    store: &AuditStore,
    tree: &HttpTree,
    audited: &Head,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let from = store.heads_from()?;
    let (mut good_until, mut all_good, mut later, mut bad) = (from, true, 0, 0);
    let listed = each_from(audit.api, &audit.tiles, from, MAX_PAGES, &mut |head| {
        later += 1;
        match judge(audit, store, tree, &audited.checked, head)? {
            Judged::Later => all_good = false,
            Judged::Good => later = 0,
            Judged::Bad(breach) => {
                (later, all_good) = (0, false);
                bad += 1;
                outcome.breaches.push(breach);
            }
        }
        outcome.heads += u64::from(later == 0);
        if all_good {
            good_until = head.time;
        }
        let enough = later >= MAX_LATER || bad >= MAX_BREACHES;
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    if !listed {
        outcome.remarks.push("the log lists more heads than one audit checks; run it again for the others".into());
    }
    store.set_heads_from(good_until)
}

/// Shows the heads that the log lists from this second on, the oldest first, until `each` has enough; `false` when there were
/// more than `pages` have. A second is begun anew, because the log may have signed more heads in it. Waits for the network.
fn each_from(
    api: &Api,
    tiles: &HttpTiles,
    from: u64,
    pages: usize,
    each: &mut dyn FnMut(&PublishedHead) -> Result<ControlFlow<()>, Error>,
) -> Result<bool, Error> {
    let after = from.saturating_sub(1);
    let (mut cursor, mut last) = (None, (after, TreeSize(u64::MAX)));
    for _ in 0..pages {
        let page = match tiles.wait(api.heads_after(after, cursor.as_deref(), PAGE)) {
            Ok(page) => page,
            // A log of another make keeps no list of heads.
            Err(error) if error.problem.as_ref().is_some_and(|problem| problem.status == 404) => return Ok(true),
            Err(error) => return Err(error),
        };
        for head in &page.heads {
            if each(head)?.is_break() {
                return Ok(true);
            }
            let place = (head.time, head.size);
            if place < last {
                return Err(api.nonsense("/v1/heads", &"the heads are not in the order of their times"));
            }
            last = place;
        }
        cursor = page.next_cursor.filter(|_| !page.heads.is_empty());
        if cursor.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn judge(
    audit: &Audit<'_>,
    store: &AuditStore,
    tree: &HttpTree,
    audited: &Checked,
    listed: &PublishedHead,
) -> Result<Judged, Error> {
    let plain = |code: Code, message| Ok(Judged::Bad(Breach { index: None, code: code.to_string(), message }));
    let place = format!("the log lists a head of {} entries under the time {}", listed.size, listed.time);
    let head = match head::of_log(audit.trust, audit.origin, listed.checkpoint.as_bytes()) {
        Ok(head) => head,
        Err(e) => return plain(Code::HeadMalformed, format!("{place} that is not one: {e}")),
    };
    let (size, root) = (head.checkpoint.size(), head.checkpoint.root());
    if size != listed.size {
        return plain(Code::HeadMalformed, format!("{place}, which it signed for {size} entries"));
    }
    if let Some(time) = head.log_time.filter(|time| *time != Seconds(listed.time)) {
        return plain(Code::HeadTime, format!("{place}, which it signed at {time}"));
    }
    if size > tree.size() {
        // Heads are never smaller than earlier ones.
        let earlier = head.log_time.zip(audited.log_time).is_some_and(|(time, audited)| time < audited);
        if earlier {
            let what = format!("{place}, which is before the audited head of {} entries", tree.size());
            // The smaller one comes first.
            return Ok(Judged::Bad(evidence::breach(audit, Code::HeadTime, &what, audited, &head, ShownBy::Heads)));
        }
        return Ok(Judged::Later);
    }
    if size > TreeSize(0)
        && let Some(shown_by) = other_root(tree, size, root)?
    {
        let what = format!("the log signed another tree of {size} entries");
        return Ok(Judged::Bad(evidence::breach(audit, Code::HeadFork, &what, &head, audited, shown_by)));
    }
    Ok(evidence::time(audit, store, tree, &head, audited)?.map_or(Judged::Good, Judged::Bad))
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
        assert_eq!(shown(heads.clone(), 0, MAX_PAGES).unwrap(), (heads.clone(), true));
        let last: Vec<_> = heads.iter().copied().filter(|(time, _)| *time >= 2).collect();
        assert_eq!(shown(heads.clone(), 2, MAX_PAGES).unwrap(), (last, true), "the second is begun anew");
        assert_eq!(shown(heads.clone(), 0, 3).unwrap(), (heads[..600].to_vec(), false), "what is left is said");
    }

    #[test]
    fn a_list_that_is_in_no_order_is_refused() {
        for list in [vec![(2, 5), (1, 6)], vec![(2, 5), (2, 4)]] {
            let error = shown(list, 0, MAX_PAGES).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
        }
    }
}
