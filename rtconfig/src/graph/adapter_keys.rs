//! Keys of edge adapters whose values have more than one form.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Channels of an edge as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select(pub Vec<Pick>);

/// One entry of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// A channel by its place, from 0.
    Index(u32),
    /// A label, or a pattern of labels with `*` (any characters) and `?` (one).
    Name(String),
}

/// What physical unit an edge gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Unit with SI prefix; `None` for the stream's SI unit itself.
    pub unit: Option<String>,
}

/// [`Scale`] as a table.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ScaleKeys {
    /// Unit of the numbers: the stream's SI unit, with a prefix (`uV`, `mV`).
    unit: String,
}

struct PickVisitor;

impl Visitor<'_> for PickVisitor {
    type Value = Pick;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of a channel (from 0), or a label or pattern in quotes")
    }

    fn visit_i64<E: Error>(self, index: i64) -> Result<Pick, E> {
        u32::try_from(index).map(Pick::Index).map_err(|_| {
            E::custom(format!(
                "{index} is no channel; channels count from 0 upwards"
            ))
        })
    }

    fn visit_u64<E: Error>(self, index: u64) -> Result<Pick, E> {
        self.visit_i64(i64::try_from(index).unwrap_or(i64::MAX))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Pick, E> {
        Ok(Pick::Name(name.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Pick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PickVisitor)
    }
}

struct SelectVisitor;

impl<'de> Visitor<'de> for SelectVisitor {
    type Value = Select;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a channel's number (from 0), label or pattern, or a list of them")
    }

    fn visit_i64<E: Error>(self, index: i64) -> Result<Select, E> {
        PickVisitor.visit_i64(index).map(|pick| Select(vec![pick]))
    }

    fn visit_u64<E: Error>(self, index: u64) -> Result<Select, E> {
        PickVisitor.visit_u64(index).map(|pick| Select(vec![pick]))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Select, E> {
        PickVisitor.visit_str(name).map(|pick| Select(vec![pick]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Select, A::Error> {
        let mut picks = Vec::new();
        while let Some(pick) = list.next_element()? {
            picks.push(pick);
        }
        Ok(Select(picks))
    }
}

impl<'de> Deserialize<'de> for Select {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SelectVisitor)
    }
}

impl JsonSchema for Select {
    fn schema_name() -> Cow<'static, str> {
        "Select".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Channels in order: numbers from 0, labels, or patterns of labels with `*` and `?`.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string" },
                {
                    "type": "array",
                    "minItems": 1,
                    "items": { "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }] }
                }
            ]
        })
    }
}

struct ScaleVisitor;

impl<'de> Visitor<'de> for ScaleVisitor {
    type Value = Scale;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, or a table { unit = \"uV\" }")
    }

    fn visit_bool<E: Error>(self, wanted: bool) -> Result<Scale, E> {
        if wanted {
            Ok(Scale { unit: None })
        } else {
            Err(E::custom(
                "numbers are stored ones unless this key says otherwise; remove it",
            ))
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scale, A::Error> {
        ScaleKeys::deserialize(MapAccessDeserializer::new(map)).map(|keys| Scale {
            unit: Some(keys.unit),
        })
    }
}

impl<'de> Deserialize<'de> for Scale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScaleVisitor)
    }
}

impl JsonSchema for Scale {
    fn schema_name() -> Cow<'static, str> {
        "Scale".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<ScaleKeys>();
        json_schema!({
            "description": "`true` for the stream's SI unit, or a unit with a prefix.",
            "anyOf": [{ "const": true }, table]
        })
    }
}
