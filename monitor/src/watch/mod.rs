//! Watch lists: which claims and findings the operator wants to hear of, and what an alert says of a claim that matched.
//!
//! Matching runs where the rules run, entry by entry ([`client::follow::Kv::judged`]), and what matched commits with the cursor
//! as an event of its own ([`crate::store`]). A watch that is added later holds for entries that are read from then on.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | `[[watch]]` entries, read and checked |
//! | [`list`] | whether a claim or a finding matches, and on what |
//! | [`judge`] | one entry against the list: what stood before it, what changed, what that shows |
//! | `beside` | what else the issuer says that a claim is held against |
//! | [`diff`] | which members of a body changed |

mod beside;
pub mod config;
pub mod diff;
pub mod judge;
pub mod list;

pub use list::WatchList;

use client::plain::plain;
use proto::num::{LeafIndex, Millis};
use proto::query::finding::{Severity, Shown};
use serde::{Deserialize, Serialize};

/// Why a watch matched: each condition that it has, with the value that fulfilled it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// The watch's name.
    pub watch: String,
    /// What matched.
    pub on: Vec<On>,
}

/// A condition and what fulfilled it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct On {
    /// The key of the watch.
    pub field: String,
    /// The value in the claim or finding.
    pub value: String,
}

impl On {
    /// This key, fulfilled by this value.
    pub fn new(field: &str, value: impl Into<String>) -> On {
        On { field: field.to_owned(), value: value.into() }
    }
}

impl std::fmt::Display for Hit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let on: Vec<String> = self.on.iter().map(|on| format!("{} {}", on.field, on.value)).collect();
        write!(f, "{} (on {})", self.watch, on.join(", "))
    }
}

/// A claim that a watch list matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// Which watches, and on what.
    pub watches: Vec<Hit>,
    /// The worst of what the claim shows.
    pub severity: Severity,
    /// The claim's id.
    pub id: String,
    /// Its entry.
    pub index: LeafIndex,
    /// The log's time for it.
    pub time: Millis,
    /// Its type.
    #[serde(rename = "type")]
    pub claim_type: String,
    /// What it does: `new`, `supersede` and so on.
    pub rel: String,
    /// Who made it.
    pub issuer: String,
    /// In which role.
    pub role: String,
    /// The product's maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// The product's model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The claim that stood in its place before, or that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
    /// The members of the body that differ from that claim's; all of them when there was none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
    /// Further members that differ.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changed_left_out: usize,
    /// What that shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Shown>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The claim before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Its id.
    pub id: String,
    /// Its entry, if it is in this log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<LeafIndex>,
    /// Whether its text is at hand. It is not when it was read before it was watched, and the log is not mirrored: then what
    /// changed is not said.
    pub known: bool,
}

/// A member that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Where: a JSON pointer into the body.
    pub pointer: String,
    /// What stood there, as JSON, perhaps shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What stands there, as JSON, perhaps shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Match {
    /// In words, one line a fact.
    pub fn message(&self) -> String {
        let mut out = plain(&format!("{} {} by {} ({})", self.rel, self.claim_type, self.issuer, self.role));
        if let Some((maker, model)) = self.manufacturer.as_ref().zip(self.model.as_ref()) {
            out.push_str(&plain(&format!(" about {maker} / {model}")));
        }
        // What an issuer wrote stays within its line.
        let mut line = |text: String| {
            out.push('\n');
            out.push_str(&plain(&text));
        };
        self.watches.iter().for_each(|hit| line(format!("watch: {hit}")));
        for shown in &self.findings {
            line(format!("{} {}: {} (or: {})", shown.severity.name(), shown.code, shown.message, shown.innocent));
        }
        for changed in &self.changed {
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            match self.before {
                Some(_) => line(format!("{}: {} -> {}", changed.pointer, text(&changed.before), text(&changed.after))),
                None => line(format!("{}: {}", changed.pointer, text(&changed.after))),
            }
        }
        if self.changed_left_out > 0 {
            line(format!("and {} further members", self.changed_left_out));
        }
        if self.before.as_ref().is_some_and(|before| !before.known) {
            line("the claim before it is not kept here, so what changed is not known".to_owned());
        }
        out
    }
}
