//! A router over a test log, asked without a network.

use axum::Router;
use axum::body::Body;
use claimtrail_log::http::{HttpOptions, public_router};
use claimtrail_log::testing::{self, TestLog, number};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use proto::dsse::Envelope;
use serde_json::{Value, json};
use tower::ServiceExt;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header of ASCII"))
    }

    /// The parts of a problem that tests name: status and code, both in the body and in the head.
    #[track_caller]
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        assert_eq!(self.header("cache-control"), "no-store");
        assert!(!self.header("x-request-id").is_empty());
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        let code = problem["code"].as_str().expect("a code").to_owned();
        assert_eq!(problem["type"], format!("urn:claimtrail:problem:{code}"));
        assert!(!problem["detail"].as_str().expect("a detail").is_empty());
        (self.status.as_u16(), code)
    }
}

/// A test log with its routes.
pub struct Site {
    pub log: TestLog,
    pub router: Router,
}

impl Site {
    pub fn start() -> Site {
        Site::with(HttpOptions::default())
    }

    pub fn with(options: HttpOptions) -> Site {
        let log = TestLog::start();
        let router = public_router(log.log.clone(), options);
        Site { log, router }
    }

    /// A site with Acme enrolled (entry 1).
    pub async fn with_acme() -> Site {
        let site = Site::start();
        site.accept(&testing::acme()).await;
        site
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("a router always answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body ends").to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// The JSON of an answer that must be 200.
    #[track_caller]
    pub fn ok(answer: &Answer) -> Value {
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    pub async fn get_json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        Site::ok(&answer)
    }

    pub async fn post(&self, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(Method::POST).uri(path).header(CONTENT_TYPE, content_type);
        self.send(request.body(body.into()).expect("a request")).await
    }

    pub async fn submit(&self, envelope: &Envelope) -> Answer {
        self.post("/v1/claims", "application/json", envelope.to_json()).await
    }

    /// Submits a claim that must be taken, and returns its receipt.
    pub async fn accept(&self, envelope: &Envelope) -> Value {
        let answer = self.submit(envelope).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    /// Submits Acme's claim about a model, and returns its id.
    pub async fn support(&self, model: &str, until: &str) -> String {
        id_of(&self.accept(&testing::support(model, until)).await)
    }

    /// Submits a claim about another claim of Acme.
    pub async fn answer_to(&self, target: &str, kind: &str, model: &str, until: &str) -> String {
        let mut claim = testing::support_claim(model, until);
        claim["rel"] = json!({"kind": kind, "target": {"id": target}});
        if kind == "withdraw" {
            claim["body"] = json!({});
            claim["rel"]["reason"] = json!("announced by mistake");
        }
        id_of(&self.accept(&testing::sign(&claim, &[number::ACME_SIGN])).await)
    }
}

pub fn id_of(receipt: &Value) -> String {
    receipt["claim_id"].as_str().expect("a claim id").to_owned()
}

/// The indices of a list of items.
pub fn indices(items: &Value) -> Vec<u64> {
    items.as_array().expect("a list").iter().map(|item| item["index"].as_u64().expect("an index")).collect()
}
