//! The JSON schema of graph files, for editors (`#:schema` line) and for whoever writes graphs by program.

use crate::describe::{Catalogue, KindInfo};
use crate::graph::GraphKeys;
use serde_json::{Map, Value, json};

/// The schema of a graph that may use the kinds of the catalogue: every key with its description, and per kind its
/// parameters and ports.
pub fn graph_schema(catalogue: &dyn Catalogue) -> Value {
    let mut schema = schemars::schema_for!(GraphKeys).to_value();
    schema["title"] = json!("Ephapse graph");
    let kinds: Vec<&KindInfo> = catalogue
        .kinds()
        .iter()
        .filter(|kind| !kind.helper)
        .collect();
    let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) else {
        return schema;
    };
    let rules: Vec<Value> = kinds
        .iter()
        .map(|kind| rule_of(kind, definitions))
        .collect();
    if let Some(stage) = definitions.get_mut("StageKeys") {
        let names: Vec<Value> = kinds
            .iter()
            .map(|kind| json!({ "const": kind.kind, "description": kind.about }))
            .collect();
        // Alternatives with a description each: editors show what a kind does while its name is typed.
        stage["properties"]["use"]["oneOf"] = Value::Array(names);
        stage["allOf"] = Value::Array(rules);
    }
    schema
}

/// "If `use` is this kind, then these are the parameters and ports". Definitions of the parameters move to the root of
/// the document under names of their own.
fn rule_of(kind: &KindInfo, definitions: &mut Map<String, Value>) -> Value {
    let mut params = kind.params_schema.clone();
    let prefix = format!("{}.", kind.kind);
    if let Some(object) = params.as_object_mut() {
        object.remove("$schema");
        object.remove("title");
        // Only keys of the schema count, as the checks of the parameters do.
        object.insert("additionalProperties".to_owned(), json!(false));
        if let Some(Value::Object(own)) = object.remove("$defs") {
            for (name, mut definition) in own {
                point_into(&mut definition, &prefix);
                definitions.insert(format!("{prefix}{name}"), definition);
            }
        }
    }
    point_into(&mut params, &prefix);
    let mut then = json!({
        "properties": {
            "params": params,
            "in": ports(&kind.inputs),
            "out": ports(&kind.outputs)
        }
    });
    let required = kind.params_schema.get("required").and_then(Value::as_array);
    if required.is_some_and(|names| !names.is_empty()) {
        then["required"] = json!(["params"]);
    }
    json!({ "if": { "properties": { "use": { "const": kind.kind } } }, "then": then })
}

fn ports(names: &[String]) -> Value {
    json!({ "propertyNames": { "enum": names } })
}

fn point_into(schema: &mut Value, prefix: &str) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix("#/$defs/") {
                            *target = format!("#/$defs/{prefix}{name}");
                        }
                    }
                    other => point_into(other, prefix),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                point_into(item, prefix);
            }
        }
        _ => {}
    }
}
