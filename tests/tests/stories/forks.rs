//! One log, two histories: copies of its folder, the signer's record with them, are served one after the other at the same
//! address and with the same keys. Whoever saw the one must notice the other, every time.

use std::fs;
use std::path::Path;

use harness::cluster::LogUnderTest;

use crate::evidence::Reader;
use crate::{log_with_acme, signed_support};

/// What a reader has left of what he remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    All,
    /// The newest head, but no audit.
    Heads,
    /// Audits, but not the newest head.
    Audits,
}

/// A log that forks after three entries: a reader audits the history with the claims `first`, then the one with `second` is
/// served. The story's folder has the reader's state in `reader`, and the first history in `first`.
fn forked(first: &[&str], second: &[&str]) -> LogUnderTest {
    let mut log = log_with_acme();
    for model in first.iter().chain(second).chain(&["CAM-0"]) {
        signed_support(&log, model);
    }
    let submit = |log: &LogUnderTest, state: &str, models: &[&str]| {
        let claims = models.iter().map(|model| format!("{model}.envelope.json"));
        claims.for_each(|claim| drop(log.client(&["--state", state, "submit", &claim])));
    };
    submit(&log, "issuer", &["CAM-0"]);
    log.stop();
    copy(&log.data(), &log.path().join("second"));
    log.serve_again();
    submit(&log, "issuer", first);
    let outcome = Reader { log: &log, state: "reader", url: log.url() }.clean();
    assert_eq!(outcome["size"], 3 + first.len());
    log.stop();
    swap(&mut log, "first", "second");
    submit(&log, "other", second);
    log
}

/// Puts the served folder away as `old` and serves `new` in its place.
fn swap(log: &mut LogUnderTest, old: &str, new: &str) {
    fs::rename(log.data(), log.path().join(old)).expect("ours");
    fs::rename(log.path().join(new), log.data()).expect("ours");
    log.serve_again();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).expect("a copy");
        }
    }
}

/// The reader's state with a part of it gone; its name.
fn remembering(log: &LogUnderTest, memory: Memory) -> String {
    let name = format!("reader-{memory:?}");
    let folder = log.path().join(&name);
    copy(&log.path().join("reader"), &folder);
    for entry in fs::read_dir(&folder).expect("readable") {
        let path = entry.expect("readable").path();
        let is_audit = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("audit-"));
        let forgotten = memory == if is_audit { Memory::Heads } else { Memory::Audits };
        if forgotten {
            fs::remove_file(path).expect("ours");
        }
    }
    name
}

/// Every command of a reader who remembers ends with 1, each time; `kept` is where the two heads are.
fn noticed(log: &LogUnderTest, kept: &str) {
    for memory in [Memory::All, Memory::Heads, Memory::Audits] {
        let state = remembering(log, memory);
        let reader = Reader { log, state: &state, url: log.url() };
        let said = reader.never_clean();
        if memory != Memory::Audits {
            for args in [&["checkpoint"][..], &["show", "2"], &["proof", "2", "-o", "two.tlog-proof"]] {
                let (code, out, err) = reader.ask(args);
                assert_eq!(code, Some(1), "{memory:?} {args:?}: {out}{err}");
            }
        }
        let [file] = &reader.kept(kept)[..] else { panic!("{memory:?}: {:?} {said:?}", reader.kept(kept)) };
        assert!(
            said.iter().all(|said| said.contains(&file.file_name().expect("a name").to_string_lossy()[..])),
            "{said:?}"
        );
        if kept == "tampering" {
            assert!(said.iter().all(|said| said.contains("TAMPERING")), "{said:?}");
            reader.verify_evidence(file);
        } else {
            let [seen, shown] = reader.heads(file, ["seen", "shown"]);
            assert!(shown.checkpoint.size() < seen.checkpoint.size());
        }
    }
}

#[test]
fn a_larger_fork_is_noticed_every_time() {
    let mut log = forked(&["CAM-1"], &["CAM-2", "CAM-3"]);
    noticed(&log, "tampering");
    // The first history again: what was found does not go away.
    log.stop();
    swap(&mut log, "second", "first");
    let reader = Reader { log: &log, state: "reader-All", url: log.url() };
    assert_eq!(reader.breaches(), ["head.fork"]);
    let [file] = &reader.kept("tampering")[..] else { panic!("one file") };
    fs::remove_file(file).expect("ours");
    reader.clean();
}

#[test]
fn a_fork_of_the_same_size_is_noticed_every_time() {
    noticed(&forked(&["CAM-1"], &["CAM-2"]), "tampering");
}

#[test]
fn a_smaller_fork_is_noticed_every_time() {
    noticed(&forked(&["CAM-1", "CAM-2"], &["CAM-3"]), "unproven");
}

#[test]
fn a_log_that_goes_back_is_noticed_until_it_shows_the_later_entries_again() {
    let mut log = forked(&["CAM-1"], &[]);
    noticed(&log, "unproven");
    log.stop();
    swap(&mut log, "second", "first");
    for memory in [Memory::All, Memory::Heads] {
        Reader { log: &log, state: &format!("reader-{memory:?}"), url: log.url() }.clean();
    }
}
