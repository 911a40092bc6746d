//! From bytes to a [`Value`], strictly.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::limits::{Limits, MAX_NUMBER};
use super::pointer::Step;
use super::value::{Number, Value};
use crate::code::{Code, Refused};

/// How `serde_json` words a literal that no float holds, such as `1e999`; the only way to tell it from bad syntax.
const OUT_OF_RANGE: &str = "number out of range";
/// Objects up to this size are searched member by member for duplicates, larger ones by a set.
const SCAN_MEMBERS: usize = 32;

/// Reads one JSON document. Refused are: bytes that are not JSON or not UTF-8, bytes after the end, a member that stands
/// twice in one object, nesting, strings and numbers beyond `limits`. Numbers are refused beyond 2^53 however they are
/// written, because a large integer and a large float cannot be told apart once read.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, Refused> {
    let mut state = State { limits, path: Vec::new(), refused: None };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let outcome = Seed { state: &mut state }.deserialize(&mut reader);
    let error = match outcome {
        Ok(value) => match reader.end() {
            Ok(()) => return Ok(value),
            Err(_) => {
                return Err(Refused::at(limits.codes.syntax, "", "bytes follow the end of the JSON document"));
            }
        },
        Err(error) => error,
    };
    if let Some(refused) = state.refused {
        return Err(refused);
    }
    let pointer = state.pointer();
    let text = error.to_string();
    if text.starts_with(OUT_OF_RANGE) {
        return Err(Refused::at(limits.codes.number, pointer, NUMBER_RULE));
    }
    let message = match std::str::from_utf8(bytes) {
        Err(utf8) => format!("not UTF-8 at byte {}", utf8.valid_up_to()),
        Ok(_) => format!("not JSON: {text}"),
    };
    Err(Refused::at(limits.codes.syntax, pointer, message))
}

const NUMBER_RULE: &str = "numbers must be finite and at most 2^53 in magnitude; write larger ones as text";

/// Where the reader is, and the refusal that serde's error type cannot carry.
struct State<'l> {
    limits: &'l Limits,
    path: Vec<Step>,
    refused: Option<Refused>,
}

impl State<'_> {
    fn pointer(&self) -> String {
        self.path.iter().fold(String::new(), |pointer, step| step.below(&pointer))
    }

    /// Notes the refusal and gives serde an error to stop with.
    fn refuse<E: serde::de::Error>(&mut self, code: Code, message: impl Into<String>) -> E {
        self.refused = Some(Refused::at(code, self.pointer(), message));
        E::custom("refused")
    }

    /// An array or object begins; the path's length is the depth around it.
    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        let depth = self.limits.depth;
        if self.path.len() >= depth {
            return Err(self.refuse(self.limits.codes.depth, format!("nested more than {depth} deep")));
        }
        Ok(())
    }

    fn string<E: serde::de::Error>(&mut self, length: usize) -> Result<(), E> {
        let limit = self.limits.string_bytes;
        if length > limit {
            return Err(self.refuse(self.limits.codes.too_long, format!("a string of more than {limit} bytes")));
        }
        Ok(())
    }
}

struct Seed<'s, 'l> {
    state: &'s mut State<'l>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if !(-MAX_NUMBER..=MAX_NUMBER).contains(&value) {
            return Err(self.state.refuse(self.state.limits.codes.number, NUMBER_RULE));
        }
        Ok(Value::Number(Number::Int(value)))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.visit_i64(i64::try_from(value).unwrap_or(i64::MAX))
    }

    #[allow(clippy::cast_precision_loss)] // 2^53 is exact
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        if !value.is_finite() || value.abs() > MAX_NUMBER as f64 {
            return Err(self.state.refuse(self.state.limits.codes.number, NUMBER_RULE));
        }
        Ok(Value::Number(Number::Float(value)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.state.string(text.len())?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.state.enter()?;
        let mut items = Vec::new();
        loop {
            self.state.path.push(Step::Element(items.len()));
            let Some(item) = access.next_element_seed(Seed { state: &mut *self.state })? else { break };
            self.state.path.pop();
            items.push(item);
        }
        self.state.path.pop();
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.state.enter()?;
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut names = Names::default();
        while let Some(name) = access.next_key_seed(NameSeed)? {
            self.state.string(name.len())?;
            let twice = names.is_twice(&name, &members);
            self.state.path.push(Step::Member(name));
            if twice {
                return Err(self
                    .state
                    .refuse(self.state.limits.codes.duplicate, "this member stands twice; leave one of them"));
            }
            let value = access.next_value_seed(Seed { state: &mut *self.state })?;
            match self.state.path.pop() {
                Some(Step::Member(name)) => members.push((name, value)),
                _ => return Err(A::Error::custom("the path lost a member")),
            }
        }
        Ok(Value::Object(members))
    }
}

/// Finds names that stand twice without going through a large object again and again.
#[derive(Default)]
struct Names(Option<HashSet<String>>);

impl Names {
    fn is_twice(&mut self, name: &str, members: &[(String, Value)]) -> bool {
        if members.len() < SCAN_MEMBERS {
            return members.iter().any(|(known, _)| known == name);
        }
        let known = self.0.get_or_insert_with(|| members.iter().map(|(known, _)| known.clone()).collect());
        !known.insert(name.to_owned())
    }
}

struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}
