//! The schema that editors read.

mod kinds;

use ephapse_rtconfig::schema::graph_schema;
use serde_json::Value;

/// Calls `visit` with the path and schema of every key.
fn every_key(schema: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
    match schema {
        Value::Object(object) => {
            for (name, inner) in object {
                let path = format!("{path}/{name}");
                // `if` and the level right below `then` only narrow keys that are described where they are defined.
                let narrows =
                    path.ends_with("/if/properties") || path.ends_with("/then/properties");
                if name == "properties" && !narrows {
                    for (key, property) in inner.as_object().into_iter().flatten() {
                        visit(&format!("{path}/{key}"), property);
                    }
                }
                every_key(inner, &path, visit);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                every_key(item, &format!("{path}/{index}"), visit);
            }
        }
        _ => {}
    }
}

#[test]
fn every_key_of_a_graph_has_a_description() {
    let schema = graph_schema(&kinds::kinds());
    let (mut keys, mut bare) = (Vec::new(), Vec::new());
    every_key(&schema, "", &mut |path, property| {
        keys.push(path.to_owned());
        let described = property
            .get("description")
            .and_then(Value::as_str)
            .is_some_and(|text| text.len() > 4);
        if !described {
            bare.push(path.to_owned());
        }
    });
    assert!(bare.is_empty(), "no description: {bare:#?}");
    for key in [
        "/properties/name",
        "/TimerKeys/properties/spin_ns",
        "/StageKeys/properties/on_death",
        "/DefaultKeys/properties/on_death",
        "/properties/dead_ms",
    ] {
        assert!(
            keys.iter().any(|path| path.ends_with(key)),
            "{key} was not visited"
        );
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(root: &Value, here: &Value) {
        match here {
            Value::Object(object) => {
                if let Some(target) = object.get("$ref").and_then(Value::as_str) {
                    let found = target
                        .strip_prefix('#')
                        .and_then(|pointer| root.pointer(pointer));
                    assert!(found.is_some(), "{target} leads nowhere");
                }
                object.values().for_each(|inner| check(root, inner));
            }
            Value::Array(items) => items.iter().for_each(|inner| check(root, inner)),
            _ => {}
        }
    }
    let schema = graph_schema(&kinds::kinds());
    check(&schema, &schema);
}

#[test]
fn each_kind_brings_its_parameters_and_ports_and_helpers_are_not_offered() {
    let schema = graph_schema(&kinds::kinds());
    let stage = &schema["$defs"]["StageKeys"];
    let rules = stage["allOf"].as_array().map_or(&[][..], Vec::as_slice);
    let rule = |kind: &str| {
        rules
            .iter()
            .find(|rule| rule["if"]["properties"]["use"]["const"] == kind)
    };
    let bandpass = rule("filter.bandpass").unwrap_or_else(|| panic!("no rule for filter.bandpass"));
    let then = &bandpass["then"]["properties"];
    assert_eq!(then["params"]["additionalProperties"], false);
    assert!(then["params"]["properties"]["low_hz"].is_object());
    assert_eq!(
        then["in"]["propertyNames"]["enum"],
        serde_json::json!(["frames"])
    );
    assert!(rule("stimulate.log.writer").is_none());
    let offered = stage["properties"]["use"]["oneOf"].to_string();
    assert!(offered.contains("stimulate.log\"") && !offered.contains("stimulate.log.writer"));
}

#[test]
fn keys_that_do_not_exist_are_refused_by_the_schema_too() {
    let schema = graph_schema(&kinds::kinds());
    for table in [
        "TimerKeys",
        "StageKeys",
        "DefaultKeys",
        "StreamKeys",
        "InputTable",
        "Experiment",
        "WindowKeys",
    ] {
        assert_eq!(
            schema["$defs"][table]["additionalProperties"], false,
            "{table}"
        );
    }
    assert_eq!(schema["additionalProperties"], false);
}
