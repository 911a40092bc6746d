//! The gossip of one log: the machine, what it stands on, and what it decides made durable.
//!
//! One lock guards the machine, and everything from an input to the transaction with its outcome happens under it. Whoever
//! handed in a head is answered after that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use client::Error;
use proto::note::Note;
use proto::num::{Millis, TreeSize};
use proto::policy::Checked;
use proto::unavailable::Unavailable;

use super::act::{Act, Became, became};
use super::core::{Core, Fork, Head, Input, Output, PeerId, Shown, Source, Waiting};
use super::head;
use super::own::Own;
use super::step::{self, Step};
use super::tell;
use crate::alert::last_seen::LastSeen;
use crate::clock;
use crate::evidence::Reach;
use crate::finding::{Finding, code};
use crate::follow::{FollowedLog, Verdict, fork, fork_name, key_of};
use crate::store::{Batch, Findings, GossipStep, KeptHead, KeptStatement, KeptWaiting};
use crate::witness::Witness;

/// How long heads are all kept (`service::thinning`): one that is older and known says nothing new.
const KEPT_SECONDS: u64 = 24 * 3600;
/// So long after heads were discarded last, more of that is told anew: an hour.
const FLOOD_OVER: Millis = Millis(3_600_000);

/// The gossip of one log.
pub struct LogGossip {
    log: Arc<FollowedLog>,
    pub(super) peers: Vec<String>,
    witness: Option<Arc<Witness>>,
    /// When evidence that a peer refused is sent again.
    pub(super) refused_next: Mutex<Millis>,
    /// When each peer was heard of.
    pub(super) heard: LastSeen,
    inner: Mutex<Inner>,
}

struct Inner {
    core: Core,
    /// The notes of the own head and of all that wait.
    notes: BTreeMap<Head, Arc<[u8]>>,
}

fn head_of(checked: &Checked) -> Head {
    Head { size: checked.checkpoint.size(), root: checked.checkpoint.root() }
}

