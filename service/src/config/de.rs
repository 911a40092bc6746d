//! Reads a configuration type from the merged tree, with errors that name key and place.

use std::collections::btree_map;
use std::fmt::Display;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::ConfigError;
use super::node::{Kind, Node, Origin};

/// An error on its way up: the path grows at its front, the innermost place wins.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Fault {
    reason: String,
    path: Vec<String>,
    origin: Option<Origin>,
}

impl Fault {
    fn new(reason: impl Display) -> Fault {
        Fault { reason: reason.to_string(), path: Vec::new(), origin: None }
    }

    fn under(mut self, key: &str, origin: &Origin) -> Fault {
        self.path.insert(0, key.to_owned());
        self.at(origin)
    }

    fn at(mut self, origin: &Origin) -> Fault {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }

    pub(super) fn into_error(self) -> ConfigError {
        ConfigError::Key { origin: self.origin, key: self.path.join("."), reason: self.reason }
    }
}

impl serde::de::Error for Fault {
    fn custom<T: Display>(message: T) -> Fault {
        Fault::new(message)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Fault {
        Fault::new(match nearest(field, expected) {
            Some(key) => format!("there is no such key; did you mean `{key}`?"),
            None if expected.is_empty() => "there is no such key; none is known here".to_owned(),
            None => format!("there is no such key; known here: {}", expected.join(", ")),
        })
    }

    fn missing_field(field: &'static str) -> Fault {
        Fault { path: vec![field.to_owned()], ..Fault::new("this key must be set; it has no default") }
    }
}

/// The known key that a misspelt one is closest to, if at most a third of it is wrong.
fn nearest<'a>(field: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |key: &&str| strsim::damerau_levenshtein(field, key);
    known.iter().copied().min_by_key(distance).filter(|key| distance(key) <= (field.chars().count() / 3).max(1))
}

impl<'de> IntoDeserializer<'de, Fault> for Node {
    type Deserializer = Node;

    fn into_deserializer(self) -> Node {
        self
    }
}

/// Reads a text as a number or truth value if that is what is asked for; other nodes speak for themselves.
macro_rules! parsed {
    ($($method:ident $visit:ident $kind:ty, $what:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let Kind::Text(text) = &self.kind else { return self.deserialize_any(visitor) };
            match text.trim().parse::<$kind>() {
                Ok(value) => visitor.$visit(value).map_err(|fault: Fault| fault.at(&self.origin)),
                Err(_) => Err(Fault::new(format_args!("{text:?} is not {}", $what)).at(&self.origin)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let origin = self.origin;
        let read = match self.kind {
            Kind::Table(nodes) => visitor.visit_map(Table { nodes: nodes.into_iter(), value: None }),
            Kind::List(nodes) => visitor.visit_seq(List { nodes: nodes.into_iter(), index: 0 }),
            Kind::Boolean(value) => visitor.visit_bool(value),
            Kind::Integer(value) => visitor.visit_i64(value),
            Kind::Float(value) => visitor.visit_f64(value),
            Kind::String(text) | Kind::Text(text) => visitor.visit_string(text),
            Kind::NotUtf8 => Err(Fault::new("the value is not UTF-8")),
        };
        read.map_err(|fault| fault.at(&origin))
    }

    parsed! {
        deserialize_bool visit_bool bool, "true or false";
        deserialize_i8 visit_i64 i64, "a whole number";
        deserialize_i16 visit_i64 i64, "a whole number";
        deserialize_i32 visit_i64 i64, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
        deserialize_u8 visit_u64 u64, "a whole number, zero or more";
        deserialize_u16 visit_u64 u64, "a whole number, zero or more";
        deserialize_u32 visit_u64 u64, "a whole number, zero or more";
        deserialize_u64 visit_u64 u64, "a whole number, zero or more";
        deserialize_f32 visit_f64 f64, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Kind::Text(text) = &self.kind else { return self.deserialize_any(visitor) };
        let nodes = list_of(text, &self.origin)?;
        visitor.visit_seq(List { nodes: nodes.into_iter(), index: 0 }).map_err(|fault| fault.at(&self.origin))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let origin = self.origin.clone();
        let read = match self.kind {
            Kind::String(text) | Kind::Text(text) => visitor.visit_enum(StrDeserializer::<Fault>::new(&text)),
            Kind::Table(nodes) => {
                visitor.visit_enum(MapAccessDeserializer::new(Table { nodes: nodes.into_iter(), value: None }))
            }
            _ => self.deserialize_any(visitor),
        };
        read.map_err(|fault| fault.at(&origin))
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple_struct map struct identifier ignored_any
    }
}

/// A list given as text: TOML if it begins with a bracket, else separated by commas.
fn list_of(text: &str, origin: &Origin) -> Result<Vec<Node>, Fault> {
    let texts: Vec<String> = if text.trim_start().starts_with('[') {
        let bad = |reason: &str| Fault::new(format_args!("{text:?} is no list: {reason}")).at(origin);
        let value = toml::de::DeValue::parse(text).map_err(|error| bad(error.message()))?.into_inner();
        let items = value.as_array().ok_or_else(|| bad("write [\"a\", \"b\"]"))?;
        let texts = items.iter().map(|item| match item.get_ref() {
            toml::de::DeValue::String(text) => Ok(text.to_string()),
            toml::de::DeValue::Integer(digits) if digits.radix() == 10 => Ok(digits.as_str().to_owned()),
            _ => Err(bad("only texts and decimal numbers can be given in a list here; use the file for others")),
        });
        texts.collect::<Result<_, _>>()?
    } else {
        text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
    };
    Ok(texts.into_iter().map(|text| Node { origin: origin.clone(), kind: Kind::Text(text) }).collect())
}

struct Table {
    nodes: btree_map::IntoIter<String, Node>,
    value: Option<(String, Node)>,
}

impl<'de> MapAccess<'de> for Table {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, node)) = self.nodes.next() else { return Ok(None) };
        let read =
            seed.deserialize(StrDeserializer::<Fault>::new(&key)).map_err(|f| f.under(&key, first_origin(&node)));
        self.value = Some((key, node));
        read.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((key, node)) = self.value.take() else { return Err(Fault::new("a value without a key")) };
        let origin = node.origin.clone();
        seed.deserialize(node).map_err(|fault| fault.under(&key, &origin))
    }
}

/// Where a key was given: for a table, where its first value was, since a table may have several layers' keys.
fn first_origin(node: &Node) -> &Origin {
    match &node.kind {
        Kind::Table(nodes) if node.origin == Origin::Defaults => {
            nodes.values().next().map_or(&node.origin, first_origin)
        }
        _ => &node.origin,
    }
}

struct List {
    nodes: std::vec::IntoIter<Node>,
    index: usize,
}

impl<'de> SeqAccess<'de> for List {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(node) = self.nodes.next() else { return Ok(None) };
        let (origin, index) = (node.origin.clone(), self.index);
        self.index += 1;
        seed.deserialize(node).map(Some).map_err(|fault| fault.under(&index.to_string(), &origin))
    }
}
