//! A claim that lacks only its speaker, and the frame that says who speaks.

use super::build::{count, object, text};
use crate::claim::{Claim, ClaimType, Instant, IssuerId, LogRef, Role};
use crate::code::{Code, Refused};
use crate::json::Value;

/// Largest payload that a draft may become, in bytes: an entry holds 65,535, and links, keys and signatures need room.
const MAX_PAYLOAD_BYTES: usize = 60 * 1024;

/// Who speaks, for which logs, and when: what an importer cannot know.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The logs the claims are meant for, 1–4.
    pub logs: Vec<LogRef>,
    /// Who makes the claims.
    pub issuer: IssuerId,
    /// In which role.
    pub role: Role,
    /// When the issuer says it spoke.
    pub asserted_at: Instant,
}

/// Everything of a claim but its frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The type of the claim.
    pub claim_type: ClaimType,
    /// The product.
    pub subject: Value,
    /// Documents by digest.
    pub docs: Vec<Value>,
    /// What is said.
    pub body: Value,
}

impl Draft {
    /// The claim's payload: compact JSON in the order of the fields in docs/formats.md.
    ///
    /// # Errors
    /// When draft and frame together do not have the form of a claim, for example because of a role that makes no
    /// claims about products.
    pub fn payload(&self, frame: &Frame) -> Result<Vec<u8>, Refused> {
        self.complete(frame).map(|(payload, _)| payload)
    }

    /// The payload and what it says when read back.
    pub(super) fn complete(&self, frame: &Frame) -> Result<(Vec<u8>, Claim), Refused> {
        let payload = serde_json::to_vec(&self.value(frame))
            .map_err(|error| Refused::new(Code::ClaimJson, format!("the claim cannot be written: {error}")))?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            let message = format!("a claim of {} bytes; at most {MAX_PAYLOAD_BYTES} fit an entry", payload.len());
            return Err(Refused::new(Code::SizeEntry, message));
        }
        let claim = Claim::parse(&payload)?;
        Ok((payload, claim))
    }

    fn value(&self, frame: &Frame) -> Value {
        object([
            ("type", Some(text(self.claim_type.as_str()))),
            ("logs", Some(Value::Array(frame.logs.iter().map(log_ref).collect()))),
            ("issuer", Some(text(frame.issuer.as_str()))),
            ("role", Some(text(frame.role.as_str()))),
            ("subject", Some(self.subject.clone())),
            ("asserted_at", Some(text(frame.asserted_at.as_str()))),
            ("rel", Some(object([("kind", Some(text("new")))]))),
            ("docs", (!self.docs.is_empty()).then(|| Value::Array(self.docs.clone()))),
            ("body", Some(self.body.clone())),
        ])
    }
}

fn log_ref(log: &LogRef) -> Value {
    object([
        ("origin", Some(text(log.origin.as_str()))),
        ("size", log.size.map(|size| count(size.0))),
        ("root", log.root.map(|root| text(root.to_base64()))),
    ])
}
