//! The log's own list of heads: each held against own leaf hashes, a bounded number in a round and in a day.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use client::follow::{Cursor, HEADS_PAGE, ListPlace, each_behind};
use proto::note::Note;
use proto::num::{Millis, Seconds, TreeSize};
use proto::policy::Checked;

use super::cost::Spent;
use super::judge::key_of;
use super::junk::Junk;
use super::round::Ended;
use super::{FollowedLog, Verdict};
use crate::evidence::Reach;
use crate::finding::{Class, Finding, code};
use crate::store::{Batch, Findings, KeptHead};

/// A list of heads that is longer than a round reads. Begun anew with the program, from the second that is kept.
#[derive(Debug)]
pub(super) struct ListLeft {
    place: ListPlace,
    /// The second of the first head in it that could not be judged yet; the list is begun from there when it is read to its end.
    unjudged: Option<Seconds>,
}

/// A head as it is listed: time, size, the note with the lines of known keys alone, and what it says.
type Listed = (Seconds, TreeSize, Vec<u8>, Checked);

/// What was read of the list in a round.
#[derive(Default)]
struct Pages {
    listed: Vec<Listed>,
    junk: Junk,
    /// Where to go on, if that was not all.
    more: Option<ListPlace>,
    /// How many pages that was.
    read: usize,
    /// Whether the day has no room for what comes then.
    no_room: bool,
}

impl FollowedLog {
    /// The heads in the log's own list that no earlier round has judged.
    pub(super) fn judge_listed(&self, cursor: &Cursor, now: Millis, round: &mut Findings) -> Result<(), Ended> {
        // Taken out: a place that the log does not know any more is not asked for twice.
        let left = self.list_left.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (place, mut judged_until) = match left {
            Some(left) => (left.place, left.unjudged),
            None => (ListPlace::from(self.store.heads_from()?), None),
        };
        let from = place.second();
        let Pages { listed, junk, more, read, no_room } = self.read_list(place, now)?;
        match no_room {
            true => round.push(self.list_cost.lock().unwrap_or_else(PoisonError::into_inner).finding()),
            // There may be room again, and the end still be far away.
            false if more.is_none() => round.over(code::LIST),
            false => {}
        }
        let (mut kept, mut findings) = (Vec::new(), Findings::default());
        for (time, size, note, head) in &listed {
            if head.log_time.is_some_and(|signed| signed != *time) {
                let message = format!("the log lists a head under the time {time}, which it signed for another");
                findings.push(Finding::new(Class::Tamper, code::TIME, message).named(time).with_heads(&[note]));
            }
            if head.checkpoint.size() != *size {
                let message = format!(
                    "the log lists a head of {size} entries at the time {time}, but what it signed has {}",
                    head.checkpoint.size()
                );
                let finding = Finding::new(Class::Tamper, code::SERVED, message).named(format_args!("list-{time}"));
                findings.push(finding.with_heads(&[note]));
            }
            match self.judge(head)? {
                Verdict::Contradicts(finding) => findings.push(*finding),
                Verdict::Known => _ = self.covers_more(head),
                // Made while this round ran, or of another history: it is judged in a later round. It was signed, so it is kept
                // now; one without a time would be kept anew in every round.
                Verdict::Larger => {
                    self.covers_more(head);
                    judged_until = judged_until.or(Some(*time));
                    if head.log_time.is_none() {
                        continue;
                    }
                }
            }
            kept.push((key_of(head, now), note));
        }
        // Nothing was read: nothing is known of what is in it.
        if read > 0 {
            junk.tell(&mut findings);
        }
        let heads = kept.iter().map(|(key, note)| KeptHead { key: *key, note }).collect();
        // The second is begun anew, because the log may sign more heads in it; one that has not come may be a mistake of the log's.
        let latest = listed.last().map(|(time, ..)| Seconds(time.0.min(now.seconds().0)));
        let heads_from = judged_until.or(latest).map(|time| time.0.max(from));
        // With the place in the list: what was found is not lost when that is known to be read.
        let evidence = self.prove(&mut findings, Reach::Log)?;
        let batch = Batch { findings, evidence, heads, heads_from, ..Batch::default() };
        tracing::debug!(origin = self.origin(), size = cursor.range.size().0, listed = listed.len(), "round");
        self.store.commit_batch(&batch, now)?;
        let left = more.map(|place| ListLeft { place, unjudged: judged_until });
        *self.list_left.lock().unwrap_or_else(PoisonError::into_inner) = left;
        Ok(())
    }

    /// What is behind a place: to the end, or as much as a round and the day have room for. What is left is for a later round.
    fn read_list(&self, place: ListPlace, now: Millis) -> Result<Pages, Ended> {
        let mut pages = Pages { more: Some(place), ..Pages::default() };
        for _ in 0..self.listed_heads.div_ceil(HEADS_PAGE as usize) {
            let Some(place) = pages.more.take() else { break };
            if !self.list_cost.lock().unwrap_or_else(PoisonError::into_inner).has_room(now) {
                (pages.more, pages.no_room) = (Some(place), true);
                break;
            }
            let mut heads = 0;
            let more = each_behind(&self.list_api, &self.tiles, place, 1, &mut |head| {
                heads += 1;
                let time = Seconds(head.time);
                // Of what nobody signed only the count stays in memory.
                match self.listed_head(head.checkpoint.as_bytes()) {
                    Some((note, checked)) => pages.listed.push((time, head.size, note, checked)),
                    None => pages.junk.add(time, head.checkpoint.as_bytes()),
                }
                Ok(ControlFlow::Continue(()))
            });
            // Also of a page that is none in the end.
            self.list_cost.lock().unwrap_or_else(PoisonError::into_inner).read(heads);
            pages.more = more?;
            pages.read += 1;
        }
        Ok(pages)
    }

    /// What the list has cost since the day began.
    pub(super) fn list_spent(&self) -> Spent {
        self.list_cost.lock().unwrap_or_else(PoisonError::into_inner).spent()
    }

    /// A listed note as it is kept, with the lines of known keys alone, if the log signed it as a head.
    fn listed_head(&self, note: &[u8]) -> Option<(Vec<u8>, Checked)> {
        let policy = self.config.trust.policy();
        // Lines of keys that the trust file does not name cost the log nothing; here they would be memory and disk for a day.
        let known = policy.only_known_lines(Note::parse(note).ok()?);
        let note = known.to_bytes();
        let head = policy.check_note(known).ok().filter(|head| head.checkpoint.origin() == self.origin())?;
        Some((note, head))
    }
}
