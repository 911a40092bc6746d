//! The other direction: values made of the input, written, and read again. What we can make, everyone can read.

use arbitrary::{Result, Unstructured};
use proto::checkpoint::CheckpointText;
use proto::claim::{ClaimId, PAYLOAD_TYPE};
use proto::dsse::Envelope;
use proto::entry::{Entry, EntryExtra, Links};
use proto::hash::Hash;
use proto::merkle::{MemoryTree, inclusion_proof, root_at, verify_inclusion};
use proto::note::{KeyName, Note, SignatureType, Vkey};
use proto::num::{LeafIndex, Millis, TreeSize};
use proto::receipt::Receipt;
use proto::tile::{Bundle, BundleId, TileId, TilePath, encode_bundle};
use proto::tlog_proof::TlogProof;

use crate::seeds;

/// Leaves of a tree that is made for a proof: enough for every shape of two levels of a path.
const MAX_LEAVES: u64 = 40;

pub(crate) fn formats(data: &[u8]) {
    // Input that ends too soon makes no value; the next input is another one.
    let _made = all(&mut Unstructured::new(data));
}

fn all(input: &mut Unstructured<'_>) -> Result<()> {
    match input.int_in_range(0..=5)? {
        0 => vkey(input),
        1 => checkpoint(input),
        2 => entry(input).map(drop),
        3 => proofs(input),
        4 => bundle(input),
        _ => tile_names(input),
    }
}

fn hash(input: &mut Unstructured<'_>) -> Result<Hash> {
    Ok(Hash(input.arbitrary()?))
}

fn vkey(input: &mut Unstructured<'_>) -> Result<()> {
    let Ok(name) = KeyName::parse(input.arbitrary()?) else { return Ok(()) };
    let Some(kind) = SignatureType::from_byte(input.arbitrary()?) else { return Ok(()) };
    if let Ok(vkey) = Vkey::new(name, kind, input.arbitrary()?) {
        assert_eq!(Vkey::parse(&vkey.to_string()).as_ref(), Ok(&vkey));
    }
    Ok(())
}

fn checkpoint(input: &mut Unstructured<'_>) -> Result<()> {
    let origin: &str = input.arbitrary()?;
    let (size, root) = (TreeSize(input.arbitrary()?), hash(input)?);
    let Ok(made) = CheckpointText::new(origin, size, root) else { return Ok(()) };
    assert_eq!(CheckpointText::parse(&made.to_string()).as_ref(), Ok(&made));
    assert_eq!((made.origin(), made.size(), made.root()), (origin, size, root), "it says what it was made of");
    assert!(made.extensions().is_empty());
    if let Ok(signed) = made.sign(&[&seeds::log_signer()], &[]) {
        // A good signature under a good key is not enough: readers want it under the origin's own name.
        assert!(Note::parse(signed.as_bytes()).is_ok());
        assert_eq!(seeds::policy().check(signed.as_bytes()).is_ok(), origin == seeds::ORIGIN);
    }
    Ok(())
}

fn links(input: &mut Unstructured<'_>) -> Result<Links> {
    let mut link = || Ok(input.arbitrary::<Option<u64>>()?.map(LeafIndex));
    Ok(Links { constitution: link()?, registry: link()?, previous: link()? })
}

fn entry(input: &mut Unstructured<'_>) -> Result<Option<Entry>> {
    let keys = [seeds::key("acme"), seeds::key("acme admin"), seeds::key("other")];
    let signers = &keys[..input.int_in_range(1..=3)?];
    let (timestamp, links) = (Millis(input.arbitrary()?), links(input)?);
    let payload: &[u8] = input.arbitrary()?;
    let payload_type = if input.ratio(7, 8)? { PAYLOAD_TYPE } else { input.arbitrary()? };
    let signed = Envelope::sign(payload_type, payload, &signers.iter().collect::<Vec<_>>());
    let made = Entry {
        timestamp,
        links,
        payload_type: signed.payload_type,
        payload: signed.payload,
        signatures: signed.signatures,
    };
    let Ok(bytes) = made.encode() else { return Ok(None) };
    assert_eq!(Entry::decode(&bytes).as_ref(), Ok(&made));
    let extra = EntryExtra::of(&made);
    assert_eq!(EntryExtra::decode(&extra.encode()).as_ref(), Ok(&extra));
    Ok(Some(made))
}

