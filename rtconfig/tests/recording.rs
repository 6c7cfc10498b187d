//! What is recorded, as the plan has it.

mod kinds;

use ephapse_rtconfig::explain;
use ephapse_rtconfig::plan::{Plan, Reader, SeatKind};
use ephapse_rtconfig::recording::{
    blocks_per_second, bytes_per_second, shortest_ring_ns, spool_bytes,
};
use kinds::{LOOP, planned, read};

fn with(record: &str) -> Plan {
    let mut graph = read(LOOP);
    if !record.is_empty() {
        graph
            .apply_set(&format!("record={record}"))
            .unwrap_or_else(|problem| panic!("{problem}"));
    }
    planned(&graph)
}

fn names(plan: &Plan) -> Vec<&str> {
    let recorder = plan.recorder.iter().flat_map(|r| &r.streams);
    recorder
        .map(|r| plan.streams[r.stream].name.as_str())
        .collect()
}

#[test]
fn without_a_word_every_stream_of_the_graph_is_recorded_and_no_ring_of_a_helper() {
    let plan = with("");
    let own = plan.streams.iter().filter(|s| !s.name.contains('.'));
    let own: Vec<&str> = own.map(|s| s.name.as_str()).collect();
    assert_eq!(names(&plan), own);
    assert!(own.len() < plan.streams.len(), "there is a helper's ring");
}

#[test]
fn the_recorder_sits_behind_the_stages_and_holds_nobody_back_in_a_paced_run() {
    let plan = with(r#"["spikes", "raw"]"#);
    assert_eq!(names(&plan), ["raw", "spikes"]);
    let recorder = plan.recorder.as_ref().map(|r| r.streams.clone());
    for recorded in recorder.into_iter().flatten() {
        let stream = &plan.streams[recorded.stream];
        assert_eq!(recorded.seat as usize, stream.seats.len() - 1);
        let seat = &stream.seats[recorded.seat as usize];
        assert_eq!((seat.reader, seat.kind), (Reader::Recorder, SeatKind::Lap));
        assert_eq!(
            (plan.reader_name(seat.reader), &seat.port),
            ("recorder", &stream.name)
        );
    }
    let taken: usize = plan.streams.iter().map(|s| s.seats.len()).sum();
    let nobody: usize = with("[]").streams.iter().map(|s| s.seats.len()).sum();
    assert_eq!(taken, 2 + nobody);
}

#[test]
fn in_logical_time_its_seats_hold() {
    let mut graph = read(LOOP);
    graph
        .apply_set("stage.source.pace=none")
        .unwrap_or_else(|p| panic!("{p}"));
    let plan = planned(&graph);
    let seats = plan.streams.iter().flat_map(|s| &s.seats);
    let mut own = seats.filter(|s| s.reader == Reader::Recorder).peekable();
    assert!(own.peek().is_some());
    assert!(own.all(|seat| seat.kind == SeatKind::Hold));
}

#[test]
fn nothing_is_recorded_when_the_list_is_empty() {
    for record in ["[]", "{ streams = [] }"] {
        let plan = with(record);
        assert_eq!(plan.recorder, None);
        assert!(explain::draw(&plan).contains("recorder: none"));
    }
}

#[test]
fn the_spool_holds_its_seconds_of_what_is_recorded_and_the_drawing_says_so() {
    let plan = with(r#"{ streams = ["raw"], spool_s = 2.0 }"#);
    let Some(recorder) = &plan.recorder else {
        panic!("nothing is recorded")
    };
    let raw = recorder.streams[0].stream;
    let of_raw = blocks_per_second(&plan, raw)
        * (64.0 + 128.0 + plan.streams[raw].stream_type.block_bytes() as f64);
    let all = bytes_per_second(&plan, recorder);
    assert!(all > of_raw, "activation records come on top");
    let expected = ((all * 2.0).max(1_048_576.0) as u64).next_multiple_of(4096);
    assert_eq!(spool_bytes(&plan, recorder), expected);
    let ring_ns = f64::from(plan.streams[raw].slots) / blocks_per_second(&plan, raw) * 1e9;
    assert_eq!(shortest_ring_ns(&plan, recorder), ring_ns as u64);
    let drawn = explain::draw(&plan);
    assert!(drawn.contains("recorder: 1 stream, up to "), "{drawn}");
    assert!(drawn.contains("KiB (2 s)"), "{drawn}");
}

#[test]
fn a_spool_that_does_not_fit_into_memory_is_refused_by_its_key() {
    let mut graph = read(LOOP);
    graph
        .apply_set("record={ spool_s = 600.0 }")
        .unwrap_or_else(|p| panic!("{p}"));
    let mut options = kinds::two_cpus();
    options.shm_free_bytes = Some(64 << 20);
    let refused = ephapse_rtconfig::resolve::resolve(&graph, &kinds::kinds(), &options);
    let Err(problems) = refused else {
        panic!("accepted")
    };
    let first = problems[0].to_string();
    assert!(first.contains("the spool alone takes"), "{first}");
    assert!(first.contains("`record.spool_s`"), "{first}");
}

#[test]
fn the_resolved_graph_records_the_same_again() {
    for record in [
        "",
        "[]",
        r#"{ streams = ["raw"], spool_s = 0.5, sync_s = 2.0, roll_bytes = 1048576, roll_s = 60.0, path = "here" }"#,
    ] {
        let plan = with(record);
        let again = planned(&read(&plan.resolved_toml));
        assert_eq!(again.recorder, plan.recorder, "{}", plan.resolved_toml);
    }
}

#[test]
fn a_spool_that_nobody_asked_for_leaves_half_of_the_free_memory_to_others() {
    let mut options = kinds::two_cpus();
    options.shm_free_bytes = Some(64 << 20);
    let planned = ephapse_rtconfig::resolve::resolve(&read(LOOP), &kinds::kinds(), &options);
    let plan = planned.unwrap_or_else(|problems| panic!("{problems:?}"));
    let Some(recorder) = &plan.recorder else {
        panic!("nothing is recorded")
    };
    assert!(recorder.spool_s < 5.0, "{}", recorder.spool_s);
    assert!(spool_bytes(&plan, recorder) < 32 << 20);
    assert!(
        plan.resolved_toml
            .contains(&format!("spool_s = {}", recorder.spool_s))
    );
}
