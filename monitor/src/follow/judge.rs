//! Heads held against what is known, with no network: a head is never dropped because it is small or old.

use std::sync::PoisonError;

use client::Error;
use client::follow::{check_time, time_of};
use proto::hash::Hash;
use proto::merkle::{ProofError, consistency_proof, root_at};
use proto::num::{Millis, TreeSize};
use proto::policy::Checked;
use proto::tile::TileError;
use service::thinning::thin_before;

use super::FollowedLog;
use crate::evidence::Reach;
use crate::finding::{Alternative, Class, Finding, code};
use crate::store::{Batch, Findings, GossipStep, HeadKey, KeptHead};

/// Kept heads that are judged anew when entries come: an hour of them at one a second, and a note is below a kilobyte.
const MOST_KEPT_JUDGED: usize = 4096;
/// The same at a start: what was seen in the last round or two is among them.
const MOST_JUDGED_AT_START: usize = 256;

/// Heads without a time that are kept by one process: the log alone signs them, and lists none.
const MOST_TIMELESS: usize = 4096;

/// What is to be said of a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is a state of the tree that was followed.
    Known,
    /// It contradicts that tree, or the times in it.
    Contradicts(Box<Finding>),
    /// It is larger than what was followed: its entries must be read first.
    Larger,
}

impl FollowedLog {
    /// Holds a head against own leaf hashes and times. It must be this log's, verified under the trust file.
    pub fn judge(&self, head: &Checked) -> Result<Verdict, Error> {
        let followed = self.store.cursor()?.range.size();
        let size = head.checkpoint.size();
        if let Some(newest) = self.newest()?
            && newest.checkpoint.size() == size
            && newest.checkpoint.root() != head.checkpoint.root()
        {
            return Ok(Verdict::Contradicts(Box::new(fork(&newest, head, None))));
        }
        if size > followed {
            return Ok(Verdict::Larger);
        }
        let ours = self.own_root(followed, size)?;
        if ours != head.checkpoint.root() {
            return Ok(Verdict::Contradicts(Box::new(self.fork_below(head, followed, ours)?)));
        }
        self.judge_time(head, followed)
    }

    /// The head's time against those of the entries at its edge, as far as they are known.
    pub(super) fn judge_time(&self, head: &Checked, followed: TreeSize) -> Result<Verdict, Error> {
        let Some(time) = head.log_time else { return Ok(Verdict::Known) };
        let checkpoint = &head.checkpoint;
        let breach = check_time(&self.store, followed, checkpoint.size(), time)?;
        Ok(breach.map_or(Verdict::Known, |breach| {
            let place = breach.index.map(|index| format!("entry {index}: ")).unwrap_or_default();
            let finding = Finding::new(Class::Tamper, code::TIME, format!("{place}{}", breach.message))
                .named(format_args!("{}-{time}", checkpoint.size()))
                .at(breach.index)
                .with_heads(&[&checkpoint.to_bytes()]);
            Verdict::Contradicts(Box::new(finding))
        }))
    }

    /// Keeps a head that somebody showed, such as one to cosign, and what is to be said of it. A head that is kept already
    /// writes nothing, whatever it is.
    pub fn offer(&self, head: &Checked, now: Millis) -> Result<Verdict, Error> {
        let verdict = self.judge(head)?;
        let is_kept = self.is_to_keep(head, &verdict, now)?;
        let (mut findings, mut gossip) = (Findings::default(), GossipStep::default());
        match &verdict {
            Verdict::Contradicts(finding) => findings.push((**finding).clone()),
            Verdict::Larger => {
                let (step, no_room) = self.keep_unread(head, now)?;
                gossip = step;
                no_room.into_iter().for_each(|finding| findings.push(finding));
            }
            Verdict::Known => {}
        }
        self.tell_with(findings, head, is_kept, gossip, Reach::Kept, now)?;
        Ok(verdict)
    }

    /// Whether a head that somebody showed is to be kept. One that states no time, such as one whose time line was cut off, has
    /// no name that stays the same: of a state of the own tree it says nothing new, and any other is kept once by a process.
    pub(crate) fn is_to_keep(&self, head: &Checked, verdict: &Verdict, now: Millis) -> Result<bool, Error> {
        match (head.log_time, verdict) {
            // It was kept once, or thinned; a state of the own tree comes back as often as somebody shows it.
            (Some(time), Verdict::Known) if time < thin_before(now.seconds()) => Ok(false),
            (Some(_), _) => Ok(!self.store.has_head(key_of(head, now))?),
            (None, Verdict::Known) => Ok(false),
            (None, Verdict::Larger | Verdict::Contradicts(_)) => {
                let mut seen = self.timeless.lock().unwrap_or_else(PoisonError::into_inner);
                let has_room = seen.len() < MOST_TIMELESS;
                Ok(has_room && seen.insert((head.checkpoint.size(), head.checkpoint.root())))
            }
        }
    }

    /// A head, what is to be said of it, and the files that prove it, in one step.
    pub(super) fn tell(
        &self,
        findings: Findings,
        head: &Checked,
        is_kept: bool,
        reach: Reach,
        now: Millis,
    ) -> Result<(), Error> {
        self.tell_with(findings, head, is_kept, GossipStep::default(), reach, now)
    }

    /// The same, with what changes of the heads that are not read yet. What changes nothing writes nothing.
    fn tell_with(
        &self,
        mut findings: Findings,
        head: &Checked,
        is_kept: bool,
        gossip: GossipStep,
        reach: Reach,
        now: Millis,
    ) -> Result<(), Error> {
        let mut evidence = self.prove(&mut findings, reach)?;
        self.only_news(&mut findings, &mut evidence)?;
        let any = !findings.found().is_empty();
        if !any && !is_kept && gossip == GossipStep::default() {
            return Ok(());
        }
        let note = head.checkpoint.to_bytes();
        let heads = if is_kept { vec![KeptHead { key: key_of(head, now), note: &note }] } else { Vec::new() };
        let batch = Batch { findings, evidence, heads, gossip, ..Batch::default() };
        self.stored(&self.store.commit_evidence(&batch, now)?);
        if any || batch.gossip != GossipStep::default() { self.look(None) } else { Ok(()) }
    }

