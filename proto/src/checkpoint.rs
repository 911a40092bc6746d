//! Tree heads as signed notes (C2SP tlog-checkpoint): origin, size, root, and perhaps extension lines.

use std::fmt;

use crate::cosignature::{Cosignature, Cosigner};
use crate::hash::Hash;
use crate::note::{CannotSign, Note, NoteSigner, VerifiedNote, VerifiedSignature, Verifier, VerifyError, note_of};
use crate::num::{Seconds, TreeSize, parse_decimal};

/// The most extension lines that are read. They are not recommended and we write none; the bound keeps a stranger's
/// head small.
pub const MAX_EXTENSION_LINES: usize = 16;

/// The longest text of a checkpoint, in bytes: an origin of 255 bytes, size and root are below 350, and the rest is room for
/// extension lines. A longer one is no head for anybody, whoever signed it: every head that is taken anywhere fits into a
/// misbehaviour file, and into what monitors pass on to each other.
pub const MAX_TEXT_BYTES: usize = 4096;

/// Why a text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// Fewer than three lines, or the last one does not end.
    #[error("a checkpoint has at least three lines, each ended by a line feed: origin, size and root")]
    Form,
    /// The origin is empty.
    #[error("the origin of a checkpoint must not be empty")]
    Origin,
    /// The size is not a canonical decimal of at most 2^63 - 1.
    #[error("the size of a checkpoint must be a decimal number without leading zeros")]
    Size,
    /// The root is not canonical base64 of 32 bytes.
    #[error("the root of a checkpoint must be canonical base64 of 32 bytes")]
    Root,
    /// A tree without entries has another root than SHA-256 of nothing.
    #[error("a checkpoint of size 0 must have the root of the empty tree")]
    EmptyRoot,
    /// An extension line is empty, or has a control character.
    #[error("extension lines of a checkpoint must not be empty and must have no control characters")]
    Extension,
    /// More than [`MAX_EXTENSION_LINES`].
    #[error("a checkpoint may have at most {MAX_EXTENSION_LINES} extension lines")]
    TooManyExtensions,
    /// Longer than [`MAX_TEXT_BYTES`].
    #[error("a checkpoint may have at most {MAX_TEXT_BYTES} bytes before its signatures")]
    TooLong,
}

/// What a checkpoint says, signed or not. Only a [`VerifiedCheckpoint`] says that a log signed it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CheckpointText {
    origin: String,
    size: TreeSize,
    root: Hash,
    extensions: Vec<String>,
}

impl CheckpointText {
    /// A checkpoint without extension lines, to be signed.
    pub fn new(origin: &str, size: TreeSize, root: Hash) -> Result<CheckpointText, BadCheckpoint> {
        // A line feed in the origin would move the lines: the text would be the head of another log.
        if has_control(origin) {
            return Err(BadCheckpoint::Origin);
        }
        CheckpointText::parse(&format!("{origin}\n{size}\n{}\n", root.to_base64()))
    }

    /// Reads the text of a checkpoint strictly. The origin is the whole first line: it may have spaces.
    pub fn parse(text: &str) -> Result<CheckpointText, BadCheckpoint> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(BadCheckpoint::TooLong);
        }
        let mut lines = text.strip_suffix('\n').ok_or(BadCheckpoint::Form)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(BadCheckpoint::Form);
        };
        if origin.is_empty() || has_control(origin) {
            return Err(BadCheckpoint::Origin);
        }
        let size = TreeSize(parse_decimal(size).map_err(|_| BadCheckpoint::Size)?);
        let root = Hash::from_base64(root).map_err(|_| BadCheckpoint::Root)?;
        if size == TreeSize(0) && root != Hash::EMPTY_ROOT {
            return Err(BadCheckpoint::EmptyRoot);
        }
        let extensions = parse_extensions(lines)?;
        Ok(CheckpointText { origin: origin.to_owned(), size, root, extensions })
    }

    /// Which log this is a head of.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries the tree has.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// The tree's root hash.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The extension lines, without their line feeds. Nobody audits them.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// Whether both say the same of the same log: origin, size and root. Heads are never compared by their bytes.
    pub fn same_head(&self, other: &CheckpointText) -> bool {
        self.origin == other.origin && self.size == other.size && self.root == other.root
    }

    /// The note of this checkpoint with a line of each signer, then of each cosigner at its time.
    pub fn sign(&self, signers: &[&NoteSigner], cosigners: &[(&Cosigner, Seconds)]) -> Result<String, CannotSign> {
        let text = self.to_string();
        let mut lines = signers.iter().map(|signer| signer.sign(&text)).collect::<Result<Vec<_>, _>>()?;
        for (cosigner, time) in cosigners {
            lines.push(cosigner.sign(self, *time)?);
        }
        note_of(&text, &lines)
    }
}

