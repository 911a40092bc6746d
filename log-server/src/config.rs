//! The configuration: defaults < `config.toml` in the log's folder < environment `CLAIMTRAIL_LOG_…` < flags.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use service::client_addr::TrustedProxies;
use service::config::{ConfigError, Layers};
use service::limits::ServeLimits;
use service::logging::LogConfig;

use crate::http::AddressLimit;
use crate::log::IssuerLimit;
use crate::sequencer::QueueLimits;
use crate::store::rocks::{DEFAULT_CACHE_BYTES, DEFAULT_RESERVE_BYTES, RocksOptions};

/// What the environment's names begin with.
pub const ENVIRONMENT_PREFIX: &str = "CLAIMTRAIL_LOG";

/// The name of the file in the log's folder.
pub const FILE_NAME: &str = "config.toml";

/// The address for everyone unless configured: loopback, so that nothing is public by accident.
const DEFAULT_PUBLIC: &str = "127.0.0.1:8480";

/// The address for the operator unless configured.
const DEFAULT_ADMIN: &str = "127.0.0.1:8481";

/// All settings. Paths are relative to the folder of the configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The log's origin, fixed for ever by entry 0.
    pub origin: String,
    /// Why the log takes no claims; absent: it takes them.
    #[serde(default)]
    pub read_only: Option<String>,
    /// The log's own keys.
    #[serde(default)]
    pub keys: Keys,
    /// The signer.
    #[serde(default)]
    pub signer: Signer,
    /// The store.
    #[serde(default)]
    pub store: StoreConfig,
    /// Where the log listens.
    #[serde(default)]
    pub listen: Listen,
    /// What clients and issuers may do.
    #[serde(default)]
    pub limits: Limits,
    /// The operator's log.
    #[serde(default)]
    pub log: LogConfig,
}

/// The section `keys`: files with the log's own keys, readable only by their owner.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// Signs heads.
    pub log: PathBuf,
    /// Signs the log's time.
    pub time: PathBuf,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys { log: "keys/log.key".into(), time: "keys/time.key".into() }
    }
}

/// The section `signer`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Signer {
    /// The record of the last head signed. Keep it on another disk than the store and out of its backups: it is what keeps
    /// a restored backup from signing a second history.
    pub record: PathBuf,
}

impl Default for Signer {
    fn default() -> Signer {
        Signer { record: "signer/record".into() }
    }
}

/// The section `store`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The data folder.
    pub dir: PathBuf,
    /// Main memory for cached blocks, in bytes.
    pub cache_bytes: usize,
    /// Bytes of disk that stay free: below, the log takes no claims and goes on serving reads.
    pub reserve_bytes: u64,
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        StoreConfig { dir: "store".into(), cache_bytes: DEFAULT_CACHE_BYTES, reserve_bytes: DEFAULT_RESERVE_BYTES }
    }
}

/// The section `listen`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// The public address.
    pub public: SocketAddr,
    /// The admin address: health, readiness, metrics. Keep it off the public network.
    pub admin: SocketAddr,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
}

impl Default for Listen {
    fn default() -> Listen {
        Listen {
            public: DEFAULT_PUBLIC.parse().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 8480))),
            admin: DEFAULT_ADMIN.parse().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 8481))),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// The section `limits`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Claims an issuer may submit a second in the long run.
    pub issuer_per_second: NonZeroU32,
    /// Claims an issuer may submit at once.
    pub issuer_burst: NonZeroU32,
    /// Submitting requests of one address a second in the long run.
    pub address_per_second: NonZeroU32,
    /// Submitting requests of one address at once.
    pub address_burst: NonZeroU32,
    /// Claims that wait for the sequencer at most.
    pub queue_claims: usize,
    /// Payload bytes that wait for the sequencer at most.
    pub queue_bytes: usize,
    /// Open connections.
    pub max_connections: usize,
    /// Open connections of one address.
    pub max_connections_per_address: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        let (issuer, address, queue) = (IssuerLimit::default(), AddressLimit::default(), QueueLimits::default());
        let serve = ServeLimits::default();
        Limits {
            issuer_per_second: issuer.per_second,
            issuer_burst: issuer.burst,
            address_per_second: address.per_second,
            address_burst: address.burst,
            queue_claims: queue.claims,
            queue_bytes: queue.bytes,
            max_connections: serve.max_connections,
            max_connections_per_address: serve.max_connections_per_address,
        }
    }
}

