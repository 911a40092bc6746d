//! What the command prints. A reader that goes away (`| head`) is no failure.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::error::Error;
use crate::plain::{plain, plain_json};

/// Bold green: all is well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Bold red: something is wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Bold yellow: look twice.
pub(super) const CARE: Style = AnsiColor::Yellow.on_default().bold();

/// A line of the result.
pub(super) fn line(text: impl AsRef<str>) {
    let _ = writeln!(anstream::stdout(), "{}", safe(text.as_ref()));
}

/// JSON on lines of its own, such as a receipt, byte for byte save for what a terminal would obey.
pub(super) fn json_text(text: &str) {
    let _ = writeln!(anstream::stdout(), "{}", plain_json(text));
}

/// Line feeds, tabs and our own colours pass; whatever else a terminal obeys is written out. Text of others goes through
/// [`plain`] before, which takes colours and line feeds too; this is what holds where that was forgotten.
fn safe(text: &str) -> String {
    let ours: Vec<String> = [GOOD, BAD, CARE].iter().map(|style| style.render().to_string()).collect();
    let reset = GOOD.render_reset().to_string();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colour = ours.iter().chain([&reset]).find(|style| rest.starts_with(style.as_str()));
        if let Some(colour) = colour {
            out.push_str(colour);
            rest = &rest[colour.len()..];
            continue;
        }
        if matches!(c, '\n' | '\t') {
            out.push(c)
        } else {
            out.push_str(&plain(c.encode_utf8(&mut [0; 4])))
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// Bytes of the result as they are.
pub(super) fn raw(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// A JSON value of the result, on lines of its own.
pub(super) fn json(value: &Value) {
    json_text(&format!("{value:#}"));
}

/// A text in a style; without colours where there is no terminal.
pub(super) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Something to know besides the result.
pub(super) fn remark(text: impl AsRef<str>) {
    let _ = writeln!(anstream::stderr(), "{}", safe(text.as_ref()));
}

/// Why it ended.
pub(super) fn error(error: &Error, as_json: bool) {
    if as_json {
        let value = serde_json::json!({ "error": error.message, "problem": error.problem });
        json_text(&value.to_string());
    }
    remark(format!("{} {}", styled(BAD, "claimtrail:"), error.message));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_colours_reach_a_terminal() {
        let own = format!("{} is\tdone\n", styled(GOOD, "it"));
        assert_eq!(safe(&own), own);
        assert_eq!(safe("a\u{1b}[2J\u{9b}1m\u{202e}\r"), "a\\u{1b}[2J\\u{9b}1m\\u{202e}\\u{d}");
    }
}
