//! Thousands of distinct bad requests from a small grammar: never a failure of the server's own, never a hang, never an answer on
//! another request's connection.
//!
//! `STORY_REQUESTS` makes them more, `STORY_SEED` the same again.

use std::collections::BTreeMap;

use claimtrail_log::torture::Random;

use crate::site::{Site, seed};
use crate::wire::{exchange, open_request};

/// So many unless `STORY_REQUESTS` says otherwise.
const REQUESTS: u64 = 6_000;

const METHODS: &[&str] = &["GET", "GET", "GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "PUT", "TRACE", "CONNECT"];
const ODD_METHODS: &[&str] = &["get", "G\u{7f}T", "", "POST POST", "M-SEARCH", "\u{e9}"];
const PATHS: &[&str] = &[
    "/checkpoint",
    "/tile/0/000.p/1",
    "/tile/entries/000.p/1",
    "/tile/",
    "/openapi.json",
    "/v1/claims",
    "/v1/claims",
    "/v1/claims/stream",
    "/v1/claims/stream",
    "/v1/claims/sha256:00",
    "/v1/entries/0",
    "/v1/entries/",
    "/v1/issuers",
    "/v1/issuers/acme.example",
    "/v1/issuers/acme.example/claims",
    "/v1/products",
    "/v1/products/acme.example/M-1",
    "/v1/find",
    "/v1/changes",
    "/v1/log",
    "/v1/heads",
    "/",
    "*",
    "http://log/v1/log",
    "//",
];
const PIECES: &[&str] = &[
    "0",
    "1",
    "000",
    "x000/",
    ".p/",
    "..",
    "/",
    "//",
    "%2f",
    "%2e%2e",
    "%00",
    "%",
    "%zz",
    "%ff",
    "%F0%9F%A6%80",
    "~",
    "'",
    ";",
    ":",
    "@",
    "18446744073709551616",
    "-1",
    "+",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "2026-11-24",
    "support/v1",
];
const ODD_PIECES: &[&str] = &["\u{e9}", "\"", "<x>", "\\", " ", "#", "{}", "\u{1}", "\u{0}", "\t", "\n"];
const PARAMETERS: &[&str] = &[
    "from",
    "to",
    "limit",
    "cursor",
    "before",
    "after",
    "type",
    "issuer",
    "manufacturer",
    "model",
    "as_of",
    "as_of_size",
    "as_of_time",
    "id",
    "status",
    "x",
    "",
];
const ODD_VERSIONS: &[&str] = &["HTTP/1.0", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/11", "", "HTTP/1.1 "];
const FIELDS: &[&str] = &[
    "content-type",
    "content-encoding",
    "accept-encoding",
    "accept",
    "expect",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "range",
    "if-none-match",
    "cookie",
    "x-forwarded-for",
    "origin",
    "access-control-request-method",
    "x",
    "date",
    "via",
];
const ODD_FIELDS: &[&str] = &["host", "x y", "", "\u{e9}", " x", "x\r\n y"];
const VALUES: &[&str] = &[
    "",
    "log",
    "application/json",
    "application/json",
    "application/x-ndjson",
    "application/x-ndjson",
    "gzip",
    "identity",
    "close",
    "keep-alive",
    "upgrade",
    "100-continue",
    "*/*",
    "0",
    "-1",
    "\t\t",
    ",,,,",
    "1.2.3.4",
    "h2c",
    "websocket",
    "bytes=0-",
    "\"",
    "host",
    "text/plain; charset=\u{fe}",
];
const ODD_VALUES: &[&str] = &["\u{0}", "\u{7f}", "a\rb", "a\n b"];
/// One choice in so many of 1000 is an odd one, which rarely leads past the first look at a request.
const ODD: u64 = 40;

/// A request and what is known of its framing.
struct Request {
    bytes: Vec<u8>,
    to_head: bool,
    /// Whether it says that more will come than it sends.
    ends_early: bool,
}

struct Maker {
    random: Random,
    /// A good claim, to spoil.
    claim: String,
}

impl Maker {
    fn request(&mut self) -> Request {
        let (method, version) = (self.either(METHODS, ODD_METHODS), self.either(&["HTTP/1.1"], ODD_VERSIONS));
        let mut head = format!("{method} {} {version}\r\n", self.target());
        if !self.random.chance(30) {
            head += "host: log\r\n";
        }
        for _ in 0..self.random.below(6) {
            let (name, value) = (self.either(FIELDS, ODD_FIELDS), self.either(VALUES, ODD_VALUES));
            head += &format!("{name}: {value}\r\n");
        }
        let (fields, body, ends_early) = self.framed();
        let mut bytes = head.into_bytes();
        if self.random.chance(30) {
            let at = self.random.place(bytes.len());
            bytes[at] ^= 1 << self.random.below(8);
        }
        bytes.extend_from_slice((fields + "\r\n").as_bytes());
        bytes.extend_from_slice(&body);
        let to_head = bytes.starts_with(b"HEAD ");
        Request { bytes, to_head, ends_early }
    }

    fn either(&mut self, usual: &[&'static str], odd: &[&'static str]) -> &'static str {
        let of = if self.random.chance(ODD) { odd } else { usual };
        self.random.pick(of)
    }

    fn target(&mut self) -> String {
        let mut target = self.random.pick(PATHS).to_owned();
        for _ in 0..self.random.below(3) {
            target += self.either(PIECES, ODD_PIECES);
        }
        if self.random.chance(20) {
            target += &"a/".repeat(self.random.place(12_000));
        }
        if self.random.chance(300) {
            target.push('?');
            for _ in 0..self.random.below(5) {
                target += &format!("{}={}&", self.random.pick(PARAMETERS), self.random.pick(PIECES));
            }
        }
        target
    }

    /// The fields that say where the body ends, the body, and whether it ends before that.
    fn framed(&mut self) -> (String, Vec<u8>, bool) {
        let body = self.body();
        let n = body.len();
        match self.random.below(10) {
            0..=1 => (String::new(), Vec::new(), false),
            2..=5 => (format!("content-length: {n}\r\n"), body, false),
            6..=7 => {
                let (chunks, ends_early) = self.chunks(&body);
                ("transfer-encoding: chunked\r\n".to_owned(), chunks, ends_early)
            }
            // More than what follows openly, so that none of it can be taken for a request.
            8 => (format!("content-length: {}\r\n", n as u64 + 1000 + self.random.below(1 << 40)), body, true),
            _ => {
                let odd = self.random.pick(&[
                    "content-length: x",
                    "transfer-encoding: x",
                    "content-length: 1\r\ncontent-length: 2",
                ]);
                (format!("{odd}\r\n"), body, false)
            }
        }
    }

    /// In chunks; one time out of four they break off.
    fn chunks(&mut self, mut body: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::new();
        while !body.is_empty() {
            let (chunk, rest) = body.split_at(1 + self.random.place(body.len()));
            out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
            body = rest;
        }
        out.extend_from_slice(b"0\r\n\r\n");
        let breaks_off = self.random.chance(250);
        if breaks_off {
            out.truncate(self.random.place(out.len()));
            out.extend_from_slice(self.random.pick(PIECES).as_bytes());
        }
        (out, breaks_off)
    }

    fn body(&mut self) -> Vec<u8> {
        match self.random.below(6) {
            0 => Vec::new(),
            1 => (0..self.random.below(300)).map(|_| self.random.number().to_le_bytes()[0]).collect(),
            2 => b"GET /v1/entries/666000666 HTTP/1.1\r\nhost: log\r\n\r\n".to_vec(),
            3 => (0..self.random.below(40))
                .map(|_| self.random.pick(&["{", "}", "[", "]", "\"", ":", ",", "1", "null", "\n", "\\u0000"]))
                .collect::<String>()
                .into_bytes(),
            4 => self.spoilt(),
            _ => [self.spoilt(), self.spoilt()].join(&b'\n'),
        }
    }

    /// The claim with a few bytes changed, doubled or gone.
    fn spoilt(&mut self) -> Vec<u8> {
        let mut bytes = self.claim.clone().into_bytes();
        for _ in 0..1 + self.random.below(3) {
            let at = self.random.place(bytes.len());
            match self.random.below(4) {
                0 => bytes[at] ^= 1 << self.random.below(8),
                1 => bytes.truncate(at + 1),
                2 => bytes.insert(at, self.random.number().to_le_bytes()[0]),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    }
}

#[test]
fn a_grammar_of_bad_requests_finds_no_failure_and_no_hang() {
    let requests = std::env::var("STORY_REQUESTS").ok().and_then(|text| text.parse().ok()).unwrap_or(REQUESTS);
    let seed = seed("grammar");
    let site = Site::start("body_idle_seconds = 2\nheader_seconds = 2");
    let mut maker = Maker { random: Random::new(seed), claim: site.acme.claim() };
    let mut counts: BTreeMap<(u16, String), u64> = BTreeMap::new();
    let mut went_on = 0;
    for number in 0..requests {
        let Request { mut bytes, to_head, ends_early } = maker.request();
        let told = 777_000_000 + number;
        bytes.extend_from_slice(open_request(told).as_bytes());
        let shown = || format!("seed {seed}, request {number}: {:?}", String::from_utf8_lossy(&bytes));
        let answers = exchange(site.address(), &bytes, if to_head { &[0] } else { &[] }, ends_early);
        let Some((first, after)) = answers.split_first() else {
            // Who hangs up in the middle is not waited for.
            assert!(ends_early, "no answer: {}", shown());
            continue;
        };
        assert!(answers.iter().all(|answer| answer.status < 500), "{answers:?} to {}", shown());
        assert!(answers.iter().all(|answer| !answer.text().contains("666000666")), "{answers:?} to {}", shown());
        assert!(after.len() <= 1, "{answers:?} to {}", shown());
        if let Some(second) = after.first() {
            let is_open = second.text().contains(&told.to_string());
            assert!(is_open || second.status == 400, "{second:?} to {}", shown());
            went_on += u64::from(is_open);
        }
        *counts.entry(first.says()).or_default() += 1;
        if number % 500 == 499 {
            site.takes_a_claim();
        }
    }
    for ((status, code), count) in &counts {
        println!("{count:>6} times {status} {code}");
    }
    assert!(went_on > requests / 4, "the grammar makes too few requests that end where they say: {went_on}");
    assert!(counts.len() > 10, "the grammar reaches too few answers");
    site.takes_a_claim();
    site.ends_well();
}
