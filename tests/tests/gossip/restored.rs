//! A witness whose state was put back to an old one asks its peers what it cosigned last, and is cosigned by that or not at all.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use claimtrail_log::testing::{ORIGIN, TestLog, key, number};
use client::api::Api;
use client::http::{Http, encode_segment};
use client::tiles::{HttpTiles, HttpTree};
use harness::process::until;
use harness::watcher::MonitorUnderTest;
use monitor::finding::{What, code};
use monitor::gossip::peer::CosignedAnswer;
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::hash::Hash;
use proto::last_cosigned::{CosignedHead, LastCosigned, Question};
use proto::merkle::consistency_proof;
use proto::note::{KeyName, Note, NoteSigner, Verifier, Vkey};
use proto::num::{Seconds, TreeSize};
use proto::policy::Policy;
use serde::Deserialize;

use super::served::{Served, add, log_of, router, trust};
use super::{free_port, post, programs, wait};

/// A witness, which may ask peers, and its state as it was at some time.
pub(super) struct Witness {
    pub(super) monitor: MonitorUnderTest,
    vkey: String,
    port: u16,
}

impl Witness {
    pub(super) fn new(number: usize, url: &str) -> Witness {
        let (monitor, vkey) = MonitorUnderTest::init_as(programs(), &format!("m{number}.example"), &trust(), url, &[]);
        monitor.configure("[gossip]\nevery_seconds = 1\nanswer_seconds = 2\n");
        Witness { monitor, vkey, port: free_port() }
    }

    pub(super) fn knows(&self, name: &str, vkey: &str, url: &str) {
        self.monitor.configure(&format!("[[peer]]\nname = \"{name}\"\nurl = \"{url}\"\nvkey = \"{vkey}\"\n"));
    }

    pub(super) fn serve(&mut self) {
        self.monitor.serve_at(self.port);
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The same, after a start: nothing is cosigned until the peers were asked.
    pub(super) fn until_cosigned(&self, log: &Served) -> u64 {
        until("it is cosigned", || Some(self.cosign(log)).filter(|(status, _)| *status == 200)).1
    }

    /// Lets it cosign what the log shows; the status and the size.
    pub(super) fn cosign(&self, log: &Served) -> (u16, u64) {
        let note = wait(Api::new(Http::new(&log.url).unwrap()).checkpoint()).unwrap();
        let head = Policy::parse(trust()).unwrap().check(&note).unwrap().checkpoint;
        let old = self.monitor.status()["cosigned"].as_u64().unwrap_or(0);
        let proof =
            if old == 0 || old > head.size().0 { Vec::new() } else { proof(log, old, head.size(), &head.root()) };
        let lines: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
        let body = [format!("old {old}\n{lines}\n").as_bytes(), &note].concat();
        (post(&self.monitor, "/add-checkpoint", body).0, head.size().0)
    }

    /// The size of the last head that `other` cosigned, as this one knows it.
    fn knows_of(&self, other: &Witness) -> Option<u64> {
        let (key, nonce) = (encode_segment(&other.vkey), Hash::of(b"a question"));
        let path = format!("/v1/cosigned?origin={}&key={key}&nonce={nonce}", encode_segment(ORIGIN));
        let answer = wait(Http::new(self.monitor.url()).unwrap().get(&path, 1 << 20)).unwrap();
        let answer: CosignedAnswer = serde_json::from_slice(&answer.body).unwrap();
        // Said under its own key, for this question.
        let asked = Question { origin: ORIGIN.to_owned(), vkey: Vkey::parse(&other.vkey).unwrap(), nonce };
        let own = Verifier::new(&Vkey::parse(&self.vkey).unwrap()).unwrap();
        let said = LastCosigned::verify(answer.statement.unwrap().as_bytes(), &own, &asked).unwrap();
        assert_eq!(said.last.is_some(), answer.checkpoint.is_some());
        said.last.map(|last| last.size.0)
    }

    pub(super) fn database(&self) -> PathBuf {
        self.monitor.path("state/witness.redb")
    }

    fn lose_record(&self) {
        std::fs::remove_dir_all(self.monitor.path("record")).unwrap();
    }

    pub(super) fn why_stopped(&self) -> Option<String> {
        self.monitor.status()["not_cosigned_because"].as_str().map(str::to_owned)
    }

    fn until_resumed(&self, size: u64) {
        until("it is cosigned again", || {
            let status = self.monitor.status();
            (status["not_cosigned_because"].is_null() && status["cosigned"] == size).then_some(())
        });
    }

    /// The codes of what began, in this order; it must be stopped.
    fn began(&self) -> Vec<String> {
        let began = |event: monitor::finding::Event| match event.what {
            What::Began(finding) => Some(finding.code),
            _ => None,
        };
        self.monitor
            .events(ORIGIN)
            .into_iter()
            .filter_map(began)
            .filter(|code| [code::DOUBT, code::RESUMED].contains(&code.as_str()))
            .collect()
    }
}

fn proof(log: &Served, old: u64, size: TreeSize, root: &Hash) -> Vec<Hash> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tiles = HttpTiles::new(Http::new(&log.url).unwrap(), runtime.handle().clone());
    let tree = HttpTree::open(tiles, size, root).unwrap();
    consistency_proof(&tree, TreeSize(old), size).unwrap()
}

