//! All channels together: started, flushed, tested, shown.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use client::Error;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::channel::{Channel, Way};
use super::deliver::{Delivery, Shown};
use super::{Outbox, Source};
use crate::follow::FollowedLog;

/// How long a single run waits for its alerts to be taken. What is not taken by then stays in the outbox for the next run.
const FLUSH_TIME: Duration = Duration::from_secs(60);

/// All channels.
pub struct Alerts {
    deliveries: Vec<Arc<Delivery>>,
    outbox: Arc<Outbox>,
    /// One test at a time: it is asked for by hand, and every channel's receiver sees it.
    testing: Mutex<()>,
}

/// How the test of a channel went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// The channel.
    pub channel: String,
    /// By which way it goes out.
    pub way: String,
    /// Why it was not taken; absent when it was.
    pub error: Option<String>,
}

impl Alerts {
    /// These channels for these logs, and for what the monitor has to say of itself.
    pub fn open(
        state: &Path,
        monitor: &str,
        channels: Vec<Channel>,
        logs: &[Arc<FollowedLog>],
    ) -> Result<Alerts, Error> {
        if logs.iter().any(|log| log.origin() == monitor) {
            let message =
                format!("this monitor and a log are both called {monitor}; set `name` in [alerts] to another name");
            return Err(Error::malformed(message));
        }
        let outbox = Arc::new(Outbox::open(state, monitor)?);
        let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
        outbox.forget_others(&names, client::clock::now())?;
        let delivery = |channel: Channel| {
            let mut sources: Vec<Arc<dyn Source>> = Vec::new();
            for log in logs {
                sources.push(log.clone());
            }
            // What this monitor says of itself names receivers: it is not for the public.
            if !matches!(channel.way, Way::Atom) {
                sources.push(outbox.clone());
            }
            Ok::<_, Error>(Arc::new(Delivery::new(channel, sources, outbox.clone(), monitor)?))
        };
        let deliveries = channels.into_iter().map(delivery).collect::<Result<_, _>>()?;
        Ok(Alerts { deliveries, outbox, testing: Mutex::new(()) })
    }

    /// What this monitor has to say of itself goes in here.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// The name of the channel whose feed is public, if there is one.
    pub fn feed(&self) -> Option<&str> {
        let found = self.deliveries.iter().find(|delivery| matches!(delivery.channel.way, Way::Atom));
        found.map(|delivery| delivery.channel.name.as_str())
    }

    /// Starts a task for each channel.
    pub fn start(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        for delivery in &self.deliveries {
            tasks.spawn(delivery.clone().run(stop.clone()));
        }
    }

    /// Sends what waits once, for a monitor that does not go on; says what was not taken.
    pub async fn flush(&self, stop: &CancellationToken) -> Vec<Tested> {
        let mut sent = tokio::task::JoinSet::new();
        for delivery in &self.deliveries {
            let (delivery, stop) = (delivery.clone(), stop.clone());
            sent.spawn(async move {
                let done = tokio::time::timeout(FLUSH_TIME, delivery.clone().all_new(&stop)).await;
                let late = format!("it did not take its alerts within {} s", FLUSH_TIME.as_secs());
                let error = done.map_or(Some(late), |done| done.err().map(|no| no.message));
                tested(&delivery, error)
            });
        }
        let all = sent.join_all().await;
        all.into_iter().filter(|tested| tested.error.is_some()).collect()
    }

    /// Sends a test alert through every channel, or through one; none are tested when there is no such channel. Nothing while
    /// another test runs.
    pub async fn test(&self, channel: Option<&str>) -> Option<Vec<Tested>> {
        let _one = self.testing.try_lock().ok()?;
        let mut tests = tokio::task::JoinSet::new();
        for delivery in &self.deliveries {
            if channel.is_none_or(|name| name == delivery.channel.name) {
                let delivery = delivery.clone();
                tests.spawn(async move { tested(&delivery, delivery.clone().test().await.err().map(|no| no.message)) });
            }
        }
        let mut all = tests.join_all().await;
        all.sort_by(|a, b| a.channel.cmp(&b.channel));
        Some(all)
    }

    /// Every channel as it is shown.
    pub fn shown(&self) -> Result<Vec<Shown>, Error> {
        self.deliveries.iter().map(|delivery| delivery.shown()).collect()
    }
}

fn tested(delivery: &Delivery, error: Option<String>) -> Tested {
    Tested { channel: delivery.channel.name.clone(), way: delivery.channel.way.name().to_owned(), error }
}

impl std::fmt::Debug for Alerts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alerts").field("channels", &self.deliveries.len()).finish_non_exhaustive()
    }
}
