//! The witness over HTTP: the published flow against a real log's tiles, every refusal, and a power cut at any moment.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use client::api::Api;
use client::http::Http;
use client::tiles::{HttpTiles, HttpTree};
use harness::cluster::{LogUnderTest, ORIGIN};
use harness::watcher::WITNESS;
use proto::hash::Hash;
use proto::merkle::consistency_proof;
use proto::note::{Note, NoteSignature};
use proto::num::TreeSize;
use proto::policy::Policy;

use super::{log_with_acme, monitor_of, promise, wait};

/// Status, content type, body.
pub(super) type Answer = (u16, String, String);

/// One request by hand; nothing when the connection breaks.
pub(super) fn request(url: &str, head: &str, body: &[u8]) -> Option<Answer> {
    request_with(url, head, "", body)
}

/// The same with further fields, each with its end.
pub(super) fn request_with(url: &str, head: &str, fields: &str, body: &[u8]) -> Option<Answer> {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).ok()?;
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let host = if fields.contains("host: ") { String::new() } else { format!("host: {address}\r\n") };
    stream.write_all(format!("{head} HTTP/1.1\r\n{host}connection: close\r\n{fields}{length}\r\n").as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut types = head.lines().filter_map(|line| line.strip_prefix("content-type: "));
    Some((status, types.next().unwrap_or_default().to_owned(), body.to_owned()))
}

pub(super) fn add(url: &str, old: u64, proof: &[Hash], note: &[u8]) -> Answer {
    let lines: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
    let body = [format!("old {old}\n{lines}\n").as_bytes(), note].concat();
    request(url, "POST /add-checkpoint", &body).expect("an answer")
}

fn checkpoint(log: &LogUnderTest) -> Vec<u8> {
    wait(Api::new(Http::new(log.url()).unwrap()).checkpoint()).unwrap()
}

/// The proof between two sizes, out of the log's own tiles.
fn proof(log: &LogUnderTest, note: &[u8], old: u64) -> Vec<Hash> {
    let trust = std::fs::read(log.data().join("trust.policy")).unwrap();
    let head = Policy::parse(&trust).unwrap().check(note).unwrap().checkpoint;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tiles = HttpTiles::new(Http::new(log.url()).unwrap(), runtime.handle().clone());
    let tree = HttpTree::open(tiles, head.size(), &head.root()).unwrap();
    consistency_proof(&tree, TreeSize(old), head.size()).unwrap()
}

#[test]
fn the_published_flow_and_every_refusal() {
    let log = log_with_acme();
    let mut monitor = monitor_of(&log, false);
    monitor.serve();
    let url = monitor.url().to_owned();
    let shown = format!("GET /{}/checkpoint", Hash::of(ORIGIN.as_bytes()));
    assert_eq!(request(&url, &shown, b"").unwrap().0, 404, "never cosigned");

    let first = checkpoint(&log);
    let (status, kind, lines) = add(&url, 0, &[], &first);
    assert_eq!((status, kind.as_str()), (200, "text/plain; charset=utf-8"), "{lines}");
    let lines = NoteSignature::parse_lines(&lines).unwrap();
    assert_eq!(lines.iter().map(|line| line.name().as_str()).collect::<Vec<_>>(), [WITNESS]);
    let cosigned = Note::parse(&first).unwrap().with_signatures(lines).unwrap();
    assert_eq!(cosigned.signatures().len(), 3, "the log, its time, the witness");
    let (status, _, note) = request(&url, &shown, b"").unwrap();
    assert_eq!((status, note.into_bytes()), (200, cosigned.to_bytes()));

    promise(&log, "CAM-1");
    promise(&log, "CAM-2");
    let second = checkpoint(&log);
    assert_eq!(add(&url, 0, &[], &second), (409, "text/x.tlog.size".to_owned(), "2\n".to_owned()));
    let good = proof(&log, &second, 2);
    let wrong = vec![Hash::of(b"x"); good.len()];
    let text = String::from_utf8(second.clone()).unwrap();
    let stranger = text.replace(ORIGIN, "other.example");
    let unsigned =
        format!("{}\n\u{2014} nobody.example AAAAAAE=\n", text.split("\n\n").next().unwrap().to_owned() + "\n");
    let forged = text.replacen("\n4\n", "\n5\n", 1);
    for (status, old, proof, note) in [
        (422, 2, wrong.as_slice(), second.as_slice()),
        (422, 2, &[], &second),
        (400, 5, &[], &second),
        (404, 2, &good, stranger.as_bytes()),
        (403, 2, &good, unsigned.as_bytes()),
        (403, 2, &good, forged.as_bytes()),
        (400, 2, &good, b"no note"),
        (400, 2, &vec![Hash::of(b"x"); 64], &second),
    ] {
        let answer = add(&url, old, proof, note);
        assert_eq!((answer.0, answer.1.as_str()), (status, "application/problem+json"), "old {old}: {}", answer.2);
    }
    assert_eq!(request(&url, "POST /add-checkpoint", &vec![b'x'; 129 * 1024]).map_or(413, |answer| answer.0), 413);
    assert_eq!(add(&url, 2, &good, &second).0, 200);
    assert_eq!(add(&url, 4, &[], &second).0, 200, "the same tree again");
    assert_eq!(add(&url, 2, &[], &first), (409, "text/x.tlog.size".to_owned(), "4\n".to_owned()), "never below");
    assert_eq!(request(&url, "GET /v1/heads?limit=1", b"").unwrap().0, 200);
    assert_eq!(request(&url, "GET /v1/heads?limits=1", b"").unwrap().0, 400);
}

#[test]
fn a_power_cut_never_lowers_what_was_cosigned() {
    let log = log_with_acme();
    let mut monitor = monitor_of(&log, false);
    let mut heads = vec![(2, checkpoint(&log))];
    for number in 3..9 {
        promise(&log, &format!("CAM-{number}"));
        heads.push((number, checkpoint(&log)));
    }
    let trust = std::fs::read(log.data().join("trust.policy")).unwrap();
    let size = |note: &[u8]| Policy::parse(&trust).unwrap().check(note).unwrap().checkpoint.size().0;
    let mut acknowledged = 0;
    for (number, note) in &heads {
        monitor.serve();
        let url = monitor.url().to_owned();
        // What a client learns first, by asking with the wrong size.
        let stored = match add(&url, 0, &[], note) {
            (200, ..) => size(note),
            (409, _, body) => body.trim().parse().unwrap(),
            other => panic!("{other:?}"),
        };
        assert!(stored >= acknowledged, "{acknowledged} was cosigned, {stored} is known after a power cut");
        acknowledged = stored;
        // The cut comes while requests run: before, between or after store and answer.
        let (proof, answered) =
            (if stored < *number { proof(&log, note, stored) } else { Vec::new() }, AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let lines: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
                let body = [format!("old {stored}\n{lines}\n").as_bytes(), note].concat();
                let answer = request(&url, "POST /add-checkpoint", &body);
                answered.store(answer.is_some_and(|answer| answer.0 == 200), Ordering::SeqCst);
            });
            monitor.kill();
        });
        if answered.load(Ordering::SeqCst) {
            acknowledged = *number;
        }
    }
    monitor.serve();
    let (status, _, body) = add(monitor.url(), 99, &[], &heads[0].1);
    assert_eq!(status, 400, "{body}");
    let (_, _, body) = add(monitor.url(), 0, &[], &heads[0].1);
    assert!(body.trim().parse::<u64>().unwrap() >= acknowledged);
}
