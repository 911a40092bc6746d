//! The witness of this monitor looked after: whether it knows what it cosigned last, and what peers know of it.
//!
//! At the start the peers are asked once for each log, also when nothing is in doubt: database and record may both have been put
//! back, and then they agree. Nothing is cosigned until they have answered or their time is over. While there is a doubt nothing
//! is cosigned either, and the peers are asked again and again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::Error;
use tokio::task::spawn_blocking;

use super::last_cosigned::{Asked, Asking, counted, words};
use super::log::{LogGossip, now};
use super::peer::Peer;
use super::run::Gossip;
use crate::finding::{Class, Finding, code};
use crate::store::{Batch, Findings};
use crate::witness::{Known, Restored, Witness};

/// Between two looks at what is known of own cosignatures.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is told of a doubt. Why there is one names local files and is told to the operator alone.
const DOUBT: &str = "this witness does not know what it cosigned last; it cosigns nothing of this log until enough of its peers \
                     have said what they know of it, or its operator has acted (`claimtrail-monitor status` says why)";

/// What is known of one log's asking.
struct Looking {
    asking: Arc<Asking>,
    witness: Arc<Witness>,
    log: Arc<LogGossip>,
    /// Who has said something since the start.
    answered: BTreeSet<String>,
    /// Two roots were cosigned: nothing that anybody says can help.
    is_over: bool,
}

impl Gossip {
    /// Looks after what the witness knows of one log, until everything stops.
    pub(super) async fn look_after(self: Arc<Self>, at: usize) {
        let log = self.logs[at].clone();
        let Some(witness) = self.witness.clone().filter(|witness| witness.knows(log.log().origin())) else { return };
        let asking = Asking::new(log.log().origin(), &log.log().config.trust, &witness.keys().vkeys());
        let asking = match asking {
            Ok(asking) => Arc::new(asking),
            Err(error) => return tracing::error!(error = error.message, "the peers cannot be asked"),
        };
        let mut looking = Looking { asking, witness, log, answered: BTreeSet::new(), is_over: false };
        let mut asked_at: Option<Instant> = None;
        loop {
            let was_sure = looking.is_sure();
            looking.see_own(&looking.kept().await);
            let is_sure = looking.is_sure();
            looking.tell(is_sure).await;
            let is_due = asked_at.is_none_or(|at| at.elapsed() >= self.config.every()) || was_sure != is_sure;
            if is_due && !looking.is_over && looking.wants(&self, is_sure) {
                self.ask(&mut looking, at, is_sure).await;
                asked_at = Some(Instant::now());
            }
            looking.witness.peers_were_asked(looking.origin());
            if self.sleeps_to_the_end(LOOK_EVERY).await {
                return;
            }
        }
    }

    /// Asks the log and the peers, and does what follows from it.
    async fn ask(self: &Arc<Self>, looking: &mut Looking, at: usize, is_sure: bool) {
        if let Some(way) = self.ways[at].first().filter(|_| !is_sure)
            && let Ok(note) = way.api.checkpoint().await
        {
            let seen = looking.asking.own.iter().filter_map(|own| looking.asking.own_line(own, &note));
            looking.see_own(&seen.collect::<Vec<_>>());
        }
        let peers = counted(&self.peers, &looking.asking.own);
        let bad = self.config.bad_of(peers.len());
        let whom: Vec<&Arc<Peer>> =
            peers.iter().copied().filter(|peer| !is_sure || !looking.answered.contains(&peer.config.name)).collect();
        let asked = looking.asking.ask(&whom).await;
        looking.answered.extend(asked.answers.iter().map(|answer| answer.peer.clone()));
        looking.answered.extend(asked.refused.iter().cloned());
        for known in &asked.known {
            // Judged like any other head: two histories under it are evidence.
            self.show(&looking.log, known.note.clone(), super::core::Source::Anyone).await;
        }
        if is_sure {
            return looking.see_own(&asked.known);
        }
        looking.restore(asked, peers.len(), bad).await;
    }
}

