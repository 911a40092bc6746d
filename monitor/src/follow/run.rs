//! Rounds without end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use client::clock;
use client::plain::plain;
use tokio_util::sync::CancellationToken;

use super::{FollowedLog, Goes, Round};

/// How often a long round is told in the operator's log.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Follows a log until `stop`, with `every` between the beginnings of rounds. A log that does not answer is an outage after
/// `outage_after`.
pub async fn follow_until(log: Arc<FollowedLog>, every: Duration, outage_after: Duration, stop: CancellationToken) {
    let mut last_success = Instant::now();
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let before = log.seen();
        let (asked, watched) = (log.clone(), stop.clone());
        let says_outage = last_success.elapsed() >= outage_after;
        let ran = tokio::task::spawn_blocking(move || one(&asked, says_outage, &watched)).await;
        match ran {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(origin = log.origin(), error = error.message, "what is kept cannot be used");
            }
            Err(error) => tracing::error!(origin = log.origin(), %error, "a round failed"),
        }
        let seen = log.seen();
        if seen.last_success != before.last_success {
            last_success = Instant::now();
        }
        tell(&log, &before.open, &seen.open);
        let wait = every.saturating_sub(begun.elapsed());
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn one(log: &FollowedLog, says_outage: bool, stop: &CancellationToken) -> Result<(), client::Error> {
    let mut told = Instant::now();
    let mut progress = |done: u64, size: u64| {
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            tracing::info!(origin = log.origin(), done, size, "following");
        }
        if stop.is_cancelled() { Goes::Ends } else { Goes::On }
    };
    log.round(Round { now: clock::now(), says_outage, progress: &mut progress })
}

/// Says what began and what ended.
fn tell(log: &FollowedLog, before: &[crate::finding::Open], now: &[crate::finding::Open]) {
    let began = now.iter().filter(|open| !before.contains(open));
    for open in began {
        let finding = &open.finding;
        let (class, code) = (finding.class.name(), finding.code.as_str());
        tracing::error!(origin = log.origin(), class, code, "{}", plain(&finding.message));
    }
    let is_open = |id: &str| now.iter().any(|open| open.finding.id == id);
    for open in before.iter().filter(|open| !is_open(&open.finding.id)) {
        let (class, code) = (open.finding.class.name(), open.finding.code.as_str());
        tracing::info!(origin = log.origin(), class, code, "over: {}", plain(&open.finding.message));
    }
}
