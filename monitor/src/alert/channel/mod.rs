//! The ways that alerts go out.

pub mod atom;
pub mod command;
pub mod mail;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use proto::num::Millis;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Outbox;
use super::config::Filter;
use super::message::Alert;
use crate::finding::Severity;

/// A channel.
#[derive(Debug)]
pub struct Channel {
    /// What names it.
    pub name: String,
    /// What it is told.
    pub filter: Filter,
    /// The time between canaries.
    pub canary: Option<Duration>,
    /// How long its receiver may take for an alert.
    pub timeout: Duration,
    /// By which way it goes out.
    pub way: Way,
}

/// The places for tries of one way that may be left behind.
#[derive(Debug, Clone)]
struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Places {
        Places(Arc::new(Semaphore::new(MOST_LEFT_BEHIND)))
    }
}

impl Places {
    /// One of them, free again when it is dropped.
    fn take(&self) -> Result<OwnedSemaphorePermit, NotTaken> {
        let none = |_| NotTaken::because(format!("{MOST_LEFT_BEHIND} earlier tries have not ended yet"));
        self.0.clone().try_acquire_owned().map_err(none)
    }
}

/// By which way alerts go out.
#[derive(Debug)]
pub enum Way {
    /// A line in the monitor's own log.
    Log,
    /// A signed POST.
    Webhook(webhook::Webhook),
    /// A program of the operator.
    Command(command::Command),
    /// Mail.
    Mail(mail::Mail),
    /// A feed at the monitor's public address.
    Atom,
}

/// Tries of one channel that may be left behind when their time is over: a server that drips, a program whose child keeps the
/// input open. Further ones wait until one of them ends.
const MOST_LEFT_BEHIND: usize = 4;

/// How long a try may take beyond the receiver's time, for the look-up of its name and for the error to be told.
const GRACE: Duration = Duration::from_secs(2);

/// How an alert was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Nobody has seen it.
    NotReached,
    /// Somebody has, and did not take it; perhaps the next time.
    Failed,
    /// Somebody said that this one is not taken.
    Refused,
}

/// An alert was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// How.
    pub how: How,
    /// Why, for people.
    pub message: String,
    /// How long the receiver asks to wait.
    pub wait: Option<Duration>,
}

impl NotTaken {
    /// For this reason.
    pub fn because(message: impl Into<String>) -> NotTaken {
        NotTaken { how: How::NotReached, message: message.into(), wait: None }
    }

    /// By somebody who has seen it.
    #[must_use]
    pub fn seen(self, how: How) -> NotTaken {
        NotTaken { how, ..self }
    }
}

impl Way {
    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Way::Log => "log",
            Way::Webhook(_) => "webhook",
            Way::Command(_) => "command",
            Way::Mail(_) => "mail",
            Way::Atom => "atom",
        }
    }
}

impl Channel {
    /// Sends an alert and waits until it is acknowledged.
    ///
    /// # Errors
    /// When it was not, or nobody knows.
    pub async fn send(&self, alert: &Alert, outbox: &Arc<Outbox>, now: Millis) -> Result<(), NotTaken> {
        // Each way has a time of its own; this one is for the whole, whatever drips or hangs within.
        let whole = self.timeout + GRACE;
        let late = || {
            let message = format!("the alert was under way for {} s and was not acknowledged", whole.as_secs());
            Err(NotTaken::because(message).seen(How::Failed))
        };
        tokio::time::timeout(whole, self.try_send(alert, outbox, now)).await.unwrap_or_else(|_| late())
    }

    async fn try_send(&self, alert: &Alert, outbox: &Arc<Outbox>, now: Millis) -> Result<(), NotTaken> {
        match &self.way {
            Way::Log => {
                log(alert);
                Ok(())
            }
            Way::Webhook(webhook) => webhook.send(alert, now).await,
            Way::Command(command) => command.send(alert).await,
            Way::Mail(mail) => mail.send(alert).await,
            Way::Atom => atom::put(&self.name, alert, outbox, now).await,
        }
    }

    /// Alerts that it takes one by one in a burst, and the time after which one more may be sent.
    pub fn pace(&self) -> (u64, Duration) {
        match &self.way {
            Way::Log => (1000, Duration::from_secs(1)), // a line costs nothing
            Way::Atom => (atom::MOST_ENTRIES / 2, Duration::from_secs(60)), // a burst must not push out what came before
            // What people read: twenty at once, then one a minute, and what is more as summaries.
            _ => (20, Duration::from_secs(60)),
        }
    }
}

/// A line in the monitor's own log, of the target `alert`.
fn log(alert: &Alert) {
    let (id, kind, severity) = (alert.id.as_str(), &alert.kind, alert.severity.name());
    let code = alert.code.as_deref().unwrap_or_default();
    // One line: what others wrote has no line feeds, what is ours has.
    let said = alert.message.lines().collect::<Vec<_>>().join("; ");
    match alert.severity {
        Severity::Alarm => {
            tracing::error!(target: "alert", id, ?kind, severity, code, origin = alert.origin, "{}: {said}", alert.subject);
        }
        _ => {
            tracing::warn!(target: "alert", id, ?kind, severity, code, origin = alert.origin, "{}: {said}", alert.subject);
        }
    }
}
