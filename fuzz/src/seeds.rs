//! The test keys of the targets, and the seeds from which a corpus grows: one good input or more for every target.
//!
//! `cargo run -p claimtrail-fuzz --bin fuzz-seeds` writes them to `fuzz/corpus`; a test sees that they are there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;

use proto::checkpoint::CheckpointText;
use proto::claim::{ClaimId, ClaimType, PAYLOAD_TYPE, strip_comments, template};
use proto::code::Code;
use proto::cosignature::Cosigner;
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::entry::{Entry, EntryExtra, Links};
use proto::hash::Hash;
use proto::import::Makers;
use proto::last_cosigned::{CosignedHead, LastCosigned, Question};
use proto::merkle::{MemoryTree, inclusion_proof, root_at};
use proto::misbehaviour::{Misbehaviour, ShownEntry};
use proto::note::{KeyName, Note, NoteSigner, PrivateKey, Verifier};
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};
use proto::policy::Policy;
use proto::receipt::Receipt;
use proto::statement::Refusal;
use proto::tile::encode_bundle;
use proto::unavailable::Unavailable;

/// The origin of the log in the seeds.
pub const ORIGIN: &str = "log.example/fuzz";

/// The claim in the seeds.
pub const PAYLOAD: &[u8] = br#"{"type":"support/v1","logs":[{"origin":"log.example/fuzz"}],"issuer":"acme.example",
"role":"manufacturer","subject":{"manufacturer":"acme.example","model":"CAM-3"},"asserted_at":"2027-02-01T12:00:00Z",
"rel":{"kind":"new"},"body":{"security_until":"2031-03"}}"#;

/// A test key, never to be used outside tests: its seed is the hash of its name.
pub fn key(name: &str) -> SecretKey {
    thread_local! {
        // Making a key costs as much as a signature.
        static KEYS: RefCell<HashMap<String, SecretKey>> = RefCell::default();
    }
    let make = || SecretKey::from_seed(&Hash::of(format!("claimtrail fuzz test key {name}").as_bytes()).0);
    KEYS.with_borrow_mut(|keys| keys.entry(name.to_owned()).or_insert_with(make).clone())
}

fn name(text: &str) -> KeyName {
    KeyName::parse(text).expect("a key name")
}

/// The log's signer, under a test key.
pub fn log_signer() -> NoteSigner {
    NoteSigner::new(name(ORIGIN), key("log"))
}

/// What checks the signatures of a signer.
pub fn verifier(signer: &NoteSigner) -> Verifier {
    Verifier::new(signer.vkey()).expect("a test key is a good key")
}

fn witness() -> Cosigner {
    Cosigner::new(name("witness.example"), key("witness")).expect("a witness")
}

/// What checks the witness's signatures.
pub fn witness_verifier() -> Verifier {
    Verifier::new(witness().vkey()).expect("a test key is a good key")
}

/// What a witness that lost its state asks; the seeds answer it under the witness's own test key.
pub fn question() -> Question {
    Question { origin: ORIGIN.to_owned(), vkey: witness().vkey().clone(), nonce: Hash::of(b"chance") }
}

/// Answers to it: a head, and none.
fn answers() -> [LastCosigned; 2] {
    let head = CosignedHead { size: TreeSize(7), root: Hash::of(b"root"), time: Seconds(1_800_000_000) };
    [Some(head), None].map(|last| LastCosigned { question: question(), last, at: Seconds(1_800_000_100) })
}

fn unavailable() -> Unavailable {
    let (origin, root) = (ORIGIN.to_owned(), Hash::of(b"root"));
    Unavailable { origin, size: TreeSize(9), root, since: Seconds(1_800_000_000), at: Seconds(1_800_086_400) }
}

/// A reader's policy: the log, and one witness that it must have.
pub fn policy() -> Policy {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    POLICY.get_or_init(|| Policy::parse(policy_text()).expect("a policy")).clone()
}

fn policy_text() -> String {
    let (log, witness) = (log_signer().vkey().to_string(), witness().vkey().to_string());
    format!("log {log} https://log.example/\nwitness w1 {witness}\ngroup all all w1\ngroup some 1 all\nquorum some\n")
}

/// The built-in table of makers, made once.
pub fn makers() -> &'static Makers {
    static MAKERS: OnceLock<Makers> = OnceLock::new();
    MAKERS.get_or_init(Makers::replay)
}

/// A log of five entries, made once.
struct Log {
    entries: Vec<Vec<u8>>,
    head: String,
    proof: String,
    receipt: String,
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| make_log().expect("the seeds are good"))
}

