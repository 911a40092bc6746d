//! Heads that were shown and whose entries are not read yet (`follow/unread.rs`), and those that wait: as soon as the own tree, or the
//! hash tiles under the newest head, say what they are, they wait no more.

use std::sync::Arc;

use client::Error;
use proto::num::{Millis, TreeSize};
use proto::policy::Checked;

use super::act::Act;
use super::core::{Core, Head, Input, Output, Source};
use super::log::{LogGossip, now};
use super::own::Own;
use super::run::{Gossip, TICK};
use super::step::Step;
use crate::follow::{Tie, Verdict};
use crate::store::{MOST_UNREAD, Unread};

/// Heads that nothing ties wait at most before one of a peer's list, or one that was kept as unread, waits beside them: these are
/// shown in hundreds, by an honest log as well, and those that a stranger pushes need the room.
const FEW_UNTIED: usize = 8;
/// The same of all that wait, tied or not. Each is shown to every peer after a minute, and those of some peers have room together.
const FEW_WAITING: usize = 16;
/// Heads of peers' lists are kept as unread up to so many; the rest of the room is for those that somebody hands in.
const MOST_LISTED: u64 = MOST_UNREAD / 2;
/// So long a head is kept as unread for want of that room; then it waits like any other, whatever has to go for it: a day.
const HELD_SECONDS: u64 = 86_400;

/// The head that somebody showed.
fn head_in(input: &Input) -> Option<Head> {
    match input {
        Input::Received { head, .. } => Some(*head),
        Input::Answered { theirs, .. } => *theirs,
        _ => None,
    }
}

/// What is left of it without the head: that a peer answered.
fn without_head(input: Input) -> Option<Input> {
    match input {
        Input::Answered { peer, pushed, random, .. } => Some(Input::Answered { peer, pushed, theirs: None, random }),
        _ => None,
    }
}

/// Whether one more may wait that can be held back as well.
fn has_room(core: &Core) -> bool {
    let untied = core.waiting().filter(|waiting| waiting.tied.is_none()).count();
    untied < FEW_UNTIED && core.waiting().count() < FEW_WAITING
}

/// Whether this head, or another one of its size, waits.
fn has_size(core: &Core, head: Head) -> bool {
    core.waiting().any(|waiting| waiting.head.size == head.size)
}

impl Gossip {
    /// Looks at them until everything stops.
    pub(super) async fn look_at_unread(self: Arc<Self>, at: usize) {
        let log = self.logs[at].clone();
        loop {
            self.read_unread(&log).await;
            if self.sleeps_to_the_end(TICK).await {
                return;
            }
        }
    }

    /// Looks at them once.
    pub(super) async fn read_unread(self: &Arc<Self>, log: &Arc<LogGossip>) {
        self.feed(log, |log| log.read_unread(now())).await;
    }
}

impl LogGossip {
    /// Judges what can be judged. Waits for the network.
    ///
    /// # Errors
    /// When what is kept cannot be read, or the outcome not be kept.
    pub fn read_unread(&self, now: Millis) -> Result<Vec<Act>, Error> {
        let unread = self.log().store.unread()?;
        let (read, found) = self.log().judge_unread(&unread)?;
        let mut step = Step::default();
        found.into_iter().for_each(|finding| step.findings.push(finding));
        step.gossip.read = read.clone();
        let mut acts = self.settle_all(step, Vec::new(), now)?;
        let left: Vec<Unread> = unread.into_iter().filter(|one| !read.contains(&one.head)).collect();
        acts.extend(self.tie(&left, now)?);
        acts.extend(self.promote(left, now)?);
        Ok(acts)
    }

    /// A head that is being read says nothing to the machine; that a peer answered with it does.
    pub(super) fn heard_back(&self, input: Input, now: Millis) -> Result<Vec<Act>, Error> {
        without_head(input).map_or_else(|| Ok(Vec::new()), |input| self.feed(input, now))
    }

