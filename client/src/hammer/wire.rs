//! HTTP/1.1 over one connection, as cheap as it can be had: a request's bytes are there before it is sent, an answer is
//! read into a buffer that stays, and nothing of it is copied. One request at a time.
//!
//! The load generator shares its cores with the server in many measurements, so what it costs itself distorts them.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::target::Target;

/// An answer's head stays below this; ours have some 300 bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// An entry bundle has at most 256 entries of 64 KiB.
const MAX_BODY_BYTES: usize = 17 * 1024 * 1024;
/// Header fields of an answer.
const MAX_HEADERS: usize = 64;
/// A receipt fits; a tile takes two reads.
const READ_BYTES: usize = 8 * 1024;

/// A connection's two directions.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// Connects to one server.
#[derive(Clone)]
pub(super) struct Dialer {
    target: Arc<Target>,
    tls: Option<TlsConnector>,
}

impl Dialer {
    /// Sets up TLS with the platform's roots, if the target asks for it.
    pub(super) fn new(target: Arc<Target>) -> Result<Dialer, crate::Error> {
        if !target.tls {
            return Ok(Dialer { target, tls: None });
        }
        let failed = |e: &dyn std::fmt::Display| crate::Error::local(format!("TLS cannot be set up: {e}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(|e| failed(&e))?
            .with_no_client_auth();
        Ok(Dialer { target, tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    /// A new connection.
    pub(super) async fn socket(&self) -> io::Result<Box<dyn Socket>> {
        let plain = TcpStream::connect((self.target.host.as_str(), self.target.port)).await?;
        plain.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(plain)) };
        let name = ServerName::try_from(self.target.host.clone()).map_err(|e| broken(e.to_string()))?;
        Ok(Box::new(tls.connect(name, plain).await?))
    }

    /// A new connection for requests one after the other.
    pub(super) async fn wire(&self) -> io::Result<Wire> {
        Ok(Wire { socket: self.socket().await?, raw: Vec::with_capacity(READ_BYTES), joined: Vec::new() })
    }
}

/// A connection.
pub(super) struct Wire {
    socket: Box<dyn Socket>,
    /// What was read for the last answer.
    raw: Vec<u8>,
    /// The body of the last answer, if it came in chunks.
    joined: Vec<u8>,
}

/// An answer that was read whole.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) head: Head,
    body: Range<usize>,
    is_joined: bool,
}

/// What matters of an answer's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) retry_after_seconds: Option<u64>,
    pub(super) framing: Framing,
    /// Whether the server closes the connection after this answer.
    pub(super) closes: bool,
    /// Bytes of the head.
    pub(super) bytes: usize,
}

/// How the end of a body is known (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    UntilClosed,
}

impl Wire {
    /// Sends a request and reads its answer. After an error the connection is of no use any more.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> io::Result<Reply> {
        self.raw.clear();
        self.joined.clear();
        self.socket.write_all(request).await?;
        self.socket.flush().await?;
        let head = loop {
            match Head::parse(&self.raw)? {
                Some(head) if head.status >= 200 => break head,
                Some(interim) => {
                    self.raw.drain(..interim.bytes);
                }
                None if self.raw.len() > MAX_HEAD_BYTES => return Err(broken("an endless head")),
                None => self.more().await?,
            }
        };
        match head.framing {
            Framing::Length(length) => {
                let end = head.bytes + length;
                while self.raw.len() < end {
                    self.more().await?;
                }
                if self.raw.len() > end {
                    return Err(broken("more bytes than the answer has"));
                }
                Ok(Reply { body: head.bytes..end, is_joined: false, head })
            }
            Framing::Chunked => self.chunks(head).await,
            Framing::UntilClosed => {
                while self.read_some().await? > 0 {}
                Ok(Reply { body: head.bytes..self.raw.len(), is_joined: false, head })
            }
        }
    }

    /// The body of the answer that was read last.
    pub(super) fn body(&self, reply: &Reply) -> &[u8] {
        if reply.is_joined { &self.joined } else { &self.raw[reply.body.clone()] }
    }

    async fn chunks(&mut self, head: Head) -> io::Result<Reply> {
        let mut chunks = Chunks::default();
        let mut at = head.bytes;
        loop {
            at += chunks.take(&self.raw[at..], &mut self.joined)?;
            if chunks.ended() {
                return Ok(Reply { body: 0..0, is_joined: true, head });
            }
            if self.joined.len() > MAX_BODY_BYTES {
                return Err(broken("an endless body"));
            }
            // What was taken is not kept twice.
            self.raw.drain(..at);
            at = 0;
            self.more().await?;
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.read_some().await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection early")),
            _ => Ok(()),
        }
    }

    async fn read_some(&mut self) -> io::Result<usize> {
        if self.raw.len() > MAX_HEAD_BYTES + MAX_BODY_BYTES {
            return Err(broken("an endless answer"));
        }
        self.raw.reserve(READ_BYTES);
        self.socket.read_buf(&mut self.raw).await
    }
}