/// The text that is signed, with its last line feed.
impl fmt::Display for CheckpointText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root.to_base64())?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn has_control(line: &str) -> bool {
    line.bytes().any(|b| b < b' ')
}

fn parse_extensions<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<String>, BadCheckpoint> {
    let mut extensions = Vec::new();
    for line in lines {
        if line.is_empty() || has_control(line) {
            return Err(BadCheckpoint::Extension);
        }
        if extensions.len() == MAX_EXTENSION_LINES {
            return Err(BadCheckpoint::TooManyExtensions);
        }
        extensions.push(line.to_owned());
    }
    Ok(extensions)
}

/// Why a note is not a verified checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note is malformed, a known line fails, or no known key signed.
    #[error(transparent)]
    Note(#[from] VerifyError),
    /// Known keys signed, but none of them is the log's.
    #[error("the log {0} did not sign this checkpoint with a known key; others did")]
    NoLogSignature(String),
    /// It is signed, but it is not a checkpoint.
    #[error(transparent)]
    Text(#[from] BadCheckpoint),
    /// It is a checkpoint of another log.
    #[error("the checkpoint is of the log {found:?}, not of {expected:?}")]
    Origin {
        /// The log that was asked for.
        expected: String,
        /// The log that the signed text names.
        found: String,
    },
}

/// A checkpoint that its log signed. Only [`VerifiedCheckpoint::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    text: CheckpointText,
    note: VerifiedNote,
}

impl VerifiedCheckpoint {
    /// Checks a note against the keys that are configured for `origin`, of which one must have signed. `others` are the
    /// keys of cosigners: their lines are optional, but one that is there and fails spoils the note.
    pub fn verify(
        note: Note,
        origin: &str,
        log_keys: &[Verifier],
        others: &[Verifier],
    ) -> Result<VerifiedCheckpoint, CheckpointError> {
        let known = [log_keys, others].concat();
        let note = note.verify(&known)?;
        if !log_keys.iter().any(|key| note.signature_by(key.vkey()).is_some()) {
            return Err(CheckpointError::NoLogSignature(origin.to_owned()));
        }
        let text = CheckpointText::parse(note.text())?;
        if text.origin() != origin {
            return Err(CheckpointError::Origin { expected: origin.to_owned(), found: text.origin });
        }
        Ok(VerifiedCheckpoint { text, note })
    }

    /// Which log this is a head of.
    pub fn origin(&self) -> &str {
        self.text.origin()
    }

    /// How many entries the tree has.
    pub fn size(&self) -> TreeSize {
        self.text.size()
    }

    /// The tree's root hash.
    pub fn root(&self) -> Hash {
        self.text.root()
    }

    /// All that the signed text says.
    pub fn text(&self) -> &CheckpointText {
        &self.text
    }

    /// The note with all its signature lines, also those of unknown keys.
    pub fn note(&self) -> &VerifiedNote {
        &self.note
    }

