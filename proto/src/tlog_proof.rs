//! A proof that verifies offline (C2SP tlog-proof): an index, an inclusion proof and a checkpoint in one text.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64>            optional
//! index <decimal>
//! <base64 hash>             0 to 63 lines, from the leaf upward
//!
//! <checkpoint note>
//! ```

use std::fmt;

use crate::hash::Hash;
use crate::merkle::{self, BadProof};
use crate::note::MAX_NOTE_BYTES;
use crate::num::{LeafIndex, parse_decimal};
use crate::policy::{CheckError, Checked, Policy};

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The most hashes: trees have fewer than 2^63 entries.
pub const MAX_HASHES: usize = 63;

/// The longest `extra` line in bytes: a published decoder reads lines of less than 64 KiB.
const MAX_EXTRA_LINE_BYTES: usize = 65_535;

/// The largest proof that is read, in bytes: the largest note, the longest `extra` line and 63 hashes of 45 bytes.
pub const MAX_PROOF_BYTES: usize = MAX_NOTE_BYTES + MAX_EXTRA_LINE_BYTES + 4096;

/// Why a text is not a proof file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTlogProof {
    /// Larger than [`MAX_PROOF_BYTES`].
    #[error("the proof is larger than {MAX_PROOF_BYTES} bytes")]
    TooLarge,
    /// Not UTF-8, or it has carriage returns.
    #[error("a proof is UTF-8 text with line feeds only, without carriage returns")]
    Text,
    /// The first line is another.
    #[error("not a proof: the first line must be {HEADER}")]
    Header,
    /// The `extra` line is not canonical base64, or too long.
    #[error("the extra line of the proof must be canonical padded base64 of at most 64 KiB")]
    Extra,
    /// The index line is missing, not where it belongs, or no canonical decimal.
    #[error("the proof must have a line `index <decimal>` before the hashes")]
    Index,
    /// A hash is not canonical base64 of 32 bytes, or the blank line before the checkpoint is missing.
    #[error("line {0} of the proof must be a hash in canonical base64, or the blank line before the checkpoint")]
    Hash(usize),
    /// More than [`MAX_HASHES`].
    #[error("a proof has at most {MAX_HASHES} hashes")]
    TooManyHashes,
    /// No checkpoint after the blank line, or it does not end with a line feed.
    #[error("the proof must end with a checkpoint and a line feed")]
    Checkpoint,
}

/// A proof that was read. Nothing is checked before [`TlogProof::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: LeafIndex,
    hashes: Vec<Hash>,
    checkpoint: String,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// The checkpoint is not one of a log that the policy trusts.
    #[error(transparent)]
    Checkpoint(#[from] CheckError),
    /// The inclusion proof has the wrong shape for this index and size.
    #[error("inclusion: {0}")]
    Inclusion(#[from] BadProof),
    /// The inclusion proof leads to another root than the signed one.
    #[error("inclusion: the entry and the proof lead to the root {computed}, but the log signed {signed}")]
    OtherRoot {
        /// The root that follows from leaf and proof.
        computed: Hash,
        /// The root in the checkpoint.
        signed: Hash,
    },
}

/// What a verified proof says: the leaf stands at this index in the tree of this checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// Where the leaf stands.
    pub index: LeafIndex,
    /// The checkpoint, and whether the reader's quorum was met.
    pub head: Checked,
}

impl TlogProof {
    /// Puts a proof together. Fails when `extra` or the hashes are too many, or the checkpoint does not end with a line
    /// feed.
    pub fn new(
        extra: Option<Vec<u8>>,
        index: LeafIndex,
        hashes: Vec<Hash>,
        checkpoint: &str,
    ) -> Result<TlogProof, BadTlogProof> {
        TlogProof::parse(TlogProof { extra, index, hashes, checkpoint: checkpoint.to_owned() }.to_string().as_bytes())
    }

