//! What the HTTP library lets pass although a reader before us may have seen another end or another addressee.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

mod support;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use service::limits::ServeLimits;
use support::{Running, problem};

fn router() -> Router {
    let count = async |body: Bytes| body.len().to_string();
    service::edge::wrap(Router::new().route("/", get(|| async { "hello" })).route("/count", post(count)), None)
}

/// All that comes back for these bytes and a request behind them.
async fn said(server: &Running, request: &str) -> String {
    let mut client = server.client().await;
    client.send(&format!("{request}GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
    client.rest().await
}

#[tokio::test]
async fn chunks_behind_another_coding_are_refused_and_nothing_behind_them_is_answered() {
    let server = Running::with(router(), ServeLimits::default()).await;
    let post = |codings: &str| format!("POST /count HTTP/1.1\r\nhost: x\r\n{codings}\r\n\r\n2\r\nab\r\n0\r\n\r\n");
    let good = said(&server, &post("transfer-encoding: chunked")).await;
    assert!(good.contains("\r\n\r\n2HTTP/1.1 200 OK") && good.ends_with("hello"), "{good}");
    for codings in [
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
    ] {
        let answer = said(&server, &post(codings)).await;
        problem(&answer, 400, "request.invalid");
        assert!(answer.contains("connection: close"), "{codings}: {answer}");
    }
}

#[tokio::test]
async fn a_request_with_no_host_or_two_is_refused_and_the_connection_closes() {
    let server = Running::with(router(), ServeLimits::default()).await;
    for hosts in ["", "host: x\r\nhost: y\r\n", "host: x\r\nhost: x\r\n"] {
        let answer = said(&server, &format!("GET / HTTP/1.1\r\n{hosts}\r\n")).await;
        problem(&answer, 400, "request.invalid");
        assert!(answer.contains("connection: close"), "{hosts}: {answer}");
    }
    let old = said(&server, "GET / HTTP/1.0\r\n\r\n").await;
    assert!(old.ends_with("hello"), "{old}");
}
