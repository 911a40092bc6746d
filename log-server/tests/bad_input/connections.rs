//! Clients that stop in the middle and clients that leave, over real connections to a real process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use claimtrail_log::testing::{acme, support};
use client::files::{Access, Existing};
use proto::dsse::Envelope;
use serde_json::Value;

use crate::command::{DEADLINE, Serving, TestFolder, body_of};

/// One case: a line of the list, what happens, and the test of it on a log with Acme enrolled.
pub(crate) struct Case {
    pub(crate) line: &'static str,
    name: &'static str,
    run: fn(&Serving),
}

const HALF: &str = "a half-sent request";
const LEFT: &str = "a client that leaves";

pub(crate) const CASES: &[Case] = &[
    Case { line: HALF, name: "a body that stops", run: body_stops },
    Case { line: HALF, name: "a body that ends early", run: body_ends_early },
    Case { line: HALF, name: "a head that stops", run: head_stops },
    Case { line: HALF, name: "a stream that stops in a line", run: stream_stops },
    Case { line: LEFT, name: "before the answer", run: left_before_the_answer },
    Case { line: LEFT, name: "in the middle of a stream's answers", run: left_mid_answer },
];

/// Lines of the stream whose client leaves.
const STREAM_LINES: usize = 300;

#[test]
fn every_case_is_answered_as_it_says_and_loses_nothing() {
    let folder = TestFolder::with_log();
    let config = folder.log().join("config.toml");
    let waits = "\n[limits]\nbody_idle_seconds = 1\nheader_seconds = 1\n";
    let text = std::fs::read_to_string(&config).unwrap() + waits;
    client::files::write(&config, text.as_bytes(), Access::Public, Existing::Replace).unwrap();
    let server = Serving::start(&folder);
    body_of(&server.post(&acme()), 201);
    for (number, case) in CASES.iter().enumerate() {
        println!("{}: {}", case.line, case.name);
        (case.run)(&server);
        let before = size(&server);
        let receipt = json(body_of(&server.post(&support(&format!("AFTER-{number}"), "2031-03")), 201));
        assert_eq!(receipt["index"], before, "{}: {}: the next claim is taken", case.line, case.name);
    }
    assert!(server.stop().success());
    folder.run(&["check", "log"]).expect(0, &["is as it should be"]);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn size(server: &Serving) -> u64 {
    json(body_of(&server.get("/v1/log"), 200))["size"].as_u64().expect("a size")
}

fn connect(server: &Serving) -> TcpStream {
    let stream = TcpStream::connect(&server.public).expect("connects");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream
}

fn head(path: &str, content_type: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n")
}

/// The head and the first half of the body.
fn half(envelope: &Envelope) -> String {
    let body = envelope.to_json();
    head("/v1/claims", "application/json", body.len()) + &body[..body.len() / 2]
}

/// What the server says until it closes the connection.
fn rest_of(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is reset has said all it will.
    let _reset = stream.read_to_end(&mut answer);
    String::from_utf8(answer).expect("UTF-8")
}

fn incomplete(answer: &str) {
    let problem = json(body_of(answer, 408));
    assert_eq!(problem["code"], "request.incomplete");
    assert_eq!(
        problem["detail"],
        "The request's body did not arrive in time or in full; send it again over a new connection."
    );
}

fn body_stops(server: &Serving) {
    let before = size(server);
    let mut stream = connect(server);
    stream.write_all(half(&support("HALF", "2031-03")).as_bytes()).expect("sent");
    incomplete(&rest_of(stream));
    assert_eq!(size(server), before);
    // Sent in full, it is a new claim.
    body_of(&server.post(&support("HALF", "2031-03")), 201);
}

fn body_ends_early(server: &Serving) {
    let before = size(server);
    let mut stream = connect(server);
    stream.write_all(half(&support("EARLY", "2031-03")).as_bytes()).expect("sent");
    stream.shutdown(Shutdown::Write).expect("ended");
    incomplete(&rest_of(stream));
    assert_eq!(size(server), before);
}

fn head_stops(server: &Serving) {
    let before = size(server);
    let mut stream = connect(server);
    stream.write_all(b"POST /v1/claims HTTP/1.1\r\nhost: te").expect("sent");
    // There is no request yet that could be answered.
    assert_eq!(rest_of(stream), "");
    assert_eq!(size(server), before);
}

fn stream_stops(server: &Serving) {
    let before = size(server);
    let body = support("LINE-1", "2031-03").to_json() + "\n" + &support("LINE-2", "2031-03").to_json();
    let mut stream = connect(server);
    let head = head("/v1/claims/stream", "application/x-ndjson", body.len());
    stream.write_all((head + &body[..body.len() - 9]).as_bytes()).expect("sent");
    let answer = rest_of(stream);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let lines: Vec<Value> = answer.lines().filter(|line| line.starts_with("{\"line\"")).map(json).collect();
    assert_eq!([&lines[0]["line"], &lines[0]["status"]], [1, 201], "{answer}");
    assert_eq!([&lines[1]["line"], &lines[1]["status"]], [2, 408], "{answer}");
    assert_eq!(lines[1]["problem"]["code"], "request.incomplete");
    assert_eq!(
        lines[1]["problem"]["detail"],
        "The stream broke off here; what was answered before is in the log. Send the rest again."
    );
    assert_eq!((lines.len(), size(server)), (2, before + 1));
}

fn left_before_the_answer(server: &Serving) {
    let before = size(server);
    let envelope = support("LEFT", "2031-03");
    let body = envelope.to_json();
    let mut stream = connect(server);
    stream.write_all((head("/v1/claims", "application/json", body.len()) + &body).as_bytes()).expect("sent");
    drop(stream);
    let deadline = Instant::now() + DEADLINE;
    while size(server) == before {
        assert!(Instant::now() < deadline, "the claim is not in the log");
    }
    let again = json(body_of(&server.post(&envelope), 200));
    assert_eq!(again["index"], before, "the entry that was made although nobody waited for it");
    assert_eq!(size(server), before + 1);
}

fn left_mid_answer(server: &Serving) {
    let before = size(server);
    let envelopes: Vec<Envelope> = (0..STREAM_LINES).map(|n| support(&format!("STREAM-{n}"), "2031-03")).collect();
    let body: String = envelopes.iter().map(|envelope| envelope.to_json() + "\n").collect();
    let mut stream = connect(server);
    let head = head("/v1/claims/stream", "application/x-ndjson", body.len());
    stream.write_all((head + &body).as_bytes()).expect("sent");
    // It reads its first receipt and leaves; the other answers have nobody to go to.
    let mut first = String::new();
    let mut answers = BufReader::new(stream);
    while !first.starts_with("{\"line\":1,") {
        first.clear();
        assert_ne!(answers.read_line(&mut first).expect("an answer"), 0, "the stream ended without an answer");
    }
    drop(answers);
    let first = json(&first);
    assert_eq!(first["status"], 201);
    let mut indices = Vec::new();
    for envelope in &envelopes {
        let answer = server.post(envelope);
        assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
        let receipt = json(answer.split_once("\r\n\r\n").expect("a body").1);
        indices.push(receipt["index"].as_u64().expect("an index"));
    }
    assert_eq!(indices[0], first["receipt"]["index"], "what was acknowledged is where it was said to be");
    indices.sort_unstable();
    let expected: Vec<u64> = (before..before + STREAM_LINES as u64).collect();
    assert_eq!(indices, expected, "each claim is in the log once");
    assert_eq!(size(server), before + STREAM_LINES as u64);
}
