//! A disk that is full: nothing that was acknowledged is lost, reads go on, and with more room the log does.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use harness::cluster::{LogUnderTest, ORIGIN};
use harness::disk::{SmallDisk, with_own_mounts};
use harness::process::{PATIENCE, until};
use proto::claim::PAYLOAD_TYPE;
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use serde_json::{Value, json};

use crate::bulk_lines::acme_key;
use crate::{audit, check, json as parse, programs};

/// A disk that a few hundred claims fill.
const SMALL: u64 = 16 << 20;
/// The same with more room.
const LARGER: u64 = 24 << 20;
/// Room for all that follows.
const ROOMY: u64 = 96 << 20;
/// More claims than any of these disks holds.
const TOO_MANY: usize = 5_000;

/// A log whose store and record are on a disk of their own. The server must go first, then the mount, then the folder: who
/// takes it apart names them the other way round, since what is bound last is dropped first.
pub(crate) struct OnDisk {
    pub(crate) log: LogUnderTest,
    pub(crate) disk: SmallDisk,
    pub(crate) folder: tempfile::TempDir,
}

impl OnDisk {
    /// Makes the log, moves its data to the disk and enrols Acme.
    pub(crate) fn start(size: u64, reserve: u64) -> OnDisk {
        let mut log = LogUnderTest::init(programs());
        let folder = tempfile::tempdir().expect("a folder");
        let disk = SmallDisk::mount(folder.path(), size);
        for part in ["store", "signer"] {
            let moved = std::process::Command::new("mv").arg(log.data().join(part)).arg(folder.path()).status();
            assert!(moved.expect("mv runs").success());
        }
        let config = log.data().join("config.toml");
        let place = |part: &str| format!("{:?}", folder.path().join(part));
        let text = fs::read_to_string(&config).expect("a configuration");
        let text = text.replace("\"signer/record\"", &place("signer/record"));
        let text = text.replace("\"store\"", &format!("{}\ndisk_reserve_bytes = {reserve}", place("store")));
        fs::write(&config, text).expect("written");
        log.serve();
        log.enrol("acme.example", "acme", "manufacturer", false);
        OnDisk { log, disk, folder }
    }
}

/// An answer: status and body.
struct Answer(u16, Vec<u8>);

impl Answer {
    fn json(&self) -> Value {
        parse(&String::from_utf8_lossy(&self.1))
    }
}

