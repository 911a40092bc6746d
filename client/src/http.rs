//! HTTP with bounds: timeouts, body limits, and retries that do what the server asks.

mod backoff;
mod once;
mod redirect;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;

use crate::egress::Egress;
use crate::error::{Error, ErrorKind};
use crate::problem::Problem;

pub use backoff::{Backoff, retry_after};
pub use once::Reply;

pub(crate) use backoff::asked_wait;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may stay silent in the middle of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How long one request is tried again in all, unless the caller says otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);
/// How long to try for a connection, unless the caller says otherwise: enough for a log that starts again, and not so long
/// that a person wonders over a wrong address.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Media type of envelopes.
pub const ENVELOPE_TYPE: &str = "application/vnd.dsse.envelope.v1+json";
/// Media type of bulk submissions.
pub const NDJSON_TYPE: &str = "application/x-ndjson";

/// How this client names itself.
pub const USER_AGENT: &str = concat!("claimtrail/", env!("CARGO_PKG_VERSION"));

/// A connection pool to one server.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    base: String,
    deadline: Duration,
    connect_deadline: Duration,
    whole: Option<Duration>,
    meter: Option<Arc<AtomicU64>>,
}

/// An answer with a status below 400, read in full.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// One try's outcome when it is not an answer.
struct Failed {
    error: Error,
    /// Whether another try may help, and how long the server asks to wait.
    again: Option<Option<Duration>>,
    /// No connection came about.
    unconnected: bool,
}

/// The URL of a server, perhaps with a path before the server's own.
fn parsed(base: &str) -> Result<reqwest::Url, Error> {
    let url = reqwest::Url::parse(base).map_err(|e| Error::usage(format!("{base:?} is not a URL: {e}")))?;
    let has_rest = url.query().is_some() || url.fragment().is_some();
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || has_rest {
        let message = format!("{base:?} is not the address of a log or monitor; it looks like https://log.example");
        return Err(Error::usage(message));
    }
    Ok(url)
}

impl Http {
    /// Talks to the server at this URL (`http` or `https`, perhaps with a path before the log's own).
    pub fn new(base: &str) -> Result<Http, Error> {
        Http::via(base, &Egress::Direct)
    }

    /// The same by this way out.
    pub fn via(base: &str, egress: &Egress) -> Result<Http, Error> {
        install_tls();
        let url = parsed(base)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .tcp_nodelay(true)
            .redirect(redirect::same_server())
            .user_agent(USER_AGENT);
        match egress {
            Egress::Direct if is_loopback(&url) => builder = builder.no_proxy(),
            Egress::Direct => {}
            Egress::Socks5(proxy) => {
                let proxy = reqwest::Proxy::all(format!("socks5h://{proxy}"));
                builder = builder.proxy(proxy.map_err(|e| Error::usage(format!("{egress}: {}", chain(&e))))?);
            }
        }
        let client = builder.build().map_err(|e| Error::local(format!("TLS cannot be set up: {}", chain(&e))))?;
        let base = base.trim_end_matches('/').to_owned();
        let (deadline, connect_deadline) = (DEFAULT_DEADLINE, CONNECT_DEADLINE);
        Ok(Http { client, base, deadline, connect_deadline, whole: None, meter: None })
    }

    /// Whether this is a URL that [`Http::new`] takes.
    ///
    /// # Errors
    /// Why it is none.
    pub fn check(base: &str) -> Result<(), Error> {
        parsed(base).map(drop)
    }

    /// Tries a failing request, and for a connection, again for at most this long.
    pub fn with_deadline(mut self, deadline: Duration) -> Http {
        self.deadline = deadline;
        self.connect_deadline = deadline;
        self
    }

    /// Gives up a request, with its whole answer, after this long: for those who must not be held by an answer that never
    /// ends. It does not hold for [`Http::stream`].
    pub fn with_whole_timeout(mut self, whole: Duration) -> Http {
        self.whole = Some(whole);
        self
    }

    /// Adds the bytes of every body that is read from here on, whatever becomes of it, to this number. It does not hold for
    /// [`Http::stream`].
    pub fn with_meter(mut self, meter: Arc<AtomicU64>) -> Http {
        self.meter = Some(meter);
        self
    }

    /// The server's URL without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// How long a failing request is tried again.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Gets a path of at most `limit` bytes.
    pub async fn get(&self, path: &str, limit: usize) -> Result<Answer, Error> {
        self.retry(|| self.client.get(self.url(path)), limit).await
    }