/// What came is not HTTP as it is spoken here.
pub(super) fn broken(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

impl Head {
    /// Reads a head at the beginning of `raw`; `None` while its end is not there.
    pub(super) fn parse(raw: &[u8]) -> io::Result<Option<Head>> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = response.parse(raw).map_err(|e| broken(format!("the answer is not HTTP/1.1: {e}")))?;
        let httparse::Status::Complete(bytes) = parsed else { return Ok(None) };
        let (status, mut length, mut chunked) = (response.code.unwrap_or(0), None, false);
        let (mut retry_after_seconds, mut closes) = (None, response.version == Some(0));
        for field in response.headers.iter() {
            let value = || std::str::from_utf8(field.value).unwrap_or("").trim();
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                let parsed: usize = value().parse().map_err(|_| broken("a content-length that is no number"))?;
                if parsed > MAX_BODY_BYTES || length.is_some_and(|other| other != parsed) {
                    return Err(broken(format!("a body of {parsed} bytes")));
                }
                length = Some(parsed);
            } else if is("transfer-encoding") {
                chunked = value().eq_ignore_ascii_case("chunked");
            } else if is("retry-after") {
                retry_after_seconds = value().parse().ok();
            } else if is("connection") {
                closes |= value().eq_ignore_ascii_case("close");
            }
        }
        let framing = match (status, chunked, length) {
            (100..=199 | 204 | 304, _, _) => Framing::Length(0),
            (_, true, _) => Framing::Chunked,
            (_, false, Some(length)) => Framing::Length(length),
            (_, false, None) => Framing::UntilClosed,
        };
        closes |= framing == Framing::UntilClosed;
        Ok(Some(Head { status, retry_after_seconds, framing, closes, bytes }))
    }
}

/// Takes the data out of a chunked body (RFC 9112 §7.1), piece by piece.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// Bytes of the running chunk that are still to come, its line end included.
    left: usize,
    after_last: bool,
    ended: bool,
}

/// A line end, which stands after a chunk's data.
const CRLF: usize = 2;

impl Chunks {
    /// Appends data to `out`; how many bytes of `input` were used.
    pub(super) fn take(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        let mut at = 0;
        while at < input.len() && !self.ended {
            let rest = &input[at..];
            if self.left > 0 {
                let taken = rest.len().min(self.left);
                let data = taken.min(self.left.saturating_sub(CRLF));
                out.extend_from_slice(&rest[..data]);
                self.left -= taken;
                at += taken;
            } else if self.after_last {
                // The end of the trailers, which logs do not send: an empty line.
                if rest.len() < CRLF {
                    break;
                }
                if !rest.starts_with(b"\r\n") {
                    return Err(broken("trailers after a chunked body"));
                }
                self.ended = true;
                at += CRLF;
            } else {
                match httparse::parse_chunk_size(rest).map_err(|_| broken("a chunk without a size"))? {
                    httparse::Status::Partial => break,
                    httparse::Status::Complete((used, 0)) => {
                        self.after_last = true;
                        at += used;
                    }
                    httparse::Status::Complete((used, size)) => {
                        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_BODY_BYTES);
                        self.left = size.ok_or_else(|| broken("a chunk larger than any answer"))? + CRLF;
                        at += used;
                    }
                }
            }
        }
        Ok(at)
    }

    /// Whether the body is over.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A server that says these pieces to one request each.
    async fn answers(pieces: Vec<&'static [u8]>) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; b"GET / HTTP/1.1\r\n\r\n".len()];
            socket.read_exact(&mut request).await.unwrap();
            for piece in pieces {
                socket.write_all(piece).await.unwrap();
                socket.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let target = Target { tls: false, host: "127.0.0.1".into(), port, prefix: String::new() };
        Dialer::new(Arc::new(target)).unwrap().wire().await.unwrap()
    }

    #[tokio::test]
    async fn answers_of_all_framings_are_read() {
        for (pieces, status, body) in [
            (vec![&b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc"[..]], 201, "abc"),
            (
                vec![b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 2\r\n\r\n", b"ok"],
                200,
                "ok",
            ),
            (
                vec![b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab", b"c\r\n1;x=y\r\nd\r\n0\r\n\r\n"],
                200,
                "abcd",
            ),
            (vec![b"HTTP/1.1 503 No\r\nretry-after: 7\r\n\r\nlater"], 503, "later"),
            (vec![b"HTTP/1.1 204 No Content\r\n\r\n"], 204, ""),
        ] {
            let mut wire = answers(pieces).await;
            let reply = wire.exchange(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            assert_eq!((reply.head.status, wire.body(&reply)), (status, body.as_bytes()));
            assert_eq!(reply.head.retry_after_seconds, (status == 503).then_some(7));
        }
    }

    #[tokio::test]
    async fn nonsense_and_early_ends_are_errors() {
        for pieces in [
            vec![&b"SSH-2.0\r\n\r\n"[..]],
            vec![b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc"],
            vec![b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nabc"],
            vec![b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nabc"],
            vec![b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"],
            vec![b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"],
            vec![],
        ] {
            let mut wire = answers(pieces.clone()).await;
            assert!(wire.exchange(b"GET / HTTP/1.1\r\n\r\n").await.is_err(), "{pieces:?}");
        }
    }

    #[test]
    fn chunks_in_any_pieces() {
        let whole = b"5\r\nhello\r\na;ext\r\n 0123456\r\n\r\n0\r\n\r\n";
        for cut in 0..whole.len() {
            let (mut chunks, mut out, mut held) = (Chunks::default(), Vec::new(), Vec::new());
            for piece in [&whole[..cut], &whole[cut..]] {
                held.extend_from_slice(piece);
                let used = chunks.take(&held, &mut out).unwrap();
                held.drain(..used);
            }
            assert!(chunks.ended() && held.is_empty(), "cut at {cut}");
            assert_eq!(out, b"hello 0123456\r\n");
        }
    }
}
