//! A note of the right form, nothing verified.

use std::fmt;

use super::line::{BadSignatureLine, NoteSignature};
use super::name::KeyName;
use super::vkey::Vkey;
use super::{MAX_NOTE_BYTES, MAX_SIGNATURES};

/// Why bytes are not a note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// Larger than [`MAX_NOTE_BYTES`].
    #[error("the note is larger than {MAX_NOTE_BYTES} bytes")]
    TooLarge,
    /// Not UTF-8.
    #[error("the note is not UTF-8")]
    Utf8,
    /// The text part breaks a rule, or a control character stands anywhere.
    #[error(transparent)]
    Text(#[from] BadText),
    /// No blank line with signature lines after it.
    #[error("the note has no signatures after a blank line")]
    NoSignatures,
    /// The last line does not end.
    #[error("the note must end with a line feed")]
    Unterminated,
    /// More signature lines than [`MAX_SIGNATURES`].
    #[error("the note has more than {MAX_SIGNATURES} signature lines")]
    TooManySignatures,
    /// A line of the signature part is not a signature line.
    #[error("signature line {number}: {why}")]
    Line {
        /// Which signature line, counted from 1.
        number: usize,
        /// What is wrong with it.
        why: BadSignatureLine,
    },
    /// Two lines name the same key.
    #[error("two signature lines name the same key of {0}")]
    Duplicate(KeyName),
}

/// Why a text cannot be the text of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Empty.
    #[error("the text of a note must not be empty")]
    Empty,
    /// Does not end with a line feed.
    #[error("the text of a note must end with a line feed")]
    Unterminated,
    /// A character below U+0020 that is no line feed: a tab or a carriage return, for example.
    #[error("a note must have no control character but the line feed")]
    ControlCharacter,
}

pub(super) fn check_characters(text: &str) -> Result<(), BadText> {
    if text.bytes().any(|b| b < b' ' && b != b'\n') {
        return Err(BadText::ControlCharacter);
    }
    Ok(())
}

/// Checks a text that is to be signed.
pub(super) fn check_text(text: &str) -> Result<(), BadText> {
    if text.is_empty() {
        return Err(BadText::Empty);
    }
    if !text.ends_with('\n') {
        return Err(BadText::Unterminated);
    }
    check_characters(text)
}

/// A note that was read but not verified: its text is not for use, and there is no way to get it but
/// [`Note::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    pub(super) text: String,
    pub(super) signatures: Vec<NoteSignature>,
}

impl Note {
    /// Reads a note strictly (C2SP signed-note, "Format"). The text may have blank lines: it ends at the last one.
    pub fn parse(bytes: &[u8]) -> Result<Note, BadNote> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(BadNote::TooLarge);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| BadNote::Utf8)?;
        check_characters(whole)?;
        let split = whole.rfind("\n\n").ok_or(BadNote::NoSignatures)?;
        let text = &whole[..=split];
        let lines = &whole[split + 2..];
        if lines.is_empty() {
            return Err(BadNote::NoSignatures);
        }
        let lines = lines.strip_suffix('\n').ok_or(BadNote::Unterminated)?;
        Ok(Note { text: text.to_owned(), signatures: parse_signatures(lines)? })
    }

    /// The first line of the text, which nobody has verified: for looking up whose key to check the note with, and for
    /// nothing else.
    pub fn claimed_origin(&self) -> &str {
        self.text.split('\n').next().unwrap_or_default()
    }

    /// The signature lines, not verified.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The same note with more signature lines, such as a witness answered. Fails when a line names a key that stands
    /// in the note already, or when they become too many.
    pub fn with_signatures(mut self, more: Vec<NoteSignature>) -> Result<Note, BadNote> {
        self.signatures.extend(more);
        check_signatures(&self.signatures)?;
        Ok(self)
    }

    /// The same note with the signature line of this key alone: what is passed on as its word. Fails when it has none.
    pub fn only_signed_by(mut self, key: &Vkey) -> Result<Note, BadNote> {
        self.signatures.retain(|line| line.key_hash() == key.key_hash() && line.name() == key.name());
        if self.signatures.is_empty() { Err(BadNote::NoSignatures) } else { Ok(self) }
    }

    /// The same note with those lines alone that `is_known` takes. It may have none left; then no key verifies it.
    #[must_use]
    pub fn only_lines(mut self, is_known: impl Fn(&NoteSignature) -> bool) -> Note {
        self.signatures.retain(is_known);
        self
    }

    /// The bytes of the note, equal to those that were parsed: every valid note has exactly one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        format_note(&self.text, &self.signatures).into_bytes()
    }
}

