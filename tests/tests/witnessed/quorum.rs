//! Three monitors of which two are enough: cosigned heads, one that is down, all that are down, and restarts of everybody.

use client::http::Http;

use super::{Scene, admin, wait};

#[test]
fn a_receipt_with_a_quorum_is_proven_offline_and_survives_a_dead_witness() {
    let (mut scene, lines) = Scene::new(3);
    scene.ask(&lines, 2, "");
    scene.until_shown(2, 3);
    let (code, said) = scene.promise("CAM-1", &["--wait-witnessed"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("of the 3 witnesses of your trust file"), "{said}");
    scene.monitors[0].kill();
    let (code, said) = scene.promise("CAM-2", &["--wait-witnessed"]);
    assert_eq!(code, 0, "{said}");
    let shown = scene.until_shown(4, 2);
    assert!(shown.quorum.met && shown.log_time.is_some());

    // Everything from here on is offline.
    std::fs::write(scene.path("head"), shown.checkpoint.to_bytes()).unwrap();
    scene.log.stop();
    let (code, said) = scene.client(&["verify", "CAM-1.receipt.json", "CAM-2.receipt.json"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = scene.client(&["policy", "check", "log/witness.policy", "head"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("2 of 3 witnesses, 2 needed: met"), "{said}");
}

#[test]
fn closed_shows_the_last_quorum_through_restarts_and_goes_on_when_witnesses_are_back() {
    let (mut scene, lines) = Scene::new(3);
    scene.ask(&lines, 2, "wait_seconds = 1");
    scene.until_shown(2, 3);
    scene.monitors[0].stop();
    scene.monitors[1].kill();
    let (code, said) = scene.promise("CAM-1", &[]);
    assert_eq!(code, 0, "nobody waits who did not ask: {said}");
    assert_eq!(scene.client(&["verify", "CAM-1.receipt.json"]).0, 3, "consistent, and the policy is not met");
    let (code, said) = scene.promise("CAM-2", &["--wait-witnessed"]);
    assert_eq!(code, 75, "{said}");
    assert!(said.contains("is in the log (entry 3)") && said.contains("again"), "{said}");
    assert!(scene.path("CAM-2.receipt.json").exists(), "the receipt under the log's own head is kept");
    assert_eq!((scene.own_size(), scene.head().unwrap().checkpoint.size().0), (4, 2));

    // Nothing goes back when the log starts again, at its leisure or after a power cut.
    scene.log.stop();
    scene.log.serve_again();
    assert_eq!(scene.head().unwrap().checkpoint.size().0, 2);
    scene.log.kill();
    scene.log.serve_again();
    assert_eq!(scene.head().unwrap().checkpoint.size().0, 2);
    assert_eq!(scene.own_size(), 4);

    // A witness that was killed says which size it knows, and is given the proof from there.
    scene.monitors[1].serve_again();
    let (code, said) = scene.client(&["--retry-for", "60", "submit", "CAM-2.envelope.json", "--wait-witnessed"]);
    if code == 75 {
        // It was left alone for longer than the client waits; then the head comes by itself.
        scene.until_shown(4, 2);
        let (code, said) = scene.client(&["submit", "CAM-2.envelope.json", "--wait-witnessed"]);
        assert_eq!(code, 0, "{said}");
    } else {
        assert_eq!(code, 0, "{said}");
    }
    assert_eq!(scene.client(&["verify", "CAM-2.receipt.json"]).0, 0);
    assert!(scene.until_shown(4, 2).quorum.met);
}

#[test]
fn open_shows_the_newest_head_with_what_it_has() {
    let (mut scene, lines) = Scene::new(2);
    scene.ask(&lines, 2, "without_quorum = \"open\"\ntimeout_ms = 1000");
    scene.until_shown(2, 2);
    scene.monitors[0].stop();
    assert_eq!(scene.promise("CAM-1", &[]).0, 0);
    let shown = scene.until_shown(3, 1);
    assert!(!shown.quorum.met && shown.quorum.cosigned == 1);
    scene.monitors[0].serve_again();
    assert!(scene.until_shown(3, 2).quorum.met);
    let metrics = wait(Http::new(&format!("http://{}", admin(&scene))).unwrap().get("/metrics", 1 << 20)).unwrap();
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    for name in ["witness_asked_total{witness=\"w0\"}", "witness_age_seconds{witness=\"w1\"}", "cosigned_tree_size 3"] {
        assert!(metrics.contains(&format!("claimtrail_{name}")), "{name} in {metrics}");
    }
}
