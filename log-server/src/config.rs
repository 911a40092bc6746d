//! The operator's configuration: one TOML file, over it the environment (`CLAIMTRAIL_LOG_…`), over that the flags.
//!
//! Every key is documented where it is declared. Unknown keys are refused. Relative paths are taken from the folder that the
//! file is in.

mod witness;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use service::admin_host::AdminHosts;
use service::client_addr::TrustedProxies;
use service::config::{ConfigError, Layers};
use service::limits::ServeLimits;
use service::logging::LogConfig as Logging;

pub use witness::{LimitMillis, WitnessConfig};

use crate::http::{AddressLimit, DEFAULT_TILE_CACHE_BYTES, StreamLimits};
use crate::log::IssuerLimit;
use crate::sequencer::{MAX_BATCH_BYTES, QueueLimits};
use crate::store::rocks::{DEFAULT_CACHE_BYTES, DEFAULT_RESERVE_BYTES, RocksOptions};

/// What the names of environment variables begin with: `listen.address` is `CLAIMTRAIL_LOG_LISTEN__ADDRESS`.
pub const ENVIRONMENT_PREFIX: &str = "CLAIMTRAIL_LOG";

/// The name of the file in the folder that `init` makes.
pub const FILE_NAME: &str = "config.toml";

/// Where claims and reads are served unless configured otherwise: for a proxy on the same machine.
const DEFAULT_ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);

/// Where health and metrics are served unless configured otherwise; never for the public.
const DEFAULT_ADMIN: ([u8; 4], u16) = ([127, 0, 0, 1], 8081);

/// The configuration of a log server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The log's origin: the first line of its checkpoints and the name of its key. Fixed for ever by entry 0.
    pub origin: String,
    /// Why the log takes no claims for now, shown to submitters; absent: it takes them. Reads go on.
    #[serde(default)]
    pub read_only: Option<String>,
    /// Where the log's keys are.
    #[serde(default)]
    pub keys: Keys,
    /// What the signer remembers.
    #[serde(default)]
    pub signer: Signer,
    /// Where the log is kept.
    #[serde(default)]
    pub store: StoreConfig,
    /// The addresses.
    #[serde(default)]
    pub listen: Listen,
    /// Who cosigns the log's heads; absent: nobody.
    #[serde(default)]
    pub witness: Option<WitnessConfig>,
    /// What clients may do.
    #[serde(default)]
    pub limits: Limits,
    /// What the server says on standard error: `level` and `format` (`text` or `json`).
    #[serde(default)]
    pub log: Logging,
}

/// Where the log's keys are: files with one line `PRIVATE+KEY+…`, mode 0600.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// The key of its heads.
    pub log: PathBuf,
    /// The key of its time.
    pub time: PathBuf,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys { log: "keys/log.key".into(), time: "keys/time.key".into() }
    }
}

/// What the signer remembers.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Signer {
    /// The record of the last head signed: outside the store, and outside its backups. Never restore it from a backup.
    pub record: PathBuf,
}

impl Default for Signer {
    fn default() -> Signer {
        Signer { record: "signer/record".into() }
    }
}

/// Where the log is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The data folder of the store.
    pub dir: PathBuf,
    /// Bytes of the disk that the log leaves free: it refuses claims before it takes them, so that reads, compaction and an
    /// orderly stop go on. 0 switches the check off.
    pub disk_reserve_bytes: u64,
    /// Bytes of the store's data that are kept in memory.
    pub cache_bytes: usize,
    /// Bytes of full tiles and entry bundles that are kept in memory as they are sent.
    pub tile_cache_bytes: usize,
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        StoreConfig {
            dir: "store".into(),
            disk_reserve_bytes: DEFAULT_RESERVE_BYTES,
            cache_bytes: DEFAULT_CACHE_BYTES,
            tile_cache_bytes: DEFAULT_TILE_CACHE_BYTES,
        }
    }
}

/// The addresses.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Where claims are taken and the log is read. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Where `/healthz`, `/readyz` and `/metrics` are; not for the public.
    pub admin: SocketAddr,
    /// DNS names under which that address is asked, such as the one in the configuration of Prometheus. Besides these it answers
    /// only requests for an IP address or for `localhost`.
    pub admin_hosts: AdminHosts,
    /// Addresses or networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
}

