//! `resume-origin` on the command line: what it lets be cosigned again, and what its exit codes say.

use claimtrail_log::testing::{ORIGIN, key, number};
use client::api::Api;
use client::http::Http;
use harness::watcher::MonitorUnderTest;
use monitor::finding::{Class, Finding, code};
use monitor::store::{Batch, Findings, LogStore};
use proto::checkpoint::CheckpointText;
use proto::hash::Hash;
use proto::note::{KeyName, NoteSigner};
use proto::num::TreeSize;

use super::resumed::fork;
use super::served::{Served, log_of, router, trust};
use super::witness::add;
use super::{programs, wait};

/// Says what a stopped monitor says of two heads that nothing ties: both are signed by the log, and it keeps back what a file needs.
fn keep_fork(monitor: &MonitorUnderTest, size: u64) -> String {
    let log = NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), key(number::LOG));
    let head = |size: u64| {
        let text = CheckpointText::new(ORIGIN, TreeSize(size), Hash::of(&size.to_be_bytes())).unwrap();
        text.sign(&[&log], &[]).unwrap().into_bytes()
    };
    let finding = Finding::new(Class::Tamper, code::FORK, "two histories that nothing ties yet").named(size);
    let finding = finding.with_heads(&[&head(size), &head(2 * size)]);
    let name = finding.id.clone();
    let store = LogStore::open(&monitor.path("state/logs"), ORIGIN, false).unwrap();
    let findings = Findings::begin(vec![finding]);
    store.commit_batch(&Batch { findings, ..Batch::default() }, client::clock::now()).unwrap();
    name
}

struct Resuming(MonitorUnderTest);

impl Resuming {
    /// The command with these options ends with this code, and says all of this.
    fn ends(&self, options: &[&str], code: i32, says: &[&str]) {
        self.of(ORIGIN, options, code, says);
    }

    fn of(&self, origin: &str, options: &[&str], code: i32, says: &[&str]) {
        let (found, said) = self.0.run(&[&["resume-origin", origin], options].concat());
        assert_eq!(found, code, "{options:?}: {said}");
        says.iter().for_each(|word| assert!(said.contains(word), "{options:?} does not say {word:?}: {said}"));
    }
}

#[test]
fn every_way_to_resume_has_its_exit_code() {
    let served = Served::new(router(&log_of(&["CAM-1"])));
    let mut monitor = MonitorUnderTest::init(programs(), &trust(), &served.url, false);
    monitor.serve();
    monitor.until_checked(3);
    let head = wait(Api::new(Http::new(&served.url).unwrap()).checkpoint()).unwrap();
    assert_eq!(add(monitor.url(), 0, &[], &head).0, 200);
    let mut resume = Resuming(monitor);
    resume.ends(&[], 69, &["A monitor runs with this state"]);
    resume.0.stop();

    resume.ends(&[], 0, &["is cosigned again, from the head of 3 entries on"]);
    resume.of("other.example", &[], 64, &["names no log other.example"]);
    resume.ends(&["--nothing-newer", "--ask-peers"], 64, &[]);
    resume.ends(&["--despite-evidence", "nonsense"], 64, &["SHA-256"]);
    resume.ends(&["--despite-fork", "head.fork:1"], 64, &["none"]);
    let no_peers = ["--ask-peers"];
    resume.ends(&no_peers, 0, &[]);

    // Two histories that no file proves yet: only their name ends that.
    let (first, second) = (keep_fork(&resume.0, 1000), keep_fork(&resume.0, 3000));
    resume.ends(&[], 69, &["would be cosigned from the head of 3 entries on", "--despite-fork"]);
    resume.ends(&["--nothing-newer"], 69, &[]);
    resume.ends(&["--despite-fork", "head.fork:other"], 64, &[&first, &second]);
    resume.ends(&["--despite-fork", &first], 64, &["further forks", &second]);
    resume.ends(&["--despite-fork", &first, "--nothing-newer"], 64, &[]);
    resume.0.serve();
    assert_eq!(add(resume.0.url(), 3, &[], &head).0, 503);
    resume.0.stop();
    resume.ends(&["--despite-fork", &first, "--despite-fork", &second], 0, &["despite that; it is recorded"]);
    resume.ends(&["--despite-fork", &first], 64, &["none"]);
    resume.0.serve();
    assert_eq!(add(resume.0.url(), 3, &[], &head).0, 200);
    resume.0.stop();

    // A file is another matter: an act that leaves it out is recorded, and the log is still not cosigned.
    let file = resume.0.path("fork.json");
    std::fs::write(&file, fork(100)).unwrap();
    let (code, said) = resume.0.run(&["evidence", "import", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    let (id, third) = (Hash::of(&fork(100)).to_string(), keep_fork(&resume.0, 5000));
    resume.ends(&[], 69, &[&id, "--despite-evidence"]);
    resume.ends(&["--despite-evidence", &Hash::of(b"other").to_string()], 64, &[]);
    resume.ends(&["--despite-fork", &third], 69, &["is still not cosigned", &id]);
    resume.ends(&["--despite-evidence", &id], 0, &["despite that"]);
    resume.ends(&[], 0, &["is cosigned again"]);

    // Without its record nothing but the operator's word helps.
    std::fs::remove_dir_all(resume.0.path("record")).unwrap();
    resume.ends(&[], 74, &["--nothing-newer"]);
    resume.ends(&["--nothing-newer"], 0, &["from the head of 3 entries on"]);

    let config = resume.0.path("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let (before, witness) = text.split_once("[witness]").unwrap();
    let after = witness.find("\n[").map_or("", |at| &witness[at + 1..]);
    std::fs::write(&config, format!("{before}{after}")).unwrap();
    resume.ends(&[], 78, &["is no witness"]);
}
