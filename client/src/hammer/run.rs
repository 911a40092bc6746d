//! A run: threads that send and read, one that keeps the time, one that verifies, and the caller's, which watches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use proto::claim::ClaimId;
use proto::dsse::Envelope;
use proto::entry::Entry;
use proto::num::TreeSize;
use proto::tile::TILE_WIDTH;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::check::{Checker, JOBS, Job};
use super::options::{Checks, Options, Read, Work};
use super::outcome::{Ended, Outcome, Spent};
use super::random::{self, Random};
use super::shared::Shared;
use super::stream::Stream;
use super::tally::{Kind, Lane, Tally};
use super::wire::Dialer;
use super::{read, send};
use crate::api::Api;
use crate::error::Error;
use crate::http::Http;
use crate::submit::Item;
use crate::tiles::HttpTiles;

/// How often the caller's thread looks whether to stop.
const LOOK: Duration = Duration::from_millis(50);
/// How often the watcher is told.
const SHOW: Duration = Duration::from_millis(250);
/// Bundles that claims are taken from, whose receipts are asked for.
const KNOWN_BUNDLES: u64 = 8;

/// How far a run is.
#[derive(Debug)]
pub struct Glimpse {
    /// Since the begin.
    pub elapsed: Duration,
    /// The figures so far, by kind.
    pub tallies: Vec<(Kind, Tally)>,
}

/// Runs; `watch` is told of the progress a few times a second.
pub fn run(options: Options, watch: Option<&mut dyn FnMut(&Glimpse)>) -> Result<Outcome, Error> {
    options.check()?;
    let runtime = io_runtime()?;
    let api = Api::new(Http::new(&options.target.base())?.with_deadline(options.patience));
    let tiles = HttpTiles::new(api.http().clone(), runtime.handle().clone());
    let seed = random::nonce()?;
    let (size, known) = look_around(&options, &api, &tiles, seed)?;
    let known = Arc::new(known);
    let checks = options.checks != Checks::None && !matches!(options.work, Work::Add(_));
    let (jobs, checker) = match options.trust.clone().filter(|_| checks) {
        None => (None, None),
        Some((trust, origin)) => {
            let (jobs, todo) = mpsc::channel::<Job>(JOBS);
            let mut checker = Checker::new(trust, origin, api, tiles);
            (checker.claims, checker.known) = (options.claims().cloned(), known.clone());
            (Some(jobs), Some((checker, todo)))
        }
    };
    let dialer = Dialer::new(Arc::new(options.target.clone()))?;
    let shared = Arc::new(Shared::new(options, dialer, size.0, known, jobs));
    Ok(execute(shared, checker, seed, watch))
}

/// For requests beside the load.
pub(super) fn io_runtime() -> Result<Runtime, Error> {
    let built = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    built.map_err(|e| Error::local(format!("no threads for the network: {e}")))
}

/// What readers must know before: how large the log is, and some of its claims.
fn look_around(options: &Options, api: &Api, tiles: &HttpTiles, seed: u64) -> Result<(TreeSize, Vec<Item>), Error> {
    if options.readers == 0 && options.proofs == 0 {
        return Ok((TreeSize(0), Vec::new()));
    }
    let note = tiles.wait(api.checkpoint())?;
    let size = read::size_of(&note).filter(|size| *size > TreeSize(0));
    let size = size.ok_or_else(|| Error::unreachable("the log has no entries, or its head has no size"))?;
    let mut known = Vec::new();
    if options.proofs > 0 {
        let bundles = size.0.div_ceil(u64::from(TILE_WIDTH));
        let mut random = Random::at(seed, u64::MAX);
        for _ in 0..KNOWN_BUNDLES.min(bundles) {
            for bytes in tiles.bundle(random.below(bundles), size)? {
                let entry = Entry::decode(&bytes)
                    .map_err(|e| Error::unreachable(format!("an entry of the log cannot be read: {e}")))?;
                let Entry { payload_type, payload, signatures, .. } = entry;
                let envelope = Envelope { payload_type, payload, signatures };
                let id = ClaimId::of(&envelope.payload_type, &envelope.payload);
                known.push(Item { label: format!("claim {id}"), path: None, envelope, id });
            }
        }
    }
    Ok((size, known))
}

