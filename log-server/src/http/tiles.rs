//! The read side of C2SP tlog-tiles: checkpoint, tiles and entry bundles.
//!
//! Partial tiles are made on demand, for every width that the published tree has, also after the full tile exists. Each
//! thing has one path; any other spelling is not found.

use std::io::Write as _;
use std::ops::ControlFlow;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Uri};
use proto::code::Code;
use proto::num::TreeSize;
use proto::tile::{BundleId, TileId, TilePath, push_entry};
use service::problem::Problem;

use super::app::{App, Cost, ReadError, View};
use super::json::IMMUTABLE;
use super::kept::Kept;
use super::{params, waiting};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const BY_ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding");

/// C2SP allows a few seconds at most; one keeps caches useful under a rush and heads fresh.
const CHECKPOINT_CACHING: HeaderValue = HeaderValue::from_static("max-age=1");

/// Below this a compressed body saves no packet.
const MIN_GZIP_BYTES: usize = 1400;

/// `GET /checkpoint`
pub(super) async fn checkpoint(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    params::none(&uri)?;
    let note = match app.witnesses() {
        None => app.log().published().note.clone(),
        Some(witnesses) => witnesses.checkpoint().ok_or_else(waiting::none_yet)?,
    };
    Ok(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, CHECKPOINT_CACHING)], note).into_response())
}

/// `GET /tile/…`
pub(super) async fn tile(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    params::none(&uri)?;
    // The path as it was sent: an escaped spelling is another one.
    let path: TilePath = uri
        .path()
        .trim_start_matches('/')
        .parse()
        .map_err(|error| Problem::new(Code::RequestNotFound, format!("This is {error}.")))?;
    if uri.path() != format!("/{path}") {
        return Err(Problem::new(Code::RequestNotFound, format!("This tile's path is /{path}.")));
    }
    let packed = matches!(path, TilePath::Entries(_)) && accepts_gzip(&headers);
    if let Some(kept) = app.kept_tiles().find(&(path, packed)) {
        return Ok(respond(path, kept));
    }
    let cost = match path {
        TilePath::Tile(_) => Cost::Point,
        TilePath::Entries(_) => Cost::Bundle,
    };
    let made = app.read(cost, move |view| match path {
        TilePath::Tile(id) => hashes(view, id),
        TilePath::Entries(id) => entries(view, id, packed),
    });
    let made = made.await?;
    app.kept_tiles().keep((path, packed), &made);
    Ok(respond(path, made))
}

fn respond(path: TilePath, Kept { body, gzip }: Kept) -> Response {
    let mut response = ([(CONTENT_TYPE, OCTETS), (CACHE_CONTROL, IMMUTABLE)], body).into_response();
    if matches!(path, TilePath::Entries(_)) {
        response.headers_mut().insert(VARY, BY_ENCODING);
    }
    if gzip {
        response.headers_mut().insert(CONTENT_ENCODING, GZIP);
    }
    response
}

fn beyond(name: &str, size: TreeSize) -> ReadError {
    let detail = format!("The tree has {size} entries now; {name} is beyond it or is not complete yet.");
    Problem::new(Code::RequestBeyondTree, detail).into()
}

fn hashes(view: &View, id: TileId) -> Result<Kept, ReadError> {
    let (size, full) = (view.size(), TileId::at(id.level(), id.index(), view.size()));
    if full.is_none_or(|full| full.width() < id.width()) {
        return Err(beyond(&id.to_string(), size));
    }
    let bytes = view.store().tile(id.level(), id.index(), id.width())?;
    Ok(Kept { body: bytes.into(), gzip: false })
}

fn entries(view: &View, id: BundleId, packed: bool) -> Result<Kept, ReadError> {
    let (size, full) = (view.size(), BundleId::at(id.index(), view.size()));
    if full.is_none_or(|full| full.width() < id.width()) {
        return Err(beyond(&id.to_string(), size));
    }
    let first = id.first().0;
    let (mut bundle, mut too_long) = (Vec::new(), None);
    view.store().entries(first..first + u64::from(id.width()), &mut |index, entry| {
        let number = usize::try_from(index.0 - first).unwrap_or(usize::MAX);
        match push_entry(&mut bundle, number, entry) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                too_long = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = too_long {
        return Err(Problem::internal(error).into());
    }
    match packed && bundle.len() >= MIN_GZIP_BYTES {
        true => Ok(Kept { body: pack(&bundle).map_err(Problem::internal)?.into(), gzip: true }),
        false => Ok(Kept { body: bundle.into(), gzip: false }),
    }
}

/// Fast rather than small: base64 and signatures hardly shrink further, and it is done for every reader.
fn pack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::fast());
    out.write_all(bytes)?;
    out.finish()
}

/// Whether `Accept-Encoding` allows gzip (RFC 9110 §12.5.3): named, or `*`, and not with weight 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    for value in headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()) {
        for item in value.split(',') {
            let (coding, weight) = item.split_once(';').unwrap_or((item, ""));
            let refused = weight
                .trim()
                .strip_prefix("q=")
                .is_some_and(|q| q.trim().bytes().all(|byte| byte == b'0' || byte == b'.'));
            match coding.trim() {
                coding if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") => {
                    return !refused;
                }
                "*" => any = !refused,
                _ => {}
            }
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_only_when_it_is_accepted() {
        let accepts = |value: &str| {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().expect("a header"))]);
            accepts_gzip(&headers)
        };
        for yes in ["gzip", "br, gzip;q=0.5", "*", "GZIP", "deflate, *;q=0.1"] {
            assert!(accepts(yes), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "*, gzip;q=0.0", "identity", "*;q=0", "gzipped"] {
            assert!(!accepts(no), "{no}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
