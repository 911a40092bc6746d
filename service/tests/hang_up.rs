//! A client that sends all of its request and hangs up at once: what its handler does in a task of its own is done.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use service::detached::Detached;
use service::limits::ServeLimits;
use service::problem::Problem;
use support::{DEADLINE, Running};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Which comes first, the end of the connection or the handler's first step, is decided anew each time. With handlers left to the
/// connection, four of five of these requests never began.
const CLIENTS: usize = 3000;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_sent_in_full_is_begun() {
    let (done, detached) = (Arc::new(AtomicUsize::new(0)), Detached::new());
    let counted = done.clone();
    let handler = async move |body: Body| -> Result<&'static str, Problem> {
        let work = async move {
            let body = service::body::read_all(body, 16).await?;
            assert_eq!(body, "claim");
            counted.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Problem>(())
        };
        detached.run(work).await??;
        Ok("taken")
    };
    let router = service::edge::wrap(Router::new().route("/", post(handler)), None);
    let limits =
        ServeLimits { max_connections: CLIENTS, max_connections_per_address: CLIENTS, ..ServeLimits::default() };
    let server = Running::with(router, limits).await;
    for _ in 0..CLIENTS {
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nclaim").await.unwrap();
    }
    let all = async {
        while done.load(Ordering::SeqCst) < CLIENTS {
            tokio::task::yield_now().await;
        }
    };
    let within = tokio::time::timeout(DEADLINE, all).await;
    assert!(within.is_ok(), "{} of {CLIENTS} requests were begun", done.load(Ordering::SeqCst));
}
