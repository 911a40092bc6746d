//! `claimtrail import` as a person runs it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a test writes plain files and stops at the first surprise"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proto::claim::{Body, Claim, ClaimId, PAYLOAD_TYPE};
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::note::{KeyName, NoteSigner};

/// A folder with a trust file and a key; both are for tests.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let desk = Desk { folder: tempfile::tempdir().unwrap() };
        let signer = NoteSigner::new(KeyName::parse("log.example").unwrap(), SecretKey::from_seed(&[1; 32]));
        desk.write("trust", format!("log {} http://127.0.0.1:9\nquorum none\n", signer.vkey()));
        assert!(desk.run(&["key", "new", "key"]).status.success());
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claimtrail"));
        command.current_dir(&self.folder).env("CLAIMTRAIL_TRUST", "trust").env("CLAIMTRAIL_STATE", "state");
        command.args(arguments).output().unwrap()
    }

    /// An import with a fixed time.
    fn import(&self, arguments: &[&str]) -> Output {
        let fixed = ["--issuer", "replay.watch.example", "--asserted-at", "2027-01-01T00:00:00Z"];
        self.run(&[&["import"], arguments, &fixed].concat())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn row(version: u32, digest: &str) -> String {
    format!(
        "{{\"first_seen\":\"2023-01-01T00:00:00Z\",\"vendor_dir\":\"IKEA\",\"manufacturerCode\":4476,\"imageType\":1,\
         \"fileVersion\":{version},\"fileSize\":7,\"sha512\":\"{}\",\"url\":\"https://fw.example/{version}\"}}\n",
        digest.repeat(64)
    )
}

#[test]
fn rows_become_payloads_or_envelopes_and_the_same_bytes_each_time() {
    let desk = Desk::new();
    desk.write("rows.jsonl", row(1, "ab") + &row(1, "ab") + &row(2, "cd") + "{}\n");
    let out = desk.import(&["firmware", "rows.jsonl", "-o", "-", "--replay"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let payloads = text(&out.stdout);
    let claims: Vec<Claim> = payloads.lines().map(|line| Claim::parse(line.as_bytes()).unwrap()).collect();
    assert_eq!(claims.len(), 2);
    assert_eq!(claims[0].logs[0].origin.as_str(), "log.example");
    assert_eq!(claims[0].subject.as_ref().unwrap().manufacturer.to_string(), "replay.ikea.example");
    assert!(matches!(&claims[1].body, Body::Release(body) if body.version == "2"));
    let said = text(&out.stderr);
    assert!(said.contains("refused: rows.jsonl: line 4:") && said.contains("seen again"), "{said}");

    let signed = ["firmware", "rows.jsonl", "-o", "out.ndjson", "--replay", "-k", "key", "--report", "report.json"];
    let out = desk.import(&signed);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let first = std::fs::read(desk.path("out.ndjson")).unwrap();
    for (line, payload) in text(&first).lines().zip(payloads.lines()) {
        assert_eq!(Envelope::parse(line.as_bytes()).unwrap().payload, payload.as_bytes());
    }
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(desk.path("report.json")).unwrap()).unwrap();
    assert_eq!((&report["rows"], &report["claims"]), (&4.into(), &2.into()));
    assert_eq!(report["refused"][0]["at"], "line 4");

    let out = desk.import(&signed);
    assert_eq!(out.status.code(), Some(74), "an output that is there stays");
    let out = desk.import(&[&signed[..], &["--force", "--json"]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert_eq!(std::fs::read(desk.path("out.ndjson")).unwrap(), first);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap(), report);

    let out = desk.import(&["firmware", "rows.jsonl", "-o", "folder"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let mut files = 0;
    for entry in std::fs::read_dir(desk.path("folder")).unwrap() {
        let path = entry.unwrap().path();
        let payload = std::fs::read(&path).unwrap();
        let id = ClaimId::of(PAYLOAD_TYPE, payload.trim_ascii()).to_string();
        let name = format!("{}.claim.json", id.trim_start_matches("sha256:"));
        assert_eq!(path.file_name().unwrap().to_string_lossy(), name);
        files += 1;
    }
    assert_eq!(files, 2);
}

#[test]
fn what_makes_no_sense_says_what_to_do() {
    let desk = Desk::new();
    desk.write("rows.jsonl", "{}\n");
    let cases: [(&[&str], i32, &str); 7] = [
        (&["firmware", "rows.jsonl", "-o", "-"], 2, "the member \"manufacturerCode\" is missing"),
        (&["csaf", "nowhere", "-o", "-"], 74, "nowhere cannot be read"),
        (&["firmware", "rows.jsonl", "-o", "-", "-k", "key", "--submit"], 64, "--submit needs --output x.ndjson"),
        (&["firmware", "rows.jsonl", "-o", "x.ndjson", "--submit"], 64, "--key"),
        (&["firmware", "rows.jsonl", "-o", "-", "--makers", "rows.jsonl"], 2, "is missing"),
        (&["firmware", "rows.jsonl", "-o", "-", "--role", "operator"], 64, "expected one of: manufacturer"),
        (&["firmware", "rows.jsonl", "-o", "-", "--role", "boss"], 64, "expected one of: manufacturer"),
    ];
    for (arguments, code, says) in cases {
        let out = desk.import(arguments);
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}

#[test]
fn folders_of_advisories() {
    let Some(data) = std::env::var_os("CLAIMTRAIL_DATA").filter(|value| !value.is_empty()) else {
        eprintln!("skipped: CLAIMTRAIL_DATA not set");
        return;
    };
    let csaf = Path::new(&data).join("csaf");
    let desk = Desk::new();
    let out = desk.import(&["csaf", csaf.to_str().unwrap(), "-o", "all.ndjson", "-k", "key", "--replay"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let said = text(&out.stdout);
    let row = |name: &str, number: &str| said.lines().any(|line| line.starts_with(name) && line.ends_with(number));
    assert!(row("documents", " 607") && row("  claims", " 9610") && row("  refused", " 0"), "{said}");
    assert_eq!(std::fs::read(desk.path("all.ndjson")).unwrap().iter().filter(|byte| **byte == b'\n').count(), 9_610);
}
