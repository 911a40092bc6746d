//! The entry: what the tree hashes.
//!
//! Deterministic CBOR (RFC 8949 §4.2.1) of the array
//!
//! ```text
//! [1, timestamp, [constitution, registry, previous], payload_type, payload, [[key_id, signature], …]]
//! ```
//!
//! timestamp in milliseconds since 1970 UTC, three leaf indices or null, signatures sorted by key id and none twice.
//! Exactly one encoding is valid: the decoder encodes again and compares. At most [`MAX_ENTRY_BYTES`].

mod extra;

use minicbor::{Decoder, Encoder};

use crate::ed25519::{KeyId, Signature};
use crate::hash::Hash;
use crate::num::{LeafIndex, MAX_TREE_SIZE, Millis};

pub use extra::EntryExtra;

/// Entry bundles carry a 16-bit length before each entry (C2SP tlog-tiles).
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// The only entry format so far; 2 is kept free for COSE statements.
pub const ENTRY_VERSION: u64 = 1;

/// More signatures than any rule demands: 16 keys added, 16 administrators, a registrar, with room to spare.
pub const MAX_SIGNATURES: usize = 64;

/// The three leaf indices with which the log commits, entry by entry, to what it applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Links {
    /// The `log/v1` entry in force.
    pub constitution: Option<LeafIndex>,
    /// The last registry entry of the claim's issuer.
    pub registry: Option<LeafIndex>,
    /// The last entry of the claim's slot.
    pub previous: Option<LeafIndex>,
}

/// One signature of an envelope with the id of the key that made it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignatureBy {
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub key_id: KeyId,
    /// The signature's bytes.
    pub signature: Signature,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When the log took it.
    pub timestamp: Millis,
    /// What the log applied.
    pub links: Links,
    /// The DSSE payload type.
    pub payload_type: String,
    /// The exact payload bytes.
    pub payload: Vec<u8>,
    /// The signatures, ascending by key id.
    pub signatures: Vec<SignatureBy>,
}

/// Why bytes are not an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// Longer than [`MAX_ENTRY_BYTES`].
    #[error("the entry has {0} bytes; at most {MAX_ENTRY_BYTES} fit")]
    TooLong(usize),
    /// Not the CBOR array that an entry is.
    #[error("not an entry: {0}")]
    Malformed(String),
    /// Another format version.
    #[error("entry format version {0} is unknown here")]
    Version(u64),
    /// Not the one valid encoding.
    #[error("the entry is not in deterministic encoding")]
    NotDeterministic,
    /// Signatures out of order, twice the same key, or none.
    #[error("the signatures are not sorted by key id, or name a key twice, or are missing")]
    Signatures,
}

impl From<minicbor::decode::Error> for BadEntry {
    fn from(error: minicbor::decode::Error) -> BadEntry {
        BadEntry::Malformed(error.to_string())
    }
}

/// Writing CBOR into a `Vec` cannot fail; the encoder's error type is uninhabited.
type Infallible = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

/// The parts of an entry, held by others: what is encoded need not be copied before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryRef<'a> {
    pub(crate) timestamp: Millis,
    pub(crate) links: Links,
    pub(crate) payload_type: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) signatures: &'a [SignatureBy],
}

impl EntryRef<'_> {
    /// As [`Entry::encode`].
    pub(crate) fn encode(&self) -> Result<Vec<u8>, BadEntry> {
        check_signatures(self.signatures)?;
        let links = [self.links.constitution, self.links.registry, self.links.previous];
        links.into_iter().flatten().try_for_each(check_link)?;
        let bytes = self.encode_unchecked();
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(BadEntry::TooLong(bytes.len()));
        }
        Ok(bytes)
    }

    fn encode_unchecked(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.payload.len() + 112 * self.signatures.len() + 96);
        let mut out = Encoder::new(&mut bytes);
        let written = self.write(&mut out);
        debug_assert!(written.is_ok(), "a Vec takes every byte");
        bytes
    }

    fn write(&self, out: &mut Encoder<&mut Vec<u8>>) -> Infallible {
        out.array(6)?.u64(ENTRY_VERSION)?.u64(self.timestamp.0)?;
        write_links(out, &self.links)?;
        out.str(self.payload_type)?.bytes(self.payload)?;
        write_signatures(out, self.signatures)
    }
}

