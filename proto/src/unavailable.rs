//! A monitor's signed statement that a head stays unavailable: the log signed it, and for so long nobody showed whether it is
//! of the tree that the monitor follows.
//!
//! ```text
//! claimtrail/unavailable/v1
//! <origin>
//! <size>
//! <root in base64>
//! <seconds since 1970: since when the monitor knows of the head>
//! <seconds since 1970: when it says so>
//!
//! — <monitor> <cosignature/v1>
//! ```
//!
//! It accuses nobody and is no misbehaviour file: a log that lost its disk may be honest. The key is the monitor's witness key
//! (type 04), whose time is that of the last line. The text is never one of a checkpoint: there the second line is a number and
//! the third one a hash, here the third one is a number.

use crate::checkpoint::CheckpointText;
use crate::cosignature::Cosigner;
use crate::hash::Hash;
use crate::note::{BadKind, CannotSign, Verifier, note_of, verify_kind};
use crate::num::{Seconds, TreeSize, parse_decimal};

/// First line of such a statement.
pub const UNAVAILABLE_KIND: &str = "claimtrail/unavailable/v1";

/// A head that stays unavailable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// The log.
    pub origin: String,
    /// The head's size.
    pub size: TreeSize,
    /// The head's root.
    pub root: Hash,
    /// Since when the monitor knows of it.
    pub since: Seconds,
    /// When the monitor says so.
    pub at: Seconds,
}

/// Why a text is no such statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUnavailable {
    /// Not a note of this kind under the given key.
    #[error(transparent)]
    Note(#[from] BadKind),
    /// The lines are not those of such a statement.
    #[error("not the six lines of a statement that a head stays unavailable")]
    Malformed,
    /// The signature states another time than the text, or none.
    #[error("the signature's time is not the one that the text states")]
    Time,
}

impl Unavailable {
    /// About this head.
    pub fn new(head: &CheckpointText, since: Seconds, at: Seconds) -> Unavailable {
        Unavailable { origin: head.origin().to_owned(), size: head.size(), root: head.root(), since, at }
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        let Unavailable { origin, size, root, since, at } = self;
        format!("{UNAVAILABLE_KIND}\n{origin}\n{size}\n{}\n{since}\n{at}\n", root.to_base64())
    }

    /// The signed note.
    pub fn sign(&self, monitor: &Cosigner) -> Result<String, CannotSign> {
        let text = self.text();
        note_of(&text, &[monitor.sign_statement(&text, self.at)?])
    }

    /// Verifies a note and reads the statement in it.
    pub fn verify(bytes: &[u8], monitor: &Verifier) -> Result<Unavailable, BadUnavailable> {
        let note = verify_kind(UNAVAILABLE_KIND, bytes, std::slice::from_ref(monitor))?;
        let lines: Vec<&str> = note.text().lines().collect();
        let [_, origin, size, root, since, at] = lines.as_slice() else { return Err(BadUnavailable::Malformed) };
        let number = |text: &str| parse_decimal(text).map_err(|_| BadUnavailable::Malformed);
        let statement = Unavailable {
            origin: (*origin).to_owned(),
            size: TreeSize(number(size)?),
            root: Hash::from_base64(root).map_err(|_| BadUnavailable::Malformed)?,
            since: Seconds(number(since)?),
            at: Seconds(number(at)?),
        };
        if statement.text() != note.text() {
            return Err(BadUnavailable::Malformed);
        }
        let signed = note.signature_by(monitor.vkey()).and_then(|signature| signature.time());
        if signed == Some(statement.at) { Ok(statement) } else { Err(BadUnavailable::Time) }
    }

    /// Whether it is about this head.
    pub fn is_about(&self, head: &CheckpointText) -> bool {
        self.origin == head.origin() && self.size == head.size() && self.root == head.root()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ed25519::SecretKey;
    use crate::note::KeyName;

    // A test key.
    fn monitor() -> Cosigner {
        Cosigner::new(KeyName::parse("m.example").expect("a name"), SecretKey::from_seed(&[5; 32])).expect("short")
    }

    fn statement(origin: &str) -> Unavailable {
        let root = Hash::of(b"root");
        Unavailable { origin: origin.to_owned(), size: TreeSize(7), root, since: Seconds(100), at: Seconds(90_000) }
    }

    #[test]
    fn statements_read_back_or_say_why_not() {
        let verifier = Verifier::new(monitor().vkey()).expect("a key");
        let signed = statement("log.example").sign(&monitor()).expect("signed");
        assert_eq!(Unavailable::verify(signed.as_bytes(), &verifier), Ok(statement("log.example")));
        let head = CheckpointText::new("log.example", TreeSize(7), Hash::of(b"root")).expect("a head");
        assert!(statement("log.example").is_about(&head) && !statement("b.example").is_about(&head));
        for (from, to) in [("\n7\n", "\n8\n"), ("unavailable", "refusal"), ("\n100\n", "\n0100\n")] {
            assert!(Unavailable::verify(signed.replace(from, to).as_bytes(), &verifier).is_err(), "{from:?}");
        }
        let text = format!("{}more\n", statement("log.example").text());
        let long =
            note_of(&text, &[monitor().sign_statement(&text, Seconds(90_000)).expect("signed")]).expect("a note");
        assert_eq!(Unavailable::verify(long.as_bytes(), &verifier), Err(BadUnavailable::Malformed));
        let text = statement("log.example").text();
        let early = note_of(&text, &[monitor().sign_statement(&text, Seconds(5)).expect("signed")]).expect("a note");
        assert_eq!(Unavailable::verify(early.as_bytes(), &verifier), Err(BadUnavailable::Time));
    }

    #[test]
    fn no_checkpoint_is_signed_as_a_statement() {
        for origin in ["log.example", "7", "1234567"] {
            assert!(CheckpointText::parse(&statement(origin).text()).is_err(), "{origin}");
        }
        let head = CheckpointText::new("log.example", TreeSize(7), Hash::of(b"root")).expect("a head");
        assert!(monitor().sign_statement(&head.to_string(), Seconds(9)).is_err());
    }
}
