//! Index, size and time as different types, and the one way to read a decimal.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Tree sizes above 2^63 - 1 are refused everywhere, so that shifts by 64 cannot happen (SPECS: RFC 9162 proofs have at
/// most 63 hashes below that size).
pub const MAX_TREE_SIZE: u64 = (1 << 63) - 1;

/// A text was not a canonical decimal: ASCII digits only, no sign, no leading zero except `0` itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a canonical decimal number (digits only, no leading zero, at most 2^63-1)")]
pub struct BadDecimal;

/// Reads a canonical decimal of at most 2^63 - 1. Rust's own parser takes `+7` and `007`; the C2SP formats do not.
pub fn parse_decimal(text: &str) -> Result<u64, BadDecimal> {
    let bytes = text.as_bytes();
    let canonical = match bytes {
        [] => false,
        [b'0'] => true,
        [b'0', ..] => false,
        _ => bytes.iter().all(u8::is_ascii_digit),
    };
    if !canonical {
        return Err(BadDecimal);
    }
    text.parse::<u64>().ok().filter(|n| *n <= MAX_TREE_SIZE).ok_or(BadDecimal)
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// The place of an entry in the log, from 0.
    LeafIndex
);
number!(
    /// How many entries a tree has.
    TreeSize
);
number!(
    /// Milliseconds since 1970-01-01T00:00:00Z, as an entry carries them.
    Millis
);
number!(
    /// Whole seconds since 1970-01-01T00:00:00Z, as a head carries them.
    Seconds
);

impl LeafIndex {
    /// The size of the smallest tree that holds this entry.
    pub fn size_with(self) -> TreeSize {
        TreeSize(self.0 + 1)
    }

    /// Whether a tree of `size` entries holds this entry.
    pub fn is_in(self, size: TreeSize) -> bool {
        self.0 < size.0
    }
}

impl TreeSize {
    /// The index that the next entry of a tree of this size gets.
    pub fn next_index(self) -> LeafIndex {
        LeafIndex(self.0)
    }
}

impl Millis {
    /// Whole seconds, rounded down.
    pub fn seconds(self) -> Seconds {
        Seconds(self.0 / 1000)
    }

    /// As RFC 3339 in UTC, to the second, for people; far beyond the year 9999 as the plain number.
    pub fn to_rfc3339(self) -> String {
        let seconds = i64::try_from(self.seconds().0).unwrap_or(i64::MAX);
        let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
        moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{self} ms since 1970"))
    }
}

impl Seconds {
    /// The first millisecond of this second.
    pub fn millis(self) -> Millis {
        Millis(self.0.saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(Millis(0).to_rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Millis(1_800_000_000_999).to_rfc3339(), "2027-01-15T08:00:00Z");
        assert!(Millis(u64::MAX).to_rfc3339().ends_with("since 1970"));
    }

    #[test]
    fn decimals_are_canonical_or_refused() {
        assert_eq!(parse_decimal("0"), Ok(0));
        assert_eq!(parse_decimal("70000"), Ok(70000));
        assert_eq!(parse_decimal("9223372036854775807"), Ok(MAX_TREE_SIZE));
        for bad in ["", "+1", "-1", "007", "00", " 1", "1 ", "1_0", "9223372036854775808", "18446744073709551616", "١"]
        {
            assert_eq!(parse_decimal(bad), Err(BadDecimal), "{bad:?}");
        }
    }
}
