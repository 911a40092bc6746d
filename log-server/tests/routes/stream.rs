use std::num::NonZeroUsize;
use std::time::Duration;

use axum::body::{Body, Bytes};
use claimtrail_log::http::{HttpOptions, StreamLimits};
use claimtrail_log::testing::{self, number};
use futures_util::StreamExt;
use http::Request;
use http_body_util::BodyExt;
use proto::receipt::Receipt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::support::{Answer, Site};

const NDJSON: &str = "application/x-ndjson";

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, NDJSON), "{}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The answers with their numbers and status, in order.
fn answers(lines: &[Value]) -> Vec<(u64, u64)> {
    let answers = lines.iter().filter(|line| line.get("head").is_none());
    answers.map(|line| (line["line"].as_u64().expect("a line"), line["status"].as_u64().expect("a status"))).collect()
}

#[tokio::test]
async fn answers_come_in_order_and_receipts_refer_to_heads_sent_before() {
    let site = Site::with_acme().await;
    let envelopes: Vec<_> = (0..3000).map(|n| testing::support(&format!("M-{n}"), "2031-03")).collect();
    let body: String = envelopes.iter().map(|envelope| envelope.to_json() + "\n").collect();
    let answer = site.post("/v1/claims/stream", NDJSON, body).await;
    let lines = lines(&answer);
    assert_eq!(answers(&lines), (1..=3000).map(|n| (n, 201)).collect::<Vec<_>>());
    let mut heads = std::collections::HashMap::new();
    for line in &lines {
        if let Some(head) = line.get("head") {
            let twice = heads.insert(head["size"].as_u64().expect("a size"), head["checkpoint"].clone());
            assert!(twice.is_none(), "a head is sent once");
            continue;
        }
        let mut receipt = line["receipt"].clone();
        let size = receipt.as_object_mut().expect("a receipt").remove("checkpoint_size").expect("a size");
        receipt["checkpoint"] = heads[&size.as_u64().expect("a number")].clone();
        let receipt = Receipt::parse(receipt.to_string().as_bytes()).expect("a receipt");
        let at = usize::try_from(line["line"].as_u64().expect("a line")).expect("small") - 1;
        let entry = receipt.entry(&envelopes[at].payload).expect("of this line").encode().expect("encodes");
        let note: Vec<&str> = receipt.checkpoint.lines().collect();
        let root = proto::hash::Hash::from_base64(note[2]).expect("a root");
        let size = proto::num::TreeSize(note[1].parse().expect("a size"));
        let leaf = proto::hash::Hash::leaf(&entry);
        proto::merkle::verify_inclusion(receipt.index, size, leaf, &receipt.inclusion, &root).expect("proven");
    }
    assert!(heads.len() < 1000, "batches, not single claims: {}", heads.len());
}

#[tokio::test]
async fn one_bad_line_never_harms_the_others() {
    let site = Site::with_acme().await;
    let good = |model: &str| testing::support(model, "2031-03").to_json();
    let mut other = testing::support_claim("E", "2031-03");
    other["role"] = json!("importer");
    let body = [
        good("A"),
        String::new(),
        "{".into(),
        "x".repeat(200_000),
        good("B"),
        testing::sign(&testing::support_claim("K", "2031-03"), &[77]).to_json(),
        testing::sign(&other, &[number::ACME_SIGN]).to_json(),
        good("A"),
        "\u{1F980}".into(),
        good("C"),
    ]
    .join("\n");
    let answer = site.post("/v1/claims/stream", NDJSON, body).await;
    let lines = lines(&answer);
    let statuses: Vec<u64> = answers(&lines).into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, [201, 400, 400, 413, 201, 403, 403, 200, 400, 201]);
    let problem = |number: u64| lines.iter().find(|line| line["line"] == number).expect("a line")["problem"].clone();
    assert_eq!(problem(2)["code"], "envelope.malformed");
    assert_eq!((&problem(4)["code"], &problem(4)["limit"]), (&json!("size.envelope"), &json!(131_072)));
    assert_eq!(problem(6)["code"], "key.unknown");
    assert!(problem(7)["refusal"].as_str().expect("a signed refusal").starts_with("claimtrail/refusal/v1\n"));
    assert_eq!(site.get_json("/v1/log").await["size"], 5);
}

