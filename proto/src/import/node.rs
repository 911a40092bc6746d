//! A borrowed look into a source's JSON that knows where it is and what nobody asked for.

use std::cell::RefCell;

use crate::json::{MAX_NUMBER, Number, Value, child, element};

/// A source does not have the shape that its format says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadShape {
    /// Where, as a JSON pointer.
    pub(super) pointer: String,
    /// What was expected.
    pub(super) message: String,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node<'v> {
    pub(super) value: &'v Value,
    pub(super) pointer: String,
}

impl<'v> Node<'v> {
    pub(super) fn root(value: &'v Value) -> Node<'v> {
        Node { value, pointer: String::new() }
    }

    pub(super) fn bad(&self, message: impl Into<String>) -> BadShape {
        BadShape { pointer: self.pointer.clone(), message: message.into() }
    }

    fn expected(&self, what: &str) -> BadShape {
        self.bad(format!("expected {what}, found {}", self.value.kind()))
    }

    pub(super) fn text(&self) -> Result<&'v str, BadShape> {
        self.value.as_str().ok_or_else(|| self.expected("a string"))
    }

    pub(super) fn items(&self) -> Result<Vec<Node<'v>>, BadShape> {
        match self.value {
            Value::Array(values) => {
                let node = |(at, value)| Node { value, pointer: element(&self.pointer, at) };
                Ok(values.iter().enumerate().map(node).collect())
            }
            _ => Err(self.expected("an array")),
        }
    }

    pub(super) fn texts(&self) -> Result<Vec<&'v str>, BadShape> {
        self.items()?.iter().map(Node::text).collect()
    }

    /// A whole number between 0 and `max`.
    pub(super) fn whole(&self, max: u64) -> Result<u64, BadShape> {
        let max = max.min(MAX_NUMBER.unsigned_abs());
        match self.value {
            Value::Number(Number::Int(n)) => u64::try_from(*n).ok().filter(|n| *n <= max),
            _ => None,
        }
        .ok_or_else(|| self.expected(&format!("a whole number between 0 and {max}")))
    }

    pub(super) fn object(&self) -> Result<Members<'v>, BadShape> {
        match self.value {
            Value::Object(members) => {
                Ok(Members { members, pointer: self.pointer.clone(), asked: RefCell::new(Vec::new()) })
            }
            _ => Err(self.expected("an object")),
        }
    }
}

/// An object's members; it remembers which ones were asked for.
#[derive(Debug)]
pub(super) struct Members<'v> {
    members: &'v [(String, Value)],
    pub(super) pointer: String,
    asked: RefCell<Vec<&'static str>>,
}

impl<'v> Members<'v> {
    pub(super) fn optional(&self, name: &'static str) -> Option<Node<'v>> {
        self.asked.borrow_mut().push(name);
        let (_, value) = self.members.iter().find(|(known, _)| known == name)?;
        Some(Node { value, pointer: child(&self.pointer, name) })
    }

    pub(super) fn required(&self, name: &'static str) -> Result<Node<'v>, BadShape> {
        self.optional(name).ok_or_else(|| BadShape {
            pointer: child(&self.pointer, name),
            message: format!("the member \"{name}\" is missing"),
        })
    }

    pub(super) fn text(&self, name: &'static str) -> Result<&'v str, BadShape> {
        self.required(name)?.text()
    }

    pub(super) fn opt_text(&self, name: &'static str) -> Result<Option<&'v str>, BadShape> {
        self.optional(name).map(|node| node.text()).transpose()
    }

    /// The items of an array that may be absent.
    pub(super) fn items(&self, name: &'static str) -> Result<Vec<Node<'v>>, BadShape> {
        self.optional(name).map_or(Ok(Vec::new()), |node| node.items())
    }

    /// The strings of an array that may be absent.
    pub(super) fn texts(&self, name: &'static str) -> Result<Vec<&'v str>, BadShape> {
        self.optional(name).map_or(Ok(Vec::new()), |node| node.texts())
    }

    /// Members that nobody asked for.
    pub(super) fn left_over(&self) -> Vec<&'v str> {
        let asked = self.asked.borrow();
        let names = self.members.iter().map(|(name, _)| name.as_str());
        names.filter(|name| !asked.contains(name)).collect()
    }
}
