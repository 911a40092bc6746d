//! What a client was shown, for a monitor: heads out of receipts, notes and what is kept in the state folder, and misbehaviour
//! files.
//!
//! A monitor that follows the log holds each head against its own copy of the tree. A log that shows its customers another
//! history than its watchers is found by the first customer who reports.

use proto::hash::Hash;
use proto::misbehaviour::{Alternative, FORMAT, Misbehaviour};
use proto::note::{Note, Vkey};
use proto::num::TreeSize;
use proto::policy::Policy;
use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::http::Http;

/// The largest file that is read: a misbehaviour file.
pub const MAX_REPORT_BYTES: usize = proto::misbehaviour::MAX_FILE_BYTES;
/// An answer of a monitor: a sentence and a head.
const MAX_ANSWER_BYTES: usize = 128 * 1024;
/// Signature lines of a head that a monitor takes.
const MOST_LINES: usize = 16;

/// What can be handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A signed head.
    Head(String),
    /// A file that proves misbehaviour.
    Evidence(Vec<u8>),
}

/// What a monitor says of one thing that was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// `known`, `waits`, `contradicts` or `discarded`; of evidence `new`, `known` or `enough`.
    #[serde(alias = "taken")]
    pub verdict: String,
    /// For people.
    #[serde(default)]
    pub explanation: String,
}

impl Answer {
    /// Whether it says that the log signed two histories.
    pub fn contradicts(&self) -> bool {
        self.verdict == "contradicts"
    }
}

/// What a file holds. With a policy that names the log's key, two heads that contradict each other also make a misbehaviour
/// file.
///
/// # Errors
/// When it is no file of these kinds.
pub fn items(bytes: &[u8], policy: Option<&Policy>) -> Result<Vec<Item>, Error> {
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        return of_json(bytes, &value, policy);
    }
    let note = Note::parse(bytes).map_err(|why| {
        Error::malformed(format!("neither a signed head, nor a receipt, nor what this command keeps: {why}"))
    })?;
    Ok(vec![Item::Head(some_lines(&String::from_utf8_lossy(&note.to_bytes())))])
}

fn of_json(bytes: &[u8], value: &Value, policy: Option<&Policy>) -> Result<Vec<Item>, Error> {
    let head = |name: &str| value[name].as_str().map(|note| Item::Head(some_lines(note)));
    let found: Vec<Item> = match value["format"].as_str() {
        Some(FORMAT) => vec![Item::Evidence(bytes.to_vec())],
        Some("claimtrail-contradiction/1") => {
            let heads = ["first", "second"].iter().filter_map(|name| head(name));
            heads.chain(policy.and_then(|policy| accusation(value, policy))).collect()
        }
        Some("claimtrail-unproven/1") => ["seen", "shown"].iter().filter_map(|name| head(name)).collect(),
        _ => head("checkpoint").into_iter().collect(),
    };
    if found.is_empty() {
        return Err(Error::malformed("it has no signed head: give receipts, checkpoints, or what `tampering/` holds"));
    }
    Ok(found)
}

/// The misbehaviour file that a kept contradiction makes; none when it needs more than it holds.
fn accusation(value: &Value, policy: &Policy) -> Option<Item> {
    let origin = value["origin"].as_str()?;
    let notes = ["first", "second"].map(|name| Note::parse(value[name].as_str().unwrap_or_default().as_bytes()).ok());
    let [Some(first), Some(second)] = notes else { return None };
    let keys = policy.logs().iter().filter(|log| log.origin() == origin).map(proto::policy::Log::vkey);
    keys.filter_map(|vkey| accuse(value, origin, vkey, &first, &second)).next()
}

fn accuse(value: &Value, origin: &str, vkey: &Vkey, first: &Note, second: &Note) -> Option<Item> {
    #[derive(Deserialize)]
    struct Root {
        #[serde(rename = "size")]
        _size: TreeSize,
        root: String,
        consistency: Vec<String>,
    }
    let hash = |text: &String| Hash::from_base64(text).ok();
    let file = match serde_json::from_value::<Root>(value["root"].clone()) {
        Ok(shown) => {
            let proof = shown.consistency.iter().map(hash).collect::<Option<_>>()?;
            let alternative = Alternative { root: hash(&shown.root)?, proof };
            Misbehaviour::inconsistent(origin, vkey, first, second, alternative)
        }
        Err(_) => Misbehaviour::same_size(origin, vkey, [first, second]),
    };
    file.ok().map(|file| Item::Evidence(file.to_text().into_bytes()))
}

/// The note with the lines of the log, if it has any, and behind them as many others as a monitor takes: those of witnesses say
/// nothing of the tree, but show whether one of them signed two histories.
fn some_lines(note: &str) -> String {
    let Some((text, lines)) = note.rsplit_once("\n\n") else { return note.to_owned() };
    let origin = text.lines().next().unwrap_or_default();
    let is_own = |line: &&str| {
        let name = line.strip_prefix("\u{2014} ").and_then(|line| line.split(' ').next()).unwrap_or_default();
        name == origin || name.strip_prefix(origin) == Some(proto::policy::TIME_KEY_SUFFIX)
    };
    let (own, others): (Vec<&str>, Vec<&str>) = lines.lines().partition(is_own);
    if own.is_empty() {
        return note.to_owned();
    }
    // A line that is none would have the head refused.
    let others = if Note::parse(note.as_bytes()).is_ok() { others } else { Vec::new() };
    let some = own.into_iter().chain(others).take(MOST_LINES);
    format!("{text}\n\n{}", some.map(|line| format!("{line}\n")).collect::<String>())
}

