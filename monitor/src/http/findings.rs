//! `GET /v1/findings` and `POST /v1/findings/acknowledge` of the admin address: what is open, and that the operator knows of it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, HeaderValue};
use proto::code::Code;
use service::admin::json_only;
use service::body::read_all;
use service::problem::Problem;

use crate::acknowledge::{Acknowledge, Everywhere};
use crate::clock;

/// An origin, a name and a reason stay below this.
const MAX_BODY_BYTES: usize = 16 << 10;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The routes.
pub fn findings_router(everywhere: Everywhere) -> Router {
    Router::new()
        .route("/v1/findings", get(list))
        .route("/v1/findings/acknowledge", post(acknowledge))
        .with_state(Arc::new(everywhere))
}

/// Runs what reads or writes a database off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, client::Error> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?.map_err(|e| Problem::internal(e.message))
}

async fn list(State(everywhere): State<Arc<Everywhere>>) -> Result<Response, Problem> {
    let open = blocking(move || everywhere.open()).await?;
    Ok(([(CACHE_CONTROL, NO_STORE)], axum::Json(open)).into_response())
}

async fn acknowledge(
    State(everywhere): State<Arc<Everywhere>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    json_only(&headers)?;
    let body = read_all(body, MAX_BODY_BYTES).await?;
    let asked: Acknowledge = serde_json::from_slice(&body).map_err(|error| {
        let detail = format!("The body is JSON with `origin`, `finding` and `because`: {error}.");
        Problem::new(Code::RequestInvalid, detail)
    })?;
    let open = blocking(move || everywhere.acknowledge(&asked, clock::now())).await?;
    let not_open = || Problem::new(Code::RequestNotFound, "No finding of this name is open there; see /v1/findings.");
    Ok(([(CACHE_CONTROL, NO_STORE)], axum::Json(open.ok_or_else(not_open)?)).into_response())
}
