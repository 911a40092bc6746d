//! A check only reads: on a disk that nobody can write to, and by a user who may not write.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use harness::disk::with_own_mounts;
use harness::inputs::skipped;
use serde_json::Value;

use crate::full_disk::OnDisk;
use crate::{check, json, programs, signed_support};

/// A user that owns nothing here.
const NOBODY: u32 = 65_534;

/// Room for a log of a few entries.
const ROOM: u64 = 1 << 30;

/// A file as a reader must leave it: name, inode, length, time of its last change.
type Found = (PathBuf, u64, u64, (i64, i64));

fn files(folder: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            let data = std::fs::symlink_metadata(&path).expect("readable");
            if data.is_dir() {
                folders.push(path.clone());
            }
            found.push((path, data.ino(), data.len(), (data.mtime(), data.mtime_nsec())));
        }
    }
    found.sort();
    found
}

/// Everything may be read by everyone, but for the keys.
fn open_to_all(folder: &Path) {
    for (path, ..) in files(folder) {
        let is_dir = path.is_dir();
        if path.components().any(|part| part.as_os_str() == "keys") && !is_dir {
            continue;
        }
        let mode = if is_dir { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("ours");
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("ours");
}

/// The check by nobody; `None` where the system does not let us be another user, or that user not run the program.
fn check_by_nobody(folder: &Path) -> Option<Output> {
    let mut command = Command::new(programs().log);
    command.args(["check", "log", "--json"]).current_dir(folder).uid(NOBODY).gid(NOBODY).stdin(Stdio::null());
    command.output().ok()
}

#[test]
fn a_check_needs_no_right_to_write() {
    const TEST: &str = "read_only::a_check_needs_no_right_to_write";
    with_own_mounts(TEST, || {
        let OnDisk { folder, disk, mut log } = OnDisk::start(ROOM, 0);
        let envelope = signed_support(&log, "CAM-1");
        log.client(&["submit", envelope.to_str().expect("UTF-8")]);
        log.stop();
        let before = (files(folder.path()), files(&log.data()));
        let entries = check(&log);
        assert_eq!((files(folder.path()), files(&log.data())), before, "a check changes no file and makes none");

        open_to_all(folder.path());
        open_to_all(log.path());
        match check_by_nobody(log.path()) {
            None => skipped(TEST, "this user cannot be another one, or the other one cannot run the program"),
            Some(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{said}");
                assert!(said.contains("log/keys/log.key is not this user's to read"), "{said}");
                let report = json(&String::from_utf8_lossy(&output.stdout));
                assert_eq!((&report["ok"], &report["keys_compared"]), (&Value::from(true), &Value::from(false)));
                assert_eq!(report["checked"]["entries"], entries);
                // Without the right to read the record, nothing is said about the log.
                let record = folder.path().join("signer/record");
                std::fs::set_permissions(&record, std::fs::Permissions::from_mode(0o600)).expect("ours");
                let output = check_by_nobody(log.path()).expect("it ran before");
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(74), "{said}");
                assert!(said.contains("Permission denied") && said.contains("run the check as a user who may read it"));
            }
        }

        disk.make_read_only();
        assert_eq!(check(&log), entries);
        // The server says that it cannot write, and changes nothing either.
        let output = harness::process::run(&log.programs.log, log.path(), &["serve", "log"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "{said}");
        assert!(said.contains("Read-only file system"), "{said}");
    });
}
