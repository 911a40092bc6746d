//! One round: the log's head and everything that is new, looked at once.

use std::sync::Arc;
use std::time::Instant;

use client::ErrorKind;
use client::error::Error;
use client::follow::{BUNDLE, Cursor, Follow};
use client::tiles::{HttpTree, proof_error, tree_error};
use proto::hash::Hash;
use proto::merkle::{consistency_proof, root_at};
use proto::note::Note;
use proto::num::{Millis, TreeSize};
use proto::policy::{CheckError, Checked};

use super::judge::{fork, key_of};
use super::{FollowedLog, Verdict};
use crate::clock;
use crate::evidence::Reach;
use crate::finding::{Alternative, Class, Finding, code};
use crate::store::{Batch, Findings, KeptHead};

/// Findings of the last round that this one has to make again, or they are over.
const OF_A_ROUND: [&str; 9] = [
    code::UNREACHABLE,
    code::SIGNATURE,
    code::SERVED,
    code::OLD,
    code::AHEAD,
    code::UNRESOLVED,
    code::OWN,
    code::BACKLOG,
    code::CLOCK,
];

/// Whether a round goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goes {
    /// It does.
    On,
    /// It ends at the next place where it can go on later.
    Ends,
}

/// What a round needs from whoever runs it.
pub struct Round<'a> {
    /// Now, by this machine's clock.
    pub now: Millis,
    /// Whether a log that does not answer is an outage already.
    pub says_outage: bool,
    /// Is told the entries that are done and the size of the tree.
    pub progress: &'a mut dyn FnMut(u64, u64) -> Goes,
}

/// Why a round did not come to its end.
pub(super) enum Ended {
    /// Something is wrong with the log.
    Found(Box<Finding>),
    /// It cannot be read now.
    Unreachable(Error),
    /// This monitor failed.
    Own(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Ended {
        match error.kind {
            ErrorKind::Unreachable | ErrorKind::TryLater | ErrorKind::Refused => Ended::Unreachable(error),
            // Tiles and entries that are not those of the signed tree.
            ErrorKind::NotProven | ErrorKind::Malformed => {
                Ended::Found(Box::new(Finding::new(Class::Tamper, code::SERVED, error.message)))
            }
            _ => Ended::Own(error),
        }
    }
}

impl FollowedLog {
    /// One round. Waits for the network: call it from a plain thread or inside `spawn_blocking`.
    ///
    /// # Errors
    /// When what is kept cannot be read or written. What is wrong with the log is no error but a finding.
    pub fn round(&self, mut round: Round<'_>) -> Result<(), Error> {
        self.pay(round.now)?;
        let mut findings = Findings::default();
        let ended = self.learn(&mut round, &mut findings);
        let success = ended.is_ok();
        let reach = if matches!(ended, Err(Ended::Unreachable(_))) { Reach::Kept } else { Reach::Log };
        let mut again = OF_A_ROUND.to_vec();
        match ended {
            Ok(()) => {}
            Err(Ended::Found(finding)) => findings.push(*finding),
            Err(Ended::Unreachable(error)) if round.says_outage && !self.tiles.is_given_up() => {
                findings.push(Finding::new(Class::Outage, code::UNREACHABLE, error.message));
            }
            // Not long enough to be told; nor does a short silence end what was found before.
            Err(Ended::Unreachable(error)) => {
                tracing::info!(origin = self.origin(), error = error.message, "the log does not answer");
                again.clear();
            }
            Err(Ended::Own(error)) => {
                findings.push(Finding::new(Class::Degraded, code::OWN, error.message.clone()));
                tracing::error!(origin = self.origin(), error = error.message, "this monitor failed");
            }
        }
        if let Some(jump) = clock::jump() {
            let message = format!(
                "this machine's clock stepped {jump}; until it says the same for ten minutes time goes on here as if it had not. \
                 Set it right"
            );
            findings.push(Finding::new(Class::Degraded, code::CLOCK, message));
        }
        again.iter().for_each(|name| findings.over(name));
        self.prove_open(&mut findings)?;
        let evidence = self.prove(&mut findings, reach)?;
        let list_spent = Some(self.list_spent());
        self.store.commit_batch(&Batch { findings, evidence, list_spent, ..Batch::default() }, round.now)?;
        self.weigh_lines_again(reach, round.now)?;
        // What is removed does not come back: not by a clock that may be wrong, nor by one that is ahead of what the log signs.
        if clock::jump().is_none() {
            let newest = self.seen().head.and_then(|(_, time)| time);
            self.store.thin_heads(newest.map_or(round.now.seconds(), |time| time.min(round.now.seconds())))?;
        }
        self.look(success.then_some(round.now))
    }