#[tokio::test]
async fn a_body_that_breaks_off_keeps_what_was_answered() {
    let site = Site::with_acme().await;
    let whole = Bytes::from(testing::support("A", "2031-03").to_json() + "\n{\"pay");
    let broken = futures_util::stream::iter([Ok(whole), Err(std::io::Error::other("gone"))]);
    let answer = site.post("/v1/claims/stream", NDJSON, Body::from_stream(broken)).await;
    assert_eq!(answers(&lines(&answer)), [(1, 201), (2, 408)]);
    let empty = site.post("/v1/claims/stream", NDJSON, "").await;
    assert_eq!((empty.status.as_u16(), empty.body.len()), (200, 0));
    let other = site.post("/v1/claims/stream", "application/json", "").await;
    assert_eq!(other.problem(), (415, "request.content_type".into()));
}

fn small(lines: usize) -> HttpOptions {
    let stream = StreamLimits { lines: NonZeroUsize::new(lines).expect("not zero"), ..StreamLimits::default() };
    HttpOptions { stream, ..HttpOptions::default() }
}

/// Sends what the channel gives, and returns the answer's body.
async fn open(site: &Site) -> (mpsc::Sender<Result<Bytes, std::io::Error>>, Body) {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    let request = Request::post("/v1/claims/stream").body(Body::from_stream(pieces)).expect("a request");
    let response = site.router.clone().oneshot(request).await.expect("answers");
    (sender, response.into_body())
}

#[tokio::test]
async fn a_stream_takes_a_place_until_it_ends() {
    let one = NonZeroUsize::MIN;
    for (open_per_address, refused) in [(one, (429, "limit.address")), (NonZeroUsize::MAX, (503, "queue.full"))] {
        let stream = StreamLimits { open: one.saturating_add(1), open_per_address, ..StreamLimits::default() };
        let site = Site::with(HttpOptions { stream, ..HttpOptions::default() });
        let places = stream.open.min(open_per_address).get();
        let mut held = Vec::new();
        for _ in 0..places {
            held.push(open(&site).await);
        }
        let answer = site.post("/v1/claims/stream", NDJSON, "").await;
        assert_eq!(answer.problem(), (refused.0, refused.1.to_owned()));
        assert!(answer.headers.contains_key("retry-after"));
        held.pop(); // its client hangs up
        assert_eq!(site.post("/v1/claims/stream", NDJSON, "").await.status.as_u16(), 200);
    }
}

