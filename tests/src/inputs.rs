//! What a test needs from outside the repository: real data, and a Python with an Ed25519 of its own.
//!
//! A machine that lacks it skips the test and says so. Where it is promised, its absence is a failure: a check that quietly
//! never runs is worse than none.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

/// The folder with real data, from `CLAIMTRAIL_DATA`; the vectors of public formats are in `../vectors` beside it.
///
/// `None`, with a visible line, when the variable is not set.
///
/// # Panics
/// When the variable is set and names no folder: then somebody meant these tests to run.
pub fn data(test: &str) -> Option<PathBuf> {
    let found = data_at(env::var_os("CLAIMTRAIL_DATA")).unwrap_or_else(|message| panic!("{message}"));
    if found.is_none() {
        skipped(test, "CLAIMTRAIL_DATA not set");
    }
    found
}

/// The Python that `make test` prepared, from `CLAIMTRAIL_PYTHON`.
///
/// `None`, with a visible line, when the variable is not set.
///
/// # Panics
/// When the variable is set and names no file, and when it is not set under CI.
pub fn python(test: &str) -> Option<PathBuf> {
    let under_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    let found = python_at(env::var_os("CLAIMTRAIL_PYTHON"), under_ci).unwrap_or_else(|message| panic!("{message}"));
    if found.is_none() {
        skipped(test, "CLAIMTRAIL_PYTHON not set; `make test` sets it");
    }
    found
}

/// Says that a test did not run, on standard error itself: what `eprintln!` writes is hidden when the test passes.
pub fn skipped(test: &str, why: &str) {
    // Whether anybody reads standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

fn data_at(value: Option<OsString>) -> Result<Option<PathBuf>, String> {
    let Some(folder) = value.filter(|value| !value.is_empty()).map(PathBuf::from) else { return Ok(None) };
    if folder.is_dir() {
        return Ok(Some(folder));
    }
    Err(format!("CLAIMTRAIL_DATA names {}, which is no folder; correct it or unset it", folder.display()))
}

fn python_at(value: Option<OsString>, under_ci: bool) -> Result<Option<PathBuf>, String> {
    match value.filter(|value| !value.is_empty()).map(PathBuf::from) {
        Some(program) if program.is_file() => Ok(Some(program)),
        Some(program) => Err(format!("CLAIMTRAIL_PYTHON names {}, which is no file", program.display())),
        None if under_ci => Err("CLAIMTRAIL_PYTHON is not set; under CI the checks in Python must run".to_owned()),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(name: &str) -> Option<OsString> {
        Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name).into_os_string())
    }

    #[test]
    fn data_is_skipped_when_unset_and_fails_when_wrong() {
        assert_eq!(data_at(None), Ok(None));
        assert_eq!(data_at(Some(OsString::new())), Ok(None));
        assert_eq!(data_at(here("src")), Ok(here("src").map(PathBuf::from)));
        assert!(data_at(here("no-such-folder")).is_err());
        assert!(data_at(here("Cargo.toml")).is_err(), "a file is no folder");
    }

    #[test]
    fn python_may_be_absent_only_outside_ci() {
        assert_eq!(python_at(None, false), Ok(None));
        assert!(python_at(None, true).is_err());
        assert!(python_at(here("no-such-python"), false).is_err());
        assert_eq!(python_at(here("Cargo.toml"), true), Ok(here("Cargo.toml").map(PathBuf::from)));
    }
}
