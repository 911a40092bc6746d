//! What is new: for readers that follow the log without replaying it.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use proto::b64;
use proto::num::{LeafIndex, TreeSize};
use proto::query::search;
use serde::Serialize;
use service::problem::Problem;

use super::app::{App, Cost, ReadError, View};
use super::entries::beyond;
use super::json::{self, ClaimItem};
use super::params::Params;

#[derive(Serialize)]
struct Changes {
    size: TreeSize,
    items: Vec<Change>,
    /// The `from` of the next request; equal to `size` when nothing is left.
    next: LeafIndex,
}

#[derive(Serialize)]
struct Change {
    #[serde(flatten)]
    item: ClaimItem,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
}

/// `GET /v1/changes?from=INDEX&limit=&entries=`
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let mut params = Params::parse(&uri)?;
    let from = LeafIndex(params.number("from")?.unwrap_or(0));
    let limit = params.limit()?;
    let with_entries = params.flag("entries")?;
    params.finish()?;
    let changes = app.read(Cost::Scan, move |view| changes(view, from, limit, with_entries)).await?;
    Ok(json::dynamic(&changes))
}

fn changes(view: &View, from: LeafIndex, limit: usize, with_entries: bool) -> Result<Changes, ReadError> {
    let size = view.size();
    // `from` = size is where a reader stands that has everything.
    if from.0 > size.0 {
        return Err(beyond(from, size).into());
    }
    let (found, next) = search::changes(view, size, from.0, limit)?;
    let mut items = Vec::with_capacity(found.len());
    for logged in found {
        let entry = match with_entries {
            true => Some(b64::encode(logged.entry.encode().map_err(Problem::internal)?)),
            false => None,
        };
        items.push(Change { item: ClaimItem::new(&logged)?, entry });
    }
    Ok(Changes { size, items, next: LeafIndex(next) })
}
