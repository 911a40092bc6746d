//! A real log whose only witness is dead, in `open` mode: who follows it with that witness in the trust file is told.

use harness::process::until;
use harness::watcher::MonitorUnderTest;
use serde_json::Value;

use super::{Scene, programs};

#[test]
fn a_quorum_that_does_not_come_within_delta_is_degraded_until_it_comes() {
    let (mut scene, lines) = Scene::founded(1, &["--delta-seconds", "1"]);
    scene.ask(&lines, 1, "without_quorum = \"open\"\ntimeout_ms = 300");
    scene.until_shown(2, 1);
    let policy = std::fs::read(scene.log.data().join("witness.policy")).unwrap();
    let mut watcher = MonitorUnderTest::init(programs(), &policy, scene.log.url(), false);
    let (code, status) = watcher.once();
    assert_eq!((code, &status["checked"]), (0, &2.into()), "{status:#}");
    watcher.serve();
    until("a look of its own", || watcher.status()["last_success"].as_u64().map(|_| ()));

    scene.monitors[0].stop();
    // Each claim gives a head of its time, by which the first one has waited longer. Who looks all the time has missed no quorum.
    let mut number = 0;
    let status = until("a promise broken", || {
        number += 1;
        assert_eq!(scene.promise(&format!("CAM-{number}"), &[]).0, 0);
        Some(watcher.status()).filter(|status| !open(status).is_empty())
    });
    assert_eq!(open(&status), ["head.unwitnessed"], "{status:#}");

    scene.monitors[0].serve_again();
    scene.until_shown(2 + number, 1);
    until("a quorum", || open(&watcher.status()).is_empty().then_some(()));
    watcher.stop();
}

/// The codes of what is open.
fn open(status: &Value) -> Vec<String> {
    let open = status["open"].as_array().unwrap();
    open.iter().map(|open| open["finding"]["code"].as_str().unwrap().to_owned()).collect()
}
