//! Rounds without end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use client::plain::plain;
use tokio_util::sync::CancellationToken;

use super::{FollowedLog, Goes, Round};
use crate::alert::Outbox;
use crate::clock;
use crate::finding::{Class, Finding, code};
use crate::store::{Batch, Findings};

/// How often a long round is told in the operator's log.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// A round that reads longer than this ends where the next one can go on, so that the log's newest head is looked at again: how
/// fast it serves its entries is the log's to choose.
const LONGEST_READING: Duration = Duration::from_secs(60);

/// Follows a log until `stop`, with `every` between the beginnings of rounds. A log that does not answer is an outage after
/// `outage_after`. What this monitor fails at goes to `outbox`, too: it is another database than the one that may have failed.
pub async fn follow_until(
    log: Arc<FollowedLog>,
    every: Duration,
    outage_after: Duration,
    outbox: Option<Arc<Outbox>>,
    stop: CancellationToken,
) {
    let mut last_success = Instant::now();
    // The outbox may have it open from before the start.
    let mut failing = true;
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let before = log.seen();
        let (asked, watched) = (log.clone(), stop.clone());
        let says_outage = last_success.elapsed() >= outage_after;
        let mut round = tokio::task::spawn_blocking(move || one(&asked, says_outage, &watched));
        let longest = outage_after + LONGEST_READING;
        let ran = tokio::select! {
            ran = &mut round => ran,
            () = tokio::time::sleep(longest) => {
                judge_pace(&log, Some(longest)).await;
                round.await
            }
        };
        if begun.elapsed() < longest && is_slow(&log) {
            judge_pace(&log, None).await;
        }
        match ran {
            Ok(Ok(())) if failing => works(&log, outbox.as_deref()),
            Ok(Ok(())) => {}
            Ok(Err(ref error)) => {
                fails(&log, outbox.as_deref(), &format!("what is kept of the log cannot be used: {}", error.message));
            }
            Err(ref error) => fails(&log, outbox.as_deref(), &format!("a round ended in the middle: {error}")),
        }
        failing = !matches!(ran, Ok(Ok(())));
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
    let begun = Instant::now();
    let mut told = begun;
    let mut progress = |done: u64, size: u64| {
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            tracing::info!(origin = log.origin(), done, size, "following");
        }
        if stop.is_cancelled() || begun.elapsed() >= LONGEST_READING { Goes::Ends } else { Goes::On }
    };
    log.round(Round { now: clock::now(), says_outage, progress: &mut progress })
}

fn is_slow(log: &FollowedLog) -> bool {
    log.seen().open.iter().any(|open| open.finding.code == code::SLOW)
}

/// Tells, beside the look that is still under way, that it takes longer than this; or that one took less.
async fn judge_pace(log: &Arc<FollowedLog>, longer_than: Option<Duration>) {
    let findings = match longer_than {
        Some(longest) => Findings::begin(vec![Finding::new(
            Class::Degraded,
            code::SLOW,
            format!(
                "one look at the log takes longer than {} s, so slowly does it answer; as long as that is so it is looked at that \
                 much less often",
                longest.as_secs()
            ),
        )]),
        None => Findings::end(code::SLOW),
    };
    let told = log.clone();
    let write = move || {
        let batch = Batch { findings, ..Batch::default() };
        told.store.commit_batch(&batch, clock::now()).and_then(|()| told.look(None))
    };
    // A failure is the round's to tell.
    match tokio::task::spawn_blocking(write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(origin = log.origin(), error = error.message, "a slow log is not told"),
        Err(error) => tracing::error!(origin = log.origin(), %error, "a slow log is not told"),
    }
}

fn own(log: &FollowedLog, message: &str) -> Finding {
    Finding::new(Class::Degraded, code::OWN, message).named(log.origin())
}

/// Tells, by every way that does not need the log's own state, that the log is not followed now.
fn fails(log: &FollowedLog, outbox: Option<&Outbox>, message: &str) {
    let message = format!("{} is not followed: {message}", log.origin());
    log.look_failed(&message, clock::now());
    note(log, outbox, &Findings::begin(vec![own(log, &message)]));
}

