//! The ways that alerts go out.

pub mod atom;
pub mod command;
pub mod mail;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use proto::num::Millis;

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
    /// By which way it goes out.
    pub way: Way,
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

/// An alert was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// Why, for people.
    pub message: String,
    /// How long the receiver asks to wait.
    pub wait: Option<Duration>,
}

impl NotTaken {
    /// For this reason.
    pub fn because(message: impl Into<String>) -> NotTaken {
        NotTaken { message: message.into(), wait: None }
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
    match alert.severity {
        Severity::Alarm => {
            tracing::error!(target: "alert", id, ?kind, severity, code, origin = alert.origin, "{}: {}", alert.subject, alert.message);
        }
        _ => {
            tracing::warn!(target: "alert", id, ?kind, severity, code, origin = alert.origin, "{}: {}", alert.subject, alert.message);
        }
    }
}
