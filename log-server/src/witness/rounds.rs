//! The task that asks witnesses.
//!
//! All are asked for one head at a time, so that their lines come together on it even while the log signs hundreds of heads a
//! second. The next head, the newest at that moment, is taken when the quorum is met or nothing more is to be expected,
//! and not sooner than configured. A witness that is slow keeps nobody waiting: it goes on with its old question,
//! whose answer counts if no larger head is shown by then, and takes up the newest one.
//!
//! Anybody may submit a log's heads to its witnesses, and so bring them beyond the head that they are asked for. Then the next
//! one is taken much sooner, and what they cosigned meanwhile is collected, too.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::ask::{Asked, Trouble};
use super::board::Board;
use super::lag::Lag;
use super::record::Record;
use super::seat::Seat;
use super::stats::Stats;
use super::theirs::Seen;
use super::{Shared, WithoutQuorum, WitnessOptions};
use crate::log::Log;
use crate::sequencer::Published;

/// A head is given up this soon when somebody else has brought a witness beyond it, or asks it all the time: sooner than most
/// witnesses answer from afar, and seldom enough for those that count what an address asks for.
const CHASE_EVERY: Duration = Duration::from_millis(100);

/// The head that witnesses are asked for.
struct Target {
    number: u64,
    head: Arc<Published>,
    /// Since when.
    since: Instant,
}

/// An answer, or what came instead.
struct Done {
    seat: usize,
    number: u64,
    head: Arc<Published>,
    asked: Asked,
    took: Duration,
}

/// Everything that the task owns.
pub(super) struct Rounds {
    log: Arc<Log>,
    board: Board,
    record: Record,
    seats: Vec<Seat>,
    shared: Arc<Shared>,
    stats: Stats,
    every: Duration,
    timeout: Duration,
    target: Option<Target>,
    /// No other head is taken before.
    next: Option<Instant>,
    asks: JoinSet<Done>,
    lag: Lag,
    /// What the operator heard last: whether heads meet the quorum, and whether they can be kept.
    has_quorum: Option<bool>,
    is_kept: bool,
}

impl Rounds {
    pub(super) fn new(
        log: Arc<Log>,
        board: Board,
        record: Record,
        seats: Vec<Seat>,
        options: &WitnessOptions,
        shared: Arc<Shared>,
        stats: Stats,
    ) -> Rounds {
        if let Some(last) = board.cosigned() {
            stats.published(last.size);
        }
        Rounds {
            log,
            board,
            record,
            seats,
            shared,
            stats,
            every: options.every,
            timeout: options.timeout,
            target: None,
            next: None,
            asks: JoinSet::new(),
            lag: Lag::default(),
            has_quorum: None,
            is_kept: true,
        }
    }

