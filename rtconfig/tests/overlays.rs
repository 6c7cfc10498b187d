//! Graphs that extend others and have files laid over them: who wins, what is told, and where it was written.

mod kinds;

use ephapse_rtconfig::explain::values;
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::{Plan, SeatKind};
use ephapse_rtconfig::problem::Problem;
use ephapse_rtconfig::resolve::resolve;
use kinds::{LOOP, planned, read};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder of files, which are graphs or parts of some.
struct Files(TempDir);

impl Files {
    fn of(files: &[(&str, &str)]) -> Self {
        let folder = Files(TempDir::new().unwrap());
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, graph: &str, with: &[&str]) -> Result<Graph, Problem> {
        let with: Vec<PathBuf> = with.iter().map(|name| self.path(name)).collect();
        Graph::with_overlays(self.path(graph), &with)
    }

    fn graph(&self, graph: &str, with: &[&str]) -> Graph {
        self.load(graph, with)
            .unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// The one line about what is wrong, with names as they are in the folder.
    fn refusal(&self, graph: &str, with: &[&str]) -> String {
        match self.load(graph, with) {
            Ok(_) => panic!("was accepted"),
            Err(problem) => self.short(&problem.to_string()),
        }
    }

    fn short(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn low_hz(graph: &Graph) -> f64 {
    graph.keys().stage["band"].params["low_hz"]
        .as_f64()
        .unwrap()
}

/// Everything but the file it was read from.
fn as_json(plan: &Plan) -> serde_json::Value {
    let mut plan = plan.clone();
    plan.graph_path = None;
    let comment = plan.resolved_toml.starts_with('#');
    let lines = plan.resolved_toml.lines().skip(usize::from(comment));
    plan.resolved_toml = lines.collect::<Vec<_>>().join("\n");
    serde_json::to_value(plan).unwrap()
}

fn expect_same(one: &Plan, two: &Plan) {
    assert!(
        as_json(one) == as_json(two),
        "{}\n{}",
        one.resolved_toml,
        two.resolved_toml
    );
}

#[test]
fn the_later_of_bases_file_overlays_and_set_wins() {
    let band = |hz: u32| format!("[stage.band.params]\nlow_hz = {hz}.0\n");
    let files = Files::of(&[
        ("loop.toml", LOOP),
        ("second.toml", &band(2)),
        (
            "own.toml",
            "extends = [\"loop.toml\", \"second.toml\"]\n[stage.band.params]\nlow_hz = 3.0\n",
        ),
        (
            "extends-only.toml",
            "extends = [\"loop.toml\", \"second.toml\"]\n",
        ),
        (
            "turned.toml",
            "extends = [\"second.toml\", \"loop.toml\"]\n",
        ),
        ("fourth.toml", &band(4)),
        ("fifth.toml", &band(5)),
    ]);
    let low = |graph, with: &[&str]| low_hz(&files.graph(graph, with));
    assert_eq!(low("loop.toml", &[]), 300.0);
    assert_eq!(low("extends-only.toml", &[]), 2.0);
    assert_eq!(low("turned.toml", &[]), 300.0);
    assert_eq!(low("own.toml", &[]), 3.0);
    assert_eq!(low("own.toml", &["fourth.toml"]), 4.0);
    assert_eq!(low("own.toml", &["fourth.toml", "fifth.toml"]), 5.0);
    assert_eq!(low("own.toml", &["fifth.toml", "fourth.toml"]), 4.0);
    let mut graph = files.graph("own.toml", &["fourth.toml"]);
    graph.apply_set("stage.band.params.low_hz=6.0").unwrap();
    assert_eq!(low_hz(&graph), 6.0);
}

#[test]
fn tables_are_joined_key_by_key_and_lists_are_replaced() {
    let files = Files::of(&[
        (
            "loop.toml",
            &LOOP.replace(
                "timer =",
                "record = { streams = [\"raw\", \"filtered\"], spool_s = 2.0 }\ntimer =",
            ),
        ),
        (
            "site.toml",
            "timer = { cpu = 1 }\nrecord = { streams = [\"spikes\"] }\n[stage.policy.params]\ntable_hz = [[9.0, 9.0]]\n[stage.extra]\nuse = \"stimulate.log\"\nin = { commands = \"commands\" }\n",
        ),
    ]);
    let (before, after) = (
        files.graph("loop.toml", &[]),
        files.graph("loop.toml", &["site.toml"]),
    );
    let timer = after.keys().timer.as_ref().unwrap();
    assert_eq!((timer.cpu, timer.period_ns), (1, 1_000_000));
    let record = &after.keys().record.0;
    assert_eq!(record.streams.as_deref(), Some(&["spikes".to_owned()][..]));
    assert_eq!(record.spool_s, Some(2.0));
    let table = &after.keys().stage["policy"].params["table_hz"];
    assert_eq!(table, &serde_json::json!([[9.0, 9.0]]));
    let names = |graph: &Graph| graph.keys().stage.keys().cloned().collect::<Vec<_>>();
    let mut expected = names(&before);
    expected.push("extra".to_owned());
    assert_eq!(names(&after), expected);
}

#[test]
fn short_and_long_forms_are_joined_as_if_both_were_long() {
    let files = Files::of(&[
        (
            "short.toml",
            &LOOP.replace("timer =", "record = [\"raw\"]\ntimer ="),
        ),
        (
            "long.toml",
            "record = { path = \"/data\" }\n[stage.detect.in]\nframes = { seat = \"lap\" }\n",
        ),
        (
            "short-again.toml",
            "record = [\"spikes\"]\n[stage.detect.in]\nframes = \"raw\"\n",
        ),
    ]);
    let graph = files.graph("short.toml", &["long.toml"]);
    let input = &graph.keys().stage["detect"].inputs["frames"].0;
    assert_eq!(
        (input.from.as_str(), input.seat),
        ("filtered", Some(SeatKind::Lap))
    );
    let record = &graph.keys().record.0;
    assert_eq!(record.streams.as_deref(), Some(&["raw".to_owned()][..]));
    let graph = files.graph("short.toml", &["long.toml", "short-again.toml"]);
    let input = &graph.keys().stage["detect"].inputs["frames"].0;
    assert_eq!(
        (input.from.as_str(), input.seat),
        ("raw", Some(SeatKind::Lap))
    );
    let record = &graph.keys().record.0;
    assert_eq!(record.streams.as_deref(), Some(&["spikes".to_owned()][..]));
    assert_eq!(record.path.as_deref(), Some("/data"));
}

#[test]
fn no_file_must_be_whole_only_all_together() {
    let (head, stages) = LOOP.split_once("[stage.source]").unwrap();
    let files = Files::of(&[
        ("stages.toml", &format!("[stage.source]{stages}")),
        ("host.toml", head),
        ("loop.toml", "extends = [\"stages.toml\"]\n"),
    ]);
    assert_eq!(
        files.refusal("loop.toml", &[]),
        "loop.toml:1: the key `name` is missing; add `name = ...`"
    );
    let together = planned(&files.graph("loop.toml", &["host.toml"]));
    expect_same(&together, &planned(&read(LOOP)));
}

#[test]
fn the_resolved_graph_is_whole() {
    let files = Files::of(&[
        ("base/loop.toml", LOOP),
        (
            "own.toml",
            "extends = [\"base/loop.toml\"]\n[stage.band.params]\nlow_hz = 250.0\n",
        ),
        ("site.toml", "timer = { period_ns = 2_000_000 }\n"),
    ]);
    let plan = planned(&files.graph("own.toml", &["site.toml"]));
    for expected in ["low_hz = 250.0", "period_ns = 2000000"] {
        assert!(plan.resolved_toml.contains(expected), "{expected}");
    }
    assert!(!plan.resolved_toml.contains("extends"));
    expect_same(&plan, &planned(&read(&plan.resolved_toml)));
}

#[test]
fn a_relative_path_counts_from_the_folder_of_the_file_it_stands_in() {
    let loop_with_log = LOOP.replace(
        "use = \"stimulate.log\"",
        "use = \"stimulate.log\"\nparams = { log_path = \"log.jsonl\" }",
    );
    let files = Files::of(&[
        (
            "base/loop.toml",
            &format!("{loop_with_log}\n[modules]\npath = [\"lab\"]\n"),
        ),
        ("base/lab/graphs/any.toml", ""),
        ("mid/mid.toml", "extends = [\"../base/loop.toml\"]\n"),
        ("own.toml", "extends = [\"mid/mid.toml\"]\n"),
        ("site/site.toml", "record = { path = \"captures\" }\n"),
        ("site/other.toml", "[modules]\npath = [\"nowhere\"]\n"),
    ]);
    let mut graph = files.graph("own.toml", &["site/site.toml"]);
    let same = |found: &Path, expected: &str| {
        let folder = |path: &Path| path.parent().unwrap().canonicalize().unwrap();
        assert_eq!(folder(found), folder(&files.path(expected)));
        assert_eq!(found.file_name(), files.path(expected).file_name());
    };
    let log = |plan: &Plan| {
        let stage = plan.stages.iter().find(|stage| stage.name == "stimulate");
        PathBuf::from(stage.unwrap().params["log_path"].as_str().unwrap())
    };
    let plan = planned(&graph);
    same(&log(&plan), "base/log.jsonl");
    same(
        plan.recorder.as_ref().unwrap().path.as_ref().unwrap(),
        "site/captures",
    );
    let found = ephapse_rtconfig::modules::search::files(Some(&graph), None).unwrap();
    same(&found.graphs[0], "base/lab/graphs/any.toml");

    // From the command line, from where it is typed.
    let here = std::env::current_dir().unwrap();
    for argument in [
        "stage.stimulate.params.log_path=typed.jsonl",
        "record.path=typed",
    ] {
        graph.apply_set(argument).unwrap();
    }
    let plan = planned(&graph);
    assert_eq!(log(&plan), here.join("typed.jsonl"));
    let recorder = plan.recorder.unwrap();
    assert_eq!(recorder.path, Some(here.join("typed")));

    let graph = files.graph("own.toml", &["site/other.toml"]);
    let problems = ephapse_rtconfig::modules::search::files(Some(&graph), None).unwrap_err();
    let line = files.short(&problems[0].to_string());
    assert!(
        line.starts_with("site/other.toml:2: there is no folder site/nowhere"),
        "{line}"
    );
}

#[test]
fn a_problem_names_the_file_and_line_of_the_wrong_value() {
    let files = Files::of(&[
        ("loop.toml", LOOP),
        ("own.toml", "extends = [\"loop.toml\"]\n"),
    ]);
    let site = |text: &str| {
        files.write("site.toml", &format!("# site\n{text}\n"));
        match files.load("own.toml", &["site.toml"]) {
            Err(problem) => files.short(&problem.to_string()),
            Ok(graph) => match resolve(&graph, &kinds::kinds(), &kinds::two_cpus()) {
                Err(problems) => files.short(&problems[0].to_string()),
                Ok(_) => panic!("was accepted: {text}"),
            },
        }
    };
    for (text, expected) in [
        (
            "timr = { cpu = 1 }",
            "unknown key `timr`; did you mean `timer`?",
        ),
        (
            "stage.band.cpo = 1",
            "unknown key `cpo`, in `stage.band`; did you mean `cpu`?",
        ),
        ("stage.band.cpu = -1", "integer `-1` does not fit here"),
        ("stage.band.cpu = 77", "77"),
        (
            "stage.band.use = \"filter.bandpas\"",
            "did you mean `filter.bandpass`?",
        ),
        (
            "stage.band.params.low = 1.0",
            "`filter.bandpass` has no parameter `low`",
        ),
        (
            "stage.band.in.frames = \"rwa\"",
            "no stage makes the stream `rwa`",
        ),
        (
            "stage.band.in.frames.from = \"rwa\"",
            "no stage makes the stream `rwa`",
        ),
        ("stage.band.in.frame = \"raw\"", "did you mean `frames`?"),
        ("stream.rwa.slots = 64", "did you mean `raw`?"),
        ("stream.raw.slots = 63", "63"),
        ("record = [\"rwa\"]", "did you mean `raw`?"),
        ("defaults.cpu = 77", "77"),
        ("cpu = = 3", "this is not TOML"),
    ] {
        let line = site(text);
        assert!(
            line.starts_with("site.toml:2: ") && line.contains(expected),
            "{text}: {line}"
        );
    }
    // And where an overlay is sound, the base's own fault stands in the base.
    files.write("loop.toml", &LOOP.replace("cpu = 1", "cpu = 77"));
    let line = site("record = []");
    assert!(
        line.starts_with("loop.toml:") && line.contains("77"),
        "{line}"
    );
}

#[test]
fn a_mistyped_stage_is_not_taken_for_a_new_one() {
    let files = Files::of(&[
        ("loop.toml", LOOP),
        ("site.toml", "[stage.detct.params]\nk = 4.0\n"),
    ]);
    assert_eq!(
        files.refusal("loop.toml", &["site.toml"]),
        "site.toml:1: there is no stage `detct` to change, and no `use` to begin one, in `stage.detct`; did you mean `detect`?"
    );
}

#[test]
fn a_table_and_a_value_do_not_replace_each_other() {
    let files = Files::of(&[
        (
            "loop.toml",
            "name = \"g\"\ntimer = { period_ns = 1_000_000, cpu = 0 }\n",
        ),
        ("value.toml", "\ntimer = 5\n"),
        ("table.toml", "\nname = { first = \"g\" }\n"),
    ]);
    assert_eq!(
        files.refusal("loop.toml", &["value.toml"]),
        "value.toml:2: a value where loop.toml:2 has a table, in `timer`; write a table, as there"
    );
    assert_eq!(
        files.refusal("loop.toml", &["table.toml"]),
        "table.toml:2: a table where loop.toml:1 has a value, in `name`; write a value, as there"
    );
}

#[test]
fn a_key_that_may_be_a_word_or_a_table_is_replaced_by_either() {
    let scale = |form: &str| format!("[stage.detect.in]\nframes = {{ scale = {form} }}\n");
    let files = Files::of(&[
        ("loop.toml", LOOP),
        ("word.toml", &scale("true")),
        ("table.toml", &scale("{ unit = \"uV\" }")),
    ]);
    for (with, unit) in [
        (["word.toml", "table.toml"], Some("uV")),
        (["table.toml", "word.toml"], None),
    ] {
        let graph = files.graph("loop.toml", &with);
        let input = &graph.keys().stage["detect"].inputs["frames"].0;
        let scale = input.scale.as_ref().unwrap();
        assert_eq!(scale.unit.as_deref(), unit);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_where_it_is_asked_for_with_the_nearest_name() {
    let files = Files::of(&[
        ("base.toml", LOOP),
        ("parts/part.toml", ""),
        (
            "missing.toml",
            "\nextends = [\n  \"base.toml\",\n  \"parts/prat.toml\",\n]\n",
        ),
        ("far.toml", "extends = [\"elsewhere/quite.toml\"]\n"),
        ("folder.toml", "extends = [\"parts\"]\n"),
        ("latin.toml", "extends = [\"latin-1.toml\"]\n"),
        ("word.toml", "extends = \"base.toml\"\n"),
        ("twice.toml", "extends = [\"base.toml\", \"base.toml\"]\n"),
    ]);
    fs::write(files.path("latin-1.toml"), b"name = \"caf\xe9\"\n").unwrap();
    for (graph, expected) in [
        (
            "missing.toml",
            "missing.toml:4: parts/prat.toml cannot be read: No such file or directory (os error 2), in `extends`; did you mean `part.toml`?",
        ),
        (
            "far.toml",
            "far.toml:1: elsewhere/quite.toml cannot be read: No such file or directory (os error 2), in `extends`; a relative name counts from the folder of this file",
        ),
        (
            "folder.toml",
            "folder.toml:1: parts cannot be read: Is a directory (os error 21), in `extends`; name a TOML file",
        ),
        (
            "latin.toml",
            "latin.toml:1: latin-1.toml cannot be read: stream did not contain valid UTF-8, in `extends`; name a TOML file",
        ),
        (
            "word.toml",
            "word.toml:1: string \"base.toml\" does not fit here, in `extends`; write a list [ ... ]",
        ),
        (
            "twice.toml",
            "twice.toml:1: `base.toml` is named twice, in `extends`; name every file once",
        ),
        (
            "bse.toml",
            "bse.toml:1: the graph cannot be read: No such file or directory (os error 2); did you mean `base.toml`?",
        ),
    ] {
        assert_eq!(files.refusal(graph, &[]), expected);
    }
    assert_eq!(
        files.refusal("base.toml", &["parts/prt.toml"]),
        "parts/prt.toml:1: the overlay cannot be read: No such file or directory (os error 2); did you mean `part.toml`?"
    );
}

#[test]
fn files_that_extend_each_other_are_refused_with_the_whole_ring() {
    let files = Files::of(&[
        ("a.toml", "extends = [\"sub/b.toml\"]\n"),
        ("sub/b.toml", "\nextends = [\"../a.toml\"]\n"),
        ("self.toml", "extends = [\"./self.toml\"]\n"),
    ]);
    assert_eq!(
        files.refusal("a.toml", &[]),
        "sub/b.toml:2: these files extend each other: a.toml -> sub/b.toml -> sub/../a.toml, in `extends`; take one of them out"
    );
    assert!(
        files
            .refusal("self.toml", &[])
            .starts_with("self.toml:1: these files extend each other: self.toml -> ")
    );
}

#[test]
fn a_chain_of_sixteen_is_read_and_one_more_is_refused() {
    let files = Files::of(&[("0.toml", LOOP)]);
    for step in 1..=17 {
        let text = format!("extends = [\"{}.toml\"]\n", step - 1);
        files.write(&format!("{step}.toml"), &text);
    }
    assert_eq!(files.graph("16.toml", &[]).keys().name, "loop");
    assert_eq!(
        files.refusal("17.toml", &[]),
        "1.toml:1: more than 16 files extend each other in a chain, in `extends`; name the last ones in the `extends` of the first"
    );
}

#[test]
fn one_base_may_be_reached_on_two_ways() {
    let files = Files::of(&[
        ("loop.toml", LOOP),
        ("left.toml", "extends = [\"loop.toml\"]\n"),
        (
            "right.toml",
            "extends = [\"loop.toml\"]\n[stage.band.params]\nlow_hz = 2.0\n",
        ),
        ("both.toml", "extends = [\"left.toml\", \"right.toml\"]\n"),
    ]);
    assert_eq!(low_hz(&files.graph("both.toml", &[])), 2.0);
}

#[test]
fn set_names_no_files() {
    let mut graph = read(LOOP);
    let problem = graph.apply_set("extends=[\"base.toml\"]").unwrap_err();
    assert!(problem.to_string().contains("`--with FILE`"), "{problem}");
}

#[test]
fn explain_names_file_and_line_of_every_value() {
    let files = Files::of(&[
        ("loop.toml", LOOP),
        (
            "own.toml",
            "extends = [\"loop.toml\"]\n\n[stage.policy.params]\ntable_hz = [[9.0, 9.0]]\n",
        ),
        ("site.toml", "timer.cpu = 1\n"),
    ]);
    let mut graph = files.graph("own.toml", &["site.toml"]);
    graph.apply_set("stage.source.pace=clock").unwrap();
    let text = files.short(&values(&graph));
    let found: Vec<String> = text
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for expected in [
        "own.toml:4 stage.policy.params.table_hz = [[9.0, 9.0]]",
        "site.toml:1 timer.cpu = 1",
        "--set stage.source.pace = \"clock\"",
    ] {
        assert!(
            found.iter().any(|line| line == expected),
            "{expected} in\n{text}"
        );
    }
    // All that is left is the base's, and stands there in the line that is named.
    let lines: Vec<&str> = LOOP.lines().collect();
    let mut of_base = 0;
    for (place, value) in found.iter().filter_map(|line| line.split_once(' ')) {
        let Some(line) = place.strip_prefix("loop.toml:") else {
            continue;
        };
        let key = value
            .split(" = ")
            .next()
            .unwrap()
            .rsplit('.')
            .next()
            .unwrap();
        let written = lines[line.parse::<usize>().unwrap() - 1];
        assert!(written.contains(key), "{place} {value}: {written}");
        of_base += 1;
    }
    assert_eq!(of_base + 3, found.len());
    let keys: std::collections::BTreeSet<&str> = found
        .iter()
        .filter_map(|line| line.split_once(' ')?.1.split(" = ").next())
        .collect();
    assert_eq!(keys.len(), found.len(), "a value is told twice");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn files_that_extend_each_other_in_any_way_are_read_or_refused_in_one_line(
        edges in prop::collection::vec(prop::collection::vec(0_usize..6, 0..3), 6),
    ) {
        let files = Files::of(&[]);
        for (file, bases) in edges.iter().enumerate() {
            let bases: Vec<String> = bases.iter().map(|base| format!("{base}.toml")).collect();
            files.write(&format!("{file}.toml"), &format!("extends = {bases:?}\nname = \"n{file}\"\n"));
        }
        match files.load("0.toml", &[]) {
            Ok(graph) => prop_assert_eq!(&graph.keys().name, "n0"),
            Err(problem) => prop_assert!(!problem.to_string().contains('\n')),
        }
    }
}
