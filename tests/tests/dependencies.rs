//! docs/dependencies.md names every direct dependency of the workspace with a reason, and no other.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

use std::collections::{BTreeMap, BTreeSet};

use harness::workspace::{Package, crates_of, packages, root};

/// Packages that are tests as a whole.
const TESTS_AS_A_WHOLE: [&str; 2] = ["claimtrail-tests", "claimtrail-fuzz"];

/// What the page counts, and the package.
const COUNTED: [(&str, &str); 4] = [
    ("claimtrail-proto", "claimtrail-proto"),
    ("claimtrail", "claimtrail-client"),
    ("claimtrail-log", "claimtrail-log"),
    ("claimtrail-monitor", "claimtrail-monitor"),
];

/// Crates and the folders of the packages that name them.
type Users = BTreeMap<String, BTreeSet<String>>;

/// What is in the programs, and what is only in tests.
fn named(packages: &[Package]) -> (Users, Users) {
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let (mut programs, mut tests) = (Users::new(), Users::new());
    for package in packages {
        let folder = package.manifest.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let only_tests = TESTS_AS_A_WHOLE.contains(&package.name.as_str());
        let needs = package.needs.iter().map(|name| (name, only_tests));
        for (name, in_tests) in needs.chain(package.tests_need.iter().map(|name| (name, true))) {
            if !ours.contains(name.as_str()) {
                let users = if in_tests { &mut tests } else { &mut programs };
                users.entry(name.clone()).or_default().insert(folder.clone());
            }
        }
    }
    (programs, tests)
}

/// The table under a heading: crate, used by, reason. A row without a reason is a failure.
fn table(page: &str, heading: &str) -> Users {
    let section = page.split("\n## ").find_map(|section| section.strip_prefix(heading)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, users, reason] = cells.as_slice() else { panic!("{row}: three cells are expected") };
        assert!(reason.len() > 3, "{row}: why is it there?");
        (name.trim_matches('`').to_owned(), users.split(", ").map(str::to_owned).collect())
    })
    .collect()
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let page = std::fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let (programs, tests) = named(&packages().unwrap());
    assert_eq!(table(&page, "In the programs"), programs, "docs/dependencies.md (left) and the workspace (right)");
    assert_eq!(table(&page, "Only in tests"), tests, "docs/dependencies.md (left) and the workspace (right)");
}

#[test]
fn as_many_crates_are_linked_as_the_page_says() {
    let page = std::fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let section = page.split("\n## ").find_map(|section| section.strip_prefix("How many there are")).unwrap();
    let written: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let counted: Vec<[String; 2]> = COUNTED
        .iter()
        .map(|(_, package)| ["normal", "normal,build"].map(|edges| crates_of(package, edges).unwrap().to_string()))
        .collect();
    assert_eq!(written.len(), COUNTED.len());
    for (((name, _), row), numbers) in COUNTED.iter().zip(&written).zip(&counted) {
        assert!(row[0].starts_with(&format!("`{name}`")), "{row:?}");
        assert_eq!(row[1..], *numbers, "docs/dependencies.md (left) and cargo (right): {name}");
    }
}

#[test]
fn kinds_of_dependencies_are_told_apart() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let package = |name: &str, folder: &str, needs: &[&str], tests_need: &[&str]| Package {
        name: name.to_owned(),
        manifest: format!("{folder}/Cargo.toml").into(),
        needs: set(needs),
        tests_need: set(tests_need),
    };
    let packages = [
        package("claimtrail-proto", "proto", &["sha2"], &["insta"]),
        package("claimtrail-tests", "tests", &["claimtrail-proto", "tempfile"], &[]),
    ];
    let (programs, tests) = named(&packages);
    assert_eq!(programs, Users::from([("sha2".to_owned(), set(&["proto"]))]));
    let expected = [("insta".to_owned(), set(&["proto"])), ("tempfile".to_owned(), set(&["tests"]))];
    assert_eq!(tests, Users::from(expected));
    let page = "\n## A\n\n| crate | used by | reason |\n|---|---|---|\n| `x` | proto, tests | because |\n## B\n| `y` | a | b |\n";
    assert_eq!(table(page, "A"), Users::from([("x".to_owned(), set(&["proto", "tests"]))]));
}
