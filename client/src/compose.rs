//! Making a claim's payload: comments taken away, what can be known filled in, its form checked.

use proto::claim::{Claim, ClaimType, PAYLOAD_TYPE, strip_comments, template};
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use proto::json::{self, Limits, Value};
use proto::num::{Millis, TreeSize};

use crate::clock::rfc3339;
use crate::error::Error;
use crate::state::State;
use crate::trust::Trust;

/// What is filled in where a claim leaves it out.
#[derive(Debug, Clone)]
pub struct Fill {
    /// The log that the claim is for, if a trust file says which.
    pub log: Option<LogAddress>,
    /// When the issuer speaks.
    pub now: Millis,
}

/// A log, and the head of it that the claim is anchored to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogAddress {
    /// Its origin.
    pub origin: String,
    /// Size and root of a head that the issuer verified: whoever sees the claim knows that it was signed later.
    pub anchor: Option<(TreeSize, Hash)>,
}

impl LogAddress {
    /// The log with the newest head that was verified under this trust file; without one, or with `anchored` off, the
    /// origin alone. The empty tree is no anchor: it says nothing.
    pub fn newest(trust: &Trust, state: &State, origin: &str, anchored: bool) -> Result<LogAddress, Error> {
        let note = if anchored { state.newest(origin)? } else { None };
        let head = note.and_then(|note| trust.policy().check(&note).ok()).map(|checked| checked.checkpoint);
        let anchor = head.filter(|head| head.size() > TreeSize(0)).map(|head| (head.size(), head.root()));
        Ok(LogAddress { origin: origin.to_owned(), anchor })
    }

    fn to_value(&self) -> Value {
        let mut members = vec![("origin".to_owned(), text(&self.origin))];
        if let Some((size, root)) = &self.anchor {
            let size = i64::try_from(size.0).unwrap_or(i64::MAX);
            members.push(("size".to_owned(), Value::Number(json::Number::Int(size))));
            members.push(("root".to_owned(), text(&root.to_base64())));
        }
        Value::Array(vec![Value::Object(members)])
    }
}

/// A JSON string.
pub fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// Reads what a person wrote: JSON with whole lines of `//` comments.
pub fn read(bytes: &[u8]) -> Result<Value, Error> {
    let written = std::str::from_utf8(bytes).map_err(|e| Error::malformed(format!("the claim is not UTF-8: {e}")))?;
    Ok(json::parse(strip_comments(written).as_bytes(), &Limits::CLAIM)?)
}

/// The payload of what a person wrote. A text that needs nothing is kept byte for byte, without white space at its ends.
pub fn payload(bytes: &[u8], fill: &Fill) -> Result<Vec<u8>, Error> {
    let mut value = read(bytes)?;
    let trimmed = bytes.trim_ascii();
    let is_plain = json::parse(trimmed, &Limits::CLAIM).is_ok();
    if !fill_in(&mut value, fill) && is_plain {
        Claim::parse(trimmed)?;
        return Ok(trimmed.to_vec());
    }
    let payload = to_bytes(&value);
    Claim::parse(&payload)?;
    Ok(payload)
}

/// Adds `logs` and `asserted_at` where they are missing; says whether anything was added.
fn fill_in(value: &mut Value, fill: &Fill) -> bool {
    let mut added = false;
    if value.member("logs").is_none()
        && let Some(log) = &fill.log
    {
        set(value, &["logs"], log.to_value());
        added = true;
    }
    if value.member("asserted_at").is_none() {
        set(value, &["asserted_at"], text(&rfc3339(fill.now)));
        added = true;
    }
    added
}

/// A value as compact JSON in the order of its members.
pub fn to_bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default() // strings, numbers, lists and maps always serialise
}

/// Puts a member, making the objects on the way; what is no object on the way is replaced by one.
pub fn set(value: &mut Value, path: &[&str], member: Value) {
    let Some((name, rest)) = path.split_first() else {
        *value = member;
        return;
    };
    if !matches!(value, Value::Object(_)) {
        *value = Value::Object(Vec::new());
    }
    let Value::Object(members) = value else { return };
    let at = members.iter().position(|(n, _)| n == name).unwrap_or_else(|| {
        members.push(((*name).to_owned(), Value::Null));
        members.len() - 1
    });
    set(&mut members[at].1, rest, member);
}

/// Takes a member of the top level away.
pub fn remove(value: &mut Value, name: &str) {
    if let Value::Object(members) = value {
        members.retain(|(n, _)| n != name);
    }
}

