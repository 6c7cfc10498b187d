//! Stages in Python that are killed, that fail, and that are started again by command.

use super::interpreter;
use super::own_stages::{Line, lay_out, lay_out_seen, read_seen};
use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::{Place, Running, wait_until};
use crate::restarts::{kill_at_random, pid_of};
use crate::turns::{alone, shared};
use ephapse_engine::abi::flag;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// An exponential mean of every channel: its memory is its state block.
const SMOOTH: &str = r#"
import ephapse


class Smooth(ephapse.Stage):
    state_dtype = "<f8"

    def reset(self, state):
        state[:] = 0.0

    def process(self, inputs, outputs):
        frames, smooth, last = inputs.frames, outputs.smooth, self.ctx.state
        for frame in range(len(frames)):
            last += 0.25 * (frames[frame] - last)
            smooth[frame] = last


ephapse.run(Smooth)
"#;

/// Cannot bear the block that begins with `fatal_frame`.
const FRAIL: &str = r#"
import ephapse


class Frail(ephapse.Stage):
    def process(self, inputs, outputs):
        if inputs["frames"].first_frame == self.ctx.params["fatal_frame"]:
            raise ValueError("not this one")
        outputs.smooth[:] = inputs.frames


ephapse.run(Frail)
"#;

/// Writes a number of its own beside each block, and says itself what it makes.
const EDITED: &str = r#"
import dataclasses

import ephapse

NUMBER = 1
CHANNELS = 8


class Edited(ephapse.Stage):
    @classmethod
    def describe(cls, params, inputs):
        made = inputs["frames"]
        time, channel = made.axes
        labels = channel.labels[:CHANNELS]
        axes = (time, dataclasses.replace(channel, length=CHANNELS, labels=labels))
        return ephapse.Described(outputs={"smooth": dataclasses.replace(made, axes=axes)})

    def process(self, inputs, outputs):
        outputs["smooth"].user = NUMBER
        outputs.smooth[:] = inputs.frames


ephapse.run(Edited)
"#;

/// A place with `mylab.smooth` (this source, and these lines in its manifest) between the filter and the detector of the
/// loop, and all that it publishes written down. `None` without a Python.
fn place(source: &str, keys: &str, output: &str) -> Option<Place> {
    interpreter::command()?;
    let place = Place::new();
    let manifest = format!(
        "name = \"mylab.smooth\"\nabout = \"A stage in Python.\"\nrole = \"process\"\n\
         command = [\"python3\", \"smooth.py\"]\n{keys}\n[in.frames]\n[out.smooth]\n{output}\n\
         [params.fatal_frame]\ntype = \"i64\"\ndefault = -1\n"
    );
    lay_out(&place, "smooth", &manifest, &[("smooth.py", source)]);
    lay_out_seen(&place);
    let graph = LOOP
        .replace(
            "in = { frames = \"filtered\" }",
            "in = { frames = \"smooth\" }",
        )
        .replace("stimulate.null", "stimulate.log")
        .replace("cpu = 1\n", "cpu = 1\non_death = \"restart\"\n");
    place.write(
        "loop.toml",
        &format!(
            "{graph}\n[stage.smooth]\nuse = \"mylab.smooth\"\npolicy = \"other\"\n\
             in = {{ frames = {{ from = \"filtered\", cast = \"f64\" }} }}\nout = {{ smooth = \"smooth\" }}\n\
             [stage.seen]\nuse = \"test.seen\"\npolicy = \"other\"\nparams = {{ path = \"seen\" }}\n\
             in = {{ in = \"smooth\" }}\n[modules]\npath = [\".\"]\n"
        ),
    );
    Some(place)
}

/// A command on the loop, with that Python.
fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = if arguments[0] == "run" {
        place.session_command(arguments)
    } else {
        place.command(arguments)
    };
    assert!(interpreter::give_to(&mut command));
    command
}

fn start(place: &Place, arguments: &[&str]) -> Running {
    let run = place.start(command(place, arguments));
    wait_until("the session runs", 60, || {
        assert!(run.is_running(), "it is over: see the report");
        place.run(&["status"]).expect(0).stdout.contains("running")
    });
    run
}

/// Plays the loop unpaced while the Python stage is killed so many times: what it published, the log, the report.
fn killed(place: &Place, duration: &str, kills: usize) -> (Vec<Line>, String, Report) {
    let run = start(
        place,
        &["run", "loop.toml", "--unpaced", "--duration", duration],
    );
    kill_at_random(place, &run, &["smooth"], kills);
    run.wait(120).expect(0);
    place.expect_nothing_left();
    let log = fs::read_to_string(place.report().join("stimulation.jsonl")).unwrap();
    (seen(place), log, Report::read(&place.report()))
}

fn seen(place: &Place) -> Vec<Line> {
    read_seen(&place.path().join("seen")).unwrap().1
}

