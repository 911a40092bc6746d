//! Making files. What does not verify is not made.

use std::collections::BTreeSet;

use super::{Alternative, BadMisbehaviour, Kind, MAX_ENTRIES, Misbehaviour, NotProven, ShownEntry, ShownLeaf};
use crate::entry::Entry;
use crate::note::{Note, Vkey};
use crate::num::LeafIndex;

/// Why no file was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotAccuse {
    /// The parts do not make a file: a head that the accused did not sign, too many entries.
    #[error(transparent)]
    Form(#[from] BadMisbehaviour),
    /// The parts prove nothing.
    #[error(transparent)]
    NotProven(#[from] NotProven),
}

impl Misbehaviour {
    /// Two heads of one size with different roots. `accused` is the log's key or a cosigner's; other signature lines are
    /// left out. The same two heads make the same file, in whichever order they are given.
    pub fn same_size(origin: &str, accused: &Vkey, heads: [&Note; 2]) -> Result<Misbehaviour, CannotAccuse> {
        let mut file = Draft::new(Kind::SameSize, origin, accused).heads(&heads)?;
        file.0.heads.sort_by_cached_key(Note::to_bytes);
        file.finish()
    }

    /// Two heads of different sizes, and the root at the smaller size that the larger tree has instead, with its
    /// consistency proof to the larger head.
    pub fn inconsistent(
        origin: &str,
        accused: &Vkey,
        small: &Note,
        large: &Note,
        alternative: Alternative,
    ) -> Result<Misbehaviour, CannotAccuse> {
        let mut file = Draft::new(Kind::Inconsistent, origin, accused).heads(&[small, large])?;
        file.0.alternative = Some(alternative);
        file.finish()
    }

    /// Two different leaf hashes at one index, each in the tree of its own head.
    pub fn two_entries(
        origin: &str,
        accused: &Vkey,
        [(a, leaf_a), (b, leaf_b)]: [(&Note, ShownLeaf); 2],
    ) -> Result<Misbehaviour, CannotAccuse> {
        let mut file = Draft::new(Kind::TwoEntries, origin, accused).heads(&[a, b])?;
        file.0.leaves = vec![leaf_a, leaf_b];
        file.finish()
    }

    /// Two entries of one tree of which the later has the earlier time.
    pub fn time_back(
        origin: &str,
        log: &Vkey,
        head: &Note,
        entries: [ShownEntry; 2],
    ) -> Result<Misbehaviour, CannotAccuse> {
        Draft::new(Kind::TimeBack, origin, log).heads(&[head])?.entries(entries.into()).finish()
    }

    /// A time that the log's time key stated with the head `stated`, against an entry's time. The entry is in the tree
    /// of `shown`, which may be the same head or any other, cosigned by the same key.
    pub fn head_time(
        origin: &str,
        time_key: &Vkey,
        stated: &Note,
        shown: &Note,
        entry: ShownEntry,
    ) -> Result<Misbehaviour, CannotAccuse> {
        Draft::new(Kind::HeadTime, origin, time_key).heads(&[stated, shown])?.entries(vec![entry]).finish()
    }

    /// One claim at two indices of one tree.
    pub fn duplicate_claim(
        origin: &str,
        log: &Vkey,
        head: &Note,
        entries: [ShownEntry; 2],
    ) -> Result<Misbehaviour, CannotAccuse> {
        Draft::new(Kind::DuplicateClaim, origin, log).heads(&[head])?.entries(entries.into()).finish()
    }

    /// A tree that is larger than its freeze allows: the freeze, and the constitution that it links to.
    pub fn after_freeze(
        origin: &str,
        log: &Vkey,
        head: &Note,
        freeze: ShownEntry,
        constitution: ShownEntry,
    ) -> Result<Misbehaviour, CannotAccuse> {
        Draft::new(Kind::AfterFreeze, origin, log).heads(&[head])?.about(freeze, vec![constitution]).finish()
    }

    /// An entry with a wrong link. `others` are what shows it, and what [`supporting_entries`] names; their order is
    /// free.
    ///
    /// [`supporting_entries`]: Misbehaviour::supporting_entries
    pub fn wrong_link(
        origin: &str,
        log: &Vkey,
        head: &Note,
        entry: ShownEntry,
        others: Vec<ShownEntry>,
    ) -> Result<Misbehaviour, CannotAccuse> {
        Draft::new(Kind::WrongLink, origin, log).heads(&[head])?.about(entry, others).finish()
    }

    /// An entry that the rules refuse. `others` are what [`supporting_entries`] names, and where the target decides, the
    /// target, perhaps its withdrawal, and what they need; their order is free.
    ///
    /// [`supporting_entries`]: Misbehaviour::supporting_entries
    pub fn broken_rule(
        origin: &str,
        log: &Vkey,
        head: &Note,
        entry: ShownEntry,
        others: Vec<ShownEntry>,
    ) -> Result<Misbehaviour, CannotAccuse> {
        Draft::new(Kind::BrokenRule, origin, log).heads(&[head])?.about(entry, others).finish()
    }

    /// The entries that a verifier follows from the one at `index` by its links: its constitution, its issuer's registry
    /// chain, and the constitution of each. `read` gives the entry at an index; what it does not give, or what links
    /// ahead, is left out. Stops at [`MAX_ENTRIES`].
    pub fn supporting_entries(index: LeafIndex, read: impl Fn(LeafIndex) -> Option<Entry>) -> BTreeSet<LeafIndex> {
        let mut found = BTreeSet::new();
        let mut next = Some(index);
        while let Some(at) = next {
            let Some(entry) = read(at) else { break };
            let back = |link: Option<LeafIndex>| link.filter(|link| *link < at);
            found.extend(back(entry.links.constitution));
            next = back(entry.links.registry).filter(|_| found.len() < MAX_ENTRIES);
            found.extend(next);
        }
        found
    }
}

/// A file under way.
struct Draft(Misbehaviour);

impl Draft {
    fn new(kind: Kind, origin: &str, accused: &Vkey) -> Draft {
        Draft(Misbehaviour {
            kind,
            origin: origin.to_owned(),
            accused: accused.clone(),
            heads: Vec::new(),
            alternative: None,
            leaves: Vec::new(),
            entries: Vec::new(),
        })
    }

    /// The heads with the accused's line alone.
    fn heads(mut self, heads: &[&Note]) -> Result<Draft, BadMisbehaviour> {
        let stripped = |(n, head): (usize, &&Note)| {
            (*head).clone().only_signed_by(&self.0.accused).map_err(|why| BadMisbehaviour::Head(n, why))
        };
        self.0.heads = heads.iter().enumerate().map(stripped).collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Entries of which none is in question more than another.
    fn entries(mut self, entries: Vec<ShownEntry>) -> Draft {
        self.0.entries = entries;
        self.0.entries.sort_by_key(|shown| shown.index);
        self
    }

    /// The entry in question first, the others in order and once each.
    fn about(mut self, entry: ShownEntry, mut others: Vec<ShownEntry>) -> Draft {
        others.retain(|shown| shown.index != entry.index);
        others.sort_by_key(|shown| shown.index);
        others.dedup_by_key(|shown| shown.index);
        self.0.entries = vec![entry];
        self.0.entries.extend(others);
        self
    }

    /// The same judgement that every reader will make.
    fn finish(self) -> Result<Misbehaviour, CannotAccuse> {
        // From its bytes, as they will read it: what nobody could read is not made.
        let file = Misbehaviour::parse(self.0.to_text().as_bytes())?;
        file.verify()?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::{CheckpointText, MAX_TEXT_BYTES};
    use crate::ed25519::SecretKey;
    use crate::hash::Hash;
    use crate::note::{KeyName, NoteSigner, sign_text};

    const ORIGIN: &str = "log.example";

    /// A test key.
    fn log() -> NoteSigner {
        NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), SecretKey::from_seed(&[1; 32]))
    }

    fn signed(root: &[u8], extensions: &[String]) -> (String, Note) {
        let mut text = format!("{ORIGIN}\n7\n{}\n", Hash::of(root).to_base64());
        extensions.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        let note = sign_text(&text, &[&log()]).unwrap();
        (text, Note::parse(note.as_bytes()).unwrap())
    }

    proptest! {
        #[test]
        fn whatever_two_heads_a_reader_takes_become_a_file_that_reads_back(
            lines in proptest::collection::vec("[ -~\u{e9}]{1,300}", 0..17),
            more in "[\"\\\\x]{0,4200}",
        ) {
            let mut lines = lines;
            lines.extend(Some(more).filter(|line| !line.is_empty()));
            let ((text, a), (_, b)) = (signed(b"one", &lines), signed(b"two", &lines));
            let made = Misbehaviour::same_size(ORIGIN, log().vkey(), [&a, &b]);
            match CheckpointText::parse(&text) {
                Ok(_) => {
                    let made = made.unwrap();
                    prop_assert_eq!(Misbehaviour::parse(made.to_text().as_bytes()), Ok(made));
                }
                Err(_) => prop_assert!(made.is_err(), "no head for anybody, so no evidence"),
            }
        }
    }

    #[test]
    fn a_head_with_an_endless_line_is_no_head_and_makes_no_file_that_nobody_reads() {
        let lines = ["x".repeat(70_000)];
        let ((text, a), (_, b)) = (signed(b"one", &lines), signed(b"two", &lines));
        assert!(text.len() > MAX_TEXT_BYTES && CheckpointText::parse(&text).is_err());
        assert!(Misbehaviour::same_size(ORIGIN, log().vkey(), [&a, &b]).is_err());
    }
}
