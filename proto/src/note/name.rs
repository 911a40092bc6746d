//! The name of a key.

use std::fmt;

/// A key name: not empty, no Unicode white space, no `+`, no control character (C2SP signed-note, "Format").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// A text is not a key name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key name: it must not be empty and must have no white space, no `+` and no control character")]
pub struct BadKeyName;

impl KeyName {
    /// Checks and takes a name.
    pub fn parse(text: &str) -> Result<KeyName, BadKeyName> {
        let bad = |c: char| c.is_whitespace() || c == '+' || c < ' ';
        if text.is_empty() || text.contains(bad) {
            return Err(BadKeyName);
        }
        Ok(KeyName(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["example.com/foo", "PeterNeumann", "ü", "a.b/time"] {
            assert_eq!(KeyName::parse(good).map(|n| n.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", " ", "a b", "a+b", "a\u{a0}b", "a\u{2003}b", "a\u{85}b", "a\nb", "a\u{1}b", "a\tb"] {
            assert_eq!(KeyName::parse(bad), Err(BadKeyName), "{bad:?}");
        }
    }
}
