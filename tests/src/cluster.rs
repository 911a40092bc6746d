//! A log as its operator runs it: made with `init`, served by a process of its own, in a folder that goes away.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::process::{Background, Programs, run, run_ok, until_free};

/// The origin of the logs of stories.
pub const ORIGIN: &str = "log.example/story";

/// A log and the folder it lives in.
pub struct LogUnderTest {
    /// Whose programs are run.
    pub programs: Programs,
    folder: TempDir,
    server: Option<Background>,
    url: String,
    admin: String,
}

impl LogUnderTest {
    /// Makes a log and serves it.
    pub fn start(programs: Programs) -> LogUnderTest {
        let mut log = LogUnderTest::init(programs);
        log.serve();
        log
    }

    /// Makes a log, without serving it.
    pub fn init(programs: Programs) -> LogUnderTest {
        LogUnderTest::founded(programs, &[])
    }

    /// The same with further options of `init`.
    pub fn founded(programs: Programs, options: &[&str]) -> LogUnderTest {
        let folder = tempfile::tempdir().expect("a folder for the story");
        let init = ["init", "log", "--origin", ORIGIN, "--issuer", "operator.example"];
        run_ok(&programs.log, folder.path(), &[&init, options].concat());
        LogUnderTest { programs, folder, server: None, url: String::new(), admin: String::new() }
    }

    /// Starts the server on free ports.
    pub fn serve(&mut self) {
        self.serve_with(&[]);
    }

    /// The same, with further options of `serve`.
    pub fn serve_with(&mut self, options: &[&str]) {
        self.serve_at(&[], "127.0.0.1:0", options);
    }

    /// The same through another program that sets something for it: `before` are the words that stand before the server's own.
    pub fn serve_by(&mut self, before: &[&str], options: &[&str]) {
        self.serve_at(before, "127.0.0.1:0", options);
    }

    /// Starts the server again at the address that it had, so that clients find it.
    pub fn serve_again(&mut self) {
        let address = self.url.trim_start_matches("http://").to_owned();
        until_free(&address);
        self.serve_at(&[], &address, &[]);
    }

    fn serve_at(&mut self, before: &[&str], address: &str, options: &[&str]) {
        let words = before.iter().map(OsStr::new).chain([self.programs.log.as_os_str()]).collect::<Vec<_>>();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["serve", "log", "--listen", address, "--admin", "127.0.0.1:0"]).args(options);
        command.current_dir(self.path());
        let (server, line) = Background::start(command);
        let mut words = line.split_whitespace();
        let mut after = |word: &str| words.by_ref().skip_while(|w| *w != word).nth(1).map(str::to_owned);
        self.url = after("listening").unwrap_or_else(|| panic!("no address in {line:?}"));
        self.admin = after("admin").unwrap_or_else(|| panic!("no admin address in {line:?}"));
        self.server = Some(server);
    }

    /// The folder of the story.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder of the log.
    pub fn data(&self) -> PathBuf {
        self.path().join("log")
    }

    /// The public address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The admin address.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// The server's process.
    ///
    /// # Panics
    /// When it is not running.
    pub fn server(&self) -> &Background {
        self.server.as_ref().expect("the log is served")
    }

    /// Stops the server with SIGTERM; it must end well.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            let (status, said) = server.stop();
            assert!(status.success(), "the server ended with {status}: {said}");
        }
    }

    /// Ends the server with SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.signal("KILL");
            server.finished();
        }
    }

    /// Runs `claimtrail` in the story's folder, with the log's trust file and address; it must succeed.
    pub fn client(&self, args: &[&str]) -> String {
        run_ok(&self.programs.client, self.path(), &self.with_log(args))
    }

    /// The same, whatever its exit code.
    pub fn try_client(&self, args: &[&str]) -> Output {
        run(&self.programs.client, self.path(), &self.with_log(args))
    }

    fn with_log<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec!["--trust", "log/trust.policy", "--url", self.url.as_str()];
        all.extend(args);
        all
    }

    /// Makes two keys `<stem>.sign.key` and `<stem>.admin.key` and enrols an issuer with them.
    pub fn enrol(&self, issuer: &str, stem: &str, role: &str, replay: bool) {
        let file = |end: &str| format!("{stem}.{end}");
        let (sign, admin, request) = (file("sign.key"), file("admin.key"), file("enrol.envelope.json"));
        self.client(&["key", "new", &sign]);
        self.client(&["key", "new", &admin]);
        let mut ask = vec!["issuer", "request", "--issuer", issuer, "--legal-name", stem, "--role", role];
        ask.extend(["--sign-key", &sign, "--admin-key", &admin, "--identity", "paper", "-o", &request]);
        if replay {
            ask.push("--replay");
        }
        self.client(&ask);
        self.client(&["issuer", "admit", &request, "--registrar-key", "log/keys/registrar.key", "--checked", "paper"]);
    }

    /// Runs `claimtrail-log` in the story's folder; it must succeed.
    pub fn operator(&self, args: &[&str]) -> String {
        run_ok(&self.programs.log, self.path(), args)
    }
}