/// Shows the claimed origin and who is said to have signed, not the text.
impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Note(claims {:?}, {:?})", self.claimed_origin(), self.signatures)
    }
}

pub(super) fn format_note(text: &str, signatures: &[NoteSignature]) -> String {
    let mut note = format!("{text}\n");
    for signature in signatures {
        note.push_str(&signature.to_string());
        note.push('\n');
    }
    note
}

fn parse_signatures(lines: &str) -> Result<Vec<NoteSignature>, BadNote> {
    let mut signatures = Vec::new();
    for (i, line) in lines.split('\n').enumerate() {
        if i == MAX_SIGNATURES {
            return Err(BadNote::TooManySignatures);
        }
        signatures.push(NoteSignature::parse(line).map_err(|why| BadNote::Line { number: i + 1, why })?);
    }
    check_signatures(&signatures)?;
    Ok(signatures)
}

/// At most [`MAX_SIGNATURES`] lines, none with the same key twice. So few lines that comparing each with each is cheap.
pub(super) fn check_signatures(signatures: &[NoteSignature]) -> Result<(), BadNote> {
    if signatures.len() > MAX_SIGNATURES {
        return Err(BadNote::TooManySignatures);
    }
    for (i, later) in signatures.iter().enumerate() {
        if signatures[..i].iter().any(|earlier| earlier.same_key(later)) {
            return Err(BadNote::Duplicate(later.name().clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_ends_at_the_last_blank_line() {
        let bytes = "origin\n\nmore\n\n— x AAAAAAE=\n".as_bytes();
        let note = Note::parse(bytes).expect("a note with a blank line in its text");
        assert_eq!(note.text, "origin\n\nmore\n");
        assert_eq!(note.claimed_origin(), "origin");
        assert_eq!(note.to_bytes(), bytes);
    }

    #[test]
    fn each_fault_has_its_reason() {
        let line = |why| BadNote::Line { number: 2, why };
        for (note, why) in [
            ("", BadNote::NoSignatures),
            ("a\n", BadNote::NoSignatures),
            ("a\n\n", BadNote::NoSignatures),
            ("\n— x AAAAAAE=\n", BadNote::NoSignatures),
            ("a\n\n— x AAAAAAE=", BadNote::Unterminated),
            ("a\r\n\n— x AAAAAAE=\n", BadNote::Text(BadText::ControlCharacter)),
            ("a\n\n— x AAAAAAE=\r\n", BadNote::Text(BadText::ControlCharacter)),
            ("a\tb\n\n— x AAAAAAE=\n", BadNote::Text(BadText::ControlCharacter)),
            ("a\n\n— x AAAAAAE=\nUnexpected\n", line(BadSignatureLine::Form)),
            ("a\n\n— x AAAAAAE=\n— x AAAAAAE\n", line(BadSignatureLine::Base64)),
        ] {
            assert_eq!(Note::parse(note.as_bytes()), Err(why), "{note:?}");
        }
        assert_eq!(Note::parse(b"\xff\n\n"), Err(BadNote::Utf8));
        assert_eq!(Note::parse(&vec![b'a'; MAX_NOTE_BYTES + 1]), Err(BadNote::TooLarge));
    }

    #[test]
    fn a_key_stands_once() {
        let twice = "a\n\n— x AAAAAAE=\n— x AAAAAAI=\n";
        assert!(matches!(Note::parse(twice.as_bytes()), Err(BadNote::Duplicate(_))));
        // Another name, or another key id, is another key.
        assert!(Note::parse("a\n\n— x AAAAAAE=\n— y AAAAAAE=\n— x AAAAAQE=\n".as_bytes()).is_ok());
        let note = Note::parse("a\n\n— x AAAAAAE=\n".as_bytes()).expect("a note");
        let again = note.signatures().to_vec();
        assert!(matches!(note.with_signatures(again), Err(BadNote::Duplicate(_))));
    }

    #[test]
    fn a_hundred_lines_are_read_and_no_more() {
        let note = |n: usize| (0..n).fold("a\n\n".to_owned(), |note, i| format!("{note}— x{i} AAAAAAE=\n"));
        assert_eq!(Note::parse(note(MAX_SIGNATURES).as_bytes()).map(|n| n.signatures().len()), Ok(MAX_SIGNATURES));
        assert_eq!(Note::parse(note(MAX_SIGNATURES + 1).as_bytes()), Err(BadNote::TooManySignatures));
    }
}
