//! Claims of every type taken, and every rule's refusal with code and place.

mod bodies;
mod examples;
mod frame;
mod properties;
mod registry;
mod templates;

use serde_json::Value;

use super::Claim;
use crate::code::{Code, Refused};

/// One change to a valid claim.
enum Edit {
    /// Puts the value at the pointer; the parent exists.
    Set(&'static str, Value),
    /// Takes the member at the pointer away.
    Remove(&'static str),
}

/// The claim with the changes.
fn edited(mut claim: Value, edits: &[Edit]) -> Value {
    for edit in edits {
        let pointer = match edit {
            Edit::Set(pointer, _) | Edit::Remove(pointer) => pointer,
        };
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = claim.pointer_mut(parent).unwrap_or_else(|| panic!("no parent of {pointer}"));
        match edit {
            Edit::Set(_, value) if parent.is_array() => {
                let index: usize = name.parse().unwrap();
                let items = parent.as_array_mut().unwrap();
                items.truncate(index);
                items.push(value.clone());
            }
            Edit::Set(_, value) => {
                parent.as_object_mut().unwrap().insert(name.to_owned(), value.clone());
            }
            Edit::Remove(_) => {
                parent.as_object_mut().unwrap().remove(name).unwrap_or_else(|| panic!("no member {pointer}"));
            }
        }
    }
    claim
}

fn parse(claim: &Value) -> Result<Claim, Refused> {
    Claim::parse(&serde_json::to_vec(claim).unwrap())
}

/// The claim with the changes is refused with this code at this place.
#[track_caller]
fn refused(base: &Value, edits: &[Edit], code: Code, pointer: &str) {
    let error = parse(&edited(base.clone(), edits)).expect_err("a refusal");
    assert_eq!((error.code, error.pointer.as_deref()), (code, Some(pointer)), "{error}");
}

/// Setting `at` to `value` is refused there.
#[track_caller]
fn bad(base: &Value, at: &'static str, value: Value, code: Code) {
    refused(base, &[Edit::Set(at, value)], code, at);
}

/// Setting `at` to `value` is taken.
#[track_caller]
fn good(base: &Value, at: &'static str, value: Value) -> Claim {
    parse(&edited(base.clone(), &[Edit::Set(at, value)])).unwrap_or_else(|error| panic!("{error}"))
}
