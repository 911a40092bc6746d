//! What became of everything in the source.

use std::collections::BTreeMap;
use std::fmt;

use super::build::{count, object, text};
use crate::json::Value;

/// Where in the source something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The source as the caller names it, such as a file name.
    pub source: String,
    /// A JSON pointer into a document, or `line N`.
    pub at: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.as_str() {
            "" => f.write_str(&self.source),
            at => write!(f, "{}: {at}", self.source),
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a document or a row became no claim.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// The reason as reports write it.
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// The file cannot be read.
    Unreadable = "unreadable",
    /// Larger than what is read.
    TooLarge = "too_large",
    /// Not strict JSON.
    Json = "json",
    /// Not the kind of document that is imported here.
    Kind = "kind",
    /// Marked as not for the public; a log is public for ever.
    NotPublic = "not_public",
    /// A draft: its publisher does not stand by it yet.
    NotFinal = "not_final",
    /// A member is missing or of another type than the source's format says.
    Shape = "shape",
    /// No id of the vulnerability.
    NoId = "no_id",
    /// A product id that the document does not define.
    UnknownProduct = "unknown_product",
    /// The source does not say who made the product.
    NoMaker = "no_maker",
    /// The source does not say in which state the product is.
    NoState = "no_state",
    /// Another row of this import speaks differently about the same slot.
    SlotTaken = "slot_taken",
    /// What was made of the row is not a claim of valid form.
    Form = "form",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A document or row that became no claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Where it stands.
    pub place: Place,
    /// The reason, for programs.
    pub reason: Reason,
    /// The reason in words.
    pub message: String,
}

/// A kind of thing that rows have and claims do not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotMapped {
    /// How often it stood in the source.
    pub count: u64,
    /// Why it is not in the claims.
    pub why: String,
}

/// What became of everything in the source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Documents (or files of rows) given.
    pub documents: u64,
    /// Documents that were read.
    pub documents_read: u64,
    /// Documents given before, byte for byte.
    pub documents_seen_again: Vec<Place>,
    /// Documents that were refused as a whole; their rows are not known.
    pub documents_refused: Vec<RefusedRow>,
    /// Rows found in the documents that were read.
    pub rows: u64,
    /// Rows that became a claim.
    pub claims: u64,
    /// Rows that say what an earlier row said.
    pub seen_again: Vec<Place>,
    /// Rows that became no claim.
    pub refused: Vec<RefusedRow>,
    /// What rows have and claims do not say, by kind.
    pub not_mapped: BTreeMap<String, NotMapped>,
    /// Makers without an issuer id, as the source spells them, with the number of claims about them.
    pub unplaced_makers: BTreeMap<String, u64>,
    /// Issuer ids of makers, with the number of claims about them.
    pub placed_makers: BTreeMap<String, u64>,
}

impl Report {
    /// Whether every document and every row is accounted for exactly once.
    pub fn adds_up(&self) -> bool {
        let length = |items: usize| u64::try_from(items).unwrap_or(u64::MAX);
        let documents =
            self.documents_read + length(self.documents_seen_again.len()) + length(self.documents_refused.len());
        let rows = self.claims + length(self.seen_again.len()) + length(self.refused.len());
        self.documents == documents && self.rows == rows
    }

    /// Counts something that claims do not say.
    pub(super) fn not_mapped(&mut self, kind: impl Into<String>, why: &str) {
        let entry = self.not_mapped.entry(kind.into()).or_default();
        entry.count += 1;
        if entry.why.is_empty() {
            why.clone_into(&mut entry.why);
        }
    }

    /// The report as JSON.
    pub fn to_value(&self) -> Value {
        let places = |places: &[Place]| Value::Array(places.iter().map(|place| object(place_members(place))).collect());
        let refused = |rows: &[RefusedRow]| Value::Array(rows.iter().map(refused_row).collect());
        let makers = |makers: &BTreeMap<String, u64>| {
            object(makers.iter().map(|(name, claims)| (name.as_str(), Some(count(*claims)))))
        };
        let not_mapped = self.not_mapped.iter().map(|(kind, entry)| {
            object([("kind", Some(text(kind))), ("count", Some(count(entry.count))), ("why", Some(text(&entry.why)))])
        });
        object([
            ("documents", Some(count(self.documents))),
            ("documents_read", Some(count(self.documents_read))),
            ("documents_seen_again", Some(places(&self.documents_seen_again))),
            ("documents_refused", Some(refused(&self.documents_refused))),
            ("rows", Some(count(self.rows))),
            ("claims", Some(count(self.claims))),
            ("seen_again", Some(places(&self.seen_again))),
            ("refused", Some(refused(&self.refused))),
            ("not_mapped", Some(Value::Array(not_mapped.collect()))),
            ("placed_makers", Some(makers(&self.placed_makers))),
            ("unplaced_makers", Some(makers(&self.unplaced_makers))),
        ])
    }
}

fn place_members(place: &Place) -> [(&'static str, Option<Value>); 2] {
    [("source", Some(text(&place.source))), ("at", Some(text(&place.at)))]
}

fn refused_row(row: &RefusedRow) -> Value {
    let [source, at] = place_members(&row.place);
    object([source, at, ("reason", Some(text(row.reason.as_str()))), ("message", Some(text(&row.message)))])
}
