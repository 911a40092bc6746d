//! A monitor as its operator runs it: made with `init`, served by a process of its own, in a folder that goes away.

use std::path::{Path, PathBuf};
use std::process::Command;

use monitor::finding::Event;
use monitor::store::LogStore;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Background, Programs, run, run_ok, until, until_free};

/// The name of the witness of stories.
pub const WITNESS: &str = "witness.example/story";

/// A monitor and the folder it lives in.
pub struct MonitorUnderTest {
    programs: Programs,
    folder: TempDir,
    server: Option<Background>,
    url: String,
    admin: String,
    poll_seconds: u64,
}

impl MonitorUnderTest {
    /// Makes a monitor for the log of this trust file, at this address.
    pub fn init(programs: Programs, trust: &[u8], url: &str, mirror: bool) -> MonitorUnderTest {
        MonitorUnderTest::named(WITNESS, programs, trust, url, mirror)
    }

    /// The same under a name of its own, for one of several.
    pub fn named(name: &str, programs: Programs, trust: &[u8], url: &str, mirror: bool) -> MonitorUnderTest {
        MonitorUnderTest::init_as(programs, name, trust, url, if mirror { &["--mirror"] } else { &[] }).0
    }

    /// The same for a witness of this name, with further options of `init`; also gives the witness's vkey.
    pub fn init_as(
        programs: Programs,
        name: &str,
        trust: &[u8],
        url: &str,
        options: &[&str],
    ) -> (MonitorUnderTest, String) {
        let folder = tempfile::tempdir().expect("a folder for the story");
        std::fs::write(folder.path().join("given.policy"), trust).expect("a trust file");
        let args = ["init", "m", "--name", name, "--trust", "given.policy", "--url", url];
        let said = run_ok(&programs.monitor, folder.path(), &[&args, options].concat());
        let vkey = said.split_whitespace().find(|word| word.starts_with(&format!("{name}+")));
        let vkey = vkey.unwrap_or_else(|| panic!("no vkey in {said}")).to_owned();
        let (url, admin) = (String::new(), String::new());
        (MonitorUnderTest { programs, folder, server: None, url, admin, poll_seconds: 1 }, vkey)
    }

    /// The monitor's folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("m")
    }

    /// The public address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The admin address.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// So many seconds are between two looks at a log, from its next start on.
    pub fn poll_every(&mut self, seconds: u64) {
        self.poll_seconds = seconds;
    }

    /// Adds to its configuration.
    pub fn configure(&self, text: &str) {
        let file = self.data().join("config.toml");
        let before = std::fs::read_to_string(&file).expect("a configuration");
        std::fs::write(&file, format!("{before}\n{text}")).expect("a configuration");
    }

    /// The process id of the running monitor.
    pub fn id(&self) -> u32 {
        self.server.as_ref().expect("it runs").id()
    }

    /// Bytes that it has in memory.
    pub fn resident_bytes(&self) -> u64 {
        crate::process::resident_bytes(self.id()).expect("it runs")
    }

    /// What the running monitor has said on standard error.
    pub fn said(&self) -> String {
        self.server.as_ref().map(Background::stderr).unwrap_or_default()
    }

    /// Everything that it ever told of a log; it must be stopped.
    pub fn events(&self, origin: &str) -> Vec<Event> {
        let store = LogStore::open(&self.path("state/logs"), origin, true).expect("a stopped monitor's state");
        store.events_after(0, usize::MAX).expect("readable")
    }

    /// Starts it on free ports, with a look every second unless it was set otherwise.
    pub fn serve(&mut self) {
        self.serve_at(0);
    }

    /// The same with its public address on this port.
    pub fn serve_at(&mut self, port: u16) {
        let address = format!("127.0.0.1:{port}");
        until_free(&address);
        self.serve_on(&address);
    }

    /// Starts it again at the address that it had, so that a log finds it.
    pub fn serve_again(&mut self) {
        let address = self.url.trim_start_matches("http://").to_owned();
        until_free(&address);
        self.serve_on(&address);
    }

    fn serve_on(&mut self, address: &str) {
        let mut command = Command::new(&self.programs.monitor);
        command.args(["serve", "--dir", "m", "--listen", address, "--admin", "127.0.0.1:0"]);
        command.args(["--poll", &self.poll_seconds.to_string()]);
        command.current_dir(self.folder.path());
        let (server, line) = Background::start(command);
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["listening", url, "admin", admin] = words.as_slice() else { panic!("no addresses in {line:?}") };
        (self.url, self.admin) = ((*url).to_owned(), (*admin).to_owned());
        self.server = Some(server);
    }

    /// Stops it with SIGTERM; it must end well.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            let (status, said) = server.stop();
            assert!(status.success(), "the monitor ended with {status}: {said}");
        }
    }

    /// Ends it with SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.signal("KILL");
            server.finished();
        }
    }

    /// Asks another address from now on.
    pub fn point_to(&self, url: &str) {
        let file = self.data().join("config.toml");
        let text = std::fs::read_to_string(&file).expect("a configuration");
        let line =
            |line: &str| if line.starts_with("url = ") { format!("url = \"{url}\"\n") } else { format!("{line}\n") };
        std::fs::write(&file, text.lines().map(line).collect::<String>()).expect("a configuration");
    }

    /// Runs a command of the monitor in the story's folder; the exit code, and what it said on both outputs.
    pub fn run(&self, args: &[&str]) -> (i32, String) {
        let output = run(&self.programs.monitor, self.folder.path(), &[args, &["--dir", "m"]].concat());
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// One look at the log; the exit code and the log's status.
    pub fn once(&self) -> (i32, Value) {
        let output = run(&self.programs.monitor, self.folder.path(), &["serve", "--once", "--json", "--dir", "m"]);
        let status: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        (output.status.code().unwrap_or(-1), status["logs"][0].clone())
    }

    /// The log's status, as the running monitor says it.
    pub fn status(&self) -> Value {
        let (_, said) = self.run(&["status", "--json", "--admin", &self.admin]);
        let status: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        status["logs"][0].clone()
    }

    /// Waits until the running monitor has checked so many entries.
    ///
    /// # Panics
    /// When it does not.
    pub fn until_checked(&self, size: u64) -> Value {
        until(&format!("{size} entries checked"), || {
            Some(self.status()).filter(|status| status["checked"].as_u64() >= Some(size))
        })
    }

    /// A path of its folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.data().join(name)
    }
}
