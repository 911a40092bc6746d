//! Witnesses without network and without waiting: time is paused, and whoever answers is told how.

mod asking;
mod heads;
mod rounds;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use prometheus_client::registry::Registry;
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::dsse::Envelope;
use proto::note::KeyName;
use proto::num::{Seconds, TreeSize};
use proto::policy::Policy;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::ask::{Ask, Asked, MAX_TRIES, Trouble};
use super::board::text_of;
use super::theirs::Seen;
use super::*;
use crate::sequencer::Published;
use crate::testing::{self, START_MS, TestLog, body, key, log_keys};

const SECOND: Duration = Duration::from_secs(1);

/// The time of test logs, in seconds.
const NOW: Seconds = Seconds(START_MS / 1000);

/// The test witness of this number.
fn cosigner(number: u8) -> Cosigner {
    Cosigner::new(KeyName::parse(&format!("w{number}.example")).unwrap(), key(100 + number)).unwrap()
}

/// A policy of witnesses 0, 1, … whose quorum is this many of them.
fn policy_text(witnesses: u8, quorum: &str) -> String {
    let keys = log_keys();
    let mut text = format!("log {}\nwitness time {}\n", keys.log_vkey(), keys.time_vkey());
    let names: Vec<String> = (0..witnesses).map(|number| format!("w{number}")).collect();
    for (number, name) in (0..witnesses).zip(&names) {
        text.push_str(&format!("witness {name} {} http://127.0.0.1:1/{name}\n", cosigner(number).vkey()));
    }
    match quorum {
        "none" => text.push_str("quorum none\n"),
        quorum => text.push_str(&format!("group all {quorum} {}\nquorum all\n", names.join(" "))),
    }
    text
}

fn plan(witnesses: u8, quorum: &str) -> Plan {
    Plan::read(policy_text(witnesses, quorum).as_bytes(), &log_keys().log_vkey()).unwrap()
}

/// How a witness behaves.
#[derive(Debug, Clone)]
enum Manner {
    /// Cosigns after so long.
    After(Duration),
    /// Says this.
    Says(Trouble),
    /// Was brought to the newest head by somebody else in the time that the question took; shows it, or not.
    Pushed {
        /// How long the question took.
        after: Duration,
        /// Whether it shows what it cosigned.
        shows: bool,
    },
    /// Never answers.
    Silent,
    /// Has a bug of ours in its way.
    Panics,
}

/// A witness that is told how to behave, and remembers when it was asked for which size.
struct Actor {
    cosigner: Cosigner,
    log: Arc<Log>,
    manner: Mutex<Manner>,
    asked: Mutex<Vec<(Instant, TreeSize)>>,
}

impl Actor {
    fn new(number: u8, manner: Manner, log: &TestLog) -> Arc<Actor> {
        let log = log.log.clone();
        Arc::new(Actor { cosigner: cosigner(number), log, manner: Mutex::new(manner), asked: Mutex::default() })
    }

    fn becomes(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn asked(&self) -> Vec<(Instant, TreeSize)> {
        self.asked.lock().unwrap().clone()
    }

    /// It has cosigned a head that the log did not ask it for.
    fn pushed(&self, head: &Published, shows: bool) -> Asked {
        let (size, own) = (head.head.size, head.note.clone());
        let line = self.line(&text_of(&own).unwrap());
        let seen = shows.then_some(Seen { size, own, line, time: NOW });
        Asked { known: size, line: Err(Trouble::Ahead(size)), seen }
    }

    fn line(&self, head: &CheckpointText) -> proto::note::NoteSignature {
        self.cosigner.sign(head, NOW).unwrap()
    }
}

impl Ask for Arc<Actor> {
    fn ask(&self, old: TreeSize, head: Arc<Published>) -> BoxFuture<'static, Asked> {
        self.asked.lock().unwrap().push((Instant::now(), head.head.size));
        let (actor, manner) = (self.clone(), self.manner.lock().unwrap().clone());
        Box::pin(async move {
            match manner {
                Manner::After(time) => {
                    tokio::time::sleep(time).await;
                    let line = actor.line(&text_of(&head.note).unwrap());
                    Asked { known: head.head.size, line: Ok((line, NOW)), seen: None }
                }
                Manner::Pushed { after, shows } => {
                    tokio::time::sleep(after).await;
                    let newest = actor.log.published();
                    if newest.head.size > head.head.size {
                        return actor.pushed(&newest, shows);
                    }
                    let line = actor.line(&text_of(&head.note).unwrap());
                    Asked { known: head.head.size, line: Ok((line, NOW)), seen: None }
                }
                Manner::Says(trouble) => Asked::failed(old, trouble),
                Manner::Silent => std::future::pending().await,
                Manner::Panics => panic!("as a test wants it"),
            }
        })
    }
}

