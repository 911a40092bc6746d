//! The operator's side: what keeps a log from starting, said in words that help.

use harness::cluster::LogUnderTest;
use harness::process::run;

use super::{Scene, programs};

/// What `serve` says when it does not start, and its exit code.
fn refused(log: &LogUnderTest) -> (i32, String) {
    let args = ["serve", "log", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let output = run(&log.programs.log, log.path(), &args);
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_policy_that_can_not_be_met_or_is_of_another_log_stops_the_start() {
    let log = LogUnderTest::init(programs());
    let trust = std::fs::read_to_string(log.data().join("trust.policy")).unwrap();
    let config = std::fs::read_to_string(log.data().join("config.toml")).unwrap();
    let file = log.data().join("config.toml");
    for (settings, policy, code, parts) in [
        ("", None, 74, ["witness.policy", "cannot be read"]),
        ("", Some(trust.as_str()), 78, ["witness.policy", "no witness that could be asked"]),
        ("", Some("quorum none\n"), 78, ["witness.policy", "must list this log"]),
        ("every_ms = 0", Some(trust.as_str()), 78, ["witness.every_ms", "3600000"]),
        ("without_quorum = \"ajar\"", Some(trust.as_str()), 78, ["without_quorum", "closed"]),
        ("urgent = true", Some(trust.as_str()), 78, ["witness.urgent", "no such key"]),
    ] {
        std::fs::write(&file, format!("{config}\n[witness]\npolicy = \"w.policy\"\n{settings}\n")).unwrap();
        let path = log.data().join("w.policy");
        match policy {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => assert!(!path.exists()),
        }
        let (exit, said) = refused(&log);
        let found =
            parts.iter().all(|part| said.contains(part) || *part == "witness.policy" && said.contains("w.policy"));
        assert!(exit == code && found, "{settings}: exit {exit}, {said}");
    }
}

#[test]
fn a_policy_other_than_the_constitution_says_is_said_at_the_start() {
    let (mut scene, lines) = Scene::new(1);
    let differs = "the policy has witnesses that the constitution does not name: w0";
    assert!(!scene.log.server().stderr().contains("witnesses: "), "nobody is asked, and nobody was promised");
    scene.ask(&lines, 1, "");
    let said = scene.log.server().stderr();
    assert!(said.lines().any(|line| line.contains("WARN") && line.contains(differs)), "{said}");
}

#[test]
fn a_store_from_an_old_backup_is_not_served_below_what_witnesses_cosigned() {
    let (mut scene, lines) = Scene::new(1);
    scene.ask(&lines, 1, "");
    scene.until_shown(2, 1);
    scene.log.stop();
    let story = scene.log.path().to_owned();
    let copy = |from: &str, to: &str| {
        let done = std::process::Command::new("cp").arg("-a").arg(story.join(from)).arg(story.join(to)).status();
        assert!(done.unwrap().success());
    };
    copy("log/store", "old-store");
    copy("log/signer", "old-signer");
    scene.log.serve_again();
    assert_eq!(scene.promise("CAM-1", &["--wait-witnessed"]).0, 0);
    scene.log.stop();
    for folder in ["store", "signer"] {
        std::fs::remove_dir_all(story.join("log").join(folder)).unwrap();
    }
    copy("old-store", "log/store");
    copy("old-signer", "log/signer");
    // The signer's own record was restored with it, which it must never be; the witnesses know better.
    let (exit, said) = refused(&scene.log);
    assert_eq!(exit, 1, "{said}");
    assert!(said.contains("witnesses have cosigned a head of 3 entries") && said.contains("the store has 2"), "{said}");
}
