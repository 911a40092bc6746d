//! The operator's configuration: one TOML file, over it the environment (`CLAIMTRAIL_MONITOR_…`), over that the flags.
//!
//! Every key is documented where it is declared. Unknown keys are refused. Relative paths are taken from the folder that the
//! file is in. Keys of logs stand in trust files that somebody gave the operator, and are never asked of a log.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::Error;
use client::egress::Egress;
use client::trust::Trust;
use serde::Deserialize;
use service::admin_host::AdminHosts;
use service::client_addr::TrustedProxies;
use service::config::{ConfigError, Layers};
use service::logging::LogConfig as Logging;

use crate::alert::config::{AlertConfig, AlertsConfig};
use crate::gossip::config::{GossipConfig, PeerConfig, check as check_peers};
use crate::watch::WatchList;
use crate::watch::config::{WatchConfig, watches};

/// What the names of environment variables begin with: `listen.address` is `CLAIMTRAIL_MONITOR_LISTEN__ADDRESS`.
pub const ENVIRONMENT_PREFIX: &str = "CLAIMTRAIL_MONITOR";

/// The name of the file in the folder that `init` makes.
pub const FILE_NAME: &str = "config.toml";

/// Where the witness and the mirror are served unless configured otherwise: for a proxy on the same machine.
const DEFAULT_ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 8090);
/// Where health and metrics are served unless configured otherwise; never for the public.
const DEFAULT_ADMIN: ([u8; 4], u16) = ([127, 0, 0, 1], 8091);
/// How often a log is asked for its head: what it shows only to some is seen within seconds, and a request is small.
const DEFAULT_POLL: NonZeroU64 = NonZeroU64::new(5).expect("not zero");
/// A log signs a new head every 30 s also when it is idle; ten missed ones are no accident.
const DEFAULT_MAX_HEAD_AGE: NonZeroU64 = NonZeroU64::new(300).expect("not zero");
/// A log that is restarted is back within seconds; a minute without it is worth a word.
const DEFAULT_OUTAGE_AFTER: u64 = 60;
/// Witnesses cosign every head, one every half minute also of an idle log; one that is updated or moved is back within this.
const DEFAULT_SILENT_AFTER: NonZeroU64 = NonZeroU64::new(900).expect("not zero");
/// How long one request is tried again before a round is given up; the next round begins after the poll interval anyway.
const DEFAULT_RETRY: NonZeroU64 = NonZeroU64::new(10).expect("not zero");
/// A bundle of 16 MiB within this is 1.1 Mbit/s; a log that is slower than that cannot be followed.
const DEFAULT_ANSWER: NonZeroU64 = NonZeroU64::new(120).expect("not zero");
/// A log at 200 batches a second signs so many heads in 25 s.
const DEFAULT_MAX_LISTED: usize = 5000;
/// Heads of a log's list that a day may cost: 23 a second all day, or all of three years of an idle log at once. Kept, they are some
/// gigabyte until they are thinned. A log that signs more of them is sampled by what it shows at each look.
const DEFAULT_LISTED_A_DAY: NonZeroU64 = NonZeroU64::new(2_000_000).expect("not zero");
/// Bytes that they may cost: as many heads at a kilobyte each, with a dozen cosignatures.
const DEFAULT_LISTED_BYTES_A_DAY: NonZeroU64 = NonZeroU64::new(2 << 30).expect("not zero");

/// The configuration of a monitor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder of what is kept: a database for each log, and the witness's.
    #[serde(default = "default_state")]
    pub state: PathBuf,
    /// The logs, `[[follow]]` each. Add to them; one that was followed once must stay.
    #[serde(default)]
    pub follow: Vec<FollowConfig>,
    /// The witness; absent: nothing is cosigned.
    #[serde(default)]
    pub witness: Option<WitnessConfig>,
    /// Other monitors, `[[peer]]` each: what each was shown is held against what the others were.
    #[serde(default, rename = "peer")]
    pub peers: Vec<PeerConfig>,
    /// How peers and logs are asked for what others were shown.
    #[serde(default)]
    pub gossip: GossipConfig,
    /// The addresses.
    #[serde(default)]
    pub listen: Listen,
    /// How logs are asked.
    #[serde(default)]
    pub poll: Poll,
    /// What all channels of alerts share.
    #[serde(default)]
    pub alerts: AlertsConfig,
    /// The channels, `[[alert]]` each.
    #[serde(default)]
    pub alert: Vec<AlertConfig>,
    /// What is watched, `[[watch]]` each.
    #[serde(default)]
    pub watch: Vec<WatchConfig>,
    /// What the monitor says on standard error: `level` and `format` (`text` or `json`).
    #[serde(default)]
    pub log: Logging,
}

fn default_state() -> PathBuf {
    "state".into()
}

