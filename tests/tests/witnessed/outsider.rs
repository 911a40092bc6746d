//! Somebody outside who submits every newest head of a busy log to its witnesses, and is nearer to them than the log.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use client::http::Http;
use client::keyfile;
use client::tiles::{HttpTiles, HttpTree};
use harness::cluster::ORIGIN;
use harness::process::until;
use proto::claim::PAYLOAD_TYPE;
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::merkle::consistency_proof;
use proto::num::TreeSize;
use proto::policy::Policy;
use serde_json::{Value, json};

use super::{Scene, admin, wait};

/// From the log to its witnesses and back takes twice this: several heads of a busy log.
const WAY: Duration = Duration::from_millis(40);

/// A half of δ without a quorum, 30 s, ends the taking of claims; a quorum well before that is what the log owes.
const SOON: Duration = Duration::from_secs(15);

/// A way to this server on which everything takes a while. It ends with the test's process.
fn far_away(url: &str) -> String {
    let (listener, server) = (TcpListener::bind("127.0.0.1:0").unwrap(), url.trim_start_matches("http://").to_owned());
    let far = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(there) = TcpStream::connect(&server) else { continue };
            delayed(near.try_clone().unwrap(), there.try_clone().unwrap());
            delayed(there, near);
        }
    });
    far
}

/// Passes on what comes, each part a while after it came.
fn delayed(mut from: TcpStream, mut to: TcpStream) {
    let (parts, late) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if parts.send((Instant::now() + WAY, buffer[..read].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, part) in late {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&part).is_err() {
                break;
            }
        }
        let _ended = to.shutdown(std::net::Shutdown::Both);
    });
}

/// Submits claims, one after the other, until `stop`; what it heard when one was not taken.
fn submit_on(url: &str, key: &SecretKey, by: &str, stop: &AtomicBool) -> Option<String> {
    let http = Http::new(url).unwrap().with_deadline(Duration::ZERO);
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let claim = json!({
            "type": "support/v1",
            "logs": [{"origin": ORIGIN}],
            "issuer": "acme.example",
            "role": "manufacturer",
            "subject": {"manufacturer": "acme.example", "model": format!("{by}-{number}")},
            "asserted_at": "2027-02-01T12:00:00Z",
            "rel": {"kind": "new"},
            "body": {"security_until": "2031-03"},
        });
        let envelope = Envelope::sign(PAYLOAD_TYPE, claim.to_string().as_bytes(), &[key]).to_json();
        if let Err(error) = wait(http.post("/v1/claims", client::http::ENVELOPE_TYPE, envelope.into(), 1 << 20)) {
            return Some(error.message);
        }
    }
    None
}

/// The outsider: gets the newest head and gives it to all witnesses, again and again. Counts what was cosigned for it.
fn outrun(log: &str, trust: &Policy, witnesses: &[String], cosigned: &AtomicU64, stop: &AtomicBool) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let http = Http::new(log).unwrap();
    let witnesses: Vec<Http> = witnesses.iter().map(|url| Http::new(url).unwrap()).collect();
    let mut sizes = vec![TreeSize(0); witnesses.len()];
    while !stop.load(Ordering::SeqCst) {
        let listed = runtime.block_on(http.get("/v1/heads?limit=1", 1 << 20)).unwrap();
        let listed: Value = serde_json::from_slice(&listed.body).unwrap();
        let note = listed["heads"][0]["checkpoint"].as_str().unwrap();
        let head = trust.check(note.as_bytes()).unwrap().checkpoint;
        let tiles = HttpTiles::new(http.clone(), runtime.handle().clone());
        let tree = HttpTree::open(tiles, head.size(), &head.root()).unwrap();
        for (witness, size) in witnesses.iter().zip(&mut sizes) {
            if *size >= head.size() {
                continue;
            }
            let proof = consistency_proof(&tree, *size, head.size()).unwrap();
            let proof: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
            let body = format!("old {size}\n{proof}\n{note}");
            let asked = witness.post_once("add-checkpoint", "text/plain", body.into(), 1 << 16);
            let reply = runtime.block_on(asked).unwrap();
            match reply.status {
                200 => {
                    *size = head.size();
                    cosigned.fetch_add(1, Ordering::SeqCst);
                }
                409 => *size = TreeSize(String::from_utf8_lossy(&reply.body).trim().parse().unwrap()),
                status => assert_eq!(status, 429, "{}", String::from_utf8_lossy(&reply.body)),
            }
        }
    }
}

#[test]
fn an_outsider_with_every_newest_head_keeps_no_log_from_its_quorum() {
    let (mut scene, mut lines) = Scene::new(3);
    let near: Vec<String> = lines.iter().map(|(_, url)| url.clone()).collect();
    lines.iter_mut().for_each(|(_, url)| *url = far_away(url));
    scene.ask(&lines, 2, "");
    scene.until_shown(2, 2);
    let key = keyfile::load(&scene.path("acme.sign.key")).unwrap();
    let trust = Policy::parse(std::fs::read(scene.log.data().join("trust.policy")).unwrap()).unwrap();
    let (stop, pushed) = (AtomicBool::new(false), AtomicU64::new(0));
    let url = scene.log.url();
    let refused = thread::scope(|scope| {
        let (stop, key, near, trust, pushed) = (&stop, &key, &near, &trust, &pushed);
        // Whatever ends the story ends the others, too.
        let _ends = Ends(stop);
        let outsider = scope.spawn(move || outrun(url, trust, near, pushed, stop));
        let busy: Vec<_> =
            ["A", "B"].into_iter().map(|by| scope.spawn(move || submit_on(url, key, by, stop))).collect();
        until("the outsider is at work", || (pushed.load(Ordering::SeqCst) > 30).then_some(()));
        for round in 0..6 {
            let (newest, since) = (scene.own_size(), Instant::now());
            let shown = until("a head over what there was", || {
                scene.head().filter(|head| head.checkpoint.size().0 >= newest).map(|head| head.quorum.met)
            });
            assert!(shown && since.elapsed() < SOON, "round {round}: {:?}", since.elapsed());
            assert!(!outsider.is_finished() && !busy.iter().any(|busy| busy.is_finished()), "all are at work");
        }
        stop.store(true, Ordering::SeqCst);
        busy.into_iter().filter_map(|busy| busy.join().unwrap()).collect::<Vec<String>>()
    });
    assert_eq!(refused, Vec::<String>::new(), "claims were taken all the time");
    let metrics = wait(Http::new(&format!("http://{}", admin(&scene))).unwrap().get("/metrics", 1 << 20)).unwrap();
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    println!("cosigned for the outsider: {}\n{}", pushed.into_inner(), of_witnesses(&metrics));
    assert!(metrics.contains("outcome=\"ahead\""), "the outsider was faster: {}", of_witnesses(&metrics));
}

fn of_witnesses(metrics: &str) -> String {
    metrics.lines().filter(|line| line.starts_with("claimtrail_witness_outcomes")).map(|l| format!("{l}\n")).collect()
}

/// Ends the work of other threads when it goes away.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
