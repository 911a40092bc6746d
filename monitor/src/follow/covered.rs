//! Whether a log keeps the promise of its constitution: within δ every entry is under a head that meets a quorum.
//!
//! The quorum is that of the operator's trust file: it is who relies on the log that must be able to wait for it. Times are the log's own,
//! those of entries and of heads, so that no clock but its own speaks against it. A breach is no tampering, and no file proves it: that a
//! head was shown nowhere is nothing that anybody signed.
//!
//! A round may take minutes, and rounds may fail: what the log showed meanwhile, nobody here saw. So only what a look at the head showed
//! counts, up to the time that the log was known to have reached when that look was made. The list of heads, which is read behind
//! the entries, goes beyond that; it counts from the next look on. A log that shows a head with a quorum shows the largest such one. One
//! that shows a head without may have shown one with a quorum just before: where looks lie far apart, only the last entry under that
//! head is surely without, and time is counted from there.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use client::Error;
use client::follow::{Cursor, constitution, time_of};
use proto::num::{Millis, Seconds, TreeSize};
use proto::policy::Checked;

use super::{FollowedLog, Verdict};
use crate::finding::{Class, Finding, code};
use crate::store::{Findings, HeadKey};

/// A head that states no time is held against this machine's clock, which may differ from the log's by so much: as `head.ahead` has it.
const TOLERANCE_SECONDS: u64 = 300;
/// Sizes beyond the quorum's whose times are remembered. Of more the earlier ones say it all: a log shows a head a second at most, and
/// after an hour without a quorum nobody asks for seconds.
const MOST_BEHIND: usize = 4096;
/// Kept heads that are looked at for that at a start: two hours of an idle log.
const MOST_TAKEN_UP: usize = 256;
/// Between the beginnings of two looks that see all that a log shows: half of the usual δ, and some looks at the usual distance. What
/// is shown for a shorter time is missed.
const LONGEST_BETWEEN_LOOKS: Duration = Duration::from_secs(30);

/// How far heads meet the quorum, and what is known of the times of what lies behind.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// The largest head that met the quorum, and its time.
    head: Option<(TreeSize, Option<Seconds>)>,
    /// The latest time of a head of the log.
    latest: Option<Seconds>,
    /// Larger heads: the earliest time that is known of each size. Their entries are not later.
    behind: BTreeMap<TreeSize, Seconds>,
    /// The last look at the log's head.
    look: Option<Look>,
}

/// What a look at the log's head says of the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    /// When it began, by a clock that nobody sets.
    at: Instant,
    /// The latest time of the log that was known then; nothing if none was.
    time: Option<Seconds>,
    /// The entry behind so many was under no head with a quorum in this look, nor in those that it follows closely.
    without: TreeSize,
}

/// What is to be said of the promise.
#[derive(Debug, PartialEq, Eq)]
enum Promise {
    Kept,
    /// The first entry without a quorum has waited for so many seconds, or for more.
    Broken(u64),
    /// It may be either: what was found before stays.
    Unknown,
}

impl Covered {
    /// The log showed this head, a state of the followed tree or larger than it; says whether it is the largest one with a quorum.
    fn saw(&mut self, size: TreeSize, time: Option<Seconds>, is_met: bool) -> bool {
        self.latest = self.latest.max(time);
        if is_met {
            let is_largest = self.head.is_none_or(|head| head <= (size, time));
            if is_largest {
                self.head = Some((size, time));
                self.behind.retain(|behind, _| *behind > size);
            }
            return is_largest;
        }
        if let Some(time) = time
            && size > self.size()
            && (self.behind.len() < MOST_BEHIND || self.behind.contains_key(&size))
        {
            let first = self.behind.entry(size).or_insert(time);
            *first = time.min(*first);
        }
        false
    }

    /// Entries that are under a head with a quorum.
    fn size(&self) -> TreeSize {
        self.head.map_or(TreeSize(0), |(size, _)| size)
    }

    /// The entry behind so many is surely under no head with a quorum that was shown.
    fn without(&self) -> TreeSize {
        self.look.map_or(TreeSize(0), |look| look.without).max(self.size())
    }

