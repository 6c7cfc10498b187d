//! What a graph that is right becomes.

mod kinds;

use ephapse_rtconfig::describe::Role;
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::{
    Adapter, Full, Overrun, Pace, Plan, Policy, Read, Reader, SeatKind, StagePlan, StreamPlan,
};
use ephapse_rtconfig::resolve::{ResolveOptions, resolve, warnings};
use ephapse_rtconfig::stream_type::{Dtype, Kind, Rate};
use kinds::{BLANKING, LOOP, kinds, planned, read, refused, two_cpus};
use std::path::Path;

fn stage<'a>(plan: &'a Plan, name: &str) -> &'a StagePlan {
    plan.stages
        .iter()
        .find(|stage| stage.name == name)
        .unwrap_or_else(|| panic!("no stage {name}"))
}

fn stream<'a>(plan: &'a Plan, name: &str) -> &'a StreamPlan {
    plan.streams
        .iter()
        .find(|stream| stream.name == name)
        .unwrap_or_else(|| panic!("no stream {name}"))
}

fn with(changes: &[&str]) -> Plan {
    let mut graph = read(LOOP);
    for change in changes {
        graph
            .apply_set(change)
            .unwrap_or_else(|problem| panic!("{problem}"));
    }
    planned(&graph)
}

/// Every index of a plan points where its names say.
fn assert_consistent(plan: &Plan) {
    for (index, stage) in plan.stages.iter().enumerate() {
        for input in &stage.inputs {
            let seat = &plan.streams[input.stream].seats[input.seat as usize];
            assert_eq!(
                (seat.reader, &seat.port, seat.kind),
                (Reader::Stage(index), &input.port, input.seat_kind)
            );
        }
        for output in &stage.outputs {
            assert_eq!(plan.streams[output.stream].maker, index, "{}", stage.name);
        }
        for input in stage.inputs.iter().filter(|input| !input.feedback) {
            let maker = plan.streams[input.stream].maker;
            assert!(maker < index, "{} reads from later", stage.name);
        }
    }
}

#[test]
fn the_loop_is_planned_in_order_of_the_flow_with_its_helper_behind() {
    let plan = planned(&read(LOOP));
    let names: Vec<&str> = plan
        .stages
        .iter()
        .map(|stage| stage.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "source",
            "band",
            "detect",
            "rate",
            "readout",
            "policy",
            "stimulate",
            "stimulate.log"
        ]
    );
    assert_consistent(&plan);
}

#[test]
fn order_in_the_file_does_not_matter() {
    let (head, stages) = LOOP.split_at(LOOP.find("[stage.source]").unwrap_or_default());
    let mut parts: Vec<&str> = stages.split("\n\n").collect();
    parts.reverse();
    let plan = planned(&read(&format!("{head}{}\n", parts.join("\n\n"))));
    assert_eq!(plan.stages[0].name, "source");
    assert_consistent(&plan);
}

#[test]
fn a_draining_helper_reads_its_stage_through_a_ring_of_their_own() {
    let plan = planned(&read(LOOP));
    let helper = stage(&plan, "stimulate.log");
    assert_eq!(helper.helper_of.as_deref(), Some("stimulate"));
    assert_eq!(
        (helper.policy, helper.priority, helper.cpu, helper.pace),
        (Policy::Other, 0, None, Pace::Data)
    );
    assert_eq!((helper.role, helper.pacing), (Role::Sink, Some(0)));
    let ring = stream(&plan, "stimulate.log");
    assert_eq!((ring.slots, ring.full), (1024, Full::DropNewest));
    assert_eq!(plan.streams[ring.origin].name, "raw");
    assert_eq!(stage(&plan, "stimulate").outputs[0].port, "log");
    assert_eq!(helper.inputs[0].port, "helped");
}

