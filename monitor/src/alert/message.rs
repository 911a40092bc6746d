//! The alert as it is sent.

use std::fmt::Write as _;

use client::plain::plain;
use proto::hash::Hash;
use proto::num::{LeafIndex, Millis};
use serde::Serialize;

use super::Source;
use super::config::Filter;
use crate::evidence::EvidenceId;
use crate::finding::{Alternative, Class, Event, Finding, Severity, What};
use crate::watch::{Hit, Match};

/// What the JSON form calls itself. Members may be added under this name; what is there keeps its meaning.
pub const FORMAT: &str = "claimtrail-alert/1";

/// Bytes of signed heads in one alert at most. Two heads with all their cosignatures fit; mail systems and receivers of
/// webhooks often refuse a megabyte. Heads that do not fit are named as left out; `status --json` has them.
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// Milliseconds after which it is said how long an alert was under way: five minutes are no delay of the network any more.
const LATE_MS: u64 = 5 * 60 * 1000;

/// Why an alert is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Something was found.
    Began,
    /// Something is over.
    Ended,
    /// What was told before is proven by a file now.
    Proven,
    /// The operator knows of it.
    Acknowledged,
    /// A claim matched a watch.
    Matched,
    /// There was too much to tell one by one.
    Summary,
    /// The operator asked for it.
    Test,
    /// It is sent from time to time, so that its absence is noticed.
    Canary,
}

/// What is sent. What is absent is left out of the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// [`FORMAT`].
    pub format: &'static str,
    /// The same for every try, also after a restart. Within one monitor no other alert has it.
    pub id: String,
    /// Which monitor says so.
    pub monitor: String,
    /// Why it is sent.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// The log, or the monitor itself.
    pub origin: String,
    /// When it was found, by the monitor's clock, RFC 3339.
    pub at: String,
    /// One line.
    pub subject: String,
    /// In words.
    pub message: String,
    /// Its class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// The rule or the kind of finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The name of the finding within its log; its end has the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// The entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<LeafIndex>,
    /// Which watches matched, and on what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub watches: Vec<Hit>,
    /// The claim that matched, and what it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<Box<Match>>,
    /// Where the entry can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The signed heads that show it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<String>,
    /// How many heads were too large to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads_left_out: Option<usize>,
    /// What ties heads of different sizes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternative: Option<Alternative>,
    /// The misbehaviour files that prove it, by their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceId>,
    /// Why no file proves it, if one was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven: Option<String>,
    /// The id of the alert that was not taken as it is: this one is it without text, heads and claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
    /// What a summary sums up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// Seconds from what was found to this try, when they are many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_seconds: Option<u64>,
}

/// Many alerts in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The number of the first event that it is about.
    pub first: u64,
    /// The number of the last one.
    pub last: u64,
    /// How many of them this channel is to be told.
    pub events: u64,
    /// How many of which kind, the worst first; an end counts on its own.
    pub counts: Vec<Count>,
    /// Those of further kinds, of which there were too many to be listed.
    pub others: u64,
    /// A line for each code, the heaviest first.
    pub worst: Vec<Line>,
}

/// How many events of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// The code; of claims that show nothing, the watch that they matched.
    pub code: String,
    /// Whether they began, ended or matched.
    pub kind: Kind,
    /// How many.
    pub count: u64,
}

/// The worst event of a code in a summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The id that it would have had.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// When it was found.
    pub at: String,
    /// One line.
    pub subject: String,
    /// In words.
    pub message: String,
    /// The misbehaviour files that prove it and others of its code, by their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceId>,
}

/// The id of an event: its time besides its number, since a state that was begun anew counts from 1 again.
pub fn id_of(event: &Event) -> String {
    format!("{}#{}-{}", event.origin, event.number, event.at)
}

impl Alert {
    /// With nothing but what every alert has.
    pub fn new(id: String, monitor: &str, kind: Kind, severity: Severity, origin: &str, at: Millis) -> Alert {
        Alert {
            format: FORMAT,
            id,
            monitor: monitor.to_owned(),
            kind,
            severity,
            origin: origin.to_owned(),
            at: at.to_rfc3339(),
            subject: String::new(),
            message: String::new(),
            class: None,
            code: None,
            finding: None,
            index: None,
            watches: Vec::new(),
            claim: None,
            link: None,
            heads: Vec::new(),
            heads_left_out: None,
            alternative: None,
            evidence: Vec::new(),
            unproven: None,
            instead_of: None,
            summary: None,
            queued_seconds: None,
        }
    }

    /// The alert for an event, as a channel with this filter is told it.
    pub fn of(event: &Event, filter: &Filter, source: &dyn Source, monitor: &str) -> Alert {
        let mut alert = match &event.what {
            What::Began(finding) => Alert::of_finding(event, finding, Kind::Began, filter, monitor),
            What::Ended(finding) => Alert::of_finding(event, finding, Kind::Ended, filter, monitor),
            What::Proven(finding) => Alert::of_finding(event, finding, Kind::Proven, filter, monitor),
            What::Acknowledged { finding, because } => {
                let mut alert = Alert::of_finding(event, finding, Kind::Acknowledged, filter, monitor);
                alert.message = plain(&format!("{}. {}", filter.says_why(because), alert.message));
                alert
            }
            What::Matched(found) => Alert::of_match(event, found, filter, monitor),
        };
        if let Some(finding) = event.what.finding() {
            alert.watches = filter.hits(&event.origin, finding);
        }
        alert.link = alert.index.and_then(|index| source.link(index.0));
        alert
    }

