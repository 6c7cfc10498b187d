//! Values of keys that are more than one word of an enum.

use crate::plan::Overrun;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny};
use std::borrow::Cow;

/// [`Overrun`] as it is written in a graph: `skip`, `stop`, `catch_up(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverrunWord(pub Overrun);

impl OverrunWord {
    fn parse(word: &str) -> Option<Self> {
        let overrun = match word {
            "skip" => Overrun::Skip,
            "stop" => Overrun::Stop,
            _ => {
                let ticks = word.strip_prefix("catch_up(")?.strip_suffix(')')?;
                Overrun::CatchUp(ticks.trim().parse().ok().filter(|ticks| *ticks > 0)?)
            }
        };
        Some(OverrunWord(overrun))
    }
}

impl std::fmt::Display for OverrunWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Overrun::Skip => f.write_str("skip"),
            Overrun::CatchUp(ticks) => write!(f, "catch_up({ticks})"),
            Overrun::Stop => f.write_str("stop"),
        }
    }
}

impl<'de> Deserialize<'de> for OverrunWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        OverrunWord::parse(&word).ok_or_else(|| {
            D::Error::custom(format!(
                "`{word}` is not a choice here; possible: `skip`, `stop`, `catch_up(n)` with n of at least 1"
            ))
        })
    }
}

impl JsonSchema for OverrunWord {
    fn schema_name() -> Cow<'static, str> {
        "Overrun".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What to do about skipped ticks.",
            "type": "string",
            "pattern": r"^(skip|stop|catch_up\([1-9][0-9]*\))$"
        })
    }
}

/// A key that is kept for later and refused today.
#[derive(Clone, Debug)]
pub struct Reserved;

impl<'de> Deserialize<'de> for Reserved {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer)?;
        Err(D::Error::custom(
            "the key is reserved for graphs that span several machines, which this version cannot run; remove it, \
             or run one graph per machine",
        ))
    }
}

impl JsonSchema for Reserved {
    fn schema_name() -> Cow<'static, str> {
        "Reserved".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Reserved; refused today.", "not": {} })
    }
}
