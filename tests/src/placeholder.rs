//! What changes from run to run, by a name that does not: ids, hashes, keys, signatures, times.
//!
//! The first claim id that is seen is `[ID1]` wherever it stands, the next one `[ID2]`. The names also work the other way: a
//! command may say `[ID1]`. Times have no number, since two of them are the same or not as it happens.

use client::clock::{day, now};
use proto::num::Millis;

/// Hex digits of a SHA-256.
const HASH_HEX: usize = 64;
/// Base64 of 32 bytes: a hash.
const HASH_BASE64: usize = 44;
/// Shorter runs of letters are words.
const SHORTEST_BASE64: usize = 44;
/// How every Ed25519 key in DER begins, in base64.
const SPKI: &str = "MCowBQYDK2VwAyEA";
/// A day in milliseconds.
const DAY_MS: u64 = 86_400_000;
/// Days before and after now whose times are times of this run: a recovery of keys waits for seven.
const DAYS_AROUND: u64 = 8;
/// `T12:34:56`, the fraction and the `Z` come after.
const CLOCK: &str = "T00:00:00";

/// The names given so far.
#[derive(Debug)]
pub struct Placeholders {
    /// Values given from outside, such as the log's address.
    fixed: Vec<(String, String)>,
    /// Kind and value, in order of appearance.
    seen: Vec<(&'static str, String)>,
    /// The days around now, as dates.
    days: Vec<String>,
}

impl Placeholders {
    /// With values that are known before, as [`Placeholders::know`] takes them.
    pub fn new(fixed: Vec<(String, String)>) -> Placeholders {
        let first = now().0 - DAYS_AROUND * DAY_MS;
        let days = (0..=2 * DAYS_AROUND).map(|days| day(Millis(first + days * DAY_MS))).collect();
        let mut names = Placeholders { fixed: Vec::new(), seen: Vec::new(), days };
        names.know(fixed);
        names
    }

    /// Values that have just come about, as (value, name with its brackets); the longest is looked for first, and a name that was known changes its value.
    pub fn know(&mut self, known: Vec<(String, String)>) {
        self.fixed.retain(|(_, name)| !known.iter().any(|(_, again)| again == name));
        self.fixed.extend(known);
        self.fixed.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    }

    /// The text with names in the place of values.
    pub fn hide(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (value, name) in &self.fixed {
            text = text.replace(value, name);
        }
        let text = self.hide_times(&text);
        self.hide_tokens(&text)
    }

    /// The text with values in the place of names.
    ///
    /// # Panics
    /// When it names what has not been seen yet.
    pub fn show(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (value, name) in &self.fixed {
            text = text.replace(name, value);
        }
        for kind in ["ID", "KEY", "DIGEST", "HASH", "SPKI", "VKEY", "BYTES"] {
            for (at, (_, value)) in self.seen.iter().filter(|(of, _)| *of == kind).enumerate() {
                text = text.replace(&format!("[{kind}{}]", at + 1), value);
            }
            assert!(!text.contains(&format!("[{kind}")), "nothing of that name was seen yet: {text}");
        }
        text
    }

    fn name(&mut self, kind: &'static str, value: &str) -> String {
        if !self.seen.iter().any(|(of, known)| *of == kind && known == value) {
            self.seen.push((kind, value.to_owned()));
        }
        let mut of_kind = self.seen.iter().filter(|(of, _)| *of == kind);
        format!("[{kind}{}]", of_kind.position(|(_, known)| known == value).unwrap_or_default() + 1)
    }

    /// Times of these days: RFC 3339, and milliseconds and seconds since 1970. Other times are part of the story.
    fn hide_times(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            out.push_str(&rest[..at]);
            // Digits within a word are none; a letter after a backslash is an escape of JSON.
            let after_word = out.ends_with(is_base64) && !out.ends_with("\\n");
            rest = &rest[at..];
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let is_count = [" heads", " signed heads"].iter().any(|of| rest[digits..].starts_with(of));
            if is_count || out.ends_with("\"heads\": ") {
                // An idle log signs a new head now and then.
                out.push_str("[N]");
                rest = &rest[digits..];
                continue;
            }
            let (length, name) = match self.time(rest, digits) {
                Some(found) if !after_word => found,
                _ => (digits, &rest[..digits]),
            };
            out.push_str(name);
            rest = &rest[length..];
        }
        out.push_str(rest);
        out
    }

    /// The time that the text begins with, as its length and the name for it.
    fn time(&self, text: &str, digits: usize) -> Option<(usize, &'static str)> {
        if let Some(date) = self.days.iter().find(|date| text.starts_with(*date)) {
            let clock = &text[date.len()..];
            let is_time = clock.len() > CLOCK.len() && clock.starts_with('T');
            let end = if is_time { clock[CLOCK.len()..].find('Z') } else { None };
            return Some(match end {
                Some(end) => (date.len() + CLOCK.len() + end + 1, "[TIME]"),
                None => (date.len(), "[TODAY]"),
            });
        }
        let number: u64 = text[..digits].parse().ok()?;
        let is_near = |ms: u64| ms.abs_diff(now().0) <= DAYS_AROUND * DAY_MS;
        match digits {
            13 if is_near(number) => Some((digits, "[MILLISECONDS]")),
            10 if is_near(number * 1000) => Some((digits, "[SECONDS]")),
            _ => None,
        }
    }

