//! What every public router is wrapped in, the boundary where inside becomes outside: panics are caught, every error
//! becomes a problem, failures are logged once with a request id, and requests are counted.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proto::code::Code;
use tokio::time::Instant;

use crate::body::{BodyWatch, incomplete};
use crate::detached::panic_text;
use crate::metrics::Metrics;
use crate::problem::{Problem, Shown};

/// The response header that carries the request id; set on every problem.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The text of an error that is no problem yet is shown up to this length; a framework's own are far shorter.
const MAX_PLAIN_DETAIL_BYTES: usize = 1024;

/// Names one request in the operator's log and in the client's hands: a request extension. Never taken from clients,
/// who could make two look like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// Unique in this process; the process's own random start makes it unlikely to repeat after a restart.
    fn next() -> RequestId {
        static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one("request id")));
        RequestId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Wraps a finished router: call it last, after all routes, fallbacks and inner layers.
pub fn wrap(router: Router, metrics: Option<Metrics>) -> Router {
    router.layer(middleware::from_fn_with_state(metrics, boundary))
}

async fn boundary(State(metrics): State<Option<Metrics>>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = RequestId::next();
    request.extensions_mut().insert(id);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let watch = request.extensions().get::<Arc<BodyWatch>>().cloned();
    let running = metrics.as_ref().map(Metrics::request);

    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => as_problem(response, watch.as_deref()).await,
        Err(panic) => Problem::internal(format_args!("a handler panicked: {}", panic_text(&*panic))).into_response(),
    };

    let route = route.as_ref().map(MatchedPath::as_str);
    if let Some(Shown(problem)) = response.extensions().get::<Shown>() {
        log(problem, id, &method, route);
        // Sixteen hex digits are always a valid header value.
        if let Ok(value) = HeaderValue::try_from(id.to_string()) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
    }
    if let Some(metrics) = &metrics {
        metrics.answered(route, &method, response.status(), begun.elapsed());
    }
    drop(running);
    response
}

/// Failures of ours are errors. Everything else is the client's affair or a mode that is logged when it begins; under
/// overload a line for each refusal would only add to the load.
fn log(problem: &Problem, id: RequestId, method: &http::Method, route: Option<&str>) {
    let (code, cause) = (problem.code(), problem.internal_cause().unwrap_or(problem.detail()));
    if problem.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(request = %id, %method, route, %code, cause, "request failed");
    } else {
        tracing::debug!(request = %id, %method, route, %code, cause, "request refused");
    }
}

async fn as_problem(response: Response, watch: Option<&BodyWatch>) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    if watch.is_some_and(BodyWatch::timed_out) {
        // The rest of the body may still come and must not be taken for the next request.
        let mut answer = in_place_of(response.headers(), incomplete());
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return answer;
    }
    if !is_bare(&response) {
        return response;
    }
    let (parts, body) = response.into_parts();
    in_place_of(&parts.headers, problem_of(parts.status, plain_text(body).await))
}

/// The problem as an answer that keeps what the replaced one said about other things than its body (`Allow`, CORS).
fn in_place_of(replaced: &HeaderMap, problem: Problem) -> Response {
    let mut response = problem.into_response();
    for (name, value) in replaced {
        if ![CONTENT_TYPE, CONTENT_LENGTH, CACHE_CONTROL].contains(name) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// Whether an error has no form of its own: no content type, or the plain text in which the framework rejects. Pages,
/// JSON and other types that a handler chose stay as they are.
fn is_bare(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_none_or(|value| value.as_bytes().starts_with(b"text/plain"))
}

async fn plain_text(body: Body) -> String {
    if body.size_hint().upper().is_none_or(|size| size > MAX_PLAIN_DETAIL_BYTES as u64) {
        return String::new();
    }
    let bytes = crate::body::read_all(body, MAX_PLAIN_DETAIL_BYTES).await.unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn problem_of(status: StatusCode, text: String) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::new(
            Code::RequestNotFound,
            "There is nothing at this path; docs/api.md lists what there is, and a log does so at /openapi.json.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(Code::RequestMethod, "This method is not allowed here; the Allow header lists those that are.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Code::SizeEnvelope, "The request's body is larger than this endpoint takes.")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(
            Code::RequestContentType,
            "The body's content type or encoding is not one this endpoint takes.",
        ),
        StatusCode::REQUEST_TIMEOUT => incomplete(),
        _ if status.is_server_error() => Problem::internal(format_args!("answered {status}: {text}")),
        _ if text.is_empty() => Problem::new(Code::RequestInvalid, "The request is malformed."),
        _ => Problem::new(Code::RequestInvalid, text),
    }
}
