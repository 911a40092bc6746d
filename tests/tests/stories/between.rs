//! Somebody between a reader and a log, who holds the log's keys and changes its answers.

use std::sync::Arc;

use client::http::Http;
use harness::cluster::{LogUnderTest, ORIGIN};
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::ed25519::SecretKey;
use proto::entry::Entry;
use proto::hash::Hash;
use proto::merkle::{MemoryTree, root_at};
use proto::note::{KeyName, NoteSigner, PrivateKey};
use proto::num::{LeafIndex, Seconds, TreeSize};
use proto::tile::{Bundle, BundleId, TileId, encode_bundle};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

use crate::evidence::Reader;
use crate::{http, log_with_acme, signed_support};

/// The status and the body.
type Answer = (u16, Vec<u8>);
/// Is told the path, the query and the log's answer, and gives the one that the reader gets.
type Change = dyn Fn(&str, &str, Answer) -> Answer + Send + Sync;

struct Between {
    server: MockServer,
    _runtime: Runtime,
}

impl Between {
    fn start(log: &LogUnderTest, change: impl Fn(&str, &str, Answer) -> Answer + Send + Sync + 'static) -> Between {
        let runtime = Runtime::new().expect("a runtime");
        let passing = Passing { log: log.url().to_owned(), change: Arc::new(change) };
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(matchers::any()).respond_with(passing).mount(&server).await;
            server
        });
        Between { server, _runtime: runtime }
    }
}

struct Passing {
    log: String,
    change: Arc<Change>,
}

impl Respond for Passing {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let (path, query) = (request.url.path(), request.url.query().unwrap_or(""));
        let asked = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        // A thread of its own: this one belongs to a runtime.
        let answer = std::thread::scope(|scope| scope.spawn(|| get(&self.log, &asked)).join().expect("an answer"));
        let (status, body) = (self.change)(path, query, answer);
        ResponseTemplate::new(status).set_body_bytes(body)
    }
}

fn get(url: &str, path: &str) -> Answer {
    const MOST: usize = 16 * 1024 * 1024;
    let http = Http::new(url).expect("an address");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(http.get(path, MOST)) {
        Ok(answer) => (answer.status, answer.body.to_vec()),
        Err(error) => (error.problem.map_or(502, |problem| problem.status), Vec::new()),
    }
}

/// The log's own keys.
struct Keys {
    log: NoteSigner,
    time: Cosigner,
}

impl Keys {
    fn of(log: &LogUnderTest) -> Keys {
        let read = |name: &str| {
            let text = std::fs::read_to_string(log.data().join("keys").join(name)).expect("init wrote it");
            PrivateKey::parse(text.trim_end()).expect("a key")
        };
        match (read("log.key"), read("time.key")) {
            (PrivateKey::Note(log), PrivateKey::Cosigner(time)) => Keys { log, time },
            other => panic!("{other:?}"),
        }
    }

    fn head(&self, size: TreeSize, root: Hash, time: Seconds) -> String {
        let text = CheckpointText::new(ORIGIN, size, root).expect("a head");
        text.sign(&[&self.log], &[(&self.time, time)]).expect("signed")
    }
}

/// Logs that are begun until one begins within a second; on a busy machine a few are needed.
const MOST_TRIES: usize = 50;

/// A log of a few entries, read with the keys that signed it.
struct Read {
    log: LogUnderTest,
    keys: Keys,
    entries: Vec<Vec<u8>>,
    tree: MemoryTree,
}

impl Read {
    /// A log with claims about so many models.
    fn log_of(models: usize) -> Read {
        let log = log_with_acme();
        for model in 0..models {
            signed_support(&log, &format!("CAM-{model}"));
            log.client(&["submit", &format!("CAM-{model}.envelope.json")]);
        }
        let size = TreeSize(2 + models as u64);
        let id = BundleId::at(0, size).expect("it has one");
        let bytes = http(&log, &format!("/{}", id.to_string().trim_start_matches('/')));
        let bundle = Bundle::parse(&bytes, id.width()).expect("a bundle");
        let entries: Vec<Vec<u8>> = bundle.entries().iter().map(|entry| entry.to_vec()).collect();
        let mut tree = MemoryTree::new();
        entries.iter().for_each(|entry| _ = tree.append(Hash::leaf(entry)));
        Read { keys: Keys::of(&log), log, entries, tree }
    }

    /// The same, all of it in one second: a reader goes on in the list at the second of the newest head that he read.
    fn in_one_second(models: usize) -> Read {
        for _ in 0..MOST_TRIES {
            let read = Read::log_of(models);
            let newest: Value = serde_json::from_slice(&http(&read.log, "/v1/heads?limit=1")).expect("JSON");
            let last = newest["heads"][0]["time"].as_u64().expect("a time");
            if read.time(LeafIndex(1)).0 == last {
                return read;
            }
        }
        panic!("{MOST_TRIES} logs took longer than a second each to begin");
    }

