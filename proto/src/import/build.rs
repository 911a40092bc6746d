//! Small helpers that build JSON values.

use crate::json::{Number, Value};

/// A string.
pub(super) fn text(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

/// A whole number; sources' numbers stay within 2^53, counts saturate there.
pub(super) fn count(n: u64) -> Value {
    Value::Number(Number::Int(i64::try_from(n).unwrap_or(i64::MAX).min(crate::json::MAX_NUMBER)))
}

/// An array of strings.
pub(super) fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Value {
    Value::Array(texts.into_iter().map(text).collect())
}

/// An object; members that are `None` are left out.
pub(super) fn object<'n>(members: impl IntoIterator<Item = (&'n str, Option<Value>)>) -> Value {
    let present = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect())
}
