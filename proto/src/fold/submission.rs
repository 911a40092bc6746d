//! From an envelope or an entry to a claim whose signatures were checked.

use std::sync::Arc;

use super::{KeyHolder, State, Stop, View};
use crate::claim::{Body, Claim, ClaimId, PAYLOAD_TYPE, ProductKey};
use crate::code::{Code, Refused};
use crate::dsse::{Envelope, pae};
use crate::ed25519::{KeyId, PublicKey};
use crate::entry::{BadEntry, Entry, EntryRef, Links, MAX_SIGNATURES, SignatureBy};
use crate::hash::Hash;
use crate::num::{LeafIndex, Millis, TreeSize};

/// A claim with the exact bytes and signatures it came with. Its form was checked, its signatures were not. Clones share
/// everything: on its way a claim is held by whoever waits for its answer and by whoever decides on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission(Arc<Parts>);

#[derive(Debug, PartialEq)]
#[cfg_attr(test, derive(Clone))]
struct Parts {
    payload: Vec<u8>,
    signatures: Vec<SignatureBy>,
    claim: Claim,
    id: ClaimId,
    /// Of what arrived, taken before anything is checked: a bit that flips later, in the payload or in a signature, shows.
    digest: Hash,
    /// The product as slots key it: every rule about a claim asks for it, and normalising a model takes its time.
    product: Option<ProductKey>,
}

impl Submission {
    /// Checks the payload type and the claim's form.
    pub fn from_envelope(envelope: Envelope) -> Result<Submission, Refused> {
        Submission::new(&envelope.payload_type, envelope.payload, envelope.signatures)
    }

    /// The same checks on what a log published.
    pub fn from_entry(entry: &Entry) -> Result<Submission, Refused> {
        Submission::new(&entry.payload_type, entry.payload.clone(), entry.signatures.clone())
    }

    fn new(payload_type: &str, payload: Vec<u8>, signatures: Vec<SignatureBy>) -> Result<Submission, Refused> {
        if payload_type != PAYLOAD_TYPE {
            let message = format!("the payload type must be {PAYLOAD_TYPE}");
            return Err(Refused::at(Code::PayloadTypeUnsupported, "/payloadType", message));
        }
        check_order(&signatures)?;
        let id = ClaimId::of(payload_type, &payload);
        let digest = digest(&id, &signatures);
        let claim = Claim::parse(&payload)?;
        let product = claim.product();
        Ok(Submission(Arc::new(Parts { payload, signatures, claim, id, digest, product })))
    }

    /// The claim's id.
    pub fn id(&self) -> ClaimId {
        self.0.id
    }

    /// The claim.
    pub fn claim(&self) -> &Claim {
        &self.0.claim
    }

    /// The product that the claim is about, as slots key it.
    pub fn product(&self) -> Option<&ProductKey> {
        self.0.product.as_ref()
    }

    /// The signatures, ascending by key id.
    pub fn signatures(&self) -> &[SignatureBy] {
        &self.0.signatures
    }

    /// The exact payload bytes.
    pub fn payload(&self) -> &[u8] {
        &self.0.payload
    }

    /// SHA-256 over id and signatures as they arrived: what a server remembers to see that stored bytes are the submitted
    /// ones. See [`entry_digest`].
    pub fn digest(&self) -> Hash {
        self.0.digest
    }

    /// Length of the entry that this claim becomes, by the sizes of CBOR heads (RFC 8949 §3): it is needed for every
    /// claim, long before the entry is written.
    pub(super) fn entry_bytes(&self, timestamp: Millis, links: Links) -> usize {
        let string = |length: usize| head_bytes(length as u64) + length;
        let link = |link: Option<LeafIndex>| link.map_or(1, |index| head_bytes(index.0));
        let signature = |by: &SignatureBy| 1 + string(by.key_id.0.len()) + string(by.signature.0.len());
        2 + head_bytes(timestamp.0)
            + 1
            + link(links.constitution)
            + link(links.registry)
            + link(links.previous)
            + string(PAYLOAD_TYPE.len())
            + string(self.0.payload.len())
            + head_bytes(self.0.signatures.len() as u64)
            + self.0.signatures.iter().map(signature).sum::<usize>()
    }

    /// The keys that the claim itself brings, each of which must sign it.
    fn own_key(&self, id: &KeyId) -> Option<PublicKey> {
        match &self.0.claim.body {
            Body::Issuer(body) => body.keys.iter().map(|added| added.key).find(|key| key.id() == *id),
            Body::Log(body) => {
                body.operator_keys.iter().chain(&body.registrar_keys).map(|key| key.key).find(|key| key.id() == *id)
            }
            _ => None,
        }
    }
}

/// A claim of which every signature verifies, strictly, under the key that its key id names. Whether these keys may
/// say this is for [`super::decide`].
#[derive(Debug, Clone, PartialEq)]
pub struct Checked(Submission);

impl Checked {
    /// The claim's id.
    pub fn id(&self) -> ClaimId {
        self.0.0.id
    }

    /// The claim.
    pub fn claim(&self) -> &Claim {
        &self.0.0.claim
    }

    /// What was submitted.
    pub fn submission(&self) -> &Submission {
        &self.0
    }

    /// Ids of the keys that signed, ascending.
    pub fn signers(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.0.0.signatures.iter().map(|by| by.key_id)
    }

    /// The head of this log that the claim is anchored to: its root must be the tree's at that size.
    pub fn anchor(&self, origin: &str) -> Option<(TreeSize, Hash)> {
        let log = self.0.0.claim.logs.iter().find(|log| log.origin.as_str() == origin)?;
        Some((log.size?, log.root?))
    }

