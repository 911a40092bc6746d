//! A log of the zoo at an address of its own. What it shows can be changed while it is served; two addresses with the same
//! keys are one log that shows different things to different people.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use service::listen::{ServeOptions, Server};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::show::{Odd, Show};

/// Between two bytes of an answer that drips: no reader's time-out for silence ends it.
const DRIP: Duration = Duration::from_millis(100);
/// A piece of an answer that never ends.
const PIECE: [u8; 16 * 1024] = [b'x'; 16 * 1024];
/// What a portal says.
const PAGE: &str = "<!doctype html><title>Welcome</title>";

/// A log that is served until it is dropped.
pub struct Served {
    url: String,
    shared: Arc<Shared>,
    stop: CancellationToken,
    _runtime: Runtime,
}

struct Shared {
    show: Mutex<Arc<Show>>,
    /// Bytes of answers that never end.
    endless: AtomicU64,
    /// Requests that were answered oddly, or could have been.
    odd: AtomicU64,
}

impl Served {
    /// Serves at a free port of this machine.
    pub fn new(show: Show) -> Served {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let server = runtime.block_on(Server::bind(([127, 0, 0, 1], 0).into())).expect("a free port");
        let url = format!("http://{}", server.address());
        let shared =
            Arc::new(Shared { show: Mutex::new(Arc::new(show)), endless: AtomicU64::new(0), odd: AtomicU64::new(0) });
        let (asked, stop) = (shared.clone(), CancellationToken::new());
        let router = Router::new().fallback(move |request: Request| answer(asked.clone(), request));
        runtime.spawn(server.run(router, ServeOptions::default(), stop.clone()));
        Served { url, shared, stop, _runtime: runtime }
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Shows this from now on.
    pub fn show(&self, show: Show) {
        *self.shared.show.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(show);
    }

    /// How many requests there were for what is odd here.
    pub fn odd_requests(&self) -> u64 {
        self.shared.odd.load(Ordering::Relaxed)
    }

    /// Bytes of answers without end that readers took.
    pub fn endless_bytes(&self) -> u64 {
        self.shared.endless.load(Ordering::Relaxed)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn answer(shared: Arc<Shared>, request: Request) -> Response {
    let show = shared.show.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or(""));
    let (honest, odd) = (show.answer(path, query), show.odd(path));
    let before = if odd.is_some() { shared.odd.fetch_add(1, Ordering::Relaxed) } else { 0 };
    match (odd, honest) {
        (None, Some(bytes)) => bytes.into_response(),
        (None, None) => StatusCode::NOT_FOUND.into_response(),
        (Some(Odd::Flipped(place)), honest) => flipped(honest.unwrap_or_default(), *place).into_response(),
        (Some(Odd::Instead(status, kind, bytes)), _) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::IM_A_TEAPOT);
            (status, [(CONTENT_TYPE, *kind)], bytes.clone()).into_response()
        }
        (Some(Odd::EndlessList), _) => show.endless_list().into_response(),
        (Some(Odd::EveryOther), Some(bytes)) if before % 2 == 1 => bytes.into_response(),
        (Some(Odd::EveryOther), _) => ([(CONTENT_TYPE, "text/html")], PAGE).into_response(),
        (Some(Odd::Silent), _) => std::future::pending().await,
        (Some(Odd::Dripping), _) => {
            let drop = |()| async {
                tokio::time::sleep(DRIP).await;
                Some((Ok::<_, Infallible>(&b"x"[..]), ()))
            };
            Body::from_stream(stream::unfold((), drop)).into_response()
        }
        (Some(Odd::Endless), _) => {
            let piece = move |shared: Arc<Shared>| async move {
                shared.endless.fetch_add(PIECE.len() as u64, Ordering::Relaxed);
                Some((Ok::<_, Infallible>(&PIECE[..]), shared))
            };
            Body::from_stream(stream::unfold(shared.clone(), piece)).into_response()
        }
    }
}

fn flipped(mut bytes: Vec<u8>, from_end: usize) -> Vec<u8> {
    if let Some(place) = bytes.len().checked_sub(from_end) {
        bytes[place] ^= 1;
    }
    bytes
}
