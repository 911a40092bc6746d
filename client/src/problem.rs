//! The log's refusals: problem details (RFC 9457) with a stable `code`.

use proto::code::Code;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::plain::plain;

/// An `application/problem+json` body. Members that are not known here are ignored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// A short summary.
    pub title: String,
    /// The status once more.
    pub status: u16,
    /// What is wrong here.
    pub detail: String,
    /// The stable reason.
    #[serde(rename = "code")]
    pub code_text: String,
    /// The place in the claim or envelope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_id: Option<String>,
    /// The first receipt, when the same payload is in the log with other signatures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<serde_json::Value>,
    /// A note signed by the log: it refused this claim, why and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The limit that was passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Seconds after which to ask again; the `Retry-After` of answers inside a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

impl Problem {
    /// Reads a body; anything that is no problem document gives one made of the status.
    pub fn read(status: u16, body: &[u8]) -> Problem {
        let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        problem.status = status;
        if problem.detail.is_empty() && problem.title.is_empty() {
            let text: String = String::from_utf8_lossy(body).trim().chars().take(200).collect();
            problem.detail = if text.is_empty() { format!("status {status} without an explanation") } else { text };
        }
        problem
    }

    /// The reason, when it is one that this version knows.
    pub fn code(&self) -> Option<Code> {
        Code::parse(&self.code_text)
    }

    /// Whether asking again later can help.
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504) && self.code() != Some(Code::ModeFrozen)
    }

    /// The error for people.
    pub fn into_error(self) -> Error {
        let kind = match self.status {
            _ if self.is_passing() => ErrorKind::TryLater,
            400..=499 | 503 => ErrorKind::Refused,
            _ => ErrorKind::Unreachable,
        };
        let said = plain(if self.detail.is_empty() { &self.title } else { &self.detail });
        let place =
            self.pointer.as_ref().filter(|p| !p.is_empty()).map(|p| format!(" (at {})", plain(p))).unwrap_or_default();
        let code = if self.code_text.is_empty() { format!("status {}", self.status) } else { plain(&self.code_text) };
        let verb = match kind {
            ErrorKind::Refused if self.status == 404 => "the log does not have it",
            ErrorKind::Refused => "the log refused",
            _ => "the log cannot do this now",
        };
        let message = format!("{verb}: {code}: {said}{place}{}", self.advice());
        Error { kind, message, problem: Some(Box::new(self)) }
    }
}

impl Problem {
    /// What to do next, for the refusals that people meet most.
    fn advice(&self) -> &'static str {
        let is_about_signatures = self.pointer.as_deref().is_some_and(|place| place.starts_with("/signatures"));
        match self.code() {
            Some(Code::KeyUnknown) if is_about_signatures => {
                "; that is `claimtrail issuer request`, and then the operator's `claimtrail issuer admit`"
            }
            Some(Code::ClaimWrongLog) => {
                "; make the claim with --trust set to this log's trust file, so that `logs` names it"
            }
            Some(Code::AnchorFork) => {
                "; the head this claim is anchored to is not this log's: keep your state folder and the claim, they show it"
            }
            Some(Code::SlotOtherSignatures) => "; the claim is in the log already, see `claimtrail show`",
            Some(Code::ClaimTooLate) => "; make the claim anew with a later `submit_before`",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_status_and_code() {
        let kind = |status, code: &str| {
            Problem::read(status, format!(r#"{{"code":"{code}","detail":"d"}}"#).as_bytes()).into_error().kind
        };
        assert_eq!(kind(422, "claim.value"), ErrorKind::Refused);
        assert_eq!(kind(503, "queue.full"), ErrorKind::TryLater);
        assert_eq!(kind(503, "mode.frozen"), ErrorKind::Refused);
        assert_eq!(kind(429, "limit.issuer"), ErrorKind::TryLater);
        assert_eq!(kind(500, "server.internal"), ErrorKind::Unreachable);
    }

    #[test]
    fn what_a_log_says_cannot_command_a_terminal() {
        let problem = Problem {
            status: 422,
            detail: "no\u{1b}[2J\nclaimtrail: all is well".into(),
            code_text: "x\u{9b}".into(),
            pointer: Some("/a\r".into()),
            ..Problem::default()
        };
        let message = problem.into_error().message;
        assert!(!message.chars().any(crate::plain::is_obeyed), "{message:?}");
        assert!(message.contains("\\u{1b}[2J"), "{message}");
    }

    #[test]
    fn bodies_that_are_no_problems_are_shown_in_part() {
        let problem = Problem::read(502, b"<html>bad gateway</html>");
        assert_eq!((problem.status, problem.detail.as_str()), (502, "<html>bad gateway</html>"));
        assert!(Problem::read(404, b"").detail.contains("404"));
    }
}
