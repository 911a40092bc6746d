//! Logs that this very test serves: honest ones out of the log server's library, with what goes out changed on its way, and
//! ones made up entry by entry. Every key is a test key of the log server's library.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use claimtrail_log::http::{HttpOptions, public_router};
use claimtrail_log::testing::{ORIGIN, TestLog, acme, body, key, number, support};
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::hash::Hash;
use proto::merkle::{MemoryTree, root_at};
use proto::note::{KeyName, NoteSigner};
use proto::num::{LeafIndex, Seconds};
use proto::policy::TIME_KEY_SUFFIX;
use proto::tile::encode_bundle;
use service::listen::{ServeOptions, Server};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::wait;

/// When the logs of this test were founded, in milliseconds: all at once, so that what they begin with is the same, and now, so that
/// their heads are of this time. A whole second, so that a test can say which head is of the second of which entry.
static FOUNDED_MS: LazyLock<u64> = LazyLock::new(|| client::clock::now().seconds().0 * 1000);

/// Nothing here is larger.
const MOST: usize = 64 << 20;

/// A router that is served until it is dropped.
pub(super) struct Served {
    pub(super) url: String,
    stop: CancellationToken,
    _runtime: Runtime,
}

impl Served {
    pub(super) fn new(router: Router) -> Served {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(Server::bind("127.0.0.1:0".parse().unwrap())).unwrap();
        let url = format!("http://{}", server.address());
        let stop = CancellationToken::new();
        runtime.spawn(server.run(router, ServeOptions::default(), stop.clone()));
        Served { url, stop, _runtime: runtime }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A log with Acme and promises for these models.
pub(super) fn log_of(models: &[&str]) -> TestLog {
    let test = TestLog::founded_at(*FOUNDED_MS);
    wait(test.log.submit(body(&acme()))).expect("enrolled");
    add(&test, models);
    test
}

/// Acme promises support for these models, a second apart.
pub(super) fn add(test: &TestLog, models: &[&str]) {
    for model in models {
        test.time.pass(1000);
        wait(test.log.submit(body(&support(model, "2031-03")))).expect("logged");
    }
}

pub(super) fn router(test: &TestLog) -> Router {
    public_router(test.log.clone(), HttpOptions::default())
}

/// The same, but what is served below a path goes through `change`.
pub(super) fn changed(router: Router, path: &'static str, change: fn(&mut Vec<u8>)) -> Router {
    let lie = move |request: Request, next: Next| async move {
        let hit = request.uri().path().starts_with(path);
        let response: Response = next.run(request).await;
        if !hit || response.status() != StatusCode::OK {
            return response;
        }
        let mut bytes = to_bytes(response.into_body(), MOST).await.unwrap().to_vec();
        change(&mut bytes);
        Body::from(bytes).into_response()
    };
    router.layer(middleware::from_fn(lie))
}

/// The trust file of all test logs: they have the same origin and keys.
pub(super) fn trust() -> Vec<u8> {
    let (log, time) = keys();
    format!("log {}\nwitness log-time {}\nquorum none\n", log.vkey(), time.vkey()).into_bytes()
}

fn keys() -> (NoteSigner, Cosigner) {
    let log = NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), key(number::LOG));
    let time_name = KeyName::parse(&format!("{ORIGIN}{TIME_KEY_SUFFIX}")).unwrap();
    (log, Cosigner::new(time_name, key(number::TIME)).unwrap())
}

/// The entries of a log.
pub(super) fn entries(test: &TestLog) -> Vec<Vec<u8>> {
    let size = test.log.published().head.size.0;
    (0..size).map(|index| test.store.entry(LeafIndex(index)).unwrap().unwrap().to_vec()).collect()
}

/// A log of exactly these entries, fewer than a tile has, whatever is in them, with a head of this many seconds after the
/// founding of test logs.
pub(super) fn made_up(entries: &[Vec<u8>], seconds: u64) -> Router {
    let mut tree = MemoryTree::new();
    let leaves: Vec<Hash> = entries.iter().map(|entry| Hash::leaf(entry)).collect();
    leaves.iter().for_each(|leaf| _ = tree.append(*leaf));
    let (log, time) = keys();
    let head = CheckpointText::new(ORIGIN, tree.size(), root_at(&tree, tree.size()).unwrap()).unwrap();
    let note = head.sign(&[&log], &[(&time, Seconds(*FOUNDED_MS / 1000 + seconds))]).unwrap();
    let count = entries.len();
    let files = Arc::new([
        ("/checkpoint".to_owned(), note.into_bytes()),
        (format!("/tile/0/000.p/{count}"), leaves.iter().flat_map(|leaf| leaf.0).collect()),
        (format!("/tile/entries/000.p/{count}"), encode_bundle(entries).unwrap()),
    ]);
    Router::new().fallback(async move |request: Request| {
        match files.iter().find(|(path, _)| path == request.uri().path()) {
            Some((_, bytes)) => bytes.clone().into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    })
}
