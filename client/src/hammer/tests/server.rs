//! A small HTTP server that answers as a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::hammer::Target;

/// What the server answers.
#[derive(Default)]
pub(super) struct Reply {
    pub(super) wait: Duration,
    pub(super) status: u16,
    pub(super) fields: &'static str,
    pub(super) body: Vec<u8>,
    /// Closes without an answer.
    pub(super) hangs_up: bool,
}

/// Says what to answer to the request of this number, path and body.
pub(super) type Answers = dyn Fn(usize, &str, &[u8]) -> Reply + Send + Sync;

/// A server that goes away with this.
pub(super) struct Server {
    _runtime: Runtime,
    port: u16,
}

impl Server {
    pub(super) fn start(answers: impl Fn(usize, &str, &[u8]) -> Reply + Send + Sync + 'static) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answers, count): (Arc<Answers>, _) = (Arc::new(answers), Arc::new(AtomicUsize::new(0)));
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, answers.clone(), count.clone()));
            }
        });
        Server { _runtime: runtime, port }
    }

    pub(super) fn target(&self) -> Target {
        Target::parse(&format!("http://127.0.0.1:{}", self.port)).unwrap()
    }
}

async fn serve(mut socket: TcpStream, answers: Arc<Answers>, count: Arc<AtomicUsize>) {
    let mut raw = Vec::new();
    loop {
        let Some((path, head, length)) = request(&raw) else {
            if !matches!(socket.read_buf(&mut raw).await, Ok(1..)) {
                return;
            }
            continue;
        };
        while raw.len() < head + length {
            if !matches!(socket.read_buf(&mut raw).await, Ok(1..)) {
                return;
            }
        }
        let reply = answers(count.fetch_add(1, Ordering::SeqCst), &path, &raw[head..head + length]);
        raw.drain(..head + length);
        tokio::time::sleep(reply.wait).await;
        if reply.hangs_up {
            return;
        }
        let (status, fields, length) = (reply.status, reply.fields, reply.body.len());
        let head = format!("HTTP/1.1 {status} x\r\n{fields}content-length: {length}\r\n\r\n");
        if socket.write_all(&[head.as_bytes(), &reply.body].concat()).await.is_err() {
            return;
        }
    }
}

/// The path, the length of the head and of the body.
fn request(raw: &[u8]) -> Option<(String, usize, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(head) = request.parse(raw).unwrap() else { return None };
    let path = request.path.unwrap().to_owned();
    let length = fields.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(0, |field| std::str::from_utf8(field.value).unwrap().parse().unwrap());
    Some((path, head, length))
}
