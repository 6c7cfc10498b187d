//! Graph files as users write them: what is read, and what the one line says when it cannot be.

use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::{Overrun, Pace, SeatKind};
use ephapse_rtconfig::stream_type::Dtype;
use proptest::prelude::*;

const GRAPH: &str = r#"name = "g"
experiment = { title = "t", div = 21 }
timer = { period_ns = 1_000_000, cpu = 0 }

[stage]
a = { use = "x.source", out = { frames = "raw" } }

[stage.b]
use = "x.sink"
overrun = "catch_up(3)"
in = { frames = "raw" }
params = { deep = { er = [1, 2.5] } }
"#;

fn graph() -> Graph {
    Graph::from_str(GRAPH, "g.toml").unwrap_or_else(|problem| panic!("{problem}"))
}

fn refusal(text: &str) -> String {
    match Graph::from_str(text, "g.toml") {
        Ok(_) => panic!("was accepted:\n{text}"),
        Err(problem) => problem.to_string(),
    }
}

#[test]
fn short_and_long_forms_of_an_input_mean_the_same() {
    let long = GRAPH.replace(
        r#"{ frames = "raw" }
params"#,
        r#"{ frames = { from = "raw" } }
params"#,
    );
    assert_ne!(long, GRAPH);
    let long = Graph::from_str(&long, "g.toml").unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(
        long.keys().stage["b"].inputs,
        graph().keys().stage["b"].inputs
    );
}