impl Entry {
    fn parts(&self) -> EntryRef<'_> {
        let Entry { timestamp, links, payload_type, payload, signatures } = self;
        EntryRef { timestamp: *timestamp, links: *links, payload_type, payload, signatures }
    }

    /// The entry's bytes. Refuses what [`Entry::decode`] would refuse, so that nothing unreadable is ever stored.
    pub fn encode(&self) -> Result<Vec<u8>, BadEntry> {
        self.parts().encode()
    }

    /// Reads an entry; anything but its one valid encoding is an error.
    pub fn decode(bytes: &[u8]) -> Result<Entry, BadEntry> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(BadEntry::TooLong(bytes.len()));
        }
        let mut input = Decoder::new(bytes);
        expect_array(&mut input, 6)?;
        let version = input.u64()?;
        if version != ENTRY_VERSION {
            return Err(BadEntry::Version(version));
        }
        let entry = Entry {
            timestamp: Millis(input.u64()?),
            links: read_links(&mut input)?,
            payload_type: input.str()?.to_owned(),
            payload: input.bytes()?.to_vec(),
            signatures: read_signatures(&mut input)?,
        };
        check_signatures(&entry.signatures)?;
        if entry.parts().encode_unchecked() != bytes {
            return Err(BadEntry::NotDeterministic);
        }
        Ok(entry)
    }

    /// The leaf hash of the entry's bytes.
    pub fn leaf_hash(bytes: &[u8]) -> Hash {
        Hash::leaf(bytes)
    }
}

fn check_signatures(signatures: &[SignatureBy]) -> Result<(), BadEntry> {
    let ascending = signatures.windows(2).all(|pair| pair[0].key_id < pair[1].key_id);
    if signatures.is_empty() || signatures.len() > MAX_SIGNATURES || !ascending {
        return Err(BadEntry::Signatures);
    }
    Ok(())
}

fn expect_array(input: &mut Decoder<'_>, length: u64) -> Result<(), BadEntry> {
    match input.array()? {
        Some(n) if n == length => Ok(()),
        Some(n) => Err(BadEntry::Malformed(format!("an array of {n} items where {length} are expected"))),
        None => Err(BadEntry::NotDeterministic),
    }
}

fn write_links(out: &mut Encoder<&mut Vec<u8>>, links: &Links) -> Infallible {
    out.array(3)?;
    for link in [links.constitution, links.registry, links.previous] {
        match link {
            Some(index) => out.u64(index.0)?,
            None => out.null()?,
        };
    }
    Ok(())
}

fn read_links(input: &mut Decoder<'_>) -> Result<Links, BadEntry> {
    expect_array(input, 3)?;
    Ok(Links { constitution: read_link(input)?, registry: read_link(input)?, previous: read_link(input)? })
}

fn read_link(input: &mut Decoder<'_>) -> Result<Option<LeafIndex>, BadEntry> {
    if input.datatype()? == minicbor::data::Type::Null {
        input.null()?;
        return Ok(None);
    }
    let index = LeafIndex(input.u64()?);
    check_link(index)?;
    Ok(Some(index))
}

fn check_link(index: LeafIndex) -> Result<(), BadEntry> {
    if index.0 >= MAX_TREE_SIZE {
        return Err(BadEntry::Malformed(format!("the link {index} is no leaf index")));
    }
    Ok(())
}

fn write_signatures(out: &mut Encoder<&mut Vec<u8>>, signatures: &[SignatureBy]) -> Infallible {
    out.array(signatures.len() as u64)?;
    for by in signatures {
        out.array(2)?.bytes(&by.key_id.0)?.bytes(&by.signature.0)?;
    }
    Ok(())
}