/// A log to follow.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowConfig {
    /// The trust file (C2SP tlog-policy) with the log's keys. Give this or `policy`.
    #[serde(default)]
    pub trust: Option<PathBuf>,
    /// The same as text.
    #[serde(default)]
    pub policy: Option<String>,
    /// Which log, when the policy lists several.
    #[serde(default)]
    pub origin: Option<String>,
    /// The log's address, instead of the one in the policy.
    #[serde(default)]
    pub url: Option<String>,
    /// Whether entries are kept and served, so that the log's content outlives the log. Set it before the log is followed:
    /// entries that were read without it are not there.
    #[serde(default)]
    pub mirror: bool,
    /// Seconds after which the newest head is too old.
    #[serde(default = "default_max_head_age")]
    pub max_head_age_seconds: NonZeroU64,
}

fn default_max_head_age() -> NonZeroU64 {
    DEFAULT_MAX_HEAD_AGE
}

/// The witness.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Key files, one line `PRIVATE+KEY+…` each, mode 0600. Every cosignature is made with each of them.
    pub keys: Vec<PathBuf>,
    /// The folder of the records of what was cosigned last: another disk than `state`, and in no backup.
    #[serde(default = "default_record")]
    pub record: PathBuf,
}

fn default_record() -> PathBuf {
    "record".into()
}

/// The addresses.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Where heads are cosigned and the mirror is read. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Where `/healthz`, `/readyz`, `/metrics` and `/status` are; not for the public.
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

/// How logs are asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Poll {
    /// Seconds between two looks at a log.
    pub seconds: NonZeroU64,
    /// Seconds for which a failing request is tried again.
    pub retry_seconds: NonZeroU64,
    /// Seconds in which an answer must have come in full; a head, or a page of heads, in 15 at most.
    pub answer_seconds: NonZeroU64,
    /// Seconds after which a log that does not answer is an outage; a single run says it at once.
    pub outage_after_seconds: u64,
    /// Seconds after which a witness that cosigned the log's heads, or a peer, has fallen silent.
    pub silent_after_seconds: NonZeroU64,
    /// Threads that fetch and check signatures, for each log; 0: twice the processors.
    pub threads: usize,
    /// Heads of the log's own list that are checked in one round.
    pub listed_heads: NonZeroUsize,
    /// Heads of that list that are read in a day; what is beyond waits for the next day, and is told.
    pub listed_heads_a_day: NonZeroU64,
    /// Bytes that are read for that list in a day.
    pub listed_bytes_a_day: NonZeroU64,
}

impl Default for Poll {
    fn default() -> Poll {
        Poll {
            seconds: DEFAULT_POLL,
            retry_seconds: DEFAULT_RETRY,
            answer_seconds: DEFAULT_ANSWER,
            outage_after_seconds: DEFAULT_OUTAGE_AFTER,
            silent_after_seconds: DEFAULT_SILENT_AFTER,
            threads: 0,
            listed_heads: NonZeroUsize::new(DEFAULT_MAX_LISTED).unwrap_or(NonZeroUsize::MIN),
            listed_heads_a_day: DEFAULT_LISTED_A_DAY,
            listed_bytes_a_day: DEFAULT_LISTED_BYTES_A_DAY,
        }
    }
}

impl Poll {
    /// Between two looks.
    pub fn every(&self) -> Duration {
        Duration::from_secs(self.seconds.get())
    }

    /// Threads for one log.
    pub fn threads(&self) -> usize {
        match self.threads {
            0 => 2 * std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            given => given,
        }
    }
}