    /// Posts a body. Every post of this client may be repeated: a claim that is in the log already is answered with its
    /// first receipt.
    pub async fn post(&self, path: &str, content_type: &str, body: Bytes, limit: usize) -> Result<Answer, Error> {
        let request = || self.client.post(self.url(path)).header(CONTENT_TYPE, content_type).body(body.clone());
        self.retry(request, limit).await
    }

    /// Posts a body that is made while it is sent, and gives the answer while it comes. Not tried again.
    pub async fn stream(
        &self,
        path: &str,
        content_type: &str,
        body: reqwest::Body,
    ) -> Result<reqwest::Response, Error> {
        let request = self.client.post(self.url(path)).header(CONTENT_TYPE, content_type).body(body);
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        let status = response.status().as_u16();
        if status < 300 {
            return Ok(response);
        }
        let wait = retry_after(response.headers());
        let body = read_body(response, Problem::MAX_BYTES, None).await.unwrap_or_default();
        let mut problem = Problem::read(status, &body);
        problem.retry_after_seconds = problem.retry_after_seconds.or(wait.map(|wait| wait.as_secs()));
        Err(problem.into_error())
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{}", self.base, path.trim_start_matches('/'))
    }

    async fn retry(&self, request: impl Fn() -> reqwest::RequestBuilder, limit: usize) -> Result<Answer, Error> {
        let started = Instant::now();
        let mut backoff = Backoff::new();
        loop {
            let failed = match self.once(request(), limit).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let Some(asked) = failed.again else { return Err(failed.error) };
            let wait = backoff.next(asked);
            let deadline = if failed.unconnected { self.connect_deadline } else { self.deadline };
            if started.elapsed() + wait > deadline {
                return Err(give_up(failed.error, asked));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, request: reqwest::RequestBuilder, limit: usize) -> Result<Answer, Failed> {
        let request = match self.whole {
            Some(whole) => request.timeout(whole),
            None => request,
        };
        let response = match request.send().await {
            Ok(response) => response,
            Err(e) => {
                let unconnected = e.is_connect();
                return Err(Failed { error: self.unreachable(&e), again: Some(None), unconnected });
            }
        };
        let status = response.status().as_u16();
        let asked = retry_after(response.headers());
        let body = match read_body(response, limit.max(Problem::MAX_BYTES), self.meter.as_deref()).await {
            Ok(body) if body.len() <= limit || status >= 400 => body,
            Ok(body) | Err(TooMuch::Bytes(body)) => {
                let message =
                    format!("{} answers with {} bytes or more where {limit} are the most", self.base, body.len());
                return Err(Failed { error: Error::unreachable(message), again: None, unconnected: false });
            }
            Err(TooMuch::Broken(e)) => {
                return Err(Failed { error: self.unreachable(&e), again: Some(None), unconnected: false });
            }
        };
        if status < 400 {
            return Ok(Answer { status, body });
        }
        let problem = Problem::read(status, &body);
        let again = problem.is_passing().then_some(asked);
        Err(Failed { error: problem.into_error(), again, unconnected: false })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        let message = format!(
            "{} cannot be reached: {}; check the address (--url, or the log line of the trust file) and that it runs",
            self.base,
            chain(error)
        );
        Error::unreachable(message)
    }
}

impl Problem {
    /// Problem documents may carry a receipt; they stay below this.
    pub(crate) const MAX_BYTES: usize = proto::receipt::MAX_RECEIPT_BYTES + 64 * 1024;
}

fn give_up(mut error: Error, asked: Option<Duration>) -> Error {
    if error.kind == ErrorKind::TryLater {
        let when = asked.map(|wait| format!(" in {} s", wait.as_secs().max(1))).unwrap_or_default();
        error.message.push_str(&format!("; try again{when}"));
    }
    error
}

enum TooMuch {
    Bytes(Bytes),
    Broken(reqwest::Error),
}

async fn read_body(mut response: reqwest::Response, limit: usize, meter: Option<&AtomicU64>) -> Result<Bytes, TooMuch> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(TooMuch::Broken)? {
        if let Some(meter) = meter {
            meter.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        body.extend_from_slice(&chunk);
        if body.len() > limit {
            return Err(TooMuch::Bytes(body.into()));
        }
    }
    Ok(body.into())
}

/// An error with its causes, which reqwest keeps out of its own text; without those that only say that something failed.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    let says_little = |text: &str| ["error sending request", "client error ("].iter().any(|s| text.starts_with(s));
    let rest = texts.iter().position(|text| !says_little(text)).unwrap_or(0);
    texts[rest..].join(": ")
}

fn is_loopback(url: &reqwest::Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

/// TLS with ring, once for the process; a provider that someone else installed stays.
pub fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3), for a segment of a path or a query value.
pub fn encode_segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    #[test]
    fn addresses_are_checked() {
        for bad in ["", "log.example", "ftp://log.example", "http://", "https://log.example/?a=b", "file:///etc"] {
            assert_eq!(Http::new(bad).unwrap_err().kind, ErrorKind::Usage, "{bad}");
        }
        assert_eq!(Http::new("https://log.example/a/").unwrap().base(), "https://log.example/a");
        let loopback = |text| is_loopback(&reqwest::Url::parse(text).unwrap());
        assert!(loopback("http://127.0.0.1:1") && loopback("http://[::1]:1") && loopback("http://localhost"));
        assert!(!loopback("http://10.0.0.1") && !loopback("http://localhost.example"));
    }

