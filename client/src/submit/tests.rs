//! What a stream does when the log, or its input, does not do as it should.

use std::time::{Duration, Instant};

use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::error::ErrorKind;
use crate::head::tests::{head, trust_in_log};
use crate::http::Http;
use crate::state::State;
use crate::tiles::HttpTiles;

/// One envelope under a test key.
fn line() -> String {
    format!("{}\n", Envelope::sign("t", b"a", &[&SecretKey::from_seed(&[1; 32])]).to_json())
}

async fn run(server: &MockServer, deadline: Duration, source: Source) -> Result<Summary, Error> {
    let trust = Trust::parse(b"quorum none\n").unwrap();
    run_under(&trust, server, deadline, source).await
}

async fn run_under(trust: &Trust, server: &MockServer, deadline: Duration, source: Source) -> Result<Summary, Error> {
    let http = Http::new(&server.uri()).unwrap().with_deadline(deadline);
    let (api, tiles) = (Api::new(http.clone()), HttpTiles::new(http, tokio::runtime::Handle::current()));
    let folder = tempfile::tempdir().unwrap();
    let state = State::at(Some(folder.path().to_owned())).unwrap();
    let (mut journal, mut each, mut progress) = (Journal::Nowhere, |_: &Item, _: &Receipt| {}, |_: Progress| {});
    let mut bulk = Bulk {
        api: &api,
        trust,
        origin: "log.example",
        tiles: &tiles,
        state: &state,
        journal: &mut journal,
        each: &mut each,
        progress: &mut progress,
    };
    bulk.run(source).await
}

fn lines(text: String) -> Source {
    Source::Lines { name: "in".into(), input: Box::new(std::io::Cursor::new(text)), line: 0, failed: false }
}

#[tokio::test]
async fn a_stream_that_is_asked_to_wait_longer_than_its_deadline_ends_at_once() {
    let problem = r#"{"status":503,"problem":{"code":"queue.full","detail":"full","retry_after_seconds":3600}}"#;
    let whole = ResponseTemplate::new(503)
        .insert_header("retry-after", "3600")
        .set_body_string(r#"{"code":"queue.full","detail":"full"}"#);
    for answer in [whole, ResponseTemplate::new(200).set_body_string(format!("{problem}\n"))] {
        let server = MockServer::start().await;
        Mock::given(path("/v1/claims/stream")).respond_with(answer).expect(1).mount(&server).await;
        let started = Instant::now();
        let error = run(&server, Duration::from_secs(30), lines(line())).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TryLater, "{error}");
        assert!(error.message.contains("3600 s"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(20), "it waited");
    }
}

#[tokio::test]
async fn an_input_that_breaks_ends_the_stream_with_its_reason() {
    let server = MockServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let source = Source::lines(folder.path()).unwrap(); // a folder opens, but cannot be read
    let summary = run(&server, Duration::from_secs(5), source).await.unwrap();
    assert_eq!(summary.broken.map(|error| error.kind), Some(ErrorKind::Local));
    assert_eq!(summary.progress, Progress::default());
}

/// The line of a receipt for an envelope that is alone in a log, or in another history of it: entries with another time.
fn receipt(envelope: &Envelope, time: u64) -> String {
    let entry = proto::entry::Entry {
        timestamp: proto::num::Millis(time),
        links: proto::entry::Links::default(),
        payload_type: envelope.payload_type.clone(),
        payload: envelope.payload.clone(),
        signatures: envelope.signatures.clone(),
    };
    let leaf = proto::hash::Hash::leaf(&entry.encode().unwrap());
    let receipt = serde_json::from_str::<serde_json::Value>(&receipt_of(&entry, &head(1, leaf))).unwrap();
    format!("{}\n", serde_json::json!({ "status": 201, "receipt": receipt }))
}

fn receipt_of(entry: &proto::entry::Entry, checkpoint: &str) -> String {
    let receipt = Receipt {
        origin: "log.example".into(),
        index: proto::num::LeafIndex(0),
        timestamp: entry.timestamp,
        links: entry.links,
        claim_id: proto::claim::ClaimId::of(&entry.payload_type, &entry.payload),
        signatures: entry.signatures.clone(),
        inclusion: Vec::new(),
        checkpoint: checkpoint.to_owned(),
    };
    receipt.to_json()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_head_of_a_stream_is_held_against_the_others() {
    let envelope = Envelope::sign(proto::claim::PAYLOAD_TYPE, b"a", &[&SecretKey::from_seed(&[1; 32])]);
    for (times, forked) in [([1000, 1000], false), ([1000, 2000], true)] {
        let server = MockServer::start().await;
        let body: String = times.iter().map(|time| receipt(&envelope, *time)).collect();
        Mock::given(path("/v1/claims/stream"))
            .respond_with(ResponseTemplate::new(200).set_body_string(body))
            .mount(&server)
            .await;
        let trust = trust_in_log();
        let two = lines(format!("{0}\n{0}\n", envelope.to_json()));
        let done = run_under(&trust, &server, Duration::from_secs(5), two).await;
        match done {
            Ok(summary) => assert!(!forked && summary.progress.created == 2 && summary.head.is_some(), "{summary:?}"),
            Err(error) => assert!(forked && error.message.starts_with("TAMPERING"), "{error}"),
        }
    }
}
