//! The receipt: what a submitter gets back in the same answer, and enough, with the envelope's payload, to check it
//! offline for ever.
//!
//! ```json
//! {"format":"claimtrail-receipt/1","origin":…,"claim_id":"sha256:…","index":n,"timestamp":ms,
//!  "links":{"constitution":n|null,"registry":n|null,"previous":n|null},
//!  "signatures":[{"keyid":"…","sig":"…"}],"inclusion":["b64",…],"checkpoint":"…"}
//! ```

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize};

use crate::claim::{ClaimId, PAYLOAD_TYPE};
use crate::ed25519::{KeyId, Signature};
use crate::entry::{BadEntry, Entry, EntryExtra, Links, SignatureBy};
use crate::hash::Hash;
use crate::num::{LeafIndex, Millis, TreeSize};
use crate::tlog_proof::{BadTlogProof, TlogProof};

/// The `format` member of every receipt of this form.
pub const FORMAT: &str = "claimtrail-receipt/1";

/// A receipt of 64 signatures, 63 hashes and a checkpoint with many cosignatures stays well below this.
pub const MAX_RECEIPT_BYTES: usize = 256 * 1024;

/// A log's answer to a claim. Nothing in it is verified until its proof is checked under a reader's own policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The log's origin.
    pub origin: String,
    /// The claim.
    pub claim_id: ClaimId,
    /// Where its entry is.
    pub index: LeafIndex,
    /// The log's time for it.
    pub timestamp: Millis,
    /// What the log applied.
    pub links: Links,
    /// The signatures of the entry, ascending by key id.
    pub signatures: Vec<SignatureBy>,
    /// The inclusion proof, from the leaf upward.
    pub inclusion: Vec<Hash>,
    /// The signed head, byte for byte.
    pub checkpoint: String,
}

/// Why a text is not a receipt, or does not fit what it is shown with.
#[derive(Debug, thiserror::Error)]
pub enum BadReceipt {
    /// Larger than [`MAX_RECEIPT_BYTES`].
    #[error("the receipt has {0} bytes; at most {MAX_RECEIPT_BYTES} are read")]
    TooLong(usize),
    /// Not JSON of this form.
    #[error("not a receipt: {0}")]
    Malformed(String),
    /// The payload is not the one the receipt is for.
    #[error("the payload is {found}, the receipt is for {expected}")]
    OtherClaim {
        /// The id of the payload that was given.
        found: ClaimId,
        /// The id in the receipt.
        expected: ClaimId,
    },
    /// The entry cannot be rebuilt.
    #[error("the entry cannot be rebuilt: {0}")]
    Entry(#[from] BadEntry),
    /// The proof has not the form of an offline proof.
    #[error("the proof is malformed: {0}")]
    Proof(#[from] BadTlogProof),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    format: std::borrow::Cow<'a, str>,
    origin: String,
    claim_id: String,
    index: LeafIndex,
    timestamp: Millis,
    links: WireLinks,
    signatures: Vec<WireSignature>,
    inclusion: Vec<Hash>,
    checkpoint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireLinks {
    constitution: Option<LeafIndex>,
    registry: Option<LeafIndex>,
    previous: Option<LeafIndex>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    keyid: String,
    sig: String,
}

/// A receipt on its way out. Written without an intermediate tree: a log writes one for every claim.
struct Written<'a> {
    receipt: &'a Receipt,
    head: Head<'a>,
}

enum Head<'a> {
    Note(&'a str),
    Size(TreeSize),
}

impl Serialize for Written<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Receipt { origin, claim_id, index, timestamp, links, signatures, inclusion, .. } = self.receipt;
        let links = WireLinks { constitution: links.constitution, registry: links.registry, previous: links.previous };
        let mut out = serializer.serialize_struct("Receipt", 9)?;
        out.serialize_field("format", FORMAT)?;
        out.serialize_field("origin", origin)?;
        out.serialize_field("claim_id", &claim_id.to_string())?;
        out.serialize_field("index", index)?;
        out.serialize_field("timestamp", timestamp)?;
        out.serialize_field("links", &links)?;
        out.serialize_field("signatures", &signatures.iter().map(WireSignature::from).collect::<Vec<_>>())?;
        out.serialize_field("inclusion", inclusion)?;
        match self.head {
            Head::Note(note) => out.serialize_field("checkpoint", note)?,
            Head::Size(size) => out.serialize_field("checkpoint_size", &size)?,
        }
        out.end()
    }
}

impl From<&SignatureBy> for WireSignature {
    fn from(by: &SignatureBy) -> WireSignature {
        WireSignature { keyid: by.key_id.to_string(), sig: crate::b64::encode(&by.signature.0) }
    }
}

