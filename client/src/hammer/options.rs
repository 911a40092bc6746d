//! What to do in a run.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::claims::Claims;
use super::target::Target;
use crate::error::Error;
use crate::trust::Trust;

/// What is sent.
#[derive(Debug, Clone)]
pub enum Work {
    /// Nothing: only readers are at work.
    Nothing,
    /// One claim a request; signed as [`Form::Requests`](super::Form::Requests).
    Claims(Arc<Claims>),
    /// Bulk streams; signed as [`Form::Lines`](super::Form::Lines).
    Streams(Arc<Claims>),
    /// `POST /add` with random bodies of this many bytes.
    Add(usize),
}

/// What a reader reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Full tiles of level 0 anywhere in the log.
    Tile,
    /// Full entry bundles anywhere in the log.
    Bundle,
    /// The newest head, then the tile and the bundle that its last entry is in.
    Newest,
}

/// Which answers are verified. What is verified costs time of the same processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// All of them.
    All,
    /// One in this many.
    Sample(u32),
    /// None.
    None,
}

/// What to do in a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where.
    pub target: Target,
    /// What is sent.
    pub work: Work,
    /// Connections or streams that send.
    pub connections: usize,
    /// Connections that read.
    pub readers: usize,
    /// What these read, in turn.
    pub reads: Vec<Read>,
    /// Connections that ask for receipts of random claims.
    pub proofs: usize,
    /// Requests a second at fixed moments (open loop); of the senders, or of the readers when nothing is sent. `None`:
    /// as fast as connections get free (closed loop).
    pub rate: Option<f64>,
    /// Requests at most; of the senders, or of the readers when nothing is sent.
    pub count: Option<u64>,
    /// How long requests begin, the warm-up included.
    pub duration: Option<Duration>,
    /// How long answers are not counted at the beginning.
    pub warm_up: Duration,
    /// Threads that send and read.
    pub threads: usize,
    /// Whether a connection that is told 429 or 503 waits as told and then repeats its request. Otherwise it goes on
    /// with the next at once.
    pub keeps_retry_after: bool,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How long the server may be out of reach until the run is given up.
    pub patience: Duration,
    /// Which answers are verified.
    pub checks: Checks,
    /// Under which they are verified, and the origin of the log.
    pub trust: Option<(Trust, String)>,
    /// Set from outside to end the run early.
    pub interrupt: Arc<AtomicBool>,
}

impl Options {
    /// A run against this server that does nothing yet: 64 connections on one thread, closed loop, no checks.
    pub fn new(target: Target) -> Options {
        Options {
            target,
            work: Work::Nothing,
            connections: 64,
            readers: 0,
            reads: vec![Read::Tile, Read::Bundle, Read::Newest],
            proofs: 0,
            rate: None,
            count: None,
            duration: None,
            warm_up: Duration::ZERO,
            threads: 1,
            keeps_retry_after: true,
            timeout: Duration::from_secs(30),
            patience: Duration::from_secs(5),
            checks: Checks::None,
            trust: None,
            interrupt: Arc::default(),
        }
    }

    /// Whether anything is sent.
    pub(super) fn sends(&self) -> bool {
        self.connections > 0 && !matches!(self.work, Work::Nothing)
    }

    /// The claims that were signed for the run.
    pub(super) fn claims(&self) -> Option<&Arc<Claims>> {
        match &self.work {
            Work::Claims(claims) | Work::Streams(claims) => Some(claims),
            Work::Nothing | Work::Add(_) => None,
        }
    }

    /// Senders' requests at most: there are no more claims than were signed.
    pub(super) fn most(&self) -> u64 {
        let signed = self.claims().map_or(u64::MAX, |claims| claims.count());
        self.count.unwrap_or(u64::MAX).min(signed)
    }

    /// Whether this makes sense.
    pub(super) fn check(&self) -> Result<(), Error> {
        let usage = |what: &str| Err(Error::usage(what));
        if !self.sends() && self.readers == 0 && self.proofs == 0 {
            return usage("nothing to do: no connections, no readers");
        }
        self.check_times()?;
        if self.readers > 0 && self.reads.is_empty() {
            return usage("readers need something to read");
        }
        let endless = match self.sends() {
            true => self.most() == u64::MAX,
            false => self.count.is_none(),
        };
        if endless && self.duration.is_none() {
            return usage("when does it end? Give a duration or a count");
        }
        if self.checks != Checks::None && self.trust.is_none() && !matches!(self.work, Work::Add(_)) {
            return usage("answers are verified under a trust file");
        }
        Ok(())
    }

    /// Whether threads, rate and times make sense: what can be said before anything is enrolled or signed for the run.
    ///
    /// # Errors
    /// `usage`, with what to change.
    pub fn check_times(&self) -> Result<(), Error> {
        let usage = |what: &str| Err(Error::usage(what));
        if self.threads == 0 {
            return usage("a run needs a thread");
        }
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return usage("a rate is a number of requests a second, above 0");
        }
        if self.duration.is_some_and(|duration| duration <= self.warm_up) {
            return usage("the warm-up is a part of the duration, so it must be shorter");
        }
        Ok(())
    }
}