#[test]
fn a_feeding_helper_stands_before_its_source_and_waits_for_room() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(folder.path().join("culture.h5"), "").unwrap_or_else(|error| panic!("{error}"));
    let text = LOOP.replace(
        "use = \"acquire.synthetic\"",
        "use = \"acquire.mcs_h5\"\nparams = { path = \"culture.h5\" }",
    );
    let file = folder.path().join("g.toml");
    std::fs::write(&file, text).unwrap_or_else(|error| panic!("{error}"));
    let graph = ephapse_rtconfig::graph::Graph::from_path(&file).unwrap_or_else(|p| panic!("{p}"));
    let plan = planned(&graph);
    assert_eq!(
        (plan.stages[0].name.as_str(), plan.stages[1].name.as_str()),
        ("source.file", "source")
    );
    assert_eq!(
        (plan.stages[0].pace, plan.stages[0].outputs[0].port.as_str()),
        (Pace::None, "helped")
    );
    assert_eq!(
        (
            stream(&plan, "source.file").full,
            stream(&plan, "source.file").slots
        ),
        (Full::Wait, 128)
    );
    let source = stage(&plan, "source");
    assert_eq!(
        (source.pacing, source.inputs[0].port.as_str()),
        (Some(0), "file")
    );
    // The source's frames are the origin, not those of its helper.
    assert_eq!(plan.streams[stream(&plan, "filtered").origin].name, "raw");
    // The path counts from the graph's folder, and both processes get the same.
    let path = folder.path().join("culture.h5").display().to_string();
    assert_eq!(
        (&plan.stages[0].params["path"], &source.params["path"]),
        (&path.clone().into(), &path.into())
    );
    assert_consistent(&plan);
}

#[test]
fn a_path_typed_on_the_command_line_counts_from_where_it_was_typed() {
    let mut graph = read(&LOOP.replace(
        "use = \"stimulate.log\"",
        "use = \"stimulate.log\"\nparams = { log_path = \"x\" }",
    ));
    graph
        .apply_set("stage.stimulate.params.log_path=out/commands.jsonl")
        .unwrap_or_else(|problem| panic!("{problem}"));
    let here = std::env::current_dir()
        .unwrap_or_default()
        .join("out/commands.jsonl");
    assert_eq!(
        stage(&planned(&graph), "stimulate").params["log_path"],
        here.display().to_string()
    );
}

#[test]
fn defaults_are_merged_and_the_stages_own_key_wins() {
    let plan = with(&[
        "defaults.budget_ns=300000",
        "defaults.overrun=catch_up(2)",
        "defaults.pace=data",
        "stage.detect.overrun=stop",
    ]);
    assert_eq!(
        (stage(&plan, "source").cpu, stage(&plan, "band").cpu),
        (Some(0), Some(1))
    );
    assert_eq!(stage(&plan, "band").budget_ns, Some(300_000));
    assert_eq!(stage(&plan, "band").overrun, Overrun::CatchUp(2));
    assert_eq!(stage(&plan, "detect").overrun, Overrun::Stop);
    // A pace that a source cannot have passes it by.
    assert_eq!(
        (stage(&plan, "band").pace, stage(&plan, "source").pace),
        (Pace::Data, Pace::Clock)
    );
}

#[test]
fn a_ticked_chain_falls_in_priority_and_stays_below_the_timer() {
    let plan = planned(&read(LOOP));
    let chain: Vec<u8> = plan
        .stages
        .iter()
        .filter(|stage| stage.pace == Pace::Tick)
        .map(|stage| stage.priority)
        .collect();
    assert_eq!(chain.len(), 6);
    assert!(chain.windows(2).all(|pair| pair[0] > pair[1]), "{chain:?}");
    let timer = plan.timer.as_ref().map_or(0, |timer| timer.priority);
    assert!(timer == 95 && chain[0] < timer);
}

#[test]
fn a_clock_paced_source_drops_and_stages_wait() {
    let plan = planned(&read(LOOP));
    assert_eq!(stream(&plan, "raw").full, Full::DropNewest);
    assert_eq!(stream(&plan, "filtered").full, Full::Wait);
    assert_eq!(
        (stream(&plan, "raw").slots, stream(&plan, "raw").spare_seats),
        (128, 2)
    );
}

#[test]
fn without_a_pace_there_is_no_timer_no_priority_and_nothing_is_dropped() {
    let plan = with(&[
        "stage.source.pace=none",
        "stage.band.wait=spin",
        "stream.raw.full=drop_newest",
    ]);
    assert!(plan.timer.is_none());
    for stage in &plan.stages {
        assert_eq!((stage.policy, stage.priority), (Policy::Other, 0));
        let paces = if stage.role == Role::Acquire {
            Pace::None
        } else {
            Pace::Data
        };
        assert_eq!(stage.pace, paces, "{}", stage.name);
    }
    assert!(plan.streams.iter().all(|stream| stream.full == Full::Wait));
}

