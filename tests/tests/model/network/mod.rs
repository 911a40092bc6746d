//! Monitors on a simulated network (turmoil), each world made from a seed: latencies, cut links, a monitor that is down, peers
//! that accept and never answer, losses, crashes. Measured in simulated time: from the moment at which the log shows two
//! histories until every monitor that is connected has evidence.
//!
//! The machine is the monitor's own, so are the forms of pushes and evidence, and every head and file is verified. The network
//! access is not: the monitor's client has no place for another network's connections.

mod host;
mod tests;
mod wire;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::hash::Hash;
use turmoil::net::TcpListener;
use turmoil::{Builder, Sim};

use crate::gossip::node::Node;
use crate::history::Histories;
use host::{Disk, Host, POLL, PORT, Shows, name};
use wire::Log;

/// Entries that both histories have.
const COMMON: u8 = 20;
/// Entries of each.
const ALL: u8 = 60;
/// When the log shows two histories. By then everybody follows.
const FORK_AT: Duration = Duration::from_secs(12);
/// The step of simulated time. What takes less happens at once.
const STEP: Duration = Duration::from_millis(10);

/// What is wrong with the world.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trouble {
    pub(crate) monitors: u8,
    /// Peers of everybody that accept connections and never answer.
    pub(crate) silent: u8,
    /// Monitors that are down from the beginning.
    pub(crate) down: u8,
    /// Of a hundred links so many are cut; who is left connected is found by the fork.
    pub(crate) cut_percent: u8,
    /// The probability that a link breaks with a message; it comes back after some more.
    pub(crate) loss: f64,
    /// One monitor crashes when the log shows two histories, and is back after a while.
    pub(crate) crash: bool,
    /// The log is honest.
    pub(crate) honest: bool,
}

/// Numbers from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        let hash = Hash::of(&self.0.to_be_bytes());
        self.0 = u64::from_be_bytes(hash.0[..8].try_into().unwrap());
        self.0 % bound
    }
}

/// One world.
pub(crate) struct World {
    sim: Sim<'static>,
    hosts: Vec<Arc<Host>>,
    /// Who is down from the beginning.
    down: BTreeSet<u8>,
    cut: BTreeSet<(u8, u8)>,
    /// Who crashes, and when it is back.
    crash: Option<(u8, Duration)>,
    /// Until when nobody can know: both histories must have been seen by two who are connected.
    seed: u64,
}

/// The size that the log shows. It grows by an entry every two seconds, and by more when it forks.
fn shows(honest: bool) -> Arc<Shows> {
    Arc::new(move |_, at: Duration| {
        let slow = 3 + u8::try_from(at.as_secs() / 2).unwrap_or(u8::MAX).min(COMMON - 5);
        match at >= FORK_AT {
            true if honest => COMMON,
            true => COMMON + 1 + u8::try_from((at - FORK_AT).as_secs() / 2).unwrap_or(u8::MAX).min(ALL - COMMON - 2),
            false => slow,
        }
    })
}

impl World {
    pub(crate) fn new(log: &Arc<Log>, trouble: Trouble, seed: u64) -> World {
        let mut draw = Draw(seed);
        let mut builder = Builder::new();
        let slowest = Duration::from_millis(5 + draw.below(60));
        builder.rng_seed(seed).tick_duration(STEP).enable_random_order().fail_rate(trouble.loss).repair_rate(0.2);
        builder.min_message_latency(Duration::from_millis(1)).max_message_latency(slowest);
        builder.simulation_duration(Duration::from_secs(3600));
        let mut sim = builder.build();
        let all = trouble.monitors + trouble.silent;
        // One at least is shown the fork, and one at least is not.
        let forked = 1 + draw.below(u64::from(trouble.monitors) - 1);
        let shows = shows(trouble.honest);
        let mut hosts = Vec::new();
        for me in 0..trouble.monitors {
            let peers = (0..all).filter(|peer| *peer != me).collect();
            let node = Node::new(me, peers, u64::from(me) < forked && !trouble.honest);
            let disk = Mutex::new(Disk { node, files: Vec::new(), since: None });
            let phase = Duration::from_millis(draw.below(u64::try_from(POLL.as_millis()).unwrap()));
            let host = Arc::new(Host { log: log.clone(), shows: shows.clone(), phase, disk });
            hosts.push(host.clone());
            sim.host(name(me), move || host.clone().run());
        }
        for me in trouble.monitors..all {
            sim.host(name(me), silent);
        }
        let mut world = World { sim, hosts, down: BTreeSet::new(), cut: BTreeSet::new(), crash: None, seed };
        world.spoil(trouble, &mut draw);
        world
    }