fn works(log: &FollowedLog, outbox: Option<&Outbox>) {
    // What is not open does not end.
    note(log, outbox, &Findings::end(&own(log, "").id));
}

fn note(log: &FollowedLog, outbox: Option<&Outbox>, findings: &Findings) {
    let noted = outbox.map_or(Ok(()), |outbox| outbox.note(findings, clock::now()));
    if let Err(error) = noted {
        tracing::error!(origin = log.origin(), error = error.message, "alerts of this monitor's own cannot be kept");
    }
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

#[cfg(test)]
mod tests {
    use client::egress::Egress;
    use client::trust::Trust;
    use proto::ed25519::SecretKey;
    use proto::note::{KeyName, NoteSigner};
    use tokio::runtime::Handle;

    use super::*;
    use crate::alert::Source as _;
    use crate::config::{LogToFollow, Poll};
    use crate::store::LogStore;

    const ORIGIN: &str = "log.example/run";

    fn log_in(folder: &std::path::Path) -> Arc<FollowedLog> {
        let key = NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), SecretKey::from_seed(&[7; 32]));
        LogStore::create(folder, ORIGIN).unwrap();
        let config = LogToFollow {
            origin: ORIGIN.to_owned(),
            url: "http://127.0.0.1:1".to_owned(),
            egress: Egress::Direct,
            trust: Trust::parse(format!("log {}\nquorum none\n", key.vkey()).as_bytes()).unwrap(),
            mirror: false,
            max_head_age: Duration::from_secs(60),
            watches: Arc::default(),
        };
        FollowedLog::open(config, folder, &Poll::default(), Handle::current()).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_monitor_that_fails_by_its_own_fault_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Arc::new(Outbox::open(folder.path(), "m.example").unwrap());
        let log = log_in(folder.path());
        assert!(!log.is_failing());
        // What is kept as the newest head is none: no round can be ended.
        log.store.commit_batch(&Batch { newest: Some(b"damaged"), ..Batch::default() }, clock::now()).unwrap();
        let (every, outage_after, stop) = (Duration::from_millis(1), Duration::from_secs(60), CancellationToken::new());
        let following =
            tokio::spawn(follow_until(log.clone(), every, outage_after, Some(outbox.clone()), stop.clone()));
        let deadline = Instant::now() + Duration::from_secs(60);
        while !log.is_failing() {
            assert!(Instant::now() < deadline, "nothing is said");
            tokio::task::yield_now().await;
        }
        stop.cancel();
        following.await.unwrap();
        let [open] = &log.seen().open[..] else { panic!("{:?}", log.seen().open) };
        assert_eq!((open.finding.class, open.finding.code.as_str()), (Class::Degraded, code::OWN));
        let told = outbox.events_after(0, 9).unwrap();
        assert_eq!(told.iter().map(|event| event.what.kind()).collect::<Vec<_>>(), ["began"], "once");
        works(&log, Some(&outbox));
        assert_eq!(outbox.last_event().unwrap(), 2, "and its end");
    }

    /// A log that takes connections and says nothing: a look at it takes as long as its answers may.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_look_that_takes_too_long_is_told_while_it_is_under_way() {
        let folder = tempfile::tempdir().unwrap();
        let log = log_in(folder.path());
        judge_pace(&log, Some(Duration::from_secs(120))).await;
        judge_pace(&log, Some(Duration::from_secs(120))).await;
        let [open] = &log.seen().open[..] else { panic!("{:?}", log.seen().open) };
        assert_eq!((open.finding.class, open.finding.code.as_str()), (Class::Degraded, code::SLOW));
        // The next look is over at once: nobody listens at its address.
        let stop = CancellationToken::new();
        let (every, outage_after) = (Duration::from_millis(1), Duration::from_secs(60));
        let following = tokio::spawn(follow_until(log.clone(), every, outage_after, None, stop.clone()));
        let deadline = Instant::now() + Duration::from_secs(60);
        while is_slow(&log) {
            assert!(Instant::now() < deadline, "it does not end");
            tokio::task::yield_now().await;
        }
        stop.cancel();
        following.await.unwrap();
    }
}