#[test]
fn types_flow_from_the_source_through_every_stage() {
    let plan = planned(&read(LOOP));
    assert_eq!(stream(&plan, "raw").stream_type.dtype, Dtype::I32);
    assert_eq!(stream(&plan, "filtered").stream_type.dtype, Dtype::F64);
    assert_eq!(stream(&plan, "commands").stream_type.kind, Kind::Records);
    let narrow = with(&[
        "stage.source.params.channels=4",
        "stage.source.params.block_frames=50",
    ]);
    let filtered = &stream(&narrow, "filtered").stream_type;
    assert_eq!((filtered.frames_per_block(), filtered.channels()), (50, 4));
}

#[test]
fn a_stage_sees_the_type_behind_its_adapters_and_the_ring_keeps_its_own() {
    let plan = with(&[
        "stage.detect.in.frames.from=raw",
        "stage.detect.in.frames.cast=f64",
        "stage.detect.in.frames.window={ n = 256, step = 64 }",
    ]);
    let input = &stage(&plan, "detect").inputs[0];
    assert_eq!(
        input.adapters,
        [
            Adapter::Cast(Dtype::F64),
            Adapter::Window { n: 256, step: 64 }
        ]
    );
    assert_eq!(
        (
            input.stream_type.dtype,
            input.stream_type.frames_per_block()
        ),
        (Dtype::F64, 256)
    );
    let ring = &stream(&plan, "raw").stream_type;
    assert_eq!((ring.dtype, ring.frames_per_block()), (Dtype::I32, 20));
    // Both readers of `raw` have a seat of their own, and the recorder a third.
    assert_eq!(stream(&plan, "raw").seats.len(), 3);
}

