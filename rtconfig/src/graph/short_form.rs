//! Keys that may be written short: what they are a table of.

use super::tree::{Node, Value};

/// Opens the short form of a key, so that a further key has a table to stand in: `in = { frames = "raw" }` is
/// `{ frames = { from = "raw" } }`, and `record = ["raw"]` is `{ streams = ["raw"] }`. Whatever else stays as it is.
pub fn open(path: &[&str], node: &mut Node) {
    let key = match (path, &node.value) {
        (["stage", _, "in", _], Value::Text(_)) => "from",
        (["record"], Value::Array(_)) => "streams",
        _ => return,
    };
    let short = node.clone();
    node.value = Value::Table(vec![(key.to_owned(), short)]);
}
