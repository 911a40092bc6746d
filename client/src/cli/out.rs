//! What the command prints. A reader that goes away (`| head`) is no failure.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::error::Error;

/// Bold green: all is well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Bold red: something is wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Bold yellow: look twice.
pub(super) const CARE: Style = AnsiColor::Yellow.on_default().bold();

/// A line of the result.
pub(super) fn line(text: impl AsRef<str>) {
    let _ = writeln!(anstream::stdout(), "{}", text.as_ref());
}

/// Bytes of the result as they are.
pub(super) fn raw(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// A JSON value of the result, on lines of its own.
pub(super) fn json(value: &Value) {
    line(format!("{value:#}"));
}

/// A text in a style; without colours where there is no terminal.
pub(super) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Something to know besides the result.
pub(super) fn remark(text: impl AsRef<str>) {
    let _ = writeln!(anstream::stderr(), "{}", text.as_ref());
}

/// Why it ended.
pub(super) fn error(error: &Error, as_json: bool) {
    if as_json {
        let value = serde_json::json!({ "error": error.message, "problem": error.problem });
        line(value.to_string());
    }
    remark(format!("{} {}", styled(BAD, "claimtrail:"), error.message));
}
