//! When requests begin: as soon as a connection is free (closed loop), or at fixed moments (open loop).
//!
//! In an open loop the moments follow from the rate alone. A request that cannot be sent at its moment, because all
//! connections wait for a slow server, is sent later, and its latency still counts from its moment: what a user who
//! came then would have waited. A closed loop would leave these users out of its figures.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// The metronome does not wake more often than this; requests due in between begin together.
const SHORTEST_TICK: Duration = Duration::from_micros(200);
/// How long a request that was due before the end may still wait for a free connection after it.
const LATE_START: Duration = Duration::from_secs(10);

/// The numbers from here on are no tickets: no run comes so far, and adding to it does not overflow.
const CLOSED: u64 = u64::MAX / 2;

/// The right to send one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ticket {
    /// Counted from 0, none twice.
    pub(super) number: u64,
    /// When the request should begin; its latency counts from here.
    pub(super) intended: Instant,
}

/// Gives tickets to all connections of a run.
pub(super) struct Pace {
    /// Requests a second; `None` in a closed loop.
    rate: Option<f64>,
    /// Tickets at most.
    count: u64,
    /// How long tickets are given.
    length: Option<Duration>,
    next: AtomicU64,
    begun: OnceLock<Instant>,
    due: Semaphore,
    stopped: AtomicBool,
}

impl Pace {
    /// At most `count` tickets within `length`; with a rate, at its moments.
    pub(super) fn new(rate: Option<f64>, count: u64, length: Option<Duration>) -> Pace {
        let next = AtomicU64::new(0);
        let due = Semaphore::new(0);
        Pace { rate, count, length, next, begun: OnceLock::new(), due, stopped: AtomicBool::new(false) }
    }

    /// The clock starts.
    pub(super) fn begin(&self, now: Instant) {
        let _first = self.begun.set(now);
    }

    fn begun(&self) -> Instant {
        *self.begun.get_or_init(Instant::now)
    }

    /// The next ticket, when it is due; `None` when there are no more.
    pub(super) async fn next(&self) -> Option<Ticket> {
        Some(self.some(1).await?.0)
    }

    /// The tickets that are due, from one to `most`: the first, and how many follow it.
    pub(super) async fn some(&self, most: u32) -> Option<(Ticket, u64)> {
        let Some(rate) = self.rate else { return self.at_once(u64::from(most)) };
        self.due.acquire().await.ok()?.forget();
        let mut taken = 1;
        while taken < most
            && let Ok(permit) = self.due.try_acquire()
        {
            permit.forget();
            taken += 1;
        }
        let number = self.next.fetch_add(u64::from(taken), Ordering::SeqCst);
        if number >= CLOSED {
            return None; // the permit came, and then the end
        }
        Some((Ticket { number, intended: self.moment(rate, number) }, u64::from(taken)))
    }

    /// When the ticket of this number is due.
    pub(super) fn intended(&self, number: u64, otherwise: Instant) -> Instant {
        self.rate.map_or(otherwise, |rate| self.moment(rate, number))
    }

    fn at_once(&self, most: u64) -> Option<(Ticket, u64)> {
        let now = Instant::now();
        if self.stopped.load(Ordering::Relaxed) || self.length.is_some_and(|length| now >= self.begun() + length) {
            return None;
        }
        let number = self.next.fetch_add(most, Ordering::Relaxed);
        let left = self.count.saturating_sub(number);
        (left > 0).then(|| (Ticket { number, intended: now }, most.min(left)))
    }

    fn moment(&self, rate: f64, number: u64) -> Instant {
        // Exact to the nanosecond for 2^53 requests.
        #[expect(clippy::cast_precision_loss, reason = "no run has 2^53 requests")]
        let after = number as f64 / rate;
        self.begun() + Duration::from_secs_f64(after)
    }

    /// Whether a ticket of the closed loop was refused because all were given.
    pub(super) fn used_up(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.count
    }

    /// No more tickets.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.due.close();
    }

    /// Hands out the tickets of an open loop as they become due, on a thread of its own. Gives the moments of those that
    /// no connection came to send. In a closed loop it has nothing to do.
    pub(super) fn tick(&self) -> Vec<Instant> {
        let Some(rate) = self.rate else { return Vec::new() };
        let total = self.length.map_or(self.count, |length| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "rates and lengths are positive"
            )]
            let within = (length.as_secs_f64() * rate).ceil() as u64;
            within.min(self.count)
        });
        let mut given = 0;
        while given < total && !self.stopped.load(Ordering::Relaxed) {
            let now = Instant::now();
            let mut due = 0;
            while given + due < total && self.moment(rate, given + due) <= now {
                due += 1;
            }
            self.due.add_permits(usize::try_from(due).unwrap_or(0));
            given += due;
            if given < total {
                let wait = self.moment(rate, given).saturating_duration_since(Instant::now());
                // Never so long that a stop is not noticed.
                std::thread::sleep(wait.clamp(SHORTEST_TICK, Duration::from_millis(50)));
            }
        }
        let late = Instant::now() + LATE_START;
        while self.next.load(Ordering::SeqCst) < given && Instant::now() < late && !self.stopped.load(Ordering::Relaxed)
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        // What was not taken by now never will be.
        let taken = self.next.swap(CLOSED, Ordering::SeqCst);
        self.due.close();
        (taken..given).map(|number| self.moment(rate, number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_loop_gives_each_number_once_and_ends() {
        let pace = Pace::new(None, 5, None);
        pace.begin(Instant::now());
        let (first, more) = pace.some(3).await.unwrap();
        assert_eq!((first.number, more), (0, 3));
        let (second, more) = pace.some(3).await.unwrap();
        assert_eq!((second.number, more), (3, 2), "no more than there are");
        assert!(pace.next().await.is_none() && pace.used_up());
    }

    #[tokio::test]
    async fn a_closed_loop_ends_with_its_time() {
        let pace = Pace::new(None, u64::MAX, Some(Duration::ZERO));
        pace.begin(Instant::now());
        assert!(pace.next().await.is_none());
    }

    #[test]
    fn an_open_loop_keeps_its_moments_however_late_they_are_taken() {
        let pace = Pace::new(Some(1000.0), 50, None);
        let begun = Instant::now();
        pace.begin(begun);
        std::thread::scope(|threads| {
            let ticking = threads.spawn(|| pace.tick());
            let taking = threads.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    for number in 0..50 {
                        let ticket = pace.next().await.unwrap();
                        assert_eq!(ticket.number, number);
                        let moment = begun + Duration::from_millis(number);
                        assert!(ticket.intended.max(moment) - ticket.intended.min(moment) < Duration::from_micros(1));
                        assert!(Instant::now() >= ticket.intended, "no ticket before its moment");
                    }
                    assert!(pace.next().await.is_none());
                });
            });
            taking.join().unwrap();
            assert!(ticking.join().unwrap().is_empty());
        });
    }

    #[test]
    fn tickets_that_nobody_takes_are_told() {
        let pace = Pace::new(Some(1000.0), 3, None);
        pace.begin(Instant::now());
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while pace.due.available_permits() < 3 {
                    std::thread::yield_now();
                }
                pace.stop();
            });
            assert_eq!(pace.tick().len(), 3);
        });
    }
}
