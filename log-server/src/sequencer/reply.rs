//! Answers of claims that were sent together: whoever waits for them is woken once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::Outcome;

/// The answers of a group, in the order of its claims; `None` where the sequencer went away without one.
pub type Answers = oneshot::Receiver<Vec<Option<Outcome>>>;

/// Where one answer goes. Dropped without an answer, it leaves `None` in a group, and drops what waits alone.
pub enum Reply {
    /// To the others of a group.
    InGroup(Place),
    /// To whoever waits for this one alone.
    Alone(Box<dyn FnOnce(Outcome) + Send>),
}

/// One place among the answers of a group.
#[derive(Debug)]
pub struct Place {
    group: Arc<Mutex<Group>>,
    place: usize,
}

#[derive(Debug)]
struct Group {
    answers: Vec<Option<Outcome>>,
    /// Replies that are neither sent nor dropped.
    open: usize,
    waiting: Option<oneshot::Sender<Vec<Option<Outcome>>>>,
}

impl Reply {
    /// Replies for a group of so many claims, and where their answers arrive, all at once.
    pub fn group(claims: usize) -> (Vec<Reply>, Answers) {
        let (waiting, answers) = oneshot::channel();
        let empty = std::iter::repeat_with(|| None).take(claims).collect();
        let group = Arc::new(Mutex::new(Group { answers: empty, open: claims, waiting: Some(waiting) }));
        let reply = |place| Reply::InGroup(Place { group: group.clone(), place });
        ((0..claims).map(reply).collect(), answers)
    }

    /// The reply of a claim that comes alone, which ends in a call on the sequencer's thread: it must not take long.
    pub fn alone(then: impl FnOnce(Outcome) + Send + 'static) -> Reply {
        Reply::Alone(Box::new(then))
    }

    /// The reply of a claim that comes alone, as an answer to wait for.
    pub fn single() -> (Reply, Answers) {
        let (mut replies, answers) = Reply::group(1);
        (replies.remove(0), answers)
    }

    /// Gives the answer.
    pub fn send(self, outcome: Outcome) {
        match self {
            Reply::Alone(then) => then(outcome),
            Reply::InGroup(Place { ref group, place }) => {
                let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(place) = group.answers.get_mut(place) {
                    *place = Some(outcome);
                }
            }
        }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        group.open -= 1;
        if group.open == 0
            && let Some(waiting) = group.waiting.take()
        {
            let _gone = waiting.send(std::mem::take(&mut group.answers)); // a client that hung up changes nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::num::LeafIndex;

    use super::*;

    fn index(outcome: &Option<Outcome>) -> Option<u64> {
        match outcome {
            Some(Outcome::Known(LeafIndex(index))) => Some(*index),
            _ => None,
        }
    }

    #[test]
    fn all_answers_arrive_together_in_the_order_of_the_claims() {
        let (mut replies, mut answers) = Reply::group(3);
        let (last, first) = (replies.pop().expect("three"), replies.remove(0));
        last.send(Outcome::Known(LeafIndex(2)));
        drop(replies);
        assert!(answers.try_recv().is_err(), "one is still open");
        first.send(Outcome::Known(LeafIndex(0)));
        let answers = answers.try_recv().expect("all are there");
        assert_eq!(answers.iter().map(index).collect::<Vec<_>>(), [Some(0), None, Some(2)]);
    }

    #[test]
    fn nobody_needs_to_listen() {
        let (reply, answers) = Reply::single();
        drop(answers);
        reply.send(Outcome::Known(LeafIndex(1)));
    }
}