#[test]
fn a_python_stage_with_a_state_block_may_be_killed_and_its_outputs_are_bit_for_bit_the_same() {
    let _turn = shared();
    let (state, like) = ("state = { bytes = 64 }", "like = \"frames\"");
    let Some(undisturbed) = place(SMOOTH, state, like) else {
        return;
    };
    let (expected, expected_log, _) = killed(&undisturbed, "20s", 0);
    assert_eq!(expected.len(), 20_000);
    assert!(!expected_log.is_empty(), "there is nothing to compare");
    let (blocks, log, report) = killed(&place(SMOOTH, state, like).unwrap(), "20s", 5);
    assert_eq!(report.list("restarts").len(), 5);
    assert!(blocks == expected, "five kills changed the blocks");
    assert!(log == expected_log, "five kills changed the log");
}

#[test]
fn without_a_state_block_a_killed_python_stage_marks_its_blocks_reset_until_it_has_settled() {
    let _turn = shared();
    let keys = "settle_frames = 45";
    let Some(place) = place(FRAIL, keys, "like = \"frames\"") else {
        return;
    };
    let (blocks, _, report) = killed(&place, "20s", 1);
    assert_eq!(report.list("restarts").len(), 1);
    assert_eq!(blocks.len(), 20_000);
    let reset = |line: &Line| line.flags & flag::RESET != 0;
    let first = blocks.iter().position(reset).expect("no block says RESET");
    let marked = blocks.iter().filter(|line| reset(line)).count();
    // 45 frames are in three blocks of 20.
    assert_eq!(marked, 3, "{:?}", &blocks[first..first + 5]);
    assert!(blocks[first..first + 3].iter().all(reset));
    let settling: Vec<u32> = blocks[first..first + 4]
        .iter()
        .map(|l| l.settling)
        .collect();
    assert_eq!(settling, [20, 20, 5, 0]);
}

#[test]
fn a_block_that_a_python_stage_raises_on_twice_is_passed_over_and_the_session_goes_on() {
    let _turn = shared();
    let Some(place) = place(FRAIL, "", "like = \"frames\"") else {
        return;
    };
    let arguments = ["run", "loop.toml", "--unpaced", "--duration", "2s"];
    let set = ["--set", "stage.smooth.params.fatal_frame=2000"];
    let run = command(&place, &[&arguments[..], &set].concat());
    place.finish(run, 60).expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    let told: Vec<&str> = report
        .list("restarts")
        .iter()
        .map(|r| r["what"].as_str().unwrap())
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter().all(|t| t.contains("ValueError: not this one")),
        "{told:?}"
    );
    assert!(
        told[1].contains("behind block 100, which killed it twice (poison)"),
        "{told:?}"
    );
    let blocks = seen(&place);
    assert!(blocks.iter().all(|b| b.first_frame != 2000));
    let behind = blocks.iter().find(|b| b.first_frame >= 2000).unwrap();
    assert_eq!((behind.first_frame, behind.lost), (2020, 20));
    assert!(behind.flags & flag::GAP != 0, "{behind:?}");
    assert_eq!(blocks.last().unwrap().first_frame, 2 * 20_000 - 20);
}

#[test]
fn a_changed_python_file_takes_effect_by_restart_and_a_changed_output_is_refused() {
    let _turn = alone();
    let Some(place) = place(EDITED, "describe = true", "") else {
        return;
    };
    let run = start(&place, &["run", "loop.toml", "--duration", "60s"]);
    let seen_number = |number| seen(&place).last().is_some_and(|line| line.user == number);
    wait_until("the first number is seen", 20, || seen_number(1));
    let edit = |from: &str, to: &str| {
        let file: PathBuf = place.path().join("stages/smooth/smooth.py");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        fs::write(file, text.replace(from, to)).unwrap();
    };
    edit("NUMBER = 1", "NUMBER = 2");
    let restart = || place.finish(command(&place, &["restart", "smooth"]), 60);
    let told = restart().expect(0).stdout;
    assert!(
        told.contains("smooth runs again") && told.contains("start 2"),
        "{told}"
    );
    wait_until("the second number is seen", 20, || seen_number(2));

    let before = pid_of(&place, "smooth");
    edit("CHANNELS = 8", "CHANNELS = 4");
    let refused = restart().expect(1);
    assert!(
        refused.only_line().contains("has changed its output types"),
        "{}",
        refused.stderr
    );
    edit("def describe", "def dscribe");
    let refused = restart().expect(1);
    assert!(
        refused.only_line().contains("goes on as it was"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        pid_of(&place, "smooth"),
        before,
        "it was ended all the same"
    );
    let count = seen(&place).len();
    wait_until("it goes on", 20, || seen(&place).len() > count + 10);
    assert!(seen_number(2));
    place.run(&["stop"]).expect(0);
    run.wait(30).expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    assert_eq!(report.list("restarts").len(), 1);
}