/// A tree around an entry: the receipt and the offline proof rebuild it and lead to the root.
fn proofs(input: &mut Unstructured<'_>) -> Result<()> {
    let size = input.int_in_range(1..=MAX_LEAVES)?;
    let index = LeafIndex(input.int_in_range(0..=size - 1)?);
    let Some(entry) = entry(input)? else { return Ok(()) };
    let leaf = Entry::leaf_hash(&entry.encode().expect("it was encoded before"));
    let mut tree = MemoryTree::new();
    for n in 0..size {
        tree.append(if n == index.0 { leaf } else { Hash::leaf(&n.to_be_bytes()) });
    }
    let root = root_at(&tree, tree.size()).expect("the tree has this size");
    let inclusion = inclusion_proof(&tree, index, tree.size()).expect("the leaf is in the tree");
    assert!(verify_inclusion(index, tree.size(), leaf, &inclusion, &root).is_ok());
    let other = LeafIndex((index.0 + 1) % size);
    assert!(size == 1 || verify_inclusion(other, tree.size(), leaf, &inclusion, &root).is_err());
    let text = CheckpointText::new(seeds::ORIGIN, tree.size(), root).expect("a checkpoint");
    let checkpoint = text.sign(&[&seeds::log_signer()], &[]).expect("the log signs its own head");
    let receipt = Receipt {
        origin: seeds::ORIGIN.to_owned(),
        claim_id: ClaimId::of(&entry.payload_type, &entry.payload),
        index,
        timestamp: entry.timestamp,
        links: entry.links,
        signatures: entry.signatures.clone(),
        inclusion,
        checkpoint,
    };
    // JSON has no numbers beyond 2^53, and a receipt says nothing of another payload type.
    let Ok(read) = Receipt::parse(receipt.to_json().as_bytes()) else { return Ok(()) };
    assert_eq!(read, receipt);
    if entry.payload_type == PAYLOAD_TYPE {
        assert_eq!(read.entry(&entry.payload).ok().as_ref(), Some(&entry));
    }
    let proof = receipt.to_tlog_proof().expect("a receipt is a proof");
    assert_eq!(TlogProof::parse(proof.to_string().as_bytes()).as_ref(), Ok(&proof));
    let included = proof.verify(leaf, &seeds::policy()).expect("the proof leads to the root");
    assert_eq!(included.index, index);
    assert!(proof.verify(Hash::leaf(b"another leaf"), &seeds::policy()).is_err());
    Ok(())
}

fn bundle(input: &mut Unstructured<'_>) -> Result<()> {
    let entries: Vec<&[u8]> = input.arbitrary()?;
    let Ok(bytes) = encode_bundle(&entries) else { return Ok(()) };
    let Ok(width) = u16::try_from(entries.len()) else { return Ok(()) };
    if (1..=256).contains(&width) {
        let read = Bundle::parse(&bytes, width).expect("a bundle that we made");
        assert_eq!(read.entries(), entries);
    }
    assert!(Bundle::parse(&bytes, width + 1).is_err(), "one entry is missing");
    Ok(())
}

fn tile_names(input: &mut Unstructured<'_>) -> Result<()> {
    let (level, index, width) = (input.arbitrary()?, input.arbitrary()?, input.int_in_range(0..=257)?);
    if let Ok(tile) = TileId::new(level, index, width) {
        assert_eq!(tile.to_string().parse(), Ok(TilePath::Tile(tile)));
    }
    if let Ok(bundle) = BundleId::new(index, width) {
        assert_eq!(bundle.to_string().parse(), Ok(TilePath::Entries(bundle)));
    }
    Ok(())
}