    /// Tells the machine of a head that was held against the entries that were read. It hears that these are more when the look
    /// is over; until then a head of theirs is larger than all it knows, and hundreds of them would take the room of those
    /// that wait.
    pub(super) fn tell(
        &self,
        core: &mut Core,
        verdict: &Verdict,
        input: Input,
        now: Millis,
    ) -> Result<Vec<Output>, Error> {
        let is_read = *verdict == Verdict::Known
            && head_in(&input).is_some_and(|head| core.own().is_none_or(|own| own.size < head.size));
        let input = if is_read { without_head(input) } else { Some(input) };
        let own = Own::of(self.log())?;
        Ok(input.map_or_else(Vec::new, |input| core.step(now.seconds(), input, &own)))
    }

    /// Takes a head out of a peer's list. A log that grows fast has hundreds there that are larger than what was taken of it: when a
    /// few wait, the others are kept as unread, and judged when the tree is there.
    ///
    /// Waits for the disk: call it off the async threads.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn take_listed(&self, shown: &Checked, source: Source, now: Millis) -> Result<Vec<Act>, Error> {
        let head = Head { size: shown.checkpoint.size(), root: shown.checkpoint.root() };
        let waits = |core: &Core| {
            let is_read = core.own().is_some_and(|own| head.size <= own.size);
            is_read || has_room(core) || has_size(core, head)
        };
        let at_once = self.look(waits) || self.is_being_read(head)?;
        if at_once || self.log().store.is_unread(head)?.1 >= MOST_LISTED {
            let input = |head, random| Input::Received { head, source, proof: None, random };
            return self.take(shown, input, now).map(|(_, acts)| acts);
        }
        self.log().offer(shown, now)?;
        Ok(Vec::new())
    }

    /// Holds them, and what waits, against the newest head's tiles.
    fn tie(&self, unread: &[Unread], now: Millis) -> Result<Vec<Act>, Error> {
        let followed = self.log().store.cursor()?.range.size();
        let mut heads: Vec<(Head, Vec<u8>)> = unread.iter().map(|one| (one.head, one.note.clone())).collect();
        heads.extend(self.waiting_above(followed));
        let ties = match self.log().tie_to_newest(heads) {
            Ok(ties) => ties,
            Err(error) => {
                tracing::info!(origin = self.log().origin(), error = error.message, "heads before the newest one wait");
                return Ok(Vec::new());
            }
        };
        let (mut step, mut inputs) = (Step::default(), Vec::new());
        for (head, tie) in ties {
            step.gossip.read.push(head);
            inputs.push(Input::Resolved { head, contradicts: matches!(tie, Tie::Contradicts(_)) });
            if let Tie::Contradicts(finding) = tie {
                step.findings.push(*finding);
            }
        }
        self.settle_all(step, inputs, now)
    }

    /// One that the log should have shown by now waits like any other larger head: it is asked for, told, and at last stated. The
    /// oldest come first, as there is room; two of one size at once, since each convicts the other.
    fn promote(&self, mut left: Vec<Unread>, now: Millis) -> Result<Vec<Act>, Error> {
        let mut sizes: Vec<TreeSize> = left.iter().map(|one| one.head.size).collect();
        sizes.sort_unstable();
        let is_twin = |head: Head| {
            sizes.partition_point(|size| *size <= head.size) - sizes.partition_point(|size| *size < head.size) > 1
        };
        left.sort_by_key(|one| one.since);
        let newest = self.log().newest()?.map_or(TreeSize(0), |newest| newest.checkpoint.size());
        let mut acts = Vec::new();
        for one in left.into_iter().filter(|one| one.head.size > newest && self.log().should_have_shown(one.since)) {
            let is_old = one.since.0.saturating_add(HELD_SECONDS) <= now.seconds().0;
            let may_wait = is_old || is_twin(one.head) || self.look(|core| has_room(core) || has_size(core, one.head));
            let Some(shown) = self.log().known_head(&one.note).filter(|_| may_wait) else { continue };
            let input = |head, random| Input::Received { head, source: Source::Anyone, proof: None, random };
            acts.extend(self.take(&shown, input, now)?.1);
            let mut step = Step::default();
            step.gossip.read.push(one.head);
            acts.extend(self.settle_all(step, Vec::new(), now)?);
        }
        Ok(acts)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proto::note::Note;

    use super::super::core::{MOST_WAITING, PeerId};
    use super::*;
    use crate::evidence::tests::{Followed, NOW, entry, head, others, three};

    /// Heads in one list.
    const LISTED: usize = 200;

    fn later(seconds: u64) -> Millis {
        Millis(NOW.0 + seconds * 1000)
    }

    /// Three entries, and many more.
    fn many() -> Vec<Vec<u8>> {
        three().into_iter().chain((0..220).map(|n| entry(13, n))).collect()
    }

    /// A follower of three entries, with one peer.
    fn of_three() -> (Followed, LogGossip) {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        let peers = vec!["peer.example".to_owned()];
        let gossip = LogGossip::open(followed.log.clone(), peers, None, Duration::from_secs(60)).unwrap();
        gossip.grown(NOW).unwrap();
        (followed, gossip)
    }

    /// The same, and a list of heads beyond them that the peer showed it.
    fn listed() -> (Followed, LogGossip) {
        let (followed, gossip) = of_three();
        let all = many();
        (4..4 + LISTED).for_each(|size| list(&gossip, &head(&all[..size], 13)));
        (followed, gossip)
    }

    fn list(gossip: &LogGossip, note: &[u8]) {
        let shown = gossip.check(Note::parse(note).unwrap()).unwrap();
        gossip.take_listed(&shown, Source::Peer(PeerId(0)), NOW).unwrap();
    }

    /// How many wait, are kept as unread, and were discarded.
    fn counts(gossip: &LogGossip) -> (usize, usize, u64) {
        let (waiting, discarded) = gossip.look(|core| (core.waiting().count(), core.discarded()));
        (waiting, gossip.log().store.unread().unwrap().len(), discarded)
    }

    #[test]
    fn a_list_beyond_the_own_tree_discards_nothing_and_all_of_it_is_judged_when_the_tree_is_there() {
        let (followed, gossip) = listed();
        assert_eq!(counts(&gossip), (FEW_UNTIED, LISTED - FEW_UNTIED, 0));
        let other = [others(1), vec![entry(13, 0); 100]].concat();
        list(&gossip, &head(&other, 13));
        followed.follow(&many(), 14, None);
        gossip.grown(NOW).unwrap();
        gossip.read_unread(NOW).unwrap();
        assert_eq!(counts(&gossip), (0, 0, 0));
        let open = followed.log.store.open_findings().unwrap();
        assert!(open.iter().any(|open| open.finding.code == "head.fork"), "{open:?}");
    }

    #[test]
    fn a_list_within_what_was_read_waits_for_nothing_before_the_look_is_over() {
        let (followed, gossip) = of_three();
        let all = many();
        followed.follow(&all, 14, None);
        (4..4 + LISTED).for_each(|size| list(&gossip, &head(&all[..size], 13)));
        assert_eq!(counts(&gossip), (0, 0, 0));
        gossip.grown(NOW).unwrap();
        assert_eq!(counts(&gossip), (0, 0, 0));
    }

    #[test]
    fn a_log_that_lags_behind_its_heads_is_not_flooded_by_them() {
        let (followed, gossip) = listed();
        followed.log.looked(later(60));
        gossip.read_unread(later(60)).unwrap();
        assert_eq!(counts(&gossip), (FEW_UNTIED, LISTED - FEW_UNTIED, 0), "they wait for room");
        // Two of one size convict each other at once.
        let other = [others(1), vec![entry(13, 0); 100]].concat();
        list(&gossip, &head(&other, 13));
        gossip.read_unread(later(60)).unwrap();
        let open = followed.log.store.open_findings().unwrap();
        assert!(open.iter().any(|open| open.finding.code == "head.fork"), "{open:?}");
        // What the log shows for a day to nobody waits like any other.
        gossip.read_unread(later(HELD_SECONDS)).unwrap();
        let (waiting, unread, discarded) = counts(&gossip);
        assert!(waiting == MOST_WAITING && unread == 0 && discarded > 0, "{waiting} {unread} {discarded}");
    }
}