    /// A look that began at this moment has shown this head, which [`Covered::saw`] was told of.
    fn looked(&mut self, size: TreeSize, is_met: bool, at: Instant) {
        let follows = self.look.filter(|last| at.saturating_duration_since(last.at) <= LONGEST_BETWEEN_LOOKS);
        let without = match (is_met, follows) {
            (true, _) => self.size(),
            (false, Some(last)) => last.without.max(self.size()),
            (false, None) => self.size().max(TreeSize(size.0.saturating_sub(1))),
        };
        self.look = Some(Look { at, time: self.latest, without });
    }

    /// Holds the promise against what was known at `now`, when the last look was made. `read` is how many entries were; `first` has
    /// the times, if they were read, of the first entry without a quorum and of the first that is surely without.
    fn judge(
        &self,
        delta_seconds: u64,
        read: TreeSize,
        first: (Option<Seconds>, Option<Seconds>),
        now: Seconds,
    ) -> Promise {
        if read <= self.size() && self.behind.is_empty() {
            return Promise::Kept;
        }
        // What was not read is not later than the first head that has it, and not earlier than the last one that has it not.
        let beyond = self.behind.range((Bound::Excluded(self.without()), Bound::Unbounded));
        let latest = first.1.or_else(|| beyond.map(|(_, time)| *time).min());
        let earliest = first.0.or_else(|| self.head.and_then(|(_, time)| time));
        let since = |time: Option<Seconds>| time.map(|time| now.0.saturating_sub(time.0));
        match (since(latest), since(earliest)) {
            (Some(at_least), _) if at_least > delta_seconds => Promise::Broken(at_least),
            (_, Some(at_most)) if at_most <= delta_seconds => Promise::Kept,
            _ => Promise::Unknown,
        }
    }
}

impl FollowedLog {
    /// Takes up how far heads met the quorum, and the first heads behind that. Under a trust file with another quorum that is begun
    /// anew.
    pub(super) fn take_up_covered(&self) -> Result<(), Error> {
        let head = self.store.covered()?.and_then(|note| self.known_head(&note)).filter(|head| self.covers_more(head));
        let Some(time) = head.and_then(|head| head.log_time) else { return Ok(()) };
        for (_, note) in self.store.heads_after(Some(HeadKey::first_of(time)), MOST_TAKEN_UP)? {
            let Some(head) = self.known_head(&note) else { continue };
            if !matches!(self.judge(&head)?, Verdict::Contradicts(_)) {
                self.covers_more(&head);
            }
        }
        Ok(())
    }

    /// Notes whether a head that the log shows meets the quorum; says whether it is the largest one.
    pub(super) fn covers_more(&self, head: &Checked) -> bool {
        if self.config.trust.policy().has_no_quorum() {
            return false;
        }
        let mut covered = self.covered.lock().unwrap_or_else(PoisonError::into_inner);
        covered.saw(head.checkpoint.size(), head.log_time, head.quorum.met)
    }

    /// Notes what a look that began at this moment has shown. An answer from before what was taken is none: somebody keeps old ones.
    pub(super) fn looked_at_quorum(&self, head: &Checked, at: Instant) -> Result<(), Error> {
        let size = head.checkpoint.size();
        if self.newest()?.is_none_or(|newest| newest.checkpoint.size() <= size) {
            let mut covered = self.covered.lock().unwrap_or_else(PoisonError::into_inner);
            covered.looked(size, head.quorum.met, at);
        }
        Ok(())
    }

