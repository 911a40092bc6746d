//! Whether a monitor should get requests.
//!
//! That is about its own work alone. A log that does not answer, or hangs, is somebody else's: the mirror, the heads, the evidence and
//! the gossip of this monitor are asked for most at that time, and what restarts or takes out whoever is not ready would do so to
//! every monitor of that log at once, and again and again. So it stays ready, also when no log answers at all, and says which they are.

use std::sync::Arc;

use service::admin::Readiness;

use crate::finding::{Open, code};
use crate::follow::FollowedLog;

/// What says that a log does not answer, or so slowly that little is known of it. Each is told only after a while, so that this does
/// not change with every answer that is late.
const SILENT: [&str; 2] = [code::UNREACHABLE, code::SLOW];

/// What is open of a log.
struct Log<'a> {
    origin: &'a str,
    open: &'a [Open],
}

/// How the monitor is.
pub(super) fn of(is_stopping: bool, logs: &[Arc<FollowedLog>]) -> Readiness {
    let seen: Vec<_> = logs.iter().map(|log| (log.origin(), log.seen())).collect();
    let logs: Vec<Log<'_>> = seen.iter().map(|(origin, seen)| Log { origin, open: &seen.open }).collect();
    judge(is_stopping, &logs)
}

fn judge(is_stopping: bool, logs: &[Log<'_>]) -> Readiness {
    if is_stopping {
        return Readiness::NotReady("stopping".to_owned());
    }
    // Its own state of a log cannot be used: what it would answer about that log is old or wrong.
    if let Some(log) = logs.iter().find(|log| log.open.iter().any(|open| open.finding.code == code::OWN)) {
        return Readiness::NotReady(format!("{} is not followed: see /status", log.origin));
    }
    let silent = |log: &Log<'_>| {
        let open = log.open.iter().find(|open| SILENT.contains(&open.finding.code.as_str()))?;
        Some(format!("{}: {} since {}", log.origin, open.finding.code, open.since.to_rfc3339()))
    };
    let notes: Vec<String> = logs.iter().filter_map(silent).collect();
    Readiness::Ready { mode: if notes.len() < logs.len() { "following" } else { "waiting" }, notes }
}

#[cfg(test)]
mod tests {
    use proto::num::Millis;

    use super::*;
    use crate::finding::{Class, Finding};

    fn open(class: Class, code: &str) -> Vec<Open> {
        vec![Open::new(Millis(0), Finding::new(class, code, "words of the log"))]
    }

    /// How a monitor is whose logs have this open.
    fn how(logs: &[&[Open]]) -> Readiness {
        let logs: Vec<Log<'_>> = logs.iter().map(|open| Log { origin: "log.example", open }).collect();
        judge(false, &logs)
    }

    #[test]
    fn logs_that_hang_are_named_and_leave_it_ready() {
        let (slow, away) = (open(Class::Degraded, code::SLOW), open(Class::Outage, code::UNREACHABLE));
        let fork = open(Class::Tamper, code::FORK);
        assert_eq!(how(&[&[], &fork]), Readiness::in_mode("following"), "the log's sins are not the monitor's");
        let note = |code: &str| format!("log.example: {code} since 1970-01-01T00:00:00Z");
        let one = Readiness::Ready { mode: "following", notes: vec![note("log.slow")] };
        assert_eq!(how(&[&slow, &[]]), one);
        let all = Readiness::Ready { mode: "waiting", notes: vec![note("log.slow"), note("log.unreachable")] };
        assert_eq!(how(&[&slow, &away]), all, "ready all the same");
    }

    #[test]
    fn its_own_faults_and_its_end_are_said() {
        let own = open(Class::Degraded, code::OWN);
        assert_eq!(how(&[&[], &own]), Readiness::NotReady("log.example is not followed: see /status".to_owned()));
        assert_eq!(judge(true, &[]), Readiness::NotReady("stopping".to_owned()));
    }
}
