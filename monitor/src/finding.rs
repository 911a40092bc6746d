//! What a monitor finds: classes, findings that are open, and the events that tell of them.
//!
//! A finding stands open until it ends; one that the log signed itself into never ends by itself. Each beginning and each end
//! is an event. Events are committed in the same transaction as the cursor and stay in order, so that whoever sends alerts
//! reads them from the number it sent last and loses none.

use proto::hash::Hash;
use proto::num::{LeafIndex, Millis, TreeSize};
use serde::{Deserialize, Serialize};

use crate::watch::Match;

pub use crate::acknowledge::{Acknowledged, Reason};
use crate::evidence::EvidenceId;
pub use proto::query::finding::Severity;

/// What a finding means for those who rely on the log. The first is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The log contradicts what it signed.
    Tamper,
    /// The log took a claim that its rules refuse.
    Claim,
    /// The log cannot be read.
    Outage,
    /// The log can be read, but not everything can be checked, or it is late.
    Degraded,
}

impl Class {
    /// All of them, the worst first.
    pub const ALL: [Class; 4] = [Class::Tamper, Class::Claim, Class::Outage, Class::Degraded];

    /// The exit code of a single run that found it.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Tamper => 10,
            Class::Claim => 11,
            Class::Outage => 12,
            Class::Degraded => 13,
        }
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Class::Tamper => "tamper",
            Class::Claim => "claim",
            Class::Outage => "outage",
            Class::Degraded => "degraded",
        }
    }

    /// How bad it is to find something of this class.
    pub fn severity(self) -> Severity {
        match self {
            Class::Tamper | Class::Claim => Severity::Alarm,
            Class::Outage | Class::Degraded => Severity::Warning,
        }
    }

    /// The class of an entry that breaks the rule of this code. Order, links, form and duplicates are the log's own work, and
    /// so is an entry after its end or one whose issuer was shown another tree; the rest is about claims that it should have
    /// refused.
    pub fn of_entry(code: &str) -> Class {
        let own = code.starts_with("entry.") || matches!(code, "mode.frozen" | "anchor.fork");
        if own { Class::Tamper } else { Class::Claim }
    }
}

/// The kinds of findings that are not rules broken by an entry.
pub mod code {
    /// The log signed two trees that cannot both be true.
    pub const FORK: &str = "head.fork";
    /// A head's time contradicts the time of an entry.
    pub const TIME: &str = "head.time";
    /// The head is not signed by a key that the operator of this monitor trusts.
    pub const SIGNATURE: &str = "head.signature";
    /// What the log serves is not what its signed head commits to.
    pub const SERVED: &str = "log.served";
    /// The log does not answer, or not with a head.
    pub const UNREACHABLE: &str = "log.unreachable";
    /// The newest head is too old.
    pub const OLD: &str = "head.old";
    /// The newest head is of a time that has not come yet.
    pub const AHEAD: &str = "head.ahead";
    /// Entries wait longer for a head that meets the quorum than the log promises.
    pub const UNWITNESSED: &str = "head.unwitnessed";
    /// The log applies rules that this program does not know.
    pub const RULES: &str = "rules.unknown";
    /// A head could not be held against anything yet.
    pub const UNRESOLVED: &str = "head.unresolved";
    /// More heads wait than have room; some were discarded.
    pub const DISCARDED: &str = "head.discarded";
    /// More findings than are kept.
    pub const MANY: &str = "findings.many";
    /// A misbehaviour file that somebody handed in proves it.
    pub const EVIDENCE: &str = "evidence.proven";
    /// This monitor itself failed.
    pub const OWN: &str = "monitor.failed";
    /// This machine's clock stepped and is not believed yet.
    pub const CLOCK: &str = "clock.jump";
    /// The log answers so slowly that it is looked at much less often than it should be.
    pub const SLOW: &str = "log.slow";
    /// The log's list of heads is longer than a day may cost.
    pub const LIST: &str = "log.list";
    /// The log grows faster than it can be followed.
    pub const BACKLOG: &str = "log.backlog";
    /// A witness that cosigned the log's heads does so no more.
    pub const WITNESS: &str = "witness.silent";
    /// This witness does not know what it cosigned last, and cosigns nothing of the log.
    pub const DOUBT: &str = "witness.doubt";
    /// Too few peers have said since the start what they know of this witness's last cosignature.
    pub const UNASKED: &str = "witness.unasked";
    /// The last cosignature of this witness is of a time that has not come yet.
    pub const EARLY: &str = "witness.ahead";
    /// A witness of the trust file cosigned a smaller head later.
    pub const LOWER: &str = "witness.lower";
    /// This witness goes on by what its peers know of its last cosignature.
    pub const RESUMED: &str = "witness.resumed";
    /// A peer does not answer any more.
    pub const PEER: &str = "peer.silent";
    /// A peer refuses evidence that verifies here.
    pub const REFUSES: &str = "peer.refuses";
    /// A channel has not taken alerts for a while.
    pub const STUCK: &str = "alert.stuck";

