//! Every value of a graph, and where it comes from.

use super::cut;
use crate::graph::{Graph, Node, Value};
use crate::problem::{Place, one_line};

/// Columns of a key and its value. The place before them is never cut.
const COLUMNS: usize = 60;

/// Lists every value that is written down, with the file and line (or the command line) that had the last word on it, as
/// `FILE:LINE  KEY = VALUE`. A list stands in one place, that of the file which replaced it last.
pub fn values(graph: &Graph) -> String {
    let mut all = Vec::new();
    collect(graph.tree(), &mut Vec::new(), &mut all);
    let widest = all.iter().map(|(place, _)| place.chars().count()).max();
    let width = widest.unwrap_or(0);
    let mut text = "values, and where each was written\n".to_owned();
    for (place, value) in all {
        text.push_str(&format!("  {place:<width$}  {}\n", cut(&value, COLUMNS)));
    }
    text
}

fn collect<'a>(node: &'a Node, path: &mut Vec<&'a str>, all: &mut Vec<(String, String)>) {
    match &node.value {
        Value::Table(entries) if !entries.is_empty() => {
            for (key, inner) in entries {
                path.push(key);
                collect(inner, path, all);
                path.pop();
            }
        }
        value => {
            let place = match &node.place {
                Place::Set(_) => "--set".to_owned(),
                place => place.to_string(),
            };
            let written = format!("{} = {value}", path.join("."));
            all.push((one_line(&place), one_line(&written)));
        }
    }
}
