//! `issuer admit --check` against a DNS server and an https server of this test: what an operator sees when the issuer
//! published its keys, forgot to, published others, or when whoever answers is slow, endless or points elsewhere.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads files of its own"
)]

mod dns;
mod https;

use std::path::Path;
use std::process::{Command, Stdio};

use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::note::{KeyName, NoteSigner};
use serde_json::Value;
use tempfile::TempDir;

const ISSUER: &str = "acme.example";

/// A request to be enrolled, and the registrar who decides.
struct Request {
    folder: TempDir,
    /// The lines that the issuer must publish.
    lines: Vec<String>,
}

/// What came of an admission.
struct Admitted {
    code: Option<i32>,
    stderr: String,
    signatures: usize,
    record: Option<Value>,
}

impl Request {
    fn new(method: &str) -> Request {
        let folder = tempfile::tempdir().unwrap();
        // A test key.
        let log = NoteSigner::new(KeyName::parse("log.example").unwrap(), SecretKey::from_seed(&[1; 32]));
        let trust = format!("log {} http://127.0.0.1:1\nquorum none\n", log.vkey());
        std::fs::write(folder.path().join("trust.txt"), trust).unwrap();
        for key in ["sign.key", "admin.key", "registrar.key"] {
            assert_eq!(run(folder.path(), &["key", "new", key]).0, Some(0));
        }
        let names = ["issuer", "request", "--issuer", ISSUER, "--legal-name", "Acme", "--role", "manufacturer"];
        let keys = ["--sign-key", "sign.key", "--admin-key", "admin.key", "--identity", method];
        let (code, said, error) = run(folder.path(), &[&names[..], &keys, &["-o", "acme.envelope.json"]].concat());
        assert_eq!(code, Some(0), "{error}");
        let lines: Vec<_> =
            said.lines().filter(|line| line.starts_with("claimtrail-key=")).map(str::to_owned).collect();
        assert_eq!(lines.len(), 2, "{said}");
        Request { folder, lines }
    }

    /// Runs `issuer admit --check` with these options; nothing is submitted.
    fn admit(&self, options: &[&str]) -> Admitted {
        let admit =
            ["issuer", "admit", "acme.envelope.json", "--registrar-key", "registrar.key", "--check", "--no-submit"];
        let (code, _, stderr) = run(self.folder.path(), &[&admit[..], options].concat());
        let envelope = std::fs::read(self.folder.path().join("acme.envelope.json")).unwrap();
        let record = std::fs::read(self.folder.path().join("acme.identity.json")).ok();
        Admitted {
            code,
            stderr,
            signatures: Envelope::parse(&envelope).unwrap().signatures.len(),
            record: record.map(|record| serde_json::from_slice(&record).unwrap()),
        }
    }

    /// It is admitted; the record says what was found where.
    fn is_admitted(&self, options: &[&str]) -> Value {
        let admitted = self.admit(options);
        assert_eq!((admitted.code, admitted.signatures), (Some(0), 3), "{}", admitted.stderr);
        let record = admitted.record.expect("what was seen is kept");
        assert_eq!((&record["by"], &record["issuer"]), (&"lookup".into(), &ISSUER.into()), "{record}");
        let mut sorted = self.lines.clone();
        sorted.sort();
        let evidence: String = sorted.iter().map(|line| format!("{line}\n")).collect();
        assert_eq!(record["evidence_sha256"], proto::hash::Hash::of(evidence.as_bytes()).to_string(), "{record}");
        record
    }

    /// It is refused with this code and these words; nothing is signed and nothing recorded.
    fn is_refused(&self, options: &[&str], code: i32, words: &[&str]) {
        let refused = self.admit(options);
        assert_eq!(refused.code, Some(code), "{}", refused.stderr);
        for word in words {
            assert!(refused.stderr.contains(word), "{word:?} is not in {:?}", refused.stderr);
        }
        assert_eq!((refused.signatures, refused.record), (2, None), "{}", refused.stderr);
    }
}

/// Runs the command in the folder: exit code, standard output, standard error.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claimtrail"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command.env("CLAIMTRAIL_STATE", folder.join("state")).env("CLAIMTRAIL_TRUST", "trust.txt").env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn options_of_the_check_make_sense_only_with_it() {
    let request = Request::new("dns");
    let admit = ["issuer", "admit", "acme.envelope.json", "--registrar-key", "registrar.key", "--checked", "dns"];
    let (code, _, said) = run(request.folder.path(), &[&admit[..], &["--resolver", "127.0.0.1:53"]].concat());
    assert_eq!(code, Some(64), "{said}");
    request.is_refused(&["--resolver", "localhost"], 64, &["--resolver <ADDR:PORT>"]);
    request.is_refused(&["--check-timeout", "0"], 64, &["--check-timeout <SECONDS>"]);
}