    /// Asks until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut newer = self.log.newer_heads();
        loop {
            newer.borrow_and_update();
            let now = Instant::now();
            self.turn(now);
            self.publish().await;
            self.judge_lag(now);
            let wake = self.wake(now);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(done) = self.asks.join_next() => self.answered(done),
                changed = newer.changed() => if changed.is_err() { return },
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
            }
        }
    }

    /// Takes the newest head if it is time, and asks whoever is due.
    fn turn(&mut self, now: Instant) {
        let newest = self.log.published();
        self.lag.reached(newest.head.size, now);
        if let Some(size) = self.shared.cosigned_size() {
            self.lag.covered(size);
        }
        if self.is_newer(&newest) && self.next.is_none_or(|next| next <= now) && self.is_round_over(now) {
            self.say_quorum(self.board.has_moved());
            self.board.aim(newest.note.clone());
            let number = self.target.as_ref().map_or(1, |target| target.number + 1);
            self.target = Some(Target { number, head: newest, since: now });
            self.next = Some(now + self.every);
        }
        let Some(target) = &self.target else { return };
        for (place, seat) in self.seats.iter_mut().enumerate() {
            if !seat.is_due(target.number, now) {
                continue;
            }
            self.stats.asked(&seat.name);
            let (asking, known, limit) = (seat.ask.ask(seat.known, target.head.clone()), seat.known, self.timeout);
            let (number, head) = (target.number, target.head.clone());
            let task = self.asks.spawn(async move {
                let asked = timeout(limit, asking).await;
                let asked = asked.unwrap_or_else(|_| Asked::failed(known, Trouble::TimedOut));
                Done { seat: place, number, head, asked, took: now.elapsed() }
            });
            seat.task = Some(task.id());
        }
    }

    fn is_newer(&self, newest: &Published) -> bool {
        self.target.as_ref().is_none_or(|target| target.head.note != newest.note)
    }

    /// Whether the quorum is met, or would not be if all cosigned of whom an answer is to be expected soon.
    fn is_round_over(&self, now: Instant) -> bool {
        let Some(target) = &self.target else { return true };
        let comes = |place| self.seats.iter().any(|seat| seat.place == place && !seat.is_out(target.number, now));
        self.board.is_target_met() || !self.board.can_be_met(comes)
    }

    /// Tells the operator when heads begin or cease to meet the quorum. Before the first one was asked for there is nothing
    /// to tell.
    fn say_quorum(&mut self, met: bool) {
        if self.target.is_none() {
            return;
        }
        self.stats.quorum(met);
        match (met, self.has_quorum) {
            (true, None | Some(false)) => tracing::info!("a quorum of witnesses cosigns"),
            (false, None | Some(true)) => tracing::warn!("there is no quorum of witnesses for the newest head"),
            _ => {}
        }
        self.has_quorum = Some(met);
    }

    fn answered(&mut self, done: Result<Done, JoinError>) {
        let now = Instant::now();
        let done = match done {
            Ok(done) => done,
            Err(error) => return self.broke(&error, now),
        };
        let Some(seat) = self.seats.get_mut(done.seat) else { return };
        (seat.task, seat.known) = (None, done.asked.known);
        match done.asked.line {
            Ok((line, time)) => {
                seat.cosigned(done.number);
                self.stats.cosigned(&seat.name, done.took, time);
                self.board.add(seat.place, &done.head.note, line);
            }
            Err(trouble) => {
                self.stats.failed(&seat.name, &trouble);
                let again = now + self.every.min(CHASE_EVERY);
                match trouble {
                    Trouble::Ahead(_) => seat.passed(done.number),
                    Trouble::Outrun(_) => seat.outrun(again),
                    ref trouble => seat.failed(trouble, self.every, now),
                }
                if matches!(trouble, Trouble::Ahead(_) | Trouble::Outrun(_)) {
                    self.chase(done.number);
                }
            }
        }
        if let Some(seen) = done.asked.seen {
            self.seen(done.seat, seen);
        }
        if self.board.has_moved() {
            self.say_quorum(true);
        }
    }

    /// Somebody else was faster with this head: the next one may be taken soon.
    fn chase(&mut self, number: u64) {
        let Some(target) = self.target.as_ref().filter(|target| target.number == number) else { return };
        let soon = target.since + self.every.min(CHASE_EVERY);
        self.next = self.next.map(|next| next.min(soon));
    }

    /// A witness has cosigned a head that somebody else submitted.
    fn seen(&mut self, seat: usize, seen: Seen) {
        let Some(seat) = self.seats.get_mut(seat) else { return };
        seat.cosigns();
        self.stats.seen(&seat.name, seen.time);
        self.board.add(seat.place, &seen.own, seen.line);
    }

    /// A question ended in a panic, which is a fault of this program and no reason to ask that witness no more.
    fn broke(&mut self, error: &JoinError, now: Instant) {
        tracing::error!(%error, "asking a witness failed");
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.task == Some(error.id())) {
            seat.task = None;
            seat.failed(&Trouble::Own(error.to_string()), self.every, now);
        }
    }

    /// Shows what there is to show; a head that met the quorum is durable before.
    async fn publish(&mut self) {
        let cosigned = self.board.cosigned();
        let is_new = cosigned.as_ref() != self.shared.cosigned.borrow().as_deref();
        if let Some(head) = cosigned.filter(|_| is_new) {
            let (record, note) = (self.record.clone(), head.note.clone());
            let written = tokio::task::spawn_blocking(move || record.write(&note)).await;
            let failed = match written {
                Ok(written) => written.err().map(|error| error.message),
                Err(error) => Some(error.to_string()),
            };
            if let Some(why) = failed {
                if std::mem::replace(&mut self.is_kept, false) {
                    tracing::error!("the cosigned head cannot be kept and is not shown: {why}");
                }
                return;
            }
            self.is_kept = true;
            self.lag.covered(head.size);
            self.stats.published(head.size);
            self.shared.cosigned.send_replace(Some(Arc::new(head)));
        }
        self.show();
    }

    fn show(&self) {
        let shown = self.board.shown();
        if shown.as_ref() != self.shared.shown.load().as_deref()
            && let Some(head) = shown
        {
            self.shared.shown.store(Some(Arc::new(head)));
        }
    }

    /// Does what the operator wants when entries have waited too long for a quorum.
    fn judge_lag(&mut self, now: Instant) {
        let is_late = self.late_at().is_some_and(|late| late <= now);
        match self.board.without_quorum() {
            WithoutQuorum::Closed => self.log.modes().set_unwitnessed(is_late),
            WithoutQuorum::Open if is_late => {
                self.board.show_own(self.log.published().note.clone());
                self.show();
            }
            WithoutQuorum::Open => {}
        }
    }

    /// When entries will have waited too long: half of δ, after which a claim that is taken could miss it; or, in open mode,
    /// the time that a round takes at most.
    fn late_at(&self) -> Option<Instant> {
        let patience = match self.board.without_quorum() {
            WithoutQuorum::Closed => {
                Duration::from_secs(u64::from(self.log.published().constitution.current.delta_seconds)) / 2
            }
            WithoutQuorum::Open => self.every + 2 * self.timeout,
        };
        Some(self.lag.since()? + patience)
    }

    /// The next moment at which there is something to do if nothing comes before.
    fn wake(&self, now: Instant) -> Option<Instant> {
        let next = self.next.filter(|_| self.is_newer(&self.log.published()));
        let rests = self.seats.iter().filter(|seat| seat.task.is_none()).filter_map(|seat| seat.rests_until(now));
        next.into_iter().chain(rests).chain(self.late_at()).filter(|at| *at > now).min()
    }
}