/// Hands one thing in.
///
/// # Errors
/// When the monitor cannot be reached, or refuses it.
pub async fn hand_in(monitor: &Http, item: &Item) -> Result<Answer, Error> {
    let answer = match item {
        Item::Head(note) => {
            let body = format!("old 0\n\n{note}");
            monitor.post("/v1/report", "text/plain; charset=utf-8", body.into(), MAX_ANSWER_BYTES).await
        }
        Item::Evidence(file) => {
            monitor.post("/v1/evidence", "application/json", file.clone().into(), MAX_ANSWER_BYTES).await
        }
    };
    let answer = answer.map_err(by_monitor)?;
    serde_json::from_slice(&answer.body).map_err(|e| {
        Error::unreachable(format!("{} does not answer as a monitor does: {e}; check the address", monitor.base()))
    })
}

/// Who was asked is a monitor: an error of it says nothing of what the log has.
fn by_monitor(error: Error) -> Error {
    let message = error.message.strip_prefix("the log ").map(|said| format!("the monitor {said}"));
    Error { message: message.unwrap_or_else(|| error.message.clone()), ..error }
}

#[cfg(test)]
mod tests {
    use proto::checkpoint::CheckpointText;
    use proto::ed25519::SecretKey;
    use proto::note::{KeyName, NoteSigner};
    use serde_json::json;

    use super::*;

    // A test key.
    fn log() -> NoteSigner {
        NoteSigner::new(KeyName::parse("log.example").unwrap(), SecretKey::from_seed(&[1; 32]))
    }

    fn head(root: &[u8]) -> String {
        CheckpointText::new("log.example", TreeSize(7), Hash::of(root)).unwrap().sign(&[&log()], &[]).unwrap()
    }

    #[test]
    fn heads_are_found_in_every_kind_of_file() {
        let one = head(b"one");
        let cosigned = format!("{one}\u{2014} log.example/time AAAAAAE=\n\u{2014} w.example AAAAAAE=\n");
        let heads = |bytes: &[u8]| items(bytes, None).unwrap();
        assert_eq!(heads(cosigned.as_bytes()), [Item::Head(cosigned.clone())]);
        let many: String = (0..20).map(|n| format!("\u{2014} w{n}.example AAAAAAE=\n")).collect();
        let found = heads(format!("{one}{many}\u{2014} log.example/time AAAAAAE=\n").as_bytes());
        let [Item::Head(some)] = found.as_slice() else { panic!("one head") };
        let lines: Vec<&str> = some.lines().filter(|line| line.starts_with('\u{2014}')).collect();
        assert!(lines.len() == MOST_LINES && lines[1].contains("/time") && lines[2].contains("w0."), "{lines:?}");
        let receipt = json!({ "format": "claimtrail-receipt/1", "checkpoint": cosigned }).to_string();
        assert_eq!(heads(receipt.as_bytes()), [Item::Head(cosigned)]);
        let unproven = json!({ "format": "claimtrail-unproven/1", "seen": one, "shown": head(b"two") }).to_string();
        assert_eq!(heads(unproven.as_bytes()).len(), 2);
        for bad in [b"nonsense".as_slice(), b"{}", b"[]"] {
            assert!(items(bad, None).is_err());
        }
    }

    #[test]
    fn what_a_monitor_does_not_have_is_not_said_of_the_log() {
        let problem = |status: u16| crate::problem::Problem::read(status, b"{}").into_error();
        for (status, said) in [(404, "does not have it"), (400, "refused"), (429, "cannot do this now")] {
            let error = by_monitor(problem(status));
            assert!(error.message.starts_with(&format!("the monitor {said}")), "{}", error.message);
        }
        let other = by_monitor(Error::unreachable("it cannot be reached"));
        assert_eq!(other.message, "it cannot be reached");
    }

    #[test]
    fn a_kept_contradiction_makes_a_misbehaviour_file() {
        let kept = |first: &str, second: &str| {
            let format = "claimtrail-contradiction/1";
            json!({ "format": format, "origin": "log.example", "first": first, "second": second }).to_string()
        };
        let policy = Policy::trusting(&[log().vkey().clone()], None).unwrap();
        let found = items(kept(&head(b"one"), &head(b"two")).as_bytes(), Some(&policy)).unwrap();
        let [Item::Head(_), Item::Head(_), Item::Evidence(file)] = found.as_slice() else { panic!("{found:?}") };
        assert!(Misbehaviour::parse(file).unwrap().verify().is_ok());
        assert_eq!(items(file, None).unwrap(), [Item::Evidence(file.clone())], "which is handed in as it is");
        let same = items(kept(&head(b"one"), &head(b"one")).as_bytes(), Some(&policy)).unwrap();
        assert_eq!(same.len(), 2, "what proves nothing accuses nobody");
    }
}
