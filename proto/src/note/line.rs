//! One signature line: `— name base64(key id || signature)`.

use std::fmt;

use super::name::KeyName;
use super::vkey::KeyHash;

/// How a signature line begins: an em dash and a space (C2SP signed-note, "Format").
const LINE_START: &str = "\u{2014} ";

/// Bytes of the key id before the signature in a line.
const KEY_HASH_BYTES: usize = 4;

/// Why a line is not a signature line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignatureLine {
    /// Not em dash, space, name, space, base64.
    #[error("a signature line has the form `— name base64`")]
    Form,
    /// The name is not a key name.
    #[error("a signature line names no valid key")]
    Name,
    /// Not canonical padded base64.
    #[error("a signature is not canonical padded base64")]
    Base64,
    /// Fewer than five bytes: no room for a key id and a signature.
    #[error("a signature is too short")]
    Short,
    /// The text does not end with a line feed, or is empty.
    #[error("signature lines must each end with a line feed")]
    Unterminated,
    /// More lines than [`MAX_SIGNATURES`](super::MAX_SIGNATURES).
    #[error("too many signature lines")]
    TooMany,
}

/// A signature line as it came. Nothing says yet that the signature is good.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NoteSignature {
    name: KeyName,
    key_hash: KeyHash,
    blob: Vec<u8>,
}

impl NoteSignature {
    pub(crate) fn new(name: KeyName, key_hash: KeyHash, blob: Vec<u8>) -> NoteSignature {
        NoteSignature { name, key_hash, blob }
    }

    /// Reads one line, without its line feed.
    pub fn parse(line: &str) -> Result<NoteSignature, BadSignatureLine> {
        let rest = line.strip_prefix(LINE_START).ok_or(BadSignatureLine::Form)?;
        let (name, data) = rest.split_once(' ').ok_or(BadSignatureLine::Form)?;
        let name = KeyName::parse(name).map_err(|_| BadSignatureLine::Name)?;
        let data = crate::b64::decode(data).map_err(|_| BadSignatureLine::Base64)?;
        let (hash, blob) = data.split_first_chunk::<KEY_HASH_BYTES>().ok_or(BadSignatureLine::Short)?;
        if blob.is_empty() {
            return Err(BadSignatureLine::Short);
        }
        Ok(NoteSignature { name, key_hash: KeyHash(*hash), blob: blob.to_vec() })
    }

    /// Reads one or more lines, each ending with a line feed: what a witness answers (C2SP tlog-witness).
    pub fn parse_lines(text: &str) -> Result<Vec<NoteSignature>, BadSignatureLine> {
        let lines = text.strip_suffix('\n').ok_or(BadSignatureLine::Unterminated)?;
        if lines.split('\n').count() > super::MAX_SIGNATURES {
            return Err(BadSignatureLine::TooMany);
        }
        lines.split('\n').map(NoteSignature::parse).collect()
    }

    /// The name of the key that is said to have signed.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key that is said to have signed.
    pub fn key_hash(&self) -> KeyHash {
        self.key_hash
    }

    /// The bytes after the key id; their meaning depends on the key's type.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Whether both lines name the same key.
    pub fn same_key(&self, other: &NoteSignature) -> bool {
        self.key_hash == other.key_hash && self.name == other.name
    }
}

/// The line without its line feed.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = [self.key_hash.0.as_slice(), &self.blob].concat();
        write!(f, "{LINE_START}{} {}", self.name, crate::b64::encode(data))
    }
}

impl fmt::Debug for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSignature({}+{}, {} bytes)", self.name, self.key_hash, self.blob.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back() {
        let line = "— x AAAAAAE=";
        let read = NoteSignature::parse(line).expect("a line with a signature of one byte");
        assert_eq!((read.name().as_str(), read.key_hash(), read.blob()), ("x", KeyHash([0; 4]), [1].as_slice()));
        assert_eq!(read.to_string(), line);
    }

    #[test]
    fn each_fault_has_its_reason() {
        for (line, why) in [
            ("- x AAAAAAE=", BadSignatureLine::Form),
            ("—x AAAAAAE=", BadSignatureLine::Form),
            ("— AAAAAAE=", BadSignatureLine::Form),
            ("—  AAAAAAE=", BadSignatureLine::Name),
            ("— a+b AAAAAAE=", BadSignatureLine::Name),
            ("— x  AAAAAAE=", BadSignatureLine::Base64),
            ("— x y AAAAAAE=", BadSignatureLine::Base64),
            ("— x AAAAAAE=\r", BadSignatureLine::Base64),
            ("— x AAAAAAE", BadSignatureLine::Base64),
            ("— x AAAAAAF=", BadSignatureLine::Base64),
            ("— x AAAAAA==", BadSignatureLine::Short),
            ("— x ", BadSignatureLine::Short),
        ] {
            assert_eq!(NoteSignature::parse(line), Err(why), "{line:?}");
        }
    }

    #[test]
    fn an_answer_of_several_lines() {
        let lines = NoteSignature::parse_lines("— x AAAAAAE=\n— y AAAAAAE=\n").expect("two lines");
        assert_eq!(lines.iter().map(|l| l.name().as_str()).collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(NoteSignature::parse_lines("— x AAAAAAE="), Err(BadSignatureLine::Unterminated));
        assert_eq!(NoteSignature::parse_lines("— x AAAAAAE=\n\n"), Err(BadSignatureLine::Form));
        assert_eq!(NoteSignature::parse_lines(""), Err(BadSignatureLine::Unterminated));
        assert_eq!(NoteSignature::parse_lines(&"— x AAAAAAE=\n".repeat(101)), Err(BadSignatureLine::TooMany));
    }
}
