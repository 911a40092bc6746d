//! Cosignatures of witnesses: asked for, collected, and published with the log's heads (C2SP tlog-witness, tlog-policy).
//!
//! | module | what it does |
//! |---|---|
//! | `plan` | whom to ask and what is enough, read from the operator's policy file |
//! | `promised` | what the constitution says of witnesses, against that policy |
//! | `ask` | one question to one witness, and everything that is checked of its answer |
//! | `board` | which lines are there for which head, and which head is shown; no clock, no network |
//! | `rounds` | the task that asks: every witness for one head at a time, each with its own time-out |
//! | `seat` | what is known of one witness: its size, how it did last, when it is asked again |
//! | `lag` | since when entries wait for a quorum |
//! | `record` | the last head that met the quorum, as a file that outlives the process |
//! | `theirs` | the head that a witness shows to everybody, when somebody else is faster than the log |
//! | `stats` | what the operator sees of each witness |
//!
//! Nothing here is on the way of a claim: the sequencer publishes heads as ever, receipts carry them at once, and only what
//! `/checkpoint` shows, and those who asked to wait, depend on witnesses.

mod ask;
mod board;
mod lag;
mod plan;
mod promised;
mod record;
mod rounds;
mod seat;
mod stats;
#[cfg(test)]
mod tests;
mod theirs;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use prometheus_client::registry::Registry;
use proto::num::{LeafIndex, TreeSize};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use plan::{BadPlan, Plan};
pub(crate) use promised::differences;
pub use record::BadRecord;

use crate::clock::TimeSource;
use crate::log::Log;
use ask::{Ask, HttpAsk};
use board::Board;
use record::Record;
use rounds::Rounds;
use seat::Seat;
use stats::Stats;

/// What `/checkpoint` shows while the newest head has no quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WithoutQuorum {
    /// The last head that met the quorum. After half of the log's δ without a quorum no more claims are taken.
    #[default]
    Closed,
    /// The newest head of the log, with the cosignatures that it has.
    Open,
}

/// How witnesses are asked.
#[derive(Debug, Clone)]
pub struct WitnessOptions {
    /// At least this long between two heads that witnesses are asked for.
    pub every: Duration,
    /// How long one witness may take to answer, the proof and a second try with the right size included.
    pub timeout: Duration,
    /// What is shown without a quorum.
    pub without_quorum: WithoutQuorum,
    /// How long `?wait=witnessed` waits.
    pub wait: Duration,
    /// Where the last head that met the quorum is kept.
    pub record: PathBuf,
}

/// A head that met the quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Entries in its tree.
    pub size: TreeSize,
    /// The note: the log's signature, its time, and the lines of witnesses.
    pub note: Bytes,
}

/// What the task shows to the rest of the server.
#[derive(Debug)]
struct Shared {
    /// What `/checkpoint` answers.
    shown: ArcSwapOption<Cosigned>,
    /// The last head that met the quorum.
    cosigned: watch::Sender<Option<Arc<Cosigned>>>,
    wait: Duration,
}

impl Shared {
    fn cosigned_size(&self) -> Option<TreeSize> {
        self.cosigned.borrow().as_ref().map(|head| head.size)
    }
}

/// The witnesses of a running log. Clones are the same.
#[derive(Debug, Clone)]
pub struct Witnesses(Arc<Shared>);

/// Why a log does not start to ask its witnesses.
#[derive(Debug, thiserror::Error)]
pub enum CannotAsk {
    /// The address of a witness is none.
    #[error("the policy's address of the witness {name} cannot be used: {why}")]
    Address {
        /// The witness.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The file of the last head that met the quorum does not fit the log.
    #[error(transparent)]
    Record(#[from] BadRecord),
}

impl Witnesses {
    /// Takes up where the last run ended; the future asks until `stop`. Blocks while it reads.
    pub fn open(
        log: &Arc<Log>,
        plan: Plan,
        options: &WitnessOptions,
        clock: Arc<dyn TimeSource>,
        registry: &mut Registry,
        stop: CancellationToken,
    ) -> Result<(Witnesses, impl Future<Output = ()> + Send + use<>), CannotAsk> {
        let asks = plan.seats.iter().map(|seat| {
            let ask = HttpAsk::new(log.clone(), seat, clock.clone());
            let ask = ask.map_err(|why| CannotAsk::Address { name: seat.name.clone(), why: why.message })?;
            Ok((seat.place, seat.name.clone(), Arc::new(ask) as Arc<dyn Ask>))
        });
        let asks = asks.collect::<Result<Vec<_>, CannotAsk>>()?;
        let (witnesses, rounds) = Witnesses::open_with(log, plan, options, asks, clock, registry)?;
        Ok((witnesses, rounds.run(stop)))
    }

    /// The same for whatever answers in the place of witnesses.
    fn open_with(
        log: &Arc<Log>,
        plan: Plan,
        options: &WitnessOptions,
        asks: Vec<(usize, String, Arc<dyn Ask>)>,
        clock: Arc<dyn TimeSource>,
        registry: &mut Registry,
    ) -> Result<(Witnesses, Rounds), CannotAsk> {
        let (record, last) = Record::open(&options.record, &plan.policy, log)?;
        let stats = Stats::register(registry, clock, asks.iter().map(|(_, name, _)| name.clone()));
        let mut board = Board::new(plan.policy, options.without_quorum, last);
        if options.without_quorum == WithoutQuorum::Open {
            // The head shown last may have been a larger one than witnesses had cosigned.
            board.show_own(log.published().note.clone());
        }
        let shared = Arc::new(Shared {
            shown: ArcSwapOption::new(board.shown().map(Arc::new)),
            cosigned: watch::Sender::new(board.cosigned().map(Arc::new)),
            wait: options.wait,
        });
        let seats = asks.into_iter().map(|(place, name, ask)| Seat::new(place, name, ask)).collect();
        let rounds = Rounds::new(log.clone(), board, record, seats, options, shared.clone(), stats);
        Ok((Witnesses(shared), rounds))
    }

    /// What the public is shown as the newest head; nothing before the first one met the quorum, where that is asked for.
    pub fn checkpoint(&self) -> Option<Bytes> {
        self.0.shown.load().as_ref().map(|shown| shown.note.clone())
    }

    /// Waits until a head over the entry met the quorum, at most as long as configured, and not when the log stops.
    pub async fn wait_for(&self, index: LeafIndex, stop: &CancellationToken) -> Option<Arc<Cosigned>> {
        let mut cosigned = self.0.cosigned.subscribe();
        let over = |cosigned: &Option<Arc<Cosigned>>| cosigned.as_ref().is_some_and(|head| index.is_in(head.size));
        tokio::select! {
            found = cosigned.wait_for(over) => found.ok().and_then(|head| head.clone()),
            () = tokio::time::sleep(self.0.wait) => None,
            () = stop.cancelled() => None,
        }
    }
}
