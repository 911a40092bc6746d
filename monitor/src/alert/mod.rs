//! Alerts: what was found, told to people and programs, so that none is lost and none is in the way.
//!
//! Findings and their events commit with the cursor of their log and are numbered ([`crate::finding`]). An alert is made of an
//! event when a channel is ready for it, and what a channel has acknowledged is one number a log: that is the outbox. The number
//! counts only as long as the log's state is the one in which it was counted ([`mark`]).
//!
//! ```text
//! logs' events, own events ─▶ parcel: one alert, or a summary of many ─▶ channel ─ acknowledged ─▶ cursor (channel, log)
//!                                         ▲                                 │ not taken
//!                                         └──────── back-off ───────────────┘
//! ```
//!
//! Nothing waits for a channel: following only writes events, and every channel has a task and cursors of its own. What is not
//! sent yet takes no memory. After a crash the last alert may come twice, under the same id.
//!
//! | module | what it holds |
//! |---|---|
//! | [`message`] | the alert as it is sent, as JSON and as text |
//! | [`config`] | `[[alert]]` entries, read and checked |
//! | [`mark`] | where a channel is in a log, and whether that still holds |
//! | [`outbox`] | cursors, the last canaries, and what this monitor has to say of itself |
//! | [`parcel`] | what a channel is to get next |
//! | `grave` | what goes out alone and first, whatever waits |
//! | `summing` | a summary of what waits, while it is made |
//! | [`refused`] | forms for receivers that do not take an alert as it is |
//! | [`deliver`] | one channel's task: pace, back-off, acknowledgement, canary |
//! | [`channel`] | log line, webhook, command |
//! | [`last_seen`] | who was heard of when: peers and witnesses that fall silent |
//! | [`address`] | addresses that a webhook may go to |

pub mod address;
pub mod channel;
pub mod config;
pub mod deliver;
mod grave;
pub mod last_seen;
pub mod mark;
pub mod message;
pub mod outbox;
mod pace;
pub mod parcel;
pub mod refused;
mod service;
mod summing;

pub use mark::Mark;
pub use message::Alert;
pub use outbox::Outbox;
pub use service::{Alerts, Tested};

use client::Error;

use crate::finding::{Event, Open};
use crate::follow::FollowedLog;

/// Where numbered events come from: a log that is followed, or the monitor itself.
pub trait Source: Send + Sync {
    /// What names it in alerts and cursors.
    fn name(&self) -> &str;

    /// What tells its state, and so the numbers of its events, from one that was made anew under the same name.
    fn life(&self) -> &str;

    /// Where an entry of it can be read.
    fn link(&self, index: u64) -> Option<String>;

    /// Events behind this number, the oldest first, at most so many.
    fn events_after(&self, number: u64, limit: usize) -> Result<Vec<Event>, Error>;

    /// The number of the newest event; 0 before the first.
    fn last_event(&self) -> Result<u64, Error>;

    /// What is open.
    fn open(&self) -> Result<Vec<Open>, Error>;

    /// How it is, in a line for canaries.
    fn state(&self) -> String;
}

impl Source for FollowedLog {
    fn name(&self) -> &str {
        self.origin()
    }

    fn life(&self) -> &str {
        self.store.life()
    }

    fn link(&self, index: u64) -> Option<String> {
        Some(format!("{}/v1/entries/{index}", self.config.url.trim_end_matches('/')))
    }

    fn events_after(&self, number: u64, limit: usize) -> Result<Vec<Event>, Error> {
        self.store.events_after(number, limit)
    }

    fn last_event(&self) -> Result<u64, Error> {
        self.store.last_event()
    }

    fn open(&self) -> Result<Vec<Open>, Error> {
        self.store.open_findings()
    }

    fn state(&self) -> String {
        let seen = self.seen();
        let head = seen.head.and_then(|(_, time)| time).map(|time| format!(", head of {}", time.millis().to_rfc3339()));
        format!("{} entries{}", seen.size, head.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