    fn size(&self) -> TreeSize {
        self.tree.size()
    }

    fn root(&self, size: TreeSize) -> Hash {
        root_at(&self.tree, size).expect("within the tree")
    }

    /// The time of an entry.
    fn time(&self, index: LeafIndex) -> Seconds {
        Entry::decode(&self.entries[usize::try_from(index.0).expect("a few")]).expect("an entry").timestamp.seconds()
    }

    /// The log with one more head in its list.
    fn with_head(&self, size: TreeSize, root: Hash, signed_at: Seconds, listed_at: Seconds) -> Between {
        let checkpoint = self.keys.head(size, root, signed_at);
        let head = json!({ "time": listed_at, "size": size, "root": root, "checkpoint": checkpoint });
        Between::start(&self.log, move |path, query, answer| match path {
            "/v1/heads" => (answer.0, listed(&answer.1, query, &head)),
            _ => answer,
        })
    }

    /// A reader who audited the honest log, then meets somebody between: what breaks the rules, twice, and the evidence.
    fn met(&self, between: &Between) -> (Vec<String>, Vec<&'static str>) {
        let reader = Reader { log: &self.log, state: "reader", url: self.log.url() };
        let heads = reader.clean()["heads"].as_u64().expect("a number");
        assert!(heads > 0, "an honest log lists its heads");
        let reader = Reader { url: &between.server.uri(), ..reader };
        let breaches = reader.breaches();
        let kept = reader.kept("tampering").iter().map(|file| reader.verify_evidence(file)).collect();
        (breaches, kept)
    }

    /// One who sees nothing but what the one between shows.
    fn fresh(&self, between: &Between) -> Vec<String> {
        Reader { log: &self.log, state: "fresh", url: &between.server.uri() }.breaches()
    }
}

/// The log's list with a head more, at its place; as the log would give it.
fn listed(body: &[u8], query: &str, head: &Value) -> Vec<u8> {
    let after = query.split('&').find_map(|pair| pair.strip_prefix("after=")).expect("read forward");
    let mut page: Value = serde_json::from_slice(body).expect("JSON");
    let heads = page["heads"].as_array_mut().expect("a list");
    if head["time"].as_u64() > after.parse().ok() {
        heads.push(head.clone());
        heads.sort_by_key(|head| (head["time"].as_u64(), head["size"].as_u64()));
    }
    page.to_string().into_bytes()
}

#[test]
fn a_published_head_of_another_tree_is_said_every_time_and_kept() {
    let read = Read::in_one_second(2);
    let other = Hash::leaf(b"another history");
    for size in [TreeSize(2), read.size()] {
        let time = read.time(LeafIndex(size.0 - 1));
        let between = read.with_head(size, other, time, time);
        let (breaches, kept) = read.met(&between);
        assert!(breaches.contains(&"head.fork".to_owned()), "{breaches:?}");
        assert!(kept.contains(&if size == read.size() { "heads" } else { "root" }), "{kept:?}");
        assert!(read.fresh(&between).contains(&"head.fork".to_owned()));
        // The log hides it again: what was found stays found.
        let reader = Reader { log: &read.log, state: "reader", url: read.log.url() };
        assert_eq!(reader.breaches().len(), kept.len());
        for state in ["reader", "fresh"] {
            std::fs::remove_dir_all(read.log.path().join(state)).expect("ours");
        }
    }
}

#[test]
fn a_published_head_with_a_wrong_time_is_said_every_time_and_kept() {
    let read = Read::log_of(2);
    let (size, before) = (read.size(), TreeSize(read.size().0 - 1));
    let later = Seconds(read.time(LeafIndex(before.0)).0 + 1000);
    let too_late = read.with_head(before, read.root(before), later, later);
    assert_eq!(read.met(&too_late), (vec!["head.time".to_owned()], vec!["entry"]), "an entry after it is older");

    let early = Seconds(read.time(LeafIndex(0)).0 - 1000);
    let too_early = read.with_head(size, read.root(size), early, early);
    assert_eq!(read.fresh(&too_early), ["head.time"], "an entry before it is younger");

    let larger = read.with_head(TreeSize(size.0 + 1), Hash::leaf(b"more"), early, early);
    let reader = Reader { log: &read.log, state: "larger", url: &larger.server.uri() };
    assert_eq!(reader.breaches(), ["head.time"], "heads never get smaller");
    assert_eq!(reader.kept("tampering").iter().map(|file| reader.verify_evidence(file)).collect::<Vec<_>>(), ["heads"]);
}

#[test]
fn a_published_head_that_is_not_what_the_list_says_is_said_every_time() {
    let read = Read::log_of(1);
    let (size, time) = (read.size(), read.time(LeafIndex(read.size().0 - 1)));
    let elsewhen = read.with_head(size, read.root(size), time, Seconds(time.0 + 5));
    assert_eq!(read.fresh(&elsewhen), ["head.time"]);

    let stranger =
        Keys { log: NoteSigner::new(KeyName::parse(ORIGIN).expect("a name"), test_key()), ..Keys::of(&read.log) };
    let read = Read { keys: stranger, ..read };
    let unsigned = read.with_head(size, read.root(size), time, time);
    let reader = Reader { log: &read.log, state: "unsigned", url: &unsigned.server.uri() };
    assert_eq!(reader.breaches(), ["head.malformed"]);
}

