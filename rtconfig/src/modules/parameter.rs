//! Parameters of a manifest: what a graph may write, and what stands where it writes nothing.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// One parameter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What it holds: `f64`, `i64`, `bool`, `string`, or a list of them: `[f64]`, `[i64]`, `[bool]`, `[string]`.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// What it does, one sentence.
    #[serde(default)]
    pub about: Option<String>,
    /// Unit of the number, as `Hz`; `1` says that it has none. A graph writes the number alone.
    #[serde(default)]
    pub unit: Option<String>,
    /// Smallest number, of each element of a list.
    #[serde(default)]
    pub min: Option<f64>,
    /// Largest number, of each element of a list.
    #[serde(default)]
    pub max: Option<f64>,
    /// The texts that are allowed, of each element of a list; default any.
    #[serde(default)]
    pub choices: Option<Vec<String>>,
    /// What the stage gets if the graph says nothing. Without a default the graph must name the parameter.
    #[serde(default)]
    pub default: Option<Value>,
    /// May be changed while the session runs; default false.
    #[serde(default)]
    pub live: bool,
}

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ParameterType {
    /// A number.
    #[serde(rename = "f64")]
    F64,
    /// A whole number.
    #[serde(rename = "i64")]
    I64,
    /// `true` or `false`.
    #[serde(rename = "bool")]
    Bool,
    /// A text.
    #[serde(rename = "string")]
    Text,
    /// A list of numbers.
    #[serde(rename = "[f64]")]
    F64List,
    /// A list of whole numbers.
    #[serde(rename = "[i64]")]
    I64List,
    /// A list of truth values.
    #[serde(rename = "[bool]")]
    BoolList,
    /// A list of texts.
    #[serde(rename = "[string]")]
    TextList,
}

impl ParameterType {
    /// The element's type, and whether it is a list of them.
    fn element(self) -> (ParameterType, bool) {
        match self {
            ParameterType::F64List => (ParameterType::F64, true),
            ParameterType::I64List => (ParameterType::I64, true),
            ParameterType::BoolList => (ParameterType::Bool, true),
            ParameterType::TextList => (ParameterType::Text, true),
            scalar => (scalar, false),
        }
    }
}

/// Endings of parameter names that are units, and the unit each one is.
const UNIT_ENDINGS: [(&str, &str); 19] = [
    ("hz", "Hz"),
    ("khz", "kHz"),
    ("s", "s"),
    ("ms", "ms"),
    ("us", "us"),
    ("ns", "ns"),
    ("min", "min"),
    ("v", "V"),
    ("mv", "mV"),
    ("uv", "uV"),
    ("nv", "nV"),
    ("a", "A"),
    ("ma", "mA"),
    ("ua", "uA"),
    ("na", "nA"),
    ("um", "um"),
    ("mm", "mm"),
    ("db", "dB"),
    ("deg", "deg"),
];

impl Parameter {
    /// Key, what is wrong, and what to do, if the keys of the parameter `name` contradict themselves.
    pub fn fault(&self, name: &str) -> Option<(&'static str, String, String)> {
        let (element, _) = self.kind.element();
        let number = matches!(element, ParameterType::F64 | ParameterType::I64);
        let fault = |key, what: &str, remedy: &str| Some((key, what.to_owned(), remedy.to_owned()));
        for (key, given) in [
            ("min", self.min.is_some()),
            ("max", self.max.is_some()),
            ("unit", self.unit.is_some()),
        ] {
            if given && !number {
                return fault(
                    key,
                    "only numbers have a range and a unit",
                    "remove the key",
                );
            }
        }
        if let Some(choices) = &self.choices
            && (element != ParameterType::Text || choices.is_empty())
        {
            return fault(
                "choices",
                "choices are texts, one or more",
                "correct the list",
            );
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min.partial_cmp(&max).is_none_or(std::cmp::Ordering::is_gt)
        {
            let what = format!("no number is from {min} to {max}");
            return fault("max", &what, "choose a `max` of at least `min`");
        }
        if let Some(unit) = &self.unit
            && let Some((_, ending)) = name.rsplit_once('_')
            && let Some((_, told)) = UNIT_ENDINGS.iter().find(|(known, _)| *known == ending)
            && unit.replace('µ', "u") != *told
        {
            let what = format!("the name `{name}` says {told}, the unit says {unit}");
            return fault("unit", &what, "let both say the same");
        }
        let default = self.default.as_ref()?;
        self.value_fault(default).map(|what| {
            let remedy = "correct it, or remove it so that the graph must say".to_owned();
            ("default", what, remedy)
        })
    }

    /// What is wrong with a value, and what would be right.
    pub fn value_fault(&self, value: &Value) -> Option<String> {
        let (element, list) = self.kind.element();
        if !list {
            return self.element_fault(element, value);
        }
        match value {
            Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| {
                let fault = self.element_fault(element, item)?;
                Some(format!("element {at}: {fault}"))
            }),
            other => Some(format!(
                "{other} is not a list; write [...] of {}",
                self.wanted()
            )),
        }
    }

