//! The witness of this monitor looked after: whether it knows what it cosigned last, and what peers know of it.
//!
//! At the start the log and the peers are asked, also when nothing is in doubt: database and record may both have been put back, and
//! then they agree. Nothing is cosigned until they have answered or their time is over, or, if the operator wants it so, until
//! enough have. They go on being asked ([`start`](super::start)). While there is a doubt nothing is cosigned either.

use std::sync::Arc;
use std::time::{Duration, Instant};

use client::Error;
use proto::num::TreeSize;
use tokio::task::spawn_blocking;

use super::last_cosigned::{Asked, Asking, counted, words};
use super::log::{LogGossip, now};
use super::peer::Peer;
use super::run::Gossip;
use super::start::{Heard, unasked};
use crate::finding::{Class, Finding, code};
use crate::store::{Batch, Findings};
use crate::witness::{Known, Restored, Witness, begins};

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
    /// The head that the witness knew of at the start.
    own_at_start: Option<TreeSize>,
    /// What came of asking since the start.
    heard: Heard,
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
        let own_at_start = witness.size(&asking.origin).filter(|size| *size > TreeSize(0));
        let mut looking = Looking { asking, witness, log, own_at_start, heard: Heard::default(), is_over: false };
        let mut asked_at: Option<Instant> = None;
        loop {
            let was_sure = looking.is_sure();
            looking.see_own(looking.kept().await).await;
            let is_sure = looking.is_sure();
            looking.tell(&self, is_sure).await;
            let is_first = !looking.heard.began();
            // In doubt all are asked at once, so that their answers are of one time.
            let is_due = asked_at.is_none_or(|at| at.elapsed() >= self.config.every()) || was_sure != is_sure;
            let whom = looking.whom(&self, is_sure);
            if is_first || (!looking.is_over && if is_sure { !whom.is_empty() } else { is_due }) {
                self.ask(&mut looking, at, whom, is_sure).await;
                asked_at = Some(Instant::now());
            }
            if looking.may_begin(&self) {
                looking.witness.peers_were_asked(looking.origin());
            }
            if self.sleeps_to_the_end(LOOK_EVERY).await {
                return;
            }
        }
    }

    /// Asks the log and the peers, and does what follows from it.
    async fn ask(self: &Arc<Self>, looking: &mut Looking, at: usize, whom: Vec<Arc<Peer>>, is_sure: bool) {
        let looks_at_log = !is_sure || !looking.heard.began();
        if let Some(way) = self.ways[at].first().filter(|_| looks_at_log)
            // A log that drips holds up nothing for longer than a peer may.
            && let Ok(Ok(note)) = tokio::time::timeout(self.config.answer(), way.api.checkpoint()).await
        {
            let seen = looking.asking.own.iter().filter_map(|own| looking.asking.own_line(own, &note));
            looking.see_own(seen.collect()).await;
        }
        let peers = looking.peers(self).len();
        let bad = self.config.bad_of(peers);
        let whom: Vec<&Arc<Peer>> = whom.iter().collect();
        let asked = looking.asking.ask(&whom).await;
        looking.heard.note(&whom, &asked, looking.own_at_start, Instant::now());
        if is_sure {
            looking.see_own(asked.known.clone()).await;
        }
        for known in &asked.known {
            // Judged like any other head: two histories under it are evidence.
            self.show(&looking.log, known.note.clone(), super::core::Source::Anyone).await;
        }
        if !is_sure {
            looking.restore(asked, peers, bad).await;
        }
    }
}

impl Looking {
    fn origin(&self) -> &str {
        &self.asking.origin
    }

    fn is_sure(&self) -> bool {
        self.witness.doubt(self.origin()).is_none()
    }

    /// The peers whose answers count.
    fn peers(&self, gossip: &Gossip) -> Vec<Arc<Peer>> {
        counted(&gossip.peers, &self.asking.own).into_iter().cloned().collect()
    }

    /// Who is to be asked: in doubt all, else whose time it is.
    fn whom(&self, gossip: &Gossip, is_sure: bool) -> Vec<Arc<Peer>> {
        let (every, now) = (gossip.config.every(), Instant::now());
        let mut peers = self.peers(gossip);
        peers.retain(|peer| !is_sure || self.heard.is_due(&peer.config.name, every, now));
        peers
    }

    /// Whether it may cosign after its start, now that the peers were asked.
    fn may_begin(&self, gossip: &Gossip) -> bool {
        let needed = gossip.config.needed_of(self.peers(gossip).len());
        begins(!gossip.config.cosign_before_peers_answer, self.heard.answered(), needed)
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

    /// What is above the own state ends cosigning, durably.
    async fn see_own(&self, seen: Vec<Known>) {
        let (witness, origin) = (self.witness.clone(), self.origin().to_owned());
        let work = move || seen.iter().for_each(|known| _ = witness.saw_own(&origin, known));
        if let Err(error) = spawn_blocking(work).await {
            tracing::error!(origin = self.origin(), %error, "looking at own cosignatures failed");
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

    /// The findings of the doubt, and of too few answers, begin and end with them.
    async fn tell(&self, gossip: &Gossip, is_sure: bool) {
        let mut findings = Vec::new();
        let doubt = (!is_sure).then(|| Finding::new(Class::Degraded, code::DOUBT, DOUBT));
        findings.extend(self.changed(code::DOUBT, doubt));
        let (answered, needed) = (self.heard.answered(), gossip.config.needed_of(self.peers(gossip).len()));
        let lacks = answered < needed;
        // What was open before the start is over when enough have answered, not before they were asked.
        if self.heard.is_silence(gossip.config.every(), Instant::now()) || !lacks {
            let cosigns = gossip.config.cosign_before_peers_answer;
            findings.extend(self.changed(code::UNASKED, lacks.then(|| unasked(answered, needed, cosigns))));
        }
        let last = self.witness.last_time(self.origin());
        findings.extend(self.changed(code::EARLY, last.and_then(|last| super::start::early(last, now().seconds()))));
        if !findings.is_empty() {
            self.commit(findings).await;
        }
    }

    /// What is to be committed, if there is this one now, or none any more.
    fn changed(&self, code: &str, now: Option<Finding>) -> Option<Findings> {
        let is_open = self.log.log().seen().open.iter().any(|open| open.finding.code == code);
        match (now, is_open) {
            (Some(finding), false) => Some(Findings::begin(vec![finding])),
            (None, true) => Some(Findings::end(code)),
            _ => None,
        }
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
