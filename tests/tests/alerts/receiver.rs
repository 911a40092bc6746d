//! Receivers of webhooks: one that checks signatures and answers as it is told, and one that never answers.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use harness::process::until;
use proto::ed25519::{PublicKey, Signature};
use serde_json::Value;
use service::listen::{ServeOptions, Server};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// A delivery whose signature was checked.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) alert: Value,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Taken,
    Later,
    Elsewhere,
}

struct Shared {
    key: String,
    answer: Mutex<Answer>,
    got: Mutex<Vec<Delivery>>,
    strayed: Mutex<u32>,
}

/// A receiver that is served until it is dropped.
pub(super) struct Receiver {
    pub(super) url: String,
    shared: Arc<Shared>,
    stop: CancellationToken,
    _runtime: Runtime,
}

impl Receiver {
    /// At this address; `key` is what `alert key` says.
    pub(super) fn at(address: SocketAddr, key: &str) -> Receiver {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(Server::bind(address)).unwrap();
        let url = format!("http://{}/hook", server.address());
        let shared = Arc::new(Shared {
            key: key.to_owned(),
            answer: Mutex::new(Answer::Taken),
            got: Mutex::default(),
            strayed: Mutex::default(),
        });
        let router = Router::new()
            .route("/hook", post(hook))
            .route("/elsewhere", post(async |State(shared): State<Arc<Shared>>| *shared.strayed.lock().unwrap() += 1))
            .with_state(shared.clone());
        let stop = CancellationToken::new();
        runtime.spawn(server.run(router, ServeOptions::default(), stop.clone()));
        Receiver { url, shared, stop, _runtime: runtime }
    }

    pub(super) fn answer(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap() = answer;
    }

    pub(super) fn got(&self) -> Vec<Delivery> {
        self.shared.got.lock().unwrap().clone()
    }

    /// Requests that followed a redirect.
    pub(super) fn strayed(&self) -> u32 {
        *self.shared.strayed.lock().unwrap()
    }

    pub(super) fn until(&self, count: usize) -> Vec<Delivery> {
        until(&format!("{count} deliveries"), || Some(self.got()).filter(|got| got.len() >= count))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn hook(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let id = header("webhook-id");
    if !is_signed(&shared.key, &id, &header("webhook-timestamp"), &header("webhook-signature"), &body) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    shared.got.lock().unwrap().push(Delivery { id, alert: serde_json::from_slice(&body).unwrap() });
    let answer = *shared.answer.lock().unwrap();
    match answer {
        Answer::Taken => StatusCode::NO_CONTENT.into_response(),
        Answer::Later => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")], "not now").into_response(),
        Answer::Elsewhere => (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]).into_response(),
    }
}

/// The check as docs/alerts.md tells receivers to make it.
pub(super) fn is_signed(key: &str, id: &str, time: &str, signature: &str, body: &[u8]) -> bool {
    let key = proto::b64::decode(key.strip_prefix("whpk_").unwrap()).unwrap();
    let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body].concat();
    let bytes = signature.strip_prefix("v1a,").and_then(|text| proto::b64::decode(text).ok());
    let Some(bytes) = bytes else { return false };
    let is_now = time.parse::<u64>().is_ok_and(|time| client::clock::now().seconds().0.abs_diff(time) < 300);
    is_now && PublicKey::from_raw(&key).unwrap().verify(&signed, &Signature(bytes)).is_ok()
}

/// An address on loopback that nobody listens at, and that no server of another test can get: those are at 127.0.0.1.
pub(super) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.77:0").unwrap().local_addr().unwrap()
}

/// Takes connections and never says a word, until the process ends.
pub(super) fn hanging() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for connection in listener.incoming() {
            held.push(connection);
        }
    });
    address
}
