//! Public reads from any web page: CORS `*` on GET and HEAD, never on anything that writes.
//!
//! Nothing here depends on cookies or the network a browser sits in, so any page may read; a page must not be able to
//! submit in its visitor's name or address, so preflights for other methods get no permission.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
};
use http::{HeaderValue, Method, StatusCode};

/// What a page may send beyond the safelisted headers: conditions and ranges of reads.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("if-none-match, if-modified-since, range");
/// What a page may read of our answers beyond the safelisted headers.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("etag, retry-after, x-request-id");
/// A day; browsers cap it themselves.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("86400");

/// Lets any web page read what the router serves by GET and HEAD. Apply it inside [`crate::edge::wrap`].
pub fn public_reads(router: Router) -> Router {
    router.layer(middleware::from_fn(apply))
}

async fn apply(request: Request, next: Next) -> Response {
    let asked_for = request.headers().get(ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() == Method::OPTIONS && asked_for.is_some_and(|method| method == "GET" || method == "HEAD") {
        return preflight();
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = next.run(request).await;
    if is_read {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    }
    response
}

fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
    response
}
