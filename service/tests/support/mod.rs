//! A server on a free port and a client that speaks bytes.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use service::limits::ServeLimits;
use service::listen::{Drained, ServeOptions, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// No step of a test takes this long; reaching it is a failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// A limit that a test waits for.
pub(crate) const SHORT: Duration = Duration::from_millis(60);

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    task: JoinHandle<Drained>,
}

impl Running {
    pub(crate) async fn start(router: Router, options: ServeOptions) -> Running {
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let (address, stop) = (server.address(), CancellationToken::new());
        assert_ne!(address.port(), 0, "the bound port is reported");
        let task = tokio::spawn(server.run(router, options, stop.clone()));
        Running { address, stop, task }
    }

    pub(crate) async fn with(router: Router, limits: ServeLimits) -> Running {
        Running::start(router, ServeOptions { limits, ..ServeOptions::default() }).await
    }

    pub(crate) async fn client(&self) -> Client {
        Client(TcpStream::connect(self.address).await.expect("connects"))
    }

    /// One request over a connection of its own; the whole answer.
    pub(crate) async fn ask(&self, head: &str) -> String {
        let mut client = self.client().await;
        client.send(&format!("{head}\r\nhost: test\r\nconnection: close\r\n\r\n")).await;
        client.rest().await
    }

    /// The server's end.
    pub(crate) async fn ended(self) -> Drained {
        tokio::time::timeout(DEADLINE, self.task).await.expect("the server ends in time").expect("it does not panic")
    }
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("sends");
    }

    /// Everything until the server closes; a reset counts as closing.
    pub(crate) async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        let read = tokio::time::timeout(DEADLINE, self.0.read_to_end(&mut all)).await;
        drop(read.expect("the server closes in time"));
        String::from_utf8(all).expect("an answer in UTF-8")
    }

    /// Reads until the text was seen.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let mut all = Vec::new();
        let read = async {
            while !String::from_utf8_lossy(&all).contains(text) {
                let mut piece = [0; 4096];
                let n = self.0.read(&mut piece).await.expect("reads");
                assert!(n > 0, "closed before {text:?} was seen: {}", String::from_utf8_lossy(&all));
                all.extend_from_slice(&piece[..n]);
            }
        };
        tokio::time::timeout(DEADLINE, read).await.expect("seen in time");
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// The JSON body of a problem, after its headers were checked.
pub(crate) fn problem(answer: &str, status: u16, code: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(head.contains("content-type: application/problem+json"), "{answer}");
    assert!(head.contains("cache-control: no-store"), "{answer}");
    let value: serde_json::Value = serde_json::from_str(body).expect("a JSON body");
    assert_eq!(value["code"], code, "{answer}");
    assert_eq!(value["status"], status, "{answer}");
    assert_eq!(value["type"], format!("urn:claimtrail:problem:{code}"), "{answer}");
    value
}
