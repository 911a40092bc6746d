//! The trust file: whom the reader believes. A C2SP tlog-policy file whose log lines carry the log's address.
//!
//! Keys come from this file, which somebody gave the reader by another way, and never from the log that is checked.

use std::path::Path;

use proto::note::{SignatureType, Vkey};
use proto::policy::{CheckError, Log, MAX_POLICY_BYTES, Policy, TIME_KEY_SUFFIX};

use crate::error::Error;
use crate::files::{self, Access, Existing};

/// A policy that was read and whose keys are good.
#[derive(Debug, Clone)]
pub struct Trust {
    policy: Policy,
}

impl Trust {
    /// Reads a trust file.
    pub fn load(path: &Path) -> Result<Trust, Error> {
        Trust::parse(&files::read(path, MAX_POLICY_BYTES)?)
            .map_err(|e| Error { message: format!("{}: {}", path.display(), e.message), ..e })
    }

    /// Reads the text of a trust file.
    pub fn parse(text: &[u8]) -> Result<Trust, Error> {
        let policy = Policy::parse(text).map_err(|e| Error::malformed(format!("not a trust file: {e}")))?;
        policy.check_keys().map_err(|e| Error::malformed(e.to_string()))?;
        Ok(Trust { policy })
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The log to talk to: the one of this origin, or the only one.
    pub fn log(&self, origin: Option<&str>) -> Result<&Log, Error> {
        let logs = self.policy.logs();
        let mut origins: Vec<&str> = logs.iter().map(Log::origin).collect();
        origins.dedup();
        match origin {
            Some(wanted) => logs.iter().find(|log| log.origin() == wanted).ok_or_else(|| {
                Error::usage(format!("the trust file lists no log {wanted}; it lists {}", origins.join(", ")))
            }),
            None => match (logs, origins.as_slice()) {
                ([first, ..], [_]) => Ok(first),
                ([], _) | (_, []) => {
                    Err(Error::usage("the trust file lists no log; it needs a line `log <vkey> <url>`"))
                }
                _ => Err(Error::usage(format!(
                    "the trust file lists several logs; say which with --log: {}",
                    origins.join(", ")
                ))),
            },
        }
    }
}

/// The text of a trust file for one log without witnesses, as its operator gives it to readers.
pub fn log_file(log_vkey: &str, time_vkey: &str, url: &str) -> Result<String, Error> {
    let bad = |e: &dyn std::fmt::Display| Error::unreachable(format!("the log's keys cannot be used: {e}"));
    let log = Vkey::parse(log_vkey).map_err(|e| bad(&e))?;
    let time = Vkey::parse(time_vkey).map_err(|e| bad(&e))?;
    let is_time_key = time.signature_type() == SignatureType::CosignatureV1;
    if time.name().as_str() != format!("{}{TIME_KEY_SUFFIX}", log.name().as_str()) || !is_time_key {
        return Err(bad(&"the time key is not named after the log"));
    }
    let text = format!("log {log} {url}\nwitness log-time {time}\nquorum none\n");
    Trust::parse(text.as_bytes())?;
    Ok(text)
}

/// The text of a trust file that believes what a log said of itself at first contact.
pub fn first_use(log_vkey: &str, time_vkey: &str, url: &str) -> Result<String, Error> {
    Ok(format!(
        "# Trust on first use: these keys came from the log itself, over the network, at first contact.\n\
         # Compare them with what the operator publishes elsewhere before you rely on them.\n{}",
        log_file(log_vkey, time_vkey, url)?
    ))
}

/// Why a head that came over the network was not accepted. What is no note at all proves nothing against the log: the
/// address may be wrong, or something else answers in its place.
pub fn of_network(error: &CheckError, what: &str) -> Error {
    match error {
        CheckError::Malformed(_) => Error::unreachable(format!(
            "{what}: {error}; this is not what a log answers: check the address, and what stands between you and the log"
        )),
        _ => Error::not_proven(format!("{what}: {error}")),
    }
}

/// Why a head in a file is not proven.
pub fn of_file(error: &CheckError) -> Error {
    match error {
        CheckError::Malformed(_) => Error::malformed(error.to_string()),
        _ => Error::not_proven(error.to_string()),
    }
}

/// Writes a new trust file; one that is there stays.
pub fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    files::write(path, text.as_bytes(), Access::Public, Existing::Keep)
}

#[cfg(test)]
mod tests {
    use proto::cosignature::Cosigner;
    use proto::ed25519::SecretKey;
    use proto::note::{KeyName, NoteSigner};

    use super::*;
    use crate::error::ErrorKind;

    fn vkeys(name: &str) -> (String, String) {
        // Test keys.
        let log = NoteSigner::new(KeyName::parse(name).unwrap(), SecretKey::from_seed(&[1; 32]));
        let time =
            Cosigner::new(KeyName::parse(&format!("{name}/time")).unwrap(), SecretKey::from_seed(&[2; 32])).unwrap();
        (log.vkey().to_string(), time.vkey().to_string())
    }

    #[test]
    fn first_use_writes_a_file_that_reads_back() {
        let (log, time) = vkeys("log.example");
        let text = first_use(&log, &time, "http://127.0.0.1:8080").unwrap();
        let trust = Trust::parse(text.as_bytes()).unwrap();
        assert_eq!(trust.log(None).unwrap().url(), Some("http://127.0.0.1:8080"));
        assert!(trust.policy().has_no_quorum());
        assert!(first_use(&log, &vkeys("other.example").1, "http://x").is_err());
        assert!(first_use(&time, &log, "http://x").is_err());
    }

    #[test]
    fn several_logs_need_a_choice() {
        let text =
            format!("log {} https://a\nlog {} https://b\nquorum none\n", vkeys("a.example").0, other_key("b.example"));
        let trust = Trust::parse(text.as_bytes()).unwrap();
        assert!(trust.log(None).unwrap_err().message.contains("a.example, b.example"));
        assert_eq!(trust.log(Some("b.example")).unwrap().url(), Some("https://b"));
        assert!(trust.log(Some("c.example")).is_err());
    }

    #[test]
    fn a_page_in_place_of_a_head_is_no_tampering() {
        let (log, time) = vkeys("log.example");
        let trust = Trust::parse(first_use(&log, &time, "http://x").unwrap().as_bytes()).unwrap();
        let portal = trust.policy().check(b"<html>please log in</html>").unwrap_err();
        assert_eq!(of_network(&portal, "the head").kind, ErrorKind::Unreachable);
        assert_eq!(of_file(&portal).kind, ErrorKind::Malformed);
        let unsigned = b"log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\xe2\x80\x94 other AAAAAAAA\n";
        let unsigned = trust.policy().check(unsigned).unwrap_err();
        assert_eq!(of_network(&unsigned, "the head").kind, ErrorKind::NotProven, "{unsigned}");
        assert_eq!(of_file(&unsigned).kind, ErrorKind::NotProven);
    }

    fn other_key(name: &str) -> String {
        NoteSigner::new(KeyName::parse(name).unwrap(), SecretKey::from_seed(&[3; 32])).vkey().to_string()
    }
}
