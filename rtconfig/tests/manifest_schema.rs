//! The schema of `stage.toml`, and the document that explains it.

use ephapse_rtconfig::modules::{Manifest, manifest_schema};
use serde_json::Value;
use std::path::Path;

/// Every table of the schema with its keys.
fn keys() -> Vec<(String, String, Value)> {
    let schema = manifest_schema();
    let mut tables = vec![("stage.toml".to_owned(), schema.clone())];
    for (name, table) in schema["$defs"].as_object().into_iter().flatten() {
        tables.push((name.clone(), table.clone()));
    }
    let mut keys = Vec::new();
    for (name, table) in tables {
        for (key, property) in table["properties"].as_object().into_iter().flatten() {
            assert_eq!(table["additionalProperties"], false, "{name} takes any key");
            keys.push((name.clone(), key.clone(), property.clone()));
        }
    }
    keys
}

#[test]
fn every_key_of_a_manifest_has_a_description_and_stands_in_the_document() {
    let document = include_str!("../MODULES.md");
    let all = keys();
    assert!(all.len() > 30, "{} keys", all.len());
    for (table, key, property) in all {
        let described = property["description"]
            .as_str()
            .is_some_and(|text| text.len() > 4);
        assert!(described, "{table}.{key} has no description");
        assert!(
            document.contains(&format!("`{key}`")),
            "{table}.{key} is not in MODULES.md"
        );
    }
}

#[test]
fn the_schema_that_lies_in_the_tree_is_this_one() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/stage.json"));
    let stored: Value = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
    assert!(
        stored == manifest_schema(),
        "run `ephapse schema --stage > rtconfig/schema/stage.json`"
    );
}

/// The first block of TOML behind a heading.
fn toml_below(heading: &str) -> String {
    let document = include_str!("../MODULES.md");
    let (_, below) = document.split_once(heading).unwrap_or_default();
    let (_, block) = below.split_once("```toml\n").unwrap_or_default();
    block.split("```").next().unwrap_or_default().to_owned()
}

#[test]
fn the_manifests_of_the_document_are_read() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let file = folder.path().join("stage.toml");
    let whole = toml_below("## The manifest");
    let like = toml_below("### Outputs");
    let own = like.contains("[out.spikes]");
    assert!(whole.contains("mylab.average") && own, "{whole}{like}");
    let record = toml_below("as a C compiler puts them");
    for text in [
        whole.clone(),
        format!("{whole}\n{like}"),
        format!("{whole}\n{record}"),
    ] {
        std::fs::write(&file, &text).unwrap_or_else(|error| panic!("{error}"));
        if let Err(problems) = Manifest::from_path(&file) {
            panic!("{}\n{text}", problems[0]);
        }
    }
}
