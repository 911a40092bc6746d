//! What a reader keeps against a log, verified by nothing but the files and the log's own keys.

use std::path::{Path, PathBuf};

use client::trust::Trust;
use harness::cluster::{LogUnderTest, ORIGIN};
use harness::process::run;
use proto::entry::Entry;
use proto::hash::Hash;
use proto::merkle::{verify_consistency, verify_inclusion};
use proto::num::{LeafIndex, TreeSize};
use proto::policy::Checked;
use serde::Deserialize;
use serde_json::Value;

use crate::{json, json_file, text};

/// Somebody who reads a log and remembers in a folder of his own.
pub(crate) struct Reader<'a> {
    pub(crate) log: &'a LogUnderTest,
    /// In the story's folder.
    pub(crate) state: &'a str,
    pub(crate) url: &'a str,
}

impl Reader<'_> {
    /// The exit code, what it printed, and what it said besides.
    pub(crate) fn ask(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let options = ["--trust", "log/trust.policy", "--url", self.url, "--state", self.state, "--retry-for", "5"];
        let output = run(&self.log.programs.client, self.log.path(), &[&options, args].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// Audits, which ends well; the outcome.
    pub(crate) fn clean(&self) -> Value {
        let (code, out, err) = self.ask(&["--json", "audit"]);
        assert_eq!(code, Some(0), "{out}{err}");
        json(&out)
    }

    /// Audits twice: neither time is the log clean. What each printed.
    pub(crate) fn never_clean(&self) -> [String; 2] {
        [(), ()].map(|()| {
            let (code, out, err) = self.ask(&["--json", "audit"]);
            assert_eq!(code, Some(1), "{out}{err}");
            out
        })
    }

    /// The breaches that both of two audits report, by code.
    pub(crate) fn breaches(&self) -> Vec<String> {
        let [first, second] = self.never_clean().map(|printed| {
            let outcome = json(&printed);
            let breaches = outcome["breaches"].as_array().unwrap_or_else(|| panic!("{outcome}"));
            breaches.iter().map(|breach| text(breach, "code").to_owned()).collect::<Vec<_>>()
        });
        assert_eq!(first, second, "the second audit says the same");
        first
    }

    /// The files that were kept in a folder of the state.
    pub(crate) fn kept(&self, folder: &str) -> Vec<PathBuf> {
        let folder = self.log.path().join(self.state).join(folder);
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.expect("readable").path()).collect()
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::load(&self.log.path().join("log/trust.policy")).expect("the log wrote it")
    }

    /// The two heads of a kept file, each signed by the log.
    pub(crate) fn heads(&self, path: &Path, names: [&str; 2]) -> [Checked; 2] {
        let (file, trust) = (json_file(path), self.trust());
        assert_eq!(file["origin"], ORIGIN);
        names.map(|name| trust.policy().check(text(&file, name).as_bytes()).expect("the log signed it"))
    }

    /// The file shows to anybody that the log contradicts itself; what shows it.
    pub(crate) fn verify_evidence(&self, path: &Path) -> &'static str {
        let file = json_file(path);
        assert_eq!(file["format"], "claimtrail-contradiction/1");
        let [first, second] = self.heads(path, ["first", "second"]);
        let (small, large) = (&first.checkpoint, &second.checkpoint);
        if let Some(found) = part::<Root>(&file["root"]) {
            verify_consistency(found.size, large.size(), &found.root, &large.root(), &found.consistency)
                .expect("proven");
            assert!(found.size == small.size() && found.root != small.root(), "another tree of that size");
            return "root";
        }
        if let Some(found) = part::<Place>(&file["entry"]) {
            let entry = proto::b64::decode(&found.entry).expect("base64");
            let leaf = Hash::leaf(&entry);
            verify_inclusion(found.index, large.size(), leaf, &found.inclusion, &large.root()).expect("proven");
            let (at, time) =
                (Entry::decode(&entry).expect("an entry").timestamp.seconds(), first.log_time.expect("a time"));
            let is_in = found.index.is_in(small.size());
            assert!(if is_in { at > time } else { at < time }, "{at} does not contradict {time}");
            return "entry";
        }
        let other_tree = small.size() == large.size() && small.root() != large.root();
        let earlier = small.size() < large.size() && first.log_time > second.log_time;
        assert!(other_tree || earlier, "{file:#}");
        "heads"
    }
}

#[derive(Deserialize)]
struct Root {
    size: TreeSize,
    root: Hash,
    consistency: Vec<Hash>,
}

#[derive(Deserialize)]
struct Place {
    index: LeafIndex,
    entry: String,
    inclusion: Vec<Hash>,
}

fn part<T: for<'a> Deserialize<'a>>(value: &Value) -> Option<T> {
    (!value.is_null()).then(|| serde_json::from_value(value.clone()).expect("a part of the evidence"))
}