/// Three witnesses that know each other's keys; the first one has cosigned 3 entries.
pub(super) fn three(log: &Served) -> [Witness; 3] {
    let mut three = [0, 1, 2].map(|number| Witness::new(number, &log.url));
    for one in 0..3 {
        for other in (0..3).filter(|other| *other != one) {
            let (vkey, url) = (three[other].vkey.clone(), three[other].url());
            three[one].knows(&format!("m{other}.example"), &vkey, &url);
        }
    }
    three.iter_mut().for_each(Witness::serve);
    three[1].monitor.until_checked(3);
    assert_eq!(three[1].knows_of(&three[0]), None, "said in so many words");
    assert_eq!(three[0].until_cosigned(log), 3);
    three
}

fn until_known(by: &[Witness], of: &Witness, size: u64) {
    by.iter().for_each(|peer| until("the cosignature is known", || (peer.knows_of(of) == Some(size)).then_some(())));
}

/// The first one is stopped, what `copied` gives is kept, and it cosigns a larger tree that its peers hear of. Gives the copy.
pub(super) fn goes_on<T>(log: (&TestLog, &Served), three: &mut [Witness; 3], copied: impl Fn(&Witness) -> T) -> T {
    three[0].monitor.stop();
    let copy = copied(&three[0]);
    three[0].serve();
    add(log.0, &["CAM-2", "CAM-3"]);
    assert_eq!(three[0].until_cosigned(log.1), 5);
    until_known(&three[1..], &three[0], 5);
    three[0].monitor.kill();
    copy
}

#[test]
fn with_an_old_database_and_no_record_it_goes_on_from_what_its_peers_know() {
    let one = log_of(&["CAM-1"]);
    let log = Served::new(router(&one));
    let mut three = three(&log);
    let old = goes_on((&one, &log), &mut three, |first| std::fs::read(first.database()).unwrap());
    std::fs::write(three[0].database(), old).unwrap();
    three[0].lose_record();
    three[0].serve();
    three[0].until_resumed(5);
    let lower = b"old 3\n\n".to_vec();
    let note = wait(Api::new(Http::new(&log.url).unwrap()).checkpoint()).unwrap();
    assert_eq!(post(&three[0].monitor, "/add-checkpoint", [lower, note].concat()).0, 409, "never below");
    let path = format!("/{}/checkpoint", Hash::of(ORIGIN.as_bytes()));
    let shown = wait(Http::new(three[0].monitor.url()).unwrap().get(&path, 1 << 20)).unwrap();
    assert!(Note::parse(&shown.body).unwrap().signatures().iter().any(|line| line.name().as_str() == "m0.example"));
    add(&one, &["CAM-4"]);
    assert_eq!(three[0].cosign(&log), (200, 6));
    until_known(&three[1..], &three[0], 6);
    three[0].monitor.stop();
    assert_eq!(three[0].began(), ["witness.doubt", "witness.resumed"]);
    // It is over for good: nothing is in doubt after a restart.
    three[0].serve();
    three[0].until_resumed(6);
    three[0].monitor.stop();
    assert_eq!(three[0].began(), ["witness.doubt", "witness.resumed"]);
}

#[test]
fn one_answer_is_not_enough_and_it_says_what_to_do() {
    let one = log_of(&["CAM-1"]);
    let log = Served::new(router(&one));
    let mut three = three(&log);
    let old = goes_on((&one, &log), &mut three, |first| std::fs::read(first.database()).unwrap());
    std::fs::write(three[0].database(), old).unwrap();
    three[0].lose_record();
    three[2].monitor.stop();

    let (code, said) = three[0].monitor.run(&["resume-origin", ORIGIN, "--ask-peers"]);
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("1 of 2 peers") && said.contains("2 are needed") && said.contains("m2.example"), "{said}");
    three[0].serve();
    let why = until("it was asked", || three[0].why_stopped().filter(|why| why.contains("The peers were asked")));
    assert!(why.contains("2 are needed") && why.contains("resume-origin"), "{why}");
    assert_eq!(three[0].cosign(&log).0, 503);
    let open = super::open(&three[0].monitor.status());
    assert!(open.iter().any(|open| open == code::DOUBT), "{open:?}");
    // The other one comes back, and that is enough.
    three[2].serve();
    three[0].until_resumed(5);
    until("the finding is over", || super::open(&three[0].monitor.status()).is_empty().then_some(()));
    three[0].monitor.stop();
    assert_eq!(three[0].began(), ["witness.doubt", "witness.resumed"]);
}

