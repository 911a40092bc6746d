//! Who checks forms and signatures: as many threads as there are cores, off the async ones; more would only take each other's
//! time. A thread takes the next piece of work as soon as it has done one, and under load never sleeps in between.
//!
//! Claims that come alone and groups of lines wait in two lines. A claim that comes alone waits for the groups that are being
//! checked, one a core, and not for those of all streams.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// After so many claims that came alone a group has its turn: about as many as a group has lines.
const ALONE_IN_TURN: usize = 64;

/// One piece of work.
type Job = Box<dyn FnOnce() + Send>;

/// The threads that check, and what waits for them. Clones are the same.
#[derive(Clone)]
pub(in crate::log) struct Checks {
    cores: usize,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    alone: VecDeque<Job>,
    groups: VecDeque<Job>,
    /// Threads at work.
    running: usize,
    /// Claims that came alone and were taken since the last group.
    in_turn: usize,
}

impl Checks {
    pub(in crate::log) fn new() -> Checks {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Checks { cores, waiting: Arc::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a claim checked that comes alone.
    pub(super) fn alone(&self, job: impl FnOnce() + Send + 'static) {
        self.begin(|waiting| waiting.alone.push_back(Box::new(job)));
    }

    /// Has the lines of a stream checked that were taken together.
    pub(super) fn group(&self, job: impl FnOnce() + Send + 'static) {
        self.begin(|waiting| waiting.groups.push_back(Box::new(job)));
    }

    fn begin(&self, push: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.waiting();
        push(&mut waiting);
        if waiting.running == self.cores {
            return;
        }
        waiting.running += 1;
        drop(waiting);
        let checks = self.clone();
        drop(tokio::task::spawn_blocking(move || checks.work()));
    }

    /// Works until nothing waits.
    fn work(&self) {
        loop {
            let mut waiting = self.waiting();
            let Some(job) = waiting.next() else {
                waiting.running -= 1;
                return;
            };
            drop(waiting);
            // Whoever waits for it sees that it went without an answer, and the others go on.
            let _ended = catch_unwind(AssertUnwindSafe(job));
        }
    }
}

impl Waiting {
    fn next(&mut self) -> Option<Job> {
        if self.in_turn < ALONE_IN_TURN
            && let Some(alone) = self.alone.pop_front()
        {
            self.in_turn += 1;
            return Some(alone);
        }
        self.in_turn = 0;
        self.groups.pop_front().or_else(|| self.alone.pop_front())
    }
}

impl std::fmt::Debug for Checks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checks").field("cores", &self.cores).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_that_come_alone_go_first_and_groups_have_their_turns() {
        let (mut waiting, taken) = (Waiting::default(), Arc::new(Mutex::new(String::new())));
        let job = |name: char| -> Job {
            let taken = taken.clone();
            Box::new(move || taken.lock().expect("whole").push(name))
        };
        waiting.groups.extend((0..3).map(|_| job('g')));
        waiting.alone.extend((0..ALONE_IN_TURN + 2).map(|_| job('a')));
        std::iter::from_fn(|| waiting.next()).for_each(|job| job());
        assert_eq!(*taken.lock().expect("whole"), format!("{}gaagg", "a".repeat(ALONE_IN_TURN)));
    }

    #[tokio::test]
    async fn work_that_panics_takes_no_thread_with_it() {
        let checks = Checks { cores: 1, waiting: Arc::default() };
        let (done, ended) = tokio::sync::oneshot::channel();
        checks.alone(|| panic!("as told"));
        checks.group(move || done.send(7).expect("awaited"));
        assert_eq!(ended.await, Ok(7));
    }
}