    /// The note's bytes as they came.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.note.to_bytes()
    }

    /// The verified cosignatures, in the order of their lines; the log's own time key is among them if it was known.
    pub fn cosignatures(&self) -> impl Iterator<Item = Cosignature> {
        self.note.verified().iter().filter_map(|signature: &VerifiedSignature| {
            let time = signature.time()?;
            Some(Cosignature { name: signature.name().clone(), key_hash: signature.key_hash(), time })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ed25519::SecretKey;
    use crate::note::KeyName;

    const ROOT: &str = "S/USLzRFVMU73i67jNK349FgCtYxw4Wl18ziPHeFRZo=";

    // All keys here are test keys.
    fn log_key(name: &str) -> NoteSigner {
        NoteSigner::new(KeyName::parse(name).expect("a name"), SecretKey::from_seed(&[1; 32]))
    }

    fn witness() -> Cosigner {
        Cosigner::new(KeyName::parse("w.example").expect("a name"), SecretKey::from_seed(&[2; 32])).expect("short")
    }

    #[test]
    fn an_origin_with_line_feeds_makes_no_head_of_another_log() {
        let root = Hash::of(b"a root");
        let origin = format!("log.example\n7\n{}", root.to_base64());
        assert_eq!(CheckpointText::new(&origin, TreeSize(1), root), Err(BadCheckpoint::Origin));
    }

    #[test]
    fn texts_read_back_or_say_why_not() {
        for text in [
            format!("example.com/log\n7\n{ROOT}\n"),
            format!("go.sum database tree\n9223372036854775807\n{ROOT}\next one\next two\n"),
            "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".to_owned(),
        ] {
            assert_eq!(CheckpointText::parse(&text).map(|c| c.to_string()), Ok(text));
        }
        for (text, why) in [
            ("".to_owned(), BadCheckpoint::Form),
            ("example.com/log\n7\n".to_owned(), BadCheckpoint::Form),
            (format!("example.com/log\n7\n{ROOT}"), BadCheckpoint::Form),
            (format!("\n7\n{ROOT}\n"), BadCheckpoint::Origin),
            (format!("a\r\n7\n{ROOT}\n"), BadCheckpoint::Origin),
            (format!("a\n07\n{ROOT}\n"), BadCheckpoint::Size),
            (format!("a\n9223372036854775808\n{ROOT}\n"), BadCheckpoint::Size),
            ("a\n7\nYWFh\n".to_owned(), BadCheckpoint::Root),
            (format!("a\n0\n{ROOT}\n"), BadCheckpoint::EmptyRoot),
            (format!("a\n7\n{ROOT}\n\nx\n"), BadCheckpoint::Extension),
            (format!("a\n7\n{ROOT}\n\n"), BadCheckpoint::Extension),
            (format!("a\n7\n{ROOT}\n{}", "x\n".repeat(17)), BadCheckpoint::TooManyExtensions),
            (format!("a\n7\n{ROOT}\n{}\n", "x".repeat(MAX_TEXT_BYTES)), BadCheckpoint::TooLong),
        ] {
            assert_eq!(CheckpointText::parse(&text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn the_log_itself_must_have_signed() {
        let (log, witness) = (log_key("log.example"), witness());
        let head = CheckpointText::new("log.example", TreeSize(7), Hash::of(b"root")).expect("a head");
        let keys = [Verifier::new(log.vkey()).expect("a key")];
        let others = [Verifier::new(witness.vkey()).expect("a key")];
        let check = |note: &str, origin: &str| {
            let note = Note::parse(note.as_bytes()).expect("well-formed");
            VerifiedCheckpoint::verify(note, origin, &keys, &others)
        };

        let full = head.sign(&[&log], &[(&witness, Seconds(9))]).expect("signed");
        let verified = check(&full, "log.example").expect("both signed");
        assert_eq!(verified.cosignatures().map(|c| c.time).collect::<Vec<_>>(), [Seconds(9)]);
        assert_eq!(verified.to_bytes(), full.as_bytes());
        assert!(verified.text().same_head(&head));
        let parts = |origin: &str, size: u64, root: &[u8]| {
            CheckpointText::new(origin, TreeSize(size), Hash::of(root)).expect("a head")
        };
        for other in
            [parts("other.example", 7, b"root"), parts("log.example", 8, b"root"), parts("log.example", 7, b"x")]
        {
            assert!(!verified.text().same_head(&other), "{other:?}");
        }

        let only_witness = head.sign(&[], &[(&witness, Seconds(9))]).expect("signed");
        assert!(matches!(check(&only_witness, "log.example"), Err(CheckpointError::NoLogSignature(_))));
        // The key of the log, but a head of another: a key that serves two origins must not be taken for both.
        let other = CheckpointText::new("other.example", TreeSize(7), Hash::of(b"root")).expect("a head");
        let other = other.sign(&[&log], &[]).expect("signed");
        assert!(matches!(check(&other, "log.example"), Err(CheckpointError::Origin { .. })));
        let statement = crate::note::sign_text("claimtrail/refusal/v1\n", &[&log]).expect("signed");
        assert!(matches!(check(&statement, "log.example"), Err(CheckpointError::Text(_))));
    }
}