impl Receipt {
    /// The receipt as one line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.whole()).unwrap_or_default() // strings, numbers and lists always serialise
    }

    /// The receipt as a JSON value, for answers that carry it inside.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self.whole()).unwrap_or_default()
    }

    /// The receipt with the size of its head in the place of the head itself: what a stream of receipts says after it has
    /// said the head once.
    pub fn under(&self, head: TreeSize) -> impl Serialize + '_ {
        Written { receipt: self, head: Head::Size(head) }
    }

    fn whole(&self) -> Written<'_> {
        Written { receipt: self, head: Head::Note(&self.checkpoint) }
    }

    /// Reads a receipt.
    pub fn parse(bytes: &[u8]) -> Result<Receipt, BadReceipt> {
        if bytes.len() > MAX_RECEIPT_BYTES {
            return Err(BadReceipt::TooLong(bytes.len()));
        }
        let malformed = |e: &dyn std::fmt::Display| BadReceipt::Malformed(e.to_string());
        let wire: Wire<'_> = serde_json::from_slice(bytes).map_err(|e| malformed(&e))?;
        if wire.format != FORMAT {
            return Err(malformed(&format!("`format` is {:?}, not {FORMAT:?}", wire.format)));
        }
        let signatures = wire.signatures.iter().map(read_signature).collect::<Result<Vec<_>, _>>()?;
        Ok(Receipt {
            origin: wire.origin,
            claim_id: ClaimId::parse(&wire.claim_id).map_err(|e| malformed(&e))?,
            index: wire.index,
            timestamp: wire.timestamp,
            links: Links {
                constitution: wire.links.constitution,
                registry: wire.links.registry,
                previous: wire.links.previous,
            },
            signatures,
            inclusion: wire.inclusion,
            checkpoint: wire.checkpoint,
        })
    }

    /// What, with the payload, is the entry.
    pub fn extra(&self) -> EntryExtra {
        EntryExtra { timestamp: self.timestamp, links: self.links, signatures: self.signatures.clone() }
    }

    /// The entry that the tree hashed, rebuilt from the exact payload bytes; refused when they are another claim's.
    pub fn entry(&self, payload: &[u8]) -> Result<Entry, BadReceipt> {
        let found = ClaimId::of(PAYLOAD_TYPE, payload);
        if found != self.claim_id {
            return Err(BadReceipt::OtherClaim { found, expected: self.claim_id });
        }
        Ok(self.extra().with_payload(PAYLOAD_TYPE, payload))
    }

    /// The same proof as a C2SP tlog-proof.
    pub fn to_tlog_proof(&self) -> Result<TlogProof, BadReceipt> {
        let extra = Some(self.extra().encode());
        Ok(TlogProof::new(extra, self.index, self.inclusion.clone(), &self.checkpoint)?)
    }
}

fn read_signature(wire: &WireSignature) -> Result<SignatureBy, BadReceipt> {
    let key_id = KeyId::parse(&wire.keyid)
        .ok_or_else(|| BadReceipt::Malformed("a `keyid` is not 64 lower-case hex digits".into()))?;
    let bytes = crate::b64::decode(&wire.sig).map_err(|e| BadReceipt::Malformed(format!("a `sig`: {e}")))?;
    Ok(SignatureBy { key_id, signature: Signature(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Receipt {
        Receipt {
            origin: "log.example".into(),
            claim_id: ClaimId::of(PAYLOAD_TYPE, b"{}"),
            index: LeafIndex(5),
            timestamp: Millis(1_800_000_000_000),
            links: Links { constitution: Some(LeafIndex(0)), registry: Some(LeafIndex(1)), previous: None },
            signatures: vec![SignatureBy { key_id: KeyId([1; 32]), signature: Signature(vec![2; 64]) }],
            inclusion: vec![Hash([3; 32])],
            checkpoint: "log.example\n6\nAA==\n".into(),
        }
    }

    #[test]
    fn receipts_read_back_and_rebuild_the_entry() {
        let receipt = sample();
        assert_eq!(Receipt::parse(receipt.to_json().as_bytes()).unwrap(), receipt);
        let entry = receipt.entry(b"{}").unwrap();
        assert_eq!(entry.links, receipt.links);
        assert!(matches!(receipt.entry(b"{ }"), Err(BadReceipt::OtherClaim { .. })));
    }

    #[test]
    fn a_receipt_in_a_stream_names_its_head_by_size() {
        let receipt = sample();
        let mut value = serde_json::to_value(receipt.under(TreeSize(6))).unwrap();
        let members = value.as_object_mut().unwrap();
        assert_eq!(members.remove("checkpoint_size"), Some(6.into()));
        members.insert("checkpoint".into(), receipt.checkpoint.clone().into());
        assert_eq!(value, receipt.to_value());
    }

    #[test]
    fn unknown_members_and_formats_are_refused() {
        let json = sample().to_json();
        for bad in
            [json.replacen('{', r#"{"x":1,"#, 1), json.replace("receipt/1", "receipt/2"), json.replace("\"AwMD", "\"!")]
        {
            assert!(matches!(Receipt::parse(bad.as_bytes()), Err(BadReceipt::Malformed(_))), "{bad}");
        }
    }
}
