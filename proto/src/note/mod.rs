//! Signed notes (C2SP signed-note): a text, a blank line, and signature lines.
//!
//! Three types, each made only from the one before:
//!
//! 1. [`Note`]: the bytes have the right form. Nothing was checked, and the text cannot be read, except for
//!    [`Note::claimed_origin`], by which a reader looks up whose key to use.
//! 2. [`VerifiedNote`]: at least one known key signed, and no line that names a known key fails. Only [`Note::verify`]
//!    makes it.
//! 3. [`VerifiedCheckpoint`](crate::checkpoint::VerifiedCheckpoint): the text is a tree head, signed by its log.
//!
//! ```
//! use proto::ed25519::SecretKey;
//! use proto::note::{KeyName, Note, NoteSigner, Verifier, sign_text};
//!
//! let name = KeyName::parse("log.example").expect("a valid key name");
//! let signer = NoteSigner::new(name, SecretKey::from_seed(&[7; 32])); // a test key
//! let note = sign_text("hello\n", &[&signer]).expect("a valid text");
//!
//! let reader = Verifier::new(signer.vkey()).expect("a key that can be checked");
//! let verified = Note::parse(note.as_bytes()).expect("well-formed").verify(&[reader]).expect("signed");
//! assert_eq!(verified.text(), "hello\n");
//! ```

mod line;
mod name;
mod parse;
mod private_key;
mod sign;
mod verify;
mod vkey;

pub use line::{BadSignatureLine, NoteSignature};
pub use name::{BadKeyName, KeyName};
pub use parse::{BadNote, BadText, Note};
pub use private_key::{BadPrivateKey, PrivateKey};
pub use sign::{CannotSign, NoteSigner, sign_text};
pub use verify::{BadKind, BadVerifier, VerifiedNote, VerifiedSignature, Verifier, VerifyError, verify_kind};
pub use vkey::{BadVkey, KeyHash, SignatureType, Vkey};

pub(crate) use sign::note_of;

/// The largest note that is read, in bytes. A hundred ML-DSA lines of 3.3 KB each are 330 KB; the Go library stops at
/// the same million.
pub const MAX_NOTE_BYTES: usize = 1_000_000;

/// The most signature lines of one note. The format asks for at least 16; the Go library stops at the same hundred.
pub const MAX_SIGNATURES: usize = 100;
