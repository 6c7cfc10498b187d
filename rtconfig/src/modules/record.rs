//! Record layouts of ports: one of the four standard ones by its name, or fields of their own.

use crate::stream_type::{
    Dtype, Field, RecordLayout, command_layout, event_layout, mark_layout, spike_layout,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Longest name of a layout or a field, in bytes: what the ring's type description holds.
const LONGEST_NAME: usize = 31;
/// Longest unit of a field, in bytes.
const LONGEST_UNIT: usize = 15;
/// Largest record, in bytes: a page.
const LARGEST_RECORD_BYTES: u64 = 4096;

/// Layout of a port's records.
#[derive(Clone, Debug)]
pub enum RecordKeys {
    /// `spike`, `event`, `command` or `mark`.
    Standard(Standard),
    /// Fields of their own.
    Own(OwnRecord),
}

/// The standard layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standard {
    /// frame, channel, width, amplitude; 24 bytes.
    Spike,
    /// time, line, code, value; 24 bytes.
    Event,
    /// tick, target, code, first_frame, last_frame, four values, age; 72 bytes.
    Command,
    /// time, code, length, text; 80 bytes.
    Mark,
}

/// A layout of the stage's own. Fields stand in the order given, each at a multiple of its number's size, as a C compiler
/// puts them; the record is filled up to a multiple of 8 bytes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnRecord {
    /// Name of the layout, at most 31 bytes; not that of a standard one. Both ends of a stream must say the same.
    pub name: String,
    /// The fields.
    pub fields: Vec<OwnField>,
}

/// One field of a record.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnField {
    /// Name, at most 31 bytes.
    pub name: String,
    /// Number format; not `bits`.
    pub dtype: Dtype,
    /// Numbers in the field, 1 or more; default 1.
    #[serde(default)]
    pub count: Option<u32>,
    /// Unit of the numbers, at most 15 bytes; default none.
    #[serde(default)]
    pub unit: Option<String>,
}

impl RecordKeys {
    /// The layout; `unit` is that of a spike's amplitude.
    pub fn layout(&self, unit: &str) -> RecordLayout {
        match self {
            RecordKeys::Standard(Standard::Spike) => spike_layout(unit),
            RecordKeys::Standard(Standard::Event) => event_layout(),
            RecordKeys::Standard(Standard::Command) => command_layout(),
            RecordKeys::Standard(Standard::Mark) => mark_layout(),
            RecordKeys::Own(own) => own.layout(),
        }
    }

    /// What is wrong with the fields, and what to do.
    pub fn fault(&self) -> Option<(String, &'static str)> {
        match self {
            RecordKeys::Standard(_) => None,
            RecordKeys::Own(own) => own.fault(),
        }
    }

    /// True if a stream of records `made` is what these keys say. A unit that is not said is not compared.
    pub fn accepts(&self, made: &RecordLayout) -> bool {
        let wanted = self.layout("");
        let same = |(wanted, made): (&Field, &Field)| {
            wanted.name == made.name
                && wanted.dtype == made.dtype
                && wanted.count == made.count
                && wanted.offset == made.offset
                && (wanted.unit.is_empty() || wanted.unit == made.unit)
        };
        wanted.name == made.name
            && wanted.bytes == made.bytes
            && wanted.fields.len() == made.fields.len()
            && wanted.fields.iter().zip(&made.fields).all(same)
    }
}

impl OwnRecord {
    fn layout(&self) -> RecordLayout {
        let mut at = 0;
        let fields = self
            .fields
            .iter()
            .map(|keys| {
                let count = keys.count.unwrap_or(1);
                let offset = u64::next_multiple_of(at, keys.dtype.bytes(1) as u64);
                at = offset + keys.dtype.bytes(1) as u64 * u64::from(count);
                Field {
                    name: keys.name.clone(),
                    dtype: keys.dtype,
                    count,
                    offset: u32::try_from(offset).unwrap_or(u32::MAX),
                    unit: keys.unit.clone().unwrap_or_default(),
                }
            })
            .collect();
        RecordLayout {
            name: self.name.clone(),
            bytes: u32::try_from(at.next_multiple_of(8)).unwrap_or(u32::MAX),
            fields,
        }
    }

