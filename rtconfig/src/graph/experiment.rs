//! The `[experiment]` table: what a recording must say of itself.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Longest text of a short field, in characters: what fits in a title line of an exported file.
const SHORT: usize = 200;
/// Longest text of `protocol` and `notes`, in characters.
const LONG: usize = 4000;

/// A text or a number, kept as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextOrNumber(pub String);

/// What is recorded, by whom, from whom, and why. Every key is optional; texts or numbers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// What this is, in one line.
    #[serde(default)]
    pub title: Option<TextOrNumber>,
    /// Who does it.
    #[serde(default)]
    pub experimenter: Option<TextOrNumber>,
    /// Where.
    #[serde(default)]
    pub institution: Option<TextOrNumber>,
    /// Identifier of the subject.
    #[serde(default)]
    pub subject: Option<TextOrNumber>,
    /// Identifier of the culture.
    #[serde(default)]
    pub culture_id: Option<TextOrNumber>,
    /// Species, by its Latin name if the recording is to be published.
    #[serde(default)]
    pub species: Option<TextOrNumber>,
    /// Age of the subject, with its unit (ISO 8601 duration such as `P70D` for exports).
    #[serde(default)]
    pub age: Option<TextOrNumber>,
    /// Days in vitro of the culture, 0 or more.
    #[serde(default)]
    pub div: Option<TextOrNumber>,
    /// Serial number of the electrode array.
    #[serde(default)]
    pub array_serial: Option<TextOrNumber>,
    /// Protocol: name, number or text, at most 4000 characters.
    #[serde(default)]
    pub protocol: Option<TextOrNumber>,
    /// Anything else worth keeping, at most 4000 characters.
    #[serde(default)]
    pub notes: Option<TextOrNumber>,
}

impl Experiment {
    /// The fields that are filled in, by name.
    pub fn fields(&self) -> BTreeMap<String, String> {
        [
            ("title", &self.title),
            ("experimenter", &self.experimenter),
            ("institution", &self.institution),
            ("subject", &self.subject),
            ("culture_id", &self.culture_id),
            ("species", &self.species),
            ("age", &self.age),
            ("div", &self.div),
            ("array_serial", &self.array_serial),
            ("protocol", &self.protocol),
            ("notes", &self.notes),
        ]
        .into_iter()
        .filter_map(|(name, field)| field.as_ref().map(|text| (name.to_owned(), text.0.clone())))
        .collect()
    }

    /// What is wrong with the fields: key, what, and what to do.
    pub fn faults(&self) -> Vec<(String, String, String)> {
        let mut faults = Vec::new();
        for (name, text) in self.fields() {
            let limit = match name.as_str() {
                "protocol" | "notes" => LONG,
                _ => SHORT,
            };
            let length = text.chars().count();
            let mut fault =
                |what: String, remedy: String| faults.push((name.clone(), what, remedy));
            if text.trim().is_empty() {
                fault(
                    "the text is empty".to_owned(),
                    "fill it in or remove the key".to_owned(),
                );
            } else if length > limit {
                fault(
                    format!("the text has {length} characters, at most {limit} are stored"),
                    "shorten it".to_owned(),
                );
            } else if text
                .chars()
                .any(|c| c.is_control() && !(limit == LONG && c == '\n'))
            {
                fault(
                    "the text holds control characters".to_owned(),
                    "write plain text".to_owned(),
                );
            } else if name == "div"
                && !text
                    .parse::<f64>()
                    .is_ok_and(|days| days >= 0.0 && days.is_finite())
            {
                fault(
                    format!("`{text}` is not a number of days"),
                    "write days in vitro as a number of 0 or more".to_owned(),
                );
            }
        }
        faults
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = TextOrNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text in quotes or a number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<TextOrNumber, E> {
        Ok(TextOrNumber(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<TextOrNumber, E> {
        Ok(TextOrNumber(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<TextOrNumber, E> {
        Ok(TextOrNumber(number.to_string()))
    }
}

impl<'de> Deserialize<'de> for TextOrNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

impl JsonSchema for TextOrNumber {
    fn schema_name() -> Cow<'static, str> {
        "TextOrNumber".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Text, or a number.", "type": ["string", "number"] })
    }
}
