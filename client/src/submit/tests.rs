//! What a stream does when the log, or its input, does not do as it should.

use std::time::{Duration, Instant};

use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::error::ErrorKind;
use crate::http::Http;

/// One envelope under a test key.
fn line() -> String {
    format!("{}\n", Envelope::sign("t", b"a", &[&SecretKey::from_seed(&[1; 32])]).to_json())
}

async fn run(server: &MockServer, deadline: Duration, source: Source) -> Result<Summary, Error> {
    let api = Api::new(Http::new(&server.uri()).unwrap().with_deadline(deadline));
    let trust = Trust::parse(b"quorum none\n").unwrap();
    let (mut journal, mut each, mut progress) = (Journal::Nowhere, |_: &Item, _: &Receipt| {}, |_: Progress| {});
    let mut bulk = Bulk {
        api: &api,
        trust: &trust,
        origin: "log.example",
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