    fn learn(&self, round: &mut Round<'_>, findings: &mut Findings) -> Result<(), Ended> {
        let begun = Instant::now();
        let note = self.tiles.wait(self.api.checkpoint())?;
        let head = self.verified(&note)?;
        if let Ok(note) = Note::parse(&note) {
            self.keep_cosigned(&note, &head)?;
        }
        self.judge_age(&head, round.now, findings);
        super::ahead::judge(&head, round.now).into_iter().for_each(|finding| findings.push(finding));
        self.judge_freshness(&head, round.now, findings)?;
        let mut cursor = self.store.cursor()?;
        match self.judge(&head)? {
            Verdict::Contradicts(mut finding) => {
                self.name_anew(&mut finding)?;
                self.tell(Findings::begin(vec![(*finding).clone()]), &head, true, Reach::Log, round.now)?;
                self.follow_branch(&finding, &head, round.now)?;
            }
            Verdict::Known => self.keep(&head, self.is_newest(&head)?, round.now)?,
            Verdict::Larger => self.check_extends(&head, round.now)?,
        }
        self.looked(round.now);
        self.looked_at_quorum(&head, begun)?;
        if self.seen().last_success.is_none() {
            self.judge_kept(None, findings)?;
        }
        self.tell_before_reading(&head, &cursor, findings, round.now)?;
        self.catch_up(&mut cursor, round, findings)?;
        let listed = self.judge_listed(&cursor, round.now, findings);
        self.judge_covered(&head, &cursor, round.now, findings)?;
        listed
    }

    /// The note, if a key that the operator trusts signed it.
    fn verified(&self, note: &[u8]) -> Result<Checked, Ended> {
        let said =
            |class, code, e: CheckError| Finding::new(class, code, format!("what the log shows as its head: {e}"));
        let checked = match self.config.trust.policy().check(note) {
            Ok(checked) => checked,
            // No note, so no head: what it is instead is not shown to anybody.
            Err(e @ CheckError::Malformed(_)) => {
                return Err(Ended::Found(Box::new(said(Class::Outage, code::UNREACHABLE, e))));
            }
            Err(e) => {
                let finding = said(Class::Tamper, code::SIGNATURE, e).with_heads(&[note]);
                return Err(Ended::Found(Box::new(finding)));
            }
        };
        if checked.checkpoint.origin() != self.origin() {
            let message = format!("the address {} serves the log {}", self.config.url, checked.checkpoint.origin());
            return Err(Ended::Found(Box::new(Finding::new(Class::Outage, code::UNREACHABLE, message))));
        }
        Ok(checked)
    }

    /// Whether a head is as large as the newest one and not older, so that it takes its place.
    fn is_newest(&self, head: &Checked) -> Result<bool, Error> {
        Ok(self.newest()?.is_none_or(|newest| {
            (newest.checkpoint.size(), newest.log_time) <= (head.checkpoint.size(), head.log_time)
        }))
    }

