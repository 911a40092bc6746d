//! Alerts that a receiver does not take as they are.
//!
//! What an alert says comes in part from others: a claim's model, a head with its cosignatures. A receiver may refuse it for
//! that, a filter for attacks its words, a gateway its size, and would refuse it each time. Everything behind it would wait for
//! ever, and anybody who may publish a claim could write such an alert. So after some refusals it is tried in a bare form, with
//! nothing in it that others wrote, and then in a summary of all that waits, which only counts. The whole alert is tried first
//! each time: a receiver that refused everything, because its address was wrong, gets the whole when it is mended. A receiver
//! that takes none of the three takes nothing, which is `alert.stuck`.

use proto::num::Millis;
use redb::{ReadTransaction, ReadableTable as _, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::channel::{How, NotTaken};
use super::message::{Alert, Kind, Summary};

/// channel, number → an alert that was taken in another form
const REFUSED: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("refused");

/// Refusals of one alert after which another form is tried: some receivers refuse once while they are changed.
const ENOUGH_REFUSALS: u32 = 3;

/// The same for answers that promise nothing, such as 500 or a program that fails: with the waits between them a quarter of an
/// hour, in which most receivers come back.
const ENOUGH_FAILURES: u32 = 11;

/// Alerts that are kept for `alert list`, by channel.
const MOST_KEPT: usize = 50;

/// An alert that was not taken as it is, and was in another form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its id.
    pub id: String,
    /// The id under which it was told.
    pub told_as: String,
    /// When that was taken.
    pub at: Millis,
    /// What the receiver said of the whole one.
    pub why: String,
}

/// How often in a row one alert was answered with a no.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    id: String,
    refused: u32,
    failed: u32,
}

impl Refusals {
    /// One more; says whether they are enough for another form.
    pub(super) fn add(&mut self, id: &str, no: &NotTaken) -> bool {
        if self.id != id {
            *self = Refusals { id: id.to_owned(), ..Refusals::default() };
        }
        match no.how {
            // Nobody has seen it, or somebody asks to wait: the whole one is for later.
            How::NotReached => return false,
            _ if no.wait.is_some() => return false,
            How::Failed => self.failed += 1,
            How::Refused => self.refused += 1,
        }
        self.refused >= ENOUGH_REFUSALS || self.refused + self.failed >= ENOUGH_FAILURES
    }
}

impl Alert {
    /// The same without anything that others wrote: which log, what kind, which entry.
    #[must_use]
    pub(super) fn bare(&self) -> Alert {
        let id = format!("{}/bare", self.id);
        let at = Millis(0); // taken from the whole one
        let mut bare = Alert::new(id, &self.monitor, self.kind, self.severity, &self.origin, at);
        bare.at.clone_from(&self.at);
        let what = match (self.class, &self.code) {
            _ if self.kind == Kind::Summary => "several alerts".to_owned(),
            (Some(class), Some(code)) => format!("{} {code}", class.name()),
            _ => "a claim that a watch matched".to_owned(),
        };
        bare.subject = format!("{what} at {}, without its text", self.origin);
        bare.message = "The receiver did not take this alert as it is: its text, heads and claim are left out. \
                        `claimtrail-monitor alert list` says what the receiver answered, `claimtrail-monitor status` what is \
                        open."
            .to_owned();
        (bare.class, bare.code, bare.index) = (self.class, self.code.clone(), self.index);
        bare.evidence.clone_from(&self.evidence);
        bare.summary = self.summary.clone().map(|summary| Summary { worst: Vec::new(), ..summary });
        bare.instead_of = Some(self.id.clone());
        bare
    }

    /// A summary that only counts.
    #[must_use]
    pub(super) fn count_only(&self) -> Alert {
        let mut bare = self.bare();
        bare.id = format!("{}/count", self.id);
        bare.summary = bare.summary.map(|summary| Summary { counts: Vec::new(), others: summary.events, ..summary });
        (bare.code, bare.instead_of) = (None, None);
        bare
    }
}

pub(super) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(REFUSED)?;
    Ok(())
}

/// Keeps one more of a channel and lets go of the oldest.
pub(super) fn add(transaction: &WriteTransaction, channel: &str, refused: &Refused) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(REFUSED)?;
    let mut numbers = Vec::new();
    for item in table.range((channel, 0)..=(channel, u64::MAX))? {
        numbers.push(item?.0.value().1);
    }
    let text = serde_json::to_vec(refused).map_err(std::io::Error::other)?;
    table.insert((channel, numbers.last().map_or(1, |last| last + 1)), text.as_slice())?;
    let over = (numbers.len() + 1).saturating_sub(MOST_KEPT);
    for number in numbers.iter().take(over) {
        table.remove((channel, *number))?;
    }
    Ok(())
}

/// Those of a channel, the oldest first.
pub(super) fn of(transaction: &ReadTransaction, channel: &str) -> Result<Vec<Refused>, redb::Error> {
    let table = transaction.open_table(REFUSED)?;
    let mut all = Vec::new();
    for item in table.range((channel, 0)..=(channel, u64::MAX))? {
        all.push(serde_json::from_slice(item?.1.value()).map_err(std::io::Error::other)?);
    }
    Ok(all)
}
