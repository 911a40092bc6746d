//! A real log whose only witness is dead, in `open` mode: who follows it with that witness in the trust file is told.

use harness::process::until;
use harness::watcher::MonitorUnderTest;

use super::{Scene, programs};

#[test]
fn a_quorum_that_does_not_come_within_delta_is_degraded_until_it_comes() {
    let (mut scene, lines) = Scene::founded(1, &["--delta-seconds", "1"]);
    scene.ask(&lines, 1, "without_quorum = \"open\"\ntimeout_ms = 300");
    scene.until_shown(2, 1);
    let policy = std::fs::read(scene.log.data().join("witness.policy")).unwrap();
    let watcher = MonitorUnderTest::init(programs(), &policy, scene.log.url(), false);
    let (code, status) = watcher.once();
    assert_eq!((code, &status["checked"]), (0, &2.into()), "{status:#}");

    scene.monitors[0].stop();
    // Each claim gives a head of its time, by which the first one has waited longer.
    let mut number = 0;
    let status = until("a promise broken", || {
        number += 1;
        assert_eq!(scene.promise(&format!("CAM-{number}"), &[]).0, 0);
        Some(watcher.once()).filter(|(code, _)| *code != 0)
    });
    let open = status.1["open"].as_array().unwrap();
    let codes: Vec<&str> = open.iter().map(|open| open["finding"]["code"].as_str().unwrap()).collect();
    assert_eq!((status.0, codes), (13, vec!["head.unwitnessed"]), "{:#}", status.1);

    scene.monitors[0].serve_again();
    scene.until_shown(2 + number, 1);
    let (code, status) = watcher.once();
    assert_eq!(code, 0, "{status:#}");
}
