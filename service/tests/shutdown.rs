//! Stopping in order: running requests finish, idle connections close, what is left at the deadline is cut.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

mod support;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use service::detached::Detached;
use service::limits::ServeLimits;
use service::problem::Problem;
use support::{DEADLINE, Running, SHORT};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

/// A handler that says when it began and ends when told.
fn gated() -> (Router, Arc<Notify>, Arc<Semaphore>) {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (tell, wait) = (begun.clone(), go.clone());
    let handler = async move || {
        tell.notify_one();
        drop(wait.acquire().await);
        "finished"
    };
    let router = Router::new().route("/slow", get(handler)).route("/", get(|| async { "hello" }));
    (service::edge::wrap(router, None), begun, go)
}

#[tokio::test]
async fn a_running_request_is_finished_and_nothing_new_is_taken() {
    let (router, begun, go) = gated();
    let server = Running::with(router, ServeLimits { drain_deadline: DEADLINE, ..ServeLimits::default() }).await;
    let address = server.address;
    let mut idle = server.client().await;
    idle.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    idle.until("hello").await;
    let mut busy = server.client().await;
    busy.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    begun.notified().await;

    server.stop.cancel();
    assert_eq!(idle.rest().await, "", "an idle connection is closed at once");
    assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
    go.add_permits(1);
    let answer = busy.rest().await;
    assert!(answer.ends_with("finished") && answer.contains("connection: close"), "{answer}");
    assert_eq!(server.ended().await.cut, 0);
}

#[tokio::test]
async fn what_does_not_finish_is_cut_at_the_deadline() {
    let (router, begun, _go) = gated();
    let server = Running::with(router, ServeLimits { drain_deadline: SHORT, ..ServeLimits::default() }).await;
    let mut busy = server.client().await;
    busy.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    begun.notified().await;
    server.stop.cancel();
    assert_eq!(busy.rest().await, "");
    assert_eq!(server.ended().await.cut, 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_changes_nothing() {
    let detached = Detached::new();
    let (begun, go, done) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (work, tell, wait, end) = (detached.clone(), begun.clone(), go.clone(), done.clone());
    let handler = async move || {
        let (tell, wait, end) = (tell.clone(), wait.clone(), end.clone());
        let kept = work.run(async move {
            tell.notify_one();
            drop(wait.acquire().await);
            end.notify_one();
        });
        kept.await.map(|()| "kept")
    };
    let router = Router::new().route("/", post(async move || -> Result<&str, Problem> { handler().await }));
    let server = Running::with(router, ServeLimits::default()).await;
    let mut client = server.client().await;
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await;
    begun.notified().await;
    drop(client);
    server.stop.cancel();
    assert_eq!(server.ended().await.cut, 0, "the connection is gone before the work ends");
    assert_eq!(detached.running(), 1);
    go.add_permits(1);
    tokio::time::timeout(DEADLINE, done.notified()).await.expect("the work goes on");
    tokio::time::timeout(DEADLINE, detached.finished()).await.expect("and ends");
}