/// Reads `name.of.member=value`, where the value is JSON or, if it is not, a text.
pub fn assignment(text: &str) -> Result<(Vec<&str>, Value), Error> {
    let (path, value) = text
        .split_once('=')
        .filter(|(path, _)| !path.is_empty())
        .ok_or_else(|| Error::usage(format!("{text:?} is not NAME=VALUE, such as body.security_until=2031-03")))?;
    let value = json::parse(value.as_bytes(), &Limits::CLAIM).unwrap_or_else(|_| Value::String(value.to_owned()));
    // A date such as 2031 alone would be a number; claims have texts there, and numbers where numbers belong.
    Ok((path.split('.').collect(), value))
}

/// What a new claim begins with.
#[derive(Debug, Clone)]
pub struct NewClaim<'a> {
    /// Its type.
    pub claim_type: ClaimType,
    /// What is filled in.
    pub fill: &'a Fill,
    /// Members of the frame and the subject: issuer, role, manufacturer, model.
    pub members: Vec<(&'static str, String)>,
}

/// A commented template with everything filled in that is known.
pub fn new_claim(new: &NewClaim<'_>) -> String {
    let mut filled: Vec<(String, String)> = vec![("  \"asserted_at\": ".into(), quoted(&rfc3339(new.fill.now)))];
    if let Some(log) = &new.fill.log {
        let logs = String::from_utf8(to_bytes(&log.to_value())).unwrap_or_default();
        filled.push(("  \"logs\": ".into(), logs));
    }
    for (name, value) in &new.members {
        let indent = if matches!(*name, "manufacturer" | "model") { "    " } else { "  " };
        filled.push((format!("{indent}\"{name}\": "), quoted(value)));
    }
    let text = template(&new.claim_type);
    let lines = text.split_inclusive('\n').map(|line| {
        let Some((begin, value)) = filled.iter().find(|(begin, _)| line.starts_with(begin.as_str())) else {
            return line.to_owned();
        };
        let end = if line.trim_end().ends_with(',') { ",\n" } else { "\n" };
        format!("{begin}{value}{end}")
    });
    lines.collect()
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// Signs a payload with these keys.
pub fn sign(payload: &[u8], keys: &[&SecretKey]) -> Envelope {
    Envelope::sign(PAYLOAD_TYPE, payload, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill() -> Fill {
        let anchor = Some((TreeSize(7), Hash::of(b"root")));
        Fill { log: Some(LogAddress { origin: "log.example".into(), anchor }), now: Millis(1_800_000_000_000) }
    }

    #[test]
    fn templates_of_every_type_are_filled_and_become_payloads() {
        let fill = fill();
        for claim_type in ClaimType::KNOWN.into_iter().filter(|known| *known != ClaimType::Log) {
            let members = vec![("issuer", "maker.example".to_owned()), ("model", "X \"1\"".to_owned())];
            let text = new_claim(&NewClaim { claim_type: claim_type.clone(), fill: &fill, members });
            let payload = payload(text.as_bytes(), &fill).unwrap_or_else(|e| panic!("{claim_type}: {e}\n{text}"));
            let claim = Claim::parse(&payload).unwrap();
            assert_eq!(claim.issuer.as_str(), "maker.example");
            assert_eq!(claim.logs[0].size, Some(TreeSize(7)));
            assert_eq!(claim.asserted_at.as_str(), "2027-01-15T08:00:00Z");
        }
    }

    #[test]
    fn a_text_that_needs_nothing_is_kept_byte_for_byte() {
        let text = new_claim(&NewClaim { claim_type: ClaimType::Support, fill: &fill(), members: Vec::new() });
        let plain = payload(text.as_bytes(), &fill()).unwrap();
        let spaced = String::from_utf8(plain).unwrap().replacen(':', " :  ", 1);
        let other = Fill { log: None, now: Millis(0) };
        assert_eq!(payload(format!("\n{spaced}\n").as_bytes(), &other).unwrap(), spaced.as_bytes());
    }

    #[test]
    fn members_are_set_by_path() {
        let mut value = read(b"{\"a\":{\"b\":1},\n// no\n\"c\":2}").unwrap();
        let (path, member) = assignment("a.d.e=[\"x\"]").unwrap();
        set(&mut value, &path, member);
        let (path, member) = assignment("c=2031-03").unwrap();
        set(&mut value, &path, member);
        assert_eq!(to_bytes(&value), br#"{"a":{"b":1,"d":{"e":["x"]}},"c":"2031-03"}"#);
        remove(&mut value, "a");
        assert_eq!(to_bytes(&value), br#"{"c":"2031-03"}"#);
        assert!(assignment("=x").is_err() && assignment("x").is_err());
    }
}
