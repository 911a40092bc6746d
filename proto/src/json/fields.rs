//! Taking members out of an object, typed, with the place kept for messages.

use std::sync::Arc;

use super::limits::{Codes, MAX_NUMBER};
use super::pointer::{Place, Step};
use super::value::{Number, Value};
use crate::code::{Code, Refused};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    value: Value,
    place: Place,
    codes: &'static Codes,
}

impl Item {
    /// The value of a whole document.
    pub fn document(value: Value, codes: &'static Codes) -> Item {
        Item { value, place: Place::default(), codes }
    }

    /// Where the value stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The codes that refusals here carry.
    pub fn codes(&self) -> &'static Codes {
        self.codes
    }

    /// The value alone.
    pub fn into_value(self) -> Value {
        self.value
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// Whether the value is `true` or `false`.
    pub fn is_boolean(&self) -> bool {
        matches!(self.value, Value::Bool(_))
    }

    /// A refusal of this value.
    pub fn refuse(&self, code: Code, message: impl Into<String>) -> Refused {
        Refused::at(code, &self.place, message)
    }

    /// A refusal because the value is not an allowed one.
    pub fn bad(&self, message: impl Into<String>) -> Refused {
        self.refuse(self.codes.value, message)
    }

    fn wrong_type(&self, expected: &str) -> Refused {
        self.refuse(self.codes.wrong_type, format!("expected {expected}, found {}", self.value.kind()))
    }

    /// The value as an object whose members are taken one by one.
    pub fn object(self) -> Result<Fields, Refused> {
        match self.value {
            Value::Object(members) => {
                let members = members.into_iter().map(|(name, value)| (name, Some(value))).collect();
                Ok(Fields { members, place: Arc::new(self.place), codes: self.codes })
            }
            _ => Err(self.wrong_type("an object")),
        }
    }

    /// The value as an array of at most `max` items.
    pub fn array(self, max: usize) -> Result<Vec<Item>, Refused> {
        match self.value {
            Value::Array(values) if values.len() > max => Err(Refused::at(
                self.codes.too_many,
                self.place,
                format!("{} items where at most {max} are allowed", values.len()),
            )),
            Value::Array(values) => {
                let here = Arc::new(self.place);
                let item = |(index, value)| Item {
                    value,
                    place: Place::below(&here, Step::Element(index)),
                    codes: self.codes,
                };
                Ok(values.into_iter().enumerate().map(item).collect())
            }
            _ => Err(self.wrong_type("an array")),
        }
    }

    /// The value as a string.
    pub fn text(self) -> Result<Text, Refused> {
        match self.value {
            Value::String(text) => Ok(Text { text, place: self.place, codes: self.codes }),
            _ => Err(self.wrong_type("a string")),
        }
    }

    /// The value as a boolean.
    pub fn boolean(self) -> Result<bool, Refused> {
        match self.value {
            Value::Bool(value) => Ok(value),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// The value as a number.
    pub fn number(self) -> Result<Number, Refused> {
        match self.value {
            Value::Number(number) => Ok(number),
            _ => Err(self.wrong_type("a number")),
        }
    }

    /// The value as a whole number between `min` and `max`, written without fraction and exponent.
    pub fn integer(self, min: i64, max: i64) -> Result<i64, Refused> {
        let expected = if max >= MAX_NUMBER {
            format!("expected a whole number of {min} or more")
        } else {
            format!("expected a whole number between {min} and {max}")
        };
        match self.value {
            Value::Number(Number::Int(n)) if (min..=max).contains(&n) => Ok(n),
            Value::Number(_) => Err(self.bad(expected)),
            _ => Err(self.wrong_type("a whole number")),
        }
    }
}

/// A string and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    text: String,
    place: Place,
    codes: &'static Codes,
}

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text alone.
    pub fn into_string(self) -> String {
        self.text
    }

    /// The codes that refusals here carry.
    pub fn codes(&self) -> &'static Codes {
        self.codes
    }

    /// A refusal of this text.
    pub fn refuse(&self, code: Code, message: impl Into<String>) -> Refused {
        Refused::at(code, &self.place, message)
    }

    /// A refusal because the text is not an allowed one.
    pub fn bad(&self, message: impl Into<String>) -> Refused {
        self.refuse(self.codes.value, message)
    }

    /// What `parse` makes of the text; its error is the message.
    pub fn parsed<T, E: std::fmt::Display>(&self, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, Refused> {
        parse(&self.text).map_err(|error| self.bad(error.to_string()))
    }

    /// The choice that the text names.
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Refused> {
        choices.iter().find(|(name, _)| *name == self.text).map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.bad(format!("expected one of: {}", names.join(", ")))
        })
    }
}

