//! Bounds, lanes and shares of the queue.

use proptest::prelude::*;
use proto::fold::{Submission, check_signatures};
use proto::hash::Hash;

use super::*;
use crate::sequencer::{Reply, Submitted};
use crate::testing;

fn item(envelope: proto::dsse::Envelope, known: bool) -> Item {
    let submission = Submission::from_envelope(envelope).expect("a claim");
    let digest = submission.digest();
    let submitted = match known {
        // An enrolment brings its own keys, so nothing needs to be in the state.
        true => {
            let empty = std::collections::HashMap::new();
            Submitted::Checked(check_signatures(submission, &empty).expect("signed"))
        }
        false => Submitted::KeyUnknown(submission),
    };
    Item { submitted, digest, reply: Reply::single().0 }
}

fn push(queue: &Queue, item: Item) -> Result<(), Full> {
    queue.push(&mut VecDeque::from([item]))
}

/// Items of one claim, told apart by their digests.
struct Numbered(Submitted);

impl Numbered {
    fn new() -> Numbered {
        Numbered(item(testing::constitution(), true).submitted)
    }

    fn bytes(&self) -> usize {
        self.0.submission().payload().len()
    }

    fn item(&self, way: Way, number: u64) -> Item {
        Item { submitted: self.0.clone(), digest: digest(way, number), reply: Reply::single().0 }
    }

    /// Pushes items with numbers from `first` on, as many as fit of `count`; how many were taken.
    fn push(&self, queue: &Queue, way: Way, first: u64, count: u64) -> u64 {
        let mut items: VecDeque<Item> = (first..first + count).map(|number| self.item(way, number)).collect();
        let full = queue.push_by(way, &mut items);
        assert_eq!(full.is_ok(), items.is_empty());
        count - items.len() as u64
    }
}

fn digest(way: Way, number: u64) -> Hash {
    Hash::of(format!("{way:?} {number}").as_bytes())
}

fn batch(queue: &Queue) -> Vec<Hash> {
    queue.drain(Duration::ZERO).expect("open").into_iter().map(|item| item.digest).collect()
}

#[test]
fn unknown_keys_take_their_share_and_leave_the_rest_to_others() {
    let queue = Queue::new(QueueLimits { claims: 16, bytes: usize::MAX });
    let stranger = |n: usize| item(testing::support(&format!("M-{n}"), "2031-03"), false);
    let pushed = (0..16).filter(|n| push(&queue, stranger(*n)).is_ok()).count();
    assert_eq!(pushed, 16 / KEY_UNKNOWN_SHARE);
    assert!(matches!(push(&queue, stranger(99)), Err(Full::Full { .. })));
    for _ in pushed..12 {
        push(&queue, item(testing::constitution(), true)).expect("room for claims whose keys are known");
    }
    assert!(push(&queue, item(testing::constitution(), true)).is_err(), "the lane is full");
    assert_eq!(queue.drain(Duration::ZERO).map(|batch| batch.len()), Some(12));
    push(&queue, stranger(100)).expect("a drained queue has room for strangers again");
}

#[test]
fn a_claim_that_comes_alone_is_in_the_next_batch_however_much_of_streams_waits() {
    let (queue, numbered) = (Queue::new(QueueLimits::default()), Numbered::new());
    let taken = numbered.push(&queue, Way::Stream, 0, u64::MAX >> 50);
    assert_eq!(taken, 3 * MAX_BATCH_CLAIMS as u64, "streams fill their three quarters");
    assert_eq!(numbered.push(&queue, Way::Alone, 0, 1), 1, "and leave room");
    let first = batch(&queue);
    assert_eq!(first[0], digest(Way::Alone, 0));
    assert_eq!(first.len(), 1 + MAX_BATCH_CLAIMS / 4);
}

#[test]
fn streams_move_on_however_many_claims_come_alone() {
    let (queue, numbered) = (Queue::new(QueueLimits::default()), Numbered::new());
    numbered.push(&queue, Way::Alone, 0, 3 * MAX_BATCH_CLAIMS as u64);
    assert_eq!(numbered.push(&queue, Way::Stream, 0, 600), 600, "claims that come alone leave room");
    let first = batch(&queue);
    assert_eq!(first.len(), MAX_BATCH_CLAIMS);
    assert_eq!(first[first.len() - 1], digest(Way::Stream, 511));
    assert_eq!(numbered.push(&queue, Way::Stream, 600, 1), 1);
    assert_eq!(batch(&queue)[MAX_BATCH_CLAIMS * 3 / 4..].len(), 89);
}

#[test]
fn streams_get_whole_batches_while_nothing_comes_alone() {
    let (queue, numbered) = (Queue::new(QueueLimits::default()), Numbered::new());
    let part = MAX_BATCH_CLAIMS / 4;
    let mut next = 0;
    let mut fill = || {
        next += numbered.push(&queue, Way::Stream, next, u64::MAX >> 50);
        batch(&queue).len()
    };
    let sizes: Vec<usize> = (0..20).map(|_| fill()).collect();
    assert_eq!((&sizes[..16], &sizes[16..]), (&[part; 16][..], &[MAX_BATCH_CLAIMS; 4][..]));
    assert_eq!(numbered.push(&queue, Way::Alone, 0, 1), 1);
    assert_eq!((fill(), fill()), (part + 1, part), "one that comes alone ends it at once");
}

#[test]
fn who_is_told_to_come_again_is_told_when_its_own_lane_is_empty() {
    let (queue, numbered) = (Queue::new(QueueLimits::default()), Numbered::new());
    let told = |way| {
        let mut inner = queue.lock();
        inner.rate = 2048.0;
        inner.retry_after_seconds(way)
    };
    numbered.push(&queue, Way::Stream, 0, 6144);
    assert_eq!(told(Way::Alone), 1, "nobody of the own lane waits");
    numbered.push(&queue, Way::Alone, 0, 2048);
    // Two batches take the own lane, and bring two parts of the other one.
    assert_eq!(told(Way::Alone), 2);
    assert_eq!(told(Way::Stream), 4);
}

proptest! {
    /// Whatever comes in which order: bounds hold, each lane keeps its order, nobody waits behind more than the own lane.
    #[test]
    fn neither_lane_starves_and_each_keeps_its_order(
        claims in 1usize..64,
        kilobytes in 1usize..64,
        steps in proptest::collection::vec((any::<bool>(), 1u64..40, 0u8..4), 1..60),
    ) {
        let numbered = Numbered::new();
        let limits = QueueLimits { claims, bytes: numbered.bytes() + kilobytes * 1024 };
        let queue = Queue::new(limits);
        let mut waiting = [VecDeque::new(), VecDeque::new()];
        let mut next = 0;
        for (alone, count, drains) in steps {
            let way = if alone { Way::Alone } else { Way::Stream };
            let taken = numbered.push(&queue, way, next, count);
            waiting[usize::from(alone)].extend((next..next + taken).map(|number| digest(way, number)));
            next += count;
            let all = waiting[0].len() + waiting[1].len();
            prop_assert_eq!(queue.depth(), all);
            prop_assert!(all <= claims && all * numbered.bytes() <= limits.bytes);
            let mine = waiting[usize::from(alone)].len();
            prop_assert!(mine <= claims - claims / 4, "the other lane's room is its own");
            if drains > 0 || all == 0 {
                continue;
            }
            let batch = batch(&queue);
            // So small a queue fits into one batch: claims that come alone first, then streams, each in order.
            let [stream, alone] = &mut waiting;
            let expected: Vec<Hash> = alone.drain(..).chain(stream.drain(..)).collect();
            prop_assert_eq!(batch, expected);
        }
    }
}
