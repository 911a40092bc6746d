//! Errors as the client sees them: `application/problem+json` (RFC 9457) with a stable code.
//!
//! A problem has two messages. `detail` is shown; `internal` goes to the operator's log, once, at the boundary
//! ([`crate::edge`]), next to the request id that the client was given.

use std::fmt::Display;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use proto::code::{Code, Refused};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::status::{status_of, title_of};

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The `type` of a problem is this and its code, for example `urn:claimtrail:problem:claim.date`. It names the kind and
/// is never looked up: a log has no address that is sure to outlive it, so there is no page behind the URI, and programs
/// should compare `code`.
pub const TYPE_PREFIX: &str = "urn:claimtrail:problem:";

/// What is shown of a failure of ours. The cause is in the operator's log.
const INTERNAL_DETAIL: &str = "The server failed. Try again; if it lasts, give the operator the request id.";

/// Members that the problem itself writes; extension members must have other names.
const OWN_MEMBERS: &[&str] = &["type", "title", "status", "detail", "instance", "code", "pointer"];

/// An error on its way to a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    code: Code,
    detail: String,
    pointer: Option<String>,
    extensions: Map<String, Value>,
    retry_after_s: Option<u64>,
    internal: Option<String>,
}

impl Problem {
    /// A problem with a sentence for people that says what is wrong and what to do.
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        let detail = detail.into();
        Problem { code, detail, pointer: None, extensions: Map::new(), retry_after_s: None, internal: None }
    }

    /// A failure of ours: `server.internal`, with a cause that only the operator's log shows.
    pub fn internal(cause: impl Display) -> Problem {
        Problem { internal: Some(cause.to_string()), ..Problem::new(Code::ServerInternal, INTERNAL_DETAIL) }
    }

    /// Adds an extension member (RFC 9457 §3.2), such as `receipt` or `limit`. The problem's own members cannot be
    /// replaced: such a name is a mistake of the caller and is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        debug_assert!(!OWN_MEMBERS.contains(&name), "{name} is a member of every problem");
        if !OWN_MEMBERS.contains(&name) {
            self.extensions.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Says when to try again, in whole seconds, rounded up, at least 1 (RFC 9110 §10.2.3).
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Problem {
        let up = u64::from(wait.subsec_nanos() > 0);
        self.retry_after_s = Some(wait.as_secs().saturating_add(up).max(1));
        self
    }

    /// When to try again, in seconds; for answers that have no header of their own, such as lines of a stream.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after_s
    }

    /// Adds a cause for the operator's log.
    #[must_use]
    pub fn because(mut self, cause: impl Display) -> Problem {
        self.internal = Some(cause.to_string());
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The status that the code is answered with.
    pub fn status(&self) -> StatusCode {
        status_of(self.code)
    }

    /// The sentence that is shown.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The cause that is not shown.
    pub fn internal_cause(&self) -> Option<&str> {
        self.internal.as_deref()
    }

    /// The members as JSON, for example as the `problem` of one line of a stream.
    pub fn to_json(&self) -> Value {
        // Texts, numbers and maps with text keys always serialise.
        serde_json::to_value(self.members()).unwrap_or_default()
    }

    fn members(&self) -> Members<'_> {
        Members {
            uri: format!("{TYPE_PREFIX}{}", self.code),
            title: title_of(self.code),
            status: self.status().as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            pointer: self.pointer.as_deref(),
            extensions: &self.extensions,
        }
    }
}

#[derive(Serialize)]
struct Members<'a> {
    #[serde(rename = "type")]
    uri: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(flatten)]
    extensions: &'a Map<String, Value>,
}

impl From<Refused> for Problem {
    /// What inner code says is shown as it is, except for failures of ours (5xx that no client can mend), whose text
    /// goes to the operator's log.
    fn from(refused: Refused) -> Problem {
        if status_of(refused.code) == StatusCode::INTERNAL_SERVER_ERROR {
            return Problem { code: refused.code, ..Problem::internal(refused.message) };
        }
        Problem { pointer: refused.pointer, ..Problem::new(refused.code, refused.message) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.members()).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Shown(self));
        response
    }
}

/// The problem that a response shows, for whoever logs and counts it.
#[derive(Debug, Clone)]
pub struct Shown(pub Problem);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_in_a_fixed_order() {
        let problem =
            Problem::from(Refused::at(Code::ClaimDate, "/body/security_until", "not a date: write YYYY-MM-DD"))
                .with("limit", 7);
        assert_eq!(
            serde_json::to_string(&problem.members()).expect("serialises"),
            r#"{"type":"urn:claimtrail:problem:claim.date","title":"The claim breaks a rule of form","status":422,"detail":"not a date: write YYYY-MM-DD","code":"claim.date","pointer":"/body/security_until","limit":7}"#
        );
        assert_eq!(problem.to_json()["status"], 422);
    }

    #[test]
    fn headers_say_what_it_is_and_when_to_come_back() {
        let wait = Duration::from_millis(1200);
        let response = Problem::new(Code::QueueFull, "the queue is full").retry_after(wait).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let at_once = Problem::new(Code::QueueFull, "").retry_after(Duration::ZERO).into_response();
        assert_eq!(at_once.headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn causes_are_never_shown() {
        for problem in [
            Problem::internal("disk /secret failed"),
            Problem::from(Refused::new(Code::ServerInternal, "disk /secret failed")),
            Problem::from(Refused::new(Code::EntryLink, "disk /secret failed")),
            Problem::new(Code::DiskLow, "the disk is almost full").because("disk /secret failed"),
        ] {
            assert_eq!(problem.internal_cause(), Some("disk /secret failed"));
            assert!(!problem.to_json().to_string().contains("secret"), "{problem:?}");
        }
    }
}
