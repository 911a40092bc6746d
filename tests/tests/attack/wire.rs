//! A client that sends any bytes and reads answers as strictly as it can.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No answer takes this long, whatever was asked; reaching it is a hang.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A server that closes does so within this time; one that does not waits for more. No limit of time in these tests is shorter.
const WAITS_FOR_MORE: Duration = Duration::from_millis(300);

/// The buffer of a client that does not read.
const DEAF_BYTES: u32 = 4096;

/// An entry that nobody else asks for.
const OPEN: u64 = 777_000_777;

/// One answer, read to its end.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {:?}", self.status, self.headers, self.text())
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and code. A code stands in a problem, and a refusal without one has no body: it is of a request that was never
    /// understood.
    #[track_caller]
    pub(crate) fn says(&self) -> (u16, String) {
        if self.body.is_empty() || self.status < 400 {
            return (self.status, String::new());
        }
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        (self.status, problem["code"].as_str().expect("a code").to_owned())
    }

    /// The seconds after which the client should come again, in the head.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after").map(|text| Duration::from_secs(text.parse().expect("whole seconds")))
    }
}

/// A connection.
pub(crate) struct Wire {
    stream: TcpStream,
    held: Vec<u8>,
    ended: bool,
    /// The next answer is to a HEAD request.
    to_head: bool,
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> Wire {
        Wire::over(TcpStream::connect(address).expect("connects"))
    }

    /// A connection from another address of this machine: every one of 127.0.0.0/8 is its own.
    pub(crate) fn from(ip: Ipv4Addr, address: SocketAddr) -> Wire {
        Wire::bound(ip, address, None)
    }

    /// The same from a client that has no room for answers that it does not read.
    pub(crate) fn deaf(ip: Ipv4Addr, address: SocketAddr) -> Wire {
        Wire::bound(ip, address, Some(DEAF_BYTES))
    }

    fn bound(ip: Ipv4Addr, address: SocketAddr, receive_bytes: Option<u32>) -> Wire {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connected = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            if let Some(bytes) = receive_bytes {
                socket.set_recv_buffer_size(bytes)?;
            }
            socket.bind((ip, 0).into())?;
            socket.connect(address).await?.into_std()
        });
        let stream = connected.unwrap_or_else(|error| panic!("{ip} cannot connect: {error}"));
        stream.set_nonblocking(false).expect("ours");
        Wire::over(stream)
    }

    fn over(stream: TcpStream) -> Wire {
        stream.set_read_timeout(Some(DEADLINE)).expect("ours");
        stream.set_write_timeout(Some(DEADLINE)).expect("ours");
        stream.set_nodelay(true).expect("ours");
        Wire { stream, held: Vec::new(), ended: false, to_head: false }
    }

    /// Sends; a server that closed meanwhile has said what it will, so that is no surprise. Whether all of it went.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        match self.stream.write_all(bytes.as_ref()) {
            Ok(()) => true,
            Err(error) => {
                assert!(!is_timeout(&error), "the server takes nothing and does not close");
                false
            }
        }
    }

    /// Sends these again and again until the server takes no more; how many bytes it took. `None`: it closed.
    pub(crate) fn send_until_blocked(&mut self, bytes: &[u8], most: usize) -> Option<usize> {
        self.stream.set_write_timeout(Some(WAITS_FOR_MORE)).expect("ours");
        let (mut taken, mut at) = (0, 0);
        while taken < most {
            match self.stream.write(&bytes[at..]) {
                Ok(n) => (taken, at) = (taken + n, (at + n) % bytes.len()),
                Err(error) if is_timeout(&error) => return Some(taken),
                Err(_) => return None,
            }
        }
        panic!("the server took {taken} bytes although nobody reads its answers");
    }

    /// Says that nothing more will come.
    pub(crate) fn end(&mut self) {
        // Already closed by the other side is fine.
        let _gone = self.stream.shutdown(Shutdown::Write);
    }

    /// One request and its answer; the connection stays.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer().expect("an answer")
    }

    /// The next answer; `None` when the connection ends before one begins.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        loop {
            match take_answer(&self.held, self.to_head, self.ended) {
                Taken::Answer(answer, used) => {
                    self.held.drain(..used);
                    // Interim answers only say that more is to come.
                    if answer.status >= 200 {
                        return Some(answer);
                    }
                }
                Taken::More if self.ended => {
                    assert!(self.held.is_empty(), "half an answer: {}", String::from_utf8_lossy(&self.held));
                    return None;
                }
                Taken::More => self.read_more(),
            }
        }
    }

    /// Everything until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while !self.ended {
            self.read_more();
        }
        std::mem::take(&mut self.held)
    }

    /// Whether the server closed the connection; does not wait.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.stream.set_nonblocking(true).expect("ours");
        let mut piece = [0; 4096];
        let read = self.stream.read(&mut piece);
        self.stream.set_nonblocking(false).expect("ours");
        match read {
            Ok(0) => self.ended = true,
            Ok(n) => self.held.extend_from_slice(&piece[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.ended = true,
        }
        self.ended
    }

    fn read_more(&mut self) {
        let said = |held: &[u8]| String::from_utf8_lossy(held).into_owned();
        assert!(self.read_some(), "the server neither answers nor closes; so far: {}", said(&self.held));
    }

    /// Reads what comes next; false when nothing does.
    fn read_some(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => self.ended = true,
            Ok(n) => self.held.extend_from_slice(&piece[..n]),
            Err(error) if is_timeout(&error) => return false,
            // A reset ends the connection, too.
            Err(_) => self.ended = true,
        }
        true
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Follows a request on its connection, to see whether that goes on; `number` is told in the answer.
pub(crate) fn open_request(number: u64) -> String {
    format!("GET /v1/entries/{number} HTTP/1.1\r\nhost: log\r\nconnection: close\r\n\r\n")
}

/// Sends all of it over a connection of its own and reads until the server closes; the answers. With `ends` it says at once that
/// nothing more will come, else only when the server has been waiting for more.
#[track_caller]
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8], to_head: &[usize], ends: bool) -> Vec<Answer> {
    let begun = Instant::now();
    let mut wire = Wire::connect(address);
    wire.send(bytes);
    if !ends {
        wire.stream.set_read_timeout(Some(WAITS_FOR_MORE)).expect("ours");
        while !wire.ended && wire.read_some() {}
        wire.stream.set_read_timeout(Some(DEADLINE)).expect("ours");
    }
    wire.end();
    let said = wire.rest();
    assert!(begun.elapsed() < DEADLINE, "too slow: {}", String::from_utf8_lossy(bytes));
    answers(&said, to_head)
}

