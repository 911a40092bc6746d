//! What gossip does: asks, pushes, pulls. Everything runs in tasks of a bounded number, in lanes that no log and no peer shares
//! with another; what finds no room is not done, and comes again by its deadline.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::Error;
use proto::note::Note;
use proto::num::TreeSize;
use proto::policy::Checked;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::act::Act;
use super::config::GossipConfig;
use super::core::{Head, Input, PeerId, Proof, Source, Whom};
use super::lanes::Lanes;
use super::log::{LogGossip, now};
use super::peer::{Peer, StatementMessage};
use super::ways::{Way, proof_by, ways};
use crate::config::Config;
use crate::follow::FollowedLog;
use crate::witness::Witness;

/// Answers' time that all tiles of one proof may take by one way out. They are some ten, one behind the other, so that one answer's
/// time is little for a slow line; a log that drips holds a place of its own lane for no longer.
const ANSWERS_A_PROOF: u32 = 3;
/// Deadlines are whole seconds.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// The gossip of a monitor: its logs, its peers, and what runs.
pub struct Gossip {
    pub(super) logs: Vec<Arc<LogGossip>>,
    pub(super) ways: Vec<Vec<Way>>,
    pub(super) peers: Vec<Arc<Peer>>,
    pub(super) witness: Option<Arc<Witness>>,
    /// How peers are asked.
    pub(super) config: GossipConfig,
    pub(super) tasks: TaskTracker,
    /// Of each log, as in `logs`.
    lanes: Vec<Lanes>,
    stop: CancellationToken,
}

impl Gossip {
    /// Takes up what is kept. Nothing is sent before [`Gossip::run`].
    ///
    /// # Errors
    /// When the configuration makes no sense, or what is kept cannot be read.
    pub fn open(
        config: &Config,
        logs: &[Arc<FollowedLog>],
        witness: Option<&Arc<Witness>>,
        runtime: &Handle,
        stop: CancellationToken,
    ) -> Result<Arc<Gossip>, Error> {
        super::config::check(&config.peers)?;
        let me = config
            .gossip
            .name
            .clone()
            .or_else(|| witness.and_then(|witness| witness.keys().name()))
            .or_else(|| super::once::name_of_key(config))
            .unwrap_or_default();
        if config.peers.iter().any(|peer| peer.name == me) {
            let message = format!("the [[peer]] {me} is this monitor itself; name the others");
            return Err(Error::malformed(message));
        }
        let peer = |one: &super::config::PeerConfig| Peer::new(one.clone(), &me, config.gossip.answer()).map(Arc::new);
        let peers: Vec<Arc<Peer>> = config.peers.iter().map(peer).collect::<Result<_, _>>()?;
        let names: Vec<String> = config.peers.iter().map(|peer| peer.name.clone()).collect();
        for peer in config.peers.iter().filter(|peer| peer.sends_from_anywhere()) {
            let why = "no request can be told to be this peer's; what it sends is taken at the rate of strangers. Name its                        `addresses` in its [[peer]]";
            tracing::warn!(peer = peer.name, "{why}");
        }
        if let Some(witness) = witness {
            super::start::begin(&config.gossip, witness, logs, &peers)?;
        }
        let silent_after = Duration::from_secs(config.poll.silent_after_seconds.get());
        let open = |log: &Arc<FollowedLog>| {
            LogGossip::open(log.clone(), names.clone(), witness.cloned(), silent_after).map(Arc::new)
        };
        Ok(Arc::new(Gossip {
            logs: logs.iter().map(open).collect::<Result<_, _>>()?,
            ways: logs.iter().map(|log| ways(config, log, runtime)).collect::<Result<_, _>>()?,
            peers,
            witness: witness.cloned(),
            config: config.gossip.clone(),
            tasks: TaskTracker::new(),
            lanes: logs.iter().map(|_| Lanes::new(config.peers.len())).collect(),
            stop,
        }))
    }

    /// Waits for no answer of a log any more: this monitor stops.
    pub fn give_up(&self) {
        self.ways.iter().flatten().for_each(|way| way.tiles.give_up());
    }

    /// The logs.
    pub fn logs(&self) -> &[Arc<LogGossip>] {
        &self.logs
    }

    /// The log of this origin.
    pub fn log(&self, origin: &str) -> Option<&Arc<LogGossip>> {
        self.logs.iter().find(|log| log.log().origin() == origin)
    }

    /// The peers.
    pub fn peers(&self) -> &[Arc<Peer>] {
        &self.peers
    }

    /// The peer that a request names, if one is called so.
    pub fn peer(&self, name: &str) -> Option<&Arc<Peer>> {
        self.peers.iter().find(|peer| peer.config.name == name)
    }

    /// The same, if the request also comes from where that peer sends from: only then it is said to be the peer's.
    pub fn peer_at(&self, name: &str, address: IpAddr) -> Option<&Arc<Peer>> {
        self.peer(name).filter(|peer| peer.config.sends_from(address))
    }