    fn hide_tokens(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(is_base64) {
            // In a JSON string the letter after a backslash belongs to it.
            let escaped = rest[..at].ends_with('\\');
            let at = at + usize::from(escaped);
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let end = rest.find(|c| !is_base64(c)).unwrap_or(rest.len());
            // `name=value` and `name+key id+key` are several.
            let (mut token, after) = rest.split_at(end);
            if let Some(value) = token.find('=').map(|at| at + 1).filter(|value| is_alphanumeric(token, *value)) {
                out.push_str(&token[..value]);
                token = &token[value..];
            }
            if let Some(key) = vkey(token) {
                out.push_str(&token[..key]);
                out.push_str(&self.name("VKEY", &token[key..]));
                rest = after;
                continue;
            }
            if is_hex(token) && token.len() == HASH_HEX {
                if out.ends_with("sha256:") {
                    out.truncate(out.len() - "sha256:".len());
                    out.push_str(&self.name("ID", &format!("sha256:{token}")));
                } else if out.ends_with("sha256\": \"") {
                    out.push_str(&self.name("DIGEST", token));
                } else {
                    out.push_str(&self.name("KEY", token));
                }
            } else if token.len() >= SHORTEST_BASE64 && out.ends_with("/time ") {
                out.push_str("[STAMP]"); // by the log's time key: no two are the same
            } else if token.len() >= SHORTEST_BASE64 {
                let kind = match token {
                    key if key.starts_with(SPKI) => "SPKI",
                    hash if hash.len() == HASH_BASE64 && hash.ends_with('=') => "HASH",
                    _ => "BYTES",
                };
                out.push_str(&self.name(kind, token));
            } else {
                out.push_str(token);
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

/// Whether a letter or digit stands at this place.
fn is_alphanumeric(token: &str, at: usize) -> bool {
    token.as_bytes().get(at).is_some_and(u8::is_ascii_alphanumeric)
}

/// Where `+<key id>+<key>` begins in the rest of a vkey.
fn vkey(token: &str) -> Option<usize> {
    // The key itself may have a plus, too.
    token.match_indices('+').map(|(at, _)| at + 1).find(|id| {
        let rest = &token.as_bytes()[*id..];
        rest.get(8) == Some(&b'+') && is_hex(&token[*id..id + 8]) && rest.len() > 8 + SHORTEST_BASE64
    })
}

fn is_hex(token: &str) -> bool {
    token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_name_each_and_names_lead_back() {
        let mut names = Placeholders::new(vec![("http://127.0.0.1:7".into(), "[URL]".into())]);
        let (a, b) = ("ab".repeat(32), "cd".repeat(32));
        let root = proto::hash::Hash::of(b"x").to_base64();
        let text = format!("sha256:{a} {b} sha256:{b} sha256:{a}\nlog\\n{root}\\n at http://127.0.0.1:7/x");
        let hidden = names.hide(&text);
        assert_eq!(hidden, "[ID1] [KEY1] [ID2] [ID1]\nlog\\n[HASH1]\\n at [URL]/x");
        assert_eq!(names.show(&hidden), text);
        let key = format!("{SPKI}7UkoxijRwsbq6QM4kFmVYSlZJzpcY/k2NsFGFKyHN9E=");
        assert_eq!(names.hide(&format!("spki {key}, {}", "Ab+/".repeat(22))), "spki [SPKI1], [BYTES1]");
        assert_eq!(names.hide(&format!("log.example/x+0a1b2c3d+A+{root} key={b}")), "log.example/x+[VKEY1] key=[KEY1]");
        assert_eq!(names.hide(&format!("log.example/time {}=", "A".repeat(99))), "log.example/time [STAMP]");
    }

    #[test]
    fn only_times_of_now_are_hidden() {
        let mut names = Placeholders::new(Vec::new());
        let time = client::clock::rfc3339(now());
        let text = format!(
            "{time} {} 2031-03-01 2031-03-01T00:00:00Z {} {} v{}",
            &time[..10],
            now().0,
            now().0 / 1000,
            now().0
        );
        let expected = format!("[TIME] [TODAY] 2031-03-01 2031-03-01T00:00:00Z [MILLISECONDS] [SECONDS] v{}", now().0);
        assert_eq!(names.hide(&text), expected);
        assert_eq!(names.hide(&format!("\\n{}\\n, 7 heads", now().0)), "\\n[MILLISECONDS]\\n, [N] heads");
    }

    #[test]
    #[should_panic(expected = "nothing of that name")]
    fn a_name_that_was_not_seen_is_an_error_of_the_script() {
        Placeholders::new(Vec::new()).show("show [ID1]");
    }
}
