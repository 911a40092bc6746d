//! What a monitor costs: following a log from nothing, looks that find nothing new, new heads, and heads that others were shown.
//!
//! The monitor is a process of its own, so that its processor time is told apart from the log's; what it reads of the log goes
//! through a relay that counts bytes.

mod relay;
mod shown;

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use claimtrail_log::log::Log;
use client::follow::Hashing;
use client::http::Http;
use client::tiles::{HttpTiles, HttpTree, tree_error};
use proto::num::TreeSize;
use tokio::runtime::Handle;

use crate::process::{Programs, peak_bytes, processor_time};
use crate::watcher::MonitorUnderTest;
use relay::Relay;
use shown::{Shown, larger, smaller};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Seconds between two looks of the monitor, and how many of them find nothing new.
const LOOK: Duration = Duration::from_secs(1);
const IDLE_LOOKS: u32 = 20;
/// Heads that are new to it, each of so many entries more than the one before; between two of them it looks twice.
const NEW_HEADS: u32 = 20;
const ENTRIES_A_HEAD: u64 = 16;
/// Heads that somebody shows it: of its own past, and larger ones with their proofs. All together one address may show 200 at once, and
/// 48 larger ones have room.
const SMALLER_HEADS: u64 = 140;
const LARGER_HEADS: u64 = 40;
/// While heads are shown to it, it looks at the log by itself only once, at its start.
const SELDOM_SECONDS: u64 = 3600;
/// Between two questions how far it is.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// A monitor that follows slower than this is broken.
const SLOWEST_PER_SECOND: u64 = 500;

/// A log that is watched.
pub struct Watched<'a> {
    /// The log itself.
    pub log: &'a Log,
    /// Its address, `HOST:PORT`.
    pub address: &'a str,
    /// Its trust file.
    pub trust: &'a str,
    /// The program of the monitor.
    pub program: &'a Path,
    /// Adds so many claims to the log.
    pub grow: &'a dyn Fn(u64) -> Result<()>,
}

/// What was spent between two moments.
struct Spent {
    processor: Duration,
    read: u64,
}

/// A monitor that runs, and what counts what it spends.
struct Running {
    monitor: MonitorUnderTest,
    relay: Relay,
}

impl Running {
    fn spent(&self) -> Result<Spent> {
        let processor = processor_time(self.monitor.id()).ok_or("this system does not say what a process spends")?;
        Ok(Spent { processor, read: self.relay.answered() })
    }

    fn since(&self, before: &Spent) -> Result<Spent> {
        let now = self.spent()?;
        Ok(Spent { processor: now.processor - before.processor, read: now.read - before.read })
    }

    fn until_checked(&self, size: u64) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60 + size / SLOWEST_PER_SECOND);
        while self.monitor.status()["checked"].as_u64() < Some(size) {
            if Instant::now() > deadline {
                return Err(format!("the monitor has not checked {size} entries: {}", self.monitor.said()).into());
            }
            std::thread::park_timeout(ASK_EVERY);
        }
        Ok(())
    }
}