    fn element_fault(&self, element: ParameterType, value: &Value) -> Option<String> {
        let fits = match element {
            ParameterType::F64 => value.is_number(),
            ParameterType::I64 => value.is_i64(),
            ParameterType::Bool => value.is_boolean(),
            _ => value.is_string(),
        };
        let within = value.as_f64().is_none_or(|number| {
            self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
        });
        let chosen = match (&self.choices, value.as_str()) {
            (Some(choices), Some(word)) => choices.iter().any(|choice| choice == word),
            _ => true,
        };
        (!fits || !within || !chosen)
            .then(|| format!("{value} does not fit; write {}", self.wanted()))
    }

    /// What one value must be: `a whole number from 1 to 8, in ms`.
    fn wanted(&self) -> String {
        let (element, _) = self.kind.element();
        if let Some(choices) = &self.choices {
            let quoted: Vec<String> = choices.iter().map(|word| format!("\"{word}\"")).collect();
            return quoted.join(" or ");
        }
        let mut words = match element {
            ParameterType::F64 => "a number",
            ParameterType::I64 => "a whole number",
            ParameterType::Bool => "true or false",
            _ => "text in quotes",
        }
        .to_owned();
        match (self.min, self.max) {
            (Some(min), Some(max)) => words.push_str(&format!(" from {min} to {max}")),
            (Some(min), None) => words.push_str(&format!(" of at least {min}")),
            (None, Some(max)) => words.push_str(&format!(" of at most {max}")),
            (None, None) => {}
        }
        if let Some(unit) = self.unit.as_deref().filter(|unit| *unit != "1") {
            words.push_str(&format!(", in {unit}"));
        }
        words
    }

    /// The parameter in a kind's schema.
    pub fn schema(&self) -> Value {
        let (element, list) = self.kind.element();
        let mut one = match element {
            ParameterType::F64 => json!({ "type": "number", "format": "double" }),
            ParameterType::I64 => json!({ "type": "integer", "format": "int64" }),
            ParameterType::Bool => json!({ "type": "boolean" }),
            _ => json!({ "type": "string" }),
        };
        // A whole number keeps the form in which it was written.
        let bound = |number: f64| match element {
            ParameterType::I64 => json!(number as i64),
            _ => json!(number),
        };
        if let Some(min) = self.min {
            one["minimum"] = bound(min);
        }
        if let Some(max) = self.max {
            one["maximum"] = bound(max);
        }
        if let Some(choices) = &self.choices {
            one["enum"] = json!(choices);
        }
        let mut schema = if list {
            json!({ "type": "array", "items": one })
        } else {
            one
        };
        let wanted = self.wanted();
        let listed = if list { "A list, each " } else { "Is " };
        schema["description"] = json!(match &self.about {
            Some(about) => format!("{about} {listed}{wanted}."),
            None => format!("{listed}{wanted}."),
        });
        if let Some(default) = &self.default {
            schema["default"] = default.clone();
        }
        if let Some(unit) = &self.unit {
            schema["x-unit"] = json!(unit);
        }
        if self.live {
            schema["x-live"] = json!(true);
        }
        schema
    }
}
