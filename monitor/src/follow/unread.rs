//! Heads that are larger than what was read: held against the newest head that was taken, by the hash tiles under it.
//!
//! A log that keeps back its newest entries must not keep a fork before them from being found, nor have it cosigned: hash tiles
//! say what is under the newest head without a single entry.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use client::Error;
use client::tiles::{HttpTree, proof_error, tree_error};
use proto::merkle::{consistency_proof, root_at};
use proto::note::Note;
use proto::num::{Millis, Seconds};
use proto::policy::Checked;

use super::judge::fork;
use super::{FollowedLog, Verdict};
use crate::finding::{Alternative, Class, Finding, code};
use crate::gossip::core::Head;
use crate::gossip::head::only_of_log;
use crate::store::{GossipStep, MOST_UNREAD, Unread};

/// How long heads of one log are held against its tiles at a time; the rest is for the next time. How fast it serves them is the
/// log's to choose.
const LONGEST_TYING: Duration = Duration::from_secs(20);
/// So long after a head was shown, a look at the log must have shown one that is not smaller, or somebody is asked for it: two
/// looks at the usual distance, and a log shows a head in public some time after it asked its witnesses.
const SHOWN_SECONDS: u64 = 10;
/// Heads that are remembered as states of the newest tree: minutes of them at some a second.
const MOST_TIED: usize = 1024;

/// What the newest head says of another one.
#[derive(Debug)]
pub(crate) enum Tie {
    /// It is a state of that tree.
    Tied,
    /// It is not.
    Contradicts(Box<Finding>),
}

/// Heads that were shown to be states of the newest tree, the latest last.
#[derive(Debug, Default)]
pub(super) struct TiedHeads(VecDeque<Head>);

impl TiedHeads {
    fn add(&mut self, head: Head) {
        if self.0.len() >= MOST_TIED {
            self.0.pop_front();
        }
        self.0.push_back(head);
    }
}

pub(super) fn head_of(checked: &Checked) -> Head {
    Head { size: checked.checkpoint.size(), root: checked.checkpoint.root() }
}

impl FollowedLog {
    /// What is kept besides of a head that somebody showed and that is larger than what was read, so that it is not forgotten;
    /// with the finding that there is no room.
    pub(super) fn keep_unread(&self, head: &Checked, now: Millis) -> Result<(GossipStep, Option<Finding>), Error> {
        let (this, mut step) = (head_of(head), GossipStep::default());
        let (is_there, all) = self.store.is_unread(this)?;
        if is_there || self.is_tied(this) || self.is_newest_taken(this)? {
            return Ok((step, None));
        }
        if all >= MOST_UNREAD {
            self.discarded(now);
            return Ok((step, Some(no_room())));
        }
        let note = head.checkpoint.to_bytes();
        step.unread.push(Unread { head: this, since: now.seconds(), note });
        Ok((step, None))
    }

    /// Makes durable what was found while the disk failed.
    pub(super) fn pay(&self, now: Millis) -> Result<(), Error> {
        if self.store.pay(now)? { self.look(None) } else { Ok(()) }
    }