    /// Keeps a head with its signatures.
    fn keep(&self, head: &Checked, newest: bool, now: Millis) -> Result<(), Error> {
        let note = head.checkpoint.to_bytes();
        let heads = match self.is_restless(head)? {
            true => Vec::new(),
            false => vec![KeptHead { key: key_of(head, now), note: &note }],
        };
        let read = if newest { self.followed()?.map(|read| read.checkpoint.to_bytes()) } else { None };
        let covered = (newest && self.covers_more(head)).then_some(note.as_slice());
        let (newest, read_head) = (newest.then_some(note.as_slice()), read.as_deref());
        self.store.commit_batch(&Batch { heads, newest, read_head, covered, ..Batch::default() }, now)
    }

    /// A head that is larger than what was followed extends the newest one that was taken and becomes it, or contradicts it.
    fn check_extends(&self, head: &Checked, now: Millis) -> Result<(), Ended> {
        let newest = self.newest()?;
        let known = newest.as_ref().map_or(TreeSize(0), |newest| newest.checkpoint.size());
        let size = head.checkpoint.size();
        if size < known {
            return self.check_between(head, newest.as_ref(), now);
        }
        if let Some(newest) = newest.filter(|newest| newest.checkpoint.size() > TreeSize(0))
            && size > known
        {
            self.keep(head, false, now)?; // whatever becomes of it: it was signed
            let tree = self.open_tree(head)?;
            let root = root_at(&tree, known).map_err(proof_error)?;
            if root != newest.checkpoint.root() {
                let proof = consistency_proof(&tree, known, size).map_err(proof_error)?;
                let alternative = Alternative::new(known, root, &proof);
                let mut found = fork(&newest, head, Some(alternative));
                self.name_anew(&mut found)?; // what is kept of its branch is told under the same name
                self.tell(Findings::begin(vec![found.clone()]), head, true, Reach::Log, now)?;
                self.follow_branch(&found, head, now)?;
                return Err(Ended::Found(Box::new(found)));
            }
        }
        Ok(self.keep(head, self.is_newest(head)?, now)?)
    }

    /// A head between what was followed and the newest one that was taken, whose entries are not read yet.
    fn check_between(&self, head: &Checked, newest: Option<&Checked>, now: Millis) -> Result<(), Ended> {
        self.keep(head, false, now)?;
        let Some(newest) = newest else { return Ok(()) };
        let size = head.checkpoint.size();
        let tree = self.open_tree(newest).map_err(|ended| self.unresolved(head, ended))?;
        let root = root_at(&tree, size).map_err(|e| self.unresolved(head, proof_error(e).into()))?;
        if root == head.checkpoint.root() {
            return Ok(());
        }
        let proof = consistency_proof(&tree, size, tree.size()).map_err(proof_error)?;
        let alternative = Alternative::new(size, root, &proof);
        Err(Ended::Found(Box::new(fork(head, newest, Some(alternative)))))
    }

    /// The log shows a smaller head than before and does not serve what would tie the two.
    fn unresolved(&self, head: &Checked, ended: Ended) -> Ended {
        match ended {
            Ended::Unreachable(error) => {
                let message = format!(
                    "the log shows a head of {} entries, smaller than one that it signed, and does not serve what would show \
                     that they are consistent: {}",
                    head.checkpoint.size(),
                    error.message
                );
                let finding = Finding::new(Class::Degraded, code::UNRESOLVED, message);
                Ended::Found(Box::new(finding.with_heads(&[&head.checkpoint.to_bytes()])))
            }
            other => other,
        }
    }

    fn open_tree(&self, head: &Checked) -> Result<HttpTree, Ended> {
        let checkpoint = &head.checkpoint;
        Ok(HttpTree::open(self.tiles.clone(), checkpoint.size(), &checkpoint.root()).map_err(tree_error)?)
    }

    /// Reading much takes as long as the log likes: how fresh it is, is told before.
    fn tell_before_reading(
        &self,
        head: &Checked,
        cursor: &Cursor,
        findings: &Findings,
        now: Millis,
    ) -> Result<(), Error> {
        let unread = head.checkpoint.size().0.saturating_sub(cursor.range.size().0);
        if unread <= BUNDLE || findings.found().is_empty() {
            return Ok(());
        }
        self.store.commit_batch(&Batch { findings: findings.clone(), ..Batch::default() }, now)?;
        self.look(None)
    }

