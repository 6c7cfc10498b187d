//! The `record` key: which streams are kept in a capture, and how.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What is recorded. Written as a list of streams, or as a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordKeys(pub RecordTable);

/// What is recorded, in full.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordTable {
    /// Streams that are recorded: `["all"]` (the default; rings between a stage and its helper are not among them), names, or
    /// none (`[]`: nothing is recorded).
    #[serde(default)]
    pub streams: Option<Vec<String>>,
    /// Seconds of data that wait in shared memory for the disk, 0.1 to 600; default 5, or
    /// as many as fit into 512 MiB and half of the shared memory that is free. What a slower disk cannot take is lost
    /// as a gap, and the loop never waits for it.
    #[serde(default)]
    pub spool_s: Option<f64>,
    /// From one flush to the disk to the next, in seconds, 0.05 to 3600; default 1: what a power cut may cost.
    #[serde(default)]
    pub sync_s: Option<f64>,
    /// Begin a new file when this one would become longer, in bytes, 1048576 (1 MiB) or more; default never.
    #[serde(default)]
    pub roll_bytes: Option<u64>,
    /// Begin a new file when this one has been written to for so many seconds, 1 or more; default never.
    #[serde(default)]
    pub roll_s: Option<f64>,
    /// Folder of the capture; a relative one counts from the folder of the file it stands in. Default: where the run's report goes.
    #[serde(default)]
    pub path: Option<String>,
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = RecordKeys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of streams ([\"all\"], [\"raw\", \"spikes\"], [] for none), or a table { streams = [...], ... }")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<RecordKeys, A::Error> {
        Ok(RecordKeys(RecordTable {
            streams: Some(Vec::deserialize(SeqAccessDeserializer::new(list))?),
            ..RecordTable::default()
        }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RecordKeys, A::Error> {
        RecordTable::deserialize(MapAccessDeserializer::new(map)).map(RecordKeys)
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
        let table = generator.subschema_for::<RecordTable>();
        json_schema!({
            "description": "Streams that are recorded, alone or with how it is done.",
            "anyOf": [{ "type": "array", "items": { "type": "string" } }, table]
        })
    }
}
