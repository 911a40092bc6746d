//! Text of others for a terminal: logs, files and issuers may write what they like, and a terminal obeys control characters.

/// Whether a terminal obeys this character, or it turns the direction of what stands around it.
pub fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The text with such characters, line feeds among them, written as `\u{1b}`.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// The same for text of several lines and columns: line feeds and tabs stay.
pub fn plain_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) && !matches!(c, '\n' | '\t') { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// JSON with such characters inside its texts written as `\u001b`; the line feeds between its members stay.
pub fn plain_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_obeyed(c) && c != '\n' { out.push_str(&format!("\\u{:04x}", u32::from(c))) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_that_a_log_says() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{9b}d\u{202e}e"), "a\\u{1b}[2Jb\\u{a}c\\u{9b}d\\u{202e}e");
        assert_eq!(plain_lines("a\u{1b}[2J\nb\tc\r\u{202e}"), "a\\u{1b}[2J\nb\tc\\u{d}\\u{202e}");
        assert_eq!(plain("Käse 🧀 \"x\\y\""), "Käse 🧀 \"x\\y\"");
        let value = serde_json::json!({ "a": "x\u{9b}y\u{202e}" });
        let text = plain_json(&format!("{value:#}"));
        assert!(!text.chars().any(|c| is_obeyed(c) && c != '\n'), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
