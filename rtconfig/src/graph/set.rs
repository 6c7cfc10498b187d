//! `--set key=value`: one key of the graph, replaced from the command line.

use super::short_form;
use super::tree::{self, Node, Value};
use crate::problem::{Place, Problem, suggest};
use toml_edit::Key;

/// Writes the argument `key=value` into the tree. Whether the key exists is judged when the tree is read again; only the
/// names of stages are judged here, because a mistyped one would come out as a new stage.
///
/// # Errors
/// Names the argument.
pub fn apply(root: &mut Node, argument: &str) -> Result<(), Problem> {
    let place = Place::Set(argument.to_owned());
    let refuse = |key: &str, what: String, remedy: &str| Problem {
        place: place.clone(),
        key: key.to_owned(),
        what,
        remedy: remedy.to_owned(),
    };
    let Some((key, value)) = argument.split_once('=') else {
        return Err(refuse(
            "",
            "there is no `=`".to_owned(),
            "write KEY=VALUE, as in `--set stage.source.pace=none`",
        ));
    };
    let key = key.trim();
    let path = Key::parse(key).map_err(|_| {
        refuse(
            "",
            format!("`{key}` is not a key"),
            "write its dotted path, as in `timer.period_ns`",
        )
    })?;
    let path: Vec<&str> = path.iter().map(Key::get).collect();
    let value = tree::parse_value(value, &place)
        .map_err(|words| refuse(key, words, "quote the value for the shell"))?;

    if path.first() == Some(&"extends") {
        let what = "files are put together before anything is set".to_owned();
        return Err(refuse(key, what, "name the file with `--with FILE`"));
    }
    if let ["stage", stage, _, ..] = path.as_slice() {
        let stages = root.get("stage").map(Node::keys).unwrap_or_default();
        if !stages.contains(stage) {
            let remedy = suggest(stage, &stages);
            return Err(refuse(key, format!("there is no stage `{stage}`"), &remedy));
        }
    }
    write(root, &path, value).map_err(|at| {
        refuse(
            key,
            format!("`{at}` is not a table, nothing can be set inside it"),
            "set the key itself",
        )
    })
}

fn write(node: &mut Node, path: &[&str], value: Node) -> Result<(), String> {
    let mut node = node;
    let Some((last, above)) = path.split_last() else {
        return Ok(());
    };
    for (depth, key) in above.iter().enumerate() {
        node = child(node, key, &value.place);
        short_form::open(&path[..=depth], node);
        if !matches!(node.value, Value::Table(_)) {
            return Err(path[..=depth].join("."));
        }
    }
    let place = value.place.clone();
    *child(node, last, &place) = value;
    Ok(())
}

/// The entry of a key in a table, made if it is not there. `node` is a table: every caller has checked.
fn child<'a>(node: &'a mut Node, key: &str, place: &Place) -> &'a mut Node {
    if !matches!(node.value, Value::Table(_)) {
        node.value = Value::Table(Vec::new());
    }
    let Value::Table(entries) = &mut node.value else {
        unreachable!("made a table above")
    };
    let at = match entries.iter().position(|(name, _)| name == key) {
        Some(at) => at,
        None => {
            entries.push((
                key.to_owned(),
                Node {
                    place: place.clone(),
                    value: Value::Table(Vec::new()),
                },
            ));
            entries.len() - 1
        }
    };
    &mut entries[at].1
}