/// [`LOOP`] with a second branch beside `band`, and `detect` on both.
fn merged() -> Graph {
    let low = "[stage.low]
use = \"filter.bandpass\"
params = { low_hz = 1.0, high_hz = 100.0 }
in = { frames = \"raw\" }
out = { frames = \"low\" }

[stage.detect]";
    let both = "{ frames = { window = { n = 32 }, cast = \"f64\", decimate = 4, scale = { unit = \"mV\" }, \
                select = [\"low.*\", 3], merge = [\"filtered\", \"low\"] } }";
    read(
        &LOOP
            .replace("[stage.detect]", low)
            .replace("in = { frames = \"filtered\" }", &format!("in = {both}")),
    )
}

#[test]
fn adapters_work_in_one_order_whatever_the_graph_says() {
    let plan = planned(&merged());
    let input = &stage(&plan, "detect").inputs[0];
    let [
        Adapter::Merge(both),
        Adapter::Select(channels),
        Adapter::Scale(unit),
        Adapter::Decimate(4),
        Adapter::Cast(Dtype::F64),
        Adapter::Window { n: 32, step: 32 },
    ] = input.adapters.as_slice()
    else {
        panic!("{:?}", input.adapters);
    };
    assert_eq!(
        (both[0].stream.as_str(), both[1].stream.as_str()),
        ("filtered", "low")
    );
    assert_eq!((channels.len(), channels[0], channels[60]), (61, 60, 3));
    let seen = &input.stream_type;
    assert_eq!((unit.as_str(), seen.unit.as_str()), ("mV", "mV"));
    assert_eq!((seen.rate, seen.frames_per_block()), (Rate::hz(5000), 32));
    assert_eq!(seen.axes[1].labels[60], "filtered.4");
    assert_eq!(seen.scale, [1e-3; 61]);
}

#[test]
fn every_merged_stream_has_a_seat_of_its_own() {
    let plan = planned(&merged());
    let detect = stage(&plan, "detect");
    let read: Vec<(&str, &str)> = detect
        .inputs
        .iter()
        .map(|i| (i.port.as_str(), plan.streams[i.stream].name.as_str()))
        .collect();
    assert_eq!(read, [("frames", "filtered"), ("frames", "low")]);
    assert_eq!(
        (detect.merged_into(0), detect.merged_into(1)),
        (None, Some(0))
    );
    assert_eq!(detect.ports().count(), 1);
    for name in ["filtered", "low"] {
        let seats = &stream(&plan, name).seats;
        let of_stages = seats.iter().filter(|s| s.reader.stage().is_some());
        assert_eq!(
            (of_stages.count(), seats[0].kind),
            (1, SeatKind::Hold),
            "{name}"
        );
    }
}

#[test]
fn the_resolved_graph_has_the_adapters_and_resolves_to_the_same() {
    let plan = planned(&merged());
    let again = planned(&read(&plan.resolved_toml));
    let inputs = |plan: &Plan| stage(plan, "detect").inputs[0].adapters.clone();
    assert_eq!(inputs(&again), inputs(&plan), "{}", plan.resolved_toml);
}

#[test]
fn a_ring_has_room_for_all_windows_of_a_block() {
    let mut graph = read(LOOP);
    for set in [
        "stage.detect.in.frames.window={ n = 4, step = 1 }",
        "stream.spikes.slots=16",
    ] {
        graph
            .apply_set(set)
            .unwrap_or_else(|problem| panic!("{problem}"));
    }
    let problems = resolve(&graph, &kinds::kinds(), &kinds::two_cpus())
        .err()
        .unwrap_or_default();
    let lines = kinds::lines(&problems);
    assert!(
        lines.contains("`detect` publishes up to 21 blocks at once"),
        "{lines}"
    );
}

#[test]
fn reading_defaults_follow_the_kind_of_seat() {
    let plan = with(&["stage.rate.in.spikes.seat=lap"]);
    let input = |name: &str| &stage(&plan, name).inputs[0];
    assert_eq!(
        (input("band").seat_kind, input("band").read),
        (SeatKind::Hold, Read::Same)
    );
    assert_eq!(
        (input("rate").seat_kind, input("rate").read),
        (SeatKind::Lap, Read::All)
    );
}

#[test]
fn a_feedback_edge_closes_a_loop_and_never_paces() {
    let text = format!("{LOOP}{BLANKING}").replace(
        "in = { frames = \"raw\" }\n",
        "in = { frames = \"blanked\" }\n",
    );
    let plan = planned(&read(&text));
    let blank = stage(&plan, "blank");
    let feedback = &blank.inputs[1];
    assert_eq!(
        (feedback.feedback, feedback.seat_kind, feedback.read),
        (true, SeatKind::Lap, Read::Newest)
    );
    assert_eq!(blank.pacing, Some(0));
    // The type is the maker's, with its real capacity.
    assert_eq!(feedback.stream_type.frames_per_block(), 4);
    assert_consistent(&plan);
    let wrong = text.replace("type = \"command\"", "type = \"spike\"");
    assert!(refused(&wrong).contains("`stage.blank.in.commands.type`"));
    let untyped = text.replace(", type = \"command\"", "");
    assert!(refused(&untyped).contains("its type must stand here"));
    let pacing = text.replace("[stage.blank]\n", "[stage.blank]\npacing = \"commands\"\n");
    assert!(refused(&pacing).contains("never paces"));
}

#[test]
fn blocks_of_the_same_frames_need_the_same_source() {
    let second = "
[stage.other]
use = \"acquire.synthetic\"
out = { frames = \"other\" }
";
    let text = format!("{LOOP}{second}{BLANKING}").replace(
        "from = \"commands\", feedback = true, type = \"command\"",
        "from = \"commands\"",
    );
    let across = text.replace("frames = \"raw\", commands", "frames = \"other\", commands");
    assert!(refused(&across).contains("another source"));
    planned(&read(&text));
    planned(&read(&across.replace(
        "from = \"commands\" }",
        "from = \"commands\", read = \"newest\" }",
    )));
}

#[test]
fn defaults_of_parameters_are_written_into_the_plan() {
    assert_eq!(
        stage(&planned(&read(LOOP)), "source").params["block_frames"],
        20
    );
}

#[test]
fn unknown_keys_inside_nested_parameters_are_refused() {
    let text = LOOP.replace(
        "use = \"feature.rate\"",
        "use = \"feature.rate\"\nparams = { shape = { widht = 3 } }",
    );
    assert!(refused(&text).contains("in `stage.rate.params.shape.widht`; did you mean `width`?"));
}

#[test]
fn a_set_that_resolves_to_nonsense_is_named_by_its_argument() {
    let mut graph = read(LOOP);
    graph
        .apply_set("stage.band.cpu=7")
        .unwrap_or_else(|problem| panic!("{problem}"));
    let first = resolve(&graph, &kinds(), &two_cpus())
        .map(|_| ())
        .map_err(|p| p[0].to_string());
    assert_eq!(
        first,
        Err(
            "--set stage.band.cpu=7: CPU 7 does not exist, in `stage.band.cpu`; online here: 0-1"
                .to_owned()
        )
    );
}

#[test]
fn a_cpu_from_the_defaults_is_blamed_on_the_defaults() {
    let line = refused(&LOOP.replace("[defaults]\ncpu = 1", "[defaults]\ncpu = 5"));
    assert!(
        line.starts_with("g.toml:5: CPU 5 does not exist (for stage `band`), in `defaults.cpu`"),
        "{line}"
    );
}

#[test]
fn spinners_that_take_every_cpu_are_refused() {
    let graph = read(
        &LOOP
            .replace("cpu = 0 }", "cpu = 0, spin_ns = 50000 }")
            .replace(
                "use = \"acquire.synthetic\"\ncpu = 0",
                "use = \"acquire.synthetic\"\npolicy = \"other\"\ncpu = 1",
            ),
    );
    planned(&graph);
    let mut one = two_cpus();
    one.online_cpus = Some([0].into());
    let mut graph = graph;
    graph
        .apply_set("defaults.policy=other")
        .unwrap_or_else(|p| panic!("{p}"));
    let lines = resolve(&graph, &kinds(), &one)
        .map(|_| ())
        .map_err(|p| kinds::lines(&p));
    assert!(lines.is_err_and(|lines| lines.contains("every CPU (0) is taken by a spinner")));
}

#[test]
fn another_hosts_cpus_are_not_asked_for_when_the_host_is_not_checked() {
    let mut graph = read(LOOP);
    graph
        .apply_set("defaults.cpu=63")
        .unwrap_or_else(|problem| panic!("{problem}"));
    assert!(resolve(&graph, &kinds(), &ResolveOptions::default()).is_ok());
}

#[test]
fn a_small_shared_memory_is_refused_with_the_largest_ring() {
    let mut options = two_cpus();
    options.shm_free_bytes = Some(1 << 20);
    let mut graph = read(LOOP);
    graph
        .apply_set("record=[]")
        .unwrap_or_else(|p| panic!("{p}"));
    let first = resolve(&graph, &kinds(), &options)
        .map(|_| ())
        .map_err(|problems| problems[0].to_string());
    assert!(first.is_err_and(|line| line.contains("1.0 MiB are free; the largest is `filtered`")));
}

#[test]
fn offline_a_missing_recording_is_passed_over() {
    let text = LOOP.replace(
        "use = \"acquire.synthetic\"",
        "use = \"acquire.mcs_h5\"\nparams = { path = \"/no/such.h5\" }",
    );
    let mut options = two_cpus();
    assert!(resolve(&read(&text), &kinds(), &options).is_err());
    options.offline = true;
    let plan = resolve(&read(&text), &kinds(), &options)
        .unwrap_or_else(|p| panic!("{}", kinds::lines(&p)));
    assert_eq!(stream(&plan, "raw").stream_type.frames_per_block(), 0);
    // What can be judged without the recording still is.
    let wrong = text.replace("low_hz = 300.0", "lo_hz = 300.0");
    assert!(resolve(&read(&wrong), &kinds(), &options).is_err());
}

#[test]
fn a_budget_longer_than_the_tick_is_a_warning() {
    let mut graph = read(LOOP);
    assert!(warnings(&graph, &planned(&graph)).is_empty());
    for change in [
        "stage.band.budget_ns=2000000",
        "stage.source.params.block_frames=2",
    ] {
        graph
            .apply_set(change)
            .unwrap_or_else(|problem| panic!("{problem}"));
    }
    let lines = kinds::lines(&warnings(&graph, &planned(&graph)));
    assert!(
        lines.contains("longer than the 1000000 ns between two turns"),
        "{lines}"
    );
    assert!(
        lines.contains("10 blocks arrive per turn and at most 8 are taken"),
        "{lines}"
    );
}

#[test]
fn the_demo_graph_plans_eight_stages_on_two_cpus() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/demo.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}"));
    assert!(text.starts_with("#:schema ../schema/graph.json\n"));
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let recording = folder.path().join("r.h5");
    std::fs::write(&recording, "").unwrap_or_else(|error| panic!("{error}"));
    let mut graph =
        ephapse_rtconfig::graph::Graph::from_path(&path).unwrap_or_else(|p| panic!("{p}"));
    graph
        .apply_set(&format!("stage.source.params.path={}", recording.display()))
        .unwrap_or_else(|problem| panic!("{problem}"));
    let plan = planned(&graph);
    let own: Vec<&StagePlan> = plan
        .stages
        .iter()
        .filter(|s| s.helper_of.is_none())
        .collect();
    assert_eq!(own.len(), 8);
    assert_eq!(own.iter().filter(|s| s.pace == Pace::Tick).count(), 7);
    assert_consistent(&plan);
}