    #[test]
    fn segments_are_encoded() {
        assert_eq!(encode_segment("name:Ä b/c"), "name%3A%C3%84%20b%2Fc");
    }

    #[tokio::test]
    async fn a_full_queue_is_asked_again_and_a_refusal_is_not() {
        let server = MockServer::start().await;
        let full =
            ResponseTemplate::new(503).insert_header("retry-after", "0").set_body_string(r#"{"code":"queue.full"}"#);
        Mock::given(path("/a")).respond_with(full).up_to_n_times(2).expect(2).mount(&server).await;
        Mock::given(path("/a"))
            .respond_with(ResponseTemplate::new(200).set_body_string("yes"))
            .expect(1)
            .mount(&server)
            .await;
        let no =
            ResponseTemplate::new(422).set_body_string(r#"{"code":"claim.value","detail":"no","pointer":"/body"}"#);
        Mock::given(method("POST")).and(path("/b")).respond_with(no).expect(1).mount(&server).await;
        let http = Http::new(&server.uri()).unwrap();
        assert_eq!(http.get("/a", 10).await.unwrap().body, "yes");
        let error = http.post("/b", ENVELOPE_TYPE, Bytes::from_static(b"{}"), 10).await.unwrap_err();
        assert_eq!((error.kind, error.code()), (ErrorKind::Refused, Some(proto::code::Code::ClaimValue)));
        assert!(error.message.contains("(at /body)"), "{error}");
    }

    #[tokio::test]
    async fn a_wait_beyond_the_deadline_ends_at_once_and_says_when() {
        let server = MockServer::start().await;
        let full =
            ResponseTemplate::new(503).insert_header("retry-after", "3600").set_body_string(r#"{"code":"disk.low"}"#);
        Mock::given(path("/a")).respond_with(full).expect(1).mount(&server).await;
        let error = Http::new(&server.uri()).unwrap().get("/a", 10).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TryLater);
        assert!(error.message.contains("try again in 3600 s"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_asks_to_wait_for_ever_causes_no_panic() {
        let server = MockServer::start().await;
        let never = u64::MAX.to_string();
        let full = ResponseTemplate::new(503)
            .insert_header("retry-after", never.as_str())
            .set_body_string(format!(r#"{{"code":"disk.low","retry_after_seconds":{never}}}"#));
        Mock::given(path("/a")).respond_with(full).expect(1).mount(&server).await;
        let error = Http::new(&server.uri()).unwrap().get("/a", 10).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TryLater);
        assert!(error.message.contains("try again in 86400 s"), "{error}");
    }

    #[tokio::test]
    async fn long_bodies_and_dead_addresses_are_errors() {
        let server = MockServer::start().await;
        let long = ResponseTemplate::new(200).set_body_bytes(vec![0; Problem::MAX_BYTES + 1]);
        Mock::given(path("/long")).respond_with(long).mount(&server).await;
        let long = Http::new(&server.uri()).unwrap().get("/long", 100).await.unwrap_err();
        assert!(long.message.contains("100 are the most"), "{long}");
        let dead = Http::new("http://127.0.0.1:1").unwrap().with_deadline(Duration::ZERO);
        assert_eq!(dead.get("/x", 1).await.unwrap_err().kind, ErrorKind::Unreachable);
    }
}
