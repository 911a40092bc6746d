//! `status`: how every log is, and what is open.
//!
//! A running monitor holds its databases, so it is asked at its admin address; a stopped one is read from its files.

mod gossip;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;
use client::http::Http;
use client::plain::plain;
use proto::num::{Millis, Seconds, TreeSize};
use serde::{Deserialize, Serialize};

use super::beside::stopped_or_running;
use super::{Exit, Failure, Place, alert, follow, logs_folder, say};
use crate::config::Config;
use crate::evidence::EvidenceId;
use crate::finding::{Class, Open};
use crate::follow::FollowedLog;
use crate::gossip::Gossip;
use crate::store::UnreadHeads;
use crate::witness::Witness;

/// Thousands of open findings, each with two heads, stay below this.
const MAX_STATUS_BYTES: usize = 256 << 20;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    place: Place,
    /// The admin address of the running monitor, if it is not the one of the configuration.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Write JSON for programs.
    #[arg(long)]
    json: bool,
}

/// How a log is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LogStatus {
    origin: String,
    url: String,
    /// Entries that were hashed.
    size: TreeSize,
    /// Entries that the rules were run over.
    checked: TreeSize,
    /// The newest head that was taken.
    head_size: Option<TreeSize>,
    head_time: Option<Seconds>,
    last_success: Option<Millis>,
    /// The last size that was cosigned.
    cosigned: Option<TreeSize>,
    not_cosigned_because: Option<String>,
    /// Heads that were shown and are not held against the tree yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unread: Option<UnreadStatus>,
    /// Misbehaviour files that are kept, by kind.
    #[serde(default)]
    evidence: BTreeMap<String, u64>,
    /// The evidence despite which the operator lets the log be cosigned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cosigned_despite: Vec<EvidenceId>,
    /// Peers, and heads that wait; only a running monitor knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gossip: Option<gossip::GossipStatus>,
    open: Vec<Open>,
}

/// Such heads, and why in words.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct UnreadStatus {
    #[serde(flatten)]
    heads: UnreadHeads,
    why: String,
}

/// How everything is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Status {
    pub(super) logs: Vec<LogStatus>,
    /// What is wrong with this monitor itself, such as a channel that takes no alerts.
    #[serde(default)]
    pub(super) own: Vec<Open>,
}

impl LogStatus {
    pub(super) fn of(log: &FollowedLog, witness: Option<&Witness>) -> LogStatus {
        let seen = log.seen();
        LogStatus {
            origin: log.origin().to_owned(),
            url: log.config.url.clone(),
            size: seen.size,
            checked: seen.folded,
            head_size: seen.head.map(|(size, _)| size),
            head_time: seen.head.and_then(|(_, time)| time),
            last_success: seen.last_success,
            cosigned: witness.and_then(|witness| witness.size(log.origin())).filter(|size| *size > TreeSize(0)),
            not_cosigned_because: witness
                .and_then(|witness| witness.stopped(log.origin()))
                .or_else(|| log.store.stop().why())
                .or_else(|| log.forked()),
            unread: seen.unread.map(|heads| UnreadStatus { why: heads.why(), heads }),
            evidence: seen.evidence.clone(),
            cosigned_despite: log.store.stop().resumed(),
            gossip: None,
            open: seen.open.clone(),
        }
    }

    /// With what gossip knows.
    pub(super) fn with_gossip(mut self, gossip: &Gossip) -> LogStatus {
        self.gossip = gossip::GossipStatus::of(gossip, &self.origin);
        self
    }
}