fn read_signatures(input: &mut Decoder<'_>) -> Result<Vec<SignatureBy>, BadEntry> {
    let count = input.array()?.ok_or(BadEntry::NotDeterministic)?;
    if count > MAX_SIGNATURES as u64 {
        return Err(BadEntry::Signatures);
    }
    (0..count)
        .map(|_| {
            expect_array(input, 2)?;
            let key_id =
                input.bytes()?.try_into().map_err(|_| BadEntry::Malformed("a key id is not 32 bytes".into()))?;
            Ok(SignatureBy { key_id: KeyId(key_id), signature: Signature(input.bytes()?.to_vec()) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Entry {
        Entry {
            timestamp: Millis(1_800_000_000_123),
            links: Links { constitution: Some(LeafIndex(0)), registry: Some(LeafIndex(3)), previous: None },
            payload_type: "application/vnd.claimtrail.claim.v1+json".into(),
            payload: b"{}".to_vec(),
            signatures: vec![SignatureBy { key_id: KeyId([7; 32]), signature: Signature(vec![9; 64]) }],
        }
    }

    #[test]
    fn known_bytes() {
        let expected = format!(
            "86011b000001a3185c507b830003f67828{}427b7d818258 20{}5840{}",
            hex::encode("application/vnd.claimtrail.claim.v1+json"),
            "07".repeat(32),
            "09".repeat(64)
        )
        .replace(' ', "");
        assert_eq!(hex::encode(sample().encode().unwrap()), expected);
    }

    #[test]
    fn other_encodings_of_the_same_entry_are_refused() {
        let good = sample().encode().unwrap();
        // The version in two bytes instead of one.
        let mut long = vec![0x86, 0x18, 0x01];
        long.extend_from_slice(&good[2..]);
        assert_eq!(Entry::decode(&long), Err(BadEntry::NotDeterministic));
        // An array of indefinite length.
        let mut indefinite = good.clone();
        indefinite[0] = 0x9f;
        indefinite.push(0xff);
        assert_eq!(Entry::decode(&indefinite), Err(BadEntry::NotDeterministic));
        // Bytes after the end.
        let mut trailing = good.clone();
        trailing.push(0);
        assert_eq!(Entry::decode(&trailing), Err(BadEntry::NotDeterministic));
        let mut version = good;
        version[1] = 2;
        assert_eq!(Entry::decode(&version), Err(BadEntry::Version(2)));
    }

    #[test]
    fn signatures_are_sorted_and_unique() {
        let mut entry = sample();
        entry.signatures.push(entry.signatures[0].clone());
        assert_eq!(entry.encode(), Err(BadEntry::Signatures));
        entry.signatures[1].key_id = KeyId([6; 32]);
        assert_eq!(entry.encode(), Err(BadEntry::Signatures));
        entry.signatures.reverse();
        let bytes = entry.encode().unwrap();
        assert_eq!(Entry::decode(&bytes), Ok(entry));
    }

    #[test]
    fn a_link_that_could_not_be_read_is_not_written() {
        for link in [MAX_TREE_SIZE, u64::MAX] {
            let links = Links { previous: Some(LeafIndex(link)), ..Links::default() };
            let entry = Entry { links, ..sample() };
            assert!(matches!(entry.encode(), Err(BadEntry::Malformed(_))), "{link}");
        }
        let links = Links { previous: Some(LeafIndex(MAX_TREE_SIZE - 1)), ..Links::default() };
        let entry = Entry { links, ..sample() };
        assert_eq!(Entry::decode(&entry.encode().unwrap()), Ok(entry));
    }

    #[test]
    fn too_long_is_said_with_the_length() {
        let mut entry = sample();
        entry.payload = vec![b'x'; MAX_ENTRY_BYTES];
        assert!(matches!(entry.encode(), Err(BadEntry::TooLong(n)) if n > MAX_ENTRY_BYTES));
    }

    proptest! {
        #[test]
        fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(entry.encode().unwrap(), bytes);
            }
        }

        #[test]
        fn a_flipped_bit_is_another_entry_or_refused(bit in 0usize..8 * 190) {
            let good = sample().encode().unwrap();
            let mut bad = good.clone();
            let byte = bit / 8 % bad.len();
            bad[byte] ^= 1 << (bit % 8);
            if let Ok(entry) = Entry::decode(&bad) {
                prop_assert_ne!(&entry, &sample());
                prop_assert_eq!(entry.encode().unwrap(), bad);
            }
        }

        #[test]
        fn extra_rebuilds_the_entry(timestamp in any::<u64>(), payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut entry = sample();
            entry.timestamp = Millis(timestamp);
            entry.payload = payload.clone();
            let extra = EntryExtra::decode(&EntryExtra::of(&entry).encode()).unwrap();
            prop_assert_eq!(extra.with_payload(entry.payload_type.clone(), payload), entry);
        }
    }
}
