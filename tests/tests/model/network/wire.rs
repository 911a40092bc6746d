//! What travels, in the bytes that monitors send: pushes as add-checkpoint has them, proofs as JSON, evidence as misbehaviour
//! files. What comes is parsed and verified by the code of the programs.

use std::collections::BTreeMap;

use monitor::gossip::core::{Fork, Head, Proof, Shown};
use monitor::witness::Request;
use proto::checkpoint::{CheckpointText, VerifiedCheckpoint};
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use proto::misbehaviour::{Alternative, Misbehaviour};
use proto::note::{KeyName, Note, NoteSigner, Verifier};
use proto::num::TreeSize;
use serde::{Deserialize, Serialize};

use crate::gossip::node::{Own, signed};
use crate::history::{self, Histories};

const ORIGIN: &str = "log.example/simulated";

/// The log: its key, and its heads as it signs them.
pub(crate) struct Log {
    pub(crate) histories: Histories,
    signer: NoteSigner,
    notes: BTreeMap<Head, Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct ProofAnswer {
    from: TreeSize,
    to: TreeSize,
    root: String,
    proof: Vec<String>,
}

impl Log {
    pub(crate) fn new(histories: Histories) -> Log {
        // A test key.
        let signer = NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), SecretKey::from_seed(&[7; 32]));
        let mut notes = BTreeMap::new();
        for name in histories.heads() {
            let head = signed(&histories, name);
            let text = CheckpointText::new(ORIGIN, head.size, head.root).unwrap();
            notes.insert(head, text.sign(&[&signer], &[]).unwrap().into_bytes());
        }
        Log { histories, signer, notes }
    }

    /// The head of a note, if the log signed it.
    fn verified(&self, note: Note) -> Option<Head> {
        let key = Verifier::new(self.signer.vkey()).unwrap();
        let head = VerifiedCheckpoint::verify(note, ORIGIN, &[key], &[]).ok()?;
        Some(Head { size: head.size(), root: head.root() })
    }

    pub(crate) fn note(&self, head: Head) -> Vec<u8> {
        self.notes[&head].clone()
    }

    pub(crate) fn head(&self, note: &[u8]) -> Option<Head> {
        self.verified(Note::parse(note).ok()?)
    }

    pub(crate) fn push(&self, head: Head, proof: Option<&Proof>) -> Vec<u8> {
        let (old, hashes) = proof.map_or((TreeSize(0), &[][..]), |proof| (proof.from, &proof.hashes[..]));
        let lines: String = hashes.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
        [format!("old {old}\n{lines}\n").as_bytes(), &self.note(head)].concat()
    }

    pub(crate) fn pushed(&self, body: &[u8]) -> Option<(Head, Option<Proof>)> {
        let Request { old, proof, note } = Request::parse(body).ok()?;
        let proof = (old > TreeSize(0)).then_some(Proof { from: old, root: None, hashes: proof });
        Some((self.verified(note)?, proof))
    }

    /// The file that convicts the log. `own` is the tree of whoever found it.
    pub(crate) fn file(&self, own: &Own<'_>, fork: &Fork) -> Vec<u8> {
        let note = |head: Head| Note::parse(&self.note(head)).unwrap();
        let (small, large, key) = (note(fork.smaller), note(fork.larger), self.signer.vkey());
        let inconsistent =
            |root, proof| Misbehaviour::inconsistent(ORIGIN, key, &small, &large, Alternative { root, proof });
        let file = match &fork.shown {
            Shown::SameSize => Misbehaviour::same_size(ORIGIN, key, [&small, &large]),
            Shown::Proof { root, hashes } => inconsistent(*root, hashes.clone()),
            Shown::OwnTree => {
                let proof = own.proof(fork.smaller.size, fork.larger).expect("the larger one is of the own tree");
                inconsistent(proof.root.unwrap(), proof.hashes)
            }
        };
        file.unwrap().to_text().into_bytes()
    }

    /// A file that was sent, if it convicts this log by its bytes alone.
    pub(crate) fn convicts(&self, file: &[u8]) -> Option<Fork> {
        let file = Misbehaviour::parse(file).ok()?;
        let proven = file.verify().ok().filter(|proven| proven.accused == *self.signer.vkey())?;
        assert_eq!(proven.origin, ORIGIN);
        let heads: Vec<Head> = file.heads().iter().filter_map(|note| self.verified(note.clone())).collect();
        let [smaller, larger] = heads[..] else { return None };
        let shown = if smaller.size == larger.size { Shown::SameSize } else { Shown::OwnTree };
        Some(Fork { smaller, larger, shown })
    }
}

/// A proof as it is asked for.
pub(crate) fn question(head: Head, from: TreeSize) -> String {
    format!("/v1/proof?from={from}&to={}&root={}", head.size, head.root)
}

/// The same read.
pub(crate) fn asked(histories: &Histories, query: &str) -> Option<(Head, TreeSize)> {
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let number = |name| proto::num::parse_decimal(value(name)?).ok().map(TreeSize);
    let (size, root) = (number("to")?, value("root")?);
    let of = |fork| history::Head { size: u8::try_from(size.0).unwrap_or(0), fork };
    let found = [false, true].map(|fork| signed(histories, of(fork)));
    Some((found.into_iter().find(|head| head.root.to_string() == root)?, number("from")?))
}

pub(crate) fn proof_text(proof: &Proof, to: TreeSize) -> Vec<u8> {
    let hashes = proof.hashes.iter().map(Hash::to_base64).collect();
    let root = proof.root.unwrap().to_base64();
    serde_json::to_vec(&ProofAnswer { from: proof.from, to, root, proof: hashes }).unwrap()
}

pub(crate) fn proof_of(text: &[u8]) -> Option<Proof> {
    let ProofAnswer { from, root, proof, .. } = serde_json::from_slice(text).ok()?;
    let hashes = proof.iter().map(|hash| Hash::from_base64(hash).ok()).collect::<Option<_>>()?;
    Some(Proof { from, root: Some(Hash::from_base64(&root).ok()?), hashes })
}