fn execute(
    shared: Arc<Shared>,
    checker: Option<(Checker, mpsc::Receiver<Job>)>,
    seed: u64,
    mut watch: Option<&mut dyn FnMut(&Glimpse)>,
) -> Outcome {
    let checks = shared.options.checks;
    let (done, finished) = std::sync::mpsc::channel();
    let begun = Instant::now();
    shared.begin(begun);
    std::thread::scope(move |scope| {
        let (writes, reads) = (shared.clone(), shared.clone());
        let metronomes = [scope.spawn(move || writes.writes.tick()), scope.spawn(move || reads.reads.tick())];
        let checking = checker.map(|(checker, todo)| scope.spawn(move || timed(|| checker.run(todo))));
        let mut workers = Vec::new();
        for lane in 0..shared.options.threads {
            let (shared, done) = (shared.clone(), done.clone());
            workers.push(scope.spawn(move || {
                let work = timed(|| work(shared, seed, lane));
                let _watched = done.send(());
                work.1
            }));
        }
        drop(done);
        let (mut left, mut shown, mut interrupted) = (workers.len(), Instant::now(), false);
        while left > 0 {
            match finished.recv_timeout(LOOK) {
                Ok(()) => left -= 1,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => left = 0,
            }
            if shared.options.interrupt.load(Ordering::Relaxed) {
                interrupted = true;
                shared.stop();
            }
            if let Some(watch) = watch.as_mut().filter(|_| shown.elapsed() >= SHOW) {
                let tallies = shared.total().tallies.into_iter().collect();
                watch(&Glimpse { elapsed: begun.elapsed(), tallies });
                shown = Instant::now();
            }
        }
        let elapsed = begun.elapsed();
        let spent = workers.into_iter().filter_map(|worker| worker.join().ok()).sum();
        shared.stop();
        let [never_sent, never_read] = metronomes.map(|metronome| metronome.join().unwrap_or_default());
        let mut total = shared.total();
        total.added = shared.take_added();
        let kinds = [(never_sent, writes_kind(&shared.options)), (never_read, reads_kind(&shared.options))];
        kinds.into_iter().for_each(|(moments, kind)| never(&shared, &mut total, kind, &moments));
        let (ended, options) = (ended(&shared, interrupted), shared.options.clone());
        // The checker ends when nobody can ask it any more.
        drop(shared);
        let (verified, checking) = checking.and_then(|checking| checking.join().ok()).unwrap_or_default();
        let spent = Spent { loading: spent, checking };
        Outcome::new(&options, checks, ended, begun, elapsed, total, verified, spent)
    })
}

/// Runs on this thread; also how long the processor worked for it.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let result = work();
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(spent.tv_sec).unwrap_or(0);
    (result, Duration::new(seconds, u32::try_from(spent.tv_nsec).unwrap_or(0)))
}

fn writes_kind(options: &Options) -> Kind {
    if matches!(options.work, Work::Add(_)) { Kind::Add } else { Kind::Claim }
}

fn reads_kind(options: &Options) -> Kind {
    match options.reads.first().filter(|_| options.readers > 0) {
        None => Kind::Receipt,
        Some(Read::Tile) => Kind::Tile,
        Some(Read::Bundle) => Kind::Bundle,
        Some(Read::Newest) => Kind::Checkpoint,
    }
}

/// Requests that were due and that no connection came to send.
fn never(shared: &Shared, total: &mut Lane, kind: Kind, moments: &[Instant]) {
    for intended in moments.iter().filter(|intended| shared.counts(**intended)) {
        total.of(kind).unanswered(intended.elapsed());
    }
}

fn ended(shared: &Shared, interrupted: bool) -> Ended {
    let pace = if shared.options.sends() { &shared.writes } else { &shared.reads };
    match shared.lost() {
        Some(error) => Ended::Lost(error),
        None if interrupted => Ended::Interrupted,
        None if !pace.used_up() => Ended::Duration,
        None if shared.options.duration.is_none() => Ended::Count,
        None if shared.options.rate.is_some() => Ended::Duration,
        None if shared.options.count.is_some_and(|count| count == shared.options.most()) => Ended::Count,
        None => Ended::UsedUp,
    }
}

/// One thread: its share of the connections.
fn work(shared: Arc<Shared>, seed: u64, lane: usize) {
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
        shared.failed(lane, Kind::Claim, &std::io::Error::other("no runtime"));
        return;
    };
    runtime.block_on(async {
        let mut senders = JoinSet::new();
        let mut readers = JoinSet::new();
        let options = &shared.options;
        let mine = |count: usize| (0..count).filter(|place| place % options.threads == lane);
        for _ in mine(options.connections) {
            match &options.work {
                Work::Nothing => {}
                Work::Claims(claims) => drop(senders.spawn(send::claims(shared.clone(), claims.clone(), lane))),
                Work::Streams(claims) => {
                    drop(senders.spawn(Stream::new(shared.clone(), claims.clone(), lane).run()));
                }
                Work::Add(bytes) => drop(senders.spawn(send::adds(shared.clone(), *bytes, seed, lane))),
            }
        }
        mine(options.readers).for_each(|place| drop(readers.spawn(read::tiles(shared.clone(), seed, lane, place))));
        mine(options.proofs).for_each(|place| {
            drop(readers.spawn(read::receipts(shared.clone(), seed, lane, options.readers + place)));
        });
        let all = async {
            while senders.join_next().await.is_some() {}
            if options.sends() {
                shared.sender_thread_done();
            }
            while readers.join_next().await.is_some() {}
        };
        tokio::select! {
            () = all => {}
            // Requests under way get a moment to end.
            () = async { shared.stopped().await; tokio::time::sleep(Duration::from_secs(1)).await } => {}
        }
    });
}
