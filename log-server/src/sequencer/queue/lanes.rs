//! Two lanes before the sequencer, so that nobody waits behind everything that others have sent: claims that come alone in
//! one, lines of streams in the other. Each is in the order in which its items came.

use std::collections::VecDeque;

use super::QueueLimits;
use crate::sequencer::answer::Item;
use crate::sequencer::{MAX_BATCH_BYTES, MAX_BATCH_CLAIMS};

/// How claims come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// One a request: somebody waits for the answer.
    Alone,
    /// In a stream, thousands under way.
    Stream,
}

/// Lines of streams get this part of a batch, claims that come alone the rest. Each lane thereby moves with each batch, and a
/// batch beside streams ends soon: a claim that comes alone waits for what is left of one, and for its own.
const STREAM_PART: usize = 4;

/// After so many batches without a claim that came alone, lines of streams get whole batches: some tenths of a second at the
/// designed rate. The first claim that comes alone then waits for one whole batch, and those after it for parts again.
const QUIET_BATCHES: u32 = 16;

/// What one lane leaves free of the queue for the other, as a part of it.
const LEFT_FREE: usize = 4;

/// Items of one way, in the order in which they came.
#[derive(Default)]
struct Lane {
    items: VecDeque<Item>,
    bytes: usize,
}

impl Lane {
    /// Moves items to a batch, as far as the lane's part of it reaches; one is always moved, so that any item fits.
    fn give(&mut self, batch: &mut Vec<Item>, most: Part) {
        let (mut claims, mut bytes) = (0, 0);
        while let Some(next) = self.items.front() {
            if claims == most.claims || (claims > 0 && bytes + next.bytes() > most.bytes) {
                break;
            }
            claims += 1;
            bytes += next.bytes();
            batch.extend(self.items.pop_front());
        }
        self.bytes -= bytes;
    }
}

/// What a lane may have of a batch.
#[derive(Clone, Copy)]
struct Part {
    claims: usize,
    bytes: usize,
}

impl Part {
    const WHOLE: Part = Part { claims: MAX_BATCH_CLAIMS, bytes: MAX_BATCH_BYTES };
}

impl Way {
    /// Its part of a batch while claims come both ways.
    fn part_of_a_batch(self) -> Part {
        let (claims, bytes) = (MAX_BATCH_CLAIMS / STREAM_PART, MAX_BATCH_BYTES / STREAM_PART);
        match self {
            Way::Alone => Part { claims: MAX_BATCH_CLAIMS - claims, bytes: MAX_BATCH_BYTES - bytes },
            Way::Stream => Part { claims, bytes },
        }
    }
}

/// All that waits.
#[derive(Default)]
pub(super) struct Lanes {
    alone: Lane,
    stream: Lane,
    /// Batches since the last claim that came alone.
    quiet: u32,
}

impl Lanes {
    fn of(&self, way: Way) -> (&Lane, &Lane) {
        match way {
            Way::Alone => (&self.alone, &self.stream),
            Way::Stream => (&self.stream, &self.alone),
        }
    }

    /// Claims that wait.
    pub(super) fn len(&self) -> usize {
        self.alone.items.len() + self.stream.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is room for an item of so many bytes: within the bounds of all, and without the last room of the
    /// other lane.
    pub(super) fn has_room(&self, way: Way, bytes: usize, limits: &QueueLimits) -> bool {
        let (own, other) = self.of(way);
        let fits = |own: usize, other: usize, most: usize| own <= most - most / LEFT_FREE && own + other <= most;
        fits(own.items.len() + 1, other.items.len(), limits.claims)
            && fits(own.bytes.saturating_add(bytes), other.bytes, limits.bytes)
    }

    pub(super) fn push(&mut self, way: Way, item: Item) {
        let lane = match way {
            Way::Alone => &mut self.alone,
            Way::Stream => &mut self.stream,
        };
        lane.bytes += item.bytes();
        lane.items.push_back(item);
    }

    /// The next batch: from each lane its part, claims that come alone first. Where none of these came for a while, all of
    /// it is for lines of streams.
    pub(super) fn batch(&mut self) -> Vec<Item> {
        let mut batch = Vec::new();
        self.alone.give(&mut batch, Way::Alone.part_of_a_batch());
        self.quiet = if batch.is_empty() { self.quiet.saturating_add(1) } else { 0 };
        let streams = if self.quiet > QUIET_BATCHES { Part::WHOLE } else { Way::Stream.part_of_a_batch() };
        self.stream.give(&mut batch, streams);
        batch
    }

    /// Claims that are written before a lane is empty: its own, and what the other lane has in the same batches.
    pub(super) fn ahead(&self, way: Way) -> usize {
        let (own, other) = self.of(way);
        let batches = own.items.len().div_ceil(way.part_of_a_batch().claims);
        let beside = match way {
            Way::Alone => Way::Stream,
            Way::Stream => Way::Alone,
        };
        own.items.len() + other.items.len().min(batches * beside.part_of_a_batch().claims)
    }
}
