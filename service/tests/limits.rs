//! What a client may cost: time, bytes and connections, on real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

mod support;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use service::body::{LongBody, read_all};
use service::limits::ServeLimits;
use service::listen::ServeOptions;
use service::metrics::Metrics;
use service::problem::Problem;
use support::{DEADLINE, Running, SHORT, problem};

fn router() -> Router {
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/own", post(|body: Body| async { Ok::<_, Problem>(read_all(body, 100).await?.len().to_string()) }))
        .route("/axum", post(|body: Bytes| async move { body.len().to_string() }).layer(DefaultBodyLimit::max(100)))
        .route(
            "/long",
            post(|LongBody(body): LongBody| async { read_all(body, 100).await.map(|b| b.len().to_string()) }),
        )
        .route("/endless", get(|| async { vec![b'x'; 64 << 20] }));
    service::edge::wrap(router, None)
}

fn long() -> ServeLimits {
    ServeLimits { drain_deadline: DEADLINE, ..ServeLimits::default() }
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_head_is_cut() {
    let limits = ServeLimits { header_read_timeout: SHORT, ..long() };
    let server = Running::with(router(), limits).await;
    for begin in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut client = server.client().await;
        client.send(begin).await;
        assert_eq!(client.rest().await, "", "nothing is answered to half a head");
    }
    assert!(server.ask("GET / HTTP/1.1").await.ends_with("hello"), "others are served");
}

#[tokio::test]
async fn each_further_byte_of_a_head_does_not_buy_time() {
    let limits = ServeLimits { header_read_timeout: SHORT, ..long() };
    let server = Running::with(router(), limits).await;
    let mut client = server.client().await;
    client.send("GET / HTTP/1.1\r\n").await;
    let (mut read, mut write) = client.0.split();
    let drip = async {
        let mut tick = tokio::time::interval(SHORT / 10);
        loop {
            tick.tick().await;
            if tokio::io::AsyncWriteExt::write_all(&mut write, b"a: b\r\n").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let closed = async { tokio::io::AsyncReadExt::read(&mut read, &mut [0; 8]).await.unwrap_or(0) };
    tokio::select! {
        () = drip => unreachable!("it drips for ever"),
        n = tokio::time::timeout(DEADLINE, closed) => assert_eq!(n.expect("cut in time"), 0),
    }
}

#[tokio::test]
async fn idle_connections_have_a_time_of_their_own() {
    // The head's time is far shorter: a second request after it shows that idle connections do not fall under it.
    let limits = ServeLimits { header_read_timeout: SHORT, idle_timeout: SHORT * 5, ..long() };
    let server = Running::with(router(), limits).await;
    let mut client = server.client().await;
    let begun = tokio::time::Instant::now();
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.until("hello").await;
    assert_eq!(client.rest().await, "");
    assert!(begun.elapsed() >= SHORT * 5, "closed after the idle time, not after the head's");
}

#[tokio::test]
async fn oversize_heads_are_431() {
    let server = Running::with(router(), ServeLimits { max_headers: 20, ..long() }).await;
    let long_line = format!("GET / HTTP/1.1\r\na: {}", "b".repeat(17 * 1024));
    assert!(server.ask(&long_line).await.starts_with("HTTP/1.1 431 "));
    let many = format!("GET / HTTP/1.1{}", "\r\na: b".repeat(21));
    assert!(server.ask(&many).await.starts_with("HTTP/1.1 431 "));
    let fits = format!("GET / HTTP/1.1\r\na: {}", "b".repeat(12 * 1024));
    assert!(server.ask(&fits).await.ends_with("hello"));
}

#[tokio::test]
async fn half_a_body_is_408_and_the_connection_closes() {
    let server = Running::with(router(), ServeLimits { body_idle_timeout: SHORT, ..long() }).await;
    for path in ["/own", "/axum", "/long"] {
        let mut client = server.client().await;
        client.send(&format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf")).await;
        let answer = client.rest().await;
        problem(&answer, 408, "request.incomplete");
        assert!(answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_dripping_body_ends_too_unless_it_may_be_long() {
    let limits = ServeLimits { body_idle_timeout: DEADLINE, body_total_timeout: SHORT, ..long() };
    let server = Running::with(router(), limits).await;
    let mut client = server.client().await;
    client.send("POST /own HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").await;
    problem(&client.rest().await, 408, "request.incomplete");

    let mut client = server.client().await;
    client.send("POST /long HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4\r\n\r\nab").await;
    let mut dripping = tokio::time::interval(SHORT * 2);
    dripping.tick().await;
    dripping.tick().await;
    client.send("cd").await;
    assert!(client.rest().await.ends_with("\r\n\r\n4"));
}

#[tokio::test]
async fn too_large_bodies_are_413() {
    let server = Running::with(router(), long()).await;
    let mut client = server.client().await;
    client.send("POST /own HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 101\r\n\r\n").await;
    let shown = problem(&client.rest().await, 413, "size.envelope");
    assert_eq!(shown["limit"], 100);
    let mut client = server.client().await;
    let body = "x".repeat(101);
    client
        .send(&format!("POST /axum HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 101\r\n\r\n{body}"))
        .await;
    problem(&client.rest().await, 413, "size.envelope");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let mut registry = prometheus_client::registry::Registry::default();
    let metrics = Metrics::register(&mut registry);
    let limits = ServeLimits { write_stall_timeout: SHORT, max_connections: 1, ..long() };
    let options = ServeOptions { limits, metrics: Some(metrics), ..ServeOptions::default() };
    let server = Running::start(router(), options).await;
    let mut stalled = server.client().await;
    stalled.send("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    stalled.until("200 OK").await;
    // Its place is the only one: it becomes free without a byte read.
    let begun = tokio::time::Instant::now();
    while !server.ask("GET / HTTP/1.1").await.ends_with("hello") {
        assert!(begun.elapsed() < DEADLINE, "the stalled connection is never cut");
    }
}

#[tokio::test]
async fn connections_above_the_caps_are_told_and_closed() {
    for (limits, code) in [
        (ServeLimits { max_connections: 2, ..long() }, "limit.global"),
        (ServeLimits { max_connections_per_address: 2, ..long() }, "limit.address"),
    ] {
        let server = Running::with(router(), limits).await;
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut client = server.client().await;
            client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
            client.until("hello").await;
            held.push(client);
        }
        for _ in 0..200 {
            let refused = server.ask("GET / HTTP/1.1").await;
            // Beyond a number of refusals at once, connections are closed without a word.
            if !refused.is_empty() {
                problem(&refused, 429, code);
                assert!(refused.contains("connection: close") && refused.contains("retry-after: 1"), "{refused}");
            }
        }
        let told = server.client().await.rest().await;
        problem(&told, 429, code);
        for client in &mut held {
            client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
            client.until("hello").await;
        }
        drop(held);
        let begun = tokio::time::Instant::now();
        while !server.ask("GET / HTTP/1.1").await.ends_with("hello") {
            assert!(begun.elapsed() < DEADLINE, "places are given back");
        }
    }
}

#[tokio::test]
async fn limits_have_reasonable_relations() {
    let limits = ServeLimits::default();
    assert!(limits.max_header_bytes <= ServeLimits::HEADER_BYTES_CEILING);
    assert!(limits.body_idle_timeout < limits.body_total_timeout);
    assert!(limits.header_read_timeout < limits.idle_timeout);
    assert!(limits.idle_timeout > Duration::from_secs(60), "longer than the idle time of usual proxies");
}