    fn spoil(&mut self, trouble: Trouble, draw: &mut Draw) {
        let monitors = u64::from(trouble.monitors);
        while self.down.len() < usize::from(trouble.down) {
            self.down.insert(u8::try_from(draw.below(monitors)).unwrap());
        }
        let links: Vec<(u8, u8)> = (0..trouble.monitors).flat_map(|a| (0..a).map(move |b| (b, a))).collect();
        while self.cut.len() < links.len() * usize::from(trouble.cut_percent) / 100 {
            self.cut.insert(links[usize::try_from(draw.below(links.len() as u64)).unwrap()]);
        }
        if trouble.crash {
            let back = FORK_AT + Duration::from_millis(draw.below(20_000));
            self.crash = Some((u8::try_from(draw.below(monitors)).unwrap(), back));
        }
        for down in self.down.clone() {
            self.sim.crash(name(down));
        }
        for (a, b) in self.cut.clone() {
            self.sim.partition(name(a), name(b));
        }
    }

    /// Those who can know of a fork: who is connected, through monitors that run, to somebody of each history.
    fn can_know(&self) -> BTreeSet<u8> {
        let all = 0..u8::try_from(self.hosts.len()).unwrap();
        let mut left: BTreeSet<u8> = all.filter(|node| !self.down.contains(node)).collect();
        let mut can = BTreeSet::new();
        while let Some(first) = left.pop_first() {
            let (mut part, mut next) = (BTreeSet::from([first]), vec![first]);
            while let Some(at) = next.pop() {
                let is_joined = |other: &u8| !self.cut.contains(&(at.min(*other), at.max(*other)));
                let joined: Vec<u8> = left.iter().copied().filter(is_joined).collect();
                joined.iter().for_each(|node| assert!(left.remove(node)));
                part.extend(&joined);
                next.extend(joined);
            }
            let shown: BTreeSet<bool> =
                part.iter().map(|node| self.hosts[usize::from(*node)].is_shown_fork()).collect();
            if shown.len() == 2 {
                can.extend(part);
            }
        }
        can
    }

    /// Runs until everybody who can knows, or for so long behind the fork; how long it took.
    pub(crate) fn run(&mut self, longest: Duration) -> Option<Duration> {
        let can = self.can_know();
        let mut is_crashed = false;
        loop {
            self.sim.step().unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
            let now = self.sim.elapsed();
            if let Some((who, back)) = self.crash {
                if !is_crashed && now >= FORK_AT && now < back {
                    self.sim.crash(name(who));
                    is_crashed = true;
                } else if is_crashed && now >= back {
                    self.sim.bounce(name(who));
                    self.crash = None;
                }
            }
            let since: Vec<Option<Duration>> = can.iter().map(|node| self.hosts[usize::from(*node)].since()).collect();
            if !can.is_empty() && since.iter().all(Option::is_some) {
                return since.into_iter().flatten().max().map(|last| last.saturating_sub(FORK_AT));
            }
            if now >= FORK_AT + longest {
                return None;
            }
        }
    }

    pub(crate) fn evidence(&self) -> usize {
        self.hosts.iter().filter(|host| host.since().is_some()).count()
    }
}

impl Host {
    fn since(&self) -> Option<Duration> {
        self.disk.lock().unwrap().since
    }

    fn is_shown_fork(&self) -> bool {
        self.disk.lock().unwrap().node.fork
    }
}

/// Accepts connections and keeps them, without a word.
async fn silent() -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let mut kept = Vec::new();
    loop {
        kept.push(listener.accept().await?);
    }
}

/// The log of all worlds: its heads are signed once.
pub(crate) fn log() -> Arc<Log> {
    Arc::new(Log::new(Histories::new(COMMON, ALL)))
}
