//! Who was heard of when: peers, and witnesses that cosign a log's heads. One that falls silent is a finding.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use proto::num::Millis;

use crate::finding::{Class, Finding, Open};
use crate::store::Findings;

/// Those who are expected to be heard of, each by its name.
#[derive(Debug)]
pub struct LastSeen {
    code: &'static str,
    what: &'static str,
    silent_after: Duration,
    configured: BTreeSet<String>,
    seen: Mutex<BTreeMap<String, Seen>>,
}

/// Since when somebody is expected, and when it was heard of last.
#[derive(Debug, Clone, Copy)]
struct Seen {
    expected: Millis,
    heard: Option<Millis>,
}

impl LastSeen {
    /// Nobody yet. `code` is the code of the finding, `what` says what they are and do, such as "the peer", `configured` names
    /// all who may be expected.
    pub fn new(
        code: &'static str,
        what: &'static str,
        silent_after: Duration,
        configured: impl IntoIterator<Item = String>,
    ) -> LastSeen {
        LastSeen { code, what, silent_after, configured: configured.into_iter().collect(), seen: Mutex::default() }
    }

    /// This one is expected from now on.
    pub fn expect(&self, name: &str, now: Millis) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(name.to_owned()).or_insert(Seen { expected: now, heard: None });
    }

    /// This one was heard of now. A time before the last one changes nothing.
    pub fn saw(&self, name: &str, now: Millis) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let last = seen.entry(name.to_owned()).or_insert(Seen { expected: now, heard: None });
        last.heard = last.heard.max(Some(now));
    }

    /// Adds who is silent for too long, and the end of that for the others, also for those of `open` who are configured no more.
    pub fn judge(&self, now: Millis, open: &[Open], findings: &mut Findings) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, last) in &*seen {
            let silent = now.0.saturating_sub(last.heard.unwrap_or_default().max(last.expected).0);
            let message = match last.heard {
                Some(heard) => format!("{} {name} was last heard of at {}", self.what, heard.to_rfc3339()),
                None => format!("{} {name} was not heard of since {}", self.what, last.expected.to_rfc3339()),
            };
            let finding = Finding::new(Class::Degraded, self.code, message).named(name);
            match u128::from(silent) >= self.silent_after.as_millis() {
                true => findings.push(finding),
                false => findings.over(&finding.id),
            }
        }
        let named = |open: &Open| open.finding.id.split_once(':').map(|(_, name)| name.to_owned());
        let gone = open.iter().filter(|open| open.finding.code == self.code);
        let gone = gone.filter(|open| named(open).is_none_or(|name| !self.configured.contains(&name)));
        gone.for_each(|open| findings.over(&open.finding.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_found_and_ends() {
        let peers = LastSeen::new("peer.silent", "the peer", Duration::from_secs(60), ["a".to_owned(), "b".to_owned()]);
        peers.saw("a", Millis(1_000));
        peers.saw("b", Millis(50_000));
        let judged = |now: u64| {
            let mut findings = Findings::default();
            peers.judge(Millis(now), &[], &mut findings);
            findings.found().iter().map(|finding| finding.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(judged(60_000), Vec::<String>::new());
        assert_eq!(judged(61_000), ["peer.silent:a"]);
        peers.saw("a", Millis(62_000));
        peers.saw("a", Millis(5_000));
        assert_eq!(judged(110_000), ["peer.silent:b"], "a clock that steps back takes nothing away");
    }
    #[test]
    fn who_was_never_heard_of_is_told_so_and_who_is_gone_is_over() {
        let peers = LastSeen::new("peer.silent", "the peer", Duration::from_secs(60), ["a".to_owned()]);
        peers.expect("a", Millis(1_000));
        let mut findings = Findings::default();
        let finding = |name: &str| Finding::new(Class::Degraded, "peer.silent", "").named(name);
        let open = ["a", "gone"].map(|name| Open::new(Millis(1), finding(name)));
        peers.judge(Millis(61_000), &open, &mut findings);
        let [told] = findings.found() else { panic!("{findings:?}") };
        assert_eq!(told.message, "the peer a was not heard of since 1970-01-01T00:00:01Z");
        let mut expected = Findings::begin(vec![told.clone()]);
        expected.over("peer.silent:gone");
        assert_eq!(findings, expected);
    }
}
