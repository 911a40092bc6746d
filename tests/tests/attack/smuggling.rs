//! Requests whose end two readers could see in different places. Whatever a proxy before the server makes of them, the server
//! gives one answer to one request and goes on only where the end is beyond doubt.

use crate::site::Site;
use crate::wire::{exchange, open_request};

/// Hidden in the body of another request; nobody asked it.
const HIDDEN: &str = "GET /v1/entries/666000666 HTTP/1.1\r\nhost: log\r\n\r\n";
/// What is in the answer to it.
const TOLD_HIDDEN: &str = "666000666";
/// What follows every request openly on its connection.
const OPEN: u64 = 777_000_777;

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It is closed: nothing that follows is answered.
    Closed,
    /// It goes on: what openly follows is answered.
    GoesOn,
}
use Then::{Closed, GoesOn};

struct Row {
    name: String,
    request: String,
    status: &'static [u16],
    then: Then,
}

fn row(name: impl Into<String>, request: impl Into<String>, status: &'static [u16], then: Then) -> Row {
    Row { name: name.into(), request: request.into(), status, then }
}

/// A claim's request with these fields and this body.
fn post(fields: &str, body: &str) -> String {
    format!("POST /v1/claims HTTP/1.1\r\nhost: log\r\n{fields}\r\n\r\n{body}")
}

fn chunked(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len())
}

/// The length is said twice, or differently.
fn lengths() -> Vec<Row> {
    let n = HIDDEN.len();
    let mut rows = vec![
        row(
            "the same length twice",
            post(&format!("content-length: {n}\r\ncontent-length: {n}"), HIDDEN),
            &[400],
            GoesOn,
        ),
        row("a length with zeros before it", post(&format!("content-length: 000{n}"), HIDDEN), &[400], GoesOn),
        row(
            "a body for a GET",
            format!("GET /checkpoint HTTP/1.1\r\nhost: log\r\ncontent-length: {n}\r\n\r\n{HIDDEN}"),
            &[200],
            GoesOn,
        ),
        row(
            "a body for a method that is not allowed",
            format!("PUT /checkpoint HTTP/1.1\r\nhost: log\r\ncontent-length: {n}\r\n\r\n{HIDDEN}"),
            &[405],
            GoesOn,
        ),
        row(
            "a body of a type that is refused unread",
            post(&format!("content-type: text/plain\r\ncontent-length: {n}"), HIDDEN),
            &[415],
            GoesOn,
        ),
        row(
            "a body that waits for a word and does not",
            post(&format!("expect: 100-continue\r\ncontent-type: text/plain\r\ncontent-length: {n}"), HIDDEN),
            &[415],
            GoesOn,
        ),
        row(
            "the last request of a connection",
            post(&format!("connection: close\r\ncontent-length: {n}"), HIDDEN),
            &[400],
            Closed,
        ),
        row(
            "a length under another name",
            post(&format!("content_length: 0\r\ncontent-length: {n}"), HIDDEN),
            &[400],
            GoesOn,
        ),
    ];
    for (first, second) in [("0", "49"), ("49", "0"), ("5", "6")] {
        let fields = format!("content-length: {first}\r\ncontent-length: {second}");
        rows.push(row(format!("two lengths: {first}, {second}"), post(&fields, HIDDEN), &[400], Closed));
    }
    for length in
        ["49, 49", "49,0", "+49", "-1", "0x31", "4 9", "", "49;", "49.0", "\u{664}9", "1e2", "NaN", "49\t\u{b}"]
    {
        let request = post(&format!("content-length: {length}"), HIDDEN);
        rows.push(row(format!("the length {length:?}"), request, &[400], Closed));
    }
    rows
}

