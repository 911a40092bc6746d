//! Every error of a router is a problem, and what else the edge does.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

mod support;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query};
use axum::routing::{get, post};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use prometheus_client::registry::Registry;
use proto::code::{Code, Refused};
use service::admin::{self, Readiness};
use service::admin_host::guard;
use service::client_addr::{ClientAddr, TrustedProxies};
use service::listen::ServeOptions;
use service::metrics::Metrics;
use service::problem::Problem;
use service::{cors, edge};
use support::{Running, problem};

#[derive(serde::Deserialize)]
struct Page {
    #[allow(dead_code, reason = "only its form matters")]
    limit: u32,
}

async fn panics() -> &'static str {
    panic!("a secret of the server")
}

fn router() -> Router {
    let refused = || async { Problem::from(Refused::at(Code::ClaimValue, "/role", "no such role")) };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/who", get(|ClientAddr(address): ClientAddr| async move { address.to_string() }))
        .route("/items/{n}", get(|Path(n): Path<u32>| async move { n.to_string() }))
        .route("/page", get(|_: Query<Page>| async { "page" }))
        .route("/refused", post(refused))
        .route("/panic", get(panics))
        .route("/own", get(|| async { (StatusCode::CONFLICT, [(CONTENT_TYPE, "text/x.tlog.size")], "17\n") }))
        .route("/plain", get(|| async { (StatusCode::BAD_GATEWAY, "a secret of the server") }))
}

async fn start() -> Running {
    Running::start(edge::wrap(cors::public_reads(router()), None), ServeOptions::default()).await
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let server = start().await;
    problem(&server.ask("GET /nowhere?x=1 HTTP/1.1").await, 404, "request.not_found");
    let answer = server.ask("DELETE / HTTP/1.1").await;
    problem(&answer, 405, "request.method");
    assert!(answer.contains("allow: GET,HEAD\r\n"), "{answer}");
    assert!(answer.contains("x-request-id: "), "{answer}");
}

#[tokio::test]
async fn the_frameworks_rejections_are_problems_that_say_why() {
    let server = start().await;
    let shown = problem(&server.ask("GET /page?limit=many HTTP/1.1").await, 400, "request.invalid");
    assert!(shown["detail"].as_str().is_some_and(|detail| detail.contains("limit")), "{shown}");
    problem(&server.ask("GET /items/x HTTP/1.1").await, 400, "request.invalid");
}

#[tokio::test]
async fn a_handlers_own_problems_and_types_stay() {
    let server = start().await;
    let shown = problem(&server.ask("POST /refused HTTP/1.1\r\ncontent-length: 0").await, 422, "claim.value");
    assert_eq!(shown["pointer"], "/role");
    let own = server.ask("GET /own HTTP/1.1").await;
    assert!(own.starts_with("HTTP/1.1 409 ") && own.ends_with("17\n"), "{own}");
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing_and_the_server_lives() {
    let server = start().await;
    let mut client = server.client().await;
    client.send("GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = client.until("server.internal").await;
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("application/problem+json"), "{answer}");
    assert!(!answer.contains("secret"), "{answer}");
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.until("hello").await;
    let plain = server.ask("GET /plain HTTP/1.1").await;
    problem(&plain, 500, "server.internal");
    assert!(!plain.contains("secret"), "{plain}");
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let server = start().await;
    let head = server.ask("HEAD / HTTP/1.1").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-length: 5"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    let missing = server.ask("HEAD /nowhere HTTP/1.1").await;
    assert!(missing.starts_with("HTTP/1.1 404 ") && missing.ends_with("\r\n\r\n"), "{missing}");
    assert!(missing.contains("application/problem+json"), "{missing}");
}

#[tokio::test]
async fn reads_are_for_every_page_and_writes_for_none() {
    const STAR: &str = "access-control-allow-origin: *";
    let server = start().await;
    for read in ["GET / HTTP/1.1", "HEAD / HTTP/1.1", "GET /nowhere HTTP/1.1"] {
        assert!(server.ask(read).await.contains(STAR), "{read}");
    }
    let preflight = server.ask("OPTIONS / HTTP/1.1\r\naccess-control-request-method: GET").await;
    assert!(preflight.starts_with("HTTP/1.1 204 ") && preflight.contains(STAR), "{preflight}");
    let write = server.ask("OPTIONS /refused HTTP/1.1\r\naccess-control-request-method: POST").await;
    assert!(!write.contains("access-control-"), "{write}");
    let posted = server.ask("POST /refused HTTP/1.1\r\ncontent-length: 0\r\norigin: https://page.example").await;
    assert!(!posted.contains("access-control-"), "{posted}");
}

#[tokio::test]
async fn forwarded_addresses_count_only_from_trusted_proxies() {
    let request = "GET /who HTTP/1.1\r\nx-forwarded-for: 198.51.100.1, 192.0.2.7";
    assert!(start().await.ask(request).await.ends_with("\r\n\r\n127.0.0.1"));
    let trusted_proxies = TrustedProxies(vec!["127.0.0.0/8".parse().expect("a network")]);
    let server = Running::start(router(), ServeOptions { trusted_proxies, ..ServeOptions::default() }).await;
    assert!(server.ask(request).await.ends_with("\r\n\r\n192.0.2.7"));
}

#[tokio::test]
async fn the_admin_address_tells_health_readiness_and_bounded_metrics() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let options = ServeOptions { metrics: Some(metrics.clone()), ..ServeOptions::default() };
    let server = Running::start(edge::wrap(router(), Some(metrics)), options).await;
    let ready = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = ready.clone();
    let readiness = move || match seen.load(std::sync::atomic::Ordering::SeqCst) {
        true => Readiness::Ready { mode: "normal", notes: vec!["a note".to_owned()] },
        false => Readiness::NotReady("rebuilding".to_owned()),
    };
    let hosts = serde_json::from_value(serde_json::json!(["test"])).unwrap();
    let guarded = guard(admin::router(Arc::new(registry), readiness), hosts);
    let admin = Running::start(edge::wrap(guarded, None), ServeOptions::default()).await;

    assert!(admin.ask("GET /healthz HTTP/1.1").await.starts_with("HTTP/1.1 200 "));
    let not_ready = admin.ask("GET /readyz HTTP/1.1").await;
    assert!(not_ready.starts_with("HTTP/1.1 503 ") && not_ready.contains("rebuilding"), "{not_ready}");
    ready.store(true, std::sync::atomic::Ordering::SeqCst);
    let is_ready = admin.ask("GET /readyz HTTP/1.1").await;
    assert!(is_ready.starts_with("HTTP/1.1 200 ") && is_ready.contains(r#""notes":["a note"]"#), "{is_ready}");

    for path in ["/items/1", "/items/2", "/no/1", "/no/2"] {
        server.ask(&format!("GET {path} HTTP/1.1")).await;
    }
    server.ask("BREW / HTTP/1.1").await;
    let text = admin.ask("GET /metrics HTTP/1.1").await;
    assert!(text.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{text}");
    for line in [
        r#"http_requests_total{route="/items/{n}",method="Get",status="2xx"} 2"#,
        r#"http_requests_total{route="unmatched",method="Get",status="4xx"} 2"#,
        r#"http_requests_total{route="/",method="Other",status="4xx"} 1"#,
        r#"http_request_duration_seconds_count{route="/items/{n}"} 2"#,
        "http_requests_running 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");

    for (line, host) in [("/healthz", "evil.example"), ("http://evil.example/healthz", "test")] {
        let mut client = admin.client().await;
        client.send(&format!("GET {line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains("listen.admin_hosts"), "{line}: {answer}");
    }
}
