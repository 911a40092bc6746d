//! Serving a router over HTTP/1.1 within limits, and stopping in order.
//!
//! Only HTTP/1.1: proxies speak it to what stands behind them, and one request at a time per connection keeps the caps
//! on connections meaningful (one HTTP/2 connection carries any number of requests). What is no HTTP at all, or has too
//! large a head (431), is answered by the HTTP library before any router, without a body. What leaves its end or addressee in
//! doubt is refused here, and its connection closed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use futures_util::future::Either;
use http::header::CONNECTION;
use http::{HeaderValue, Request};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use proto::code::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::body::{BodyWatch, TimedBody};
use crate::caps::{CapReached, Caps};
use crate::client_addr::TrustedProxies;
use crate::conn::{BusyBody, Clock, Drivable, Ended, Watched, drive};
use crate::framing;
use crate::limits::{MAX_HEADERS, ServeLimits};
use crate::metrics::Metrics;
use crate::problem::{PROBLEM_JSON, Problem};

/// Accept errors that do not go away at once (no descriptors, no memory) are retried after this, doubled each time.
const FIRST_ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause: descriptors come back within a second or two, and a stopped listener helps nobody.
const LONGEST_ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted. When they are more, the system drops the next one's first packet, which its client repeats
/// after a second; the library's own 128 is less than a load test opens at once. The system may allow fewer
/// (`net.core.somaxconn`).
const BACKLOG: u32 = 1024;
/// Refused connections that are told why at any time; further ones are closed without a word.
const MAX_REFUSALS: usize = 64;
/// How long a refused client may take to read why.
const REFUSAL_TIME: Duration = Duration::from_millis(500);
/// When a refused client should come again: connections end all the time.
const REFUSAL_RETRY: Duration = Duration::from_secs(1);

/// How a router is served.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// What a client may cost.
    pub limits: ServeLimits,
    /// The proxies whose word about addresses is believed.
    pub trusted_proxies: TrustedProxies,
    /// Where connections are counted.
    pub metrics: Option<Metrics>,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut at the drain deadline, with a request unfinished.
    pub cut: usize,
}

/// A bound listener that does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is taken, not ours, or not allowed.
    pub async fn bind(address: SocketAddr) -> io::Result<Server> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        #[cfg(unix)] // elsewhere it would let others take the address
        socket.set_reuseaddr(true)?; // a start right after a stop need not wait for old connections
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Server { listener, address })
    }

    /// The address that was bound, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then accepts nothing more, closes idle connections, lets running requests finish within
    /// the drain deadline, and cuts what is left.
    pub async fn run(self, router: Router, options: ServeOptions, stop: CancellationToken) -> Drained {
        serve(self.listener, router, options, stop).await
    }
}

/// Where connections come from.
trait Accept: Send {
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
}

impl Accept for TcpListener {
    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self).await
    }
}

/// What all connections of one server share.
struct Shared {
    router: Router,
    options: ServeOptions,
    http: http1::Builder,
    caps: Caps,
    refusals: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Ends connections at once.
    cut: CancellationToken,
    cut_off: AtomicUsize,
}

async fn serve(acceptor: impl Accept, router: Router, options: ServeOptions, stop: CancellationToken) -> Drained {
    let limits = &options.limits;
    let shared = Arc::new(Shared {
        router,
        http: http_settings(limits),
        caps: Caps::new(limits.max_connections, limits.max_connections_per_address),
        refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
        tasks: TaskTracker::new(),
        stop: stop.clone(),
        cut: CancellationToken::new(),
        cut_off: AtomicUsize::new(0),
        options,
    });
    tokio::select! {
        () = stop.cancelled() => {}
        () = accept_for_ever(acceptor, &shared) => {}
    }
    shared.tasks.close();
    if tokio::time::timeout(shared.options.limits.drain_deadline, shared.tasks.wait()).await.is_err() {
        shared.cut.cancel();
        shared.tasks.wait().await;
    }
    Drained { cut: shared.cut_off.load(Ordering::Relaxed) }
}

fn http_settings(limits: &ServeLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None); // the connection's clock does this, and tells heads from idle connections
    http.max_buf_size(ServeLimits::HEADER_BYTES_CEILING);
    http.max_header_size(limits.max_header_bytes.min(ServeLimits::HEADER_BYTES_CEILING));
    if limits.max_headers != MAX_HEADERS {
        http.max_headers(limits.max_headers); // another number than the parser's own costs an allocation a request
    }
    http
}

async fn accept_for_ever(mut acceptor: impl Accept, shared: &Arc<Shared>) {
    let mut pause = FIRST_ACCEPT_PAUSE;
    loop {
        match acceptor.accept().await {
            Ok((stream, peer)) => {
                pause = FIRST_ACCEPT_PAUSE;
                take_in(stream, peer, shared);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, pause_ms = pause.as_millis(), "cannot accept connections, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_ACCEPT_PAUSE);
            }
        }
    }
}

/// Errors of the one connection that was about to be accepted, not of the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn take_in(stream: TcpStream, peer: SocketAddr, shared: &Arc<Shared>) {
    let address = peer.ip().to_canonical();
    // A proxy's connections are everybody's: only the cap for all holds for it.
    let place = match shared.caps.take(address, shared.options.trusted_proxies.contains(address)) {
        Ok(place) => place,
        Err(reached) => return refuse(stream, reached, shared),
    };
    let open = shared.options.metrics.as_ref().map(Metrics::connection);
    let connection = shared.clone();
    shared.tasks.spawn(async move {
        let ended = connection.handle(stream, address).await;
        if ended == Ended::Cut {
            connection.cut_off.fetch_add(1, Ordering::Relaxed);
        }
        drop((place, open));
    });
}