    /// Runs until it is stopped.
    pub async fn run(self: Arc<Self>) {
        for (at, log) in self.logs.iter().enumerate() {
            self.tasks.spawn(self.clone().keep_up(log.clone()));
            self.tasks.spawn(self.clone().look_around(at));
            self.tasks.spawn(self.clone().look_after(at));
            self.tasks.spawn(self.clone().look_at_unread(at));
        }
        for peer in &self.peers {
            self.tasks.spawn(self.clone().pull(peer.clone()));
            self.tasks.spawn(self.clone().tell_cosigned(peer.clone()));
        }
        self.stop.cancelled().await;
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Does these things, each in a task of its own. May be called from any thread of the runtime.
    pub fn act(self: &Arc<Self>, log: &Arc<LogGossip>, acts: Vec<Act>) {
        let Some(lanes) = self.place(log).and_then(|at| self.lanes.get(at)) else { return };
        for act in acts {
            let Some(place) = lanes.enter(&act) else {
                tracing::debug!(origin = log.log().origin(), "gossip is busy; something is left for later");
                continue;
            };
            let (gossip, log) = (self.clone(), log.clone());
            self.tasks.spawn(async move {
                let done = async {
                    let _turn = place.turn().await;
                    gossip.perform(&log, act).await;
                };
                tokio::select! {
                    () = gossip.stop.cancelled() => {}
                    () = done => {}
                }
            });
        }
    }

    /// Where a log is among all.
    fn place(&self, log: &LogGossip) -> Option<usize> {
        self.logs.iter().position(|one| one.log().origin() == log.log().origin())
    }

    async fn perform(self: &Arc<Self>, log: &Arc<LogGossip>, act: Act) {
        match act {
            Act::Ask { whom: Whom::Log, head, from } => {
                let (gossip, asked) = (self.clone(), log.clone());
                let proof = tokio::task::spawn_blocking(move || gossip.ask_log(&asked, head, from)).await;
                self.answered(log, head, Whom::Log, proof.ok().flatten()).await;
            }
            Act::Ask { whom: Whom::Peer(id), head, from } => {
                let Some(peer) = self.peers.get(usize::from(id.0)) else { return };
                let proof = peer.proof(log.log().origin(), head, from).await.ok().flatten();
                self.answered(log, head, Whom::Peer(id), proof).await;
            }
            Act::Push { peer, head, note, old } => self.push(log, peer, head, note, old).await,
            Act::SendEvidence { peer, number } => self.send_evidence(log, peer, number).await,
            Act::SendStatement { statement, checkpoint } => {
                let message = StatementMessage { statement, checkpoint };
                for peer in &self.peers {
                    // A peer that is away finds it in the lists of others when it is back.
                    if let Err(error) = peer.send_statement(&message).await {
                        tracing::info!(peer = peer.config.name, error = error.message, "a statement is not taken");
                    }
                }
            }
        }
    }

    async fn answered(self: &Arc<Self>, log: &Arc<LogGossip>, head: Head, whom: Whom, proof: Option<Proof>) {
        let input = match proof {
            Some(proof) => Input::Proven { head, whom, proof },
            None => Input::NotProven { head, whom },
        };
        self.feed(log, move |log| log.feed(input, now())).await;
    }

    /// Tells the machine something, and does what follows from it.
    pub(super) async fn feed(
        self: &Arc<Self>,
        log: &Arc<LogGossip>,
        tell: impl FnOnce(&LogGossip) -> Result<Vec<Act>, Error> + Send + 'static,
    ) {
        let told = log.clone();
        match tokio::task::spawn_blocking(move || tell(&told)).await {
            Ok(Ok(acts)) => self.act(log, acts),
            Ok(Err(error)) => {
                tracing::error!(origin = log.log().origin(), error = error.message, "gossip cannot keep what it knows");
            }
            Err(error) => tracing::error!(origin = log.log().origin(), %error, "gossip failed"),
        }
    }

    /// The proof out of the log's tiles, by whichever way out shows the tree of this head, each for a bounded time. Waits for the
    /// network.
    fn ask_log(&self, log: &LogGossip, head: Head, from: TreeSize) -> Option<Proof> {
        let time = self.config.answer() * ANSWERS_A_PROOF;
        let by = |way: &Way| proof_by(way, head, from, Instant::now() + time).ok();
        self.ways.get(self.place(log)?)?.iter().find_map(by)
    }

    async fn push(self: &Arc<Self>, log: &Arc<LogGossip>, id: PeerId, head: Head, note: Arc<[u8]>, old: TreeSize) {
        let Some(peer) = self.peers.get(usize::from(id.0)).cloned() else { return };
        let asked = log.clone();
        let body = tokio::task::spawn_blocking(move || body_of(&asked, head, &note, old)).await;
        let answer = match body {
            Ok(body) => peer.push(body).await,
            Err(error) => Err(Error::local(error.to_string())),
        };
        let theirs = match answer {
            Ok(theirs) => theirs,
            Err(error) => {
                tracing::debug!(peer = peer.config.name, error = error.message, "a head is not taken");
                return self.feed(log, move |log| log.feed(Input::Unanswered { peer: id }, now())).await;
            }
        };
        self.feed(log, move |log| {
            let Some(shown) = theirs.and_then(|note| checked(log, &note)) else {
                let answered = Input::Answered { peer: id, pushed: head, theirs: None, random: 0 };
                return log.feed(answered, now());
            };
            let answered = |theirs, random| Input::Answered { peer: id, pushed: head, theirs: Some(theirs), random };
            log.take(&shown, answered, now()).map(|(_, acts)| acts)
        })
        .await;
    }

    async fn send_evidence(self: &Arc<Self>, log: &Arc<LogGossip>, id: PeerId, number: u64) {
        let Some(peer) = self.peers.get(usize::from(id.0)).cloned() else { return };
        let asked = log.clone();
        let file = tokio::task::spawn_blocking(move || asked.evidence(number)).await;
        let sent = match file {
            Ok(Ok(Some(file))) => peer.send_evidence(file).await,
            Ok(Ok(None)) => return,
            Ok(Err(error)) => Err(error),
            Err(error) => Err(Error::local(error.to_string())),
        };
        self.feed(log, move |log| match sent {
            Ok(sent) => log.evidence_sent(id, number, &sent, now()),
            Err(_) => log.feed(Input::Unanswered { peer: id }, now()),
        })
        .await;
    }

    /// Tells the machine of time, and of what following brought.
    async fn keep_up(self: Arc<Self>, log: Arc<LogGossip>) {
        let mut told = Instant::now();
        loop {
            let seconds = told.elapsed().as_secs();
            told += Duration::from_secs(seconds);
            self.feed(&log, move |log| {
                let mut acts = log.grown(now())?;
                acts.extend(log.more_evidence(now())?);
                acts.extend(log.refused_again(now())?);
                if seconds > 0 {
                    acts.extend(log.feed(Input::Ran { seconds }, now())?);
                }
                acts.extend(log.feed(Input::Tick, now())?);
                Ok(acts)
            })
            .await;
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = log.log().changed.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Looks at the log's head by every way out in turn, but the one by which it is followed.
    async fn look_around(self: Arc<Self>, at: usize) {
        let (log, ways) = (self.logs[at].clone(), &self.ways[at]);
        for turn in 1.. {
            if ways.len() < 2 || self.sleeps_to_the_end(self.config.every()).await {
                return;
            }
            // The first way out is the one by which the log is followed.
            let way = &ways[1 + turn % (ways.len() - 1)];
            match way.api.checkpoint().await {
                Ok(note) => self.show(&log, note, Source::Log).await,
                Err(error) => tracing::info!(origin = log.log().origin(), error = error.message, "another way out"),
            }
        }
    }

    /// Takes a note of somebody as a head, if the log signed it.
    pub(super) async fn show(self: &Arc<Self>, log: &Arc<LogGossip>, note: Vec<u8>, source: Source) {
        self.feed(log, move |log| {
            let Some(shown) = checked(log, &note) else { return Ok(Vec::new()) };
            let input = |head, random| Input::Received { head, source, proof: None, random };
            log.take(&shown, input, now()).map(|(_, acts)| acts)
        })
        .await;
    }

    /// Whether everything stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits; `true` when everything stops.
    pub(super) async fn sleeps_to_the_end(&self, wait: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => true,
            () = tokio::time::sleep(wait) => false,
        }
    }
}

/// A note that the log signed, of this log. What known witnesses cosigned of it is kept.
pub(super) fn checked(log: &LogGossip, note: &[u8]) -> Option<Checked> {
    let note = Note::parse(note).ok().filter(|note| note.claimed_origin() == log.log().origin())?;
    let head = log.check(note.clone()).ok()?;
    if let Err(error) = log.log().keep_cosigned(&note, &head) {
        tracing::error!(origin = log.log().origin(), error = error.message, "a cosigned head is not kept");
    }
    Some(head)
}

/// What is posted: as a witness takes it, with the proof if the own tree has it.
fn body_of(log: &LogGossip, head: Head, note: &[u8], old: TreeSize) -> Vec<u8> {
    let proof = super::own_proof(log.log(), old, head).ok().flatten();
    let (old, hashes) = proof.map_or((TreeSize(0), Vec::new()), |proof| (old, proof.hashes));
    let mut body = format!("old {old}\n");
    hashes.iter().for_each(|hash| body.push_str(&format!("{}\n", hash.to_base64())));
    body.push('\n');
    [body.as_bytes(), note].concat()
}

impl std::fmt::Debug for Gossip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gossip").field("peers", &self.peers).finish_non_exhaustive()
    }
}
