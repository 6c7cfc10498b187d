//! One tree laid over another: the later file wins, key by key.

use super::short_form;
use super::tree::{Node, Value};
use crate::problem::{Place, Problem, suggest};

/// Lays `over` over `base`: a table goes into the table that is there, key by key; all else, lists too, replaces what is
/// there and brings its place along. What `base` has stays in order, new keys follow.
///
/// # Errors
/// One of the two has a table where the other has a value, and the key takes only one of them; the problem stands in `over`.
pub fn lay(base: &mut Node, over: Node) -> Result<(), Problem> {
    lay_at(base, over, &[])
}

fn lay_at(base: &mut Node, mut over: Node, path: &[&str]) -> Result<(), Problem> {
    if is_table(base) != is_table(&over) {
        short_form::open(path, base);
        short_form::open(path, &mut over);
    }
    // The stream of an input is refused at the input as a whole: it stands where its stream does.
    let names_streams = ["from", "merge"].iter().any(|key| over.get(key).is_some());
    let moves = matches!(path, ["stage", _, "in", _]) && names_streams;
    match (&mut base.value, over.value) {
        (Value::Table(below), Value::Table(above)) => {
            for (key, node) in above {
                match below.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, known)) => lay_at(known, node, &[path, &[&key]].concat())?,
                    None => below.push((key, node)),
                }
            }
            if moves {
                base.place = over.place;
            }
        }
        (Value::Table(_), _) if !has_either_form(path) => {
            let what = format!("a value where {} has a table", base.place);
            return Err(unlike(path, &over.place, what, "write a table, as there"));
        }
        (_, Value::Table(_)) if !has_either_form(path) => {
            let what = format!("a table where {} has a value", base.place);
            return Err(unlike(path, &over.place, what, "write a value, as there"));
        }
        (below, above) => {
            *below = above;
            base.place = over.place;
        }
    }
    Ok(())
}

/// A key whose value may be a table as well as a word; of a parameter its stage judges that.
fn has_either_form(path: &[&str]) -> bool {
    matches!(
        path,
        ["stage", _, "in", _, "scale" | "type"] | ["stage", _, "params", _, ..]
    )
}

fn is_table(node: &Node) -> bool {
    matches!(node.value, Value::Table(_))
}

fn unlike(path: &[&str], place: &Place, what: String, remedy: &str) -> Problem {
    Problem {
        place: place.clone(),
        key: path.join("."),
        what,
        remedy: remedy.to_owned(),
    }
}

/// Refuses a stage that only changes another file's: under a mistyped name it would be a new one, without a kind.
///
/// # Errors
/// At the stage, with the names of those that other files begin.
pub fn check_stages(root: &Node) -> Result<(), Problem> {
    let Some(Value::Table(stages)) = root.get("stage").map(|stage| &stage.value) else {
        return Ok(());
    };
    let (begun, changed): (Vec<_>, Vec<_>) = stages
        .iter()
        .partition(|(_, stage)| stage.get("use").is_some() || !is_table(stage));
    for (name, stage) in changed {
        let elsewhere = begun
            .iter()
            .filter(|(_, other)| !other.place.is_in_file_of(&stage.place));
        let known: Vec<&str> = elsewhere.map(|(known, _)| known.as_str()).collect();
        if !known.is_empty() {
            return Err(Problem {
                place: stage.place.clone(),
                key: format!("stage.{name}"),
                what: format!("there is no stage `{name}` to change, and no `use` to begin one"),
                remedy: suggest(name, &known),
            });
        }
    }
    Ok(())
}
