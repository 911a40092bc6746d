//! Whether an issuer controls its domain name: the ids of its new keys stand in a DNS TXT record or in a well-known file.
//!
//! | method | place | lines |
//! |---|---|---|
//! | `dns` | TXT records of `_claimtrail.<issuer>` | `claimtrail-key=<key id>`, one record a key |
//! | `certificate` | `https://<issuer>/.well-known/claimtrail.txt` | the same, one line a key |
//!
//! The evidence is the expected lines, sorted, each ended by a line feed; its SHA-256 stands in the claim's `identity`.

use proto::claim::body::IssuerBody;
use proto::ed25519::KeyId;
use proto::hash::Hash;

use crate::error::Error;

/// What each line begins with.
const LINE: &str = "claimtrail-key=";

/// Characters of what was found that an error shows.
const MOST_SHOWN: usize = 300;

/// Where the file stands on the issuer's https server.
pub const WELL_KNOWN_PATH: &str = "/.well-known/claimtrail.txt";

/// The lines that show control of the name for these keys, as one text.
pub fn evidence(keys: impl IntoIterator<Item = KeyId>) -> String {
    let mut lines: Vec<String> = keys.into_iter().map(|key| format!("{LINE}{key}\n")).collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

/// The evidence that an enrolment needs, with its digest.
pub fn evidence_of(body: &IssuerBody) -> (String, Hash) {
    let text = evidence(body.keys.iter().map(|added| added.key.id()));
    let digest = Hash::of(text.as_bytes());
    (text, digest)
}

/// The name whose TXT records are asked for.
pub fn dns_name(issuer: &str) -> String {
    format!("_claimtrail.{issuer}.")
}

/// Whether every expected line is among those found; the error names the first that is not.
pub fn compare(expected: &str, found: &[String], place: &str) -> Result<(), Error> {
    match expected.lines().find(|line| !found.iter().any(|text| text.trim() == *line)) {
        None => Ok(()),
        // Anyone may have written it: no control character reaches a terminal.
        Some(missing) => Err(Error::not_proven(format!(
            "{place} does not say {missing}; the issuer must publish it there before it is admitted (found: {})",
            if found.is_empty() {
                "nothing".to_owned()
            } else {
                found.join(" | ").escape_debug().take(MOST_SHOWN).collect()
            }
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_must_be_there() {
        let text = evidence([KeyId([2; 32]), KeyId([1; 32]), KeyId([2; 32])]);
        assert_eq!(text.lines().count(), 2);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert!(compare(&text, &lines, "dns").is_ok());
        let error = compare(&text, &lines[..1], "dns").unwrap_err();
        assert!(error.message.contains(&lines[1]), "{error}");
        assert!(compare(&text, &[], "dns").unwrap_err().message.contains("nothing"));
    }
}
