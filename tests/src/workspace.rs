//! The workspace as its own tests see it: its packages, who depends on whom, its files.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The package's name, as in its `Cargo.toml`.
    pub name: String,
    /// Where its `Cargo.toml` is.
    pub manifest: PathBuf,
    /// Names of the packages it needs to build and run, ours and others, of every target and feature.
    pub needs: BTreeSet<String>,
    /// Names of the packages that only its tests need.
    pub tests_need: BTreeSet<String>,
}

/// The folder of the workspace: the one above this crate.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The packages of the workspace, from `cargo metadata`, without looking at the network.
///
/// # Errors
/// When cargo does not run or its answer is not of the known form; the message says which.
pub fn packages() -> Result<Vec<Package>, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = run(Command::new(cargo).args(["metadata", "--format-version", "1", "--no-deps", "--offline"]))?;
    packages_in(&out)
}

/// How many crates `cargo tree` has below a package of the workspace, itself included, on Linux on x86-64. `edges` as cargo
/// takes them: `normal` for what is linked, `normal,build` with what runs while it is built.
///
/// # Errors
/// When cargo does not run; the message says why.
pub fn crates_of(package: &str, edges: &str) -> Result<usize, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "tree",
        "--offline",
        "--locked",
        "--target",
        "x86_64-unknown-linux-gnu",
        "--prefix",
        "none",
        "--no-dedupe",
    ]);
    let out = run(command.args(["-p", package, "-e", edges]))?;
    let text = String::from_utf8(out).map_err(|_| "cargo tree: not UTF-8".to_owned())?;
    // `name version`, then where it is from, in brackets.
    let crates: BTreeSet<&str> = text.lines().filter_map(|line| line.split(" (").next()).collect();
    Ok(crates.len())
}

/// The files that git keeps, relative to [`root`].
///
/// # Errors
/// When git does not run here; the message says why.
pub fn files() -> Result<Vec<PathBuf>, String> {
    let out = run(Command::new("git").args(["ls-files", "-z"]))?;
    let names = String::from_utf8(out).map_err(|_| "a file's name is not UTF-8".to_owned())?;
    // A file that was removed but not yet committed is still listed.
    Ok(names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|f| root().join(f).exists())
        .collect())
}

fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let out = command.current_dir(root()).output().map_err(|e| format!("{command:?} does not start: {e}"))?;
    if out.status.success() {
        return Ok(out.stdout);
    }
    Err(format!("{command:?}: {}: {}", out.status, String::from_utf8_lossy(&out.stderr).trim()))
}

fn packages_in(metadata: &[u8]) -> Result<Vec<Package>, String> {
    let metadata: Value = serde_json::from_slice(metadata).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata: no packages")?;
    packages
        .iter()
        .map(|package| package_in(package).ok_or(format!("cargo metadata: unknown form: {package}")))
        .collect()
}

fn package_in(package: &Value) -> Option<Package> {
    let mut needs = BTreeSet::new();
    let mut tests_need = BTreeSet::new();
    for dependency in package["dependencies"].as_array()? {
        // `name` is the package's own name; what the code calls it is in `rename`. A normal dependency's kind is null.
        let name = dependency["name"].as_str()?.to_owned();
        let only_tests = dependency["kind"].as_str() == Some("dev");
        if only_tests {
            tests_need.insert(name)
        } else {
            needs.insert(name)
        };
    }
    Some(Package {
        name: package["name"].as_str()?.to_owned(),
        manifest: PathBuf::from(package["manifest_path"].as_str()?),
        needs,
        tests_need,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_dependency_keeps_its_own_name_and_kinds_are_told_apart() {
        let metadata = br#"{"packages":[{"name":"a","manifest_path":"/a/Cargo.toml","dependencies":[
            {"name":"b","rename":"c","kind":null},{"name":"d","rename":null,"kind":"build"},{"name":"e","rename":null,"kind":"dev"}]}]}"#;
        let found = packages_in(metadata).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].needs, BTreeSet::from(["b".to_owned(), "d".to_owned()]));
        assert_eq!(found[0].tests_need, BTreeSet::from(["e".to_owned()]));
    }

    #[test]
    fn an_unknown_form_is_an_error() {
        assert!(packages_in(b"{}").is_err());
        assert!(packages_in(br#"{"packages":[{}]}"#).is_err());
    }
}