    /// The bytes of the entry for this claim.
    ///
    /// # Errors
    /// When they would be more than [`MAX_ENTRY_BYTES`](crate::entry::MAX_ENTRY_BYTES).
    pub fn encode_entry(&self, timestamp: Millis, links: Links) -> Result<Vec<u8>, BadEntry> {
        let Parts { payload, signatures, .. } = &*self.0.0;
        EntryRef { timestamp, links, payload_type: PAYLOAD_TYPE, payload, signatures }.encode()
    }
}

/// Checks every signature. Keys are the claim's own new ones or enrolled ones; that an id names a key is a fact for
/// ever, so it does not matter how old `state` is, only whether it knows the key yet.
pub fn check_signatures<S: State>(submission: Submission, state: &S) -> Result<Checked, Stop<S::Error>> {
    check_signatures_by(submission, |id| enrolled_key(id, state).map(|enrolled| enrolled.key))
}

/// As [`check_signatures`], for a caller that keeps the keys it read before, as a [`KeyCache`](super::KeyCache) does.
pub fn check_signatures_by<E>(
    submission: Submission,
    enrolled: impl Fn(&KeyId) -> Result<PublicKey, Stop<E>>,
) -> Result<Checked, Stop<E>> {
    // All keys are looked up before the first signature is checked: an unknown one costs no curve arithmetic.
    let key = |by: &SignatureBy| submission.own_key(&by.key_id).map_or_else(|| enrolled(&by.key_id), Ok);
    let keys = submission.signatures().iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let message = pae(PAYLOAD_TYPE, submission.payload());
    for (by, key) in submission.signatures().iter().zip(keys) {
        key.verify(&message, &by.signature).map_err(|_| {
            let text = format!(
                "the signature of key {} does not verify over this payload (strict Ed25519); sign it anew",
                by.key_id
            );
            Refused::at(Code::SignatureInvalid, "/signatures", text)
        })?;
    }
    Ok(Checked(submission))
}

/// What [`Submission::digest`] gives for the claim that this entry holds, and for no other: it covers type, payload and
/// signatures. The claim itself is not read.
pub fn entry_digest(entry: &Entry) -> Hash {
    digest(&ClaimId::of(&entry.payload_type, &entry.payload), &entry.signatures)
}

fn digest(id: &ClaimId, signatures: &[SignatureBy]) -> Hash {
    let lengths: Vec<_> = signatures.iter().map(|by| (by.signature.0.len() as u64).to_be_bytes()).collect();
    let mut parts: Vec<&[u8]> = vec![&id.0.0];
    for (by, length) in signatures.iter().zip(&lengths) {
        parts.extend([by.key_id.0.as_slice(), length, &by.signature.0]);
    }
    Hash::of_parts(&parts)
}

/// At least one signature, ascending by key id, none twice: what envelopes and entries have once they were read.
fn check_order(signatures: &[SignatureBy]) -> Result<(), Refused> {
    let refuse = |code, message: &str| Err(Refused::at(code, "/signatures", message));
    if signatures.is_empty() {
        return refuse(Code::SignatureMissing, "there is no signature");
    }
    if signatures.len() > MAX_SIGNATURES || !signatures.is_sorted_by(|a, b| a.key_id < b.key_id) {
        return refuse(Code::SignatureExtra, "signatures are at most 64, ascending by key id, and each key signs once");
    }
    Ok(())
}

/// Bytes of a CBOR head with this argument, in deterministic encoding.
fn head_bytes(argument: u64) -> usize {
    match argument {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// A key and whose it is: facts that hold for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledKey {
    /// The key.
    pub key: PublicKey,
    /// The issuer it was enrolled for; empty for a key of the operator or a registrar.
    pub issuer: String,
}

/// The key that an id names, as the state knows it: an issuer's, a registrar's or the operator's.
pub fn enrolled_key<S: State>(id: &KeyId, state: &S) -> Result<EnrolledKey, Stop<S::Error>> {
    let record = View { state }.key(id)?;
    match record {
        Some(record) if !matches!(record.holder, KeyHolder::Log | KeyHolder::Witness) => {
            let key = PublicKey::from_spki(&record.spki).map_err(|_| Stop::Corrupt(format!("key {id}")))?;
            Ok(EnrolledKey { key, issuer: record.issuer })
        }
        _ => {
            let message = format!("the key {id} is not enrolled in this log; enrol it with an issuer/v1 claim first");
            Err(Refused::at(Code::KeyUnknown, "/signatures", message).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ed25519::Signature;

    /// A payload that has its form, of the known answers.
    fn payload() -> Vec<u8> {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/claims-v1.json")).unwrap();
        let taken =
            |case: &serde_json::Value| case.get("code").is_none().then(|| case["payload"].as_str().map(str::to_owned));
        vectors["claims"].as_array().unwrap().iter().find_map(taken).flatten().unwrap().into_bytes()
    }

    /// A bit of a waiting signature flips in memory, after it was checked: the digest is still that of what arrived, so the
    /// entry that would be made of it is told from it.
    #[test]
    fn the_digest_is_of_what_arrived() {
        let by = SignatureBy { key_id: KeyId([7; 32]), signature: Signature(vec![1; 64]) };
        let arrived = Submission::new(PAYLOAD_TYPE, payload(), vec![by]).unwrap();
        for bit in 0..512 {
            let mut waiting = Submission(Arc::new(Parts::clone(&arrived.0)));
            Arc::get_mut(&mut waiting.0).unwrap().signatures[0].signature.0[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(waiting.digest(), arrived.digest());
            let bytes = Checked(waiting).encode_entry(Millis(1), Links::default()).unwrap();
            assert_ne!(entry_digest(&Entry::decode(&bytes).unwrap()), arrived.digest(), "bit {bit}");
        }
    }
}
