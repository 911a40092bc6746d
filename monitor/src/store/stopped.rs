//! Why the rules end: the log broke one, or this program is too old.

use client::follow::Stopped;
use proto::num::LeafIndex;

use crate::finding::{Class, Finding, code};

/// What is said of it; everything that depends on the rules is silent from there on.
const SILENT: &str = "Entries behind it are hashed, but no rule is run over them and no watch for claims matches them.";

/// The finding.
pub(super) fn finding(stopped: &Stopped) -> Finding {
    let index = Some(LeafIndex(stopped.index));
    match &stopped.code {
        Some(code) => {
            let message = format!("entry {}: {}. {SILENT}", stopped.index, stopped.message.trim_end_matches('.'));
            Finding::new(Class::of_entry(code), code, message).named(stopped.index).at(index)
        }
        None => {
            let message = format!("{}. {SILENT}", stopped.message.trim_end_matches('.'));
            Finding::new(Class::Degraded, code::RULES, message).at(index)
        }
    }
}