impl Shared {
    async fn handle(&self, stream: TcpStream, address: IpAddr) -> Ended {
        // Answers are written in one piece; waiting for more would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "the connection broke at once");
            return Ended::Itself;
        }
        let clock = Clock::new(&self.options.limits);
        let service = service_fn(|request| self.answer(request, address, &clock));
        let io = TokioIo::new(Watched::new(stream, clock.clone()));
        let connection = self.http.serve_connection(io, service);
        drive(connection, clock.clone(), self.stop.clone(), self.cut.clone()).await
    }

    fn answer(
        &self,
        request: Request<Incoming>,
        address: IpAddr,
        clock: &Clock,
    ) -> impl Future<Output = Result<http::Response<BusyBody<axum::body::Body>>, std::convert::Infallible>> + use<>
    {
        let busy = clock.busy();
        let client = self.options.trusted_proxies.client(address, request.headers());
        let (mut parts, body) = request.into_parts();
        if let Some(problem) = framing::doubt(&parts) {
            let mut answer = problem.into_response();
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            return Either::Left(async move { Ok(answer.map(|body| BusyBody::new(body, busy))) });
        }
        parts.extensions.insert(client);
        let body = if body.is_end_stream() {
            axum::body::Body::empty()
        } else {
            let watch = Arc::new(BodyWatch::default());
            parts.extensions.insert(watch.clone());
            axum::body::Body::new(TimedBody::new(body, &self.options.limits, watch))
        };
        let answer = begun(self.router.clone().call(Request::from_parts(parts, body)));
        Either::Right(async move { Ok(answer.await?.map(|body| BusyBody::new(body, busy))) })
    }
}

/// A future that has begun. Left to the connection, a handler would not begin at all when its client had hung up by the time that
/// the request was read, and what it does in a task of its own would never start.
fn begun<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let mut work = Box::pin(work);
    // Whoever waits for it looks again at once, with a waker.
    let first = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    async move {
        match first {
            Poll::Ready(output) => output,
            Poll::Pending => work.await,
        }
    }
}

impl<I, B, S> Drivable for http1::Connection<I, S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Tells a client that is too many why, within bounds, and closes. Costs no place and never blocks the listener.
fn refuse(mut stream: TcpStream, reached: CapReached, shared: &Arc<Shared>) {
    if let Some(metrics) = &shared.options.metrics {
        metrics.refused_connection(reached);
    }
    let Ok(permit) = shared.refusals.clone().try_acquire_owned() else { return };
    shared.tasks.spawn(async move {
        let told = async {
            stream.write_all(&refusal(reached)).await?;
            stream.shutdown().await?;
            // Closing with unread bytes resets the connection and would destroy the answer on its way.
            let mut ignored = [0; 1024];
            while stream.read(&mut ignored).await? > 0 {}
            io::Result::Ok(())
        };
        if !matches!(tokio::time::timeout(REFUSAL_TIME, told).await, Ok(Ok(()))) {
            tracing::trace!("a refused client did not read why");
        }
        drop(permit);
    });
}

fn refusal(reached: CapReached) -> Vec<u8> {
    let problem = match reached {
        CapReached::Global => Problem::new(Code::LimitGlobal, "Too many connections are open; try again soon."),
        CapReached::Address => Problem::new(
            Code::LimitAddress,
            "Your address holds too many connections; close some or use one for several requests.",
        ),
    };
    let (status, body) = (problem.status(), problem.to_json().to_string());
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {PROBLEM_JSON}\r\ncache-control: no-store\r\nretry-after: {}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        REFUSAL_RETRY.as_secs(),
        body.len(),
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Fails as told, then goes on as the real listener.
    struct Flaky {
        errors: VecDeque<io::Error>,
        listener: TcpListener,
    }

    impl Accept for Flaky {
        async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
            match self.errors.pop_front() {
                Some(error) => Err(error),
                None => self.listener.accept().await,
            }
        }
    }

    #[tokio::test]
    async fn accept_errors_are_survived() {
        const EMFILE: i32 = 24;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let errors = [io::Error::from_raw_os_error(EMFILE), io::ErrorKind::ConnectionAborted.into()];
        let stop = CancellationToken::new();
        let router = Router::new().route("/", axum::routing::get(|| async { "alive" }));
        let acceptor = Flaky { errors: errors.into(), listener };
        let running = tokio::spawn(serve(acceptor, router, ServeOptions::default(), stop.clone()));
        let mut client = TcpStream::connect(address).await.expect("connects");
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("writes");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("reads");
        assert!(answer.ends_with("alive"), "{answer}");
        stop.cancel();
        assert_eq!(running.await.expect("no panic"), Drained { cut: 0 });
    }

    #[tokio::test]
    async fn hundreds_of_connections_at_once_are_not_told_to_wait() {
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        // Nobody accepts: what the system does not hold never gets through.
        let connect = || tokio::time::timeout(Duration::from_secs(30), TcpStream::connect(server.address()));
        let mut open = Vec::new();
        for number in 0..512 {
            open.push(connect().await.unwrap_or_else(|_| panic!("connection {number} waits")).expect("connects"));
        }
    }

    #[test]
    fn only_errors_of_the_listener_make_it_pause() {
        assert!(is_of_one_connection(&io::ErrorKind::ConnectionReset.into()));
        assert!(!is_of_one_connection(&io::Error::from_raw_os_error(24)));
    }
}