fn down() -> Manner {
    Manner::Says(Trouble::Unreachable("refused".into()))
}

/// A log whose witnesses are asked.
struct Scene {
    log: TestLog,
    witnesses: Witnesses,
    actors: Vec<Arc<Actor>>,
    registry: Registry,
    task: JoinHandle<()>,
    _stop: DropGuard,
}

fn options(without_quorum: WithoutQuorum, record: &Path) -> WitnessOptions {
    WitnessOptions { every: SECOND, timeout: 5 * SECOND, without_quorum, wait: 10 * SECOND, record: record.to_owned() }
}

impl Scene {
    /// Two of these witnesses are enough.
    fn new(manners: &[Manner], without_quorum: WithoutQuorum, folder: &Path) -> Scene {
        Scene::on(TestLog::start(), manners, without_quorum, folder)
    }

    fn on(log: TestLog, manners: &[Manner], without_quorum: WithoutQuorum, folder: &Path) -> Scene {
        let count = u8::try_from(manners.len()).unwrap();
        let actors: Vec<_> =
            (0..count).zip(manners).map(|(number, manner)| Actor::new(number, manner.clone(), &log)).collect();
        let asks = actors.iter().enumerate();
        // The time key is the first witness of the policy.
        let asks = asks.map(|(i, actor)| (i + 1, format!("w{i}"), Arc::new(actor.clone()) as Arc<dyn Ask>)).collect();
        let mut registry = Registry::default();
        let options = options(without_quorum, &folder.join("w/checkpoint"));
        let clock = Arc::new(log.time.clone());
        let opened = Witnesses::open_with(&log.log, plan(count, "2"), &options, asks, clock, &mut registry);
        let (witnesses, rounds) = opened.unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(rounds.run(stop.clone()));
        Scene { log, witnesses, actors, registry, task, _stop: stop.drop_guard() }
    }

    /// Submits a claim. The sequencer has a thread of its own: while it works, paused time must not run away.
    async fn submit(&self, envelope: &Envelope) {
        submit(&self.log.log, envelope).await;
    }

    /// What `/checkpoint` says: its size, and how many lines of witnesses it has. Its note passes the log's own check.
    fn shown(&self) -> Option<(u64, usize)> {
        let note = self.witnesses.checkpoint()?;
        let policy = Policy::parse(policy_text(u8::try_from(self.actors.len()).unwrap(), "2")).unwrap();
        let checked = policy.check(&note).unwrap();
        assert!(checked.log_time.is_some(), "the log's time stays in the note");
        Some((checked.checkpoint.size().0, checked.quorum.cosigned))
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    /// Ends the task and gives the log back.
    async fn stop(self) -> TestLog {
        drop(self._stop);
        self.task.await.unwrap();
        self.log
    }
}

async fn submit(log: &Arc<Log>, envelope: &Envelope) {
    let (log, envelope, handle) = (log.clone(), body(envelope), tokio::runtime::Handle::current());
    let submitted = tokio::task::spawn_blocking(move || handle.block_on(log.submit(envelope)));
    submitted.await.unwrap().unwrap();
}

/// Lets time pass.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

fn supports(count: usize) -> Vec<Envelope> {
    (0..count).map(|number| testing::support(&format!("CAM-{number}"), "2031-03")).collect()
}