/// A test key.
fn test_key() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

#[test]
fn another_entry_than_the_signed_one_is_noticed_every_time() {
    let read = Read::log_of(1);
    let mut entries = read.entries.clone();
    entries.swap(1, 2);
    let bundle = encode_bundle(&entries).expect("a bundle");
    let between = Between::start(&read.log, move |path, _, answer| match path {
        path if path.starts_with("/tile/entries/") => (200, bundle.clone()),
        _ => answer,
    });
    let reader = Reader { log: &read.log, state: "reader", url: &between.server.uri() };
    for said in reader.never_clean() {
        assert!(said.contains("serves another entry 1 than the one in its signed tree"), "{said}");
    }
    // Nothing of it was signed, so nothing is evidence, and the honest log is clean.
    Reader { url: read.log.url(), ..reader }.clean();
}

#[test]
fn an_entry_that_breaks_the_rules_is_said_every_time() {
    let read = Read::log_of(1);
    let size = TreeSize(read.size().0 + 1);
    let mut entries = read.entries.clone();
    entries.push(entries[2].clone());
    let leaves: Vec<Hash> = entries.iter().map(|entry| Hash::leaf(entry)).collect();
    let mut tree = MemoryTree::new();
    leaves.iter().for_each(|leaf| _ = tree.append(*leaf));
    let head = read.keys.head(size, root_at(&tree, size).expect("a root"), Seconds(read.time(LeafIndex(2)).0 + 60));
    let tile = TileId::at(0, 0, size).expect("it has one").to_string();
    let bundle = BundleId::at(0, size).expect("it has one").to_string();
    let hashes: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.0).collect();
    let (tile_path, bundle_path) = (rooted(&tile), rooted(&bundle));
    let bundle = encode_bundle(&entries).expect("a bundle");
    let between = Between::start(&read.log, move |path, _, answer| match path {
        "/checkpoint" => (200, head.clone().into_bytes()),
        path if path == tile_path => (200, hashes.clone()),
        path if path == bundle_path => (200, bundle.clone()),
        _ => answer,
    });
    let (breaches, kept) = read.met(&between);
    assert_eq!((breaches, kept), (vec!["entry.duplicate".to_owned()], vec![]));
    assert_eq!(read.fresh(&between), ["entry.duplicate"]);
}

fn rooted(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

#[test]
fn a_head_of_another_trusted_log_is_not_the_one_asked_for() {
    let read = Read::log_of(1);
    let other = NoteSigner::new(KeyName::parse("other.example").expect("a name"), test_key());
    let text = CheckpointText::new("other.example", read.size(), read.root(read.size())).expect("a head");
    let head = text.sign(&[&other], &[]).expect("signed");
    let trust = std::fs::read_to_string(read.log.data().join("trust.policy")).expect("init wrote it");
    let both = format!("log {} https://other.example\n{trust}", other.vkey());
    std::fs::write(read.log.data().join("trust.policy"), both).expect("ours");
    let between = Between::start(&read.log, move |path, _, answer| match path {
        "/checkpoint" => (200, head.clone().into_bytes()),
        _ => answer,
    });
    let reader = Reader { log: &read.log, state: "reader", url: &between.server.uri() };
    for command in ["checkpoint", "audit"] {
        let (code, out, err) = reader.ask(&["--log", ORIGIN, command]);
        assert_eq!(code, Some(1), "{out}{err}");
        assert!(err.contains(&format!("asked for {ORIGIN}, got a head of other.example")), "{err}");
        let (code, out, err) = reader.ask(&["--log", "other.example", command]);
        assert_eq!(code == Some(0), command == "checkpoint", "that log's own head: {out}{err}");
    }
}

#[test]
fn another_entry_than_the_one_asked_for_is_not_shown() {
    let read = Read::log_of(2);
    let other = get(read.log.url(), "/v1/entries/2");
    let between = Between::start(&read.log, move |path, _, answer| match path {
        "/v1/entries/3" => other.clone(),
        _ => answer,
    });
    let reader = Reader { log: &read.log, state: "reader", url: &between.server.uri() };
    for args in [&["show", "3"][..], &["proof", "3", "-o", "three.tlog-proof"]] {
        let (code, out, err) = reader.ask(args);
        assert_eq!(code, Some(1), "{args:?}: {out}{err}");
        assert!(err.contains("asked for entry 3, got the claim of entry 2"), "{err}");
    }
    assert!(!read.log.path().join("three.tlog-proof").exists());
    assert_eq!(reader.ask(&["show", "2"]).0, Some(0));
}