#[tokio::test]
async fn answers_come_while_the_request_goes_on() {
    let site = Site::with_acme().await;
    let (sender, body) = open(&site).await;
    let mut body = body.into_data_stream();
    for model in ["A", "B"] {
        let line = Bytes::from(testing::support(model, "2031-03").to_json() + "\n");
        sender.send(Ok(line)).await.expect("taken");
        let answer = body.next().await.expect("an answer").expect("data");
        assert!(String::from_utf8_lossy(&answer).contains("\"status\":201"));
    }
    drop(sender);
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_not_read_on() {
    let site = Site::with(small(4));
    site.accept(&testing::acme()).await;
    let (sender, body) = open(&site).await;
    let feeder = tokio::spawn(async move {
        let mut taken = 0;
        for n in 0..100 {
            let line = Bytes::from(testing::support(&format!("M-{n}"), "2031-03").to_json() + "\n");
            match tokio::time::timeout(Duration::from_millis(300), sender.send(Ok(line))).await {
                Ok(Ok(())) => taken += 1,
                _ => break,
            }
        }
        (taken, sender)
    });
    let (taken, sender) = feeder.await.expect("feeds");
    assert!(taken <= 8, "only the channel and the bound are filled, not {taken}");
    drop(sender);
    let answers = body.collect().await.expect("ends").to_bytes();
    let answered = String::from_utf8_lossy(&answers).matches("\"status\":201").count();
    assert_eq!(answered, taken, "what was taken is answered");
}

#[tokio::test]
async fn claims_that_were_read_are_logged_although_the_client_left() {
    let site = Site::with_acme().await;
    let (sender, body) = open(&site).await;
    let mut body = body.into_data_stream();
    let line = Bytes::from(testing::support("A", "2031-03").to_json() + "\n");
    sender.send(Ok(line)).await.expect("taken");
    let polled = futures_util::poll!(body.next());
    drop((polled, body, sender));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while site.get_json("/v1/log").await["size"] != 3 {
        assert!(tokio::time::Instant::now() < deadline, "the claim is not in the log");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn streams_share_the_room_that_all_clients_have() {
    // Room for one claim of two or so KiB at a time, whatever each stream may have under way.
    let under_way_kib = NonZeroUsize::new(2).expect("not zero");
    let site = Site::with(HttpOptions { under_way_kib, ..HttpOptions::default() });
    site.accept(&testing::acme()).await;
    let body = |from: u32| -> String {
        (from..from + 40).map(|n| testing::support(&format!("M-{n}"), "2031-03").to_json() + "\n").collect()
    };
    let both =
        tokio::join!(site.post("/v1/claims/stream", NDJSON, body(0)), site.post("/v1/claims/stream", NDJSON, body(40)));
    for answer in [both.0, both.1] {
        assert_eq!(answers(&lines(&answer)), (1..=40).map(|n| (n, 201)).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_line_says_when_to_come_back() {
    let site = Site::with_acme().await;
    site.log.log.modes().set_disk_low(true);
    let body = testing::support("M", "2031-03").to_json() + "\n";
    let answer = site.post("/v1/claims/stream", NDJSON, body.clone()).await;
    let line = lines(&answer).remove(0);
    assert_eq!((&line["status"], &line["problem"]["code"]), (&json!(503), &json!("disk.low")));
    let alone = site.post("/v1/claims", "application/json", body).await;
    assert_eq!(line["problem"]["retry_after_seconds"].to_string(), alone.header("retry-after"));
}

/// The answers until the stream ends.
async fn rest(body: Body) -> Vec<Value> {
    let all = tokio::time::timeout(Duration::from_secs(10), body.collect()).await.expect("it ends").expect("whole");
    String::from_utf8_lossy(&all.to_bytes()).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn a_line_that_takes_for_ever_ends_the_stream() {
    let stream = StreamLimits { line_timeout: Duration::from_millis(100), ..StreamLimits::default() };
    let site = Site::with(HttpOptions { stream, ..HttpOptions::default() });
    let (sender, body) = open(&site).await;
    let dripping = tokio::spawn(async move {
        let first = Bytes::from(testing::acme().to_json() + "\n{");
        let mut sent = sender.send(Ok(first)).await;
        let mut drip = tokio::time::interval(Duration::from_millis(10));
        while sent.is_ok() {
            drip.tick().await;
            sent = sender.send(Ok(Bytes::from_static(b" "))).await;
        }
    });
    let lines = rest(body).await;
    assert_eq!(answers(&lines), [(1, 201), (2, 408)]);
    assert_eq!(lines.last().expect("a line")["problem"]["code"], "request.incomplete");
    dripping.await.expect("it sees the end");
}

#[tokio::test]
async fn a_log_that_stops_answers_what_was_sent_and_ends_the_stream() {
    let options = HttpOptions::default();
    let stop = options.stop.clone();
    let site = Site::with(options);
    let (sender, body) = open(&site).await;
    let begun = Bytes::from(testing::acme().to_json() + "\n{\"payload");
    sender.send(Ok(begun)).await.expect("taken");
    let mut body = body.into_data_stream();
    let first = body.next().await.expect("an answer").expect("data");
    assert!(String::from_utf8_lossy(&first).contains("\"status\":201"));
    stop.cancel();
    let lines = rest(Body::from_stream(body)).await;
    assert_eq!(answers(&lines), [(2, 503)]);
    assert_eq!(lines[0]["problem"]["code"], "mode.stopping");
    assert_eq!(lines[0]["problem"]["retry_after_seconds"], 5);
    drop(sender);
}
