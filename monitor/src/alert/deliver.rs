//! One channel's task: it sends what is new, waits when it is not taken, and says so when that lasts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::http::Backoff;
use client::{Error, clock};
use proto::num::Millis;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::channel::{Channel, NotTaken, Way};
use super::message::{Alert, Kind};
use super::pace::Pace;
use super::parcel::{Look, Next, Parcel};
use super::refused::{Refusals, Refused};
use super::{Outbox, Source, grave};
use crate::finding::{Class, Finding, Open, Severity, code};
use crate::store::Findings;

/// How often a channel looks for what is new. A look reads one number of a database.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The first wait after an alert that was not taken; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that is chosen here: a receiver that comes back after a night gets its alerts within minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// The time after which a channel that takes nothing is told to the other channels.
const STUCK_AFTER: Duration = Duration::from_secs(15 * 60);
/// The longest wait that a receiver may ask for: it would else choose how late its alerts are, and be called stuck before its
/// first try.
const LONGEST_ASKED: Duration = STUCK_AFTER;
/// How often a channel that waits is looked at for that.
const JUDGE_EVERY: Duration = Duration::from_secs(30);
/// What a number of alerts that wait is counted up to.
const COUNTED_UP_TO: u64 = 1000;

/// How long is waited after an alert that was not taken.
pub(super) fn wait_after(backoff: &mut Backoff, no: &NotTaken) -> Duration {
    backoff.next(no.wait.map(|asked| asked.min(LONGEST_ASKED)))
}

/// How a channel is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// When it last took an alert.
    pub last_taken: Option<Millis>,
    /// Since when it takes none.
    pub failing_since: Option<Millis>,
    /// How often in a row.
    pub tries: u32,
    /// Why, in words.
    pub error: Option<String>,
}

/// A channel with its place in the outbox.
pub struct Delivery {
    /// The channel.
    pub channel: Channel,
    sources: Vec<Arc<dyn Source>>,
    outbox: Arc<Outbox>,
    monitor: String,
    state: Mutex<State>,
    pace: Mutex<Pace>,
    /// Of what goes out outside of that, for each source.
    grave: Vec<Mutex<Pace>>,
    /// The source that is asked first for what comes next.
    turn: AtomicUsize,
    refusals: Mutex<Refusals>,
}

impl Delivery {
    /// A channel that is told of these sources, from where it was in each.
    pub fn new(
        channel: Channel,
        sources: Vec<Arc<dyn Source>>,
        outbox: Arc<Outbox>,
        monitor: &str,
    ) -> Result<Delivery, Error> {
        // Once: as long as this process has the states open, nobody puts others in their place.
        sources.iter().try_for_each(|source| outbox.resume(&channel.name, &**source))?;
        let failing_since = outbox.failing_since(&channel.name)?;
        let (pace, state) =
            (Mutex::new(Pace::new(channel.pace())), Mutex::new(State { failing_since, ..State::default() }));
        let (monitor, refusals) = (monitor.to_owned(), Mutex::default());
        let grave = sources.iter().map(|_| Mutex::new(Pace::new(grave::PACE))).collect();
        let turn = AtomicUsize::default();
        Ok(Delivery { channel, sources, outbox, monitor, state, pace, grave, turn, refusals })
    }

    /// Sends without end, until `stop`.
    pub async fn run(self: Arc<Delivery>, stop: CancellationToken) {
        let mut backoff = Backoff::between(FIRST_WAIT, LONGEST_WAIT);
        while !stop.is_cancelled() {
            // What is under way is not cut off: an acknowledgement that is not noted makes the alert come twice.
            let wait = match self.clone().all_new(&stop).await {
                Ok(()) => {
                    backoff = Backoff::between(FIRST_WAIT, LONGEST_WAIT);
                    LOOK_EVERY
                }
                Err(no) => {
                    let (channel, error) = (self.channel.name.as_str(), no.message.as_str());
                    tracing::warn!(channel, error, "an alert was not taken; it is tried again");
                    wait_after(&mut backoff, &no)
                }
            };
            self.clone().rest(wait, &stop).await;
        }
    }

