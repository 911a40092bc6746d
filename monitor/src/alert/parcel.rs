//! What a channel is to get next: one alert, or a summary when there are more than it takes one by one.

use std::collections::BTreeMap;

use client::Error;
use proto::num::Millis;

use super::message::{Alert, Count, Kind, Line, Summary, id_of};
use super::{Mark, Outbox, Source};
use crate::alert::config::Filter;
use crate::finding::{Class, Event, Severity};

/// Events that are read at once.
const PAGE: usize = 100;

/// Kinds of findings that a summary counts one by one. There are a few dozen codes; a log that makes up more is counted as
/// others.
const MOST_COUNTS: usize = 60;

/// Events that a summary shows in words, the worst ones.
const MOST_LINES: usize = 10;

/// What there is for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing new.
    Nothing,
    /// Nothing that this channel is to be told, up to this event.
    Done(Mark),
    /// Something to send.
    Send(Box<Parcel>),
}

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// What is sent.
    pub alert: Alert,
    /// The cursor once it is acknowledged.
    pub through: Mark,
    /// When the oldest of it was found.
    pub found: Millis,
}

/// One channel's look at one source.
pub struct Look<'a> {
    /// The channel's name.
    pub channel: &'a str,
    /// What it is told.
    pub filter: &'a Filter,
    /// Where events come from.
    pub source: &'a dyn Source,
    /// What it has acknowledged.
    pub outbox: &'a Outbox,
    /// The monitor's name.
    pub monitor: &'a str,
}

impl Look<'_> {
    /// What is next, when at most `room` alerts may be sent one by one now. With no room, nothing is begun.
    pub fn next(&self, room: u64) -> Result<Next, Error> {
        let (newest, cursor) = (self.source.last_event()?, self.cursor()?);
        if newest <= cursor.number {
            return Ok(Next::Nothing);
        }
        let planned = self.outbox.planned(self.channel, self.source.name())?.filter(|planned| *planned > cursor.number);
        if let Some(last) = planned {
            return self.summary(cursor, last);
        }
        let (mut first, mut waiting) = (None, 0);
        let scanned = self.scan(cursor, newest, &mut |event| {
            first = first.take().or(Some(event));
            waiting += 1;
            waiting <= room
        })?;
        let Some(first) = first else { return Ok(Next::Done(scanned)) };
        if room == 0 {
            return Ok(Next::Nothing);
        }
        if waiting <= room {
            let alert = Alert::of(&first, self.filter, self.source, self.monitor);
            return Ok(Next::Send(Box::new(Parcel { alert, through: Mark::from(&first), found: first.at })));
        }
        self.outbox.plan(self.channel, self.source.name(), newest)?;
        self.summary(cursor, newest)
    }

    /// All that waits, only counted: for a receiver that takes nothing else.
    pub fn count(&self) -> Result<Next, Error> {
        Ok(match self.summary(self.cursor()?, self.source.last_event()?)? {
            Next::Send(mut parcel) => {
                parcel.alert = parcel.alert.count_only();
                Next::Send(parcel)
            }
            other => other,
        })
    }

    /// How many alerts wait, up to `most`.
    pub fn waiting(&self, most: u64) -> Result<u64, Error> {
        let mut waiting = 0;
        self.scan(self.cursor()?, self.source.last_event()?, &mut |_| {
            waiting += 1;
            waiting < most
        })?;
        Ok(waiting)
    }

    /// The last event that this channel has done with.
    pub fn cursor(&self) -> Result<Mark, Error> {
        self.outbox.cursor(self.channel, self.source.name())
    }

    /// Shows the events that this channel is told, behind one up to a number, until `each` has enough; gives the last one that
    /// was looked at.
    fn scan(&self, from: Mark, to: u64, each: &mut dyn FnMut(Event) -> bool) -> Result<Mark, Error> {
        let mut at = from;
        while at.number < to {
            let page = self.source.events_after(at.number, PAGE)?;
            if page.is_empty() {
                break;
            }
            for event in page {
                if event.number > to {
                    return Ok(at);
                }
                at = Mark::from(&event);
                if self.filter.wants(&event) && !each(event) {
                    return Ok(at);
                }
            }
        }
        Ok(at)
    }

    fn summary(&self, from: Mark, to: u64) -> Result<Next, Error> {
        let mut all = Summing::default();
        let through = self.scan(from, to, &mut |event| {
            all.add(&event, self);
            true
        })?;
        let origin = self.source.name();
        Ok(match all.alert(self.monitor, origin) {
            Some((alert, found)) => Next::Send(Box::new(Parcel { alert, through, found })),
            None => Next::Done(through),
        })
    }
}

/// What is counted together; the worst first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Counted {
    severity: std::cmp::Reverse<Severity>,
    class: Option<Class>,
    code: String,
    kind: Kind,
}

/// A summary under way.
#[derive(Default)]
struct Summing {
    first: Option<(u64, Millis)>,
    last: u64,
    last_at: Millis,
    events: u64,
    counts: BTreeMap<Counted, u64>,
    others: u64,
    worst: Vec<Line>,
}

impl Summing {
    fn add(&mut self, event: &Event, look: &Look<'_>) {
        self.first.get_or_insert((event.number, event.at));
        (self.last, self.last_at) = (event.number, event.at);
        self.events += 1;
        let alert = Alert::of(event, look.filter, look.source, look.monitor);
        // A claim that shows nothing is counted by the first watch that it matched.
        let code = alert.code.clone().or_else(|| alert.watches.first().map(|hit| hit.watch.clone()));
        let key = Counted {
            severity: std::cmp::Reverse(alert.severity),
            class: alert.class,
            code: code.unwrap_or_default(),
            kind: alert.kind,
        };
        if self.counts.len() < MOST_COUNTS || self.counts.contains_key(&key) {
            *self.counts.entry(key).or_insert(0) += 1;
        } else {
            self.others += 1;
        }
        // The first ones of a severity stay: what came first explains the rest.
        let place = self.worst.partition_point(|line| line.severity >= alert.severity);
        if place < MOST_LINES {
            let Alert { severity, at, subject, message, .. } = alert;
            self.worst.insert(place, Line { id: id_of(event), severity, at, subject, message });
            self.worst.truncate(MOST_LINES);
        }
    }

    fn alert(self, monitor: &str, origin: &str) -> Option<(Alert, Millis)> {
        let (first, found) = self.first?;
        let counts: Vec<Count> = self
            .counts
            .into_iter()
            .map(|(Counted { class, code, kind, .. }, count)| Count { class, code, kind, count })
            .collect();
        let severity = self.worst.first().map_or(Severity::Info, |line| line.severity);
        // Both ends: what is summed up is the same for every try.
        let id = format!("{origin}#{first}-{}-{}", self.last, self.last_at);
        let mut alert = Alert::new(id, monitor, Kind::Summary, severity, origin, found);
        alert.subject = format!("{} alerts at {origin}, the worst: {}", self.events, severity.name());
        alert.message = format!(
            "{} alerts came faster than they could be sent one by one, or waited together; this sums them up. \
             `claimtrail-monitor status` says what is open now.",
            self.events
        );
        let (last, events, others, worst) = (self.last, self.events, self.others, self.worst);
        alert.summary = Some(Summary { first, last, events, counts, others, worst });
        Some((alert, found))
    }
}
