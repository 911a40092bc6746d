//! The rules of the house that no compiler keeps: words, lengths of files, lints, licence.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

use std::fs;
use std::path::{Path, PathBuf};

use harness::workspace::{files, packages, root};

/// A file longer than this is two files: it does more than one thing, or will soon.
const LONGEST_FILE_LINES: usize = 400;

/// The scripts in Python that judge misbehaviour files are for people who trust none of our code: they read it all. The first has the format
/// and the kinds that need no rules, the second the rules.
const LONGEST_SCRIPTS_LINES: [(&str, usize); 2] = [("check_misbehaviour.py", 250), ("misbehaviour_rules.py", 300)];

/// What no file may say, put together from pieces so that this file does not say it.
fn banned() -> Vec<String> {
    [
        ["/ro", "ot/"],
        ["/wo", "rk/"],
        ["/ho", "me/"],
        ["/Us", "ers/"],
        ["crates", ".io"],
        ["py", "pi.org"],
        ["files.python", "hosted"],
        ["registry.npm", "js"],
        ["deb.deb", "ian.org"],
        ["issue ", "#"],
        ["court-", "proof"],
    ]
    .map(|pieces| pieces.concat())
    .to_vec()
}

/// Every place where a text says what it must not, as `file:line: word`.
fn said(file: &Path, text: &str) -> Vec<String> {
    let banned = banned();
    let lines = text.lines().enumerate();
    lines
        .flat_map(|(at, line)| {
            let found = banned.iter().filter(move |word| line.contains(word.as_str()));
            found.map(move |word| format!("{}:{}: {word}", file.display(), at + 1))
        })
        .collect()
}

/// Cargo.lock is written by cargo and names where packages come from.
fn is_ours(file: &Path) -> bool {
    file.file_name().is_none_or(|name| name != "Cargo.lock")
}

fn is_test(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "tests") && !file.starts_with("tests/src")
        || file.file_stem().is_some_and(|stem| stem == "tests")
}

/// A source file's lines up to its own tests, which may take the room they need.
fn lines_of_code(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let files = files().unwrap();
    assert!(files.contains(&PathBuf::from("Cargo.toml")), "git lists {files:?}");
    let mut wrongs = Vec::new();
    for file in files.iter().filter(|file| is_ours(file)) {
        // A picture or other binary file is read as well as it goes: a path in it is still a path.
        let bytes = fs::read(root().join(file)).unwrap();
        wrongs.extend(said(file, &String::from_utf8_lossy(&bytes)));
        wrongs.extend(said(file, &file.to_string_lossy()));
    }
    assert!(wrongs.is_empty(), "{wrongs:#?}");
}

#[test]
fn a_banned_word_is_found_with_its_line() {
    for word in banned() {
        let found = said(Path::new("a.rs"), &format!("first\nsee {word}x\n"));
        assert_eq!(found, [format!("a.rs:2: {word}")]);
    }
    assert!(said(Path::new("a.rs"), "a path: target/debug, src/lib.rs\n").is_empty());
}

#[test]
fn source_files_stay_short() {
    let mut long = Vec::new();
    let mut seen = 0;
    for file in files().unwrap() {
        if file.extension().is_none_or(|extension| extension != "rs") || is_test(&file) {
            continue;
        }
        seen += 1;
        let lines = lines_of_code(&fs::read_to_string(root().join(&file)).unwrap());
        if lines > LONGEST_FILE_LINES {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(seen > 0, "no source files found");
    assert!(long.is_empty(), "longer than {LONGEST_FILE_LINES} lines without their tests; split them: {long:#?}");
}

#[test]
fn the_second_verifier_can_be_read_in_one_sitting() {
    for (name, longest) in LONGEST_SCRIPTS_LINES {
        let script = fs::read_to_string(root().join("tests/independent").join(name)).unwrap();
        assert!(script.lines().count() < longest, "{name}: {} lines", script.lines().count());
    }
}

#[test]
fn tests_do_not_count_as_code() {
    assert_eq!(lines_of_code("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    assert!(is_test(Path::new("proto/tests/note.rs")));
    assert!(is_test(Path::new("proto/src/fold/tests.rs")));
    assert!(!is_test(Path::new("tests/src/workspace.rs")), "the harness is code");
    assert!(!is_test(Path::new("proto/src/note/mod.rs")));
}

#[test]
fn every_package_has_the_lints_and_the_licence_of_the_workspace() {
    for package in packages().unwrap() {
        let manifest = fs::read_to_string(&package.manifest).unwrap();
        let lines: Vec<&str> = manifest.lines().map(str::trim).collect();
        let lints = lines.iter().position(|line| *line == "[lints]");
        assert!(lints.is_some_and(|at| lines.get(at + 1) == Some(&"workspace = true")), "{}: [lints]", package.name);
        assert!(lines.contains(&"license.workspace = true"), "{}: license.workspace", package.name);
        assert!(lines.contains(&"rust-version.workspace = true"), "{}: rust-version.workspace", package.name);
    }
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"forbid\""), "unsafe code is forbidden everywhere");
    assert!(workspace.contains("license = \"Apache-2.0\""));
    let licence = fs::read_to_string(root().join("LICENSE")).unwrap();
    assert!(licence.contains("Apache License") && licence.contains("Version 2.0, January 2004"));
}