    /// All of them.
    pub const ALL: [&str; 27] = [
        FORK,
        TIME,
        SIGNATURE,
        SERVED,
        UNREACHABLE,
        OLD,
        AHEAD,
        UNWITNESSED,
        RULES,
        UNRESOLVED,
        DISCARDED,
        MANY,
        EVIDENCE,
        OWN,
        CLOCK,
        SLOW,
        LIST,
        BACKLOG,
        WITNESS,
        DOUBT,
        UNASKED,
        EARLY,
        LOWER,
        RESUMED,
        PEER,
        REFUSES,
        STUCK,
    ];

    /// Those that are alarms.
    const ALARMS: [&str; 6] = [FORK, TIME, SIGNATURE, SERVED, MANY, EVIDENCE];

    /// How bad the worst finding of this code is; nothing for a code that no finding about a log has. A rule that an entry
    /// breaks is one of them.
    pub fn severity_of(code: &str) -> Option<super::Severity> {
        // What a server says of a request, and never of an entry.
        let of_requests = ["limit.", "queue.", "disk.", "request.", "server.", "checkpoint.", "witness."];
        let is_rule =
            proto::code::Code::parse(code).is_some() && !of_requests.iter().any(|start| code.starts_with(start));
        match ALL.contains(&code) {
            true if ALARMS.contains(&code) => Some(super::Severity::Alarm),
            true => Some(super::Severity::Warning),
            false => is_rule.then_some(super::Severity::Alarm),
        }
    }
}

/// Something that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What names it within its log: found again under the same name, it is the same finding.
    pub id: String,
    /// Its class.
    pub class: Class,
    /// A rule's code, or one of [`code`].
    pub code: String,
    /// The entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<LeafIndex>,
    /// For people.
    pub message: String,
    /// The signed heads that show it, byte for byte with all their signatures, the smaller first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<String>,
    /// What ties heads of different sizes together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternative: Option<Alternative>,
    /// The misbehaviour files that prove it to others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceId>,
    /// Why no file proves it to others, if one was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproven: Option<String>,
}

/// The tree of the larger of two heads, as it is at the size of the smaller one: another root, and the proof that leads from
/// it to the larger head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// The size of the smaller head.
    pub size: TreeSize,
    /// The root there, which is not the smaller head's.
    pub root: String,
    /// The consistency proof from that root to the larger head's.
    pub consistency: Vec<String>,
}

impl Alternative {
    /// As hashes came.
    pub fn new(size: TreeSize, root: Hash, consistency: &[Hash]) -> Alternative {
        Alternative { size, root: root.to_base64(), consistency: consistency.iter().map(Hash::to_base64).collect() }
    }
}

impl Finding {
    /// One that is named by its code alone: there is at most one of it at a time.
    pub fn new(class: Class, code: &str, message: impl Into<String>) -> Finding {
        Finding {
            id: code.to_owned(),
            class,
            code: code.to_owned(),
            index: None,
            message: message.into(),
            heads: Vec::new(),
            alternative: None,
            evidence: Vec::new(),
            unproven: None,
        }
    }

    /// What it says to the public: what this monitor failed at may name files of its machine.
    pub fn for_public(&self) -> &str {
        match self.code == code::OWN {
            true => "this monitor has a fault of its own; its operator sees which",
            false => &self.message,
        }
    }

    /// Whether the rules, and with them every watch for claims, end at its entry.
    pub fn ends_rules(&self) -> bool {
        let of_entry = |index: LeafIndex| self.id == format!("{}:{index}", self.code);
        self.code == code::RULES || self.index.is_some_and(of_entry)
    }

