//! `serve`: from configuration to shutdown.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use claimtrail_log::testing::{acme, support};
use client::files::{Access, Existing};
use proto::policy::Policy;

use crate::support::{Serving, TestFolder, body_of};

#[test]
fn a_log_is_made_served_and_stopped() {
    let folder = TestFolder::with_log();
    let server = Serving::start(&folder);
    let trust = Policy::parse(std::fs::read(folder.log().join("trust.policy")).unwrap()).unwrap();
    let checkpoint = server.get("/checkpoint");
    let checked = trust.check(body_of(&checkpoint, 200).as_bytes()).expect("signed by the log");
    assert_eq!(checked.checkpoint.size().0, 1);
    for (envelope, status) in
        [(support("CAM-1", "2031-03"), 403), (acme(), 201), (support("CAM-1", "2031-03"), 201), (acme(), 200)]
    {
        let answer = server.post(&envelope);
        body_of(&answer, status);
    }
    assert_eq!(body_of(&server.get_admin("/readyz"), 200), "{\"mode\":\"normal\",\"ready\":true}");
    let metrics = server.get_admin("/metrics");
    for line in [
        "claimtrail_tree_size 3",
        "claimtrail_queue_claims 0",
        "claimtrail_mode{mode=\"normal\"} 1",
        "claimtrail_mode{mode=\"frozen\"} 0",
        "claimtrail_claims_created_total 2",
        "claimtrail_claims_repeated_total 1",
        "claimtrail_claims_refused_total{code=\"key.unknown\"} 1",
        "claimtrail_batch_claims_count",
        "claimtrail_head_age_seconds",
        "claimtrail_disk_free_bytes",
        "claimtrail_store_bytes{part=\"entries\"}",
        "claimtrail_http_requests_total",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    folder.run(&["check", "log"]).expect(69, &["in use by another process"]);
    folder.run(&["serve", "log"]).expect(69, &["in use by another process"]);
    // A second server goes by nothing that the first one still writes: without the store it never looks at the record.
    let (record, aside) = (folder.log().join("signer/record"), folder.path().join("aside"));
    std::fs::rename(&record, &aside).unwrap();
    folder.run(&["serve", "log"]).expect(69, &["in use by another process"]);
    std::fs::rename(&aside, &record).unwrap();
    assert!(server.stop().success());
    folder.run(&["check", "log", "--json"]).expect(0, &["\"ok\":true", "\"size\":3", "\"difference\":null"]);
    // And again: the same log goes on.
    let server = Serving::start(&folder);
    body_of(&server.post(&support("CAM-1", "2031-03")), 200);
    assert!(server.stop().success());
}

#[test]
fn the_second_signal_ends_at_once() {
    let folder = TestFolder::with_log();
    let server = Serving::start(&folder);
    // A request that is never sent to its end keeps the server waiting.
    let mut half = TcpStream::connect(&server.public).unwrap();
    half.write_all(b"POST /v1/claims HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\n{\"payload").unwrap();
    body_of(&server.get("/checkpoint"), 200);
    server.signal("TERM");
    // Not ready any more says that the first signal was taken.
    let deadline = std::time::Instant::now() + crate::support::DEADLINE;
    while !server.get_admin("/readyz").contains("stopping") {
        assert!(std::time::Instant::now() < deadline, "the signal is not taken");
    }
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(143));
    drop(half);
    folder.run(&["check", "log"]).expect(0, &[]);
}

#[test]
fn a_read_only_log_says_why() {
    let folder = TestFolder::with_log();
    let config = folder.log().join("config.toml");
    let text = format!("read_only = \"moving house\"\n{}", std::fs::read_to_string(&config).unwrap());
    client::files::write(&config, text.as_bytes(), Access::Public, Existing::Replace).unwrap();
    let server = Serving::start(&folder);
    let answer = server.post(&acme());
    let problem = body_of(&answer, 503);
    assert!(problem.contains("mode.read_only") && problem.contains("moving house"), "{problem}");
    body_of(&server.get("/checkpoint"), 200);
    body_of(&server.get_admin("/readyz"), 200);
    assert!(server.stop().success());
}

#[test]
fn what_cannot_be_configured_is_said_with_its_place() {
    let folder = TestFolder::with_log();
    let config = folder.log().join("config.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    let with = |text: String| {
        client::files::write(&config, text.as_bytes(), Access::Public, Existing::Replace).unwrap();
        folder.run(&["serve", "log"])
    };
    with(format!("{good}reserve = 3\n")).expect(78, &["config.toml, line", "store.reserve", "no such key"]);
    with(good.replace("keys/log.key", "keys/time.key")).expect(78, &["time.key", "type 01"]);
    with(good.replace("log.example/test", "log.example/other")).expect(78, &["log.example/other"]);
    client::files::write(&config, good.as_bytes(), Access::Public, Existing::Replace).unwrap();
    folder.run(&["serve", "nowhere"]).expect(78, &["nowhere/config.toml", "claimtrail-log init"]);
    let key = folder.log().join("keys/log.key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    folder.run(&["serve", "log"]).expect(78, &["chmod 600"]);
}

#[test]
fn an_address_in_use_is_said() {
    let folder = TestFolder::with_log();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    folder.run(&["serve", "log", "--listen", &address]).expect(69, &[&address, "listen.address"]);
    folder.run(&["serve", "log", "--admin", &address]).expect(69, &[&address, "listen.admin"]);
}

#[test]
fn an_older_store_is_never_signed_again() {
    let folder = TestFolder::with_log();
    let copied = std::process::Command::new("cp")
        .args(["-a", "log/store", "backup"])
        .current_dir(folder.path())
        .status()
        .expect("cp runs");
    assert!(copied.success());
    folder.grow(&[acme()]);
    std::fs::remove_dir_all(folder.log().join("store")).unwrap();
    std::fs::rename(folder.path().join("backup"), folder.log().join("store")).unwrap();
    folder.run(&["serve", "log"]).expect(1, &["backup that is too old"]);
    folder.run(&["check", "log"]).expect(1, &["the signer's record", "backup that is too old"]);
    std::fs::remove_file(folder.log().join("signer/record")).unwrap();
    folder.run(&["serve", "log"]).expect(74, &["signer/record", "never signs again"]);
}