    /// Whether a head states no time and is the newest one: it would be kept once for every time that it is seen.
    pub(crate) fn is_restless(&self, head: &Checked) -> Result<bool, Error> {
        let newest = self.newest()?;
        Ok(head.log_time.is_none()
            && newest.is_some_and(|newest| newest.checkpoint.text().same_head(head.checkpoint.text())))
    }

    /// Judges the kept heads anew, the newest first: a log may hide a head that it showed once, so its own list is not asked.
    /// After entries came, those that the entries from `before` on say more of. Without it, the latest ones: a program that was
    /// stopped between entries and findings says at its next start what it did not say.
    pub(super) fn judge_kept(&self, before: Option<TreeSize>, findings: &mut Findings) -> Result<(), Error> {
        let followed = self.store.cursor()?.range.size();
        let most = if before.is_some() { MOST_KEPT_JUDGED } else { MOST_JUDGED_AT_START };
        // The time of an earlier head says nothing of this entry, nor of those behind it; its root does, if it is of them.
        let first = before.map(|before| time_of(&self.store, followed, before.next_index())).transpose()?.flatten();
        let is_later = |key: &HeadKey| first.is_none_or(|first| key.time > first.seconds());
        let is_larger = |key: &HeadKey| before.is_some_and(|before| key.size > before);
        let kept = self.store.heads_before(None, most)?;
        for (_, note) in kept.iter().filter(|(key, _)| is_later(key) || is_larger(key)) {
            let Some(head) = self.known_head(note) else { continue };
            if let Verdict::Contradicts(finding) = self.judge(&head)? {
                findings.push(*finding);
            }
        }
        Ok(())
    }

    /// Whether a fork is open that is named by this head: then it is of another history, whatever it is shown beside.
    pub(crate) fn names_fork(&self, head: &Checked) -> Result<bool, Error> {
        Ok(self.store.open_finding(&format!("{}:{}", code::FORK, fork_name(head)))?.is_some())
    }

    /// The root that the followed tree had at this size.
    pub(super) fn own_root(&self, followed: TreeSize, size: TreeSize) -> Result<Hash, Error> {
        if size == TreeSize(0) {
            return Ok(Hash::EMPTY_ROOT);
        }
        root_at(&self.store.tree(followed), size).map_err(own_error)
    }

    /// The head is not larger than what was followed and has another root. The newest head whose entries were read is the other
    /// side, tied to our root at the smaller size by a proof from our own hashes, if they reach so far.
    fn fork_below(&self, head: &Checked, followed: TreeSize, ours: Hash) -> Result<Finding, Error> {
        let size = head.checkpoint.size();
        // A log that keeps back the entries of its newest head would keep the proof back as well.
        let read = self.read_head()?.filter(|read| read.checkpoint.size() >= size);
        let Some(newest) = read.map_or_else(|| self.newest(), |read| Ok(Some(read)))? else {
            let message = "its entries lead to another root than a head that it signed";
            return Ok(Finding::new(Class::Tamper, code::FORK, message).with_heads(&[&head.checkpoint.to_bytes()]));
        };
        let larger = newest.checkpoint.size();
        if larger == size {
            return Ok(fork(&newest, head, None));
        }
        let proof = match size > TreeSize(0) && larger <= followed && size < larger {
            true => consistency_proof(&self.store.tree(followed), size, larger).map_err(own_error)?,
            false => Vec::new(),
        };
        Ok(fork(head, &newest, Some(Alternative::new(size, ours, &proof))))
    }
}

/// Two heads that cannot both be true, the smaller first.
pub(crate) fn fork(smaller: &Checked, larger: &Checked, alternative: Option<Alternative>) -> Finding {
    let (a, b) = (smaller.checkpoint.to_bytes(), larger.checkpoint.to_bytes());
    let (small, large) = (&smaller.checkpoint, &larger.checkpoint);
    let message = format!(
        "a holder of the key of {} signed two histories that cannot both be true: heads of {} and of {} entries",
        small.origin(),
        small.size(),
        large.size(),
    );
    // Named by the head that stays the same while the other side grows: the newest one that was taken, if the log shows ever larger
    // ones of another history, or one of another history that is within the own tree.
    let named = if small.size() == large.size() { larger } else { smaller };
    let finding = Finding::new(Class::Tamper, code::FORK, message).named(fork_name(named)).with_heads(&[&a, &b]);
    Finding { alternative, ..finding }
}

/// What names a fork by one of its heads: what that says, not its bytes.
pub(crate) fn fork_name(head: &Checked) -> String {
    let head = &head.checkpoint;
    format!("{}-{}", head.size(), &head.root().to_string()[..16])
}

/// What names a head: the log's time for it if it states one, else when it was seen.
pub(crate) fn key_of(head: &Checked, now: Millis) -> HeadKey {
    let checkpoint = &head.checkpoint;
    HeadKey { time: head.log_time.unwrap_or(now.seconds()), size: checkpoint.size(), root: checkpoint.root() }
}

/// A proof from own hashes failed: the state is damaged, whatever the log does.
fn own_error(error: ProofError<TileError<Error>>) -> Error {
    match error {
        ProofError::Reader(TileError::Reader { error, .. }) => error,
        other => Error::local(format!("the state of the tree is damaged: {other}")),
    }
}