/// A log to follow, with its keys read.
#[derive(Debug, Clone)]
pub struct LogToFollow {
    /// The log.
    pub origin: String,
    /// Its address.
    pub url: String,
    /// The way out to it.
    pub egress: Egress,
    /// Whose signatures are believed.
    pub trust: Trust,
    /// Whether entries are kept and served.
    pub mirror: bool,
    /// After which the newest head is too old.
    pub max_head_age: Duration,
    /// What is watched.
    pub watches: Arc<WatchList>,
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
        config.state = folder.join(&config.state);
        config.follow.iter_mut().filter_map(|log| log.trust.as_mut()).for_each(|path| *path = folder.join(&*path));
        if let Some(witness) = &mut config.witness {
            witness.keys.iter_mut().for_each(|path| *path = folder.join(&*path));
            witness.record = folder.join(&witness.record);
        }
        config.alerts.key = folder.join(&config.alerts.key);
        let smtp = config.alert.iter_mut().filter_map(|channel| channel.smtp.as_mut());
        smtp.flat_map(|smtp| [smtp.password_file.as_mut(), smtp.ca_file.as_mut()])
            .flatten()
            .for_each(|path| *path = folder.join(&*path));
        Ok(config)
    }

    /// The logs, with their trust files read; no two of one origin, and no two peers of one name.
    pub fn logs(&self) -> Result<Vec<LogToFollow>, Error> {
        check_peers(&self.peers)?;
        let mut logs: Vec<LogToFollow> = Vec::new();
        let watches = Arc::new(self.watches()?);
        for (number, entry) in self.follow.iter().enumerate() {
            let log = entry
                .read(self.gossip.first_way())
                .map_err(|e| Error { message: format!("[[follow]] number {}: {}", number + 1, e.message), ..e })?;
            if logs.iter().any(|known| known.origin == log.origin) {
                return Err(Error::malformed(format!("{} stands in two [[follow]] entries; keep one", log.origin)));
            }
            logs.push(LogToFollow { watches: watches.clone(), ..log });
        }
        if let Some(watch) = self
            .watch
            .iter()
            .find(|watch| watch.log.as_ref().is_some_and(|wanted| logs.iter().all(|log| log.origin != *wanted)))
        {
            let message = format!("the watch {:?} is for a log that is not followed; see [[follow]]", watch.name);
            return Err(Error::malformed(message));
        }
        Ok(logs)
    }

    /// What is watched.
    pub fn watches(&self) -> Result<WatchList, Error> {
        Ok(WatchList::new(watches(&self.watch)?))
    }
}

impl FollowConfig {
    fn read(&self, egress: Egress) -> Result<LogToFollow, Error> {
        let trust = match (&self.trust, &self.policy) {
            (Some(path), None) => Trust::load(path)?,
            (None, Some(text)) => Trust::parse(text.as_bytes())?,
            _ => return Err(Error::malformed("give the log's keys as `trust` (a file) or `policy` (its text)")),
        };
        let log = trust.log(self.origin.as_deref())?;
        let origin = log.origin().to_owned();
        let url = self.url.clone().or_else(|| log.url().map(str::to_owned)).ok_or_else(|| {
            Error::malformed(format!("the address of {origin} is missing: set `url`, or write it into the log line"))
        })?;
        let max_head_age = Duration::from_secs(self.max_head_age_seconds.get());
        let (mirror, watches) = (self.mirror, Arc::default());
        Ok(LogToFollow { origin, url, egress, trust, mirror, max_head_age, watches })
    }
}

#[cfg(test)]
mod tests {
    use proto::ed25519::SecretKey;
    use proto::note::{KeyName, NoteSigner};

    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        client::files::write(&file, text.as_bytes(), client::files::Access::Public, client::files::Existing::Keep)
            .unwrap();
        let environment = [("CLAIMTRAIL_MONITOR_POLL__SECONDS".into(), "7".into())];
        Config::load(&file, environment, []).map_err(|error| error.to_string())
    }

    fn policy(name: &str, url: &str) -> String {
        // A test key.
        let key = NoteSigner::new(KeyName::parse(name).unwrap(), SecretKey::from_seed(&[1; 32]));
        format!("log {}{url}\nquorum none\n", key.vkey())
    }

    fn with_policies(policies: &[String]) -> Config {
        let follow: String = policies.iter().map(|policy| format!("[[follow]]\npolicy = '''\n{policy}'''\n")).collect();
        load(&follow).unwrap()
    }

    #[test]
    fn logs_come_with_keys_and_addresses() {
        let config = with_policies(&[policy("a.example", " https://a"), policy("b.example", " https://b")]);
        let logs = config.logs().unwrap();
        assert_eq!(logs.iter().map(|log| log.url.as_str()).collect::<Vec<_>>(), ["https://a", "https://b"]);
        assert_eq!(config.poll.seconds.get(), 7, "the environment goes over the defaults");
        assert!(config.state.is_absolute() && config.witness.is_none());
        let twice = with_policies(&[policy("a.example", " https://a"), policy("a.example", " https://b")]);
        assert!(twice.logs().unwrap_err().message.contains("a.example"));
        let nowhere = with_policies(&[policy("a.example", "")]);
        assert!(nowhere.logs().unwrap_err().message.contains("address"));
    }

    #[test]
    fn unknown_keys_are_named_with_their_place() {
        for (text, parts) in [
            ("[[follow]]\ntrust = \"a\"\nmirrors = true\n", ["line 3", "mirrors", "`mirror`"]),
            ("[witness]\nkeys = []\nrecords = \"x\"\n", ["line 3", "records", "`record`"]),
            ("[poll]\nretry_seconds = 0\n", ["line 2", "poll.retry_seconds", "nonzero"]),
            ("[witness]\n", ["witness", "keys", "must be set"]),
        ] {
            let error = load(text).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{parts:?} not all in: {error}");
        }
        let neither = load("[[follow]]\norigin = \"a.example\"\n").unwrap();
        assert!(neither.logs().unwrap_err().message.contains("`trust`"));
    }
}