#[test]
fn the_command_asks_as_well() {
    let one = log_of(&["CAM-1"]);
    let log = Served::new(router(&one));
    let mut three = three(&log);
    let (_, said) = three[1].monitor.run(&["resume-origin", ORIGIN, "--ask-peers"]);
    assert!(said.contains("in use") || said.contains("cannot be"), "while it runs: {said}");
    let old = goes_on((&one, &log), &mut three, |first| std::fs::read(first.database()).unwrap());
    std::fs::write(three[0].database(), old).unwrap();
    let (code, said) = three[0].monitor.run(&["resume-origin", ORIGIN, "--ask-peers"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("goes on from the head of 5 entries"), "{said}");
    let (code, said) = three[0].monitor.run(&["resume-origin", ORIGIN, "--ask-peers"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Nothing is changed"), "{said}");
}

/// The first of three goes on, and is then put back to what it was before: database and record agree, and both are old.
pub(super) fn put_back(log: (&TestLog, &Served), three: &mut [Witness; 3]) {
    let aside = tempfile::tempdir().unwrap();
    goes_on(log, three, |first| {
        copy_folder(&first.monitor.path("record"), &aside.path().join("record"));
        std::fs::copy(first.database(), aside.path().join("witness.redb")).unwrap();
    });
    copy_folder(&aside.path().join("record"), &three[0].monitor.path("record"));
    std::fs::copy(aside.path().join("witness.redb"), three[0].database()).unwrap();
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn a_whole_machine_that_was_put_back_is_noticed_by_its_peers() {
    let one = log_of(&["CAM-1"]);
    let log = Served::new(router(&one));
    let mut three = three(&log);
    put_back((&one, &log), &mut three);
    three[0].serve();
    three[0].until_resumed(5);
    three[0].monitor.stop();
    assert_eq!(three[0].began(), ["witness.doubt", "witness.resumed"]);
}

#[derive(Deserialize)]
struct AskedOf {
    key: String,
    nonce: String,
}

/// A peer that signs, as if it were the highest, the first own cosignature that it was shown.
fn liar(seed: u8) -> (String, Router) {
    let liar = Cosigner::new(KeyName::parse("liar.example").unwrap(), key(seed)).unwrap();
    let vkey = liar.vkey().to_string();
    let first: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let answer = async move |State(first): State<Arc<Mutex<Option<Vec<u8>>>>>,
                             Query(asked): Query<AskedOf>|
                -> Response {
        let Some(note) = first.lock().unwrap().clone() else { return StatusCode::NOT_FOUND.into_response() };
        let vkey = Vkey::parse(&asked.key).unwrap();
        let question =
            Question { origin: ORIGIN.to_owned(), vkey: vkey.clone(), nonce: Hash::from_hex(&asked.nonce).unwrap() };
        let verified = Note::parse(&note).unwrap().verify(&[Verifier::new(&vkey).unwrap()]).unwrap();
        let head = CheckpointText::parse(verified.text()).unwrap();
        let time = verified.signature_by(&vkey).unwrap().time().unwrap();
        let last = Some(CosignedHead { size: head.size(), root: head.root(), time });
        let statement = LastCosigned { question, last, at: Seconds(1) }.sign(&liar).unwrap();
        let checkpoint = Some(String::from_utf8(note).unwrap());
        axum::Json(CosignedAnswer { checkpoint, statement: Some(statement) }).into_response()
    };
    let take = async |State(first): State<Arc<Mutex<Option<Vec<u8>>>>>, body: axum::body::Bytes| {
        first.lock().unwrap().get_or_insert(body.to_vec());
        StatusCode::NO_CONTENT
    };
    (vkey, Router::new().route("/v1/cosigned", axum::routing::get(answer).post(take)).with_state(first))
}

#[test]
fn a_liar_is_outvoted_and_garbage_is_no_answer() {
    let one = log_of(&["CAM-1"]);
    let log = Served::new(router(&one));
    let (liar_key, liar) = liar(number::ACME_SIGN);
    let liar = Served::new(liar);
    let garbage = Served::new(Router::new().fallback(async || "<html>Please log in</html>"));
    let garbage_key = Cosigner::new(KeyName::parse("garbage.example").unwrap(), key(number::OPERATOR)).unwrap();
    let mut two = [0, 1].map(|number| Witness::new(number, &log.url));
    let [first, honest] = &mut two;
    honest.knows("m0.example", &first.vkey, &first.url());
    first.knows("m1.example", &honest.vkey, &honest.url());
    first.knows("liar.example", &liar_key, &liar.url);
    first.knows("garbage.example", &garbage_key.vkey().to_string(), &garbage.url);
    first.serve();
    honest.serve();
    honest.monitor.until_checked(3);
    assert_eq!(first.until_cosigned(&log), 3);
    until_known(std::slice::from_ref(honest), first, 3);
    add(&one, &["CAM-2"]);
    assert_eq!(first.cosign(&log), (200, 4));
    until_known(std::slice::from_ref(honest), first, 4);
    first.monitor.kill();

    // Database and record are lost: what the liar says is not below anything that is left.
    std::fs::remove_file(first.database()).unwrap();
    first.lose_record();
    honest.monitor.stop();
    first.serve();
    let why = until("it was asked", || first.why_stopped().filter(|why| why.contains("The peers were asked")));
    assert!(why.contains("1 of 3 peers") && why.contains("garbage.example"), "the liar alone is not enough: {why}");
    honest.serve();
    first.until_resumed(4);
    add(&one, &["CAM-3"]);
    assert_eq!(first.cosign(&log), (200, 5));
}

/// A head that the log and these keys signed.
fn head(size: u64, log: u8, cosigners: &[(&Cosigner, Seconds)]) -> String {
    let log = NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), key(log));
    let text = CheckpointText::new(ORIGIN, TreeSize(size), Hash::of(&size.to_be_bytes())).unwrap();
    text.sign(&[&log], cosigners).unwrap()
}

#[test]
fn every_bad_cosigned_head_and_question_has_its_answer() {
    let log = Served::new(router(&log_of(&["CAM-1"])));
    let mut asked = Witness::new(0, &log.url);
    let peer = Cosigner::new(KeyName::parse("peer.example").unwrap(), key(number::ACME_SIGN)).unwrap();
    let stranger = Cosigner::new(KeyName::parse("stranger.example").unwrap(), key(number::ACME_ADMIN)).unwrap();
    asked.knows("peer.example", &peer.vkey().to_string(), "http://127.0.0.1:9");
    asked.serve();
    let (at, later) = (Seconds(1000), Seconds(1001));
    let good = head(1000, number::LOG, &[(&peer, at)]);
    let many: String = (0..8).map(|n| format!("\u{2014} w{n}.example AAAAAAE=\n")).collect();
    for (body, status) in [
        (String::new(), 400),
        ("nonsense".to_owned(), 400),
        (good.replace(ORIGIN, "other.example"), 404),
        (good.replace("\n1000\n", "\n1001\n"), 403),
        (head(1000, number::OPERATOR, &[(&peer, at)]), 403),
        (head(1000, number::LOG, &[]), 403),
        (head(1000, number::LOG, &[(&stranger, at)]), 403),
        (format!("{good}{many}"), 403),
        ("x".repeat(64 * 1024 + 1), 413),
        (good.clone(), 204),
        (head(1000, number::LOG, &[(&peer, later), (&stranger, at)]), 204),
        (head(900, number::LOG, &[(&peer, later)]), 204),
    ] {
        let (found, said) = post(&asked.monitor, "/v1/cosigned?from=peer.example", body.clone());
        assert_eq!(found, status, "{}: {said}", &body[..body.len().min(80)]);
    }
    let origin = encode_segment(ORIGIN);
    let (known, other) = (encode_segment(&peer.vkey().to_string()), encode_segment(&stranger.vkey().to_string()));
    let nonce = Hash::of(b"a question");
    for (query, status) in [
        (String::new(), 400),
        (format!("origin={origin}&key={known}"), 400),
        (format!("origin={origin}&key={known}&nonce={nonce}&nonce={nonce}"), 400),
        (format!("origin={origin}&key=x&nonce={nonce}"), 400),
        (format!("origin={origin}&key={known}&nonce=00"), 400),
        (format!("origin=other.example&key={known}&nonce={nonce}"), 404),
        (format!("origin={origin}&key={other}&nonce={nonce}"), 404),
    ] {
        let path = format!("/v1/cosigned?{query}");
        let error = wait(Http::new(asked.monitor.url()).unwrap().get(&path, 1 << 20)).unwrap_err();
        assert_eq!(error.problem.map(|problem| problem.status), Some(status), "{path}");
    }
    // What was taken survives a power cut: the largest head, at its latest time, without the stranger's line.
    asked.monitor.kill();
    asked.serve();
    let path = format!("/v1/cosigned?origin={origin}&key={known}&nonce={nonce}");
    let answer = wait(Http::new(asked.monitor.url()).unwrap().get(&path, 1 << 20)).unwrap();
    let answer: CosignedAnswer = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.checkpoint, Some(head(1000, number::LOG, &[(&peer, later)])));
    asked.monitor.stop();
}
