//! Values of a manifest's keys that may be written in more than one way.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, IntoDeserializer, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// One word, or a list of words of which any will do.
#[derive(Clone, Debug)]
pub struct AnyOf<T>(pub Vec<T>);

impl<T: PartialEq> AnyOf<T> {
    /// True if `value` will do.
    pub fn has(&self, value: &T) -> bool {
        self.0.contains(value)
    }
}

/// The choices as a sentence has them: `f32 or f64`.
pub fn either(words: &[&str]) -> String {
    words.join(" or ")
}

struct AnyOfVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyOfVisitor<T> {
    type Value = AnyOf<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one word in quotes, or a list of words of which any will do")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<AnyOf<T>, E> {
        T::deserialize(word.into_deserializer()).map(|one| AnyOf(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<AnyOf<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        if all.is_empty() {
            return Err(serde::de::Error::custom(
                "an empty list lets nothing pass; name what will do, or remove the key",
            ));
        }
        Ok(AnyOf(all))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AnyOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyOfVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for AnyOf<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("AnyOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({
            "description": "One, or a list of which any will do.",
            "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }]
        })
    }
}