    /// With a name of its own beside its code.
    #[must_use]
    pub fn named(mut self, name: impl std::fmt::Display) -> Finding {
        self.id = format!("{}:{name}", self.code);
        self
    }

    /// With the entry.
    #[must_use]
    pub fn at(mut self, index: Option<LeafIndex>) -> Finding {
        self.index = index;
        self
    }

    /// With the signed heads.
    #[must_use]
    pub fn with_heads(mut self, heads: &[&[u8]]) -> Finding {
        self.heads = heads.iter().map(|note| String::from_utf8_lossy(note).into_owned()).collect();
        self
    }
}

/// What an event tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// It was found.
    Began(Finding),
    /// It is over.
    Ended(Finding),
    /// It was found before, and a misbehaviour file proves it now.
    Proven(Finding),
    /// The operator knows of it; it stays open.
    Acknowledged {
        /// What stays open.
        finding: Finding,
        /// Why that is right.
        because: Reason,
    },
    /// A claim that a watch list matched.
    Matched(Box<Match>),
}

impl What {
    /// The word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            What::Began(_) => "began",
            What::Ended(_) => "ended",
            What::Proven(_) => "proven",
            What::Acknowledged { .. } => "acknowledged",
            What::Matched(_) => "matched",
        }
    }

    /// The finding that it is about.
    pub fn finding(&self) -> Option<&Finding> {
        match self {
            What::Began(finding)
            | What::Ended(finding)
            | What::Proven(finding)
            | What::Acknowledged { finding, .. } => Some(finding),
            What::Matched(_) => None,
        }
    }
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number within the log, from 1 on, without gaps.
    pub number: u64,
    /// When, by this machine's clock, in milliseconds since 1970.
    pub at: Millis,
    /// The log.
    pub origin: String,
    /// What is told.
    pub what: What,
}

/// A finding that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Since when, in milliseconds since 1970.
    pub since: Millis,
    /// The finding.
    pub finding: Finding,
    /// That the operator knows of it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
}

impl Open {
    /// One that nobody acknowledged.
    pub fn new(since: Millis, finding: Finding) -> Open {
        Open { since, finding, acknowledged: None }
    }

    /// Whether it counts for exit codes: nobody has acknowledged it.
    pub fn counts(&self) -> bool {
        self.acknowledged.is_none()
    }

    /// The worst class of those that count.
    pub fn worst<'a>(all: impl IntoIterator<Item = &'a Open>) -> Option<Class> {
        all.into_iter().filter(|open| open.counts()).map(|open| open.finding.class).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_class_comes_first_and_codes_differ() {
        let codes: Vec<u8> = Class::ALL.iter().map(|class| class.exit_code()).collect();
        assert_eq!(codes, [10, 11, 12, 13]);
        assert!(Class::ALL.is_sorted());
        assert_eq!(Class::of_entry("entry.link"), Class::Tamper);
        assert_eq!(Class::of_entry("mode.frozen"), Class::Tamper);
        assert_eq!(Class::of_entry("key.unknown"), Class::Claim);
    }

    #[test]
    fn every_code_is_listed() {
        let constants = include_str!("finding.rs")
            .lines()
            .filter(|line| line.trim_start().starts_with("pub const") && line.contains(": &str = "));
        assert_eq!(constants.count(), code::ALL.len());
        assert_eq!(code::severity_of("entry.link"), Some(Severity::Alarm));
        assert_eq!(code::severity_of("witness.silent"), Some(Severity::Warning));
        for none in ["head.forks", "witness.silant", "queue.full", "S1"] {
            assert_eq!(code::severity_of(none), None, "{none}");
        }
    }

    #[test]
    fn events_read_back() {
        let finding = Finding::new(Class::Tamper, code::FORK, "two trees").named("abc").with_heads(&[b"one", b"two"]);
        assert_eq!(finding.id, "head.fork:abc");
        let event = Event { number: 7, at: Millis(5), origin: "log.example".into(), what: What::Began(finding) };
        let text = serde_json::to_vec(&event).unwrap();
        assert_eq!(serde_json::from_slice::<Event>(&text).unwrap(), event);
    }
}
