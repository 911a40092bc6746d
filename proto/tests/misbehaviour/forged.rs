//! A file's members, free to be put together wrongly: what no constructor makes.

use proto::misbehaviour::Misbehaviour;
use proto::note::Note;
use serde::{Deserialize, Serialize};

use crate::log::Log;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Raw {
    pub(crate) format: String,
    pub(crate) kind: String,
    pub(crate) origin: String,
    pub(crate) accused: String,
    pub(crate) heads: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alternative: Option<RawAlternative>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) leaves: Vec<RawLeaf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) entries: Vec<RawEntry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RawAlternative {
    pub(crate) root: String,
    pub(crate) proof: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RawLeaf {
    pub(crate) index: String,
    pub(crate) leaf: String,
    pub(crate) proof: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RawEntry {
    pub(crate) index: String,
    pub(crate) entry: String,
    pub(crate) proof: Vec<String>,
}

impl Raw {
    pub(crate) fn of(file: &Misbehaviour) -> Raw {
        Raw::read(&file.to_text())
    }

    pub(crate) fn read(text: &str) -> Raw {
        serde_json::from_str(text).unwrap()
    }

    /// In the order and spelling of real files.
    pub(crate) fn text(&self) -> String {
        format!("{}\n", serde_json::to_string(self).unwrap())
    }

    pub(crate) fn with_kind(mut self, kind: &str) -> Raw {
        self.kind = kind.to_owned();
        self
    }

    /// With another head, as the accused signed it.
    pub(crate) fn with_head(mut self, n: usize, head: &Note) -> Raw {
        let accused = proto::note::Vkey::parse(&self.accused).unwrap();
        let head = head.clone().only_signed_by(&accused).unwrap();
        self.heads[n] = String::from_utf8(head.to_bytes()).unwrap();
        self
    }

    /// With these entries of a log, the first one in question, proven in its whole tree.
    pub(crate) fn with_entries(mut self, log: &Log, indices: &[u64]) -> Raw {
        self.entries = indices.iter().map(|index| raw_entry(log, *index, log.size())).collect();
        self
    }
}

pub(crate) fn raw_entry(log: &Log, index: u64, size: u64) -> RawEntry {
    let shown = log.shown_at(index, size);
    RawEntry {
        index: index.to_string(),
        entry: proto::b64::encode(&shown.entry),
        proof: shown.proof.iter().map(proto::hash::Hash::to_base64).collect(),
    }
}
