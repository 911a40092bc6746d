//! The one place of the client that reads the wall clock.

use proto::num::Millis;

/// Now, by this machine's clock.
#[allow(clippy::disallowed_methods, reason = "the one place where the client reads the wall clock")]
pub fn now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A moment as RFC 3339 in UTC, to the second.
pub fn rfc3339(time: Millis) -> String {
    time.to_rfc3339()
}

/// The day of a moment in UTC, `YYYY-MM-DD`.
pub fn day(time: Millis) -> String {
    rfc3339(time).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_utc() {
        assert_eq!(day(Millis(1_800_000_000_999)), "2027-01-15");
    }
}
