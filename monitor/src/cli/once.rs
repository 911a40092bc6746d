//! `serve --once`: one round over every log and one of gossip with the peers, then the exit code says how they are.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::status::{LogStatus, Status, report};
use super::{Exit, Failure, say};
use crate::alert::Alerts;
use crate::clock;
use crate::follow::{FollowedLog, Goes, Round};
use crate::gossip::Gossip;

/// How long a round that is given up may take to its end: it writes what it found.
const ROUND_END: Duration = Duration::from_secs(5);

/// Looks at every log once, one after the other, talks with the peers, and sends what alerts there are.
pub(super) async fn run(
    logs: Vec<Arc<FollowedLog>>,
    gossip: Option<Arc<Gossip>>,
    alerts: Option<&Alerts>,
    json: bool,
    stop: CancellationToken,
) -> Result<u8, Failure> {
    for log in &logs {
        let (asked, stop) = (log.clone(), stop.clone());
        let ended = stop.clone();
        let mut round = tokio::task::spawn_blocking(move || one(&asked, &stop));
        // A log that does not answer is not waited for by somebody who is told to stop.
        let round = tokio::select! {
            round = &mut round => round,
            () = ended.cancelled() => {
                log.wait_no_more();
                // What it was at ends in order, and before the runtime that it waits on.
                let _ = tokio::time::timeout(ROUND_END, round).await;
                break;
            }
        };
        let failed = round.map_err(|error| error.to_string()).and_then(|done| done.map_err(|error| error.message));
        // The others are looked at all the same, and what they showed is told.
        if let Err(message) = failed {
            let message = format!("{} is not followed: {message}", log.origin());
            tracing::error!(origin = log.origin(), "{message}");
            log.look_failed(&message, clock::now());
        }
    }
    if let Some(gossip) = gossip {
        tokio::select! {
            () = gossip.clone().once() => {}
            () = stop.cancelled() => gossip.give_up(),
        }
    }
    if let Some(alerts) = alerts {
        for left in alerts.flush(&stop).await {
            let (channel, error) = (left.channel, left.error.unwrap_or_default());
            tracing::warn!(channel, error, "alerts wait; the next run tries again");
        }
    }
    let statuses: Vec<LogStatus> = logs.iter().map(|log| LogStatus::of(log, None)).collect();
    let own = alerts.map(|alerts| alerts.outbox().open_findings()).transpose()?.unwrap_or_default();
    let (text, code) = report(&Status { logs: statuses, own }, json);
    say(&text)?;
    if stop.is_cancelled() {
        let message =
            "stopped before everything was looked at; what was read is kept, and the next run goes on from there";
        return Err(Failure::new(Exit::Stopped, message));
    }
    Ok(code)
}

fn one(log: &FollowedLog, stop: &CancellationToken) -> Result<(), client::Error> {
    let bar = bar(log.origin());
    let mut progress = |done: u64, size: u64| {
        bar.set_length(size);
        bar.set_position(done);
        if stop.is_cancelled() { Goes::Ends } else { Goes::On }
    };
    let done = log.round(Round { now: clock::now(), says_outage: true, progress: &mut progress });
    bar.finish_and_clear();
    done
}

/// A bar on standard error when that is a terminal.
fn bar(origin: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    // The template is fixed; one that indicatif did not take would only cost the form.
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {per_sec} {eta}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_message(origin.to_owned())
}