fn entry(n: u64) -> Entry {
    let signed = Envelope::sign(PAYLOAD_TYPE, PAYLOAD, &[&key("acme"), &key("acme admin")][..1 + usize::from(n == 4)]);
    Entry {
        timestamp: Millis(1_801_483_200_000 + n),
        links: Links {
            constitution: (n > 0).then_some(LeafIndex(0)),
            registry: (n > 1).then_some(LeafIndex(1)),
            previous: (n > 2).then(|| LeafIndex(n - 1)),
        },
        payload_type: PAYLOAD_TYPE.to_owned(),
        payload: PAYLOAD.to_vec(),
        signatures: signed.signatures,
    }
}

fn make_log() -> Result<Log, Box<dyn std::error::Error>> {
    let mut tree = MemoryTree::new();
    let mut entries = Vec::new();
    for n in 0..5 {
        let bytes = entry(n).encode()?;
        tree.append(Entry::leaf_hash(&bytes));
        entries.push(bytes);
    }
    let text = CheckpointText::new(ORIGIN, tree.size(), root_at(&tree, tree.size())?)?;
    let head = text.sign(&[&log_signer()], &[(&witness(), Seconds(1_801_483_260))])?;
    let last = entry(4);
    let receipt = Receipt {
        origin: ORIGIN.to_owned(),
        claim_id: ClaimId::of(PAYLOAD_TYPE, PAYLOAD),
        index: LeafIndex(4),
        timestamp: last.timestamp,
        links: last.links,
        signatures: last.signatures,
        inclusion: inclusion_proof(&tree, LeafIndex(4), tree.size())?,
        checkpoint: head.clone(),
    };
    Ok(Log { entries, head, proof: receipt.to_tlog_proof()?.to_string(), receipt: receipt.to_json() })
}

/// The signed head of the log in the seeds.
pub fn head() -> &'static str {
    &log().head
}

/// The leaf hash of the last entry of the log in the seeds.
pub fn leaf() -> Hash {
    Entry::leaf_hash(&log().entries[4])
}

/// Proven files: a fork by the log and by its witness, and a link that points ahead in an entry of the seeds' log.
fn accusations() -> Result<Vec<Misbehaviour>, Box<dyn std::error::Error>> {
    let fork = |root: &[u8]| -> Result<Note, Box<dyn std::error::Error>> {
        let text = CheckpointText::new(ORIGIN, TreeSize(5), Hash::of(root))?;
        Ok(Note::parse(text.sign(&[&log_signer()], &[(&witness(), Seconds(1_801_483_260))])?.as_bytes())?)
    };
    let (one, other) = (fork(b"one")?, fork(b"other")?);
    let mut wrong = entry(1);
    wrong.links.registry = Some(LeafIndex(7));
    let mut tree = MemoryTree::new();
    let entries = [entry(0).encode()?, wrong.encode()?];
    entries.iter().for_each(|bytes| _ = tree.append(Entry::leaf_hash(bytes)));
    let text = CheckpointText::new(ORIGIN, tree.size(), root_at(&tree, tree.size())?)?;
    let head = Note::parse(text.sign(&[&log_signer()], &[])?.as_bytes())?;
    let [first, wrong] = entries;
    let shown = |index: u64, entry| -> Result<ShownEntry, Box<dyn std::error::Error>> {
        let index = LeafIndex(index);
        Ok(ShownEntry { index, entry, proof: inclusion_proof(&tree, index, tree.size())? })
    };
    let key = log_signer().vkey().clone();
    Ok(vec![
        Misbehaviour::same_size(ORIGIN, &key, [&one, &other])?,
        Misbehaviour::same_size(ORIGIN, witness().vkey(), [&one, &other])?,
        Misbehaviour::wrong_link(ORIGIN, &key, &head, shown(1, wrong)?, vec![shown(0, first)?])?,
    ])
}

/// The heads in the proven files of the seeds.
pub(crate) fn accusing_heads() -> &'static [Vec<u8>] {
    static HEADS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    HEADS.get_or_init(|| {
        let files = accusations().expect("the seeds are good");
        files.iter().flat_map(|file| file.heads().iter().map(Note::to_bytes)).collect()
    })
}

/// The templates of all claim types, as claims.
fn claims() -> Vec<Vec<u8>> {
    let templates = ClaimType::KNOWN.iter().map(|claim_type| strip_comments(&template(claim_type)).into_bytes());
    templates.chain([PAYLOAD.to_vec()]).collect()
}