/// One request over a connection of its own, without the patience of the client.
fn ask(log: &LogUnderTest, head: &str, body: &str) -> Answer {
    let address = log.url().strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let length = body.len();
    write!(stream, "{head} HTTP/1.1\r\nhost: log\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
        .expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let status = String::from_utf8_lossy(&answer[9..12]).parse().expect("a status");
    Answer(status, answer.split_off(end))
}

fn post(log: &LogUnderTest, envelope: &Envelope) -> Answer {
    ask(log, "POST /v1/claims", &envelope.to_json())
}

/// A claim of about 20 KiB.
fn large(key: &SecretKey, number: usize) -> Envelope {
    // Digests, so that no compression makes it smaller.
    let digest = |n: usize, part: usize| Hash::of(format!("{number} {n} {part}").as_bytes()).to_base64();
    let uri = |n: usize| (0..40).map(|part| digest(n, part).replace('/', "_")).collect::<String>();
    let doc = |n: usize| json!({"rel": "sbom", "sha256": format!("{n:064x}"), "uri": format!("urn:x:{}", uri(n))});
    let claim = json!({
        "type": "support/v1",
        "logs": [{"origin": ORIGIN}],
        "issuer": "acme.example",
        "role": "manufacturer",
        "subject": {"manufacturer": "acme.example", "model": format!("LARGE-{number}")},
        "asserted_at": "2027-02-01T12:00:00Z",
        "rel": {"kind": "new"},
        "docs": (0..10).map(doc).collect::<Value>(),
        "body": {"security_until": "2031-03"},
    });
    Envelope::sign(PAYLOAD_TYPE, claim.to_string().as_bytes(), &[key])
}

/// Submits claims until one is refused; all before it are acknowledged. The refusal.
fn fill(log: &LogUnderTest, key: &SecretKey, acknowledged: &mut Vec<(Envelope, Value)>) -> Answer {
    for number in acknowledged.len()..TOO_MANY {
        let envelope = large(key, number);
        let answer = post(log, &envelope);
        if answer.0 != 201 {
            return answer;
        }
        acknowledged.push((envelope, answer.json()["index"].clone()));
    }
    panic!("{TOO_MANY} claims did not fill the disk");
}

/// Everything that was shown can be read, again and again. A read that meets the moment of a recovery is told so.
fn reads_go_on(log: &LogUnderTest, acknowledged: &[(Envelope, Value)]) {
    let (_, last) = acknowledged.last().expect("claims were taken");
    for round in 0..20 {
        let (_, index) = &acknowledged[round * acknowledged.len() / 20];
        for path in [
            "/checkpoint".to_owned(),
            "/v1/log".to_owned(),
            "/tile/0/000.p/2".to_owned(),
            "/tile/entries/000.p/2".to_owned(),
            format!("/v1/entries/{index}"),
            format!("/v1/entries/{last}"),
            "/v1/issuers/acme.example".to_owned(),
        ] {
            until(&path, || {
                let answer = ask(log, &format!("GET {path}"), "");
                assert!(matches!(answer.0, 200 | 503), "{path}: {}: {}", answer.0, String::from_utf8_lossy(&answer.1));
                (answer.0 == 200).then_some(())
            });
        }
    }
}

/// Whether a claim is in the log now. If not, its submitter was asked to come again, and nothing worse.
fn taken_or_asked_again(answer: &Answer) -> bool {
    let said = String::from_utf8_lossy(&answer.1);
    match (answer.0, answer.json()["code"].as_str()) {
        (200 | 201, None) => true,
        (503, Some("mode.recovering")) => false,
        other => panic!("{other:?}: {said}"),
    }
}

fn everything_is_there(log: &LogUnderTest, acknowledged: &[(Envelope, Value)]) {
    for (envelope, index) in acknowledged {
        let answer = post(log, envelope);
        assert_eq!((answer.0, &answer.json()["index"]), (200, index), "acknowledged before the disk was full");
    }
}

#[test]
fn a_disk_that_is_really_full_loses_nothing() {
    with_own_mounts("full_disk::a_disk_that_is_really_full_loses_nothing", || {
        // No reserve: the writes themselves fail.
        let OnDisk { folder: _folder, disk, mut log } = OnDisk::start(SMALL, 0);
        let key = acme_key(&log);
        let mut acknowledged = Vec::new();
        let refused = fill(&log, &key, &mut acknowledged);
        println!("full after {} claims: {}", acknowledged.len(), String::from_utf8_lossy(&refused.1));
        assert_eq!((refused.0, &refused.json()["code"]), (503, &json!("mode.recovering")));
        reads_go_on(&log, &acknowledged);
        let again = post(&log, &large(&key, acknowledged.len()));
        assert!(!taken_or_asked_again(&again), "still full: {}", String::from_utf8_lossy(&again.1));

        // Room is made while it runs: it recovers by itself.
        disk.resize(LARGER);
        let next = large(&key, acknowledged.len());
        let receipt = until("the log recovers", || {
            let answer = post(&log, &next);
            taken_or_asked_again(&answer).then(|| answer.json())
        });
        acknowledged.push((next, receipt["index"].clone()));
        everything_is_there(&log, &acknowledged);

        // Full once more, and ended in that state; a start with room finds all of it.
        let before = acknowledged.len();
        let refused = fill(&log, &key, &mut acknowledged);
        println!("full again after {} claims", acknowledged.len());
        assert!(refused.0 == 503 && acknowledged.len() > before);
        log.stop();
        disk.resize(ROOMY);
        log.serve();
        everything_is_there(&log, &acknowledged);
        let next = post(&log, &large(&key, TOO_MANY));
        assert_eq!(next.0, 201, "{}", String::from_utf8_lossy(&next.1));
        assert!(audit(&log) > acknowledged.len() as u64);
        log.stop();
        assert!(check(&log) > acknowledged.len() as u64);
    });
}

#[test]
fn a_disk_reserve_refuses_claims_before_it_is_full() {
    with_own_mounts("full_disk::a_disk_reserve_refuses_claims_before_it_is_full", || {
        /// Free space at which the log takes claims again, and one at which it does not, whatever the smallest reserve.
        const PLENTY: u64 = 1 << 30;
        const SCARCE: u64 = 100 << 20;
        let OnDisk { folder: _folder, disk, mut log } = OnDisk::start(PLENTY, 1);
        let key = acme_key(&log);
        let mut acknowledged = Vec::new();
        for number in 0..20 {
            let envelope = large(&key, number);
            let answer = post(&log, &envelope);
            assert_eq!(answer.0, 201);
            acknowledged.push((envelope, answer.json()["index"].clone()));
        }
        disk.resize(SCARCE);
        let refused = until("the watch sees that room is scarce", || {
            let answer = post(&log, &large(&key, acknowledged.len()));
            match answer.0 {
                503 => Some(answer),
                201 => {
                    acknowledged.push((large(&key, acknowledged.len()), answer.json()["index"].clone()));
                    None
                }
                other => panic!("{other}: {}", String::from_utf8_lossy(&answer.1)),
            }
        });
        let problem = refused.json();
        assert_eq!(problem["code"], "disk.low");
        assert_eq!(problem["detail"], "the log's disk reserve is reached; the operator must make room");
        assert_eq!(ask(&log, "GET /v1/log", "").json()["mode"]["name"], "disk_low");
        reads_go_on(&log, &acknowledged);
        everything_is_there(&log, &acknowledged);
        // Also a start on the full disk refuses claims from its first moment, and takes them when there is room.
        log.stop();
        log.serve();
        let next = large(&key, acknowledged.len());
        assert_eq!(post(&log, &next).json()["code"], "disk.low");
        disk.resize(PLENTY);
        let receipt = until("the watch sees the room", || {
            let answer = post(&log, &next);
            (answer.0 == 201).then(|| answer.json())
        });
        acknowledged.push((next, receipt["index"].clone()));
        everything_is_there(&log, &acknowledged);
        log.stop();
        check(&log);
    });
}