/// Length and chunks together, and chunks that only one of two readers sees.
fn codings() -> Vec<Row> {
    let n = HIDDEN.len();
    let both = format!("content-length: {n}\r\ntransfer-encoding: chunked");
    let both_back = format!("transfer-encoding: chunked\r\ncontent-length: {n}");
    let end = format!("0\r\n\r\n{HIDDEN}");
    let mut rows = vec![
        row("chunks after a length", post(&both, &end), &[400], Closed),
        row("chunks before a length", post(&both_back, &end), &[400], Closed),
        row(
            "chunks after a length of 4",
            post("content-length: 4\r\ntransfer-encoding: chunked", &chunked(HIDDEN)),
            &[400],
            Closed,
        ),
        row(
            "chunks between two lengths",
            post("content-length: 4\r\ntransfer-encoding: chunked\r\ncontent-length: 9", &end),
            &[400],
            Closed,
        ),
        row("chunks", post("transfer-encoding: chunked", &chunked(HIDDEN)), &[400], GoesOn),
        row("CHUNKS", post("Transfer-Encoding: CHUNKED", &chunked(HIDDEN)), &[400], GoesOn),
        row("chunks after a tab", post("transfer-encoding:\tchunked", &chunked(HIDDEN)), &[400], GoesOn),
        row(
            "chunks by an old version",
            format!(
                "POST /v1/claims HTTP/1.0\r\nhost: log\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n{}",
                chunked(HIDDEN)
            ),
            &[400],
            Closed,
        ),
    ];
    for coding in [
        "xchunked",
        "chunkedx",
        "x chunked",
        "\"chunked\"",
        "'chunked'",
        "chunked;q=1",
        "chunked, identity",
        "identity",
        "gzip",
        "identity, chunked",
        "gzip, chunked",
        "chunked, chunked",
        "chunked,",
        ", chunked",
        "",
        "\u{b}chunked",
        "chunked\u{0}",
        "chun\u{212a}ed",
        "chunked\r\ntransfer-encoding: identity",
        "identity\r\ntransfer-encoding: chunked",
        "chunked\r\ntransfer-encoding: chunked",
        "x\r\n chunked",
    ] {
        for with_length in [false, true] {
            let length = if with_length { format!("\r\ncontent-length: {}", end.len()) } else { String::new() };
            let request = post(&format!("transfer-encoding: {coding}{length}"), &end);
            rows.push(row(format!("the coding {coding:?}, length: {with_length}"), request, &[400], Closed));
        }
    }
    for line in [
        "transfer-encoding : chunked",
        " transfer-encoding: chunked",
        "transfer-encoding\t: chunked",
        "transfer-encoding",
        "\u{0}transfer-encoding: chunked",
        "transfer encoding: chunked",
        ": chunked",
    ] {
        let request = post(&format!("{line}\r\ncontent-length: {}", end.len()), &end);
        rows.push(row(format!("the field {line:?}"), request, &[400], Closed));
    }
    rows
}

/// Chunks with sizes and ends that readers take in different ways.
fn chunks() -> Vec<Row> {
    let n = HIDDEN.len();
    let good = [
        ("an extension", format!("{n:x};a=b\r\n{HIDDEN}\r\n0\r\n\r\n")),
        ("an extension in quotes", format!("{n:x};a=\"\t;\"\r\n{HIDDEN}\r\n0\r\n\r\n")),
        ("spaces after the size", format!("{n:x}  \r\n{HIDDEN}\r\n0\r\n\r\n")),
        ("zeros before the size", format!("0000{n:x}\r\n{HIDDEN}\r\n0000\r\n\r\n")),
        ("a field after the end", format!("{n:x}\r\n{HIDDEN}\r\n0\r\nx: y\r\n\r\n")),
        ("a length after the end", format!("{n:x}\r\n{HIDDEN}\r\n0\r\ncontent-length: 5\r\n\r\n")),
    ];
    let bad = [
        ("a size with a sign", format!("+{n:x}\r\n{HIDDEN}\r\n0\r\n\r\n")),
        ("a negative size", format!("-1\r\n{HIDDEN}\r\n0\r\n\r\n")),
        ("a size with 0x", format!("0x{n:x}\r\n{HIDDEN}\r\n0\r\n\r\n")),
        ("a space before the size", format!(" {n:x}\r\n{HIDDEN}\r\n0\r\n\r\n")),
        ("no size", format!("\r\n{HIDDEN}\r\n0\r\n\r\n")),
        ("a size of letters", format!("zz\r\n{HIDDEN}\r\n0\r\n\r\n")),
        ("digits after a space", format!("3 1\r\n{HIDDEN}\r\n0\r\n\r\n")),
        ("a size beyond 64 bits", format!("1{}\r\n{HIDDEN}\r\n0\r\n\r\n", "0".repeat(16))),
        ("the largest size", format!("{}\r\n{HIDDEN}\r\n0\r\n\r\n", "f".repeat(16))),
        ("a line feed alone after the size", format!("{n:x}\n{HIDDEN}\r\n0\r\n\r\n")),
        ("a carriage return alone after the size", format!("{n:x}\r{HIDDEN}\r\n0\r\n\r\n")),
        ("a line feed in an extension", format!("{n:x};a\n{HIDDEN}\r\n0\r\n\r\n")),
        ("more data than the size", format!("5\r\n{HIDDEN}\r\n0\r\n\r\n")),
        ("no end of the data", format!("{n:x}\r\n{HIDDEN}0\r\n\r\n")),
        ("a line feed alone after the data", format!("{n:x}\r\n{HIDDEN}\n0\r\n\r\n")),
        ("an endless extension", format!("{n:x};{}\r\n{HIDDEN}\r\n0\r\n\r\n", "a".repeat(40_000))),
        ("endless fields after the end", format!("{n:x}\r\n{HIDDEN}\r\n0\r\n{}\r\n", "x: y\r\n".repeat(20_000))),
    ];
    let row_of = |then| {
        move |(name, body): (&str, String)| {
            row(
                name,
                post("transfer-encoding: chunked", &body),
                if then == GoesOn { &[400] } else { &[400, 408] },
                then,
            )
        }
    };
    good.into_iter().map(row_of(GoesOn)).chain(bad.into_iter().map(row_of(Closed))).collect()
}

