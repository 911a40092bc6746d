//! Many alerts in one.
//!
//! A log can make any number of findings of one kind, and of what weighs little at no cost. So each code has one line, and the
//! heaviest lines stay: two histories are never the eleventh line behind ten of something else.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proto::num::Millis;

use super::grave::is_grave;
use super::message::{Alert, Count, Kind, Line, Summary, id_of};
use crate::evidence::EvidenceId;
use crate::finding::{Class, Event, Severity};

/// Kinds of findings that a summary counts one by one. There are a few dozen codes; a log that makes up more is counted as
/// others.
const MOST_COUNTS: usize = 60;

/// Codes that a summary shows in words, the heaviest ones.
const MOST_LINES: usize = 10;

/// Ids of evidence that a summary names for each code, and in all. `evidence list` has the rest.
const MOST_EVIDENCE: usize = 20;

/// What is counted together; the worst first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Counted {
    severity: Reverse<Severity>,
    class: Option<Class>,
    code: String,
    kind: Kind,
}

/// How much a line weighs; the heaviest first, and of two of one weight the one that came first: it explains the rest.
type Weight = (Reverse<Severity>, Reverse<bool>, u64);

/// A summary under way.
#[derive(Default)]
pub(super) struct Summing {
    first: Option<(u64, Millis)>,
    last: u64,
    last_at: Millis,
    events: u64,
    counts: BTreeMap<Counted, u64>,
    others: u64,
    lines: BTreeMap<String, (Weight, Line)>,
    evidence: Vec<EvidenceId>,
}

impl Summing {
    /// One more event, with the alert that it would have been.
    pub(super) fn add(&mut self, event: &Event, alert: Alert) {
        self.first.get_or_insert((event.number, event.at));
        (self.last, self.last_at) = (event.number, event.at);
        self.events += 1;
        // A claim that shows nothing is counted by the first watch that it matched.
        let code = alert.code.clone().or_else(|| alert.watches.first().map(|hit| hit.watch.clone()));
        let code = code.unwrap_or_default();
        let key =
            Counted { severity: Reverse(alert.severity), class: alert.class, code: code.clone(), kind: alert.kind };
        if self.counts.len() < MOST_COUNTS || self.counts.contains_key(&key) {
            *self.counts.entry(key).or_insert(0) += 1;
        } else {
            self.others += 1;
        }
        name(&mut self.evidence, &alert.evidence);
        self.line(code, event, alert);
    }

    fn line(&mut self, code: String, event: &Event, alert: Alert) {
        let weight = (Reverse(alert.severity), Reverse(is_grave(event)), event.number);
        let Alert { severity, at, subject, message, evidence, .. } = alert;
        let mut line = Line { id: id_of(event), severity, at, subject, message, evidence: Vec::new() };
        let known = self.lines.remove(&code);
        name(&mut line.evidence, known.as_ref().map_or(&[], |(_, known)| known.evidence.as_slice()));
        name(&mut line.evidence, &evidence);
        let kept = match known {
            Some((was, known)) if was <= weight => (was, Line { evidence: line.evidence, ..known }),
            _ => (weight, line),
        };
        self.lines.insert(code, kept);
        // What is heavier may still come: the lightest goes.
        if self.lines.len() > MOST_LINES
            && let Some(lightest) =
                self.lines.iter().max_by_key(|(_, (weight, _))| *weight).map(|(code, _)| code.clone())
        {
            self.lines.remove(&lightest);
        }
    }

    /// The summary, and when the first of it was found; nothing when nothing was added.
    pub(super) fn alert(self, monitor: &str, origin: &str) -> Option<(Alert, Millis)> {
        let (first, found) = self.first?;
        let counts: Vec<Count> = self
            .counts
            .into_iter()
            .map(|(Counted { class, code, kind, .. }, count)| Count { class, code, kind, count })
            .collect();
        let mut lines: Vec<(Weight, Line)> = self.lines.into_values().collect();
        lines.sort_by_key(|(weight, _)| *weight);
        let worst: Vec<Line> = lines.into_iter().map(|(_, line)| line).collect();
        let severity = worst.first().map_or(Severity::Info, |line| line.severity);
        // Both ends: what is summed up is the same for every try.
        let id = format!("{origin}#{first}-{}-{}", self.last, self.last_at);
        let mut alert = Alert::new(id, monitor, Kind::Summary, severity, origin, found);
        alert.subject = format!("{} alerts at {origin}, the worst: {}", self.events, severity.name());
        alert.message = format!(
            "{} alerts came faster than they could be sent one by one, or waited together; this sums them up. \
             `claimtrail-monitor status` says what is open now.",
            self.events
        );
        alert.evidence = self.evidence;
        let (last, events, others) = (self.last, self.events, self.others);
        alert.summary = Some(Summary { first, last, events, counts, others, worst });
        Some((alert, found))
    }
}

/// Names further evidence, each once, as long as there is room.
fn name(all: &mut Vec<EvidenceId>, more: &[EvidenceId]) {
    for id in more {
        if all.len() < MOST_EVIDENCE && !all.contains(id) {
            all.push(*id);
        }
    }
}
