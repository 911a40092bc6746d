//! The admin address: is the process alive, should it get requests, and its metrics. Never reachable for the public.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use proto::code::Code;
use serde_json::json;

use crate::problem::Problem;

/// The media type of OpenMetrics 1.0 text.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the server should get requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It should, and in which mode it is.
    Ready {
        /// The mode's name.
        mode: &'static str,
        /// What an operator should know all the same, such as others that do not answer: no reason to send requests elsewhere.
        notes: Vec<String>,
    },
    /// It should not, and why.
    NotReady(String),
}

impl Readiness {
    /// Ready in this mode, with nothing to note.
    pub fn in_mode(mode: &'static str) -> Readiness {
        Readiness::Ready { mode, notes: Vec::new() }
    }
}

/// The routes `/healthz` (200 as long as the process answers at all), `/readyz` (200 or 503 with the reason, asked anew
/// each time) and `/metrics`.
pub fn router(registry: Arc<Registry>, ready: impl Fn() -> Readiness + Clone + Send + Sync + 'static) -> Router {
    Router::new()
        .route("/healthz", get(async || no_store(StatusCode::OK, "application/json", json!({"ok": true}).to_string())))
        .route("/readyz", get(async move || readiness(ready())))
        .route("/metrics", get(async move || metrics(&registry)))
}

/// Takes only what says of itself that it is JSON.
///
/// A page in a browser of the operator can post to any address, but not with this type: the browser asks the other side first,
/// which does not allow it.
///
/// # Errors
/// `request.content_type` for anything else, also for nothing.
pub fn json_only(headers: &HeaderMap) -> Result<(), Problem> {
    let essence = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default().trim();
    match essence.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => {
            Err(Problem::new(Code::RequestContentType, "This is taken with `content-type: application/json` only."))
        }
    }
}

fn readiness(readiness: Readiness) -> Response {
    let (status, body) = match readiness {
        Readiness::Ready { mode, notes } if notes.is_empty() => (StatusCode::OK, json!({"ready": true, "mode": mode})),
        Readiness::Ready { mode, notes } => (StatusCode::OK, json!({"ready": true, "mode": mode, "notes": notes})),
        Readiness::NotReady(reason) => (StatusCode::SERVICE_UNAVAILABLE, json!({"ready": false, "reason": reason})),
    };
    no_store(status, "application/json", body.to_string())
}

fn metrics(registry: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => no_store(StatusCode::OK, OPENMETRICS, text),
        Err(error) => Problem::internal(format_args!("the metrics cannot be written: {error}")).into_response(),
    }
}

fn no_store(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static(content_type)), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, headers, body).into_response()
}