    /// Whether entries have waited longer for a quorum than the constitution promises, as far as the last look says. `head` is what
    /// it showed, and `now` when it was.
    pub(super) fn judge_covered(
        &self,
        head: &Checked,
        cursor: &Cursor,
        now: Millis,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        if self.config.trust.policy().has_no_quorum() {
            findings.over(code::UNWITNESSED);
            return Ok(());
        }
        let Some(mut record) = constitution(&self.store)? else { return Ok(()) };
        let (covered, read) = (self.covered.lock().unwrap_or_else(PoisonError::into_inner), cursor.range.size());
        let here = Seconds(now.seconds().0.saturating_sub(TOLERANCE_SECONDS));
        let Some(look) = covered.look else { return Ok(()) };
        let now = if head.log_time.is_some() { look.time.unwrap_or(here) } else { here };
        record.advance(now.millis());
        let delta = record.current.delta_seconds;
        let time_behind = |size: TreeSize| time_of(&self.store, read, size.next_index());
        let first = (time_behind(covered.size())?, time_behind(covered.without())?);
        let first = (first.0.map(Millis::seconds), first.1.map(Millis::seconds));
        match covered.judge(delta.into(), read, first, now) {
            Promise::Kept => findings.over(code::UNWITNESSED),
            Promise::Broken(seconds) => findings.push(told(covered.without(), seconds, delta, head)),
            Promise::Unknown => {}
        }
        Ok(())
    }
}

