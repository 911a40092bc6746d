//! Entries by index.

use axum::extract::{Path, State};
use axum::response::Response;
use http::Uri;
use proto::b64;
use proto::claim::{Claim, ClaimId};
use proto::code::Code;
use proto::entry::Entry;
use proto::merkle::NodeReader as _;
use proto::num::{LeafIndex, Millis, TreeSize};
use serde::Serialize;
use service::problem::Problem;

use super::app::{App, Cost, ReadError, View};
use super::json::{self, IMMUTABLE, LinksJson};
use super::params;

#[derive(Serialize)]
struct Shown {
    index: LeafIndex,
    timestamp: Millis,
    claim_id: String,
    #[serde(rename = "type")]
    claim_type: String,
    issuer: String,
    links: LinksJson,
    payload_type: String,
    leaf_hash: String,
    entry: String,
}

/// `GET /v1/entries/{index}`
pub(super) async fn show(State(app): State<App>, Path(index): Path<String>, uri: Uri) -> Result<Response, Problem> {
    params::none(&uri)?;
    let index = params::leaf_index(&index)?;
    let shown = app.read(Cost::Point, move |view| shown(view, index)).await?;
    Ok(json::answer(&shown, IMMUTABLE))
}

pub(super) fn beyond(index: LeafIndex, size: TreeSize) -> Problem {
    let detail = format!("There is no entry {index} yet; the tree has {size} entries, with indices from 0.");
    Problem::new(Code::RequestBeyondTree, detail).with("size", size.0)
}

fn shown(view: &View, index: LeafIndex) -> Result<Shown, ReadError> {
    if !index.is_in(view.size()) {
        return Err(beyond(index, view.size()).into());
    }
    let corrupt = |what: &dyn std::fmt::Display| Problem::internal(format_args!("entry {index}: {what}"));
    let bytes = view.store().entry(index)?.ok_or_else(|| corrupt(&"missing"))?;
    let leaf_hash = Entry::leaf_hash(&bytes);
    let in_tree = view.log.tree(view.size()).node(0, index.0).map_err(|error| corrupt(&error))?;
    if leaf_hash != in_tree {
        return Err(corrupt(&"its stored bytes are not what the tree holds; run `check`").into());
    }
    let entry = Entry::decode(&bytes).map_err(|error| corrupt(&error))?;
    let claim = Claim::parse(&entry.payload).map_err(|error| corrupt(&error))?;
    Ok(Shown {
        index,
        timestamp: entry.timestamp,
        claim_id: ClaimId::of(&entry.payload_type, &entry.payload).to_string(),
        claim_type: claim.claim_type.as_str().to_owned(),
        issuer: claim.issuer.as_str().to_owned(),
        links: entry.links.into(),
        leaf_hash: leaf_hash.to_base64(),
        entry: b64::encode(&bytes),
        payload_type: entry.payload_type,
    })
}