    /// Reads a proof strictly. The checkpoint is kept as it is; [`TlogProof::verify`] reads it.
    pub fn parse(bytes: &[u8]) -> Result<TlogProof, BadTlogProof> {
        if bytes.len() > MAX_PROOF_BYTES {
            return Err(BadTlogProof::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BadTlogProof::Text)?;
        if text.contains('\r') {
            return Err(BadTlogProof::Text);
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(BadTlogProof::Checkpoint)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(BadTlogProof::Header);
        }
        let extra = lines.next_if(|line| line.starts_with("extra")).map(parse_extra).transpose()?;
        let index = parse_index(lines.next().ok_or(BadTlogProof::Index)?)?;
        let hashes = parse_hashes(lines, if extra.is_some() { 4 } else { 3 })?;
        if !checkpoint.ends_with('\n') {
            return Err(BadTlogProof::Checkpoint);
        }
        Ok(TlogProof { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that `leaf` is in a tree whose checkpoint a listed log signed. Compute `leaf` from the entry in question,
    /// never from this file. Whether the quorum was met is in the answer.
    pub fn verify(&self, leaf: Hash, policy: &Policy) -> Result<Included, NotProven> {
        let head = policy.check(self.checkpoint.as_bytes())?;
        let signed = head.checkpoint.root();
        let computed = merkle::root_from_inclusion(self.index, head.checkpoint.size(), leaf, &self.hashes)?;
        if computed != signed {
            return Err(NotProven::OtherRoot { computed, signed });
        }
        Ok(Included { index: self.index, head })
    }

    /// Where the leaf is said to stand.
    pub fn index(&self) -> LeafIndex {
        self.index
    }

    /// The inclusion proof, from the leaf upward.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Bytes that nobody signed: a hint from which the entry is rebuilt, nothing more.
    pub fn unauthenticated_extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The checkpoint's text as it came, which may not even be a note.
    pub fn unverified_checkpoint(&self) -> &str {
        &self.checkpoint
    }
}

/// The file's text.
impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", crate::b64::encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

fn parse_extra(line: &str) -> Result<Vec<u8>, BadTlogProof> {
    if line.len() > MAX_EXTRA_LINE_BYTES {
        return Err(BadTlogProof::Extra);
    }
    let data = line.strip_prefix("extra ").ok_or(BadTlogProof::Extra)?;
    crate::b64::decode(data).map_err(|_| BadTlogProof::Extra)
}

fn parse_index(line: &str) -> Result<LeafIndex, BadTlogProof> {
    let number = line.strip_prefix("index ").ok_or(BadTlogProof::Index)?;
    parse_decimal(number).map(LeafIndex).map_err(|_| BadTlogProof::Index)
}

fn parse_hashes<'a>(lines: impl Iterator<Item = &'a str>, first_line: usize) -> Result<Vec<Hash>, BadTlogProof> {
    let mut hashes = Vec::new();
    for (i, line) in lines.enumerate() {
        if i == MAX_HASHES {
            return Err(BadTlogProof::TooManyHashes);
        }
        hashes.push(Hash::from_base64(line).map_err(|_| BadTlogProof::Hash(first_line + i))?);
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "c2sp.org/tlog-proof@v1\nextra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 10\nrzFuy5Go7nrpkhBwKy1HWPMM3eO/YePY54fXRoH5Cm4=\n\ncheckpoint data\n";

    #[test]
    fn texts_read_back() {
        let proof = TlogProof::parse(TEXT.as_bytes()).expect("well-formed");
        assert_eq!(proof.unauthenticated_extra(), Some(b"extra information".as_slice()));
        assert_eq!((proof.index(), proof.hashes().len()), (LeafIndex(10), 1));
        assert_eq!(proof.unverified_checkpoint(), "checkpoint data\n");
        assert_eq!(proof.to_string(), TEXT);
    }

    #[test]
    fn each_fault_has_its_reason() {
        let hash = "rzFuy5Go7nrpkhBwKy1HWPMM3eO/YePY54fXRoH5Cm4=\n";
        let many = format!("{HEADER}\nindex 0\n{}\nc\n", hash.repeat(MAX_HASHES + 1));
        for (text, why) in [
            ("", BadTlogProof::Checkpoint),
            ("c2sp.org/tlog-proof@v1\nindex 0\nc\n", BadTlogProof::Checkpoint),
            ("c2sp.org/tlog-proof@v1\nindex 0\n\n", BadTlogProof::Checkpoint),
            ("c2sp.org/tlog-proof@v1\nindex 0\n\nc", BadTlogProof::Checkpoint),
            ("c2sp.org/tlog-proof@v2\nindex 0\n\nc\n", BadTlogProof::Header),
            ("c2sp.org/tlog-proof@v1\r\nindex 0\n\nc\n", BadTlogProof::Text),
            ("c2sp.org/tlog-proof@v1\nindex 01\n\nc\n", BadTlogProof::Index),
            ("c2sp.org/tlog-proof@v1\n\nc\n", BadTlogProof::Index),
            ("c2sp.org/tlog-proof@v1\nextra\nindex 1\n\nc\n", BadTlogProof::Extra),
            ("c2sp.org/tlog-proof@v1\nextra AB==\nindex 1\n\nc\n", BadTlogProof::Extra),
            ("c2sp.org/tlog-proof@v1\nindex 1\nextra AA==\n\nc\n", BadTlogProof::Hash(3)),
            ("c2sp.org/tlog-proof@v1\nextra AA==\nindex 1\nAA==\n\nc\n", BadTlogProof::Hash(4)),
            (many.as_str(), BadTlogProof::TooManyHashes),
        ] {
            assert_eq!(TlogProof::parse(text.as_bytes()), Err(why), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_made() {
        assert_eq!(TlogProof::new(None, LeafIndex(0), Vec::new(), "c"), Err(BadTlogProof::Checkpoint));
        let many = vec![Hash::EMPTY_ROOT; MAX_HASHES + 1];
        assert_eq!(TlogProof::new(None, LeafIndex(0), many, "c\n"), Err(BadTlogProof::TooManyHashes));
        assert_eq!(TlogProof::new(Some(vec![0; 65_535]), LeafIndex(0), Vec::new(), "c\n"), Err(BadTlogProof::Extra));
        let proof = TlogProof::new(Some(Vec::new()), LeafIndex(0), Vec::new(), "c\n").expect("an empty extra is one");
        assert_eq!(proof.to_string(), "c2sp.org/tlog-proof@v1\nextra \nindex 0\n\nc\n");
    }
}
