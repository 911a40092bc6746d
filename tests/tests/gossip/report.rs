//! `claimtrail report`: a client hands in what it was shown.

use harness::process::run;
use harness::watcher::MonitorUnderTest;

use super::served::{Served, add, log_of, router, trust};
use super::{loose_head, programs, until_evidence};

#[test]
fn what_a_client_was_shown_convicts_the_log_at_its_monitor() {
    let (one, other) = (log_of(&["CAM-1"]), log_of(&["CAM-1"]));
    let (here, there) = (Served::new(router(&one)), Served::new(router(&other)));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), &here.url, false);
    monitor.serve();
    add(&one, &["CAM-2"]);
    monitor.until_checked(4);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("trust.policy", &trust());
    let client = |args: &[&str]| {
        let output = run(&programs().client, folder.path(), &[&["--trust", "trust.policy"], args].concat());
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let report = |files: &[&str]| client(&[&["report", "--monitor", monitor.url()], files].concat());

    // What is remembered of the honest side is known; what nobody can tie yet waits.
    let (code, said) = report(&[]);
    assert_eq!(code, Some(64), "there is nothing yet: {said}");
    assert_eq!(client(&["--url", &here.url, "checkpoint"]).0, Some(0));
    let (code, said) = report(&[]);
    assert!(code == Some(0) && said.contains("known"), "{said}");
    write("loose.note", loose_head(1000).as_bytes());
    let (code, said) = report(&["loose.note"]);
    assert!(code == Some(0) && said.contains("waits"), "{said}");
    write("nonsense", b"nonsense");
    assert_eq!(report(&["nonsense"]).0, Some(2));
    let (code, said) = client(&["report", "--monitor", "http://127.0.0.1:1", "loose.note"]);
    assert_eq!(code, Some(69), "{said}");

    // The other history is shown to this client: as a receipt, it is enough.
    add(&other, &["CAM-X"]);
    let note = super::wait(client::api::Api::new(client::http::Http::new(&there.url).unwrap()).checkpoint()).unwrap();
    let receipt = serde_json::json!({ "checkpoint": String::from_utf8(note).unwrap() });
    write("x.receipt.json", receipt.to_string().as_bytes());
    let (code, said) = client(&["--json", "report", "--monitor", monitor.url(), "x.receipt.json"]);
    assert!(code == Some(1) && said.contains("contradicts"), "{said}");
    until_evidence(&monitor);

    // What the client itself found and kept is evidence by itself.
    let (code, said) = client(&["--url", &there.url, "checkpoint"]);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = report(&[]);
    assert!(code == Some(1) && said.contains("evidence"), "{said}");
    monitor.stop();
}
