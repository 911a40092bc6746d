//! Misbehaviour files: one file that shows, offline and to anyone, that the holder of a key signed what contradicts
//! itself or its own rules.
//!
//! A file is one line of JSON and a line feed, with exactly one valid encoding ([`Misbehaviour::parse`] writes it again
//! and compares). It holds the origin, the accused key and everything that is needed to judge: signed heads, each with
//! the accused's signature line alone, proofs, leaf hashes or whole entries. docs/formats.md has it byte by byte.
//!
//! ```json
//! {"format":"claimtrail-misbehaviour/1","kind":"…","origin":"…","accused":"<vkey>","heads":["<note>",…],
//!  "alternative":{"root":"<b64>","proof":["<b64>",…]},
//!  "leaves":[{"index":"…","leaf":"<b64>","proof":[…]}],"entries":[{"index":"…","entry":"<b64>","proof":[…]}]}
//! ```
//!
//! | kind | what it holds | what it shows |
//! |---|---|---|
//! | [`SameSize`](Kind::SameSize) | two heads | one size, two roots |
//! | [`Inconsistent`](Kind::Inconsistent) | two heads, another root at the smaller size, its consistency proof | the larger tree does not begin with the smaller one |
//! | [`TwoEntries`](Kind::TwoEntries) | two heads, a leaf hash at one index under each | two entries at one index |
//! | [`TimeBack`](Kind::TimeBack) | a head, two entries | the later entry has the earlier time |
//! | [`HeadTime`](Kind::HeadTime) | two heads, an entry under the second | the time stated with the first head contradicts the entry's |
//! | [`DuplicateClaim`](Kind::DuplicateClaim) | a head, two entries | one claim id at two indices |
//! | [`AfterFreeze`](Kind::AfterFreeze) | a head, the freeze and its constitution | the tree goes on after a freeze |
//! | [`WrongLink`](Kind::WrongLink) | a head, the entry and others | a link of the entry is not the one the rules give |
//! | [`BrokenRule`](Kind::BrokenRule) | a head, the entry and what it links to | the rules refuse the entry |
//!
//! The first three are [hash-only](Kind::is_hash_only): they need no entry's content. They convict whoever cosigned as
//! well: a witness, or the log's time key, when the accused key is one of type 04.
//!
//! # What keeps the honest safe
//! - Everything hangs on heads that the accused key signed. A proof that fails is never evidence, only a file that is not
//!   proven.
//! - A file says which key is convicted ([`Proven::accused`]). Whether a reader cares for it is for the reader's trust
//!   file; a file cannot vouch for its own keys. Texts say "a holder of key K signed", never who did.
//! - What needs no rules ([`TimeBack`](Kind::TimeBack), [`HeadTime`](Kind::HeadTime),
//!   [`DuplicateClaim`](Kind::DuplicateClaim), links that point ahead) is fixed by entry format 1 for ever. Everything
//!   else is judged by the rules version that the entry itself links to, and only by one that this code knows: the
//!   constitution is in the file, and so is the one of every entry it leans on. Later rules cannot make an old entry
//!   look guilty, and old code is silent about later rules.
//! - [`BrokenRule`](Kind::BrokenRule) asks the log's own [`decide`](crate::fold::decide) over a state that knows only
//!   what the file shows. What the rules read beyond that ends as [`NotProven::NotShown`], never as a guess.
//!
//! What can be shown only by replaying everything, and every broken δ, is an alert of a monitor, not a file: that
//! something is *absent* from the log (a target that never existed, a mandator that was never enrolled).
//!
//! ```
//! use proto::checkpoint::CheckpointText;
//! use proto::ed25519::SecretKey;
//! use proto::hash::Hash;
//! use proto::misbehaviour::{Kind, Misbehaviour, Party};
//! use proto::note::{KeyName, Note, NoteSigner};
//! use proto::num::TreeSize;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let log = NoteSigner::new(KeyName::parse("log.example")?, SecretKey::from_seed(&[1; 32])); // a test key
//! let head = |root: &[u8]| -> Result<Note, Box<dyn std::error::Error>> {
//!     let text = CheckpointText::new("log.example", TreeSize(7), Hash::of(root))?;
//!     Ok(Note::parse(text.sign(&[&log], &[])?.as_bytes())?)
//! };
//! let file = Misbehaviour::same_size("log.example", log.vkey(), [&head(b"one")?, &head(b"two")?])?.to_text();
//!
//! // Anyone, anywhere, offline:
//! let proven = Misbehaviour::parse(file.as_bytes())?.verify()?;
//! assert_eq!((proven.kind, proven.party), (Kind::SameSize, Party::Log));
//! assert_eq!(&proven.accused, log.vkey());
//!
//! // Two heads that say the same are no evidence.
//! assert!(Misbehaviour::same_size("log.example", log.vkey(), [&head(b"one")?, &head(b"one")?]).is_err());
//! # Ok(())
//! # }
//! ```

mod explain;
mod format;
mod hashes;
mod kind;
mod known;
mod links;
mod make;
mod registry;
mod rule;
mod shown;
mod times;
mod verify;

pub use format::BadMisbehaviour;
pub use kind::Kind;
pub use make::CannotAccuse;
pub use verify::{NotProven, Party, Proven};

use crate::hash::Hash;
use crate::note::{Note, Vkey};
use crate::num::LeafIndex;

/// What `format` says.
pub const FORMAT: &str = "claimtrail-misbehaviour/1";

/// The largest file that is read, in bytes: ninety entries of the largest size in base64, or hundreds of usual ones.
pub const MAX_FILE_BYTES: usize = 8 << 20;

/// The largest head in a file, in bytes: what monitors pass on to each other, with one signature line left.
pub const MAX_HEAD_BYTES: usize = 64 << 10;

/// The most entries in a file: the registry chain of an issuer that changed its keys monthly for twenty years.
pub const MAX_ENTRIES: usize = 256;

/// The longest origin in a file, in bytes: cosigners keep a name in one byte (C2SP tlog-cosignature).
pub const MAX_ORIGIN_BYTES: usize = 255;

/// A misbehaviour file that was read. It says nothing before [`Misbehaviour::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misbehaviour {
    kind: Kind,
    origin: String,
    accused: Vkey,
    heads: Vec<Note>,
    alternative: Option<Alternative>,
    leaves: Vec<ShownLeaf>,
    entries: Vec<ShownEntry>,
}

/// Another root at the smaller of two sizes, and the proof that leads from it to the larger head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// The root that the larger tree has at the smaller size.
    pub root: Hash,
    /// The consistency proof from it.
    pub proof: Vec<Hash>,
}

/// A leaf hash with its inclusion proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownLeaf {
    /// Where it stands.
    pub index: LeafIndex,
    /// The leaf hash.
    pub leaf: Hash,
    /// The inclusion proof, from the leaf upward.
    pub proof: Vec<Hash>,
}

/// An entry with its inclusion proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownEntry {
    /// Where it stands.
    pub index: LeafIndex,
    /// The entry's exact bytes.
    pub entry: Vec<u8>,
    /// The inclusion proof, from the leaf upward.
    pub proof: Vec<Hash>,
}

impl Misbehaviour {
    /// What it accuses of.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Which log it is about.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The key that it accuses. Only [`Misbehaviour::verify`] convicts.
    pub fn accused(&self) -> &Vkey {
        &self.accused
    }

    /// The heads that it holds, not verified.
    pub fn heads(&self) -> &[Note] {
        &self.heads
    }

    /// The entries that it holds, not verified; for a wrong link and a broken rule the first one is the entry in question.
    pub fn entries(&self) -> &[ShownEntry] {
        &self.entries
    }
}
