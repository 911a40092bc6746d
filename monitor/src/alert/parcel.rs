//! What a channel is to get next: one alert, or a summary when there are more than it takes one by one.

use client::Error;
use proto::num::Millis;

use super::grave::is_grave;
use super::message::Alert;
use super::summing::Summing;
use super::{Mark, Outbox, Source};
use crate::alert::config::Filter;
use crate::finding::Event;

/// Events that are read at once.
const PAGE: usize = 100;

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
    /// Whether it is this event alone, ahead of what was found before it and waits on.
    pub alone: bool,
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
    /// The first grave event that was told neither alone nor with the rest.
    pub fn grave(&self) -> Result<Option<Parcel>, Error> {
        let (newest, cursor) = (self.source.last_event()?, self.cursor()?);
        let told = self.outbox.grave_cursor(self.channel, self.source.name())?;
        let from = if told.number > cursor.number { told } else { cursor };
        let mut found = None;
        let scanned = self.scan(from, newest, &mut |event| {
            found = Some(event).filter(is_grave);
            found.is_none()
        })?;
        if found.is_none() && scanned.number > from.number + PAGE as u64 {
            // Not looked through again at every look, as long as much waits.
            self.outbox.grave_done(self.channel, self.source, scanned)?;
        }
        Ok(found.map(|event| self.parcel(&event, true)))
    }

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
        let told = self.outbox.grave_cursor(self.channel, self.source.name())?;
        let (mut first, mut waiting) = (None, 0);
        let scanned = self.scan(cursor, newest, &mut |event| {
            if event.number <= told.number && is_grave(&event) {
                return true;
            }
            first = first.take().or(Some(event));
            waiting += 1;
            waiting <= room
        })?;
        let Some(first) = first else { return Ok(Next::Done(scanned)) };
        if room == 0 {
            return Ok(Next::Nothing);
        }
        if waiting <= room {
            return Ok(Next::Send(Box::new(self.parcel(&first, false))));
        }
        self.outbox.plan(self.channel, self.source.name(), newest)?;
        self.summary(cursor, newest)
    }

    fn parcel(&self, event: &Event, alone: bool) -> Parcel {
        let alert = Alert::of(event, self.filter, self.source, self.monitor);
        Parcel { alert, through: Mark::from(event), found: event.at, alone }
    }

    /// This was acknowledged.
    pub fn done(&self, parcel: &Parcel) -> Result<(), Error> {
        match parcel.alone {
            true => self.outbox.grave_done(self.channel, self.source, parcel.through),
            false => self.outbox.done(self.channel, self.source, parcel.through),
        }
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
        let told = self.outbox.grave_cursor(self.channel, self.source.name())?;
        let mut waiting = 0;
        self.scan(self.cursor()?, self.source.last_event()?, &mut |event| {
            waiting += u64::from(event.number > told.number || !is_grave(&event));
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

    /// All of it in one, also what was told alone: a summary that was begun says the same at every try.
    fn summary(&self, from: Mark, to: u64) -> Result<Next, Error> {
        let mut all = Summing::default();
        let through = self.scan(from, to, &mut |event| {
            all.add(&event, Alert::of(&event, self.filter, self.source, self.monitor));
            true
        })?;
        let origin = self.source.name();
        Ok(match all.alert(self.monitor, origin) {
            Some((alert, found)) => Next::Send(Box::new(Parcel { alert, through, found, alone: false })),
            None => Next::Done(through),
        })
    }
}
