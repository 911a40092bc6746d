//! `[[alert]]` entries: as they are written, and the channels that come of them.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::Error;
use serde::Deserialize;

use super::channel::command::Command;
use super::channel::mail::{Mail, SmtpConfig};
use super::channel::webhook::Webhook;
use super::channel::{Channel, Way};
use crate::finding::{Class, Event, Finding, Reason, What};
use crate::watch::{Hit, WatchList};

/// How long a receiver may take for one alert unless configured otherwise: a queue or a database behind it has answered by
/// then, and a hanging one costs its own channel only.
const DEFAULT_TIMEOUT: NonZeroU64 = NonZeroU64::new(30).expect("not zero");

/// The longest time that can be configured: a channel whose tries take longer could not be told to be stuck in time.
const MOST_TIMEOUT_SECONDS: u64 = 600;

/// What all channels share: the section `alerts`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertsConfig {
    /// The key that signs webhooks, as `claimtrail-monitor alert key` makes it.
    pub key: PathBuf,
    /// What the monitor calls itself in alerts; the name of its witness key unless set.
    pub name: Option<String>,
}

impl Default for AlertsConfig {
    fn default() -> AlertsConfig {
        AlertsConfig { key: "keys/alert.key".into(), name: None }
    }
}

/// By which way alerts go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A line in the monitor's own log.
    Log,
    /// A signed POST.
    Webhook,
    /// A program of the operator.
    Command,
    /// Mail.
    Mail,
    /// A feed at the monitor's public address.
    Atom,
}

impl Kind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Log => "log",
            Kind::Webhook => "webhook",
            Kind::Command => "command",
            Kind::Mail => "mail",
            Kind::Atom => "atom",
        }
    }
}

/// A channel, `[[alert]]` each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertConfig {
    /// By which way: `log`, `webhook`, `command`, `mail` or `atom`.
    pub kind: Kind,
    /// What names the channel; its kind unless set. What it has acknowledged is kept under this name: under a new one it gets a
    /// summary of all that was found so far.
    #[serde(default)]
    pub name: Option<String>,
    /// The classes that it is told; all of them unless set.
    #[serde(default = "all_classes")]
    pub classes: Vec<Class>,
    /// The names of the watches that it is told; all of them unless set, and none in a feed.
    #[serde(default)]
    pub watches: Option<Vec<String>>,
    /// Hours between canaries; none unless set.
    #[serde(default)]
    pub canary_hours: Option<NonZeroU64>,
    /// Seconds that a receiver may take for one alert, all in all; 600 at most.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: NonZeroU64,
    /// Webhook: where to.
    #[serde(default)]
    pub url: Option<String>,
    /// Webhook, mail: whether it may go to loopback, private and link-local addresses.
    #[serde(default)]
    pub allow_private: bool,
    /// Command: the program and its arguments; no shell is between.
    #[serde(default)]
    pub command: Vec<String>,
    /// Mail: server, addresses and credentials.
    #[serde(default)]
    pub smtp: Option<SmtpConfig>,
}

fn all_classes() -> Vec<Class> {
    Class::ALL.to_vec()
}

fn default_timeout() -> NonZeroU64 {
    DEFAULT_TIMEOUT
}

/// What a channel is told: findings of these classes, and whatever these watches match.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    classes: Vec<Class>,
    /// Names of watches; nothing means all.
    watches: Option<Vec<String>>,
    list: Arc<WatchList>,
    /// Whether anybody may read it.
    public: bool,
}

impl Filter {
    /// These classes, and these watches of the list.
    pub fn new(classes: Vec<Class>, watches: Option<Vec<String>>, list: Arc<WatchList>) -> Filter {
        Filter { classes, watches, list, public: false }
    }

    /// For a channel that anybody may read.
    #[must_use]
    pub fn for_public(self) -> Filter {
        Filter { public: true, ..self }
    }

    /// What is said of why the operator acknowledged a finding; that is not for the public.
    pub fn says_why(&self, because: &Reason) -> String {
        match self.public {
            true => "the operator of this monitor knows of it; it stays open".to_owned(),
            false => format!("acknowledged, and stays open: {because}"),
        }
    }