    /// Waits, and says in the meantime when the channel has taken nothing for too long: the receiver may ask for a long wait.
    async fn rest(self: Arc<Delivery>, mut wait: Duration, stop: &CancellationToken) {
        while !wait.is_zero() && !stop.is_cancelled() {
            let part = wait.min(JUDGE_EVERY);
            wait -= part;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(part) => {}
            }
            if let Err(no) = self.clone().off_thread(|this| this.judge(clock::now())).await {
                tracing::error!(channel = self.channel.name, error = no.message, "the outbox cannot be used");
            }
        }
    }

    /// Sends all that is new; ends at the first that is not taken, and before the next one when the monitor stops.
    pub async fn all_new(self: Arc<Delivery>, stop: &CancellationToken) -> Result<(), NotTaken> {
        self.clone().off_thread(|this| this.outbox.tell_quiet(clock::now())).await?;
        while !stop.is_cancelled()
            && let Some((place, parcel)) = self.clone().off_thread(Delivery::next).await?
        {
            let taken = self.clone().send(place, parcel).await?;
            self.clone().off_thread(move |this| this.took(place, &taken)).await?;
        }
        if stop.is_cancelled() { Ok(()) } else { self.canary().await }
    }

    /// What is next, and of which source: what is grave before anything else, then each source in turn, so that one that finds
    /// much holds no other.
    fn next(&self) -> Result<Option<(usize, Parcel)>, Error> {
        let (count, first) = (self.sources.len(), self.turn.load(Ordering::Relaxed));
        for place in 0..count {
            if with(&self.grave[place], Pace::room) > 0
                && let Some(parcel) = self.look(place).grave()?
            {
                return Ok(Some((place, parcel)));
            }
        }
        for place in (0..count).map(|step| (first + step) % count) {
            if let Some(parcel) = self.next_of(place)? {
                return Ok(Some((place, parcel)));
            }
        }
        Ok(None)
    }

    /// What is next for a source; what this channel is not told is passed over.
    fn next_of(&self, place: usize) -> Result<Option<Parcel>, Error> {
        let look = self.look(place);
        match look.next(with(&self.pace, Pace::room))? {
            Next::Nothing => Ok(None),
            Next::Send(parcel) => Ok(Some(*parcel)),
            Next::Done(through) => {
                self.outbox.done(&self.channel.name, look.source, through)?;
                Ok(None)
            }
        }
    }

    /// This was acknowledged.
    fn took(&self, place: usize, parcel: &Parcel) -> Result<(), Error> {
        if parcel.alone {
            with(&self.grave[place], Pace::sent);
        } else {
            with(&self.pace, Pace::sent);
            self.turn.store(place + 1, Ordering::Relaxed);
        }
        self.look(place).done(parcel)
    }

    fn look(&self, place: usize) -> Look<'_> {
        Look {
            channel: &self.channel.name,
            filter: &self.channel.filter,
            source: &*self.sources[place],
            outbox: &self.outbox,
            monitor: &self.monitor,
        }
    }

    /// Sends what is next; gives it in the form that was taken. What is not taken as it is, time after time, is
    /// told in another form, so that it does not block what is behind it.
    async fn send(self: Arc<Delivery>, place: usize, parcel: Parcel) -> Result<Parcel, NotTaken> {
        let Err(no) = self.clone().try_send(&parcel.alert, parcel.found).await else { return Ok(parcel) };
        let enough = {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            refusals.add(&parcel.alert.id, &no)
        };
        if !enough {
            return Err(no);
        }
        let mut forms = vec![Parcel { alert: parcel.alert.bare(), ..parcel.clone() }];
        if let Next::Send(count) = self.clone().off_thread(move |this| this.look(place).count()).await? {
            forms.push(*count);
        }
        for form in forms {
            if self.clone().try_send(&form.alert, form.found).await.is_ok() {
                let (id, told_as) = (parcel.alert.id, form.alert.id.clone());
                let refused = Refused { id, told_as, at: clock::now(), why: no.message };
                let channel = self.channel.name.as_str();
                tracing::warn!(channel, id = refused.id, why = refused.why, "an alert was told without its text");
                let keep = move |this: &Delivery| this.outbox.add_refused(&this.channel.name, &refused);
                self.off_thread(keep).await?;
                return Ok(form);
            }
        }
        Err(no)
    }

    /// One try.
    async fn try_send(self: Arc<Delivery>, alert: &Alert, found: Millis) -> Result<(), NotTaken> {
        let now = clock::now();
        let sent = self.channel.send(&alert.clone().sent_at(found, now), &self.outbox, now).await;
        let noted = sent.clone();
        self.off_thread(move |this| this.note(&noted, now, clock::now())).await?;
        sent
    }

    /// Keeps how it went.
    fn note(&self, sent: &Result<(), NotTaken>, begun: Millis, now: Millis) -> Result<(), Error> {
        let name = &self.channel.name;
        let (was, state) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let was = state.clone();
            match sent {
                Ok(()) => *state = State { last_taken: Some(now), ..State::default() },
                Err(no) => {
                    state.failing_since.get_or_insert(begun);
                    state.tries += 1;
                    state.error = Some(no.message.clone());
                }
            }
            (was, state.clone())
        };
        if was.failing_since != state.failing_since {
            self.outbox.fails_since(name, state.failing_since)?;
        }
        // The first one that is taken may end what an earlier run found.
        if sent.is_ok() && (was.failing_since.is_some() || was.last_taken.is_none()) {
            let stuck = Finding::new(Class::Degraded, code::STUCK, "").named(name);
            return self.outbox.note(&Findings::end(&stuck.id), now);
        }
        self.judge(now)
    }

    /// A channel that is stuck is a finding of the monitor's own: the other channels tell it.
    pub(super) fn judge(&self, now: Millis) -> Result<(), Error> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(since) = state.failing_since else { return Ok(()) };
        if u128::from(now.0.saturating_sub(since.0)) < STUCK_AFTER.as_millis() {
            return Ok(());
        }
        let name = &self.channel.name;
        let why = state.error.unwrap_or_else(|| "it was so when this monitor started".to_owned());
        let message = format!("the channel {name} has taken no alert since {}: {why}", since.to_rfc3339());
        let stuck = Finding::new(Class::Degraded, code::STUCK, message).named(name);
        self.outbox.note(&Findings::begin(vec![stuck]), now)
    }

    /// Sends a canary if one is due.
    async fn canary(self: Arc<Delivery>) -> Result<(), NotTaken> {
        let Some(every) = self.channel.canary else { return Ok(()) };
        let now = clock::now();
        let last = self.clone().off_thread(|this| this.outbox.last_canary(&this.channel.name)).await?;
        let due = last.is_none_or(|last| u128::from(now.0.saturating_sub(last.0)) >= every.as_millis());
        if !due {
            return Ok(());
        }
        let hours = every.as_secs() / 3600;
        let message = format!(
            "This monitor runs and this channel works. The next such message comes in {hours} h; if it does not, look at the \
             monitor."
        );
        let alert = self.clone().off_thread(move |this| this.of_own(Kind::Canary, message, now)).await?;
        self.clone().try_send(&alert, now).await?;
        self.off_thread(move |this| this.outbox.took_canary(&this.channel.name, now)).await
    }

    /// An alert that this channel gets though nothing was found; it says how everything is.
    fn of_own(&self, kind: Kind, message: String, now: Millis) -> Result<Alert, Error> {
        let (word, name) = (if kind == Kind::Test { "test" } else { "canary" }, &self.channel.name);
        let id = format!("{}#{word}-{name}-{now}", self.monitor);
        let mut alert = Alert::new(id, &self.monitor, kind, Severity::Info, &self.monitor, now);
        alert.subject = format!("{word} of the channel {name}");
        alert.message = message;
        for source in &self.sources {
            let open = source.open()?;
            let counting = open.iter().filter(|open| open.counts()).count();
            let worst = Open::worst(&open).map(|class| format!(", the worst: {}", class.name())).unwrap_or_default();
            let known = open.len() - counting;
            let known = if known > 0 { format!(", {known} acknowledged") } else { String::new() };
            alert.message.push_str(&format!("\n{}: {}; {counting} open{worst}{known}", source.name(), source.state()));
        }
        Ok(alert)
    }

    /// Sends a test alert now, beside everything that waits: that it is taken says nothing of what waits.
    pub async fn test(self: Arc<Delivery>) -> Result<(), NotTaken> {
        let now = clock::now();
        if matches!(self.channel.way, Way::Atom) {
            // It has no receiver but the public, which is not told of tests.
            return self.off_thread(|this| this.outbox.feed(&this.channel.name).map(drop)).await;
        }
        let message = "This is a test that the operator asked for. Nothing was found.".to_owned();
        let alert = self.clone().off_thread(move |this| this.of_own(Kind::Test, message, now)).await?;
        self.channel.send(&alert, &self.outbox, now).await
    }

    /// How it is, and how many alerts wait.
    pub fn shown(&self) -> Result<Shown, Error> {
        let mut places = Vec::new();
        for place in 0..self.sources.len() {
            let look = self.look(place);
            let (cursor, waiting) = (look.cursor()?, look.waiting(COUNTED_UP_TO)?);
            places.push(Place {
                source: look.source.name().to_owned(),
                cursor: cursor.number,
                newest: look.source.last_event()?,
                waiting,
            });
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (channel, way) = (self.channel.name.clone(), self.channel.way.name().to_owned());
        let last_canary = self.outbox.last_canary(&self.channel.name)?;
        let refused = self.outbox.refused(&channel)?;
        Ok(Shown { channel, way, state, last_canary, places, refused })
    }

    /// Runs what reads or writes a database off the async threads.
    async fn off_thread<T: Send + 'static>(
        self: Arc<Delivery>,
        work: impl FnOnce(&Delivery) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, NotTaken> {
        match tokio::task::spawn_blocking(move || work(&self)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(NotTaken::because(error.message)),
            Err(error) => Err(NotTaken::because(format!("the outbox failed: {error}"))),
        }
    }
}

fn with<T>(pace: &Mutex<Pace>, work: impl FnOnce(&mut Pace) -> T) -> T {
    work(&mut pace.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A channel as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shown {
    /// Its name.
    pub channel: String,
    /// By which way it goes out.
    pub way: String,
    /// How it is.
    #[serde(flatten)]
    pub state: State,
    /// When its last canary was taken.
    pub last_canary: Option<Millis>,
    /// Where it is in every source.
    pub places: Vec<Place>,
    /// Alerts that it did not take as they are, and that were told in another form; the newest ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
}

/// Where a channel is in a source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Place {
    /// The log, or the monitor itself.
    pub source: String,
    /// The last event that the channel has done with.
    pub cursor: u64,
    /// The newest event.
    pub newest: u64,
    /// How many alerts wait; a thousand may be more.
    pub waiting: u64,
}
