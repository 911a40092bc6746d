//! ARCHITECTURE.md is a map of the source tree: what it names is there, and every module of the library crates is on it.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads files of its own"
)]

use std::collections::BTreeSet;
use std::fs;

use harness::workspace::{files, root};

/// The folders of the crates that have a map of their own.
const MAPPED: [&str; 5] = ["proto", "client", "service", "log-server", "monitor"];

/// Files that are no modules of their own on a map: the crate itself, its program, help for tests.
const NOT_SHOWN: [&str; 4] = ["lib", "main", "tests", "testing"];

/// The map of a crate: its lines of names and words.
fn map<'a>(page: &'a str, folder: &str) -> &'a str {
    let heading = format!("### Inside `{folder}`\n```\n");
    let from = page.find(&heading).unwrap_or_else(|| panic!("no map of {folder}")) + heading.len();
    let rest = &page[from..];
    &rest[..rest.find("\n```").unwrap()]
}

/// The names of modules and files under a crate's sources, and those at the top.
fn modules(folder: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut all, mut top) = (BTreeSet::new(), BTreeSet::new());
    for file in files().unwrap() {
        let Ok(below) = file.strip_prefix(format!("{folder}/src")) else { continue };
        if below.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let names: Vec<String> =
            below.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        top.insert(names[0].clone());
        all.extend(names);
    }
    for not in NOT_SHOWN {
        top.remove(not);
    }
    (all, top)
}

#[test]
fn every_module_is_on_the_map_and_what_is_on_it_is_there() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut wrong = Vec::new();
    for folder in MAPPED {
        let (all, top) = modules(folder);
        // Names stand at the beginnings of lines, before two spaces; a line that goes on is set in.
        let named: BTreeSet<&str> = map(&page, folder)
            .lines()
            .filter_map(|line| line.split("  ").next())
            .flat_map(str::split_whitespace)
            .map(|name| name.trim_end_matches('/'))
            .collect();
        wrong.extend(
            top.iter().filter(|name| !named.contains(name.as_str())).map(|name| format!("{folder}: {name} is missing")),
        );
        wrong.extend(
            named.iter().filter(|name| !all.contains(**name)).map(|name| format!("{folder}: there is no {name}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_that_are_named_are_there() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let files: Vec<String> = files().unwrap().iter().map(|file| file.to_string_lossy().into_owned()).collect();
    let quoted = page.split('`').skip(1).step_by(2);
    let paths: Vec<&str> = quoted.filter(|text| text.ends_with(".rs") && text.contains('/')).collect();
    assert!(paths.len() > 10, "{paths:?}");
    let is_there = |path: &&str| files.iter().any(|file| file == path || file.ends_with(&format!("/{path}")));
    let gone: Vec<&&str> = paths.iter().filter(|path| !is_there(path)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}