/// An object whose members are taken out one by one; [`Fields::finish`] refuses what is left. `null` is a value, not an
/// absence: where a member is optional, it is left out.
#[derive(Debug)]
pub struct Fields {
    members: Vec<(String, Option<Value>)>,
    place: Arc<Place>,
    codes: &'static Codes,
}

impl Fields {
    /// Where the object stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The codes that refusals here carry.
    pub fn codes(&self) -> &'static Codes {
        self.codes
    }

    /// Whether the object has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether the member is there and was not taken.
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(known, value)| known == name && value.is_some())
    }

    /// A refusal of the member `name`, whether or not it is there.
    pub fn refuse(&self, name: &str, code: Code, message: impl Into<String>) -> Refused {
        Refused::at(code, self.place.child(name), message)
    }

    /// A refusal of the object itself.
    pub fn refuse_self(&self, code: Code, message: impl Into<String>) -> Refused {
        Refused::at(code, self.place(), message)
    }

    /// Takes a member that may be absent.
    pub fn optional(&mut self, name: &str) -> Option<Item> {
        let (known, value) = self.members.iter_mut().find(|(known, value)| value.is_some() && known == name)?;
        let value = value.take()?;
        // Nobody asks again for what was taken, so its name goes with it.
        let step = Step::Member(std::mem::take(known));
        Some(Item { value, place: Place::below(&self.place, step), codes: self.codes })
    }

    /// Takes a member that must be there.
    pub fn required(&mut self, name: &str) -> Result<Item, Refused> {
        self.optional(name)
            .ok_or_else(|| self.refuse(name, self.codes.missing, format!("the member \"{name}\" is required here")))
    }

    /// Takes a required member and reads it.
    pub fn read<T>(&mut self, name: &str, read: impl FnOnce(Item) -> Result<T, Refused>) -> Result<T, Refused> {
        read(self.required(name)?)
    }

    /// Takes an optional member and reads it.
    pub fn read_opt<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Item) -> Result<T, Refused>,
    ) -> Result<Option<T>, Refused> {
        self.optional(name).map(read).transpose()
    }

    /// Takes a required array of at most `max` items and reads each.
    pub fn list<T>(
        &mut self,
        name: &str,
        max: usize,
        read: impl FnMut(Item) -> Result<T, Refused>,
    ) -> Result<Vec<T>, Refused> {
        self.required(name)?.array(max)?.into_iter().map(read).collect()
    }

    /// Takes a required array of at least one and at most `max` items and reads each.
    pub fn non_empty_list<T>(
        &mut self,
        name: &str,
        max: usize,
        read: impl FnMut(Item) -> Result<T, Refused>,
    ) -> Result<Vec<T>, Refused> {
        let list = self.list(name, max, read)?;
        if list.is_empty() {
            return Err(self.refuse(name, self.codes.value, "expected at least one item"));
        }
        Ok(list)
    }

    /// Takes an optional array of at most `max` items and reads each; absent is empty.
    pub fn list_opt<T>(
        &mut self,
        name: &str,
        max: usize,
        read: impl FnMut(Item) -> Result<T, Refused>,
    ) -> Result<Vec<T>, Refused> {
        match self.optional(name) {
            Some(item) => item.array(max)?.into_iter().map(read).collect(),
            None => Ok(Vec::new()),
        }
    }

    /// Takes a required string.
    pub fn text(&mut self, name: &str) -> Result<Text, Refused> {
        self.required(name)?.text()
    }

    /// Takes an optional string.
    pub fn opt_text(&mut self, name: &str) -> Result<Option<Text>, Refused> {
        self.read_opt(name, Item::text)
    }

    /// Refuses members that nobody took; the first of them is named.
    pub fn finish(self) -> Result<(), Refused> {
        match self.members.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => {
                Err(self.refuse(name, self.codes.unknown_member, "a member that is not known here; leave it out"))
            }
            None => Ok(()),
        }
    }
}
