//! One input of a stage: the stream it reads, and how.

use super::adapter_keys::{Scale, Select};
use crate::plan::{Read, SeatKind};
use crate::stream_type::Dtype;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// One input of a stage. Written as a table, or as the name of the stream alone.
#[derive(Clone, Debug, PartialEq)]
pub struct InputKeys(pub InputTable);

/// One input of a stage, in full.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputTable {
    /// Stream that is read. In its place `merge` may name several.
    #[serde(default)]
    pub from: String,
    /// Streams that are joined channel beside channel: two or more of the same source, rate, number format, unit and
    /// block length. Each has a seat of its own. A block that one of them lost is a gap of all.
    #[serde(default)]
    pub merge: Option<Vec<String>>,
    /// Kind of seat: `hold` (reads in place, the producer cannot pass it; the default) or `lap` (copies out, the producer
    /// may pass it and what was missed is counted).
    #[serde(default)]
    pub seat: Option<SeatKind>,
    /// Which blocks: `same` (the block of the pacing block's origin frames; the default of `hold` seats), `newest`, or `all`
    /// (the default of a `lap` seat).
    #[serde(default)]
    pub read: Option<Read>,
    /// The stream is made downstream: this input never paces, holds or is waited for, and is at least one activation old.
    #[serde(default)]
    pub feedback: Option<bool>,
    /// With `feedback`, whose maker comes later: what the stream will be; compared with what its maker says.
    #[serde(default, rename = "type")]
    pub feedback_type: Option<FeedbackType>,
    /// Channels the stage gets, in this order: numbers count from 0, texts are labels or patterns (`"B*"`, `?` for one
    /// character). One alone or a list.
    #[serde(default)]
    pub select: Option<Select>,
    /// Physical numbers instead of stored ones, as `f64`: `true` for the stream's SI unit, or `{ unit = "uV" }`.
    #[serde(default)]
    pub scale: Option<Scale>,
    /// One frame for so many, 2 to 100, behind a low-pass filter (the one of SciPy's `decimate(ftype="fir")`), as `f64`:
    /// 10 of the new frames late, the first 20 settling.
    #[serde(default)]
    pub decimate: Option<u32>,
    /// Number format the stage gets: `i8` to `i64`, `u8` to `u64`, `f32`, `f64`. Saturates, rounds to nearest even.
    #[serde(default)]
    #[schemars(schema_with = "dtype_schema")]
    pub cast: Option<Dtype>,
    /// Blocks of exactly `n` frames, one every `step` frames, over block borders.
    #[serde(default)]
    pub window: Option<WindowKeys>,
}

impl InputTable {
    /// The streams that are read: the one, or those merged, in order.
    pub fn streams(&self) -> &[String] {
        self.merge
            .as_deref()
            .unwrap_or(core::slice::from_ref(&self.from))
    }
}

/// Regrouping of frames into blocks of another length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowKeys {
    /// Frames in a window, 1 or more.
    pub n: u32,
    /// Frames from one window's start to the next, 1 or more; default `n`.
    #[serde(default)]
    pub step: Option<u32>,
}

/// Type of a feedback stream: the name of a standard record layout, or the shape of its frames.
#[derive(Clone, Debug, PartialEq)]
pub enum FeedbackType {
    /// `spike`, `event`, `command` or `mark`.
    Records(String),
    /// Frames `time x channel`.
    Frames(FeedbackFrames),
}

/// Shape of a feedback stream of frames.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedbackFrames {
    /// Number format: `i8` to `i64`, `u8` to `u64`, `f32`, `f64`, `bits`.
    #[schemars(schema_with = "dtype_schema")]
    pub dtype: Dtype,
    /// Frames in a block.
    pub frames: u32,
    /// Channels.
    pub channels: u32,
    /// Frames per second.
    pub rate_hz: f64,
    /// Unit of the stored numbers; default none.
    #[serde(default)]
    pub unit: String,
}

fn dtype_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Dtype::ALL.map(Dtype::name) })
}

struct InputVisitor;

impl<'de> Visitor<'de> for InputVisitor {
    type Value = InputKeys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a stream in quotes, or a table { from = \"stream\", ... }")
    }

    fn visit_str<E: Error>(self, stream: &str) -> Result<InputKeys, E> {
        Ok(InputKeys(InputTable {
            from: stream.to_owned(),
            ..InputTable::default()
        }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<InputKeys, A::Error> {
        InputTable::deserialize(MapAccessDeserializer::new(map)).map(InputKeys)
    }
}

impl<'de> Deserialize<'de> for InputKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InputVisitor)
    }
}

impl JsonSchema for InputKeys {
    fn schema_name() -> Cow<'static, str> {
        "Input".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<InputTable>();
        json_schema!({
            "description": "Stream that is read, alone or with how it is read.",
            "anyOf": [{ "type": "string" }, table]
        })
    }
}

struct FeedbackVisitor;

impl<'de> Visitor<'de> for FeedbackVisitor {
    type Value = FeedbackType;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "\"spike\", \"event\", \"command\", \"mark\", or { dtype, frames, channels, rate_hz }",
        )
    }

    fn visit_str<E: Error>(self, layout: &str) -> Result<FeedbackType, E> {
        if !["spike", "event", "command", "mark"].contains(&layout) {
            return Err(E::custom(format!(
                "`{layout}` is not a standard record layout; possible: `spike`, `event`, `command`, `mark`"
            )));
        }
        Ok(FeedbackType::Records(layout.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FeedbackType, A::Error> {
        FeedbackFrames::deserialize(MapAccessDeserializer::new(map)).map(FeedbackType::Frames)
    }
}

impl<'de> Deserialize<'de> for FeedbackType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FeedbackVisitor)
    }
}

impl JsonSchema for FeedbackType {
    fn schema_name() -> Cow<'static, str> {
        "FeedbackType".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let frames = generator.subschema_for::<FeedbackFrames>();
        json_schema!({
            "description": "Type of a feedback stream.",
            "anyOf": [{ "type": "string", "enum": ["spike", "event", "command", "mark"] }, frames]
        })
    }
}