impl LogGossip {
    /// Takes up what waited. `peers` are the names of the peers, in the order of their numbers; one that is
    /// not heard of for `silent_after` is a finding.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    pub fn open(
        log: Arc<FollowedLog>,
        peers: Vec<String>,
        witness: Option<Arc<Witness>>,
        silent_after: Duration,
    ) -> Result<LogGossip, Error> {
        let mut notes = BTreeMap::new();
        let mut waiting = Vec::new();
        for (head, kept) in log.store.waiting()? {
            let source = kept.peer.as_ref().and_then(|name| id_of(&peers, name)).map_or(Source::Anyone, Source::Peer);
            let one = Waiting::new(head, source, kept.since, kept.told()).asked_for(kept.asked_for);
            waiting.push(one.was_tied(kept.tied, kept.untied.unwrap_or(kept.since)));
            notes.insert(head, kept.note.into_bytes().into());
        }
        let taken = |name: &String| log.store.evidence_taken_by(name);
        let known: Vec<(PeerId, u64)> = peers
            .iter()
            .filter_map(|name| Some((id_of(&peers, name)?, name)))
            .map(|(id, name)| Ok((id, taken(name)?)))
            .collect::<Result<_, Error>>()?;
        let core = Core::restore(known, waiting, log.store.discarded()?);
        let heard = LastSeen::new(code::PEER, "the peer", silent_after, peers.iter().cloned());
        peers.iter().for_each(|peer| heard.expect(peer, now()));
        let inner = Mutex::new(Inner { core, notes });
        Ok(LogGossip { log, peers, witness, refused_next: Mutex::new(Millis(0)), heard, inner })
    }

    /// The log.
    pub fn log(&self) -> &Arc<FollowedLog> {
        &self.log
    }

    /// The number of the peer of this name.
    pub fn peer(&self, name: &str) -> Option<PeerId> {
        id_of(&self.peers, name)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under the lock leaves a machine that took an input whose outcome may not be kept; what waits is asked for
        // again at the next start, and until then by its deadlines.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the machine knows.
    pub fn look<T>(&self, read: impl FnOnce(&Core) -> T) -> T {
        read(&self.lock().core)
    }

    /// The own newest head with the log's lines alone: what answers a push.
    pub fn own_note(&self) -> Option<Vec<u8>> {
        let inner = self.lock();
        inner.core.own().and_then(|own| inner.notes.get(&own).map(|note| note.to_vec()))
    }

    /// A head with the log's own lines alone, verified.
    ///
    /// # Errors
    /// When the log did not sign it.
    pub fn check(&self, note: Note) -> Result<Checked, head::NotTaken> {
        head::check(self.log.config.trust.policy(), self.log.origin(), note)
    }

    /// Takes a head that somebody showed; `input` tells the machine of it. What is decided is durable when this returns.
    ///
    /// Waits for the disk: call it off the async threads.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn take(
        &self,
        shown: &Checked,
        input: impl FnOnce(Head, u64) -> Input,
        now: Millis,
    ) -> Result<(Became, Vec<Act>), Error> {
        let mut verdict = self.log.judge(shown)?;
        let (head, note, key) = (head_of(shown), shown.checkpoint.to_bytes(), key_of(shown, now));
        // Below the head that is being read it needs no proof and no room here: its tiles say what it is (`unread.rs`).
        if verdict == Verdict::Larger && self.is_being_read(head)? {
            verdict = self.log.offer(shown, now)?;
            if verdict == Verdict::Larger {
                return Ok((Became::Waits, self.heard_back(input(head, 0), now)?));
            }
        }
        let mut inner = self.lock();
        inner.notes.insert(head, note.as_slice().into());
        let outputs = self.tell(&mut inner.core, &verdict, input(head, random()), now)?;
        let mut step = Step::default();
        let is_old = key.time.0.saturating_add(KEPT_SECONDS) < now.seconds().0;
        let is_kept = match &verdict {
            Verdict::Contradicts(finding) => {
                step.findings.push((**finding).clone());
                true
            }
            Verdict::Known => !is_old,
            Verdict::Larger => true,
        };
        let mut became = became(&verdict, head, &outputs);
        let judged = matches!(verdict, Verdict::Contradicts(_)).then_some(head);
        self.settle(&mut inner, outputs, judged, now, &mut step)?;
        if !step.findings.found().is_empty() && became == Became::Waits && step.contradicts(head) {
            became = Became::Contradicts;
        }
        let is_new = is_kept && self.log.is_to_keep(shown, &verdict, now)?;
        let heads = if is_new { vec![KeptHead { key, note: &note }] } else { Vec::new() };
        self.commit(step, heads, now).map(|acts| {
            inner.prune();
            (became, acts)
        })
    }

    /// Whether a head is of a tree that was taken already and whose entries are being read: after a start, or while the log is
    /// ahead of what can be read.
    pub(super) fn is_being_read(&self, head: Head) -> Result<bool, Error> {
        Ok(self.log.newest()?.is_some_and(|newest| head.size <= newest.checkpoint.size()))
    }

    /// Tells the machine what needs no new head.
    ///
    /// Waits for the disk: call it off the async threads.
    ///
    /// # Errors
    /// When its outcome cannot be kept.
    pub fn feed(&self, input: Input, now: Millis) -> Result<Vec<Act>, Error> {
        let mut inner = self.lock();
        self.feed_in(&mut inner, input, now)
    }

    fn feed_in(&self, inner: &mut Inner, input: Input, now: Millis) -> Result<Vec<Act>, Error> {
        let is_tick = matches!(input, Input::Tick);
        let outputs = inner.core.step(now.seconds(), input, &Own::of(&self.log)?);
        let mut step = Step::default();
        self.settle(inner, outputs, None, now, &mut step)?;
        if is_tick && self.flood_is_over(now) {
            step.findings.over(code::DISCARDED);
        }
        let acts = self.commit(step, Vec::new(), now)?;
        inner.prune();
        Ok(acts)
    }

    /// What was found besides, and what the machine says of these inputs, durable in one step.
    pub(super) fn settle_all(&self, mut step: Step, inputs: Vec<Input>, now: Millis) -> Result<Vec<Act>, Error> {
        let mut inner = self.lock();
        for input in inputs {
            let outputs = inner.core.step(now.seconds(), input, &Own::of(&self.log)?);
            self.settle(&mut inner, outputs, None, now, &mut step)?;
        }
        let acts = self.commit(step, Vec::new(), now)?;
        inner.prune();
        Ok(acts)
    }

    /// What waits and is larger than what was read, with its notes.
    pub(super) fn waiting_above(&self, followed: TreeSize) -> Vec<(Head, Vec<u8>)> {
        let inner = self.lock();
        let above = inner.core.waiting().map(|one| one.head).filter(|head| head.size > followed);
        above.map(|head| (head, inner.note(head).to_vec())).collect()
    }

    /// Whether heads were discarded once, and none for long.
    fn flood_is_over(&self, now: Millis) -> bool {
        let is_quiet = now.0.saturating_sub(self.log.last_discarded().0) >= FLOOD_OVER.0;
        is_quiet && self.log.seen().open.iter().any(|open| open.finding.id == code::DISCARDED)
    }

    /// The own tree may have grown: tells the machine, if so.
    ///
    /// # Errors
    /// When what is kept cannot be read, or the outcome not be kept.
    pub fn grown(&self, now: Millis) -> Result<Vec<Act>, Error> {
        let Some(followed) = self.log.followed()? else { return Ok(Vec::new()) };
        let (own, mut inner) = (head_of(&followed), self.lock());
        if inner.core.own() == Some(own) {
            return Ok(Vec::new());
        }
        let note = Note::parse(&followed.checkpoint.to_bytes()).map_err(|e| Error::local(e.to_string()))?;
        let stripped = self.check(note).map_err(|e| Error::local(format!("the newest head: {e}")))?;
        inner.notes.insert(own, stripped.checkpoint.to_bytes().into());
        self.feed_in(&mut inner, Input::Grew { own }, now)
    }

    /// Makes the outcome durable; what was found is shown from then on.
    fn commit(&self, step: Step, heads: Vec<KeptHead<'_>>, now: Millis) -> Result<Vec<Act>, Error> {
        let Step { mut findings, gossip, acts, .. } = step;
        let mut evidence = self.log.prove(&mut findings, Reach::Kept)?;
        self.log.only_news(&mut findings, &mut evidence)?;
        let changes = findings != Findings::default();
        if changes || !heads.is_empty() || gossip != GossipStep::default() {
            let batch = Batch { findings, evidence, heads, gossip, ..Batch::default() };
            self.log.stored(&self.log.store.commit_evidence(&batch, now)?);
        }
        if changes {
            self.log.look(None)?;
        }
        Ok(acts)
    }

    /// Takes the machine's outputs apart: what is kept, what is found, what is done. The head `judged` is a finding already.
    fn settle(
        &self,
        inner: &mut Inner,
        outputs: Vec<Output>,
        judged: Option<Head>,
        now: Millis,
        step: &mut Step,
    ) -> Result<(), Error> {
        for output in outputs {
            match output {
                Output::Waits(waiting) => {
                    self.keep_waiting(inner, &waiting, step);
                    step.told_no_more(&waiting, &self.log.seen().open);
                }
                Output::Settled { head, .. } => step.over(head),
                Output::Discarded { head, total } => {
                    self.log.discarded(now);
                    step.over(head);
                    step.gossip.discarded = Some(total);
                    step.findings.push(tell::discarded(total));
                }
                Output::Fork(fork) => {
                    let is_told = judged == Some(fork.smaller) && !matches!(fork.shown, Shown::Proof { .. });
                    if let Some(finding) = self.finding_of(inner, &fork)?.filter(|_| !is_told) {
                        step.forks.push(fork);
                        step.findings.push(finding);
                    }
                }
                Output::Alert(waiting) => {
                    self.keep_waiting(inner, &waiting, step);
                    let note = inner.note(waiting.head);
                    step.findings.push(tell::waits(&waiting, &self.words(waiting.source), note, now));
                }
                Output::State(waiting) => {
                    self.keep_waiting(inner, &waiting, step);
                    self.state(inner, &waiting, now, step)?;
                }
                Output::Ask { whom, head, from } => step.acts.push(Act::Ask { whom, head, from }),
                Output::Push { peer, head, old } => {
                    let note = inner.notes.get(&head).cloned().unwrap_or_default();
                    step.acts.push(Act::Push { peer, head, note, old });
                }
                Output::SendEvidence { peer, number } => step.acts.push(Act::SendEvidence { peer, number }),
            }
        }
        Ok(())
    }

    fn keep_waiting(&self, inner: &Inner, waiting: &Waiting, step: &mut Step) {
        let peer = match waiting.source {
            Source::Peer(PeerId(id)) => self.peers.get(usize::from(id)).cloned(),
            Source::Log | Source::Anyone => None,
        };
        let kept = KeptWaiting {
            note: String::from_utf8_lossy(inner.note(waiting.head)).into_owned(),
            since: waiting.since,
            asked_for: waiting.asked_for,
            tied: waiting.tied,
            untied: Some(waiting.untied),
            peer,
            alerted: waiting.told >= super::core::Told::Alerted,
            stated: waiting.told >= super::core::Told::Stated,
        };
        step.gossip.waits.push((waiting.head, kept));
    }

    /// A signed statement that the head stays unavailable; none when this monitor has no key.
    fn state(&self, inner: &Inner, waiting: &Waiting, now: Millis, step: &mut Step) -> Result<(), Error> {
        let Some(keys) = self.witness.as_ref().map(|witness| witness.keys()) else { return Ok(()) };
        let checked = self.checked(inner, waiting.head)?;
        let since = tell::stated_since(waiting.since, checked.log_time, now.seconds());
        let said = Unavailable::new(checked.checkpoint.text(), since, now.seconds());
        let (Some(by), Some(statement)) = (keys.name(), keys.state(&said)) else { return Ok(()) };
        let checkpoint = String::from_utf8_lossy(inner.note(waiting.head)).into_owned();
        let kept = KeptStatement { by, statement: statement.clone(), checkpoint: checkpoint.clone() };
        step.gossip.own_statements.push((waiting.head, kept));
        step.acts.push(Act::SendStatement { statement, checkpoint });
        Ok(())
    }

    fn words(&self, source: Source) -> String {
        match source {
            Source::Log => "the log, by another way out".to_owned(),
            Source::Peer(PeerId(id)) => {
                self.peers.get(usize::from(id)).map_or_else(|| "a peer".to_owned(), |name| format!("the peer {name}"))
            }
            Source::Anyone => "somebody".to_owned(),
        }
    }

    fn checked(&self, inner: &Inner, head: Head) -> Result<Checked, Error> {
        let policy = self.log.config.trust.policy();
        policy.check(inner.note(head)).map_err(|e| Error::local(format!("a kept head of {}: {e}", self.log.origin())))
    }

    /// The finding of a fork, with both heads.
    fn finding_of(&self, inner: &Inner, found: &Fork) -> Result<Option<Finding>, Error> {
        let smaller = self.checked(inner, found.smaller)?;
        if Some(found.larger) == inner.core.own() {
            return Ok(match self.log.judge(&smaller)? {
                Verdict::Contradicts(finding) => Some(*finding),
                Verdict::Known | Verdict::Larger => None,
            });
        }
        let larger = self.checked(inner, found.larger)?;
        let found_as = fork(&smaller, &larger, step::alternative(found));
        // The own tree grows beside a head that is shown again and again: one fork is one finding.
        let is_beside = Some(found.smaller) == inner.core.own() || self.log.names_fork(&larger)?;
        Ok(Some(if is_beside { found_as.named(fork_name(&larger)) } else { found_as }))
    }
}

impl Inner {
    fn note(&self, head: Head) -> &[u8] {
        self.notes.get(&head).map_or(&[], |note| note)
    }

    /// Forgets the notes of heads that are neither the own one nor wait.
    fn prune(&mut self) {
        let core = &self.core;
        let wanted: std::collections::BTreeSet<Head> = core.waiting().map(|one| one.head).chain(core.own()).collect();
        self.notes.retain(|head, _| wanted.contains(head));
    }
}

fn id_of(peers: &[String], name: &str) -> Option<PeerId> {
    let at = peers.iter().position(|peer| peer == name)?;
    u16::try_from(at).ok().map(PeerId)
}

/// A number that nobody outside can know.
fn random() -> u64 {
    client::random::jitter(u64::MAX - 1)
}

/// Now, for who has no moment of its own.
pub(super) fn now() -> Millis {
    clock::now()
}
