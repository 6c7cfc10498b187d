//! Parameters of a stage: keys checked against the kind's schema, defaults filled in, relative paths settled.

use super::wiring::Wired;
use crate::graph::{Graph, Node, Value as Written};
use crate::problem::{Place, Problem, suggest};
use serde_json::{Map, Value};
use std::path::Path;

/// The parameters as the stage gets them.
pub fn settle(graph: &Graph, stage: &Wired<'_>, problems: &mut Vec<Problem>) -> Value {
    let schema = &stage.kind.params_schema;
    let path = ["stage", stage.name, "params"];
    let written = graph.node(&path);
    if let Some(node) = written {
        check_keys(
            graph,
            node,
            schema,
            schema,
            &path,
            &stage.kind.kind,
            problems,
        );
    }
    let mut params: Map<String, Value> = stage.keys.params.clone();
    for name in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !params.contains_key(name) {
            problems.push(graph.problem(
                &path,
                format!("`{}` needs the parameter `{name}`", stage.kind.kind),
                format!("add `{name} = ...`"),
            ));
        }
    }
    for (name, value) in &mut params {
        if (name == "path" || name.ends_with("_path"))
            && let Value::String(text) = value
            && let Some(node) = written.and_then(|node| node.get(name))
        {
            *text = settle_path(text, graph.folder(), &node.place);
        }
    }
    for (name, property) in properties(schema).into_iter().flatten() {
        let default = property.get("default").filter(|value| !value.is_null());
        if let Some(default) = default
            && !params.contains_key(name)
        {
            params.insert(name.clone(), default.clone());
        }
    }
    Value::Object(params)
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// A relative path counts from the folder of the file it is written in; one typed on the command line, from where it was
/// typed. Where only the other of the two holds the file, that one is meant.
fn settle_path(text: &str, folder: &Path, place: &Place) -> String {
    if text.is_empty() || Path::new(text).is_absolute() {
        return text.to_owned();
    }
    let first = place.settle(text);
    let second = match place {
        Place::Line(..) => std::path::absolute(text).unwrap_or_else(|_| Path::new(text).to_owned()),
        Place::Set(_) | Place::Variable(_) => folder.join(text),
    };
    let chosen = if !first.exists() && second.exists() {
        second
    } else {
        first
    };
    chosen.to_string_lossy().into_owned()
}

fn check_keys(
    graph: &Graph,
    node: &Node,
    schema: &Value,
    root: &Value,
    path: &[&str],
    kind: &str,
    problems: &mut Vec<Problem>,
) {
    let Written::Table(entries) = &node.value else {
        return;
    };
    let known = properties(schema);
    for (key, inner) in entries {
        let at = [path, &[key.as_str()]].concat();
        match known.and_then(|known| known.get(key)) {
            Some(property) => {
                let property = follow(property, root);
                // A parameter that is itself a table of named keys; maps and unions are for the stage to judge.
                if properties(property).is_some() {
                    check_keys(graph, inner, property, root, &at, kind, problems);
                }
            }
            None => {
                let names: Vec<&str> = known
                    .into_iter()
                    .flatten()
                    .map(|(k, _)| k.as_str())
                    .collect();
                let remedy = if names.is_empty() {
                    "remove the key; there are no parameters".to_owned()
                } else {
                    suggest(key, &names)
                };
                let what = format!("`{kind}` has no parameter `{key}`");
                problems.push(graph.problem(&at, what, remedy));
            }
        }
    }
}

/// The schema behind a `$ref` into the same document.
fn follow<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|pointer| root.pointer(pointer.strip_prefix('#')?))
        .unwrap_or(schema)
}