    /// Reads, hashes and judges all entries under the newest head that was taken.
    fn catch_up(&self, cursor: &mut Cursor, round: &mut Round<'_>, findings: &mut Findings) -> Result<(), Ended> {
        let Some(newest) = self.newest()? else { return Ok(()) };
        let (size, followed) = (newest.checkpoint.size(), cursor.range.size());
        if size == TreeSize(0) || cursor.next_read() >= size {
            return Ok(());
        }
        let tree = Arc::new(self.open_tree(&newest)?);
        // What was hashed under an earlier head must be a part of this one: both extend what was taken before them.
        let root =
            if followed == TreeSize(0) { Hash::EMPTY_ROOT } else { root_at(&*tree, followed).map_err(proof_error)? };
        if root != cursor.range.root() {
            let message = format!("the first {followed} entries lead to another root than when they were read");
            let finding = Finding::new(Class::Tamper, code::SERVED, message);
            return Err(Ended::Found(Box::new(finding.with_heads(&[&newest.checkpoint.to_bytes()]))));
        }
        let mut follow = Follow {
            kv: &self.store,
            tiles: self.tiles.clone(),
            tree,
            origin: self.origin(),
            threads: self.threads,
            keep_entries: self.store.is_mirror(),
            ends_at_breach: false,
            progress: &mut |done, size| (round.progress)(done, size) == Goes::On,
        };
        follow.run(cursor)?;
        self.judge_kept(Some(followed), findings)?;
        match self.judge_time(&newest, cursor.range.size())? {
            Verdict::Contradicts(finding) => Err(Ended::Found(finding)),
            Verdict::Known | Verdict::Larger => Ok(()),
        }
    }

    fn judge_age(&self, head: &Checked, now: Millis, findings: &mut Findings) {
        let Some(time) = head.log_time else { return };
        let age = now.seconds().0.saturating_sub(time.0);
        if age > self.config.max_head_age.as_secs() {
            let message = format!(
                "the newest head that the log shows is of {}, {age} s ago; a log signs one every half minute",
                time.millis().to_rfc3339()
            );
            findings.push(Finding::new(Class::Degraded, code::OLD, message).with_heads(&[&head.checkpoint.to_bytes()]));
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::num::Seconds;

    use super::*;
    use crate::evidence::tests::{Followed, NOW, head, three};

    const DAY: u64 = service::thinning::KEEP_ALL_SECONDS;

    /// A round of a log that does not answer; the times of the heads that are left.
    fn left(followed: &Followed, now: Millis) -> Vec<u64> {
        let round = Round { now, says_outage: false, progress: &mut |_, _| Goes::On };
        followed.log.round(round).unwrap();
        followed.log.store.heads_after(None, 10).unwrap().iter().map(|(key, _)| key.time.0).collect()
    }

    /// What is removed does not come back: neither this machine's clock nor the log's times decide that alone.
    #[test]
    fn heads_are_thinned_by_the_earlier_of_the_own_clock_and_the_newest_head() {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        for (size, time) in [(1, 10), (2, 11), (3, 12)] {
            followed.offer(&head(&three()[..size], time));
        }
        followed.log.look(None).unwrap();
        followed.log.wait_no_more();
        let later = Seconds(400 * DAY).millis();
        assert_eq!(left(&followed, later), [10, 11, 12], "the log has shown nothing newer: is it a year later?");
        let newest = |time| {
            let note = head(&three(), time);
            followed.log.store.commit_batch(&Batch { newest: Some(&note), ..Batch::default() }, NOW).unwrap();
            followed.log.look(None).unwrap();
        };
        newest(400 * DAY);
        assert_eq!(left(&followed, NOW), [10, 11, 12], "the log says so, and the own clock does not");
        newest(DAY + 59);
        assert_eq!(left(&followed, later), [10, 11, 12], "the minute is not a day old");
        newest(DAY + 60);
        assert_eq!(left(&followed, later), [12], "both");
    }
}