impl Config {
    /// The layers below the flags: the file in `folder` and the environment.
    ///
    /// # Errors
    /// When the file cannot be read or is not TOML.
    pub fn layers(folder: &Path) -> Result<Layers, ConfigError> {
        Ok(Layers::new().file(&folder.join(FILE_NAME))?.process_environment(ENVIRONMENT_PREFIX))
    }

    /// Reads the layers and makes paths relative to `folder`.
    ///
    /// # Errors
    /// A key that is unknown or has a value that is not allowed, with its place.
    pub fn load(layers: Layers, folder: &Path) -> Result<Config, ConfigError> {
        let mut config: Config = layers.load()?;
        for path in [&mut config.keys.log, &mut config.keys.time, &mut config.signer.record, &mut config.store.dir] {
            *path = folder.join(&*path);
        }
        Ok(config)
    }

    /// What the store is opened with.
    pub fn rocks(&self) -> RocksOptions {
        RocksOptions { reserve_bytes: self.store.reserve_bytes, cache_bytes: self.store.cache_bytes }
    }

    /// What issuers may do.
    pub fn issuer_limit(&self) -> IssuerLimit {
        IssuerLimit { per_second: self.limits.issuer_per_second, burst: self.limits.issuer_burst }
    }

    /// What addresses may do.
    pub fn address_limit(&self) -> AddressLimit {
        let (per_second, burst) = (self.limits.address_per_second, self.limits.address_burst);
        AddressLimit { per_second, burst, ..AddressLimit::default() }
    }

    /// Bounds of the queue.
    pub fn queue_limits(&self) -> QueueLimits {
        QueueLimits { claims: self.limits.queue_claims, bytes: self.limits.queue_bytes }
    }

    /// Limits of the public address.
    pub fn serve_limits(&self) -> ServeLimits {
        ServeLimits {
            max_connections: self.limits.max_connections,
            max_connections_per_address: self.limits.max_connections_per_address,
            ..ServeLimits::default()
        }
    }
}

/// The file that `init` writes: the origin, and everything else as a remark with its default.
pub fn initial(origin: &str) -> String {
    let limits = Limits::default();
    format!(
        r#"# Claimtrail log. Every key that is a remark shows its default. Paths are relative to this file.
# The environment overrides keys: CLAIMTRAIL_LOG_LISTEN__PUBLIC=0.0.0.0:8480

origin = {origin:?}
# read_only = "maintenance"

[keys]
# log = "keys/log.key"
# time = "keys/time.key"

[signer]
# Another disk than the store's, and not in its backups.
# record = "signer/record"

[store]
# dir = "store"
# cache_bytes = {DEFAULT_CACHE_BYTES}
# reserve_bytes = {DEFAULT_RESERVE_BYTES}

[listen]
# public = "{DEFAULT_PUBLIC}"
# admin = "{DEFAULT_ADMIN}"
# trusted_proxies = ["10.0.0.0/8"]

[limits]
# issuer_per_second = {}
# issuer_burst = {}
# address_per_second = {}
# address_burst = {}
# queue_claims = {}
# queue_bytes = {}
# max_connections = {}
# max_connections_per_address = {}

[log]
# level = "info"
# format = "text"
"#,
        limits.issuer_per_second,
        limits.issuer_burst,
        limits.address_per_second,
        limits.address_burst,
        limits.queue_claims,
        limits.queue_bytes,
        limits.max_connections,
        limits.max_connections_per_address,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        Config::load(Layers::new().file_text(FILE_NAME, text)?, Path::new("/srv/log"))
    }

    #[test]
    fn the_initial_file_is_the_defaults() {
        let config = load(&initial("log.example/2026")).expect("our own file is valid");
        assert_eq!(config.origin, "log.example/2026");
        assert_eq!(config.store.dir, Path::new("/srv/log/store"));
        // Every key that is shown as a remark exists.
        let all = initial("log.example/2026")
            .replace("# ", "")
            .lines()
            .filter(|line| !line.ends_with('.') && !line.contains(':') || line.contains('='))
            .filter(|line| {
                !line.starts_with("Claimtrail") && !line.starts_with("The environment") && !line.starts_with("Another")
            })
            .collect::<Vec<_>>()
            .join("\n");
        let config = load(&all).unwrap_or_else(|error| panic!("{error}\n{all}"));
        assert_eq!(config.read_only.as_deref(), Some("maintenance"));
    }

    #[test]
    fn unknown_keys_are_named_with_their_line() {
        let error =
            load("origin = \"log.example\"\n[listen]\npublik = \"127.0.0.1:1\"\n").expect_err("unknown").to_string();
        assert!(error.contains("line 3") && error.contains("publik") && error.contains("public"), "{error}");
    }
}
