//! The merged configuration: a tree whose every node knows which layer gave it.

use std::collections::BTreeMap;
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// Which layer gave a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody: the built-in defaults.
    Defaults,
    /// A line of a file, counted from 1.
    File {
        /// The file.
        path: String,
        /// The line.
        line: usize,
    },
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Defaults => f.write_str("configuration"),
            Origin::File { path, line } => write!(f, "{path}, line {line}"),
            Origin::Environment(name) => write!(f, "environment variable {name}"),
            Origin::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Table(BTreeMap<String, Node>),
    List(Vec<Node>),
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(String),
    /// A value from the environment or a flag, read as whatever type is asked for.
    Text(String),
    /// A variable whose value is not UTF-8.
    NotUtf8,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) kind: Kind,
}

impl Node {
    pub(super) fn table(origin: Origin) -> Node {
        Node { origin, kind: Kind::Table(BTreeMap::new()) }
    }

    pub(super) fn from_toml(path: &str, text: &str) -> Result<Node, ConfigError> {
        let place = Place { path, text };
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: place.line(error.span().map_or(0, |span| span.start)),
            reason: error.message().to_owned(),
        })?;
        place.table(table.into_inner(), Origin::Defaults)
    }

    /// Lays another tree over this one: tables are merged, everything else is replaced.
    pub(super) fn merge(&mut self, over: Node) {
        match (&mut self.kind, over.kind) {
            (Kind::Table(below), Kind::Table(above)) => {
                for (key, node) in above {
                    match below.get_mut(&key) {
                        Some(old) => old.merge(node),
                        None => drop(below.insert(key, node)),
                    }
                }
            }
            (below, above) => {
                *below = above;
                self.origin = over.origin;
            }
        }
    }

    /// Sets one key, making the tables on the way.
    pub(super) fn set(&mut self, path: &[String], node: Node) {
        let origin = node.origin.clone();
        let wrapped = path.iter().rev().fold(node, |inner, key| Node {
            origin: origin.clone(),
            kind: Kind::Table(BTreeMap::from([(key.clone(), inner)])),
        });
        self.merge(wrapped);
    }
}

/// Turns byte offsets of one file into origins.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn line(self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
    }

    fn table(self, table: DeTable<'_>, origin: Origin) -> Result<Node, ConfigError> {
        let mut nodes = BTreeMap::new();
        for (key, value) in table {
            let line = self.line(key.span().start);
            nodes.insert(key.into_inner().into_owned(), self.node(value, line)?);
        }
        Ok(Node { origin, kind: Kind::Table(nodes) })
    }

    fn node(self, value: Spanned<DeValue<'_>>, line: usize) -> Result<Node, ConfigError> {
        let origin = Origin::File { path: self.path.to_owned(), line };
        let syntax = |reason: String| ConfigError::Syntax { path: self.path.to_owned(), line, reason };
        let kind = match value.into_inner() {
            DeValue::Table(table) => return self.table(table, origin),
            DeValue::Array(items) => {
                let nodes = items.into_iter().map(|item| {
                    let line = self.line(item.span().start);
                    self.node(item, line)
                });
                Kind::List(nodes.collect::<Result<_, _>>()?)
            }
            DeValue::String(text) => Kind::String(text.into_owned()),
            DeValue::Boolean(value) => Kind::Boolean(value),
            // Parsed with their radix kept apart; what does not fit is refused here, where the line is known.
            DeValue::Integer(digits) => Kind::Integer(
                i64::from_str_radix(digits.as_str(), digits.radix())
                    .map_err(|_| syntax(format!("the number {} is out of range", digits.as_str())))?,
            ),
            DeValue::Float(digits) => {
                Kind::Float(digits.as_str().parse().map_err(|_| syntax(format!("{} is no number", digits.as_str())))?)
            }
            DeValue::Datetime(time) => Kind::String(time.to_string()),
        };
        Ok(Node { origin, kind })
    }
}