impl Watched<'_> {
    /// Measures all of it; each line of the report is given to `say`. Waits for the network, so it needs a thread of its own.
    pub fn measure(&self, say: &dyn Fn(&str)) -> Result<()> {
        let relay = Relay::to(self.address)?;
        let programs = Programs { client: self.program.into(), log: self.program.into(), monitor: self.program.into() };
        let monitor = MonitorUnderTest::init(programs, self.trust.as_bytes(), &relay.url(), false);
        let mut running = Running { monitor, relay };
        say(&format!("a monitor of a log of {} entries", self.size()));
        self.follow(&mut running, say)?;
        self.hash(&running, say)?;
        self.looks(&running, say)?;
        running.monitor.stop();
        running.monitor.poll_every(SELDOM_SECONDS);
        running.monitor.serve();
        running.until_checked(self.size())?;
        self.shown(&running, "a smaller head", &smaller(self.log, SMALLER_HEADS)?, say)?;
        let followed = TreeSize(self.size());
        self.shown(&running, "a larger head with its proof", &larger(self, followed, LARGER_HEADS)?, say)?;
        running.monitor.stop();
        Ok(())
    }

    fn size(&self) -> u64 {
        self.log.published().head.size.0
    }

    /// From entry 0: every entry hashed, every signature checked, every rule run.
    fn follow(&self, running: &mut Running, say: &dyn Fn(&str)) -> Result<()> {
        let (size, begun, read) = (self.size(), Instant::now(), running.relay.answered());
        running.monitor.serve();
        running.until_checked(size)?;
        let (taken, spent) = (begun.elapsed(), running.spent()?);
        let kept: u64 = folder_bytes(&running.monitor.path("state/logs"))?;
        let peak = peak_bytes(running.monitor.id()).unwrap_or(0);
        say(&format!(
            "  all entries with signatures and rules: {:.0} entries/s; of each {:.1} µs of processor time, {} bytes read, {} \
             bytes kept; at most {} MB of memory",
            size as f64 / taken.as_secs_f64(),
            spent.processor.as_secs_f64() * 1e6 / size as f64,
            (spent.read - read) / size,
            kept / size,
            peak / 1_000_000,
        ));
        Ok(())
    }

    /// The same entries through the same relay with no signature and no rule, as `claimtrail audit --hashes-only` does.
    fn hash(&self, running: &Running, say: &dyn Fn(&str)) -> Result<()> {
        let published = self.log.published();
        let (size, root) = (published.head.size, published.head.root);
        let tiles = HttpTiles::new(Http::new(&running.relay.url())?, Handle::current());
        let tree = HttpTree::open(tiles.clone(), size, &root).map_err(tree_error)?;
        let threads = NonZeroUsize::new(4).unwrap_or(NonZeroUsize::MIN);
        let begun = Instant::now();
        Hashing { tiles: &tiles, tree: &tree, threads, progress: &|_| {} }.run()?;
        say(&format!("  all entries, hashes alone: {:.0} entries/s", size.0 as f64 / begun.elapsed().as_secs_f64()));
        Ok(())
    }

    /// Looks that find nothing new, then new heads.
    fn looks(&self, running: &Running, say: &dyn Fn(&str)) -> Result<()> {
        let before = running.spent()?;
        pause(LOOK * IDLE_LOOKS);
        let idle = running.since(&before)?;
        let (idle_time, idle_read) = (idle.processor / IDLE_LOOKS, idle.read / u64::from(IDLE_LOOKS));
        say(&format!(
            "  a look that finds nothing new: {:.1} ms of processor time, {idle_read} bytes read",
            idle_time.as_secs_f64() * 1e3
        ));
        let before = running.spent()?;
        for _ in 0..NEW_HEADS {
            (self.grow)(ENTRIES_A_HEAD)?;
            pause(2 * LOOK);
        }
        // One of two looks finds a new head.
        let spent = running.since(&before)?;
        let (time, read) = (spent.processor / NEW_HEADS, spent.read / u64::from(NEW_HEADS));
        say(&format!(
            "  a look with a new head of {ENTRIES_A_HEAD} entries more: {:.1} ms of processor time, {} bytes read",
            time.saturating_sub(idle_time).as_secs_f64() * 1e3,
            read.saturating_sub(idle_read)
        ));
        running.until_checked(self.size())
    }

    /// Heads that somebody hands in, each of which must be taken for what it is.
    fn shown(&self, running: &Running, what: &str, heads: &[Shown], say: &dyn Fn(&str)) -> Result<()> {
        let http = Http::new(running.monitor.url())?;
        let (before, mut latencies, mut bytes) = (running.spent()?, Vec::new(), 0);
        for head in heads {
            let begun = Instant::now();
            let answer = Handle::current().block_on(head.hand_in(&http))?;
            latencies.push(begun.elapsed());
            bytes += head.body.len() as u64;
            if answer != head.expected {
                return Err(format!("{what}: the monitor says {answer}, not {}", head.expected).into());
            }
        }
        let (spent, count) = (running.since(&before)?, heads.len() as u64);
        latencies.sort_unstable();
        say(&format!(
            "  {what} that somebody shows: {:.2} ms of processor time, {} bytes taken, {} bytes read of the log; answered in \
             {:.1} ms (median of {count})",
            spent.processor.as_secs_f64() * 1e3 / count as f64,
            bytes / count,
            spent.read / count,
            latencies[latencies.len() / 2].as_secs_f64() * 1e3,
        ));
        Ok(())
    }
}

/// Waits so long; a thread that waited for the network before may be woken early.
fn pause(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

fn folder_bytes(folder: &Path) -> Result<u64> {
    let lengths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len()));
    lengths.sum::<std::io::Result<u64>>().map_err(Into::into)
}
