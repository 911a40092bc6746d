//! Who was heard of when: peers, and witnesses that cosign a log's heads. One that falls silent is a finding.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use proto::num::Millis;

use crate::finding::{Class, Finding};
use crate::store::Findings;

/// Those who are expected to be heard of, each by its name.
#[derive(Debug)]
pub struct LastSeen {
    code: &'static str,
    what: &'static str,
    silent_after: Duration,
    seen: Mutex<BTreeMap<String, Millis>>,
}

impl LastSeen {
    /// Nobody yet. `code` is the code of the finding, `what` says what they are and do, such as "the peer".
    pub fn new(code: &'static str, what: &'static str, silent_after: Duration) -> LastSeen {
        LastSeen { code, what, silent_after, seen: Mutex::default() }
    }

    /// This one is expected from now on, or was heard of now. A time before the last one changes nothing.
    pub fn saw(&self, name: &str, now: Millis) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let last = seen.entry(name.to_owned()).or_insert(now);
        *last = now.max(*last);
    }

    /// Adds who is silent for too long, and the end of that for the others.
    pub fn judge(&self, now: Millis, findings: &mut Findings) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, last) in &*seen {
            let silent = now.0.saturating_sub(last.0);
            let message = format!("{} {name} was last heard of at {}", self.what, last.to_rfc3339());
            let finding = Finding::new(Class::Degraded, self.code, message).named(name);
            match u128::from(silent) >= self.silent_after.as_millis() {
                true => findings.push(finding),
                false => findings.over(&finding.id),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_found_and_ends() {
        let peers = LastSeen::new("peer.silent", "the peer", Duration::from_secs(60));
        peers.saw("a", Millis(1_000));
        peers.saw("b", Millis(50_000));
        let judged = |now: u64| {
            let mut findings = Findings::default();
            peers.judge(Millis(now), &mut findings);
            findings.found().iter().map(|finding| finding.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(judged(60_000), Vec::<String>::new());
        assert_eq!(judged(61_000), ["peer.silent:a"]);
        peers.saw("a", Millis(62_000));
        peers.saw("a", Millis(5_000));
        assert_eq!(judged(110_000), ["peer.silent:b"], "a clock that steps back takes nothing away");
    }
}
