//! A log in a folder of its own, made by the command, with the test keys of the operator and the registrar.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use claimtrail_log::store::rocks::{RocksOptions, RocksStore};
use claimtrail_log::testing::{ORIGIN, key, number};
use client::keyfile;
use proto::dsse::Envelope;

/// No step of a test takes this long; reaching it is a failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claimtrail-log"));
    command.stdin(Stdio::null());
    command
}

/// What a finished command said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(folder: &Path, args: &[&str]) -> Said {
    let Output { status, stdout, stderr } = command().args(args).current_dir(folder).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Said { code: status.code().expect("no signal ended it"), out: text(stdout), err: text(stderr) }
}

impl Said {
    /// It ended with this code and named all of these.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, named: &[&str]) -> Said {
        let all = format!("{}\n{}", self.out, self.err);
        assert_eq!(self.code, code, "{all}");
        for part in named {
            assert!(all.contains(part), "{part:?} is not in:\n{all}");
        }
        self
    }
}

/// A folder with the log in `log`.
pub(crate) struct TestFolder(tempfile::TempDir);

impl TestFolder {
    /// An empty folder with the keys of the operator and the registrar.
    pub(crate) fn empty() -> TestFolder {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, number) in [("operator", number::OPERATOR), ("registrar", number::REGISTRAR)] {
            keyfile::write(&folder.path().join(name), &key(number)).expect("written");
        }
        TestFolder(folder)
    }

    /// The same with a log.
    pub(crate) fn with_log() -> TestFolder {
        let folder = TestFolder::empty();
        folder.init(&[]).expect(0, &["is founded in log", "claimtrail-log serve log"]);
        folder
    }

    pub(crate) fn init(&self, more: &[&str]) -> Said {
        let keys = ["--operator-key", "operator", "--registrar-key", "registrar"];
        let known = ["init", "log", "--origin", ORIGIN, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        self.run(&[&known[..], &keys, more].concat())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path().join("log")
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        run(self.path(), args)
    }

    /// Opens the store, to look at it or to damage it.
    pub(crate) fn store(&self) -> RocksStore {
        RocksStore::open(&self.log().join("store"), ORIGIN, RocksOptions::default()).expect("opens")
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).expect("readable");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Serves the log and submits these.
    pub(crate) fn grow(&self, envelopes: &[Envelope]) {
        let server = Serving::start(self);
        for envelope in envelopes {
            let answer = server.post(envelope);
            assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        }
        assert!(server.stop().success());
    }
}

/// A server process; ended when it is dropped.
pub(crate) struct Serving {
    child: Child,
    pub(crate) public: String,
    pub(crate) admin: String,
}

impl Serving {
    pub(crate) fn start(folder: &TestFolder) -> Serving {
        let mut serve = command();
        serve.args(["serve", "log", "--log-level", "warn"]).current_dir(folder.path()).stdout(Stdio::piped());
        let mut child = serve.spawn().expect("it starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("it says where it listens");
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["listening", public, "admin", admin] = words[..] else { panic!("not the line expected: {line:?}") };
        let address = |url: &str| url.strip_prefix("http://").expect("a URL").to_owned();
        Serving { public: address(public), admin: address(admin), child }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    pub(crate) fn stop(self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }

    pub(crate) fn ended(mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    pub(crate) fn get(&self, path: &str) -> String {
        ask(&self.public, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
    }

    pub(crate) fn get_admin(&self, path: &str) -> String {
        ask(&self.admin, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
    }

    pub(crate) fn post(&self, envelope: &Envelope) -> String {
        let body = envelope.to_json();
        let head = "POST /v1/claims HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json";
        ask(&self.public, &format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _killed = self.child.kill();
            let _waited = self.child.wait();
        }
    }
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in UTF-8");
    answer
}

/// The body of an answer with this status.
#[track_caller]
pub(crate) fn body_of(answer: &str, status: u16) -> &str {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    answer.split_once("\r\n\r\n").expect("a head and a body").1
}