/// Every seed with the name of its target.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    let log = log();
    let checkpoint = log.head.split("\n\n").next().map(|text| format!("{text}\n")).unwrap_or_default();
    let lines = log.head.split("\n\n").nth(1).unwrap_or_default();
    let refusal = Refusal {
        origin: ORIGIN.to_owned(),
        claim_id: ClaimId::of(PAYLOAD_TYPE, PAYLOAD),
        code: Code::KeyUnknown,
        time: Millis(1_801_483_200_000),
    };
    let private = PrivateKey::Note(log_signer());
    let envelope = Envelope::sign(PAYLOAD_TYPE, PAYLOAD, &[&key("acme"), &key("acme admin")]).to_json();
    let bundle = encode_bundle(&log.entries).unwrap_or_default();
    let mut seeds: Vec<(&str, Vec<u8>)> = vec![
        ("bundle", [&[5][..], &bundle].concat()),
        ("bundle", [&[3][..], &[7; 96]].concat()),
        ("checkpoint", checkpoint.clone().into()),
        ("checkpoint", format!("{checkpoint}an extension line\n").into()),
        ("cosignature", lines.into()),
        ("cosignature", log.head.clone().into()),
        ("csaf", CSAF.into()),
        ("dsse", envelope.into()),
        ("entry", log.entries[0].clone()),
        ("entry", log.entries[4].clone()),
        ("entry", EntryExtra::of(&entry(4)).encode()),
        ("firmware", FIRMWARE.into()),
        ("fold", (0..=255).collect()),
        ("fold", (0..1024u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap_or(0)).collect()),
        ("formats", (0..512u32).map(|n| u8::try_from(n.wrapping_mul(40_503) >> 7 & 255).unwrap_or(0)).collect()),
        ("json", br#"{"a":[1,-2.5,1e3,true,null,"\u00e9\n"],"b":{"c":9007199254740992}}"#.to_vec()),
        ("json", template(&ClaimType::Support).into()),
        ("makers", br#"{"ACME":"acme.example"," acme  corp":"acme.example","Other":"other.example"}"#.to_vec()),
        ("note", log.head.clone().into()),
        ("policy", policy_text().into()),
        ("policy", format!("# nobody\nlog {}\nquorum none\n", log_signer().vkey()).into()),
        ("receipt", log.receipt.clone().into()),
        ("statement", refusal.sign(&log_signer()).unwrap_or_default().into()),
        ("statement", refusal.text().into()),
        ("statement", answers()[0].sign(&witness()).unwrap_or_default().into()),
        ("statement", answers()[1].sign(&witness()).unwrap_or_default().into()),
        ("statement", unavailable().sign(&witness()).unwrap_or_default().into()),
        ("statement", unavailable().text().into()),
        ("tile_path", b"tile/0/x001/x234/067".to_vec()),
        ("tile_path", b"tile/entries/x001/000.p/7".to_vec()),
        ("tlog_proof", log.proof.clone().into()),
        ("vkey", log_signer().vkey().to_string().into()),
        ("vkey", witness().vkey().to_string().into()),
        ("vkey", private.to_secret_text().as_bytes().to_vec()),
    ];
    let files = accusations().unwrap_or_default().into_iter();
    seeds.extend(files.map(|file| ("misbehaviour", file.to_text().into_bytes())));
    seeds.extend(claims().into_iter().map(|claim| ("claim", claim)));
    seeds
}

/// The name of a seed's file: the same bytes are one file.
pub fn file_name(bytes: &[u8]) -> String {
    let digest = Hash::of(bytes).to_string();
    format!("seed-{}", digest.get(..16).unwrap_or_default())
}

/// An advisory of our own with something of everything that the importer reads.
const CSAF: &str = include_str!("seed-csaf.json");

/// Firmware sightings of our own.
const FIRMWARE: &str = concat!(
    r#"{"first_seen":"2027-02-04T18:11:50+01:00","vendor_dir":"A","manufacturerCode":4476,"imageType":1,"#,
    r#""fileVersion":36832016,"fileSize":134487,"sha512":"#,
    "\"abababababababababababababababababababababababababababababababab",
    "abababababababababababababababababababababababababababababababab\"",
    r#","url":"https://fw.example/a.ota"}"#,
    "\n",
    r#"{"manufacturerCode":9,"imageType":2,"fileVersion":7,"modelId":"Bulb","sha512":"#,
    "\"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
    "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\"}\n",
);
