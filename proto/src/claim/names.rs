//! Names: issuers by domain name, logs by origin.

use std::fmt;

use super::limits::{DOMAIN_BYTES, LABEL_BYTES, ORIGIN_BYTES};

/// The id of an issuer: a domain name it controls, in lower-case A-labels, such as `acme.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerId(String);

/// A text was not a lower-case domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an issuer id: a domain name of two labels or more, in lower-case letters, digits and hyphens (A-labels)")]
pub struct BadIssuerId;

impl IssuerId {
    /// Reads an issuer id: at most 253 bytes, two labels or more, each of 1–63 lower-case letters, digits and inner
    /// hyphens (RFC 1035 §2.3.1 with RFC 1123 §2.1), no root dot. Hyphens in third and fourth place are for A-labels
    /// only (RFC 5890 §2.3.1), and the last label has a letter, so that no address passes for a name.
    pub fn parse(text: &str) -> Result<IssuerId, BadIssuerId> {
        let labels: Vec<&str> = text.split('.').collect();
        let last_has_letter = labels.last().is_some_and(|label| label.bytes().any(|b| b.is_ascii_lowercase()));
        if text.len() > DOMAIN_BYTES || labels.len() < 2 || !last_has_letter || !labels.iter().all(|l| is_label(l)) {
            return Err(BadIssuerId);
        }
        Ok(IssuerId(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssuerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let allowed = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    let hyphens_are_inner = !label.starts_with('-') && !label.ends_with('-');
    let reserved = bytes.get(2..4) == Some(b"--");
    (1..=LABEL_BYTES).contains(&bytes.len())
        && bytes.iter().all(allowed)
        && hyphens_are_inner
        && (!reserved || (label.starts_with("xn--") && bytes.len() > 4))
}

/// The name of a log: the first line of its checkpoints, and its key name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(String);

/// A text was not an origin of the strict form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an origin: 1 to 250 visible ASCII characters without spaces and '+', no scheme (as in log.example/main)")]
pub struct BadOrigin;

impl Origin {
    /// Reads an origin: the strict rule of C2SP tlog-checkpoint (a schema-less URL without spaces and `+`), 1–250
    /// visible ASCII characters.
    pub fn parse(text: &str) -> Result<Origin, BadOrigin> {
        let visible = text.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
        if text.is_empty() || text.len() > ORIGIN_BYTES || !visible || text.contains("://") {
            return Err(BadOrigin);
        }
        Ok(Origin(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
