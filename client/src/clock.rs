//! The one place of the client that reads the wall clock.

use proto::num::Millis;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Now, by this machine's clock.
#[allow(clippy::disallowed_methods, reason = "the one place where the client reads the wall clock")]
pub fn now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A moment as RFC 3339 in UTC, to the second; far beyond the year 9999 as the plain number.
pub fn rfc3339(time: Millis) -> String {
    let seconds = i64::try_from(time.seconds().0).unwrap_or(i64::MAX);
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{time} ms since 1970"))
}

/// The day of a moment in UTC, `YYYY-MM-DD`.
pub fn day(time: Millis) -> String {
    rfc3339(time).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(rfc3339(Millis(0)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(Millis(1_800_000_000_999)), "2027-01-15T08:00:00Z");
        assert_eq!(day(Millis(1_800_000_000_999)), "2027-01-15");
        assert!(rfc3339(Millis(u64::MAX)).ends_with("since 1970"));
    }
}
