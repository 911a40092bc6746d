//! A witness that cosigned a log's heads and falls silent.

use claimtrail_log::testing::{START_MS, key};
use harness::process::until;
use harness::watcher::MonitorUnderTest;
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::note::KeyName;
use proto::num::Seconds;

use super::served::{Served, changed, log_of, router, trust};
use super::{add_config, alerts_in, file_of, programs, to_file, until_in};

/// A witness with a test key that no test log uses.
fn witness() -> Cosigner {
    Cosigner::new(KeyName::parse("other.example/witness").unwrap(), key(200)).unwrap()
}

fn cosign(note: &mut Vec<u8>) {
    let whole = String::from_utf8(note.clone()).unwrap();
    let (text, _) = whole.split_once("\n\n").unwrap();
    let head = CheckpointText::parse(&format!("{text}\n")).unwrap();
    let signed = head.sign(&[], &[(&witness(), Seconds(START_MS / 1000))]).unwrap();
    note.extend_from_slice(signed.split_once("\n\n").unwrap().1.as_bytes());
}

#[test]
fn a_witness_that_falls_silent_is_told_and_so_is_its_return() {
    let test = log_of(&["CAM-1"]);
    let alone = Served::new(router(&test));
    let cosigned = Served::new(changed(router(&test), "/checkpoint", cosign));
    let policy = String::from_utf8(trust()).unwrap();
    let policy = policy.replace("quorum", &format!("witness other {}\nquorum", witness().vkey()));
    let mut monitor = MonitorUnderTest::init(programs(), policy.as_bytes(), &cosigned.url, false);
    let folder = tempfile::tempdir().unwrap();
    let file = file_of(&folder);
    add_config(&monitor, &format!("{}[poll]\nsilent_after_seconds = 2\n", to_file("page", &file)));
    let (code, status) = monitor.once();
    assert_eq!((code, &status["checked"]), (0, &3.into()), "{status:#}");

    monitor.point_to(&alone.url);
    monitor.serve();
    let told = until_in(&file, 1);
    assert_eq!(
        [&told[0]["code"], &told[0]["class"], &told[0]["kind"]],
        ["witness.silent", "degraded", "began"],
        "{told:#?}"
    );
    assert!(told[0]["message"].as_str().unwrap().contains("other.example/witness"), "{told:#?}");
    monitor.stop();
    monitor.point_to(&cosigned.url);
    monitor.serve();
    let told = until("the end of it", || Some(alerts_in(&file)).filter(|alerts| alerts.len() > 1));
    assert_eq!([&told[1]["kind"], &told[1]["finding"]], ["ended", "witness.silent:other.example/witness"], "{told:#?}");
    monitor.stop();
}