    fn fault(&self) -> Option<(String, &'static str)> {
        let mut names: Vec<&str> = self
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        let long = |name: &&str| name.is_empty() || name.len() > LONGEST_NAME;
        if let Some(name) = std::iter::once(self.name.as_str())
            .chain(names.iter().copied())
            .find(long)
        {
            return Some((
                format!("`{name}` is not a name of 1 to {LONGEST_NAME} bytes"),
                "choose another",
            ));
        }
        if ["spike", "event", "command", "mark"].contains(&self.name.as_str()) {
            return Some((
                format!("`{}` is a standard layout with other fields", self.name),
                "write its name alone, or choose another",
            ));
        }
        names.sort_unstable();
        if names.is_empty() || names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Some((
                "a record has at least one field, and each its own name".to_owned(),
                "correct the list",
            ));
        }
        for field in &self.fields {
            let unit = field.unit.as_deref().unwrap_or_default();
            if field.dtype == Dtype::Bits || field.count == Some(0) || unit.len() > LONGEST_UNIT {
                return Some((
                    format!("the field `{}` cannot be", field.name),
                    "use i8 to i64, u8 to u64, f32 or f64, a count of 1 or more, and a unit of at most 15 bytes",
                ));
            }
        }
        let bytes = self.fields.iter().map(|field| {
            // A number and the gap that may precede it.
            2 * field.dtype.bytes(1) as u64 * u64::from(field.count.unwrap_or(1))
        });
        (bytes.sum::<u64>() > LARGEST_RECORD_BYTES).then(|| {
            (
                "the record is too large".to_owned(),
                "use frames for what is not a few numbers",
            )
        })
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = RecordKeys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"spike\", \"event\", \"command\", \"mark\", or { name, fields }")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<RecordKeys, E> {
        let standard = match name {
            "spike" => Standard::Spike,
            "event" => Standard::Event,
            "command" => Standard::Command,
            "mark" => Standard::Mark,
            _ => {
                return Err(E::custom(format!(
                    "`{name}` is not a standard record layout; possible: `spike`, `event`, `command`, `mark`, or a table \
                     {{ name = \"...\", fields = [...] }}"
                )));
            }
        };
        Ok(RecordKeys::Standard(standard))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RecordKeys, A::Error> {
        OwnRecord::deserialize(MapAccessDeserializer::new(map)).map(RecordKeys::Own)
    }
}

impl<'de> Deserialize<'de> for RecordKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RecordVisitor)
    }
}

impl JsonSchema for RecordKeys {
    fn schema_name() -> Cow<'static, str> {
        "Record".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let standard = generator.subschema_for::<Standard>();
        let own = generator.subschema_for::<OwnRecord>();
        json_schema!({
            "description": "Layout of the records: a standard one by its name, or fields of their own.",
            "anyOf": [standard, own]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_fields_stand_where_a_c_compiler_puts_them() {
        let field = |name: &str, dtype, count| OwnField {
            name: name.to_owned(),
            dtype,
            count,
            unit: None,
        };
        let layout = RecordKeys::Own(OwnRecord {
            name: "pair".to_owned(),
            fields: vec![
                field("line", Dtype::U8, None),
                field("frame", Dtype::U64, None),
                field("values", Dtype::F32, Some(3)),
            ],
        })
        .layout("");
        let offsets: Vec<u32> = layout.fields.iter().map(|f| f.offset).collect();
        // struct { uint8_t line; uint64_t frame; float values[3]; } has 32 bytes.
        assert_eq!((offsets, layout.bytes), (vec![0, 8, 16], 32));
    }

    #[test]
    fn a_spike_of_any_unit_is_a_spike() {
        let spike = RecordKeys::Standard(Standard::Spike);
        assert!(spike.accepts(&spike_layout("uV")));
        assert!(!spike.accepts(&event_layout()));
    }
}