impl Looking {
    fn origin(&self) -> &str {
        &self.asking.origin
    }

    fn is_sure(&self) -> bool {
        self.witness.doubt(self.origin()).is_none()
    }

    /// Whether somebody is to be asked: in doubt always, else who has said nothing yet.
    fn wants(&self, gossip: &Gossip, is_sure: bool) -> bool {
        let peers = counted(&gossip.peers, &self.asking.own);
        !is_sure || peers.iter().any(|peer| !self.answered.contains(&peer.config.name))
    }

    /// The own cosignatures that this monitor itself has seen, such as under a head that the log showed.
    async fn kept(&self) -> Vec<Known> {
        let (log, asking) = (self.log.clone(), self.asking.clone());
        let read = move || {
            let of = |own: &proto::note::Verifier| {
                let kept = log.log().store.cosigned_by(&own.vkey().to_string()).ok().flatten()?;
                asking.own_line(own, &kept.note)
            };
            asking.own.iter().filter_map(of).collect()
        };
        spawn_blocking(read).await.unwrap_or_default()
    }

    fn see_own(&self, seen: &[Known]) {
        for known in seen {
            self.witness.saw_own(self.origin(), known);
        }
    }

    async fn restore(&mut self, asked: Asked, peers: usize, bad: usize) {
        let (witness, origin, said) = (self.witness.clone(), self.origin().to_owned(), asked.clone());
        let work = move || witness.restore(&origin, &said.answers, &said.known, bad);
        let outcome = match spawn_blocking(work).await {
            Ok(Ok(Some(outcome))) => outcome,
            Ok(Ok(None)) => return,
            Ok(Err(error)) => return self.failed(&error),
            Err(error) => return self.failed(&Error::local(error.to_string())),
        };
        let said = words(&outcome, &asked, peers);
        self.is_over = matches!(outcome, Restored::TwoRoots(_));
        match outcome {
            Restored::From(from) => {
                tracing::warn!(origin = self.origin(), "cosigned again after the peers were asked: {said}");
                let names: Vec<&str> = asked.answers.iter().map(|answer| answer.peer.as_str()).collect();
                let message = format!(
                    "this witness did not know what it cosigned last. Its peers have told it ({}); it goes on from the head of {} \
                     entries at {}",
                    names.join(", "),
                    from.size,
                    from.time
                );
                self.resumed(message).await;
            }
            _ => {
                tracing::warn!(origin = self.origin(), "still not cosigned: {said}");
                self.witness.asked(self.origin(), &said);
            }
        }
    }

    fn failed(&self, error: &Error) {
        tracing::error!(origin = self.origin(), error = error.message, "what peers said cannot be kept");
        self.witness.asked(self.origin(), &error.message);
    }

    /// The finding of the doubt begins and ends with it.
    async fn tell(&self, is_sure: bool) {
        let is_open = self.log.log().seen().open.iter().any(|open| open.finding.code == code::DOUBT);
        let findings = match (is_sure, is_open) {
            (false, false) => Findings::begin(vec![Finding::new(Class::Degraded, code::DOUBT, DOUBT)]),
            (true, true) => Findings::end(code::DOUBT),
            _ => return,
        };
        self.commit(vec![findings]).await;
    }

    /// An event that tells it; nothing stays open.
    async fn resumed(&self, message: String) {
        let mut begins = Findings::begin(vec![Finding::new(Class::Degraded, code::RESUMED, message)]);
        begins.over(code::DOUBT);
        self.commit(vec![begins, Findings::end(code::RESUMED)]).await;
    }

    async fn commit(&self, steps: Vec<Findings>) {
        let log = self.log.clone();
        let work = move || -> Result<(), Error> {
            for findings in steps {
                log.log().store.commit_batch(&Batch { findings, ..Batch::default() }, now())?;
            }
            log.log().look(None)
        };
        if let Ok(Err(error)) = spawn_blocking(work).await {
            tracing::error!(origin = self.origin(), error = error.message, "a finding is not kept");
        }
    }
}
