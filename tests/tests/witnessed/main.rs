//! Stories of a log whose heads are cosigned: real processes of the log, of monitors as witnesses, and strangers in the place
//! of witnesses.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

mod known;
mod outsider;
mod policy;
mod promise;
mod quorum;
mod strangers;

use std::path::Path;
use std::time::Duration;

use client::api::Api;
use client::http::Http;
use harness::cluster::LogUnderTest;
use harness::process::{Programs, run, until};
use harness::watcher::MonitorUnderTest;
use proto::policy::{Checked, Policy};

/// The thin programs of this very build.
fn programs() -> Programs {
    Programs {
        client: env!("CARGO_BIN_EXE_story-client").into(),
        log: env!("CARGO_BIN_EXE_story-log").into(),
        monitor: env!("CARGO_BIN_EXE_story-monitor").into(),
    }
}

/// A log that asks witnesses, and the monitors among them.
struct Scene {
    log: LogUnderTest,
    monitors: Vec<MonitorUnderTest>,
}

/// What a policy says of one witness: its vkey, and where it is.
type Line = (String, String);

impl Scene {
    /// A log with the manufacturer `acme.example` and so many monitors that run, of which nobody is asked yet.
    fn new(monitors: usize) -> (Scene, Vec<Line>) {
        Scene::founded(monitors, &[])
    }

    /// The same with further options of the log's `init`.
    fn founded(monitors: usize, options: &[&str]) -> (Scene, Vec<Line>) {
        let mut log = LogUnderTest::founded(programs(), options);
        log.serve();
        log.enrol("acme.example", "acme", "manufacturer", false);
        let trust = std::fs::read(log.data().join("trust.policy")).unwrap();
        let (mut running, mut lines) = (Vec::new(), Vec::new());
        for number in 0..monitors {
            let name = format!("w{number}.example/story");
            let (mut monitor, vkey) = MonitorUnderTest::init_as(programs(), &name, &trust, log.url(), &[]);
            monitor.serve();
            lines.push((vkey, monitor.url().to_owned()));
            running.push(monitor);
        }
        (Scene { log, monitors: running }, lines)
    }

    /// From now on the log asks these witnesses, of whom so many are enough. Everything goes ten times as fast as by default.
    fn ask(&mut self, lines: &[Line], quorum: usize, settings: &str) {
        let trust = std::fs::read_to_string(self.log.data().join("trust.policy")).unwrap();
        let mut policy: String =
            trust.lines().filter(|line| !line.starts_with("quorum")).map(|l| format!("{l}\n")).collect();
        let mut names = String::new();
        for (number, (vkey, url)) in lines.iter().enumerate() {
            policy.push_str(&format!("witness w{number} {vkey} {url}\n"));
            names.push_str(&format!(" w{number}"));
        }
        policy.push_str(&format!("group g {quorum}{names}\nquorum g\n"));
        std::fs::write(self.log.data().join("witness.policy"), policy).unwrap();
        let file = self.log.data().join("config.toml");
        let config = std::fs::read_to_string(&file).unwrap();
        let config = config.split("\n[witness]").next().unwrap().to_owned();
        let witness = format!("\n[witness]\npolicy = \"witness.policy\"\nevery_ms = 100\n{settings}\n");
        std::fs::write(file, config + &witness).unwrap();
        self.log.stop();
        self.log.serve_again();
    }

    /// Acme promises support for a model, with further options of `submit`; the exit code and what was said.
    fn promise(&self, model: &str, options: &[&str]) -> (i32, String) {
        let (claim, envelope) = (format!("{model}.json"), format!("{model}.envelope.json"));
        let about = ["--issuer", "acme.example", "--role", "manufacturer", "--model", model, "-o", &claim];
        self.log.client(&[&["claim", "new", "support/v1"], &about[..]].concat());
        self.log.client(&["sign", &claim, "--key", "acme.sign.key"]);
        self.client(&[&["submit", &envelope], options].concat())
    }

    /// Runs `claimtrail` as a reader who trusts the witnesses; the exit code and what was said.
    fn client(&self, args: &[&str]) -> (i32, String) {
        let all = [&["--trust", "log/witness.policy", "--url", self.log.url()], args].concat();
        let output = run(&self.log.programs.client, self.log.path(), &all);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// What the log shows as its newest head, judged by the witnesses' policy; nothing while it shows none.
    fn head(&self) -> Option<Checked> {
        let http = Http::new(self.log.url()).unwrap().with_deadline(Duration::ZERO);
        let note = wait(Api::new(http).checkpoint()).ok()?;
        let policy = std::fs::read(self.log.data().join("witness.policy")).unwrap();
        Some(Policy::parse(policy).unwrap().check(&note).unwrap())
    }

    /// Waits until a head of this size is shown with so many cosignatures.
    fn until_shown(&self, size: u64, cosigned: usize) -> Checked {
        until(&format!("a head of {size} entries with {cosigned} cosignatures"), || {
            self.head().filter(|head| head.checkpoint.size().0 == size && head.quorum.cosigned >= cosigned)
        })
    }

    /// The log's own head, as its readers are told beside.
    fn own_size(&self) -> u64 {
        let http = Http::new(self.log.url()).unwrap();
        let said = wait(http.get("/v1/log", 1 << 20)).unwrap();
        serde_json::from_slice::<serde_json::Value>(&said.body).unwrap()["size"].as_u64().unwrap()
    }

    fn path(&self, name: impl AsRef<Path>) -> std::path::PathBuf {
        self.log.path().join(name)
    }
}

fn admin(scene: &Scene) -> String {
    scene.log.admin().trim_start_matches("http://").to_owned()
}

/// Waits for an answer.
fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(answer)
}
