//! Audits of a whole log measured: over HTTP, of a copy in a folder, and its hashes alone.

use std::path::Path;
use std::time::{Duration, Instant};

use client::Error;
use client::api::Api;
use client::audit::{Audit, Outcome};
use client::state::State;
use client::tiles::HttpTiles;
use client::trust::Trust;
use proto::ed25519::SecretKey;

/// How long strict checks are counted.
const CHECKING: Duration = Duration::from_secs(2);
/// Bytes of a message that is checked: about those of a claim of 1 KiB.
const MESSAGE_BYTES: usize = 1200;

/// A log to audit.
pub struct Subject<'a> {
    /// Its API.
    pub api: &'a Api,
    /// Its tiles over HTTP.
    pub tiles: &'a HttpTiles,
    /// Its copy in a folder, with a checkpoint.
    pub copy: &'a Path,
    /// Its tiles from that folder.
    pub copied: &'a HttpTiles,
    /// Its trust file.
    pub trust: &'a Trust,
    /// Its origin.
    pub origin: &'a str,
}

/// What an audit took.
#[derive(Debug)]
pub struct Measured {
    /// Which audit.
    pub name: &'static str,
    /// Entries a second.
    pub rate: f64,
}

impl Subject<'_> {
    /// Audits from nothing, three ways; each must be clean. Waits for the network, so it needs a thread of its own.
    pub fn audit(&self) -> Result<[Measured; 3], Error> {
        let note = self.tiles.wait(self.api.checkpoint())?;
        let copy = client::files::read(&self.copy.join("checkpoint"), client::api::MAX_CHECKPOINT_BYTES)?;
        Ok([
            self.one("everything, over HTTP", Some(self.api), self.tiles, |audit| audit.run(&note))?,
            self.one("everything, a copy in a folder", None, self.copied, |audit| audit.run(&copy))?,
            self.one("hashes alone, a copy in a folder", None, self.copied, |audit| audit.hashes(&copy))?,
        ])
    }

    fn one(
        &self,
        name: &'static str,
        api: Option<&Api>,
        tiles: &HttpTiles,
        run: impl FnOnce(&mut Audit<'_>) -> Result<Outcome, Error>,
    ) -> Result<Measured, Error> {
        let folder = tempfile::tempdir().map_err(|error| Error::local(error.to_string()))?;
        let state = State::at(Some(folder.path().to_owned()))?;
        let (trust, origin) = (self.trust, self.origin);
        let threads = 2 * processors(); // as the command does
        let mut silent = |_, _| {};
        let mut audit =
            Audit { api, tiles: tiles.clone(), trust, origin, state: &state, threads, progress: &mut silent };
        let begun = Instant::now();
        let outcome = run(&mut audit)?;
        let rate = outcome.size.0 as f64 / begun.elapsed().as_secs_f64();
        match outcome.breaches.first() {
            None => Ok(Measured { name, rate }),
            Some(breach) => Err(Error::not_proven(format!("the audit found {breach:?}"))),
        }
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

/// Strict signature checks a second, all processors together and nothing else done: the bound of every audit.
pub fn strict_checks() -> f64 {
    let secret = SecretKey::from_seed(&[7; 32]); // a test key
    let (key, message) = (secret.public(), vec![b'x'; MESSAGE_BYTES]);
    let signature = secret.sign(&message);
    let begun = Instant::now();
    let check = || {
        let mut checked = 0u64;
        while begun.elapsed() < CHECKING {
            checked += u64::from(key.verify(&message, &signature).is_ok());
        }
        checked
    };
    let checked: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..processors()).map(|_| scope.spawn(check)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    });
    checked as f64 / begun.elapsed().as_secs_f64()
}
