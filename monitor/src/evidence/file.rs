//! A misbehaviour file that was verified.

use std::fmt;
use std::str::FromStr;

use proto::checkpoint::CheckpointText;
use proto::hash::Hash;
use proto::misbehaviour::{BadMisbehaviour, Misbehaviour, NotProven, Party, Proven};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::gossip::core::Head;

/// What names a file: SHA-256 of its bytes, written in lower-case hex. A file has one encoding, so it has one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvidenceId(pub Hash);

impl fmt::Display for EvidenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EvidenceId {
    type Err = String;

    fn from_str(text: &str) -> Result<EvidenceId, String> {
        let hash = Hash::from_hex(text).ok();
        hash.map(EvidenceId).ok_or_else(|| "the id of evidence is the SHA-256 of a file in lower-case hex".to_owned())
    }
}

impl Serialize for EvidenceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EvidenceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EvidenceId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why bytes are no evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotEvidence {
    /// They are no misbehaviour file.
    Malformed(BadMisbehaviour),
    /// The file proves nothing.
    NotProven(NotProven),
}

impl fmt::Display for NotEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotEvidence::Malformed(why) => write!(f, "it is no misbehaviour file: {why}"),
            NotEvidence::NotProven(why) => write!(f, "it proves nothing: {why}"),
        }
    }
}

/// A file that proves what it accuses of. Whether the convicted key matters is for the trust file of whoever keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenFile {
    id: EvidenceId,
    bytes: Vec<u8>,
    heads: Vec<Head>,
    proven: Proven,
}

impl ProvenFile {
    /// Reads and verifies bytes of anybody.
    ///
    /// # Errors
    /// When they are no such file, or it proves nothing.
    pub fn check(bytes: &[u8]) -> Result<ProvenFile, NotEvidence> {
        let file = Misbehaviour::parse(bytes).map_err(NotEvidence::Malformed)?;
        ProvenFile::of(&file).map_err(NotEvidence::NotProven)
    }

    /// Verifies a file that was read or made.
    ///
    /// # Errors
    /// When it proves nothing.
    pub fn of(file: &Misbehaviour) -> Result<ProvenFile, NotProven> {
        let proven = file.verify()?;
        let bytes = file.to_text().into_bytes(); // the one valid encoding: what was read, if it was read
        Ok(ProvenFile { id: EvidenceId(Hash::of(&bytes)), bytes, heads: heads_of(file), proven })
    }

    /// Its name.
    pub fn id(&self) -> EvidenceId {
        self.id
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The heads in it, each signed by the convicted key.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// What it proves.
    pub fn proven(&self) -> &Proven {
        &self.proven
    }

    /// Whether it is a reason to cosign no more for its log: two histories under the log's own key, shown by hashes alone.
    /// Nothing else is, so that nobody can stop a log from outside.
    pub fn stops_cosigning(&self) -> bool {
        self.proven.kind.is_hash_only() && self.proven.party == Party::Log
    }
}

/// The heads in a file, which was verified.
pub(crate) fn heads_of(file: &Misbehaviour) -> Vec<Head> {
    file.heads().iter().filter_map(|note| claimed_head(&note.to_bytes())).collect()
}

/// What a note says as a head. Its signatures are not looked at.
pub(crate) fn claimed_head(note: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(note).ok()?;
    let text = CheckpointText::parse(&text[..=text.find("\n\n")?]).ok()?;
    Some(Head { size: text.size(), root: text.root() })
}
