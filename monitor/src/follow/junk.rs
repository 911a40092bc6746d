//! What a log lists among its heads that its keys did not sign.
//!
//! A log can list as much of that as it likes, at no cost: it is one finding, with a count. The text is not kept, since nobody
//! signed it; its hash is, so that whoever has it can show that it is the same.

use proto::hash::Hash;
use proto::num::Seconds;

use crate::finding::{Class, Finding, code};
use crate::store::Findings;

/// Such entries of one reading of the list.
#[derive(Debug, Default)]
pub(super) struct Junk {
    count: u64,
    /// Time, bytes and hash of the first one.
    first: Option<(Seconds, usize, Hash)>,
}

impl Junk {
    /// One more.
    pub(super) fn add(&mut self, time: Seconds, note: &[u8]) {
        self.count += 1;
        self.first.get_or_insert_with(|| (time, note.len(), Hash::of(note)));
    }

    /// The finding, or its end when there was none in what was read.
    pub(super) fn tell(self, findings: &mut Findings) {
        let named = Finding::new(Class::Tamper, code::SIGNATURE, "").named("list");
        let Some((time, bytes, hash)) = self.first else { return findings.over(&named.id) };
        let message = format!(
            "the log lists {} heads that its keys did not sign, the first under the time {time} ({bytes} bytes, SHA-256 {hash})",
            self.count
        );
        findings.push(Finding { message, ..named });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_junk_is_one_finding_that_ends_when_the_list_is_clean() {
        let mut junk = Junk::default();
        for time in 0..1000 {
            junk.add(Seconds(time), &vec![b'x'; 1000]);
        }
        let (mut findings, mut clean) = (Findings::default(), Findings::default());
        junk.tell(&mut findings);
        let [finding] = findings.found() else { panic!("{findings:?}") };
        assert_eq!(finding.id, "head.signature:list");
        assert!(finding.message.contains("1000 heads") && finding.message.len() < 300 && finding.heads.is_empty());
        Junk::default().tell(&mut clean);
        assert_eq!(clean, Findings::end("head.signature:list"));
    }
}
