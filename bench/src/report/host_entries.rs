//! The host's fingerprint as a flat list: it is made elsewhere, and every report shows all of it.

use serde_json::Value;

/// Each leaf with its dotted key; lists of simple values in one entry.
pub(crate) fn entries(host: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    collect("", host, &mut out);
    out
}

fn collect(key: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let under = |name: &str| match key {
        "" => name.to_owned(),
        key => format!("{key}.{name}"),
    };
    match value {
        Value::Null if key.is_empty() => {}
        Value::Object(map) => {
            for (name, value) in map {
                collect(&under(name), value, out);
            }
        }
        Value::Array(list) if list.iter().any(|v| v.is_object() || v.is_array()) => {
            for (i, value) in list.iter().enumerate() {
                collect(&under(&i.to_string()), value, out);
            }
        }
        Value::Array(list) => {
            let list = list.iter().map(plain).collect::<Vec<_>>();
            out.push((key.to_owned(), list.join(", ")));
        }
        leaf => out.push((key.to_owned(), plain(leaf))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "unknown".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_fingerprints_become_dotted_lines_in_plain_words() {
        let host = json!({"cpu": {"model": "x", "count": 2}, "rt": false, "isolated": [0, 1], "gov": null});
        let shown = entries(&host);
        let want = [
            ("cpu.count", "2"),
            ("cpu.model", "x"),
            ("gov", "unknown"),
            ("isolated", "0, 1"),
            ("rt", "no"),
        ];
        assert_eq!(shown.len(), want.len());
        assert!(
            want.iter()
                .all(|(k, v)| shown.contains(&((*k).to_owned(), (*v).to_owned())))
        );
    }
}
