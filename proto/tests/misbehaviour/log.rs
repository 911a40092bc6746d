//! A log of given entries with its keys, honest or not: heads, proofs, files about it.

use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::dsse::Envelope;
use proto::entry::{Entry, Links};
use proto::hash::Hash;
use proto::merkle::{MemoryTree, consistency_proof, inclusion_proof, root_at};
use proto::misbehaviour::{Alternative, Misbehaviour, ShownEntry, ShownLeaf};
use proto::note::{KeyName, Note, NoteSigner, Vkey};
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};
use serde_json::Value;

use crate::world::*;

/// The log's signer. All keys are test keys.
pub(crate) fn log_signer() -> NoteSigner {
    NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), key("log"))
}

pub(crate) fn time_signer() -> Cosigner {
    Cosigner::new(KeyName::parse(&format!("{ORIGIN}/time")).unwrap(), key("time")).unwrap()
}

pub(crate) fn witness() -> Cosigner {
    Cosigner::new(KeyName::parse("witness.example").unwrap(), key("witness")).unwrap()
}

pub(crate) fn log_key_of() -> Vkey {
    log_signer().vkey().clone()
}

/// A list of entries under the test keys.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Vec<u8>>,
}

impl Log {
    pub(crate) fn of(world: &World) -> Log {
        Log { entries: world.entries.clone() }
    }

    /// A log of entries that are no entries, for what needs hashes alone.
    pub(crate) fn of_texts(texts: &[&str]) -> Log {
        Log { entries: texts.iter().map(|text| text.as_bytes().to_vec()).collect() }
    }

    /// With an entry more, whatever the rules say.
    pub(crate) fn with(mut self, entry: &Entry) -> Log {
        self.entries.push(entry.encode().unwrap());
        self
    }

    pub(crate) fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn entry(&self, index: u64) -> Entry {
        Entry::decode(&self.entries[usize::try_from(index).unwrap()]).unwrap()
    }

    pub(crate) fn tree(&self) -> MemoryTree {
        let mut tree = MemoryTree::new();
        self.entries.iter().for_each(|entry| _ = tree.append(Entry::leaf_hash(entry)));
        tree
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        root_at(&self.tree(), TreeSize(size)).unwrap()
    }

    /// The head of the first `size` entries at `time`, signed by log, time key and witness.
    pub(crate) fn head_at(&self, size: u64, time: u64) -> Note {
        let text = CheckpointText::new(ORIGIN, TreeSize(size), self.root(size)).unwrap();
        let time = Seconds(time);
        let note = text.sign(&[&log_signer()], &[(&time_signer(), time), (&witness(), time)]).unwrap();
        Note::parse(note.as_bytes()).unwrap()
    }

    /// The head of the whole log at the time of its last entry.
    pub(crate) fn head(&self) -> Note {
        let time = Entry::decode(self.entries.last().unwrap()).map_or(START / 1000, |last| last.timestamp.seconds().0);
        self.head_at(self.size(), time)
    }

    /// An entry with its proof in the tree of the first `size`.
    pub(crate) fn shown_at(&self, index: u64, size: u64) -> ShownEntry {
        let proof = inclusion_proof(&self.tree(), LeafIndex(index), TreeSize(size)).unwrap();
        ShownEntry { index: LeafIndex(index), entry: self.entries[usize::try_from(index).unwrap()].clone(), proof }
    }

    pub(crate) fn shown(&self, index: u64) -> ShownEntry {
        self.shown_at(index, self.size())
    }

    pub(crate) fn leaf(&self, index: u64) -> ShownLeaf {
        let shown = self.shown(index);
        ShownLeaf { index: shown.index, leaf: Entry::leaf_hash(&shown.entry), proof: shown.proof }
    }

    pub(crate) fn alternative(&self, size: u64) -> Alternative {
        let proof = consistency_proof(&self.tree(), TreeSize(size), TreeSize(self.size())).unwrap();
        Alternative { root: self.root(size), proof }
    }

    /// The entries that `index` leans on by its links, and these besides with their constitutions.
    pub(crate) fn support(&self, index: u64, besides: &[u64]) -> Vec<ShownEntry> {
        let read = |at: LeafIndex| {
            let bytes = self.entries.get(usize::try_from(at.0).unwrap())?;
            Entry::decode(bytes).ok()
        };
        let mut all = Misbehaviour::supporting_entries(LeafIndex(index), read);
        for at in besides {
            all.insert(LeafIndex(*at));
            all.extend(read(LeafIndex(*at)).and_then(|entry| entry.links.constitution));
        }
        all.remove(&LeafIndex(index));
        all.into_iter().map(|at| self.shown(at.0)).collect()
    }

    /// A file of a broken rule about the entry at `index`.
    pub(crate) fn broken_rule(&self, index: u64, besides: &[u64]) -> Result<Misbehaviour, String> {
        let others = self.support(index, besides);
        Misbehaviour::broken_rule(ORIGIN, &log_key_of(), &self.head(), self.shown(index), others)
            .map_err(|why| why.to_string())
    }

    /// A file of a wrong link of the entry at `index`.
    pub(crate) fn wrong_link(&self, index: u64, besides: &[u64]) -> Result<Misbehaviour, String> {
        let others = self.support(index, besides);
        Misbehaviour::wrong_link(ORIGIN, &log_key_of(), &self.head(), self.shown(index), others)
            .map_err(|why| why.to_string())
    }
}

/// Links by their numbers.
pub(crate) fn links_to(constitution: u64, registry: Option<u64>, previous: Option<u64>) -> Links {
    Links {
        constitution: Some(LeafIndex(constitution)),
        registry: registry.map(LeafIndex),
        previous: previous.map(LeafIndex),
    }
}

/// An entry that a log makes of a claim, right or wrong.
pub(crate) fn entry(claim: &Value, signers: &[&str], time: u64, links: Links) -> Entry {
    of_envelope(World::envelope(claim, signers), time, links)
}

pub(crate) fn of_envelope(envelope: Envelope, time: u64, links: Links) -> Entry {
    Entry {
        timestamp: Millis(time),
        links,
        payload_type: envelope.payload_type,
        payload: envelope.payload,
        signatures: envelope.signatures,
    }
}
