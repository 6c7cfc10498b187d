//! A graph file as a tree of values, each of which knows where it was written.

use crate::problem::{Place, Source};
use std::fmt;
use std::sync::Arc;
use toml_edit::{Item, TableLike, Value as TomlValue};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Line of the key it belongs to (elements of an array: their own line), or the `--set` that wrote it.
    pub place: Place,
    /// The value.
    pub value: Value,
}

/// A value of a graph file.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "TOML's own types")]
pub enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Vec<(String, Node)>),
}

impl Node {
    /// The value of a key, if this is a table that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, n)| n),
            _ => None,
        }
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Table(entries) => entries.iter_mut().find(|(k, _)| k == key).map(|(_, n)| n),
            _ => None,
        }
    }

    /// Keys of a table in order of the file; none of anything else.
    pub fn keys(&self) -> Vec<&str> {
        match &self.value {
            Value::Table(entries) => entries.iter().map(|(k, _)| k.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// Takes a key out of a table that has it.
    pub fn take(&mut self, key: &str) -> Option<Node> {
        let Value::Table(entries) = &mut self.value else {
            return None;
        };
        let at = entries.iter().position(|(name, _)| name == key)?;
        Some(entries.remove(at).1)
    }

    /// The place of the deepest key of `path` that is written down.
    pub fn place_of(&self, path: &[&str]) -> &Place {
        let mut node = self;
        for key in path {
            match node.get(key) {
                Some(next) => node = next,
                None => break,
            }
        }
        &node.place
    }

    /// The place of an element of an array; of the whole if there is no such element.
    pub fn place_of_element(&self, at: usize) -> &Place {
        match &self.value {
            Value::Array(items) => items.get(at).map_or(&self.place, |item| &item.place),
            _ => &self.place,
        }
    }

    /// The value as JSON, as stages get their parameters. Dates become text, numbers JSON cannot hold become null.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Text(text) => Json::from(text.as_str()),
            Value::Integer(number) => Json::from(*number),
            Value::Float(number) => Json::from(*number),
            Value::Boolean(truth) => Json::from(*truth),
            Value::Array(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(entries) => Json::Object(
                entries
                    .iter()
                    .map(|(k, n)| (k.clone(), n.to_json()))
                    .collect(),
            ),
        }
    }
}

/// As TOML, on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => TomlValue::from(text.as_str()).fmt(f),
            Value::Integer(number) => number.fmt(f),
            Value::Float(number) => TomlValue::from(*number).fmt(f),
            Value::Boolean(truth) => truth.fmt(f),
            Value::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", item.value)?;
                }
                f.write_str("]")
            }
            Value::Table(entries) if entries.is_empty() => f.write_str("{}"),
            Value::Table(entries) => {
                f.write_str("{")?;
                for (at, (key, item)) in entries.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma} {key} = {}", item.value)?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// Line numbers of a text, from byte offsets.
struct Lines<'a> {
    source: &'a Arc<Source>,
    newlines: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &str, source: &'a Arc<Source>) -> Self {
        let bytes = text.bytes().enumerate();
        Lines {
            source,
            newlines: bytes
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at)
                .collect(),
        }
    }

    fn at(&self, offset: usize) -> Place {
        let before = self.newlines.partition_point(|newline| *newline < offset);
        let line = u32::try_from(before + 1).unwrap_or(u32::MAX);
        Place::Line(Arc::clone(self.source), line)
    }
}

/// Parses TOML text.
///
/// # Errors
/// Where the text stops being TOML, and the parser's own words about it.
pub fn parse(text: &str, source: &Arc<Source>) -> Result<Node, (Place, String)> {
    let lines = Lines::of(text, source);
    let document = toml_edit::Document::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let words = error.message().replace('\n', ", ");
        let at = text.get(span.clone()).and_then(|text| text.lines().next());
        let words = match at.map(str::trim).filter(|at| (1..40).contains(&at.len())) {
            Some(at) => format!("{words} (at `{at}`)"),
            None => words,
        };
        (lines.at(span.start), words)
    })?;
    let place = lines.at(0);
    Ok(Node {
        value: table(document.as_table(), &lines, &place),
        place,
    })
}

/// Parses the right-hand side of a `--set`: a TOML value, or a bare word, which is text.
///
/// # Errors
/// The parser's words, if the text begins like a TOML array, table or string but is none.
pub fn parse_value(text: &str, place: &Place) -> Result<Node, String> {
    let text = text.trim();
    let value = match text.parse::<TomlValue>() {
        Ok(value) => from_value(&value, place, &|_| None),
        Err(error) if text.starts_with(['[', '{', '"', '\'']) => {
            return Err(error.message().replace('\n', ", "));
        }
        Err(_) => Value::Text(text.to_owned()),
    };
    Ok(Node {
        place: place.clone(),
        value,
    })
}

fn table(table: &dyn TableLike, lines: &Lines<'_>, outer: &Place) -> Value {
    let entries = table.iter().filter_map(|(name, item)| {
        let place = table
            .key(name)
            .and_then(|key| key.span())
            .or_else(|| item.span())
            .map_or_else(|| outer.clone(), |span| lines.at(span.start));
        let locate = |offset| Some(lines.at(offset));
        let value = match item {
            Item::None => return None,
            Item::Value(TomlValue::InlineTable(inner)) => self::table(inner, lines, &place),
            Item::Value(value) => from_value(value, &place, &locate),
            Item::Table(inner) => self::table(inner, lines, &place),
            Item::ArrayOfTables(tables) => Value::Array(
                tables
                    .iter()
                    .map(|inner| Node {
                        place: place.clone(),
                        value: self::table(inner, lines, &place),
                    })
                    .collect(),
            ),
        };
        Some((name.to_owned(), Node { place, value }))
    });
    Value::Table(entries.collect())
}

fn from_value(value: &TomlValue, place: &Place, locate: &dyn Fn(usize) -> Option<Place>) -> Value {
    let at = |span: Option<std::ops::Range<usize>>| {
        span.and_then(|span| locate(span.start))
            .unwrap_or_else(|| place.clone())
    };
    match value {
        TomlValue::String(text) => Value::Text(text.value().clone()),
        TomlValue::Integer(number) => Value::Integer(*number.value()),
        TomlValue::Float(number) => Value::Float(*number.value()),
        TomlValue::Boolean(truth) => Value::Boolean(*truth.value()),
        TomlValue::Datetime(date) => Value::Text(date.value().to_string()),
        TomlValue::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| Node {
                    place: at(item.span()),
                    value: from_value(item, &at(item.span()), locate),
                })
                .collect(),
        ),
        TomlValue::InlineTable(inner) => Value::Table(
            inner
                .iter()
                .map(|(name, item)| {
                    let place = at(inner.key(name).and_then(toml_edit::Key::span));
                    let value = from_value(item, &place, locate);
                    (name.to_owned(), Node { place, value })
                })
                .collect(),
        ),
    }
}
