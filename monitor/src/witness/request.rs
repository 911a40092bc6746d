//! The body of add-checkpoint (C2SP tlog-witness, "add-checkpoint").
//!
//! ```text
//! old <size> LF
//! <hash in base64> LF      0 to 63 of them
//! LF
//! <signed note>
//! ```

use proto::hash::Hash;
use proto::note::{BadNote, Note};
use proto::num::{TreeSize, parse_decimal};

/// Room for a proof of 63 hashes and many signature lines of ML-DSA-44, 3.3 KB each.
pub const MAX_BODY_BYTES: usize = 128 * 1024;

/// No consistency proof between trees of at most 2^63 - 1 entries has more.
pub const MAX_PROOF_LINES: usize = 63;

/// What a client asks.
#[derive(Debug)]
pub struct Request {
    /// The size of the last head cosigned, as the client takes it.
    pub old: TreeSize,
    /// The consistency proof from it.
    pub proof: Vec<Hash>,
    /// The checkpoint, not verified.
    pub note: Note,
}

/// Why a body is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadRequest {
    /// It is not UTF-8.
    Utf8,
    /// The first line is not `old <size>`.
    Old,
    /// A line of the proof is not 32 bytes in canonical base64.
    Proof(usize),
    /// More lines than [`MAX_PROOF_LINES`].
    TooManyLines,
    /// No empty line ends the proof.
    NoNote,
    /// What follows is no note.
    Note(BadNote),
}

impl std::fmt::Display for BadRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadRequest::Utf8 => f.write_str("The body is not UTF-8."),
            BadRequest::Old => {
                f.write_str("The first line must be `old` and the size of the last checkpoint, a decimal.")
            }
            BadRequest::Proof(line) => {
                write!(f, "Line {line} must be a hash, 32 bytes in canonical base64, or be empty.")
            }
            BadRequest::TooManyLines => write!(f, "A proof has at most {MAX_PROOF_LINES} lines."),
            BadRequest::NoNote => {
                f.write_str("The proof must be ended by an empty line, with the checkpoint behind it.")
            }
            BadRequest::Note(error) => write!(f, "The checkpoint is no signed note: {error}."),
        }
    }
}

impl Request {
    /// Reads a body strictly.
    pub fn parse(body: &[u8]) -> Result<Request, BadRequest> {
        let text = std::str::from_utf8(body).map_err(|_| BadRequest::Utf8)?;
        let (first, mut rest) = text.split_once('\n').ok_or(BadRequest::Old)?;
        let old = first.strip_prefix("old ").and_then(|size| parse_decimal(size).ok()).ok_or(BadRequest::Old)?;
        let mut proof = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(BadRequest::NoNote)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if proof.len() == MAX_PROOF_LINES {
                return Err(BadRequest::TooManyLines);
            }
            proof.push(Hash::from_base64(line).map_err(|_| BadRequest::Proof(proof.len() + 2))?);
        }
        let note = Note::parse(rest.as_bytes()).map_err(BadRequest::Note)?;
        Ok(Request { old: TreeSize(old), proof, note })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "log.example\n5\nAAAA\n\n\u{2014} log.example AAAAAAE=\n";

    fn body(old: &str, lines: usize) -> String {
        let line = format!("{}\n", Hash::of(b"a hash").to_base64());
        format!("{old}\n{}\n{NOTE}", line.repeat(lines))
    }

    #[test]
    fn bodies_read_or_say_why_not() {
        let read = Request::parse(body("old 3", 63).as_bytes()).unwrap();
        assert_eq!((read.old, read.proof.len(), read.note.claimed_origin()), (TreeSize(3), 63, "log.example"));
        assert!(Request::parse(body("old 0", 0).as_bytes()).is_ok());
        for (text, why) in [
            (String::new(), BadRequest::Old),
            (body("old 03", 0), BadRequest::Old),
            (body("old +3", 0), BadRequest::Old),
            (body("old 9223372036854775808", 0), BadRequest::Old),
            (body("new 3", 0), BadRequest::Old),
            (body("old 3 ", 0), BadRequest::Old),
            (body("old 3\r", 0), BadRequest::Old),
            (body("old 3\nAAAA", 0), BadRequest::Proof(2)),
            (body("old 3", 1).replace('=', ""), BadRequest::Proof(2)),
            (body("old 3", 64), BadRequest::TooManyLines),
            ("old 3\n".to_owned(), BadRequest::NoNote),
        ] {
            assert_eq!(Request::parse(text.as_bytes()).map(|_| ()), Err(why), "{text:?}");
        }
        assert!(matches!(Request::parse(b"old 3\n\nno note\n"), Err(BadRequest::Note(_))));
        assert!(matches!(Request::parse(b"old 3\n\n\xff"), Err(BadRequest::Utf8)));
    }
}