fn told(without: TreeSize, seconds: u64, delta: u32, head: &Checked) -> Finding {
    let message = format!(
        "no head of more than {without} entries that the log showed meets the quorum of the trust file, and the entry behind them has waited \
         for {seconds} s, by the log's own time; its constitution promises {delta} s. Of the newest head {} witnesses of {} have \
         signed, {} are needed",
        head.quorum.cosigned, head.quorum.counted, head.quorum.needed
    );
    Finding::new(Class::Degraded, code::UNWITNESSED, message).with_heads(&[&head.checkpoint.to_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELTA: u64 = 60;

    fn saw(covered: &mut Covered, size: u64, time: u64, is_met: bool) -> bool {
        covered.saw(TreeSize(size), Some(Seconds(time)), is_met)
    }

    /// A look shows this head, so many seconds after the first look of all.
    fn looked(covered: &mut Covered, (size, time, is_met): (u64, u64, bool), (begun, seconds): (Instant, u64)) {
        saw(covered, size, time, is_met);
        covered.looked(TreeSize(size), is_met, begun + Duration::from_secs(seconds));
    }

    /// With the entries read, of which the first without a quorum is of this time.
    fn read(covered: &Covered, size: u64, first: u64) -> Promise {
        let first = Some(Seconds(first));
        covered.judge(DELTA, TreeSize(size), (first, first), covered.latest.unwrap())
    }

    /// With nothing read beyond the quorum's head.
    fn unread(covered: &Covered) -> Promise {
        covered.judge(DELTA, covered.size(), (None, None), covered.latest.unwrap())
    }

    /// The same as the last look says it.
    fn at_look(covered: &Covered) -> Promise {
        covered.judge(DELTA, covered.size(), (None, None), covered.look.unwrap().time.unwrap())
    }

    #[test]
    fn an_entry_may_wait_for_delta_and_not_longer() {
        let mut covered = Covered::default();
        assert!(saw(&mut covered, 5, 1000, true));
        assert_eq!(unread(&covered), Promise::Kept);
        assert!(!saw(&mut covered, 6, 1100, false));
        assert_eq!(read(&covered, 6, 1100 - DELTA), Promise::Kept);
        assert_eq!(read(&covered, 6, 1099 - DELTA), Promise::Broken(DELTA + 1));
        // An idle log that is stamped again, as every half minute: only what is not covered waits.
        assert!(saw(&mut covered, 6, 1130, true));
        assert!(saw(&mut covered, 6, 5000, true));
        assert_eq!(unread(&covered), Promise::Kept);
        assert_eq!(covered.behind.len(), 0);
    }

    #[test]
    fn what_was_never_covered_is_judged_by_its_own_time() {
        let mut covered = Covered::default();
        saw(&mut covered, 3, 1000, false);
        assert_eq!(read(&covered, 3, 1000), Promise::Kept, "it is new");
        saw(&mut covered, 3, 1061, false);
        assert_eq!(read(&covered, 3, 1000), Promise::Broken(61));
    }

    /// A log that goes on showing the last head with a quorum, and lists newer ones.
    #[test]
    fn what_was_not_read_is_judged_by_heads_and_only_where_they_say_enough() {
        let mut covered = Covered::default();
        saw(&mut covered, 5, 1000, true);
        saw(&mut covered, 7, 1030, false);
        assert_eq!(unread(&covered), Promise::Kept);
        saw(&mut covered, 9, 1080, false);
        assert_eq!(unread(&covered), Promise::Unknown, "the sixth entry is of a time between 1000 and 1030");
        saw(&mut covered, 7, 1090, false);
        assert_eq!(unread(&covered), Promise::Unknown, "at least so long: 60 s");
        saw(&mut covered, 9, 1091, false);
        assert_eq!(unread(&covered), Promise::Broken(61));
        // After a restart less is known than was found.
        let mut again = Covered::default();
        saw(&mut again, 5, 1000, true);
        saw(&mut again, 9, 1091, false);
        assert_eq!(unread(&again), Promise::Unknown);
        // What lies behind is covered, but for what is new.
        saw(&mut covered, 8, 1085, true);
        assert_eq!(unread(&covered), Promise::Kept);
        assert!(!saw(&mut covered, 8, 1084, true), "an older stamp changes nothing");
        assert_eq!(covered.head, Some((TreeSize(8), Some(Seconds(1085)))));
    }

    /// A log with a quorum every few seconds, whose entries take minutes to read; its list is read behind them.
    #[test]
    fn what_is_listed_behind_a_slow_reading_counts_from_the_next_look_on() {
        let (mut covered, begun) = (Covered::default(), Instant::now());
        looked(&mut covered, (5, 1000, true), (begun, 0));
        (6..300).for_each(|size| _ = saw(&mut covered, size, 995 + size, false));
        assert_eq!(unread(&covered), Promise::Broken(293), "as if nothing with a quorum had been shown meanwhile");
        assert_eq!(at_look(&covered), Promise::Kept);
        looked(&mut covered, (290, 1285, true), (begun, 300));
        assert_eq!(at_look(&covered), Promise::Kept);
        // The next look shows that nothing has come.
        (300..400).for_each(|size| _ = saw(&mut covered, size, 995 + size, false));
        looked(&mut covered, (290, 1285, true), (begun, 305));
        assert_eq!(at_look(&covered), Promise::Broken(1394 - 1286));
    }

    /// A log that shows a head without a quorum when one is late, seen by somebody who looked away.
    #[test]
    fn who_looked_away_counts_only_what_is_surely_without_a_quorum() {
        let (mut covered, begun) = (Covered::default(), Instant::now());
        looked(&mut covered, (5, 1000, true), (begun, 0));
        looked(&mut covered, (400, 1500, false), (begun, 500));
        let (busy, idle) = ((Some(Seconds(1001)), Some(Seconds(1499))), (Some(Seconds(1001)), Some(Seconds(1400))));
        let judged =
            |covered: &Covered, first| covered.judge(DELTA, TreeSize(400), first, covered.look.unwrap().time.unwrap());
        assert_eq!(judged(&covered, busy), Promise::Unknown, "a quorum may have come and gone");
        assert_eq!(judged(&covered, idle), Promise::Broken(100), "nothing larger was there to be shown");
        assert_eq!(covered.look.unwrap().without, TreeSize(399));
        // Looked at closely, it is counted on from there.
        for (at, seconds) in (501..=560).zip(501..) {
            looked(&mut covered, (400 + at - 500, 1000 + at, false), (begun, seconds));
        }
        assert_eq!((covered.look.unwrap().without, judged(&covered, busy)), (TreeSize(399), Promise::Broken(61)));
        looked(&mut covered, (460, 1561, true), (begun, 561));
        assert_eq!(at_look(&covered), Promise::Kept);
    }

    #[test]
    fn heads_without_end_cost_no_memory_without_end() {
        let mut covered = Covered::default();
        (1..10_000).for_each(|size| _ = saw(&mut covered, size, size, false));
        assert_eq!(covered.behind.len(), MOST_BEHIND);
        assert_eq!(unread(&covered), Promise::Broken(9998), "the earliest are remembered");
        saw(&mut covered, 10_000, 10_000, true);
        assert_eq!((covered.behind.len(), unread(&covered)), (0, Promise::Kept));
    }
}