/// Heads whose lines end oddly.
fn heads() -> Vec<Row> {
    let bad = [
        ("a folded field", "GET /checkpoint HTTP/1.1\r\nhost: log\r\nx: a\r\n b\r\n\r\n".to_owned()),
        ("a folded first field", "GET /checkpoint HTTP/1.1\r\n host: log\r\n\r\n".to_owned()),
        ("a NUL in a value", "GET /checkpoint HTTP/1.1\r\nhost: log\r\nx: a\0b\r\n\r\n".to_owned()),
        ("a NUL in a name", "GET /checkpoint HTTP/1.1\r\nhost: log\r\nx\0: a\r\n\r\n".to_owned()),
        ("a NUL in the path", "GET /check\0point HTTP/1.1\r\nhost: log\r\n\r\n".to_owned()),
        (
            "a carriage return alone in a value",
            format!("GET /checkpoint HTTP/1.1\r\nhost: log\r\nx: a\r{HIDDEN}\r\n\r\n"),
        ),
        ("a carriage return alone as a line's end", "GET /checkpoint HTTP/1.1\rhost: log\r\r".to_owned()),
        ("a space before the colon", "GET /checkpoint HTTP/1.1\r\nhost : log\r\n\r\n".to_owned()),
        ("a line without a colon", "GET /checkpoint HTTP/1.1\r\nhost: log\r\nfield\r\n\r\n".to_owned()),
        ("no name", "GET /checkpoint HTTP/1.1\r\nhost: log\r\n: x\r\n\r\n".to_owned()),
        ("a second version", "GET /checkpoint HTTP/1.1 HTTP/1.1\r\nhost: log\r\n\r\n".to_owned()),
        ("a tab for a space", "GET\t/checkpoint\tHTTP/1.1\r\nhost: log\r\n\r\n".to_owned()),
        ("a path with a space", "GET /check point HTTP/1.1\r\nhost: log\r\n\r\n".to_owned()),
        ("a space before the method", " GET /checkpoint HTTP/1.1\r\nhost: log\r\n\r\n".to_owned()),
        ("no host", "GET /checkpoint HTTP/1.1\r\n\r\n".to_owned()),
        ("two hosts", "GET /checkpoint HTTP/1.1\r\nhost: log\r\nhost: other\r\n\r\n".to_owned()),
        ("the same host twice", "GET /checkpoint HTTP/1.1\r\nhost: log\r\nhost: log\r\n\r\n".to_owned()),
    ];
    let good = [
        ("line feeds alone", "GET /checkpoint HTTP/1.1\nhost: log\n\n"),
        ("one line feed alone", "GET /checkpoint HTTP/1.1\r\nhost: log\nx: y\r\n\r\n"),
        ("empty lines before the request", "\r\n\r\nGET /checkpoint HTTP/1.1\r\nhost: log\r\n\r\n"),
        ("a path that has a host", "GET http://log/checkpoint HTTP/1.1\r\nhost: log\r\n\r\n"),
    ];
    let bad = bad.into_iter().map(|(name, request)| row(name, request, &[400], Closed));
    bad.chain(good.into_iter().map(|(name, request)| row(name, request, &[200], GoesOn))).collect()
}

#[test]
fn one_request_has_one_answer_and_doubt_closes_the_connection() {
    let site = Site::start("body_idle_seconds = 2");
    let rows: Vec<Row> = [lengths(), codings(), chunks(), heads()].into_iter().flatten().collect();
    let mut wrong = Vec::new();
    for Row { name, request, status, then } in &rows {
        let said = exchange(site.address(), format!("{request}{}", open_request(OPEN)).as_bytes(), &[], false);
        let told: Vec<(u16, bool)> =
            said.iter().map(|answer| (answer.status, answer.text().contains(&OPEN.to_string()))).collect();
        assert!(!said.iter().any(|answer| answer.text().contains(TOLD_HIDDEN)), "{name}: smuggled: {said:?}");
        let (first, after) = told.split_first().unwrap_or_else(|| panic!("{name}: no answer"));
        let as_said = status.contains(&first.0)
            && !first.1
            && match then {
                Closed => after.is_empty(),
                GoesOn => after == [(404, true)],
            };
        if !as_said {
            wrong.push(format!("{name}: {told:?}, not {status:?} and then {then:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{} requests of doubtful length", rows.len());
    site.takes_a_claim();
    site.ends_well();
}
