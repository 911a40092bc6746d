//! Where a value stands in a document, and the JSON pointer of it (RFC 6901).

use std::fmt;
use std::sync::Arc;

/// The pointer of the member `name` of the object at `parent`; `~` and `/` are escaped (RFC 6901 §3).
pub fn child(parent: &str, name: &str) -> String {
    let mut pointer = String::with_capacity(parent.len() + 1 + name.len());
    pointer.push_str(parent);
    pointer.push('/');
    for c in name.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
    pointer
}

/// The pointer of the element `index` of the array at `parent`.
pub fn element(parent: &str, index: usize) -> String {
    format!("{parent}/{index}")
}

/// One step of the way from a document to a value in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Member(String),
    Element(usize),
}

impl Step {
    /// The pointer of what is one step below `parent`.
    pub(super) fn below(&self, parent: &str) -> String {
        match self {
            Step::Member(name) => child(parent, name),
            Step::Element(index) => element(parent, *index),
        }
    }
}

/// Where a value stands. Nearly every value of nearly every document is taken without a word, so that the pointer is
/// written out only where something is refused. The default is the document itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place(Option<(Arc<Place>, Step)>);

impl Place {
    pub(super) fn below(parent: &Arc<Place>, step: Step) -> Place {
        Place(Some((Arc::clone(parent), step)))
    }

    /// The pointer of this place.
    pub fn pointer(&self) -> String {
        match &self.0 {
            Some((parent, step)) => step.below(&parent.pointer()),
            None => String::new(),
        }
    }

    /// The pointer of the member `name` of the object here.
    pub fn child(&self, name: &str) -> String {
        child(&self.pointer(), name)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pointer())
    }
}

impl From<&Place> for String {
    fn from(place: &Place) -> String {
        place.pointer()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> String {
        place.pointer()
    }
}
