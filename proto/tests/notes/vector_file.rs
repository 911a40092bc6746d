//! Where the shared vectors are.

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

/// The vectors of this name, or nothing when there are none here; then the test says so and is over. On CI a folder that
/// was promised must be there.
pub(crate) fn load(name: &str) -> Option<Value> {
    let Some(data) = std::env::var_os("CLAIMTRAIL_DATA") else {
        skipped("CLAIMTRAIL_DATA not set");
        return None;
    };
    let path = Path::new(&data).join("../vectors").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("vectors are JSON")),
        Err(why) => {
            assert!(std::env::var_os("CI").is_none(), "{}: {why}", path.display());
            skipped(&format!("{}: {why}", path.display()));
            None
        }
    }
}

/// Says that a test did not run, on standard error itself: what `eprintln!` writes is hidden when the test passes.
fn skipped(why: &str) {
    // Whether anybody reads standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// The items of a list, of which there must be some.
pub(crate) fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value[name].as_array().unwrap_or_else(|| panic!("{name} is a list"));
    assert!(!list.is_empty(), "{name} must not be empty");
    list
}

/// A member that is a text.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is a text"))
}
