//! The rules of Claimtrail.
//!
//! Everything that two parties must agree on is in this crate, as pure functions of bytes: no I/O, no clock, no
//! randomness. The log server applies these rules, and a monitor or an auditor applies the very same code to what the
//! server published.
//!
//! | module | what it holds | source |
//! |---|---|---|
//! | [`num`], [`hash`], [`b64`] | index, size, time, hash, strict decimals and base64 | RFC 4648, RFC 6962 §2.1 |
//! | [`merkle`], [`tile`] | proofs made and checked, compact range, tiles and entry bundles | RFC 6962 §2.1, C2SP tlog-tiles |
//! | [`note`], [`checkpoint`], [`cosignature`] | signed notes, vkeys, tree heads | C2SP signed-note, tlog-checkpoint, tlog-cosignature |
//! | [`policy`], [`tlog_proof`] | whom a reader trusts, and a proof that verifies offline | C2SP tlog-policy, tlog-proof |
//! | [`ed25519`], [`dsse`], [`entry`] | keys, envelopes, what the tree hashes | RFC 8032, DSSE 1.0.2, RFC 8949 §4.2.1 |
//! | [`json`], [`claim`] | the claim's payload, its nine bodies and their form | RFC 8259 |
//! | [`fold`] | admission, issuers, keys, slots and links: a step from state to state | docs/formats.md |
//! | [`import`] | what others published, as claims | CSAF 2.0, docs/formats.md |
//! | [`query`] | what is current, what was, who said what: pure questions to the fold's rows and entries | docs/formats.md |
//! | [`receipt`], [`statement`] | what a submitter gets back | docs/formats.md |
//! | [`misbehaviour`] | files that prove what a key's holder signed wrongly | docs/formats.md |
//!
//! # A claim's way through
//! From a key to a proof that is checked offline under the reader's own policy. The numbers make test keys; real keys
//! come from the system's randomness, which is the caller's.
//!
//! ```
//! use proto::checkpoint::CheckpointText;
//! use proto::claim::{Claim, PAYLOAD_TYPE};
//! use proto::dsse::{Envelope, pae};
//! use proto::ed25519::SecretKey;
//! use proto::entry::{Entry, Links};
//! use proto::merkle::{MemoryTree, inclusion_proof, root_at};
//! use proto::note::{KeyName, NoteSigner};
//! use proto::num::Millis;
//! use proto::policy::Policy;
//! use proto::receipt::Receipt;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // An issuer has a key and says something.
//! let key = SecretKey::from_seed(&[1; 32]);
//! let payload = br#"{
//!     "type": "support/v1",
//!     "logs": [{"origin": "log.example/main"}],
//!     "issuer": "acme.example", "role": "manufacturer",
//!     "subject": {"manufacturer": "acme.example", "model": "CAM-3"},
//!     "asserted_at": "2027-02-01T12:00:00Z",
//!     "rel": {"kind": "new"},
//!     "body": {"security_until": "2031-03"}
//! }"#;
//! let claim = Claim::parse(payload)?;
//! assert_eq!(claim.product().map(|product| product.model_normalised).as_deref(), Some("cam-3"));
//!
//! // It travels in a signed envelope, and everything the log reads of it is checked.
//! let sent = Envelope::sign(PAYLOAD_TYPE, payload, &[&key]).to_json();
//! let envelope = Envelope::parse(sent.as_bytes())?;
//! key.public().verify(&pae(PAYLOAD_TYPE, &envelope.payload), &envelope.signatures[0].signature)?;
//! let submission = proto::fold::Submission::from_envelope(envelope)?;
//!
//! // The log gives it a time and a place. What links it sets and whether the key may speak is decided by
//! // `fold::decide`; this tree of one has nothing to link to.
//! let entry = Entry {
//!     timestamp: Millis(1_801_483_200_000),
//!     links: Links::default(),
//!     payload_type: PAYLOAD_TYPE.to_owned(),
//!     payload: submission.payload().to_vec(),
//!     signatures: submission.signatures().to_vec(),
//! };
//! let mut tree = MemoryTree::new();
//! let index = tree.append(Entry::leaf_hash(&entry.encode()?));
//!
//! // It signs the head of its tree and answers with a receipt.
//! let log = NoteSigner::new(KeyName::parse("log.example/main")?, SecretKey::from_seed(&[2; 32]));
//! let head = CheckpointText::new("log.example/main", tree.size(), root_at(&tree, tree.size())?)?;
//! let receipt = Receipt {
//!     origin: "log.example/main".to_owned(),
//!     claim_id: submission.id(),
//!     index,
//!     timestamp: entry.timestamp,
//!     links: entry.links,
//!     signatures: entry.signatures.clone(),
//!     inclusion: inclusion_proof(&tree, index, tree.size())?,
//!     checkpoint: head.sign(&[&log], &[])?,
//! }
//! .to_json();
//!
//! // Years later, with no network: payload, receipt, and the reader's own policy.
//! let policy = Policy::parse(format!("log {}\nquorum none\n", log.vkey()))?;
//! let receipt = Receipt::parse(receipt.as_bytes())?;
//! let leaf = Entry::leaf_hash(&receipt.entry(payload)?.encode()?);
//! let included = receipt.to_tlog_proof()?.verify(leaf, &policy)?;
//! assert_eq!((included.index, included.head.checkpoint.size()), (index, tree.size()));
//!
//! // Another payload is another claim.
//! assert!(receipt.entry(b"{}").is_err());
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "unit tests may read vectors from files")
)]

pub mod b64;
pub mod checkpoint;
pub mod claim;
pub mod code;
pub mod cosignature;
pub mod dsse;
pub mod ed25519;
pub mod entry;
pub mod fold;
pub mod hash;
pub mod import;
pub mod json;
pub mod last_cosigned;
pub mod merkle;
pub mod misbehaviour;
pub mod note;
pub mod num;
pub mod policy;
pub mod query;
pub mod receipt;
pub mod statement;
pub mod tile;
pub mod tlog_proof;
pub mod unavailable;
