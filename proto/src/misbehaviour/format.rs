//! From bytes to a [`Misbehaviour`] and back. There is one encoding of each.

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::verify::party;
use super::{
    Alternative, FORMAT, MAX_FILE_BYTES, MAX_HEAD_BYTES, MAX_ORIGIN_BYTES, Misbehaviour, ShownEntry, ShownLeaf,
};
use crate::entry::MAX_ENTRY_BYTES;
use crate::hash::Hash;
use crate::merkle::MAX_PROOF_HASHES;
use crate::note::{BadNote, BadVerifier, BadVkey, Note, Verifier, Vkey};
use crate::num::{LeafIndex, parse_decimal};

/// Why bytes are not a misbehaviour file. Nothing is said about the accused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMisbehaviour {
    /// Larger than [`MAX_FILE_BYTES`].
    #[error("the file is larger than {MAX_FILE_BYTES} bytes")]
    TooLarge,
    /// Not JSON with these members.
    #[error("not a misbehaviour file: {0}")]
    Json(String),
    /// Another format, or another version of it.
    #[error("the file's `format` is {0:?}, this program reads {FORMAT:?}")]
    Format(String),
    /// No kind of this version.
    #[error("the file's `kind` is {0:?}, which {FORMAT} does not know")]
    Kind(String),
    /// Not the one valid encoding.
    #[error(
        "the file is not in its one valid encoding: one line of JSON without spaces, members in order, and a line feed"
    )]
    NotCanonical,
    /// The origin cannot be one.
    #[error("`origin` must have 1 to {MAX_ORIGIN_BYTES} bytes and no control character")]
    Origin,
    /// The accused key is no vkey.
    #[error("`accused`: {0}")]
    Accused(#[from] BadVkey),
    /// Signatures under the accused key prove nothing, or cannot be checked here.
    #[error("`accused`: {0}")]
    AccusedKey(#[from] BadVerifier),
    /// The accused key is not one that this kind can accuse: a log's key has the origin as its name, its time key
    /// `<origin>/time`.
    #[error("a key of type {kind} called {name} cannot be accused of {accusation} at this origin")]
    Party {
        /// The key's name.
        name: String,
        /// The key's type.
        kind: String,
        /// The kind of misbehaviour.
        accusation: Kind,
    },
    /// Parts are missing or too many for the kind.
    #[error("a file of kind {0} has another number of {1}")]
    Count(Kind, &'static str),
    /// A head is no note.
    #[error("head {0}: {1}")]
    Head(usize, BadNote),
    /// A head is too large.
    #[error("head {0} is larger than {MAX_HEAD_BYTES} bytes")]
    HeadTooLarge(usize),
    /// A head has not exactly the accused's signature line.
    #[error("head {0} must have one signature line, of the accused key")]
    HeadLine(usize),
    /// An index is no canonical decimal.
    #[error("an `index` is not a canonical decimal number in quotation marks")]
    Index,
    /// Entries are out of order, or one stands twice.
    #[error("entries must stand in the order of their indices, none twice")]
    Order,
    /// A proof has more hashes than any tree needs.
    #[error("a proof has more than {MAX_PROOF_HASHES} hashes")]
    Proof,
    /// An entry is not canonical base64, or larger than an entry may be.
    #[error("an `entry` must be canonical base64 of at most {MAX_ENTRY_BYTES} bytes")]
    Entry,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: String,
    kind: String,
    origin: String,
    accused: String,
    heads: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alternative: Option<WireAlternative>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leaves: Vec<WireLeaf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entries: Vec<WireEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireAlternative {
    root: Hash,
    proof: Vec<Hash>,
}

/// Indices are texts: JSON readers lose whole numbers beyond 2^53, and who cheats may use any index.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireLeaf {
    index: String,
    leaf: Hash,
    proof: Vec<Hash>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEntry {
    index: String,
    entry: String,
    proof: Vec<Hash>,
}

impl Misbehaviour {
    /// Reads a file strictly: unknown members, another version, too much of anything and any other spelling are refused.
    pub fn parse(bytes: &[u8]) -> Result<Misbehaviour, BadMisbehaviour> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(BadMisbehaviour::TooLarge);
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| BadMisbehaviour::Json(error.to_string()))?;
        if wire.format != FORMAT {
            return Err(BadMisbehaviour::Format(wire.format));
        }
        let kind = Kind::parse(&wire.kind).ok_or(BadMisbehaviour::Kind(wire.kind))?;
        let file = Misbehaviour {
            kind,
            origin: wire.origin,
            accused: Vkey::parse(&wire.accused)?,
            heads: wire.heads.iter().enumerate().map(read_head).collect::<Result<_, _>>()?,
            alternative: wire.alternative.map(|found| Alternative { root: found.root, proof: found.proof }),
            leaves: wire.leaves.into_iter().map(read_leaf).collect::<Result<_, _>>()?,
            entries: wire.entries.into_iter().map(read_entry).collect::<Result<_, _>>()?,
        };
        file.check_form()?;
        if file.to_text().as_bytes() != bytes {
            return Err(BadMisbehaviour::NotCanonical);
        }
        Ok(file)
    }

    /// The file: one line of JSON, ended by a line feed.
    pub fn to_text(&self) -> String {
        let wire = Wire {
            format: FORMAT.to_owned(),
            kind: self.kind.to_string(),
            origin: self.origin.clone(),
            accused: self.accused.to_string(),
            heads: self.heads.iter().map(|head| String::from_utf8_lossy(&head.to_bytes()).into_owned()).collect(),
            alternative: self
                .alternative
                .as_ref()
                .map(|found| WireAlternative { root: found.root, proof: found.proof.clone() }),
            leaves: self.leaves.iter().map(write_leaf).collect(),
            entries: self.entries.iter().map(write_entry).collect(),
        };
        let text = serde_json::to_string(&wire).unwrap_or_default(); // strings and lists always serialise
        format!("{text}\n")
    }

    /// Everything about the form that needs no signature and no hash.
    pub(super) fn check_form(&self) -> Result<(), BadMisbehaviour> {
        let origin = &self.origin;
        if origin.is_empty() || origin.len() > MAX_ORIGIN_BYTES || origin.bytes().any(|b| b < b' ') {
            return Err(BadMisbehaviour::Origin);
        }
        Verifier::new(&self.accused)?;
        if !party(&self.accused, origin).is_some_and(|party| self.kind.accuses(party)) {
            return Err(BadMisbehaviour::Party {
                name: self.accused.name().to_string(),
                kind: self.accused.signature_type().to_string(),
                accusation: self.kind,
            });
        }
        self.check_counts()?;
        for (n, head) in self.heads.iter().enumerate() {
            self.check_head(n, head)?;
        }
        self.check_order()?;
        self.check_sizes()
    }

    fn check_counts(&self) -> Result<(), BadMisbehaviour> {
        let shape = self.kind.shape();
        let counts = [
            (self.heads.len() == shape.heads, "heads"),
            (self.alternative.is_some() == shape.alternative, "alternative roots"),
            (self.leaves.len() == shape.leaves, "leaves"),
            (shape.entries.contains(&self.entries.len()), "entries"),
        ];
        match counts.iter().find(|(right, _)| !right) {
            Some((_, what)) => Err(BadMisbehaviour::Count(self.kind, what)),
            None => Ok(()),
        }
    }

    /// Other signature lines would make many files of one; who else signed is for other files.
    fn check_head(&self, n: usize, head: &Note) -> Result<(), BadMisbehaviour> {
        let of_accused = |name, hash| name == self.accused.name() && hash == self.accused.key_hash();
        match head.signatures() {
            [line] if of_accused(line.name(), line.key_hash()) => Ok(()),
            _ => Err(BadMisbehaviour::HeadLine(n)),
        }
    }

    fn check_order(&self) -> Result<(), BadMisbehaviour> {
        let indices: Vec<LeafIndex> = self.entries.iter().map(|shown| shown.index).collect();
        let ascending = |list: &[LeafIndex]| list.windows(2).all(|pair| pair[0] < pair[1]);
        let in_order = match indices.split_first() {
            Some((first, rest)) if self.kind.is_about_first() => ascending(rest) && !rest.contains(first),
            _ => ascending(&indices),
        };
        if in_order { Ok(()) } else { Err(BadMisbehaviour::Order) }
    }

    fn check_sizes(&self) -> Result<(), BadMisbehaviour> {
        let leaves = self.leaves.iter().map(|shown| &shown.proof);
        let entries = self.entries.iter().map(|shown| &shown.proof);
        let alternative = self.alternative.iter().map(|found| &found.proof);
        if leaves.chain(entries).chain(alternative).any(|proof| proof.len() > MAX_PROOF_HASHES) {
            return Err(BadMisbehaviour::Proof);
        }
        if self.entries.iter().any(|shown| shown.entry.len() > MAX_ENTRY_BYTES) {
            return Err(BadMisbehaviour::Entry);
        }
        Ok(())
    }
}

fn read_head((n, text): (usize, &String)) -> Result<Note, BadMisbehaviour> {
    if text.len() > MAX_HEAD_BYTES {
        return Err(BadMisbehaviour::HeadTooLarge(n));
    }
    Note::parse(text.as_bytes()).map_err(|why| BadMisbehaviour::Head(n, why))
}

fn read_index(text: &str) -> Result<LeafIndex, BadMisbehaviour> {
    parse_decimal(text).map(LeafIndex).map_err(|_| BadMisbehaviour::Index)
}

fn read_leaf(wire: WireLeaf) -> Result<ShownLeaf, BadMisbehaviour> {
    Ok(ShownLeaf { index: read_index(&wire.index)?, leaf: wire.leaf, proof: wire.proof })
}

fn read_entry(wire: WireEntry) -> Result<ShownEntry, BadMisbehaviour> {
    let entry = crate::b64::decode(&wire.entry).map_err(|_| BadMisbehaviour::Entry)?;
    Ok(ShownEntry { index: read_index(&wire.index)?, entry, proof: wire.proof })
}

fn write_leaf(shown: &ShownLeaf) -> WireLeaf {
    WireLeaf { index: shown.index.to_string(), leaf: shown.leaf, proof: shown.proof.clone() }
}

fn write_entry(shown: &ShownEntry) -> WireEntry {
    let entry = crate::b64::encode(&shown.entry);
    WireEntry { index: shown.index.to_string(), entry, proof: shown.proof.clone() }
}
