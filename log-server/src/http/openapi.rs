//! The description of all routes: OpenAPI 3.1, kept by hand, compared with routes and real answers by tests.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Uri};
use service::problem::Problem;

use super::params;

/// The document, part of the program.
const DOCUMENT: &str = include_str!("openapi.json");

/// The OpenAPI document as JSON text.
pub fn document() -> &'static str {
    DOCUMENT
}

/// `GET /openapi.json`
pub(super) async fn serve(uri: Uri) -> Result<Response, Problem> {
    params::none(&uri)?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        // It changes with the program only.
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    Ok((headers, DOCUMENT).into_response())
}
