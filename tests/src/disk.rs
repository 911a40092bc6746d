//! A small disk of one's own: a file system in memory, mounted where nobody else sees it.
//!
//! The test starts itself once more in a mount namespace of its own. What is mounted there ends with that process,
//! however it ends.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::inputs::skipped;

/// Set to the test's name in the process that has the namespace.
const MARK: &str = "STORY_OWN_MOUNTS";

/// Runs `story` where it may mount: in a process of its own, which is this very test. `test` is its name as the test program
/// lists it.
///
/// Where the system allows no such namespace it says so and returns.
///
/// # Panics
/// When the story fails; and under CI when an administrator may not mount, since then it should be possible.
pub fn with_own_mounts(test: &str, story: impl FnOnce()) {
    if env::var(MARK).is_ok_and(|marked| marked == test) {
        return story();
    }
    let administrator = own_uid() == Some(0);
    // An administrator needs no user namespace, which some systems forbid.
    let namespace: &[&str] = if administrator { &["--mount"] } else { &["--map-root-user", "--mount"] };
    if !quietly(Command::new("unshare").args(namespace).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"])) {
        let under_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
        assert!(!(under_ci && administrator), "under CI an administrator must be able to mount a file system");
        return skipped(test, "this system lets nobody mount a file system here");
    }
    let program = env::current_exe().expect("a test knows its program");
    let mut child = Command::new("unshare");
    child.args(namespace).arg(program).args([test, "--exact", "--nocapture", "--test-threads=1"]).env(MARK, test);
    let output = child.stdin(Stdio::null()).output().expect("unshare was there a moment ago");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // What was skipped there must be seen here.
    for line in said.lines().filter_map(|line| line.strip_prefix("skipped: ")) {
        skipped("in its own mounts", line);
    }
    assert!(output.status.success(), "the story failed: {said}");
    assert!(said.contains("1 passed"), "the test program does not know {test}: {said}");
}

/// The user that owns this process's entry in `/proc`.
fn own_uid() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}

fn quietly(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A mounted file system; unmounted when it is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one of `size` bytes on a folder, which is made. Only within [`with_own_mounts`].
    ///
    /// # Panics
    /// When it cannot be mounted.
    pub fn mount(at: &Path, size: u64) -> SmallDisk {
        std::fs::create_dir_all(at).expect("a folder to mount on");
        mount(&["-t", "tmpfs", "-o", &format!("size={size}")], at);
        SmallDisk { at: at.to_owned() }
    }

    /// Makes it larger or smaller, as far as its files let it.
    ///
    /// # Panics
    /// When that is not possible.
    pub fn resize(&self, size: u64) {
        mount(&["-o", &format!("remount,size={size}")], &self.at);
    }

    /// Lets nobody write to it any more.
    ///
    /// # Panics
    /// When a file in it is open for writing.
    pub fn make_read_only(&self) {
        mount(&["-o", "remount,ro"], &self.at);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever still has a file open there must not keep the mount.
        let _ended = quietly(Command::new("umount").arg("--lazy").arg(&self.at));
    }
}

/// Source and target are both named: with the target alone `mount` adds options it finds in the kernel's table, which a user
/// namespace may not set again.
fn mount(options: &[&str], at: &Path) {
    let output = Command::new("mount").args(options).arg("tmpfs").arg(at).output().expect("mount runs");
    assert!(output.status.success(), "mount {options:?}: {}", String::from_utf8_lossy(&output.stderr));
}
