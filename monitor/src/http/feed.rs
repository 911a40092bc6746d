//! `GET /v1/alerts.atom`: the newest alerts as an Atom feed (RFC 4287).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use proto::code::Code;
use service::problem::Problem;

use super::Shared;
use crate::alert::Source as _;
use crate::alert::channel::atom;

/// `GET /v1/alerts.atom`
pub(super) async fn atom(State(shared): State<Shared>) -> Result<Response, Problem> {
    let missing = || Problem::new(Code::RequestNotFound, "This monitor has no feed.");
    let alerts = shared.0.feed.get().ok_or_else(missing)?.clone();
    let read = move || {
        let channel = alerts.feed().unwrap_or_default();
        let entries = alerts.outbox().feed(channel)?;
        Ok::<_, client::Error>(atom::feed(alerts.outbox().name(), &entries))
    };
    let text = shared.blocking(read).await?.map_err(Problem::internal)?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/atom+xml; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, text).into_response())
}
