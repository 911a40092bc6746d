//! One animal, met by a monitor and by a reader, and its twin by another monitor.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use harness::process::run;
use harness::watcher::MonitorUnderTest;
use harness::zoo::{Animal, Audit, Served, trust};
use harness::{inputs, workspace};
use serde_json::Value;
use tempfile::TempDir;

use crate::{open, programs};

/// A log that is slow or broken is given up soon, and its list of heads may cost a few pages a day.
const QUICK: &str = "[poll]\nanswer_seconds = 2\nretry_seconds = 1\nlisted_heads_a_day = 1000\n";

/// The most of an answer without end that is read: the largest bundle, what is under way on the machine, and some tries.
const MOST_OF_ENDLESS_BYTES: u64 = 4 * (16 << 20) + (16 << 20);

/// What is wrong with how an animal was met; nothing when it is caught as its row says.
pub(super) fn complaints(animal: &Animal) -> Vec<String> {
    let mut meeting = Meeting { complaints: Vec::new() };
    meeting.with(animal);
    meeting.complaints
}

struct Meeting {
    complaints: Vec<String>,
}

impl Meeting {
    fn check(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds {
            self.complaints.push(complaint());
        }
    }

    fn with(&mut self, animal: &Animal) {
        let life = (animal.life)(client::clock::now());
        let served = Served::new(life.before.clone().unwrap_or_else(|| life.odd.clone()));
        let (monitor, reader) = (monitor_at(&served), Reader::new());
        if life.before.is_some() {
            self.clean("before", &monitor);
            let (code, said) = reader.audit(&served);
            self.check(code == 0, || format!("the audit before ends with {code}: {said}"));
        }
        served.show(life.odd.clone());
        self.caught(animal, &monitor);
        self.proven(animal, &monitor);
        self.audited(animal, &reader, &served);
        self.check(served.endless_bytes() <= MOST_OF_ENDLESS_BYTES, || {
            format!("{} bytes of an answer without end were read", served.endless_bytes())
        });
        served.show(life.honest.clone());
        if animal.ends {
            self.clean("afterwards", &monitor);
            return;
        }
        let (exit, status) = monitor.once();
        self.check(exit != 0 && open(&status).contains(&animal.code), || format!("is forgotten: {exit}: {status:#}"));
        let served = Served::new(life.before.unwrap_or_else(|| life.honest.clone()));
        let monitor = monitor_at(&served);
        self.clean("its twin, before", &monitor);
        served.show(life.honest);
        self.clean("its twin", &monitor);
    }

    /// One look finds what the row says and nothing else; the status says the same.
    fn caught(&mut self, animal: &Animal, monitor: &MonitorUnderTest) {
        let wanted = i32::from(animal.class.exit_code());
        let (exit, looked) = monitor.once();
        let (code, said) = monitor.run(&["status", "--json"]);
        let status: Value = serde_json::from_str(&said).unwrap_or_default();
        let status = &status["logs"][0];
        self.check((exit, code) == (wanted, wanted), || format!("exit codes {exit} and {code}, not {wanted}"));
        let codes = if status["open"].is_array() { open(status) } else { Vec::new() };
        let right = !codes.is_empty() && codes.iter().all(|code| *code == animal.code) && codes == open(&looked);
        self.check(right, || format!("{codes:?} is open: {looked:#} {status:#}"));
        let classes = open_classes(status);
        self.check(classes.iter().all(|class| class == animal.class.name()), || format!("classes {classes:?}"));
    }

    /// What the row says is proven is kept as a file, which processes that know nothing of the monitor prove; and nothing else.
    fn proven(&mut self, animal: &Animal, monitor: &MonitorUnderTest) {
        let kept = evidence(monitor);
        let kinds: BTreeSet<&str> = kept.iter().filter_map(|kept| kept["kind"].as_str()).collect();
        let wanted: BTreeSet<&str> = animal.proven.iter().map(|kind| kind.as_str()).collect();
        self.check(kinds == wanted, || format!("{kinds:?} are proven, not {wanted:?}"));
        let elsewhere = tempfile::tempdir().unwrap();
        for kept in &kept {
            let id = kept["id"].as_str().unwrap_or_default();
            let file = elsewhere.path().join(format!("{id}.json"));
            let name = file.to_str().unwrap();
            let (code, said) = monitor.run(&["evidence", "export", id, "-o", name]);
            self.check(code == 0, || format!("{id} is not exported: {code}: {said}"));
            let output = run(&programs().client, elsewhere.path(), &["--json", "misbehaviour", "verify", name]);
            let verdict: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let right = output.status.success() && verdict["kind"] == kept["kind"] && verdict["verdict"] == "proven";
            self.check(right, || format!("{id} is not proven elsewhere: {output:?}"));
            self.check(independent(&file), || format!("{id} is not proven by the script in Python"));
        }
    }

    fn audited(&mut self, animal: &Animal, reader: &Reader, served: &Served) {
        let (wanted, words) = match animal.audit {
            Audit::Says(code, words) => (code, words),
            Audit::Clean => (0, ""),
            Audit::NotAsked => return,
        };
        let (code, said) = reader.audit(served);
        self.check(code == i32::from(wanted) && said.contains(words), || {
            format!("the audit ends with {code}, not {wanted} and {words:?}: {said}")
        });
    }

    /// One look finds nothing, and everything is checked.
    fn clean(&mut self, when: &str, monitor: &MonitorUnderTest) {
        let (exit, status) = monitor.once();
        let whole = status["checked"] == status["size"] && status["size"].as_u64() > Some(0);
        self.check(exit == 0 && open(&status).is_empty() && whole, || format!("{when}: {exit}: {status:#}"));
    }
}

/// The evidence that a stopped monitor keeps.
fn evidence(monitor: &MonitorUnderTest) -> Vec<Value> {
    let (_, said) = monitor.run(&["evidence", "list", "--json"]);
    let list: Value = serde_json::from_str(&said).unwrap_or_default();
    list["evidence"].as_array().cloned().unwrap_or_default()
}

/// Whether a verifier of another make proves a file; where it cannot run, that is said once for all, and nothing is held back.
fn independent(file: &Path) -> bool {
    static PYTHON: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| inputs::python("every_animal_is_caught_and_no_twin_is"));
    let Some(python) = &*PYTHON else { return true };
    let mut command = Command::new(python);
    command.arg(workspace::root().join("tests/independent/check_misbehaviour.py")).arg(file);
    let output = command.env("PYTHONDONTWRITEBYTECODE", "1").output();
    output.is_ok_and(|output| output.status.success())
}

fn open_classes(status: &Value) -> Vec<String> {
    let open = status["open"].as_array().map(Vec::as_slice).unwrap_or_default();
    open.iter().map(|open| open["finding"]["class"].as_str().unwrap_or_default().to_owned()).collect()
}

fn monitor_at(served: &Served) -> MonitorUnderTest {
    let monitor = MonitorUnderTest::init(programs(), &trust(), served.url(), true);
    monitor.configure(QUICK);
    monitor
}

/// Somebody who audits, and remembers in a folder of his own.
struct Reader(TempDir);

impl Reader {
    fn new() -> Reader {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("trust.policy"), trust()).unwrap();
        Reader(folder)
    }

    /// The exit code, and what was said on both outputs.
    fn audit(&self, served: &Served) -> (i32, String) {
        let args = ["--trust", "trust.policy", "--url", served.url(), "--retry-for", "1", "audit"];
        let output = run(&programs().client, self.0.path(), &args);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }
}
