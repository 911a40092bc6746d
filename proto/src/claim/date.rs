//! Dates and times as claims write them, compared by the last instant of what they name, in UTC (DECISIONS 6).
//!
//! The forms are `YYYY-MM`, `YYYY-MM-DD` and RFC 3339 §5.6 `date-time` with upper-case `T` and `Z`, one to nine digits
//! of a fraction, and offsets up to 23:59. Years run from 1970 to 9999; a leap second (`:60`) is refused, because no
//! two systems count it alike. The shape is checked here and not left to a library, so that an update of the library
//! cannot change what the log accepts; the calendar is the library's.

use std::fmt;

use time::{Date, Month};

/// The first year a claim can name: the log's time begins there.
const FIRST_YEAR: i32 = 1970;
/// The Julian day number of 1970-01-01.
const EPOCH_JULIAN_DAY: i32 = 2_440_588;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// A text was not a date or time of the allowed forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date of a form that is allowed here")]
pub struct BadDate;

/// A moment, written as RFC 3339 and kept as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Instant {
    text: String,
    millis: i64,
}

impl Instant {
    /// Reads RFC 3339.
    pub fn parse(text: &str) -> Result<Instant, BadDate> {
        let millis = instant_millis(text).ok_or(BadDate)?;
        Ok(Instant { text: text.to_owned(), millis })
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Milliseconds since 1970-01-01T00:00:00Z, rounded down; negative only by an offset on the first day.
    pub fn millis(&self) -> i64 {
        self.millis
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How exact a [`DateText`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// `YYYY-MM`
    Month,
    /// `YYYY-MM-DD`
    Day,
    /// RFC 3339
    Instant,
}

/// A month, a day or a moment, kept as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DateText {
    text: String,
    first: i64,
    last: i64,
    precision: Precision,
}

impl DateText {
    /// Reads one of the three forms.
    pub fn parse(text: &str) -> Result<DateText, BadDate> {
        let (first, last, precision) = period(text).ok_or(BadDate)?;
        Ok(DateText { text: text.to_owned(), first, last, precision })
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How exact it is.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The first millisecond of the period, since 1970-01-01T00:00:00Z; of a moment, the moment.
    pub fn first_instant(&self) -> i64 {
        self.first
    }

    /// The last millisecond of the period, since 1970-01-01T00:00:00Z, by which dates are compared; of a moment, the
    /// moment.
    pub fn last_instant(&self) -> i64 {
        self.last
    }

    /// The day of the last instant in UTC, as `YYYY-MM-DD`.
    pub fn last_day(&self) -> String {
        day_text(self.last)
    }

    /// The day of the first instant in UTC, as `YYYY-MM-DD`.
    pub fn first_day(&self) -> String {
        day_text(self.first)
    }
}

impl fmt::Display for DateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The day that holds this millisecond, in UTC. Moments that an offset pushes out of the years 1970 to 9999 give the
/// nearest day inside.
fn day_text(millis: i64) -> String {
    let day = i32::try_from(millis.div_euclid(DAY_MS).max(0)).unwrap_or(i32::MAX);
    let date = Date::from_julian_day(EPOCH_JULIAN_DAY.saturating_add(day)).unwrap_or(Date::MAX);
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// First and last millisecond of what the text names.
fn period(text: &str) -> Option<(i64, i64, Precision)> {
    match text.len() {
        7 => {
            let first = date(&format!("{text}-01"))?;
            let last = first.replace_day(first.month().length(first.year())).ok()?;
            Some((day_start(first), day_start(last) + DAY_MS - 1, Precision::Month))
        }
        10 => {
            let day = date(text)?;
            Some((day_start(day), day_start(day) + DAY_MS - 1, Precision::Day))
        }
        _ => {
            let millis = instant_millis(text)?;
            Some((millis, millis, Precision::Instant))
        }
    }
}

/// `YYYY-MM-DD`
fn date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i32::try_from(digits(&bytes[..4])?).ok().filter(|year| *year >= FIRST_YEAR)?;
    let month = Month::try_from(u8::try_from(digits(&bytes[5..7])?).ok()?).ok()?;
    Date::from_calendar_date(year, month, u8::try_from(digits(&bytes[8..])?).ok()?).ok()
}

/// Milliseconds from 1970-01-01 to the start of this day.
fn day_start(date: Date) -> i64 {
    i64::from(date.to_julian_day() - EPOCH_JULIAN_DAY) * DAY_MS
}

/// RFC 3339 §5.6 `date-time`, as milliseconds rounded down.
fn instant_millis(text: &str) -> Option<i64> {
    if !text.is_ascii() || text.len() < "YYYY-MM-DDThh:mm:ssZ".len() {
        return None;
    }
    let (day, rest) = text.split_at(10);
    let (clock, rest) = rest.strip_prefix('T')?.split_at(8);
    let (fraction_ms, zone) = fraction(rest)?;
    let seconds = clock_minutes(&clock[..5])? * 60 + second(&clock[5..])?;
    let offset_minutes = match zone.as_bytes() {
        [b'Z'] => 0,
        [b'+', ..] => clock_minutes(&zone[1..])?,
        [b'-', ..] => -clock_minutes(&zone[1..])?,
        _ => return None,
    };
    Some(day_start(date(day)?) + (seconds - offset_minutes * 60) * 1000 + fraction_ms)
}

/// `hh:mm`, as minutes.
fn clock_minutes(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 5 || bytes[2] != b':' {
        return None;
    }
    let hours = digits(&bytes[..2]).filter(|h| *h < 24)?;
    let minutes = digits(&bytes[3..]).filter(|m| *m < 60)?;
    Some(hours * 60 + minutes)
}

/// `:ss`
fn second(text: &str) -> Option<i64> {
    digits(text.strip_prefix(':')?.as_bytes()).filter(|s| *s < 60)
}

/// An optional `.` with one to nine digits, as milliseconds rounded down, and what follows.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let mut millis = String::from(&rest[..length.min(3)]);
    while millis.len() < 3 {
        millis.push('0');
    }
    Some((digits(millis.as_bytes())?, &rest[length..]))
}

/// ASCII digits only, as a number; at most four of them are ever passed.
fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(bytes.iter().fold(0, |n, digit| n * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_and_their_last_instants() {
        let cases = [
            ("1970-01", 2_678_399_999, Precision::Month),
            ("2024-02", 1_709_251_199_999, Precision::Month),
            ("2024-02-29", 1_709_251_199_999, Precision::Day),
            ("1970-01-01T00:00:00Z", 0, Precision::Instant),
            ("1970-01-01T00:00:00.1239Z", 123, Precision::Instant),
            ("1970-01-01T00:00:00.5+00:00", 500, Precision::Instant),
            ("1970-01-01T00:00:00-00:01", 60_000, Precision::Instant),
            ("1970-01-01T00:00:00+23:59", -86_340_000, Precision::Instant),
        ];
        for (text, last, precision) in cases {
            let date = DateText::parse(text).unwrap();
            assert_eq!((date.as_str(), date.last_instant(), date.precision()), (text, last, precision));
        }
        // The offsets of OpenEoX's own example.
        let instant = |text| Instant::parse(text).unwrap().millis();
        assert_eq!(instant("2025-11-25T10:00:00.000-20:30"), instant("2025-11-26T06:30:00Z"));
        assert_eq!(instant("2025-11-27T03:00:00.000+20:59"), instant("2025-11-26T06:01:00Z"));
    }

    #[test]
    fn days_of_periods() {
        let month = DateText::parse("2024-02").unwrap();
        assert_eq!((month.first_day(), month.last_day()), ("2024-02-01".into(), "2024-02-29".into()));
        let late = DateText::parse("2025-12-31T23:30:00-01:00").unwrap();
        assert_eq!(late.last_day(), "2026-01-01");
        assert_eq!(DateText::parse("1970-01-01T00:00:00+01:00").unwrap().last_day(), "1970-01-01");
        assert_eq!(DateText::parse("9999-12-31T23:59:59-23:59").unwrap().last_day(), "9999-12-31");
        assert_eq!(DateText::parse("9999-12").unwrap().last_day(), "9999-12-31");
    }

    #[test]
    fn everything_else_is_refused() {
        let bad = [
            "",
            "2025",
            "2025-13",
            "2025-00",
            "2025-1",
            "2025-02-29",
            "2025-02-30",
            "2025-2-03",
            "1969-12-31",
            "0000-01",
            "2025/01/01",
            "2025-01-01 00:00:00Z",
            "2025-01-01t00:00:00Z",
            "2025-01-01T00:00:00z",
            "2025-01-01T00:00Z",
            "2025-01-01T00:00:00",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:60:00Z",
            "2016-12-31T23:59:60Z",
            "2025-01-01T00:00:00.Z",
            "2025-01-01T00:00:00.1234567890Z",
            "2025-01-01T00:00:00,5Z",
            "2025-01-01T00:00:00+24:00",
            "2025-01-01T00:00:00+0100",
            "2025-01-01T00:00:00+01",
            "2025-01-01T00:00:00Z ",
            " 2025-01-01",
            "+025-01",
            "２０２５-01",
            "2025-01-0١",
            "2025-01-01T00:00:00+01:0٠",
        ];
        for text in bad {
            assert_eq!(DateText::parse(text), Err(BadDate), "{text:?}");
        }
        assert_eq!(Instant::parse("2025-01"), Err(BadDate));
        assert_eq!(Instant::parse("2025-01-01"), Err(BadDate));
    }
}
