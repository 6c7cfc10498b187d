//! Stages with a manifest: what a graph may say about them, and what is refused.

mod kinds;
mod module_folder;

use ephapse_rtconfig::describe::{Catalogue, Program};
use ephapse_rtconfig::explain;
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::modules::{Manifest, Modules, WithModules};
use ephapse_rtconfig::plan::StagePlan;
use ephapse_rtconfig::resolve::{ResolveOptions, resolve};
use ephapse_rtconfig::schema::graph_schema;
use ephapse_rtconfig::stream_type::{Dtype, Kind, StreamType};
use module_folder::{AVERAGE, GRAPH, Module, catalogue};
use proptest::prelude::*;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

fn broken() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken_stages");
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{error}"));
    let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    files
}

#[test]
fn every_broken_manifest_is_refused_in_one_line_that_names_the_cause_and_its_line() {
    let files = broken();
    assert!(files.len() >= 15);
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}"));
        let expected = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# expect: "))
            .unwrap_or_else(|| panic!("{}: no `# expect:` line", file.display()));
        let first = match Manifest::from_path(&file) {
            Err(problems) => problems[0].to_string(),
            Ok(_) => "(accepted)".to_owned(),
        };
        let located = first
            .strip_prefix(&format!("{}:", file.display()))
            .and_then(|rest| rest.split(':').next()?.parse::<u32>().ok())
            .is_some_and(|line| line >= 1);
        if !first.contains(expected) || !located || first.contains('\n') {
            wrong.push(format!(
                "{}\n  wanted: {expected}\n  got:    {first}",
                file.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn average(module: &Module, graph: &str) -> StagePlan {
    let plan = module.planned(graph);
    let found = plan
        .stages
        .into_iter()
        .find(|stage| stage.name == "average");
    found.unwrap_or_else(|| panic!("no stage `average`"))
}

#[test]
fn a_stage_with_a_manifest_is_planned_as_the_manifest_says() {
    let module = Module::with(AVERAGE);
    let stage = average(&module, GRAPH);
    let folder = module.path().canonicalize().unwrap_or_default();
    assert_eq!(
        stage.program,
        Program::External {
            command: vec!["true".to_owned()],
            folder: folder.join("stages/average"),
        }
    );
    // A stage always gets every parameter.
    let params = serde_json::json!({ "cutoff_hz": 10.0, "mode": "slow" });
    assert_eq!(stage.params, params);
    assert_eq!(stage.budget_ns, Some(300_000));
    let said = &stage.described;
    assert_eq!(
        (
            said.state_bytes,
            said.append_bytes,
            said.settle_frames,
            said.parts_per_call
        ),
        (16, 8, 3, 2)
    );
    assert!((said.group_delay_frames - 1.5).abs() < 1e-12);
    let (port, made) = &said.outputs[0];
    assert_eq!(port, "mean");
    assert_eq!(made.summary(), "20 x 1 f64, 20000 Hz, count");
}

#[test]
fn a_budget_of_the_graph_comes_before_that_of_the_manifest() {
    let module = Module::with(AVERAGE);
    let own = GRAPH.replace(
        "use = \"mylab.average\"",
        "use = \"mylab.average\"\nbudget_ns = 7",
    );
    assert_eq!(average(&module, &own).budget_ns, Some(7));
    let all = GRAPH.replace("[defaults]\n", "[defaults]\nbudget_ns = 9\n");
    assert_eq!(average(&module, &all).budget_ns, Some(9));
}

#[test]
fn what_a_graph_says_wrongly_of_a_stage_is_refused_with_what_would_be_right() {
    let module = Module::with(AVERAGE);
    let with_params = |params: &str| {
        GRAPH.replace(
            "use = \"mylab.average\"",
            &format!("use = \"mylab.average\"\nparams = {{ {params} }}"),
        )
    };
    let cases = [
        // Another unit than the parameter's, a mistyped name.
        (
            with_params("cutoff_khz = 0.1"),
            "no parameter `cutoff_khz`, in `stage.average.params.cutoff_khz`; did you mean `cutoff_hz`?",
        ),
        (with_params("cutof_hz = 100"), "did you mean `cutoff_hz`?"),
        (
            with_params("cutoff_hz = 5000"),
            "5000 does not fit; write a number from 1 to 1000, in Hz, in `stage.average.params.cutoff_hz`",
        ),
        (
            with_params("cutoff_hz = \"fast\""),
            "\"fast\" does not fit; write a number",
        ),
        (
            with_params("mode = \"quick\""),
            "\"quick\" does not fit; write \"slow\" or \"fast\"",
        ),
        (
            GRAPH.replace("mylab.average", "mylab.avrage"),
            "no kind of stage `mylab.avrage`, in `stage.average.use`; did you mean `mylab.average`?",
        ),
        (GRAPH.replace("mylab.average", "quality"), "EPHAPSE_PATH"),
        (
            GRAPH.replace("{ frames = { from", "{ frame = { from"),
            "no input port `frame`, in `stage.average.in.frame`; did you mean `frames`?",
        ),
        (
            GRAPH.replace("out = { mean = \"mean\" }", ""),
            "the output port `mean` of `mylab.average` is not connected",
        ),
        (
            GRAPH.replace(", cast = \"f64\"", ""),
            "stream `raw`: 20 x 8 i32, 20000 Hz, count, but the port needs f32 or f64; add cast = \"f64\"",
        ),
    ];
    for (graph, expected) in cases {
        let lines = module.refused(&graph);
        assert!(
            lines.contains(expected),
            "wanted {expected}\ngot    {lines}"
        );
        assert_eq!(lines.lines().count(), 1, "{lines}");
    }
}

#[test]
fn an_input_that_a_port_does_not_let_pass_is_refused_with_what_it_needs() {
    let needs = |keys: &str| {
        let manifest = AVERAGE.replace("axes = [\"time\", \"channel\"]", keys);
        Module::with(&manifest).refused(GRAPH)
    };
    for (keys, expected) in [
        (
            "unit = [\"uV\", \"mV\"]",
            "in `count`, but the port needs the unit uV or mV",
        ),
        ("channels = 60", "needs 60 channels"),
        ("frames = 10", "needs blocks of 10; add window = { n = 10 }"),
        ("rank = 3", "needs 3 axes"),
        (
            "axes = [\"time\", \"row\", \"column\"]",
            "needs time x row x column",
        ),
        ("rate_hz = 25000", "needs 25000 Hz"),
    ] {
        let lines = needs(keys);
        assert!(
            lines.contains(expected),
            "wanted {expected}\ngot    {lines}"
        );
    }
    let records = AVERAGE
        .replace(
            "kind = \"frames\"\ndtype = [\"f32\", \"f64\"]\naxes = [\"time\", \"channel\"]",
            "record = \"spike\"",
        )
        .replace("like = \"frames\"", "dtype = \"f64\"\nframes = 1");
    let lines = Module::with(&records).refused(GRAPH);
    assert!(lines.contains("but the port needs records"), "{lines}");
}

#[test]
fn a_program_that_is_not_there_is_refused_but_not_offline() {
    for (command, expected) in [
        (
            "[\"no-such-program\"]",
            "there is no program `no-such-program` in PATH (/",
        ),
        (
            "[\"./average.sh\"]",
            "/stages/average/average.sh, in `stage.average.use`; install it, or correct `command` in ",
        ),
        (
            "[\"./stage.toml\"]",
            "stage.toml is not executable (chmod +x)",
        ),
    ] {
        let module = Module::with(&AVERAGE.replace("[\"true\"]", command));
        let lines = module.refused(GRAPH);
        assert!(
            lines.contains("`mylab.average` cannot be started: "),
            "{lines}"
        );
        assert!(
            lines.contains(expected),
            "wanted {expected}\ngot    {lines}"
        );
        assert_eq!(lines.lines().count(), 1, "{lines}");
        let graph = module.graph(GRAPH);
        let options = ResolveOptions {
            offline: true,
            ..kinds::two_cpus()
        };
        let all =
            catalogue(&graph).unwrap_or_else(|problems| panic!("{}", kinds::lines(&problems)));
        assert!(resolve(&graph, &all, &options).is_ok());
    }
}

/// What the output `mean` becomes if its manifest says `keys` and it reads 20 x 8 `f64` at 20 kHz.
fn made(keys: &str) -> StreamType {
    let manifest = AVERAGE.replace("like = \"frames\"\nchannels = 1", keys);
    let stage = average(&Module::with(&manifest), GRAPH);
    stage.described.outputs[0].1.clone()
}

#[test]
fn an_output_like_an_input_has_its_type_but_for_what_is_said() {
    let like = made("like = \"frames\"");
    assert_eq!(like.axes[1].labels.len(), 8);
    let faster =
        made("like = \"frames\"\ndtype = \"f32\"\nframes = 10\nrate_hz = 10000\nunit = \"uV\"");
    assert_eq!(faster.summary(), "10 x 8 f32, 10000 Hz, uV");
    assert_eq!(faster.axes[1], like.axes[1]);
    let spectrum = made(
        "like = \"frames\"\naxes = [{ name = \"time\", length = 1 }, { name = \"channel\" }, \
         { name = \"frequency\", length = 3, unit = \"Hz\", labels = [\"0\", \"100\", \"200\"] }]",
    );
    assert_eq!(spectrum.summary(), "1 x 8 x 3 f64, 20000 Hz, count");
    assert_eq!(spectrum.axes[1], like.axes[1]);
    assert_eq!(spectrum.axes[2].unit, "Hz");
    let spikes = made("like = \"frames\"\nrecord = \"spike\"\nframes = 256");
    assert_eq!(spikes.summary(), "spike records, up to 256 a block");
    assert_eq!((spikes.rate, spikes.channels()), (like.rate, 8));
    let unit = spikes.record.map(|record| record.fields[3].unit.clone());
    assert_eq!(unit.as_deref(), Some("count"));
}

#[test]
fn an_output_can_be_anything_a_stream_can_be() {
    let images = made(
        "dtype = \"u16\"\nrate_hz = 30\naxes = [{ name = \"time\", length = 1 }, { name = \"channel\", length = 2 }, \
         { name = \"row\", length = 4 }, { name = \"column\", length = 5 }]",
    );
    assert_eq!(images.summary(), "1 x 2 x 4 x 5 u16, 30 Hz, no unit");
    let lines = made("dtype = \"bits\"\nframes = 20\nchannels = 12\nrate_hz = 20000");
    assert_eq!((lines.dtype, lines.row_bytes()), (Dtype::Bits, 2));
    let commands = made("record = \"command\"\nframes = 4");
    assert_eq!(commands.summary(), "command records, up to 4 a block");
    let own = made(
        "frames = 64\nrecord = { name = \"mylab.pair\", fields = [{ name = \"line\", dtype = \"u8\" }, \
         { name = \"lags\", dtype = \"f64\", count = 2, unit = \"ms\" }] }",
    );
    let layout = own.record.clone().unwrap_or_else(|| panic!("no layout"));
    assert_eq!((layout.bytes, layout.fields[1].offset), (24, 8));
    let bytes = made("kind = \"bytes\"\nframes = 1500");
    assert_eq!((bytes.kind, bytes.block_bytes()), (Kind::Bytes, 1500));
}

#[test]
fn own_records_are_read_by_who_says_the_same() {
    let pair = "record = { name = \"mylab.pair\", fields = [{ name = \"lag\", dtype = \"f64\" }] }";
    let module = Module::with(&AVERAGE.replace(
        "like = \"frames\"\nchannels = 1",
        &format!("frames = 8\n{pair}"),
    ));
    let reader = |record: &str| {
        module.write(
            "stages/reader/stage.toml",
            &format!("name = \"mylab.reader\"\nabout = \"Reads pairs.\"\nrole = \"sink\"\ncommand = [\"true\"]\n\n[in.pairs]\n{record}\n"),
        )
    };
    let graph =
        format!("{GRAPH}\n[stage.reader]\nuse = \"mylab.reader\"\nin = {{ pairs = \"mean\" }}\n");
    reader(pair);
    module.planned(&graph);
    reader(&pair.replace("f64", "f32"));
    let lines = module.refused(&graph);
    assert!(lines.contains("needs `mylab.pair` records"), "{lines}");
}

#[test]
fn a_resolved_graph_finds_its_modules_from_anywhere() {
    let module = Module::with(AVERAGE);
    let plan = module.planned(GRAPH);
    let elsewhere = Module::new();
    let graph = elsewhere.graph(&plan.resolved_toml);
    let all = catalogue(&graph).unwrap_or_else(|problems| panic!("{}", kinds::lines(&problems)));
    let again = resolve(&graph, &all, &kinds::two_cpus())
        .unwrap_or_else(|problems| panic!("{}", kinds::lines(&problems)));
    assert_eq!(again.stages[1].program, plan.stages[1].program);
    assert_eq!(again.stages[1].params, plan.stages[1].params);
}

#[test]
fn explain_shows_what_is_run_and_where() {
    let page = explain::draw(&Module::with(AVERAGE).planned(GRAPH));
    assert!(page.contains("runs `true` in /"), "{page}");
}

#[test]
fn the_schema_of_a_graph_has_the_kinds_of_its_modules() {
    let module = Module::with(AVERAGE);
    let all = catalogue(&module.graph(GRAPH))
        .unwrap_or_else(|problems| panic!("{}", kinds::lines(&problems)));
    let schema = graph_schema(&all);
    let rules = schema["$defs"]["StageKeys"]["allOf"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let rule = rules
        .iter()
        .find(|rule| rule["if"]["properties"]["use"]["const"] == "mylab.average")
        .unwrap_or_else(|| panic!("no rule"));
    let cutoff = &rule["then"]["properties"]["params"]["properties"]["cutoff_hz"];
    assert_eq!(cutoff["type"], "number");
    assert_eq!(
        (&cutoff["minimum"], &cutoff["maximum"]),
        (&serde_json::json!(1.0), &serde_json::json!(1000.0))
    );
    assert_eq!(
        (&cutoff["x-live"], &cutoff["x-unit"]),
        (&serde_json::json!(true), &serde_json::json!("Hz"))
    );
    assert_eq!(
        cutoff["description"],
        "Corner. Is a number from 1 to 1000, in Hz."
    );
}

#[test]
fn two_manifests_of_one_name_are_refused_with_both_files() {
    let module = Module::with(AVERAGE);
    module.write("stages/mean/stage.toml", AVERAGE);
    let lines = module.refused(GRAPH);
    let (first, second) = ("stages/average/stage.toml", "stages/mean/stage.toml:1: ");
    assert!(lines.contains(first) && lines.contains(second), "{lines}");
    assert!(
        lines.contains("`mylab.average` is also the name in "),
        "{lines}"
    );
}

#[test]
fn a_name_of_our_own_is_refused() {
    let lines = Module::with(&AVERAGE.replace("mylab.average", "filter.bandpass")).refused(GRAPH);
    assert!(
        lines.contains("`filter.bandpass` is a kind of Ephapse's own, in `name`"),
        "{lines}"
    );
}

#[test]
fn folders_that_hold_no_modules_are_refused_where_they_are_named() {
    let module = Module::with(AVERAGE);
    for (path, expected) in [
        ("nowhere", "graph.toml:5: there is no folder "),
        (
            "stages",
            "has neither stages nor graphs in it, in `modules.path`; name a folder",
        ),
    ] {
        let lines =
            module.refused(&GRAPH.replace("path = [\".\"]", &format!("path = [\"{path}\"]")));
        assert!(
            lines.contains(expected),
            "wanted {expected}\ngot    {lines}"
        );
    }
    let variable = OsString::from("/no/such/folder");
    let problems = Modules::find(None, Some(&variable))
        .err()
        .unwrap_or_default();
    assert_eq!(
        kinds::lines(&problems),
        "EPHAPSE_PATH: there is no folder /no/such/folder; name a folder that holds `stages/` or `graphs/`"
    );
}

#[test]
fn the_variable_names_modules_too_and_the_same_folder_twice_is_one() {
    let (first, second) = (Module::with(AVERAGE), Module::new());
    second.write(
        "stages/x/stage.toml",
        &AVERAGE.replace("mylab.average", "mylab.other"),
    );
    let variable = format!("{}::{}", first.path().display(), second.path().display());
    let graph = first.graph(GRAPH);
    let modules = Modules::find(Some(&graph), Some(&OsString::from(variable)));
    let modules = modules.unwrap_or_else(|problems| panic!("{}", kinds::lines(&problems)));
    let all = WithModules::new(kinds::kinds(), modules)
        .unwrap_or_else(|problems| panic!("{}", kinds::lines(&problems)));
    let names: Vec<&str> = all.kinds().iter().map(|kind| kind.kind.as_str()).collect();
    assert_eq!(
        names
            .iter()
            .filter(|name| **name == "mylab.average")
            .count(),
        1
    );
    assert!(names.contains(&"mylab.other"));
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn graphs_of_modules_are_found_by_the_name_that_stands_in_them() {
    let module = Module::new();
    module.write("graphs/a.toml", "name = \"loop\"\n");
    module.write("graphs/b.toml", "nmae = \"other\"\n");
    module.write("graphs/notes.txt", "no graph");
    let variable = module.path().as_os_str();
    let modules = Modules::find(None, Some(variable))
        .unwrap_or_else(|problems| panic!("{}", kinds::lines(&problems)));
    let graphs = modules.graphs();
    let names: Vec<(&str, bool)> = graphs
        .iter()
        .map(|graph| (graph.name.as_str(), graph.problem.is_some()))
        .collect();
    assert_eq!(names, [("loop", false), ("b", true)]);
    assert!(graphs[0].file.ends_with("graphs/a.toml"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_of_any_key_of_a_manifest_makes_planning_panic(
        (from, key) in prop::sample::select(vec![
            ("budget_ns = 300_000", "budget_ns"), ("settle_frames = 3", "settle_frames"),
            ("group_delay_frames = 1.5", "group_delay_frames"), ("parts_per_call = 2", "parts_per_call"),
            ("state = { bytes = 16, append_bytes = 8 }", "state.bytes"), ("channels = 1", "channels"),
            ("channels = 1", "frames"), ("channels = 1", "rate_hz"), ("channels = 1", "dtype"),
            ("channels = 1", "unit"), ("channels = 1", "record"), ("channels = 1", "kind"), ("channels = 1", "axes"),
            ("min = 1.0", "min"), ("max = 1000.0", "max"), ("default = 10.0", "default"), ("command = [\"true\"]", "command"),
        ]),
        value in prop_oneof![
            Just("0"), Just("1"), Just("4294967295"), Just("9223372036854775807"), Just("-1"), Just("1e300"), Just("nan"),
            Just("inf"), Just("\"\""), Just("\"f64\""), Just("\"bits\""), Just("\"spike\""), Just("\"bytes\""), Just("[]"),
            Just("[\"\"]"), Just("[{ name = \"time\" }]"), Just("[{ name = \"time\", length = 4294967295 }, { name = \"row\", length = 4294967295 }]"),
            Just("{ name = \"x\", fields = [{ name = \"a\", dtype = \"f64\", count = 4294967295 }] }"), Just("true"),
        ],
    ) {
        let module = Module::with(&AVERAGE.replace(from, &format!("{key} = {value}")));
        match module.resolve(GRAPH) {
            Ok(plan) => prop_assert!(!explain::draw(&plan).is_empty()),
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }
}

#[test]
fn a_graph_without_modules_needs_none() {
    let graph =
        Graph::from_str(kinds::LOOP, "g.toml").unwrap_or_else(|problem| panic!("{problem}"));
    let all = catalogue(&graph).unwrap_or_else(|problems| panic!("{}", kinds::lines(&problems)));
    assert_eq!(all.kinds().len(), kinds::kinds().kinds().len());
}
