//! The entries of a log, made one after the other: by the log's own rules, or past them where an animal strays.

use std::collections::HashMap;

use claimtrail_log::testing::{ORIGIN, acme, constitution, key, number, support};
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::dsse::Envelope;
use proto::entry::{Entry, Links};
use proto::fold::{Submission, check_signatures, decide};
use proto::hash::Hash;
use proto::merkle::{MemoryTree, root_at};
use proto::note::{KeyName, NoteSigner};
use proto::num::{Millis, Seconds, TreeSize};
use proto::policy::TIME_KEY_SUFFIX;

/// How long before now a script begins: its heads are fresh, and there is room for what happens in it.
const BEGINS_BEFORE_MS: u64 = 120_000;

/// The trust file of every log of the zoo: all have the same origin and the same test keys.
pub fn trust() -> Vec<u8> {
    let (log, time) = signers();
    format!("log {}\nwitness log-time {}\nquorum none\n", log.vkey(), time.vkey()).into_bytes()
}

/// The log's signers. Both are test keys.
pub(super) fn signers() -> (NoteSigner, Cosigner) {
    let log = NoteSigner::new(name(ORIGIN), key(number::LOG));
    let time = Cosigner::new(name(&format!("{ORIGIN}{TIME_KEY_SUFFIX}")), key(number::TIME));
    (log, time.expect("a test key"))
}

fn name(text: &str) -> KeyName {
    KeyName::parse(text).expect("the test origin is a key name")
}

/// A head that the log published.
#[derive(Debug, Clone)]
pub struct Published {
    /// The time it is listed under.
    pub time: Seconds,
    /// Its size.
    pub size: TreeSize,
    /// Its root.
    pub root: Hash,
    /// The signed note.
    pub note: String,
}

/// A log under way. Copies go on apart from each other, which is what a fork is.
#[derive(Debug, Clone)]
pub struct Script {
    /// The log's clock.
    pub now: Millis,
    /// Its entries.
    pub entries: Vec<Vec<u8>>,
    /// The heads that it published, the oldest first.
    pub heads: Vec<Published>,
    tree: MemoryTree,
    state: HashMap<Vec<u8>, Vec<u8>>,
}

impl Script {
    /// A log before its first entry, shortly before `now`.
    pub fn empty(now: Millis) -> Script {
        Script {
            now: Millis(now.0 - BEGINS_BEFORE_MS),
            entries: Vec::new(),
            heads: Vec::new(),
            tree: MemoryTree::new(),
            state: HashMap::new(),
        }
    }

    /// A log with its constitution, the manufacturer Acme and its promise for CAM-1, and a head of these.
    pub fn begun(now: Millis) -> Script {
        let mut script = Script::empty(now);
        script.take(constitution());
        script.take(acme());
        script.promise("CAM-1");
        script.publish();
        script
    }

    /// Time passes.
    pub fn pass(&mut self, seconds: u64) {
        self.now.0 += seconds * 1000;
    }

    /// A claim becomes an entry by the rules, a second after the last thing that happened.
    ///
    /// # Panics
    /// When the rules refuse it.
    pub fn take(&mut self, envelope: Envelope) {
        self.pass(1);
        let submission = Submission::from_envelope(envelope).expect("a claim by its form");
        let checked = check_signatures(submission, &self.state).expect("signed by known keys");
        let index = self.tree.size().next_index();
        let decision = decide(index, self.now, &checked, &self.state).expect("the rules take it");
        let entry = checked.encode_entry(self.now, decision.links).expect("it fits");
        self.state.extend(decision.changes.state);
        self.force(entry);
    }

    /// Acme promises support for a model.
    pub fn promise(&mut self, model: &str) {
        self.take(support(model, "2031-03"));
    }

    /// The claim as an entry of now with these links, whatever the rules say to it.
    pub fn entry(&self, envelope: Envelope, links: Links) -> Entry {
        let Envelope { payload_type, payload, mut signatures } = envelope;
        signatures.sort();
        Entry { timestamp: self.now, links, payload_type, payload, signatures }
    }

    /// The entry at an index.
    pub fn decoded(&self, index: usize) -> Entry {
        Entry::decode(&self.entries[index]).expect("an entry of this script")
    }

    /// Bytes become an entry, whatever they are. The rules know nothing of them.
    pub fn force(&mut self, bytes: Vec<u8>) {
        self.force_leaf(Hash::leaf(&bytes), bytes);
    }

    /// The same under a leaf hash that is not theirs.
    pub fn force_leaf(&mut self, leaf: Hash, bytes: Vec<u8>) {
        self.tree.append(leaf);
        self.entries.push(bytes);
    }

    /// How many entries there are.
    pub fn size(&self) -> TreeSize {
        self.tree.size()
    }

    /// The tree.
    pub fn tree(&self) -> &MemoryTree {
        &self.tree
    }

    /// The root that the tree has at a size.
    pub fn root(&self, size: TreeSize) -> Hash {
        root_at(&self.tree, size).expect("within the tree")
    }

    /// A signed head of the first `size` entries.
    pub fn head(&self, size: TreeSize, time: Seconds) -> Published {
        let root = self.root(size);
        let (log, clock) = signers();
        let text = CheckpointText::new(ORIGIN, size, root).expect("a head");
        let note = text.sign(&[&log], &[(&clock, time)]).expect("test keys sign");
        Published { time, size, root, note }
    }

    /// A second later, signs a head of all entries and lists it.
    pub fn publish(&mut self) {
        self.pass(1);
        self.heads.push(self.head(self.size(), self.now.seconds()));
    }
}
