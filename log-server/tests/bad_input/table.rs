//! Rows over HTTP: what is sent, what is answered, and that nothing was lost.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use claimtrail_log::testing;
use http::Request;
use proto::claim::ClaimId;
use proto::dsse::Envelope;
use proto::note::{Verifier, Vkey};
use proto::statement::Refusal;
use serde_json::Value;

use crate::support::Answer;
use crate::world::World;

/// The media type of single envelopes.
pub(crate) const JSON: &str = "application/json";

/// What a row sends.
#[derive(Debug)]
pub(crate) enum Ask {
    /// One envelope, alone or as a line of a stream.
    Envelope(Vec<u8>),
    /// A body of another content type, or one that fits no line.
    Post(&'static str, Vec<u8>),
    /// A path that is read.
    Get(String),
}

/// One row: a line of the list, a case of it, and the answer in full.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) line: &'static str,
    pub(crate) case: &'static str,
    ask: Ask,
    status: u16,
    code: &'static str,
    /// `{size}` stands for the size of the log.
    detail: String,
    pointer: Option<String>,
    limit: Option<u64>,
    signed_refusal: bool,
    report: bool,
    receipt: bool,
    stream_detail: Option<String>,
}

impl Row {
    pub(crate) fn new(line: &'static str, case: &'static str, ask: Ask) -> Row {
        Row {
            line,
            case,
            ask,
            status: 0,
            code: "",
            detail: String::new(),
            pointer: None,
            limit: None,
            signed_refusal: false,
            report: false,
            receipt: false,
            stream_detail: None,
        }
    }

    pub(crate) fn envelope(line: &'static str, case: &'static str, envelope: &Envelope) -> Row {
        Row::raw(line, case, envelope.to_json())
    }

    pub(crate) fn raw(line: &'static str, case: &'static str, body: impl Into<Vec<u8>>) -> Row {
        Row::new(line, case, Ask::Envelope(body.into()))
    }

    pub(crate) fn get(line: &'static str, case: &'static str, path: impl Into<String>) -> Row {
        Row::new(line, case, Ask::Get(path.into()))
    }

    /// Status, code and message.
    pub(crate) fn says(self, status: u16, code: &'static str, detail: impl Into<String>) -> Row {
        Row { status, code, detail: detail.into(), ..self }
    }

    /// The place in the envelope or claim.
    pub(crate) fn at(self, pointer: impl Into<String>) -> Row {
        Row { pointer: Some(pointer.into()), ..self }
    }

    /// The limit that was passed.
    pub(crate) fn with_limit(self, limit: u64) -> Row {
        Row { limit: Some(limit), ..self }
    }

    /// All signatures are valid, so the refusal is signed.
    pub(crate) fn with_refusal(self) -> Row {
        Row { signed_refusal: true, ..self }
    }

    /// The claim is kept as a fork report.
    pub(crate) fn kept_as_report(self) -> Row {
        Row { report: true, ..self }
    }

    /// The answer has the receipt of what is in the log.
    pub(crate) fn with_receipt(self) -> Row {
        Row { receipt: true, ..self }
    }

    /// In a stream the message is another one, of the line as a whole.
    pub(crate) fn in_a_stream(self, detail: impl Into<String>) -> Row {
        Row { stream_detail: Some(detail.into()), ..self }
    }

    pub(crate) fn fits_a_stream(&self) -> bool {
        matches!(&self.ask, Ask::Envelope(body) if !body.contains(&b'\n'))
    }

    /// Compares a problem with the row.
    #[track_caller]
    fn compare(&self, problem: &Value, detail: &str, pointer: Option<&str>, size: u64) {
        let detail = detail.replace("{size}", &size.to_string());
        let found = (&problem["status"], &problem["code"], &problem["detail"]);
        let expected = (&Value::from(self.status), &Value::from(self.code), &Value::from(detail));
        assert_eq!(found, expected, "{}: {}: {problem:#}", self.line, self.case);
        let pointer = pointer.map_or(Value::Null, Value::from);
        assert_eq!(problem["pointer"], pointer, "{}: {}", self.line, self.case);
        assert_eq!(problem["limit"], self.limit.map_or(Value::Null, Value::from), "{}: {}", self.line, self.case);
        assert_eq!(problem["receipt"].is_object(), self.receipt, "{}: {}", self.line, self.case);
        assert_eq!(problem["refusal"].is_string(), self.signed_refusal, "{}: {}: {problem:#}", self.line, self.case);
        if let Some(note) = problem["refusal"].as_str() {
            let log = Verifier::new(&Vkey::parse(&testing::log_keys().log_vkey()).unwrap()).unwrap();
            let refusal = Refusal::verify(note.as_bytes(), &log).expect("signed by the log");
            assert_eq!(refusal.code.as_str(), self.code);
            assert_eq!(Value::from(refusal.claim_id.to_string()), problem["claim_id"]);
        }
    }

