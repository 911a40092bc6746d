//! In the place of witnesses: one that never answers, one that answers nonsense, one with another key. They cost a log
//! nothing but its trust in them.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use harness::process::until;

use super::Scene;

/// Takes connections and reads them, and answers with these bytes, or never. It ends with the test's process.
fn stranger(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { continue };
            if let Some(answer) = answer {
                // The request is small: one read has its head, and its body may be left.
                let _read = connection.read(&mut [0; 65_536]);
                let _written = connection.write_all(answer.as_bytes());
            }
            held.push(connection);
        }
    });
    url
}

const NONSENSE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nnonsense\n";

#[test]
fn nobody_who_did_not_ask_waits_for_a_witness_that_never_answers() {
    let (mut scene, mut lines) = Scene::new(1);
    lines.push((foreign_key(&scene), stranger(None)));
    // Whoever waited for this witness would do so for ten minutes, and the client would have given up after one.
    scene.ask(&lines, 2, "timeout_ms = 600000\nwait_seconds = 1");
    for number in 0..3 {
        let (code, said) = scene.promise(&format!("CAM-{number}"), &[]);
        assert_eq!(code, 0, "{said}");
    }
    assert_eq!(scene.own_size(), 5);
    assert!(scene.head().is_none(), "no head has met the quorum, and none is shown");
    let (code, said) = scene.promise("CAM-9", &["--wait-witnessed"]);
    assert_eq!(code, 75, "{said}");
}

#[test]
fn what_is_not_signed_with_the_key_of_the_policy_is_never_published() {
    let (mut scene, mut lines) = Scene::new(3);
    // Of five, two answer well; one is another witness than the policy says, one answers nonsense, one is not there.
    lines[2].0 = foreign_key(&scene);
    lines.push((foreign_key(&scene), stranger(Some(NONSENSE))));
    lines.push((foreign_key(&scene), "http://127.0.0.1:1".to_owned()));
    scene.ask(&lines, 2, "");
    assert_eq!(scene.promise("CAM-1", &[]).0, 0);
    let shown = scene.until_shown(3, 2);
    assert_eq!(shown.quorum.cosigned, 2);
    assert_eq!(shown.checkpoint.note().lines().len(), 4, "the log, its time and two witnesses");
    let said = until("the three are named", || {
        let said = scene.log.server().stderr();
        ["w2", "w3", "w4"].iter().all(|name| said.contains(name)).then_some(said)
    });
    assert!(said.contains("is not a cosignature by the key in the policy"), "{said}");
    assert_eq!(scene.promise("CAM-2", &["--wait-witnessed"]).0, 0);
    scene.until_shown(4, 2);
    let said = scene.log.server().stderr();
    for name in ["w2", "w3", "w4"] {
        let warned = said.lines().filter(|line| line.contains("does not cosign") && line.contains(name)).count();
        assert_eq!(warned, 1, "{name}: once, not every round: {said}");
    }
}

/// The vkey of a witness that nobody runs.
fn foreign_key(scene: &Scene) -> String {
    let trust = std::fs::read(scene.log.data().join("trust.policy")).unwrap();
    let name = format!("foreign{}.example", FOREIGN.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    harness::watcher::MonitorUnderTest::init_as(super::programs(), &name, &trust, scene.log.url(), &[]).1
}

static FOREIGN: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