#[test]
fn stages_keep_the_order_of_the_file() {
    let names: Vec<String> = graph().keys().stage.keys().cloned().collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn overrun_with_a_count_is_read() {
    let overrun = graph().keys().stage["b"].overrun.map(|word| word.0);
    assert_eq!(overrun, Some(Overrun::CatchUp(3)));
}

#[test]
fn an_unknown_key_names_its_line_its_table_and_the_nearest_key() {
    let line = refusal(&GRAPH.replace("overrun =", "overun ="));
    assert_eq!(
        line,
        "g.toml:10: unknown key `overun`, in `stage.b`; did you mean `overrun`?"
    );
}

#[test]
fn unknown_keys_are_refused_at_every_level() {
    for (old, new, key) in [
        ("name =", "nmae = \"g\"\nname =", "`name`"),
        (
            "period_ns = 1_000_000",
            "period_ns = 1_000_000, spin = 3",
            "`spin_ns`",
        ),
        ("title =", "titel =", "`title`"),
        (
            "in = { frames = \"raw\" }",
            "in = { frames = { form = \"raw\" } }",
            "`from`",
        ),
    ] {
        let line = refusal(&GRAPH.replace(old, new));
        assert!(line.contains("unknown key") && line.contains(key), "{line}");
    }
}

#[test]
fn a_value_of_the_wrong_form_names_the_key_and_says_what_to_write() {
    let line = refusal(&GRAPH.replace("cpu = 0", "cpu = -1"));
    assert!(
        line.starts_with("g.toml:3: ") && line.contains("`timer.cpu`"),
        "{line}"
    );
    assert!(line.contains("a whole number from 0"), "{line}");
    let line = refusal(&GRAPH.replace("catch_up(3)", "catch_up(0)"));
    assert!(
        line.starts_with("g.toml:10: ") && line.contains("`catch_up(n)`"),
        "{line}"
    );
}

#[test]
fn a_missing_key_names_the_table_that_lacks_it() {
    let line = refusal(&GRAPH.replace("period_ns = 1_000_000, ", ""));
    assert_eq!(
        line,
        "g.toml:3: the key `period_ns` is missing, in `timer`; add `period_ns = ...`"
    );
}

#[test]
fn machine_is_refused_with_a_sentence() {
    let line = refusal(&format!("machine = \"b\"\n{GRAPH}"));
    assert!(
        line.contains("reserved") && line.contains("one graph per machine"),
        "{line}"
    );
}

#[test]
fn text_that_is_not_toml_names_the_line() {
    assert!(
        refusal(&GRAPH.replace("[stage.b]", "[stage.b")).starts_with("g.toml:8: this is not TOML")
    );
    assert!(refusal("name = \"a\"\nname = \"b\"").starts_with("g.toml:2: "));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let problem = Graph::from_path("no/such.toml")
        .map(|_| ())
        .map_err(|p| p.to_string());
    assert!(
        problem.is_err_and(|line| line.starts_with("no/such.toml:1: the graph cannot be read"))
    );
}

#[test]
fn set_takes_bare_words_numbers_and_toml() {
    let mut graph = graph();
    for argument in [
        "stage.a.pace=none",
        "timer.period_ns = 2_000_000",
        "stream.raw.slots=128",
        "stage.b.params.deep.er=[3]",
        "stage.b.params.path=/tmp/some file.h5",
        "experiment.title=\"a = b\"",
        "defaults.cpu=1",
    ] {
        graph
            .apply_set(argument)
            .unwrap_or_else(|problem| panic!("{problem}"));
    }
    let keys = graph.keys();
    assert_eq!(keys.stage["a"].pace, Some(Pace::None));
    assert_eq!(keys.timer.as_ref().map(|t| t.period_ns), Some(2_000_000));
    assert_eq!(keys.stream["raw"].slots, Some(128));
    assert_eq!(
        keys.stage["b"].params["deep"],
        serde_json::json!({ "er": [3] })
    );
    assert_eq!(keys.stage["b"].params["path"], "/tmp/some file.h5");
    assert_eq!(keys.experiment.fields()["title"], "a = b");
    assert_eq!(keys.defaults.cpu, Some(1));
}

#[test]
fn set_opens_the_short_form_of_an_input() {
    let mut graph = graph();
    for argument in ["stage.b.in.frames.seat=lap", "stage.b.in.frames.cast=f64"] {
        graph
            .apply_set(argument)
            .unwrap_or_else(|problem| panic!("{problem}"));
    }
    let input = &graph.keys().stage["b"].inputs["frames"].0;
    assert_eq!(
        (input.from.as_str(), input.seat, input.cast),
        ("raw", Some(SeatKind::Lap), Some(Dtype::F64))
    );
}

#[test]
fn a_wrong_set_names_the_argument_and_leaves_the_graph_as_it_was() {
    let mut graph = graph();
    for (argument, expected) in [
        (
            "stage.sorce.pace=none",
            "--set stage.sorce.pace=none: there is no stage `sorce`",
        ),
        (
            "stage.a.pce=none",
            "--set stage.a.pce=none: unknown key `pce`, in `stage.a`; did you mean `pace`?",
        ),
        ("timer.period=5", "did you mean `period_ns`?"),
        ("stage.a.pace=fast", "`fast` is not a choice here"),
        ("stage.a.cpu=many", "write a whole number"),
        ("name.x=1", "`name` is not a table"),
        ("stage.a.pace", "there is no `=`"),
        ("=3", "is not a key"),
        ("stage.b.params.deep=[1", "--set stage.b.params.deep=[1: "),
    ] {
        let line = match graph.apply_set(argument) {
            Ok(()) => panic!("{argument} was accepted"),
            Err(problem) => problem.to_string(),
        };
        assert!(line.contains(expected) && line.contains("--set"), "{line}");
    }
    assert_eq!(graph.keys().stage["a"].pace, None);
    assert_eq!(graph.keys().stage.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused_in_one_line(text in "\\PC{0,200}") {
        if let Err(problem) = Graph::from_str(&text, "g.toml") {
            prop_assert!(!problem.to_string().contains('\n'));
        }
    }

    #[test]
    fn a_damaged_graph_is_read_or_refused_in_one_line(at in 0usize..260, with in "[\\PC\n]{0,4}", cut in 0usize..12) {
        let start = (0..=at.min(GRAPH.len())).rev().find(|i| GRAPH.is_char_boundary(*i)).unwrap_or(0);
        let end = (start + cut).min(GRAPH.len());
        let text = format!("{}{with}{}", &GRAPH[..start], &GRAPH[end..]);
        if let Err(problem) = Graph::from_str(&text, "g.toml") {
            prop_assert!(!problem.to_string().contains('\n'));
        }
    }

    #[test]
    fn any_set_is_taken_or_refused(argument in "[a-z.=\\[\\]{}\"0-9 -]{0,40}") {
        let mut graph = graph();
        if let Err(problem) = graph.apply_set(&argument) {
            prop_assert!(problem.to_string().starts_with("--set"));
        }
    }
}
