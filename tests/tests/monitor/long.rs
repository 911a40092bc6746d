//! Honest logs under load, through restarts and with a clock that is set again and again: whatever the monitor tells of, it is
//! an outage.
//!
//! `STORY_SECONDS=180` runs each of them for three minutes; `STORY_SEED` repeats one.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use claimtrail_log::clock::{SystemTime, TimeSource};
use claimtrail_log::http::{HttpOptions, public_router};
use claimtrail_log::log::{IssuerLimit, Log, LogConfig};
use claimtrail_log::sequencer::QueueLimits;
use claimtrail_log::store::Store;
use claimtrail_log::store::memory::MemoryStore;
use claimtrail_log::testing::{self, MemorySigner};
use claimtrail_log::torture::Random;
use harness::cluster::{LogUnderTest, ORIGIN};
use harness::process::{until, until_free};
use harness::watcher::MonitorUnderTest;
use monitor::finding::{Event, What};
use service::listen::{ServeOptions, Server};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{monitor_of, programs, wait};

/// How long an honest log is watched unless `STORY_SECONDS` says otherwise.
const SECONDS: u64 = 6;
/// The longest time between two restarts, in ms.
const LONGEST_MS: u64 = 3_000;
/// How far the clock is set to either side, in ms: both ways together stay within what a log takes for a correction.
const JITTER_MS: u64 = 4_500;
/// Looks every second, and says an outage as soon as it can.
const IMPATIENT: &str = "[poll]\noutage_after_seconds = 1\nretry_seconds = 1\n";

fn length() -> Duration {
    let seconds = std::env::var("STORY_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    Duration::from_secs(seconds)
}

fn random() -> Random {
    let given = std::env::var("STORY_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| client::clock::now().0);
    println!("seed {seed}; run it again with STORY_SEED={seed}");
    Random::new(seed)
}

/// Waits for a moment.
fn pass(ms: u64) {
    let moment = Instant::now() + Duration::from_millis(ms);
    until("a moment", || (Instant::now() >= moment).then_some(()));
}

/// Stops the monitor and reads everything that it ever told of.
fn only_outages(monitor: &mut MonitorUnderTest, origin: &str, size: u64) {
    monitor.until_checked(size);
    monitor.stop();
    let events = monitor.events(origin);
    let outage = |event: &Event| {
        let (What::Began(finding) | What::Ended(finding)) = &event.what else { return false };
        finding.code == "log.unreachable"
    };
    let accusing: Vec<_> = events.iter().filter(|event| !outage(event)).collect();
    assert!(accusing.is_empty(), "an honest log is accused: {accusing:#?}");
    println!("{size} entries, {} beginnings and ends of outages, nothing else", events.len());
    let (code, status) = monitor.once();
    assert_eq!((code, status["open"].as_array().map(Vec::len)), (0, Some(0)), "{status:#}");
}

/// The load tool in the background. Dropping it ends it.
struct Load(Child);

impl Drop for Load {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait()); // it may have finished
    }
}

