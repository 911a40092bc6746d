//! Who may use whom: proto <- client <- log-server, monitor; tests use all. Judged on what `cargo metadata` says.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

use std::collections::BTreeSet;

use harness::workspace::{Package, packages};

const PROTO: &str = "claimtrail-proto";
const SERVICE: &str = "claimtrail-service";
const CLIENT: &str = "claimtrail-client";
const LOG: &str = "claimtrail-log";
const MONITOR: &str = "claimtrail-monitor";
const TESTS: &str = "claimtrail-tests";
const FUZZ: &str = "claimtrail-fuzz";

/// Every package of ours, and which of ours it may use. A new package has to be placed here first.
const MAY_USE: [(&str, &[&str]); 7] = [
    (PROTO, &[]),
    (SERVICE, &[PROTO]),
    (CLIENT, &[PROTO]),
    (LOG, &[PROTO, CLIENT, SERVICE]),
    (MONITOR, &[PROTO, CLIENT, SERVICE]),
    (TESTS, &[PROTO, CLIENT, SERVICE, LOG, MONITOR]),
    (FUZZ, &[PROTO]),
];

/// What proto's library must not depend on: it has no I/O, no async, no store, no randomness.
const NOT_IN_PROTO: [&str; 8] = ["tokio", "reqwest", "axum", "hyper", "rocksdb", "redb", "rand", "getrandom"];

/// Only the log keeps its state in RocksDB, so only what links the log waits for it.
const ROCKSDB: [&str; 2] = ["rocksdb", "librocksdb-sys"];

/// What is wrong with these packages, a sentence each; empty when nothing is.
fn wrongs(packages: &[Package]) -> Vec<String> {
    let ours: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    let mut wrongs = Vec::new();
    for package in packages {
        let Some((name, may_use)) = MAY_USE.iter().find(|(name, _)| *name == package.name) else {
            wrongs.push(format!("{} has no place in MAY_USE of tests/tests/layering.rs", package.name));
            continue;
        };
        // A package's tests are held to the same direction as its code.
        for used in package.needs.union(&package.tests_need) {
            // A package may name itself for its tests, to have one of its own features there.
            let itself = used == name && package.tests_need.contains(used);
            if ours.contains(used.as_str()) && !itself && !may_use.contains(&used.as_str()) {
                wrongs.push(format!("{name} uses {used}"));
            }
            if ROCKSDB.contains(&used.as_str()) && *name != LOG {
                wrongs.push(format!("{name} uses {used}; only {LOG} may"));
            }
        }
        // Only proto's own code: its tests may bring what the oracles need.
        if *name == PROTO {
            let banned = package.needs.iter().filter(|used| NOT_IN_PROTO.contains(&used.as_str()));
            wrongs.extend(banned.map(|used| format!("{name} depends on {used}")));
        }
    }
    wrongs.sort();
    wrongs.dedup();
    wrongs
}

fn package(name: &str, needs: &[&str], tests_need: &[&str]) -> Package {
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
    Package { name: name.to_owned(), manifest: "Cargo.toml".into(), needs: names(needs), tests_need: names(tests_need) }
}

#[test]
fn the_workspace_keeps_its_direction() {
    let packages = packages().unwrap();
    for wanted in [PROTO, TESTS] {
        assert!(packages.iter().any(|package| package.name == wanted), "cargo metadata names no {wanted}");
    }
    assert_eq!(wrongs(&packages), Vec::<String>::new());
}

#[test]
fn the_intended_workspace_is_accepted() {
    let intended = [
        package(PROTO, &["sha2", "serde_json"], &["proptest", "rand"]),
        package(SERVICE, &[PROTO, "tokio"], &[]),
        package(CLIENT, &[PROTO, "reqwest", "redb"], &[]),
        package(LOG, &[PROTO, CLIENT, SERVICE, "rocksdb"], &["tempfile"]),
        package(MONITOR, &[PROTO, CLIENT, SERVICE, "redb"], &[]),
        package(TESTS, &[PROTO, CLIENT, SERVICE, LOG, MONITOR], &[]),
    ];
    assert_eq!(wrongs(&intended), Vec::<String>::new());
}

#[test]
fn every_wrong_direction_is_named() {
    for (user, used) in [
        (PROTO, CLIENT),
        (CLIENT, LOG),
        (CLIENT, SERVICE),
        (SERVICE, CLIENT),
        (LOG, MONITOR),
        (MONITOR, LOG),
        (MONITOR, TESTS),
        (LOG, TESTS),
    ] {
        let expected = vec![format!("{user} uses {used}")];
        assert_eq!(wrongs(&[package(user, &[used], &[])]), expected);
        assert_eq!(wrongs(&[package(user, &[], &[used])]), expected, "its tests too");
    }
}

#[test]
fn what_a_package_must_not_bring_is_named() {
    for banned in NOT_IN_PROTO {
        assert!(!wrongs(&[package(PROTO, &[banned], &[])]).is_empty(), "{banned}");
    }
    for user in [PROTO, SERVICE, CLIENT, MONITOR, TESTS] {
        assert!(!wrongs(&[package(user, &["rocksdb"], &[])]).is_empty(), "{user}");
        assert!(!wrongs(&[package(user, &[], &["rocksdb"])]).is_empty(), "{user}'s tests");
    }
    assert_eq!(wrongs(&[package("claimtrail-new", &[], &[])]).len(), 1, "a package without a place");
}