    /// Heads were discarded at this moment.
    pub(crate) fn discarded(&self, now: Millis) {
        *self.discarded_at.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// When that was last, or this process began.
    pub(crate) fn last_discarded(&self) -> Millis {
        *self.discarded_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_newest_taken(&self, head: Head) -> Result<bool, Error> {
        Ok(self.newest()?.is_some_and(|newest| head_of(&newest) == head))
    }

    /// Whether a head is a state of the newest tree by that tree's hash tiles, as far as is remembered.
    pub(crate) fn is_tied(&self, head: Head) -> bool {
        self.tied.lock().unwrap_or_else(PoisonError::into_inner).0.contains(&head)
    }

    /// Whether it is not known yet if a head is of the tree that is being read: it is larger than what was read, smaller than the
    /// newest head that was taken, and not held against that one's tiles.
    pub(crate) fn is_untied(&self, head: &Checked) -> Result<bool, Error> {
        let this = head_of(head);
        let is_below = self.newest()?.is_some_and(|newest| this.size < newest.checkpoint.size());
        Ok(is_below && this.size > self.store.cursor()?.range.size() && !self.is_tied(this))
    }

    /// A look at the log that began at this moment has shown its newest head.
    pub(crate) fn looked(&self, at: Millis) {
        *self.looked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Whether a look at the log should have shown a head that was shown at this moment, or a larger one.
    pub(crate) fn should_have_shown(&self, since: Seconds) -> bool {
        let looked = *self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        looked.is_some_and(|at| at.seconds().0 >= since.0.saturating_add(SHOWN_SECONDS))
    }

    /// A kept head, verified; with the lines of the log alone where a line of somebody else is false: who trusts that key now did
    /// not when the head was kept.
    pub(crate) fn known_head(&self, note: &[u8]) -> Option<Checked> {
        self.config.trust.policy().check(note).ok().or_else(|| self.kept_head(note))
    }

    /// A kept head, verified with the lines of the log alone.
    pub(super) fn kept_head(&self, note: &[u8]) -> Option<Checked> {
        let policy = self.config.trust.policy();
        let note = only_of_log(policy, self.origin(), Note::parse(note).ok()?)?;
        policy.check_note(note).ok().filter(|head| head.checkpoint.origin() == self.origin())
    }

    /// Holds heads against the newest one that was taken, by its hash tiles; those that are larger, and for which there was no
    /// time, are not in the answer. Waits for the network.
    ///
    /// # Errors
    /// When the log does not serve these tiles, and nothing was learned.
    pub(crate) fn tie_to_newest(&self, heads: Vec<(Head, Vec<u8>)>) -> Result<Vec<(Head, Tie)>, Error> {
        let (Some(newest), begun) = (self.newest()?, Instant::now()) else { return Ok(Vec::new()) };
        let (size, root) = (newest.checkpoint.size(), newest.checkpoint.root());
        let smaller: Vec<_> = heads.into_iter().filter(|(head, _)| head.size < size).collect();
        if smaller.is_empty() {
            return Ok(Vec::new());
        }
        let tree = HttpTree::open(self.tiles.clone(), size, &root).map_err(tree_error)?;
        let mut found = Vec::new();
        for (head, note) in smaller {
            if begun.elapsed() >= LONGEST_TYING {
                break;
            }
            match self.tie_one(&tree, head, &note, &newest) {
                Ok(tie) => found.push((head, tie)),
                Err(error) if found.is_empty() => return Err(error),
                Err(_) => break, // asked again the next time
            }
        }
        Ok(found)
    }

    fn tie_one(&self, tree: &HttpTree, head: Head, note: &[u8], newest: &Checked) -> Result<Tie, Error> {
        let root = root_at(tree, head.size).map_err(proof_error)?;
        // One that the trust file says nothing of any more is nobody's word, and forgotten.
        let Some(checked) = self.known_head(note).filter(|checked| head_of(checked) == head) else {
            return Ok(Tie::Tied);
        };
        if root == head.root {
            self.tied.lock().unwrap_or_else(PoisonError::into_inner).add(head);
            return Ok(Tie::Tied);
        }
        let proof = consistency_proof(tree, head.size, newest.checkpoint.size()).map_err(proof_error)?;
        let alternative = Alternative::new(head.size, root, &proof);
        Ok(Tie::Contradicts(Box::new(fork(&checked, newest, Some(alternative)))))
    }

    /// Judges the kept heads whose entries were read since: which they were, and what contradicts.
    pub(crate) fn judge_unread(&self, unread: &[Unread]) -> Result<(Vec<Head>, Vec<Finding>), Error> {
        let followed = self.store.cursor()?.range.size();
        let (mut read, mut found) = (Vec::new(), Vec::new());
        for one in unread.iter().filter(|one| one.head.size <= followed) {
            let verdict = self.known_head(&one.note).map(|head| self.judge(&head)).transpose()?;
            match verdict {
                Some(Verdict::Larger) => continue,
                Some(Verdict::Contradicts(finding)) => found.push(*finding),
                Some(Verdict::Known) | None => {}
            }
            read.push(one.head);
        }
        Ok((read, found))
    }
}

fn no_room() -> Finding {
    let message = format!(
        "more than {MOST_UNREAD} heads that the log signed were shown before their entries could be read, and more are not kept. \
         Only the log signs heads: it may try to hide one among them, or others show old ones while its entries are read"
    );
    Finding::new(Class::Degraded, code::DISCARDED, message)
}

#[cfg(test)]
mod tests {
    use proto::num::TreeSize;

    use super::*;
    use crate::evidence::tests::{Followed, NOW, entry, head, others, three};
    use crate::store::Batch;

    /// Three entries, and two more.
    fn five() -> Vec<Vec<u8>> {
        [three(), vec![entry(13, 3), entry(14, 4)]].concat()
    }

    #[test]
    fn a_head_that_states_a_time_long_past_is_held_against_its_entries_when_they_come() {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        let other = [others(1), vec![entry(13, 3)]].concat();
        assert_eq!(followed.offer(&head(&other, 1)), Verdict::Larger, "a second after 1970");
        let kept = followed.log.store.unread().unwrap();
        assert_eq!(kept.iter().map(|one| one.head.size).collect::<Vec<_>>(), [TreeSize(4)]);
        followed.offer(&head(&other, 1));
        assert_eq!(followed.log.store.unread().unwrap(), kept, "once");

        let followed = followed.reopened();
        let (read, found) = followed.log.judge_unread(&followed.log.store.unread().unwrap()).unwrap();
        assert!(read.is_empty() && found.is_empty(), "its entries are not read");
        followed.follow(&five(), 14, None);
        let (read, found) = followed.log.judge_unread(&followed.log.store.unread().unwrap()).unwrap();
        assert_eq!(read, [kept[0].head]);
        assert_eq!(found.iter().map(|one| one.code.as_str()).collect::<Vec<_>>(), [code::FORK]);
        let gossip = GossipStep { read, ..GossipStep::default() };
        followed.log.store.commit_batch(&Batch { gossip, ..Batch::default() }, NOW).unwrap();
        assert_eq!(followed.log.store.unread().unwrap(), []);
    }

    #[test]
    fn a_false_line_of_a_key_that_is_trusted_later_makes_no_head_unknown() {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        // As it was kept when nobody here knew the witness: its line is of another head.
        let (good, other) = (head(&three(), 12), head(&others(1), 12));
        let line = |note: &[u8]| {
            let note = std::str::from_utf8(note).unwrap().to_owned();
            note.lines().find(|line| line.starts_with("\u{2014} witness.example ")).unwrap().to_owned()
        };
        let forged = String::from_utf8(good.clone()).unwrap().replace(&line(&good), &line(&other));
        assert!(followed.log.config.trust.policy().check(forged.as_bytes()).is_err());
        let batch = Batch { newest: Some(forged.as_bytes()), ..Batch::default() };
        followed.log.store.commit_batch(&batch, NOW).unwrap();
        let followed = followed.reopened();
        let newest = followed.log.newest().unwrap().unwrap();
        assert_eq!(newest.checkpoint.size(), TreeSize(3));
        assert_eq!(newest.checkpoint.root(), followed.log.known_head(&good).unwrap().checkpoint.root());
        assert!(followed.log.known_head(b"none").is_none());
        // A false line of the log's own key is another matter.
        let line_of_log = |note: &[u8]| {
            let note = std::str::from_utf8(note).unwrap().to_owned();
            note.lines().find(|line| line.starts_with("\u{2014} log.example/test ")).unwrap().to_owned()
        };
        let forged = String::from_utf8(good.clone()).unwrap().replace(&line_of_log(&good), &line_of_log(&other));
        assert!(followed.log.known_head(forged.as_bytes()).is_none());
    }
}
