//! That the operator knows of an open finding: kept with it, and told as an event like its beginning and its end.

use client::Error;
use proto::num::Millis;
use redb::WriteTransaction;

use super::LogStore;
use super::findings::{EVENTS, OPEN, known, tell, text};
use crate::finding::{Acknowledged, Open, Reason, What};

/// Acknowledges the open finding of this name; gives it as it is then, or nothing when it is not open. The same reason once more
/// changes nothing.
pub(crate) fn acknowledge(
    transaction: &WriteTransaction,
    origin: &str,
    name: &str,
    because: &Reason,
    now: Millis,
) -> Result<Option<Open>, redb::Error> {
    let mut table = transaction.open_table(OPEN)?;
    let Some(was) = known(&table, name)? else { return Ok(None) };
    if was.acknowledged.as_ref().is_some_and(|known| known.because == *because) {
        return Ok(Some(was));
    }
    let open = Open { acknowledged: Some(Acknowledged { at: now, because: because.clone() }), ..was };
    table.insert(name, text(&open)?.as_slice())?;
    let (finding, because) = (open.finding.clone(), because.clone());
    let mut events = transaction.open_table(EVENTS)?;
    tell(&mut events, origin, What::Acknowledged { finding, because }, now)?;
    Ok(Some(open))
}

impl LogStore {
    /// Acknowledges the open finding of this name; gives it as it is then, or nothing when it is not open.
    pub fn acknowledge(&self, name: &str, because: &Reason, now: Millis) -> Result<Option<Open>, Error> {
        self.write(|transaction| acknowledge(transaction, &self.origin, name, because, now))
    }
}

#[cfg(test)]
mod tests {
    use proto::hash::Hash;

    use super::*;
    use crate::evidence::EvidenceId;
    use crate::finding::{Class, Finding, code};
    use crate::store::findings::apply;
    use crate::store::{Batch, Findings};

    fn found(log: &LogStore, finding: &Finding) -> Open {
        let findings = Findings::begin(vec![finding.clone()]);
        // Not as a batch: that lets no finding name a file which is not kept.
        log.write(|transaction| apply(transaction, log.origin(), &findings, Millis(7))).unwrap();
        log.open_finding(&finding.id).unwrap().unwrap()
    }

    fn kinds(log: &LogStore) -> Vec<&'static str> {
        log.events_after(0, 100).unwrap().iter().map(|event| event.what.kind()).collect()
    }

    #[test]
    fn it_is_about_what_was_served_wrong_then() {
        let folder = tempfile::tempdir().unwrap();
        LogStore::create(folder.path(), "log.example/a").unwrap();
        let log = LogStore::open(folder.path(), "log.example/a", false).unwrap();
        let because = Reason::try_from("their cache, they know".to_owned()).unwrap();
        let served = |what: &str| Finding::new(Class::Tamper, code::SERVED, what);
        found(&log, &served("entry 5"));
        log.acknowledge(code::SERVED, &because, Millis(1)).unwrap();
        assert!(!found(&log, &served("entry 5")).counts());
        let other = found(&log, &served("tile 7"));
        assert_eq!((other.counts(), other.finding.message.as_str()), (true, "tile 7"));
        assert_eq!(found(&log, &served("entry 5")).finding.message, "entry 5", "what is shown is what is so");
        assert_eq!(kinds(&log), ["began", "acknowledged", "began"], "told once, not with each of them");

        // What is only slow or old says other words each time.
        let old = |age: &str| Finding::new(Class::Degraded, code::OLD, age);
        found(&log, &old("100 s"));
        log.acknowledge(code::OLD, &because, Millis(1)).unwrap();
        assert!(!found(&log, &old("105 s")).counts());
    }

    #[test]
    fn it_lasts_until_the_finding_is_more_than_it_was() {
        let folder = tempfile::tempdir().unwrap();
        LogStore::create(folder.path(), "log.example/a").unwrap();
        let log = LogStore::open(folder.path(), "log.example/a", false).unwrap();
        let because = Reason::try_from("the operator of the log told us".to_owned()).unwrap();
        assert_eq!(log.acknowledge("head.fork:x", &because, Millis(1)).unwrap(), None, "it is not open");

        let fork = Finding::new(Class::Claim, code::FORK, "two trees").named("x");
        assert!(found(&log, &fork).counts());
        let open = log.acknowledge(&fork.id, &because, Millis(9)).unwrap().unwrap();
        let acknowledged = Some(Acknowledged { at: Millis(9), because: because.clone() });
        assert_eq!((open.since, &open.acknowledged), (Millis(7), &acknowledged));
        log.acknowledge(&fork.id, &because, Millis(10)).unwrap();
        assert_eq!(found(&log, &fork), open, "found again it is the same");
        let unproven = Finding { unproven: Some("nobody signed it".into()), ..fork.clone() };
        assert_eq!(found(&log, &unproven).acknowledged, acknowledged, "why there is no file is nothing worse");
        assert_eq!(kinds(&log), ["began", "acknowledged"]);
        drop(log);

        let log = LogStore::open(folder.path(), "log.example/a", false).unwrap();
        assert_eq!(log.open_findings().unwrap()[0].acknowledged, acknowledged, "it is durable");
        let with = |files: &[&[u8]]| Finding {
            evidence: files.iter().map(|file| EvidenceId(Hash::of(file))).collect(),
            ..fork.clone()
        };
        assert!(found(&log, &with(&[b"a"])).counts(), "a file proves it now");
        log.acknowledge(&fork.id, &because, Millis(11)).unwrap();
        assert!(!found(&log, &with(&[b"a"])).counts());
        assert!(found(&log, &with(&[b"b"])).counts(), "another file");
        log.acknowledge(&fork.id, &because, Millis(12)).unwrap();
        assert!(found(&log, &Finding { class: Class::Tamper, ..fork.clone() }).counts(), "a worse class");
        let told = ["began", "acknowledged", "proven", "acknowledged", "proven", "acknowledged", "began"];
        assert_eq!(kinds(&log), told);

        log.acknowledge(&fork.id, &because, Millis(13)).unwrap();
        log.commit_batch(&Batch { findings: Findings::end(&fork.id), ..Batch::default() }, Millis(14)).unwrap();
        assert!(found(&log, &fork).counts(), "begun anew it is another one");
    }
}
