//! Graphs that cannot run are refused before anything is started.

use crate::place::{Place, entries};
use crate::turns::shared;
use std::path::Path;

#[test]
fn every_broken_graph_is_refused_in_a_line_that_names_the_cause_and_leaves_nothing() {
    let _turn = shared();
    let folder = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../rtconfig/tests/broken"
    ));
    let files = entries(folder);
    assert!(files.len() >= 25);
    let mut wrong = Vec::new();
    for file in files {
        let path = folder.join(&file);
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# expect: "))
            .unwrap_or_else(|| panic!("{file}: no `# expect:` line"));
        let place = Place::new();
        let ended = place.run(&["run", path.to_str().unwrap(), "--report", "report"]);
        let first = ended.stderr.lines().next().unwrap_or_default();
        let sound = ended.code == Some(1)
            && first.starts_with("ephapse: ")
            && first.contains(expected)
            && !ended.stderr.contains("panicked")
            && place.left().is_empty();
        if !sound {
            wrong.push(format!(
                "{file}: wanted {expected:?}, got code {:?}, left {:?}:\n{}",
                ended.code,
                place.left(),
                ended.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_graph_that_is_no_file_is_refused_in_one_line() {
    let _turn = shared();
    let place = Place::new();
    let ended = place.run(&["run", "no-such-graph.toml"]).expect(1);
    assert!(ended.only_line().contains("no-such-graph.toml"));
}
