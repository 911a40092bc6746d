//! `GET /{hash}/tile/…`: the log's tiles and entry bundles out of this monitor's own copy (C2SP tlog-tiles, and the reading
//! side of tlog-mirror).
//!
//! Everything here was tied to a signed root before it was kept. Each thing has one path; any other spelling is not found.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Uri};
use proto::code::Code;
use proto::tile::TilePath;
use service::problem::Problem;

use super::Shared;

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// What never changes. A year is the longest that caches promise to understand.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// `GET /{hash}/tile/…`
pub(super) async fn tile(
    State(shared): State<Shared>,
    Path((hash, _)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    let log = shared.by_hash(&hash)?.clone();
    let not_found = |detail: String| Problem::new(Code::RequestNotFound, detail);
    if !log.store.is_mirror() {
        return Err(not_found("This monitor keeps no copy of that log; ask the log itself.".to_owned()));
    }
    // The path as it was sent: an escaped spelling is another one.
    let sent = uri.path().trim_start_matches('/').strip_prefix(&hash).unwrap_or_default().trim_start_matches('/');
    let path: TilePath = sent.parse().map_err(|error| not_found(format!("This is {error}.")))?;
    if path.to_string() != sent {
        return Err(not_found(format!("This tile's path is {path}.")));
    }
    let bytes = shared.blocking(move || match path {
        TilePath::Tile(id) => log.store.tile_bytes(id),
        TilePath::Entries(id) => log.store.bundle_bytes(id),
    });
    let beyond = || Problem::new(Code::RequestBeyondTree, format!("This monitor does not have {path} yet."));
    let bytes = bytes.await?.map_err(Problem::internal)?.ok_or_else(beyond)?;
    Ok(([(CONTENT_TYPE, OCTETS), (CACHE_CONTROL, IMMUTABLE)], bytes).into_response())
}