    /// The reports that the log keeps grew by this row's claim, or not at all.
    #[track_caller]
    fn compare_reports(&self, before: &[(String, Vec<u8>)], after: &[(String, Vec<u8>)]) {
        let new: Vec<_> = after.iter().filter(|report| !before.contains(report)).collect();
        let Ask::Envelope(body) = &self.ask else { return assert!(new.is_empty(), "{}", self.case) };
        match self.report {
            false => assert!(new.is_empty(), "{}: {}: kept a report", self.line, self.case),
            true => {
                let sent = Envelope::parse(body).expect("an envelope");
                let id = ClaimId::of(&sent.payload_type, &sent.payload).to_string();
                let kept = after.iter().find(|(key, _)| *key == id);
                let kept = kept.map(|(_, envelope)| Envelope::parse(envelope).expect("an envelope"));
                assert_eq!(kept, Some(sent), "{}: {}: others can verify it", self.line, self.case);
            }
        }
    }
}

/// Sends the row's input; it is answered as the row says, nothing changed, and the next good claim is taken.
pub(crate) async fn alone(world: &World, row: &Row) {
    let (size, reports) = (world.size().await, world.reports());
    let answer = send(world, row).await;
    let (status, code) = answer.problem();
    assert_eq!((status, code.as_str()), (row.status, row.code), "{}: {}: {}", row.line, row.case, answer.text());
    row.compare(&answer.json(), &row.detail, row.pointer.as_deref(), size);
    row.compare_reports(&reports, &world.reports());
    assert_eq!(world.size().await, size, "{}: {}: the log's size changed", row.line, row.case);
    let receipt = world.site.accept(&good()).await;
    assert_eq!(receipt["index"], size, "{}: {}", row.line, row.case);
}

/// Sends the row's input as the second of three lines of a stream, of which the others are good and must not suffer.
pub(crate) async fn between_good_lines(world: &World, row: &Row) {
    let Ask::Envelope(bad) = &row.ask else { return };
    let (size, before, after) = (world.size().await, good(), good());
    let body = [before.to_json().as_bytes(), bad, after.to_json().as_bytes()].join(&b'\n');
    let answer = world.site.post("/v1/claims/stream", "application/x-ndjson", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let answers: Vec<&Value> = lines.iter().filter(|line| line.get("head").is_none()).collect();
    let numbers: Vec<&Value> = answers.iter().map(|line| &line["line"]).collect();
    assert_eq!(numbers, [1, 2, 3], "{}: {}: {}", row.line, row.case, answer.text());
    assert_eq!([&answers[0]["status"], &answers[2]["status"]], [201, 201], "{}: {}", row.line, row.case);
    assert_eq!(answers[1]["status"], row.status, "{}: {}", row.line, row.case);
    // Which of the two good claims the log has taken when it judges the bad one is left open; rows with a size in their
    // message are of a claim that is judged against the published head.
    let (detail, pointer) = match &row.stream_detail {
        Some(detail) => (detail, None),
        None => (&row.detail, row.pointer.as_deref()),
    };
    let problem = &answers[1]["problem"];
    let shown = (size..=size + 2).find(|n| problem["detail"] == detail.replace("{size}", &n.to_string()).as_str());
    row.compare(problem, detail, pointer, shown.unwrap_or(size));
    assert_eq!(world.size().await, size + 2, "{}: {}: only the good lines are in the log", row.line, row.case);
}

async fn send(world: &World, row: &Row) -> Answer {
    match &row.ask {
        Ask::Envelope(body) => world.site.post("/v1/claims", JSON, body.clone()).await,
        Ask::Post(content_type, body) => world.site.post("/v1/claims", content_type, body.clone()).await,
        Ask::Get(path) => world.site.send(Request::get(path).body(Body::empty()).expect("a request")).await,
    }
}

/// A claim that the log must take; each time another one.
fn good() -> Envelope {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    testing::support(&format!("GOOD-{}", COUNT.fetch_add(1, Ordering::Relaxed)), "2031-03")
}