fn load(log: &LogUnderTest) -> Load {
    let seconds = length().as_secs().to_string();
    let mut command = Command::new(&log.programs.client);
    command.args(["--trust", "log/trust.policy", "--url", log.url(), "--json", "hammer", "--keys", "keys"]);
    command.args(["--rate", "200", "--duration", &seconds, "-c", "8", "--patience", "30", "--verify", "none"]);
    command.current_dir(log.path()).env("CLAIMTRAIL_STATE", log.path().join("state"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Load(command.spawn().expect("the load tool starts"))
}

fn size(log: &LogUnderTest) -> u64 {
    let trust = std::fs::read(log.data().join("trust.policy")).unwrap();
    let note = wait(client::api::Api::new(client::http::Http::new(log.url()).unwrap()).checkpoint()).unwrap();
    proto::policy::Policy::parse(&trust).unwrap().check(&note).unwrap().checkpoint.size().0
}

#[test]
fn an_honest_log_under_load_and_restarts_is_never_accused() {
    let mut random = random();
    let mut log = LogUnderTest::start(programs());
    log.client(&["hammer", "--registrar-key", "log/keys/registrar.key", "--issuers", "4", "--keys", "keys", "-n", "1"]);
    let mut monitor = monitor_of(&log, true);
    monitor.configure(IMPATIENT);
    monitor.serve();
    let (end, load) = (Instant::now() + length(), load(&log));
    let (mut killed, mut stopped) = (0, 0);
    while Instant::now() < end {
        pass(500 + random.below(LONGEST_MS));
        match random.below(2) {
            0 => {
                log.kill();
                killed += 1;
            }
            _ => {
                log.stop();
                stopped += 1;
            }
        }
        // Sometimes long enough for the monitor to notice.
        pass(random.below(LONGEST_MS));
        log.serve_again();
    }
    drop(load);
    println!("{killed} times killed, {stopped} times stopped");
    only_outages(&mut monitor, ORIGIN, size(&log));
}

/// The machine's clock with somebody who sets it.
#[derive(Clone)]
struct Jittered(Arc<(SystemTime, AtomicI64)>);

impl TimeSource for Jittered {
    fn wall_ms(&self) -> u64 {
        self.0.0.wall_ms().saturating_add_signed(self.0.1.load(Ordering::SeqCst))
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.0.monotonic_ms()
    }
}

/// A log in this process, served until it is stopped.
struct Running {
    log: Arc<Log>,
    address: std::net::SocketAddr,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

impl Running {
    fn start(
        runtime: &Runtime,
        address: std::net::SocketAddr,
        store: &Arc<dyn Store>,
        signer: &MemorySigner,
        clock: &Jittered,
    ) -> Running {
        let log = Log::open(LogConfig {
            keys: testing::log_keys(),
            signer: Box::new(signer.clone()),
            store: store.clone(),
            time: Box::new(clock.clone()),
            queue: QueueLimits::default(),
            issuer: IssuerLimit::default(),
            read_only: None,
        })
        .expect("an honest log starts again");
        let server = runtime.block_on(Server::bind(address)).expect("its address");
        let (address, stop) = (server.address(), CancellationToken::new());
        let router = public_router(log.clone(), HttpOptions::default());
        let running = server.run(router, ServeOptions::default(), stop.clone());
        let ended = runtime.spawn(async move { _ = running.await });
        Running { log, address, stop, ended }
    }

    fn stop(self, runtime: &Runtime) {
        self.stop.cancel();
        runtime.block_on(self.ended).expect("it ends");
        self.log.stop();
    }
}

#[test]
fn an_honest_log_whose_clock_is_set_again_and_again_is_never_accused() {
    let mut random = random();
    let runtime = Runtime::new().unwrap();
    let clock = Jittered(Arc::new((SystemTime::new(), AtomicI64::new(0))));
    let (store, signer): (Arc<dyn Store>, _) = (Arc::new(MemoryStore::new(testing::ORIGIN)), MemorySigner::new());
    Log::found(store.clone(), Box::new(signer.clone()), Box::new(clock.clone()), testing::constitution()).unwrap();
    let mut running = Running::start(&runtime, ([127, 0, 0, 1], 0).into(), &store, &signer, &clock);
    wait(running.log.submit(testing::body(&testing::acme()))).expect("enrolled");
    let url = format!("http://{}", running.address);
    let mut monitor = MonitorUnderTest::init(programs(), &harness::zoo::trust(), &url, true);
    monitor.configure(IMPATIENT);
    monitor.serve();
    let end = Instant::now() + length();
    let (mut claims, mut restarts) = (0u64, 0);
    while Instant::now() < end {
        let offset = i64::try_from(random.below(2 * JITTER_MS)).unwrap() - i64::try_from(JITTER_MS).unwrap();
        clock.0.1.store(offset, Ordering::SeqCst);
        for _ in 0..random.below(20) {
            let claim = testing::support(&format!("CAM-{claims}"), "2031-03");
            wait(running.log.submit(testing::body(&claim))).expect("logged");
            claims += 1;
        }
        pass(random.below(300));
        if random.below(8) == 0 {
            let address = running.address;
            running.stop(&runtime);
            until_free(address);
            running = Running::start(&runtime, address, &store, &signer, &clock);
            restarts += 1;
        }
    }
    println!("{claims} claims, {restarts} restarts");
    only_outages(&mut monitor, testing::ORIGIN, running.log.published().head.size.0);
    running.stop(&runtime);
}
