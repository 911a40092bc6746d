//! The heads that wait, a bounded number of them.
//!
//! The log alone can make heads that wait: each is signed by it. One that floods its watchers with heads far beyond what it
//! shows them must not be able to push out a head that would convict it. So the table keeps
//! - the [`SMALLEST`], which the own tree reaches first: as it grows, each of them is known or a fork, and makes room;
//! - the [`LARGEST`], which say how far ahead others are;
//! - of those between a sample of [`SAMPLED`] (reservoir sampling: each has the same chance, in whatever order they come), so
//!   that nobody can choose a size that is never kept.

use std::collections::{BTreeMap, BTreeSet};

use proto::num::{Seconds, TreeSize};

use super::{Head, Source, Whom};

/// Heads of one log that wait at most.
pub const MOST_WAITING: usize = SMALLEST + LARGEST + SAMPLED;
/// The smallest ones, which are never pushed out by larger ones.
pub const SMALLEST: usize = 48;
/// The largest ones, which are never pushed out by smaller ones.
pub const LARGEST: usize = 8;
/// Those of a size between, by chance.
pub const SAMPLED: usize = 8;

/// What was told of a head that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Told {
    /// Nothing yet.
    Nothing,
    /// That it waits.
    Alerted,
    /// Signed, that it stays unavailable.
    Stated,
}

/// A head that waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// The head.
    pub head: Head,
    /// Who showed it first.
    pub source: Source,
    /// Since when.
    pub since: Seconds,
    /// What was told of it.
    pub told: Told,
    /// For how many seconds of running time it was asked for in vain, by a clock that nobody sets.
    pub asked_for: u64,
    /// The own size at which it was shown to extend the own tree.
    pub tied: Option<TreeSize>,
    /// Since when nothing ties it to the own tree, if nothing does: since it came, or since the own tree grew beyond the last tie.
    pub untied: Seconds,
    /// When it is asked for next.
    pub(super) next_ask: Seconds,
    /// How often all were asked.
    pub(super) asked_all: u32,
    /// Who was asked last and has not answered.
    pub(super) pending: BTreeSet<Whom>,
}

impl Waiting {
    /// One that begins to wait now, or goes on after a restart: it is asked for at once.
    pub fn new(head: Head, source: Source, since: Seconds, told: Told) -> Waiting {
        let (tied, pending) = (None, BTreeSet::new());
        Waiting { head, source, since, told, asked_for: 0, tied, untied: since, next_ask: since, asked_all: 0, pending }
    }

    /// The same, which was tied at this own size, or to nothing since this moment.
    #[must_use]
    pub fn was_tied(self, tied: Option<TreeSize>, untied: Seconds) -> Waiting {
        Waiting { tied, untied, ..self }
    }

    /// It is shown to extend the own tree of this size: it is of the same history so far, and nothing of it is in doubt.
    pub(super) fn tie(&mut self, size: TreeSize) {
        (self.tied, self.told, self.asked_for) = (Some(size), Told::Nothing, 0);
    }

    /// The own tree has grown beyond the tie: nothing says any more that the two are one.
    pub(super) fn untie(&mut self, now: Seconds) {
        (self.tied, self.untied) = (None, now);
    }

    /// The same, which was asked for before for so many seconds.
    #[must_use]
    pub fn asked_for(self, seconds: u64) -> Waiting {
        Waiting { asked_for: seconds, ..self }
    }
}

/// The heads that wait. See the module's documentation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Table {
    waiting: BTreeMap<Head, Waiting>,
    /// Heads between the smallest and the largest that were discarded since the table was last not full.
    sampled_away: u64,
}

impl Table {
    /// What waited before a restart.
    pub(super) fn restore(waiting: impl IntoIterator<Item = Waiting>) -> Table {
        let waiting = waiting.into_iter().map(|one| (one.head, one)).take(MOST_WAITING).collect();
        Table { waiting, sampled_away: 0 }
    }

    /// The smallest first.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn get_mut(&mut self, head: Head) -> Option<&mut Waiting> {
        self.waiting.get_mut(&head)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.waiting.values_mut()
    }

    pub(super) fn contains(&self, head: Head) -> bool {
        self.waiting.contains_key(&head)
    }

    pub(super) fn remove(&mut self, head: Head) -> Option<Waiting> {
        let removed = self.waiting.remove(&head);
        if removed.is_some() {
            self.sampled_away = 0;
        }
        removed
    }

    /// Adds one; gives what had to go, which may be that one itself.
    pub(super) fn insert(&mut self, new: Waiting, random: u64) -> Option<Head> {
        let new_head = new.head;
        self.waiting.insert(new_head, new);
        if self.waiting.len() <= MOST_WAITING {
            return None;
        }
        // One more than a sample: the sample, and who joins it now. That is the new head, or whom it pushed up out of the
        // smallest or down out of the largest.
        let between: Vec<Head> = self.waiting.keys().skip(SMALLEST).take(SAMPLED + 1).copied().collect();
        let (first, last) = (between[0], between[SAMPLED]);
        let joins = new_head.clamp(first, last);
        let goes = sample(&between, joins, self.sampled_away, random);
        self.sampled_away = self.sampled_away.saturating_add(1);
        self.waiting.remove(&goes);
        Some(goes)
    }
}

/// Which of these goes, so that each that was ever between stays with the same chance: the one that joins stays with the
/// chance of [`SAMPLED`] in all that there were, and then takes the place of any of the others.
fn sample(between: &[Head], joins: Head, sampled_away: u64, random: u64) -> Head {
    let all = sampled_away.saturating_add(SAMPLED as u64 + 1);
    // The remainder of 64 bits by a number of heads is as good as even.
    let drawn = random % all;
    let others = between.iter().filter(|head| **head != joins);
    let place = usize::try_from(drawn).unwrap_or(usize::MAX);
    others.copied().nth(place).unwrap_or(joins)
}
