//! The drawing of a plan.

mod kinds;

use ephapse_rtconfig::explain::draw;
use ephapse_rtconfig::plan::Plan;
use kinds::{LOOP, planned, read};

fn plan(changes: &[&str]) -> Plan {
    let mut graph = read(LOOP);
    for change in changes {
        graph
            .apply_set(change)
            .unwrap_or_else(|problem| panic!("{problem}"));
    }
    planned(&graph)
}

fn branched() -> Plan {
    planned(&read(&format!(
        "{LOOP}
[stage.blank]
use = \"filter.blanking\"
in = {{ frames = \"raw\", commands = {{ from = \"commands\", feedback = true, type = \"command\" }} }}
out = {{ frames = \"blanked\" }}

[stage.second]
use = \"filter.blanking\"
in = {{ frames = \"filtered\", commands = \"commands\" }}
out = {{ frames = \"blanked2\" }}
"
    )))
}

/// One source and `readers` filters, each of whose streams is read at the very end.
fn wide(readers: usize) -> Plan {
    let mut text = "name = \"wide\"\ntimer = { period_ns = 1000000, cpu = 0 }\ndefaults = { cpu = 1 }\n[stage.source]\nuse = \"acquire.synthetic\"\nout = { frames = \"raw\" }\n".to_owned();
    for i in 0..readers {
        text.push_str(&format!(
            "[stage.first-{i}]\nuse = \"filter.bandpass\"\nparams = {{ low_hz = 1.0, high_hz = 2.0 }}\nin = {{ frames = \"raw\" }}\nout = {{ frames = \"s{i}\" }}\n"
        ));
    }
    for i in 0..readers {
        text.push_str(&format!(
            "[stage.second-{i}]\nuse = \"detect.threshold\"\nin = {{ frames = \"s{i}\" }}\nout = {{ spikes = \"spikes-of-a-long-name-{i}\" }}\n"
        ));
    }
    planned(&read(&text))
}

#[test]
fn no_line_is_wider_than_80_columns() {
    for plan in [plan(&[]), branched(), wide(3), wide(40)] {
        for line in draw(&plan).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn every_stage_and_stream_is_drawn_with_what_one_must_know_of_it() {
    for plan in [plan(&[]), branched(), wide(40)] {
        let text = draw(&plan);
        for stage in &plan.stages {
            assert!(
                text.contains(&format!("─ {}", stage.name)),
                "{}",
                stage.name
            );
            assert!(text.contains(&stage.kind));
        }
        for stream in &plan.streams {
            assert!(
                text.contains(&format!(" {}: ", stream.name)),
                "{}",
                stream.name
            );
        }
    }
    let text = draw(&plan(&[]));
    for words in [
        "loop: tick 1 ms, timer on CPU 0, fifo 95",
        "raw: 20 x 60 i32, 20000 Hz, count",
        "128 slots, 656 KiB, drop_newest, seats: 1 hold + recorder + 2 spare",
        "CPU 1, fifo 70, every tick",
        "[helper of stimulate]",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn a_chain_is_drawn_with_one_lane_from_box_to_box() {
    let text = draw(&plan(&[]));
    let start: Vec<&str> = text.lines().skip(4).take(8).collect();
    assert_eq!(
        start,
        [
            "    ┌─ source: acquire.synthetic ──────────────────────────────────────────────┐",
            "    │ CPU 0, fifo 40, clock-paced                                              │",
            "    └┬─────────────────────────────────────────────────────────────────────────┘",
            " ┌───┘ raw: 20 x 60 i32, 20000 Hz, count",
            " │       128 slots, 656 KiB, drop_newest, seats: 1 hold + recorder + 2 spare",
            " │  ┌─ band: filter.bandpass ──────────────────────────────────────────────────┐",
            " └─▶│ frames <- raw                                                            │",
            "    │ CPU 1, fifo 70, every tick                                               │",
        ]
    );
}

#[test]
fn branches_run_beside_each_other_and_cross() {
    let text = draw(&branched());
    for row in [
        " ├───────▶│ frames <- raw ",
        " └─┼─┼───▶│ frames <- raw ",
        "   └─┼───▶│ frames <- filtered ",
        "     └───▶│ commands <- commands ",
        "   │ │    │ commands <- commands, feedback, lap, newest ",
        "           └ blanked2: ",
    ] {
        assert!(text.contains(row), "{row}\n{text}");
    }
}

#[test]
fn the_budget_adds_block_tick_delay_and_run() {
    let text = draw(&plan(&["stage.band.budget_ns=300000"]));
    let row = |name: &str| -> Vec<String> {
        text.lines()
            .skip_while(|line| {
                !line.starts_with("Where the latency budget goes, source -> stimulate")
            })
            .find(|line| line.starts_with(name))
            .map(|line| line.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_else(|| panic!("no row {name} in\n{text}"))
    };
    // 20 frames of 20 kHz; one tick; 10 frames of group delay; the budget.
    assert_eq!(row("source")[1], "1.000");
    assert_eq!(row("band")[2..5], ["1.000", "0.500", "0.300"]);
    assert_eq!(row("detect")[1..5], ["-", "-", "-", "-"]);
    assert_eq!(row("nominal")[5..], ["=", "2.800", "ms"]);
}

#[test]
fn an_edge_between_ticked_stages_on_two_cpus_is_said_to_cost_a_tick() {
    let across = draw(&plan(&["stage.rate.cpu=0"]));
    assert_eq!(
        across.matches("other CPU: can cost one tick").count(),
        2,
        "{across}"
    );
    let rising = draw(&plan(&["stage.rate.priority=75"]));
    assert!(rising.contains("wrong order: costs one tick"), "{rising}");
    assert!(!draw(&plan(&[])).contains("one tick"));
}

#[test]
fn a_window_adds_the_frames_it_collects() {
    let text = draw(&plan(&[
        "stage.detect.in.frames.window={ n = 256, step = 64 }",
    ]));
    assert!(
        text.contains("frames <- filtered, window of 256 every 64 frames"),
        "{text}"
    );
    assert!(
        text.contains("3.200") && text.contains("window 256/64"),
        "{text}"
    );
}

#[test]
fn an_unpaced_plan_has_no_tick_to_wait_for() {
    let text = draw(&plan(&["stage.source.pace=none"]));
    assert!(text.starts_with("loop: unpaced, logical time, no timer"));
    assert!(
        !text.contains("next tick") && !text.contains("fifo"),
        "{text}"
    );
}

#[test]
fn adapters_are_shown_with_the_type_they_make_and_the_time_they_take() {
    let text = draw(&plan(&[
        "stage.detect.in.frames.select=[0, 5]",
        "stage.detect.in.frames.scale={ unit = \"mV\" }",
        "stage.detect.in.frames.decimate=4",
    ]));
    for line in [
        "frames <- filtered, select 2 channels, scale mV, decimate 4",
        "= 5 x 2 f64, 5000 Hz, mV",
        "10 frames late (2.000 ms), settles in 20 frames",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let hop = text
        .lines()
        .rfind(|line| line.starts_with("detect"))
        .unwrap_or_default();
    assert!(
        hop.contains("2.000") && hop.contains("decimate 4"),
        "{text}"
    );
}

#[test]
fn streams_that_are_merged_stand_one_below_the_other() {
    let text = draw(&planned(&read(
        &LOOP
            .replace(
                "[stage.detect]\n",
                "[stage.low]\nuse = \"filter.bandpass\"\nparams = { low_hz = 1.0, high_hz = 2.0 }\n\
         in = { frames = \"raw\" }\nout = { frames = \"low\" }\n[stage.detect]\n",
            )
            .replace(
                "frames = \"filtered\" }\nout = { spikes",
                "frames = { merge = [\"filtered\", \"low\"] } }\nout = { spikes",
            ),
    )));
    let at = |words: &str| {
        text.lines()
            .position(|line| line.contains(words))
            .unwrap_or_else(|| panic!("{words}:\n{text}"))
    };
    let first = at("frames <- filtered");
    assert_eq!(at("frames + low"), first + 1);
    assert_eq!(at("= 20 x 120 f64"), first + 2);
}