    /// What is said of a finding.
    pub fn says<'a>(&self, finding: &'a Finding) -> &'a str {
        if self.public { finding.for_public() } else { &finding.message }
    }

    /// Whether the channel is told of this.
    pub fn wants(&self, event: &Event) -> bool {
        match &event.what {
            What::Matched(found) => found.watches.iter().any(|hit| self.tells(hit)),
            What::Began(finding)
            | What::Ended(finding)
            | What::Proven(finding)
            | What::Acknowledged { finding, .. } => {
                self.classes.contains(&finding.class)
                    || !self.hits(&event.origin, finding).is_empty()
                    || (finding.ends_rules() && self.waits_for_claims(&event.origin))
            }
        }
    }

    /// The watches of this channel that a finding matches.
    pub fn hits(&self, origin: &str, finding: &Finding) -> Vec<Hit> {
        self.list.of_finding(origin, finding).into_iter().filter(|hit| self.tells(hit)).collect()
    }

    /// Whether the channel is told of a watch for claims of this log: whoever waits for what will never come is told so.
    fn waits_for_claims(&self, origin: &str) -> bool {
        self.list.for_claims(origin).any(|name| self.tells_of(name))
    }

    /// Whether the channel is told of this watch.
    pub fn tells(&self, hit: &Hit) -> bool {
        self.tells_of(&hit.watch)
    }

    fn tells_of(&self, watch: &str) -> bool {
        self.watches.as_ref().is_none_or(|names| names.iter().any(|name| name == watch))
    }
}

impl AlertConfig {
    /// The channel that is meant. `key` signs webhooks.
    fn read(&self, key: &Path, list: &Arc<WatchList>) -> Result<Channel, Error> {
        let name = self.name.clone().unwrap_or_else(|| self.kind.name().to_owned());
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(Error::malformed(format!("`name` has 1 to {MAX_NAME_BYTES} bytes")));
        }
        self.check_members()?;
        if let Some(unknown) = self.watches.iter().flatten().find(|name| !list.has(name)) {
            return Err(Error::malformed(format!("`watches`: no [[watch]] is named {unknown:?}")));
        }
        if self.timeout_seconds.get() > MOST_TIMEOUT_SECONDS {
            return Err(Error::malformed(format!("`timeout_seconds` is {MOST_TIMEOUT_SECONDS} at most")));
        }
        let timeout = Duration::from_secs(self.timeout_seconds.get());
        let way = match self.kind {
            Kind::Log => Way::Log,
            Kind::Webhook => Way::Webhook(Webhook::new(self.url.as_deref(), key, self.allow_private, timeout)?),
            Kind::Command => Way::Command(Command::new(&self.command, timeout)?),
            Kind::Mail => Way::Mail(Mail::new(self.smtp.as_ref(), self.allow_private, timeout)?),
            Kind::Atom => Way::Atom,
        };
        let canary = self.canary_hours.map(|hours| Duration::from_secs(hours.get().saturating_mul(3600)));
        let filter = match self.kind {
            // Whom the operator watches is told to the public by name only.
            Kind::Atom => {
                let named = self.watches.clone().unwrap_or_default();
                Filter::new(self.classes.clone(), Some(named), list.clone()).for_public()
            }
            _ => Filter::new(self.classes.clone(), self.watches.clone(), list.clone()),
        };
        Ok(Channel { name, filter, canary, timeout, way })
    }

    /// Refuses what belongs to another kind: it would be without effect, and the operator believes it has one.
    fn check_members(&self) -> Result<(), Error> {
        let given = [
            ("url", self.url.is_some(), [Kind::Webhook].as_slice()),
            ("allow_private", self.allow_private, &[Kind::Webhook, Kind::Mail]),
            ("smtp", self.smtp.is_some(), &[Kind::Mail]),
            ("command", !self.command.is_empty(), &[Kind::Command]),
        ];
        match given.into_iter().find(|(_, given, kinds)| *given && !kinds.contains(&self.kind)) {
            Some((key, _, _)) => {
                Err(Error::malformed(format!("`{key}` means nothing to a channel of kind {}", self.kind.name())))
            }
            None => Ok(()),
        }
    }
}

/// A name is shown in tables and lines.
const MAX_NAME_BYTES: usize = 100;

/// The channels that are configured, no two of one name.
pub fn channels(entries: &[AlertConfig], shared: &AlertsConfig, list: &Arc<WatchList>) -> Result<Vec<Channel>, Error> {
    let mut channels: Vec<Channel> = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let place = |e: Error| Error { message: format!("[[alert]] number {}: {}", number + 1, e.message), ..e };
        let channel = entry.read(&shared.key, list).map_err(place)?;
        if channels.iter().any(|known| known.name == channel.name) {
            let message = format!("two [[alert]] entries are named {}; give each a `name` of its own", channel.name);
            return Err(Error::malformed(message));
        }
        let feeds = channels.iter().chain([&channel]).filter(|known| matches!(known.way, Way::Atom)).count();
        if feeds > 1 {
            return Err(Error::malformed(
                "there is one feed, at /v1/alerts.atom; keep one [[alert]] entry of kind \"atom\"",
            ));
        }
        channels.push(channel);
    }
    Ok(channels)
}
