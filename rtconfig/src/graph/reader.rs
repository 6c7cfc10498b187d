//! Reads the tree into serde structs, so that every error knows its key and the line it was written on.

use super::tree::{Node, Value};
use crate::problem::{Place, suggest};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use std::fmt;

/// Why a part of the graph is not what its struct says. `path` is complete once the error has come back to the root.
#[derive(Debug)]
pub struct ReadError {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// Keys from the root.
    pub path: Vec<String>,
    /// Where, if some key on the way knew.
    pub place: Option<Place>,
}

impl ReadError {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        ReadError {
            what: what.into(),
            remedy: remedy.into(),
            path: Vec::new(),
            place: None,
        }
    }

    fn at(mut self, place: &Place) -> Self {
        self.place.get_or_insert_with(|| place.clone());
        self
    }

    fn below(mut self, key: &str, place: &Place) -> Self {
        self.path.insert(0, key.to_owned());
        self.at(place)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

impl std::error::Error for ReadError {}

/// serde names the Rust type it wanted; a user wants to know which numbers are allowed.
fn in_plain_words(expected: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "i8" => "a whole number from -128 to 127".to_owned(),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "f64" => "a number".to_owned(),
        "a string" => "text in quotes".to_owned(),
        "a sequence" => "a list [ ... ]".to_owned(),
        other => other.strip_prefix("struct ").map_or_else(
            || other.to_owned(),
            |_| "a table { key = value }".to_owned(),
        ),
    }
}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        // Visitors of our own separate what is wrong from what to do by the first semicolon.
        let message = message.to_string();
        match message.split_once("; ") {
            Some((what, remedy)) => ReadError::new(what, remedy),
            None => ReadError::new(message, ""),
        }
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        ReadError::new(
            format!("{unexpected} does not fit here"),
            format!("write {}", in_plain_words(&expected.to_string())),
        )
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        ReadError::invalid_type(unexpected, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        ReadError::new(format!("unknown key `{field}`"), suggest(field, expected))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        ReadError::new(
            format!("`{variant}` is not a choice here"),
            crate::problem::choices(expected),
        )
    }

    fn missing_field(field: &'static str) -> Self {
        ReadError::new(
            format!("the key `{field}` is missing"),
            format!("add `{field} = ...`"),
        )
    }
}

impl<'de> IntoDeserializer<'de, ReadError> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.value {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(truth) => visitor.visit_bool(*truth),
            Value::Array(items) => visitor.visit_seq(Elements(items.iter())),
            Value::Table(entries) => visitor.visit_map(Entries {
                rest: entries.iter(),
                current: None,
            }),
        }
        .map_err(|error| error.at(&self.place))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        // TOML has no null: a key that is there has a value.
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match &self.value {
            Value::Text(word) => visitor
                .visit_enum(word.as_str().into_deserializer())
                .map_err(|error: ReadError| error.at(&self.place)),
            _ => Err(ReadError::new(
                "one word in quotes belongs here",
                crate::problem::choices(variants),
            )
            .at(&self.place)),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Elements<'de>(std::slice::Iter<'de, Node>);

impl<'de> de::SeqAccess<'de> for Elements<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

struct Entries<'de> {
    rest: std::slice::Iter<'de, (String, Node)>,
    current: Option<&'de (String, Node)>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        self.current = self.rest.next();
        self.current
            .map(|(key, node)| {
                seed.deserialize(key.as_str().into_deserializer())
                    .map_err(|error: ReadError| error.at(&node.place))
            })
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some((key, node)) = self.current else {
            return Err(ReadError::new("a value was asked for before its key", ""));
        };
        seed.deserialize(node)
            .map_err(|error| error.below(key, &node.place))
    }
}