impl Default for Listen {
    fn default() -> Listen {
        Listen {
            address: DEFAULT_ADDRESS.into(),
            admin: DEFAULT_ADMIN.into(),
            admin_hosts: AdminHosts::default(),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// A day: whoever waits longer for a client waits for ever, and no clock can count any number of seconds on.
const MAX_LIMIT_SECONDS: u64 = 86_400;

/// A time limit: 1 to 86,400, a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub struct LimitSeconds(u64);

impl TryFrom<u64> for LimitSeconds {
    type Error = String;

    fn try_from(seconds: u64) -> Result<LimitSeconds, String> {
        match (1..=MAX_LIMIT_SECONDS).contains(&seconds) {
            true => Ok(LimitSeconds(seconds)),
            false => Err(format!("{seconds} is no time limit: it is 1 to {MAX_LIMIT_SECONDS} seconds")),
        }
    }
}

/// What clients may do. The defaults are the constants of the modules that keep the limits, each with its reason.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Claims that wait for the sequencer at most.
    pub queue_claims: NonZeroUsize,
    /// Payload bytes that wait at most; at least one batch.
    pub queue_bytes: NonZeroUsize,
    /// Claims that one issuer may submit a second in the long run.
    pub issuer_per_second: NonZeroU32,
    /// Claims that one issuer may submit at once.
    pub issuer_burst: NonZeroU32,
    /// Requests that submit and lines of streams that one address (IPv6: one /64) may send a second in the long run. A
    /// request beyond is refused, a stream is read no faster.
    pub address_per_second: NonZeroU32,
    /// As many of them at once.
    pub address_burst: NonZeroU32,
    /// Open connections, all addresses together.
    pub connections: NonZeroUsize,
    /// Open connections of one address; trusted proxies are exempt.
    pub connections_per_address: NonZeroUsize,
    /// Streams of claims that are open, all addresses together.
    pub streams: NonZeroUsize,
    /// Streams of one address that are open.
    pub streams_per_address: NonZeroUsize,
    /// Bytes of a request's head.
    pub header_bytes: NonZeroUsize,
    /// Seconds in which a request's head must arrive.
    pub header_seconds: LimitSeconds,
    /// Seconds that a connection may stay open between requests.
    pub idle_seconds: LimitSeconds,
    /// Seconds between two pieces of a request's body.
    pub body_idle_seconds: LimitSeconds,
    /// Seconds in which the body of one claim must arrive; a stream of claims takes as long as it needs.
    pub body_seconds: LimitSeconds,
    /// Seconds that running requests may take once the server stops.
    pub drain_seconds: LimitSeconds,
}

impl Default for Limits {
    fn default() -> Limits {
        let (serve, queue) = (ServeLimits::default(), QueueLimits::default());
        let (issuer, address) = (IssuerLimit::default(), AddressLimit::default());
        let stream = StreamLimits::default();
        let count = |n: usize| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        let seconds = |time: Duration| LimitSeconds(time.as_secs());
        Limits {
            queue_claims: count(queue.claims),
            queue_bytes: count(queue.bytes),
            issuer_per_second: issuer.per_second,
            issuer_burst: issuer.burst,
            address_per_second: address.per_second,
            address_burst: address.burst,
            connections: count(serve.max_connections),
            connections_per_address: count(serve.max_connections_per_address),
            streams: stream.open,
            streams_per_address: stream.open_per_address,
            header_bytes: count(serve.max_header_bytes),
            header_seconds: seconds(serve.header_read_timeout),
            idle_seconds: seconds(serve.idle_timeout),
            body_idle_seconds: seconds(serve.body_idle_timeout),
            body_seconds: seconds(serve.body_total_timeout),
            drain_seconds: seconds(serve.drain_deadline),
        }
    }
}

impl Limits {
    /// The limits of the public address.
    pub fn serve(&self) -> ServeLimits {
        let seconds = |n: LimitSeconds| Duration::from_secs(n.0);
        ServeLimits {
            header_read_timeout: seconds(self.header_seconds),
            idle_timeout: seconds(self.idle_seconds),
            max_header_bytes: self.header_bytes.get(),
            body_idle_timeout: seconds(self.body_idle_seconds),
            body_total_timeout: seconds(self.body_seconds),
            max_connections: self.connections.get(),
            max_connections_per_address: self.connections_per_address.get(),
            drain_deadline: seconds(self.drain_seconds),
            ..ServeLimits::default()
        }
    }

    /// The bounds of streams.
    pub fn stream(&self) -> StreamLimits {
        StreamLimits {
            open: self.streams,
            open_per_address: self.streams_per_address,
            line_timeout: self.serve().body_total_timeout,
            ..StreamLimits::default()
        }
    }

    /// The bounds of the queue.
    pub fn queue(&self) -> QueueLimits {
        QueueLimits { claims: self.queue_claims.get(), bytes: self.queue_bytes.get().max(MAX_BATCH_BYTES) }
    }

    /// What an issuer may do.
    pub fn issuer(&self) -> IssuerLimit {
        IssuerLimit { per_second: self.issuer_per_second, burst: self.issuer_burst }
    }

    /// What an address may do.
    pub fn address(&self) -> AddressLimit {
        AddressLimit { per_second: self.address_per_second, burst: self.address_burst, ..AddressLimit::default() }
    }
}

/// A flag that overrides a key: as the user wrote it, the dotted key, the value.
pub type Flag = (&'static str, &'static str, Option<String>);

impl Config {
    /// Reads the layers and makes every path independent of the working folder.
    ///
    /// # Errors
    /// When the file cannot be read, or a key is unknown, missing, or has a value that is not allowed.
    pub fn load(
        file: &Path,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: impl IntoIterator<Item = Flag>,
    ) -> Result<Config, ConfigError> {
        let mut layers = Layers::new().file(file)?.environment(ENVIRONMENT_PREFIX, environment);
        for (name, key, value) in flags {
            layers = layers.flag(name, key, value);
        }
        let mut config: Config = layers.load()?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let paths = [&mut config.keys.log, &mut config.keys.time, &mut config.signer.record, &mut config.store.dir];
        for path in paths {
            *path = folder.join(&*path);
        }
        if let Some(witness) = &mut config.witness {
            witness.take_from(folder);
        }
        Ok(config)
    }

    /// How the store is opened.
    pub fn rocks(&self) -> RocksOptions {
        RocksOptions { reserve_bytes: self.store.disk_reserve_bytes, cache_bytes: self.store.cache_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)], flags: Vec<Flag>) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        client::files::write(&file, text.as_bytes(), client::files::Access::Public, client::files::Existing::Keep)
            .unwrap();
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect::<Vec<_>>();
        Config::load(&file, environment, flags).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_go_over_environment_over_file_over_defaults() {
        let file = "origin = \"log.example/1\"\n[listen]\naddress = \"127.0.0.1:1\"\nadmin = \"127.0.0.1:2\"\n";
        let environment =
            [("CLAIMTRAIL_LOG_LISTEN__ADDRESS", "127.0.0.1:3"), ("CLAIMTRAIL_LOG_LISTEN__ADMIN", "127.0.0.1:4")];
        let config = load(file, &environment, vec![("--admin", "listen.admin", Some("127.0.0.1:5".into()))]).unwrap();
        assert_eq!((config.listen.address.port(), config.listen.admin.port()), (3, 5));
        assert_eq!(config.limits.queue_claims.get(), QueueLimits::default().claims);
        assert_eq!(config.limits.serve(), ServeLimits::default());
    }

    #[test]
    fn paths_are_taken_from_the_files_folder() {
        let config =
            load("origin = \"log.example/1\"\n[signer]\nrecord = \"/elsewhere/record\"\n", &[], vec![]).unwrap();
        assert!(config.keys.log.is_absolute() && config.keys.log.ends_with("keys/log.key"));
        assert_eq!(config.signer.record, Path::new("/elsewhere/record"));
    }

    #[test]
    fn unknown_keys_and_bad_values_are_named_with_their_place() {
        for (text, parts) in [
            ("origin = \"l.example\"\n[listen]\nadress = \"127.0.0.1:1\"\n", ["line 3", "listen.adress", "`address`"]),
            ("origin = \"l.example\"\n[limits]\nqueue_claims = 0\n", ["line 3", "limits.queue_claims", "nonzero"]),
            (
                "origin = \"l.example\"\n[limits]\nidle_seconds = 9223372036854775807\n",
                ["line 3", "limits.idle_seconds", "86400"],
            ),
            ("origin = \"l.example\"\n[limits]\ndrain_seconds = 0\n", ["line 3", "limits.drain_seconds", "86400"]),
            ("origin = \"l.example\"\ndata = 1\n", ["line 2", "`data`", "no such key"]),
            ("[keys]\nlog = \"x\"\n", ["origin", "must be set", "no default"]),
            (
                "origin = \"l.example\"\n[listen]\ntrusted_proxies = [\"10.0.0.1/8\"]\n",
                ["line 3", "10.0.0.1/8", "prefix"],
            ),
        ] {
            let error = load(text, &[], vec![]).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{parts:?} not all in: {error}");
        }
        let error = load("origin = \"l.example\"\n", &[("CLAIMTRAIL_LOG_LISTEN__PORT", "1")], vec![]).unwrap_err();
        assert!(error.contains("CLAIMTRAIL_LOG_LISTEN__PORT") && error.contains("no such key"), "{error}");
    }
}
