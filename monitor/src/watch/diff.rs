//! Which members of a body changed.

use serde_json::Value;

use super::Changed;

/// Members that are shown at most: what an alert can be read for. The entry has the rest.
const MOST_SHOWN: usize = 20;
/// Characters of a value that are shown.
const MOST_CHARS: usize = 200;
/// How deep objects are looked into; lists and what is deeper are compared as a whole. Payloads have a depth of 16 at most.
const MOST_DEEP: usize = 4;

/// The members of `/body` of two payloads that differ, and how many more there are. Without an earlier payload, all of them.
pub fn bodies(before: Option<&[u8]>, after: &[u8]) -> (Vec<Changed>, usize) {
    let body = |payload: &[u8]| Some(serde_json::from_slice::<Value>(payload).ok()?.get_mut("body")?.take());
    let (before, after) = (before.and_then(body), body(after));
    let mut all = Vec::new();
    compare("", before.as_ref(), after.as_ref(), 0, &mut all);
    let more = all.len().saturating_sub(MOST_SHOWN);
    all.truncate(MOST_SHOWN);
    (all, more)
}

fn compare(pointer: &str, before: Option<&Value>, after: Option<&Value>, depth: usize, all: &mut Vec<Changed>) {
    if before == after {
        return;
    }
    let members = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    let (old, new) = (members(before), members(after));
    // A whole side that is missing is taken apart only at the top: a new body is shown member by member.
    if depth < MOST_DEEP && (old.is_some() || new.is_some()) && (depth == 0 || (old.is_some() && new.is_some())) {
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let place = proto::json::child(pointer, name);
            compare(&place, old.get(name), new.get(name), depth + 1, all);
        }
        return;
    }
    all.push(Changed { pointer: pointer.to_owned(), before: before.map(short), after: after.map(short) });
}

/// A value as JSON, shortened.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn payload(body: Value) -> Vec<u8> {
        json!({"type": "x", "body": body}).to_string().into_bytes()
    }

    fn shown(before: Option<Value>, after: Value) -> Vec<(String, Option<String>, Option<String>)> {
        let (changed, more) = bodies(before.map(payload).as_deref(), &payload(after));
        assert_eq!(more, 0);
        changed.into_iter().map(|c| (c.pointer, c.before, c.after)).collect()
    }

    #[test]
    fn members_that_changed_came_and_went() {
        let old = json!({"security_until": "2031-03", "updates": "auto", "a": {"b": 1, "c": [1, 2]}});
        let new = json!({"security_until": "2029-01", "policy_uri": "https://x", "a": {"b": 1, "c": [1, 3]}});
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            shown(Some(old.clone()), new),
            [
                ("/a/c".to_owned(), text("[1,2]"), text("[1,3]")),
                ("/policy_uri".to_owned(), None, text("\"https://x\"")),
                ("/security_until".to_owned(), text("\"2031-03\""), text("\"2029-01\"")),
                ("/updates".to_owned(), text("\"auto\""), None),
            ]
        );
        assert_eq!(shown(None, json!({"v": "1"})), [("/v".to_owned(), None, text("\"1\""))]);
        assert!(shown(Some(old.clone()), old).is_empty());
    }

    #[test]
    fn much_is_cut() {
        let long = "ä".repeat(1000);
        let many: serde_json::Map<String, Value> = (0..50).map(|i| (format!("m{i:02}"), json!(long))).collect();
        let (changed, more) = bodies(None, &payload(Value::Object(many)));
        assert_eq!((changed.len(), more), (MOST_SHOWN, 30));
        assert!(changed.iter().all(|c| c.after.as_ref().is_some_and(|text| text.chars().count() == MOST_CHARS + 1)));
    }

    #[test]
    fn what_is_no_object_has_no_body() {
        for payload in ["0", "[]", "null", "{}", "\"text\"", ""] {
            assert_eq!(bodies(Some(b"0"), payload.as_bytes()), (Vec::new(), 0), "{payload}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_compared_without_a_panic(before: Vec<u8>, after: Vec<u8>) {
            let _ = bodies(Some(&before), &after);
        }
    }
}