pub(super) fn run(args: &StatusArgs) -> Result<u8, Failure> {
    let config = args.place.load([])?;
    follow::check(&config, &config.logs()?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let status = match &args.admin {
        Some(url) => runtime.block_on(asked(url))?,
        None => {
            let asked = |url: &str| runtime.block_on(asked(url));
            stopped_or_running(&config, || stored(&config, &runtime), asked)?
        }
    };
    let (text, code) = report(&status, args.json);
    say(&text)?;
    Ok(code)
}

/// What a running monitor says.
async fn asked(url: &str) -> Result<Status, Failure> {
    let http = Http::new(url)?.with_deadline(std::time::Duration::from_secs(1));
    let answer = http.get("/status", MAX_STATUS_BYTES).await?;
    serde_json::from_slice(&answer.body)
        .map_err(|error| Failure::new(Exit::Unavailable, format!("{url} does not answer as a monitor does: {error}")))
}

/// What a stopped monitor's files say.
fn stored(config: &Config, runtime: &tokio::runtime::Runtime) -> Result<Status, Failure> {
    let logs = config.logs()?.into_iter();
    let open = logs.map(|log| FollowedLog::open(log, &logs_folder(config), &config.poll, runtime.handle().clone()));
    let logs: Vec<Arc<FollowedLog>> = open.collect::<Result<_, _>>()?;
    let alerts = runtime.block_on(alert::open(config, &logs))?;
    let own = alerts.map(|alerts| alerts.outbox().open_findings()).transpose()?.unwrap_or_default();
    Ok(Status { logs: logs.iter().map(|log| LogStatus::of(log, None)).collect(), own })
}

/// The text or JSON, and the exit code of the worst that is open.
pub(super) fn report(status: &Status, json: bool) -> (String, u8) {
    let open = || status.logs.iter().flat_map(|log| &log.open).chain(&status.own);
    // Of a log that never showed a head nothing can be said; that nothing is open does not mean that all is well.
    let unread = status.logs.iter().any(|log| log.head_size.is_none()).then_some(Class::Degraded);
    let code = Open::worst(open()).into_iter().chain(unread).min().map_or(0, |class| class.exit_code());
    if json {
        return (format!("{:#}\n", serde_json::json!(status)), code);
    }
    let mut out = String::new();
    for log in &status.logs {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}: {} entries, {} checked by the rules", log.origin, log.size, log.checked);
        if let Some(time) = log.head_time {
            let _ = write!(out, ", head of {}", time.millis().to_rfc3339());
        }
        if let Some(size) = log.cosigned {
            let _ = write!(out, ", cosigned at {size}");
        }
        match (log.head_size, log.last_success) {
            (None, _) => out.push_str(", NOT READ YET"),
            (_, Some(time)) => {
                let _ = write!(out, ", last read at {}", time.to_rfc3339());
            }
            _ => {}
        }
        out.push('\n');
        if let Some(why) = &log.not_cosigned_because {
            let _ = writeln!(out, "  NOT COSIGNED: {}", plain(why));
        }
        if let Some(unread) = &log.unread {
            let _ = writeln!(out, "  {}", unread.heads);
        }
        if !log.evidence.is_empty() {
            let kinds: Vec<String> = log.evidence.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            let _ = writeln!(out, "  evidence kept: {} (`claimtrail-monitor evidence list`)", kinds.join(", "));
        }
        for id in &log.cosigned_despite {
            let _ = writeln!(out, "  the operator lets it be cosigned despite the evidence {id}");
        }
        log.open.iter().for_each(|open| write_open(&mut out, open));
        if let Some(gossip) = &log.gossip {
            gossip.write(&mut out);
        }
        if log.open.is_empty() {
            out.push_str("  nothing is open\n");
        }
    }
    if !status.own.is_empty() {
        out.push_str("this monitor itself:\n");
        status.own.iter().for_each(|open| write_open(&mut out, open));
    }
    (out, code)
}

/// A finding that is open, for people.
pub(super) fn write_open(out: &mut String, open: &Open) {
    let (finding, since) = (&open.finding, open.since.to_rfc3339());
    let class = finding.class.name().to_uppercase();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "  {class} {} since {since}: {}", finding.code, plain(&finding.message));
    for id in &finding.evidence {
        let _ = writeln!(out, "    evidence {id}");
    }
    if let Some(known) = &open.acknowledged {
        let _ = writeln!(out, "    acknowledged at {}: {}", known.at.to_rfc3339(), plain(known.because.as_str()));
    }
    if let Some(why) = &finding.unproven {
        let _ = writeln!(out, "    no file proves it to others: {}", plain(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Class, Finding, code};

    #[test]
    fn what_is_wrong_with_the_monitor_itself_is_told_and_counts() {
        let finding = Finding::new(Class::Degraded, code::STUCK, "the channel mail takes nothing").named("mail");
        let status = Status { logs: Vec::new(), own: vec![Open::new(Millis(0), finding)] };
        let (text, code) = report(&status, false);
        assert_eq!(code, Class::Degraded.exit_code());
        assert!(text.contains("this monitor itself:\n  DEGRADED alert.stuck"), "{text}");
        let known = serde_json::json!({ "at": 0, "because": "its operator knows" });
        let mut known = Open { acknowledged: Some(serde_json::from_value(known).unwrap()), ..status.own[0].clone() };
        let acknowledged = Status { logs: Vec::new(), own: vec![known.clone()] };
        let (text, code) = report(&acknowledged, false);
        assert!(code == 0 && text.contains("acknowledged at 1970-01-01T00:00:00"), "{code} {text}");
        known.finding.class = Class::Tamper;
        let both = Status { logs: Vec::new(), own: vec![known, status.own[0].clone()] };
        assert_eq!(report(&both, false).1, Class::Degraded.exit_code(), "what is new is seen");
        let (json, _) = report(&status, true);
        let read: Status = serde_json::from_str(&json).unwrap();
        assert_eq!(read.own, status.own);
        assert_eq!(report(&Status::default(), false), (String::new(), 0));
    }
}