/// The one answer to a request. What openly follows is answered for itself, or the connection is closed.
#[track_caller]
pub(crate) fn only(address: SocketAddr, request: &str) -> Answer {
    let mut wire = Wire::connect(address);
    wire.to_head = request.starts_with("HEAD ");
    wire.send(request);
    let first = wire.answer().unwrap_or_else(|| panic!("no answer to {request:?}"));
    wire.to_head = false;
    wire.send(open_request(OPEN));
    let after = answers(&wire.rest(), &[]);
    let closes = first.header("connection") == Some("close") || first.says().1.is_empty() && first.status >= 400;
    match &after[..] {
        [] => assert!(closes || first.status >= 400, "closed without a word after {first:?} to {request:?}"),
        [open] => {
            assert!(!closes && open.text().contains(&OPEN.to_string()), "{first:?}, then {open:?} to {request:?}")
        }
        _ => panic!("{first:?}, then {after:?} to {request:?}"),
    }
    first
}

/// All answers in these bytes, which must be nothing but answers.
#[track_caller]
pub(crate) fn answers(mut bytes: &[u8], to_head: &[usize]) -> Vec<Answer> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        match take_answer(bytes, to_head.contains(&all.len()), true) {
            Taken::Answer(answer, used) => {
                bytes = &bytes[used..];
                if answer.status >= 200 {
                    all.push(answer);
                }
            }
            Taken::More => panic!("not an answer: {}", String::from_utf8_lossy(bytes)),
        }
    }
    all
}

enum Taken {
    Answer(Answer, usize),
    More,
}

/// The first answer of these bytes. `ended`: nothing follows them.
fn take_answer(bytes: &[u8], to_head: bool, ended: bool) -> Taken {
    let Some(head_end) = find(bytes, b"\r\n\r\n") else { return Taken::More };
    let head = std::str::from_utf8(&bytes[..head_end]).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let first = lines.next().expect("a line");
    let status: u16 = match first.split(' ').collect::<Vec<_>>()[..] {
        ["HTTP/1.1" | "HTTP/1.0", status, ..] => status.parse().expect("a status"),
        _ => panic!("not the first line of an answer: {first:?}"),
    };
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap_or_else(|| panic!("not a field: {line:?}")))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body = &bytes[head_end + 4..];
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let length = header("content-length").map(|text| text.parse::<usize>().expect("a length"));
    let (body, used) = match (length, header("transfer-encoding")) {
        _ if to_head || status < 200 || status == 204 || status == 304 => (Vec::new(), 0),
        (_, Some(_)) => match unchunk(body) {
            Some((body, used)) => (body, used),
            None => return Taken::More,
        },
        (Some(length), None) if body.len() >= length => (body[..length].to_vec(), length),
        (None, None) if ended => (body.to_vec(), body.len()),
        _ => return Taken::More,
    };
    Taken::Answer(Answer { status, headers, body }, head_end + 4 + used)
}

/// A chunked body and its length on the wire; `None` when its end is not here.
fn unchunk(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = find(&bytes[at..], b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..at + line]).expect("ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size");
        at += line + 2;
        body.extend_from_slice(bytes.get(at..at + size)?);
        at += size + 2;
        bytes.get(..at)?;
        if size == 0 {
            return Some((body, at));
        }
    }
}

pub(crate) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A request without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: log\r\n\r\n")
}

/// A request with one.
pub(crate) fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: log\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn answers_are_told_apart() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let sized = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nab";
    let all = answers(format!("HTTP/1.1 100 Continue\r\n\r\n{chunked}{sized}").as_bytes(), &[]);
    assert_eq!(
        all.iter().map(|answer| (answer.status, answer.text())).collect::<Vec<_>>(),
        [(200, "abc".to_owned()), (404, "ab".to_owned())]
    );
    let to_head = answers(format!("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{sized}").as_bytes(), &[0]);
    assert_eq!(to_head.len(), 2);
}
