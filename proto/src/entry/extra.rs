//! The entry without its payload: what an offline proof and a receipt carry beside the envelope.

use minicbor::{Decoder, Encoder};

use super::{
    BadEntry, ENTRY_VERSION, Entry, Infallible, Links, SignatureBy, check_signatures, expect_array, read_links,
    read_signatures, write_links, write_signatures,
};
use crate::num::Millis;

/// What rebuilds the entry from its envelope's payload: the `extra` of an offline proof, CBOR
/// `[1, timestamp, links, [[key_id, signature]…]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryExtra {
    /// When the log took the entry.
    pub timestamp: Millis,
    /// What the log applied.
    pub links: Links,
    /// The signatures, ascending by key id.
    pub signatures: Vec<SignatureBy>,
}

impl EntryExtra {
    /// The part of `entry` that is neither payload type nor payload.
    pub fn of(entry: &Entry) -> EntryExtra {
        EntryExtra { timestamp: entry.timestamp, links: entry.links, signatures: entry.signatures.clone() }
    }

    /// The bytes of the `extra` line, before base64.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = Encoder::new(&mut bytes);
        let written = self.write(&mut out);
        debug_assert!(written.is_ok(), "a Vec takes every byte");
        bytes
    }

    fn write(&self, out: &mut Encoder<&mut Vec<u8>>) -> Infallible {
        out.array(4)?.u64(ENTRY_VERSION)?.u64(self.timestamp.0)?;
        write_links(out, &self.links)?;
        write_signatures(out, &self.signatures)
    }

    /// Reads the bytes of an `extra` line. It is not authenticated: only the rebuilt entry's inclusion proof is.
    pub fn decode(bytes: &[u8]) -> Result<EntryExtra, BadEntry> {
        let mut input = Decoder::new(bytes);
        expect_array(&mut input, 4)?;
        let version = input.u64()?;
        if version != ENTRY_VERSION {
            return Err(BadEntry::Version(version));
        }
        let extra = EntryExtra {
            timestamp: Millis(input.u64()?),
            links: read_links(&mut input)?,
            signatures: read_signatures(&mut input)?,
        };
        check_signatures(&extra.signatures)?;
        if extra.encode() != bytes {
            return Err(BadEntry::NotDeterministic);
        }
        Ok(extra)
    }

    /// The whole entry, given what was signed.
    pub fn with_payload(self, payload_type: impl Into<String>, payload: impl Into<Vec<u8>>) -> Entry {
        Entry {
            timestamp: self.timestamp,
            links: self.links,
            payload_type: payload_type.into(),
            payload: payload.into(),
            signatures: self.signatures,
        }
    }
}