    fn of_finding(event: &Event, finding: &Finding, kind: Kind, filter: &Filter, monitor: &str) -> Alert {
        let (over, known) = (kind == Kind::Ended, kind == Kind::Acknowledged);
        let severity = if over || known { Severity::Info } else { finding.class.severity() };
        let mut alert = Alert::new(id_of(event), monitor, kind, severity, &event.origin, event.at);
        let word = match kind {
            Kind::Ended => "over: ",
            Kind::Proven => "proven: ",
            Kind::Acknowledged => "acknowledged: ",
            _ => "",
        };
        alert.subject = plain(&format!("{word}{} {} at {}", finding.class.name(), finding.code, event.origin));
        alert.message = plain(filter.says(finding));
        alert.class = Some(finding.class);
        alert.code = Some(finding.code.clone());
        alert.finding = Some(finding.id.clone());
        alert.index = finding.index;
        if over || known {
            return alert;
        }
        let mut room = MAX_HEAD_BYTES;
        for head in &finding.heads {
            match room.checked_sub(head.len()) {
                Some(rest) => {
                    room = rest;
                    alert.heads.push(head.clone());
                }
                None => alert.heads_left_out = Some(alert.heads_left_out.unwrap_or(0) + 1),
            }
        }
        alert.alternative = finding.alternative.clone();
        (alert.evidence, alert.unproven) = (finding.evidence.clone(), finding.unproven.clone());
        alert
    }

    fn of_match(event: &Event, found: &Match, filter: &Filter, monitor: &str) -> Alert {
        let mut found = found.clone();
        found.watches.retain(|hit| filter.tells(hit));
        let mut alert = Alert::new(id_of(event), monitor, Kind::Matched, found.severity, &event.origin, event.at);
        let names: Vec<&str> = found.watches.iter().map(|hit| hit.watch.as_str()).collect();
        let (rel, claim_type, issuer) = (&found.rel, &found.claim_type, &found.issuer);
        alert.subject = plain(&format!("{}: {rel} {claim_type} by {issuer}", names.join(", ")));
        alert.message = found.message();
        alert.code = found.findings.first().map(|shown| shown.code.clone());
        alert.index = Some(found.index);
        alert.watches = found.watches.clone();
        alert.claim = Some(Box::new(found));
        alert
    }

    /// Says how long it was under way, if that is long.
    #[must_use]
    pub fn sent_at(mut self, found: Millis, now: Millis) -> Alert {
        let waited = now.0.saturating_sub(found.0);
        self.queued_seconds = (waited >= LATE_MS).then_some(waited / 1000);
        self
    }

    /// As one line of JSON.
    pub fn to_json(&self) -> String {
        // Text, numbers and lists of them only: nothing that JSON could refuse.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A name without dots or spaces that is the same for every try and differs between monitors.
    pub fn token(&self) -> String {
        Hash::of_parts(&[self.monitor.as_bytes(), &[0], self.id.as_bytes()]).to_string()[..32].to_owned()
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut out = format!("{}\n\n", self.message);
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            let _ = writeln!(out, "{name:<9} {value}"); // writing to a string cannot fail
        };
        line("log", &self.origin);
        if let Some(class) = self.class {
            line("class", &class.name());
        }
        if let Some(code) = &self.code {
            line("code", code);
        }
        line("severity", &self.severity.name());
        line("found", &self.at);
        if let Some(waited) = self.queued_seconds {
            line("late", &format_args!("this was found {waited} s before it could be sent"));
        }
        if let Some(index) = self.index {
            line("entry", &index);
        }
        if let Some(link) = &self.link {
            line("link", link);
        }
        for id in &self.evidence {
            line("evidence", &format_args!("{id}, to export: claimtrail-monitor evidence export {id} -o FILE"));
        }
        if let Some(why) = &self.unproven {
            line("evidence", &format_args!("none: {}", plain(why)));
        }
        if self.claim.is_none() {
            self.watches.iter().for_each(|hit| line("watch", &plain(&hit.to_string())));
        }
        if let Some(claim) = &self.claim {
            line("claim", &claim.id);
        }
        line("monitor", &self.monitor);
        line("id", &self.id);
        if let Some(whole) = &self.instead_of {
            line("instead", &format_args!("of {whole}, which was not taken as it is"));
        }
        if let Some(summary) = &self.summary {
            summary.write(&mut out);
        }
        for head in &self.heads {
            let _ = writeln!(out, "\nSigned head, each line behind two spaces:");
            // Set in, since a head may have lines that look like those above; nothing that a terminal obeys.
            head.lines().for_each(|text| _ = writeln!(out, "  {}", plain(text)));
        }
        if let Some(count) = self.heads_left_out {
            let _ = writeln!(
                out,
                "\n{count} heads are too large for an alert; `claimtrail-monitor status --json` shows them."
            );
        }
        out
    }
}

impl Summary {
    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "\nHow many of which kind:");
        for count in &self.counts {
            let class = count.class.map(|class| format!("{} ", class.name())).unwrap_or_default();
            let over = match count.kind {
                Kind::Ended => " (over)",
                Kind::Acknowledged => " (acknowledged)",
                _ => "",
            };
            let _ = writeln!(out, "{:>9} {class}{}{over}", count.count, count.code);
        }
        if self.others > 0 {
            let _ = writeln!(out, "{:>9} of further kinds", self.others);
        }
        if self.worst.is_empty() {
            return;
        }
        let _ = writeln!(out, "\nThe worst of each code:");
        for line in &self.worst {
            let _ = writeln!(out, "- {} {}: {} ({})", line.at, line.subject, line.message, line.id);
            line.evidence.iter().for_each(|id| _ = writeln!(out, "  evidence {id}"));
        }
    }
}
