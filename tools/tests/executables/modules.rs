//! Other people's stages through the real command line.

use crate::finished::Finished;
use crate::place::{Place, wait_until};
use crate::turns::shared;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A stage that says everything itself, and attaches to nothing.
const AVERAGE: &str = r#"name = "mylab.average"
about = "Mean over channels."
role = "process"
command = ["true"]

[in.frames]
dtype = ["f32", "f64"]

[out.mean]
like = "frames"
channels = 1

[params.gain]
type = "f64"
unit = "1"
max = 10.0
default = 1.0
live = true
"#;

/// A stage that is asked what it makes.
const ASKED: &str = r#"name = "mylab.asked"
about = "Says itself what it makes."
role = "process"
command = ["./asked.sh"]
describe = true

[in.frames]

[out.mean]
"#;

const GRAPH: &str = r#"
name = "average"
timer = { period_ns = 1_000_000, cpu = 0 }

[modules]
path = ["mylab"]

[defaults]
cpu = 1

[stage.source]
use = "acquire.synthetic"
cpu = 0
params = { channels = 8 }
out = { frames = "raw" }

[stage.average]
use = "mylab.average"
in = { frames = { from = "raw", cast = "f64" } }
out = { mean = "mean" }
"#;

/// A place with the module `mylab` in it, whose stage `mylab.asked` answers by these lines of a script.
fn place(answering: &str) -> Place {
    let place = Place::new();
    for folder in ["mylab/stages/average", "mylab/stages/asked", "mylab/graphs"] {
        fs::create_dir_all(place.path().join(folder)).unwrap();
    }
    place.write("mylab/stages/average/stage.toml", AVERAGE);
    place.write("mylab/stages/asked/stage.toml", ASKED);
    let script = place.write("mylab/stages/asked/asked.sh", answering);
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    place.write(
        "mylab/graphs/in-module.toml",
        &GRAPH
            .replace("[\"mylab\"]", "[\"..\"]")
            .replace("\"average\"\ntimer", "\"average-loop\"\ntimer"),
    );
    place.write("average.toml", GRAPH);
    place.write("asked.toml", &GRAPH.replace("mylab.average", "mylab.asked"));
    place
}

/// Runs a command that finds modules through the environment.
fn with_path(place: &Place, arguments: &[&str]) -> Finished {
    let mut command = place.command(arguments);
    command.env("EPHAPSE_PATH", place.path().join("mylab"));
    place.finish(command, 20)
}

/// The one line of a command that must refuse.
#[track_caller]
fn refused(ended: Finished) -> String {
    ended.expect(1).only_line().to_owned()
}

const ANSWER: &str = r#"#!/bin/sh
cat > /dev/null
echo '{"outputs": [["mean", {"kind": "frames", "dtype": "f32", "axes": [{"name": "time", "length": 20}, {"name": "channel", "length": 2}], "rate": {"numerator": 20000, "denominator": 1}, "unit": "uV"}]]}'
"#;

#[test]
fn a_stage_of_a_module_is_checked_explained_and_listed_as_one_of_ours() {
    let _turn = shared();
    let place = place(ANSWER);
    let checked = place.run(&["check", "average.toml"]).expect(0);
    assert!(
        checked.stdout.contains("sound: 2 stages"),
        "{}",
        checked.stdout
    );
    let drawn = place.run(&["explain", "average.toml"]).expect(0).stdout;
    assert!(drawn.contains("average: mylab.average"), "{drawn}");
    assert!(
        drawn.contains("mean: 20 x 1 f64, 20000 Hz, count"),
        "{drawn}"
    );
    assert!(drawn.contains("runs `true` in "), "{drawn}");
    for listed in [
        place.run(&["list", "average.toml"]),
        with_path(&place, &["list"]),
    ] {
        let listed = listed.expect(0).stdout;
        let folder = place
            .path()
            .canonicalize()
            .unwrap()
            .join("mylab/stages/average");
        assert!(
            listed.contains("mylab.average          frames -> mean"),
            "{listed}"
        );
        assert!(
            listed.contains(&format!("runs `true` in {}", folder.display())),
            "{listed}"
        );
        assert!(listed.contains("filter.bandpass"), "{listed}");
    }
    assert!(!place.run(&["list"]).expect(0).stdout.contains("mylab"));
    let schema = place.run(&["schema", "average.toml"]).expect(0).stdout;
    assert!(schema.contains("mylab.average") && schema.contains("x-live"));
    place.expect_nothing_left();
}

#[test]
fn a_stage_of_a_module_is_refused_as_one_of_ours_would_be() {
    let _turn = shared();
    let place = place(ANSWER);
    for (set, expected) in [
        ("stage.average.params.gian=2", "did you mean `gain`?"),
        (
            "stage.average.params.gain=20",
            "20 does not fit; write a number of at most 10",
        ),
        (
            "stage.average.in.frames=raw",
            "but the port needs f32 or f64",
        ),
        (
            "stage.average.use=mylab.averag",
            "did you mean `mylab.average`?",
        ),
        ("modules.path=[\"elsewhere\"]", "there is no folder "),
    ] {
        let line = refused(place.run(&["check", "average.toml", "--set", set]));
        assert!(line.contains(expected), "{set}: {line}");
    }
    place.write(
        "mylab/stages/average/stage.toml",
        &AVERAGE.replace("role", "rule"),
    );
    let line = refused(place.run(&["run", "average.toml"]));
    assert!(
        line.contains(
            "mylab/stages/average/stage.toml:3: unknown key `rule`; did you mean `role`?"
        ),
        "{line}"
    );
    place.expect_nothing_left();
}

#[test]
fn a_graph_of_a_module_is_named_by_its_name() {
    let _turn = shared();
    let place = place(ANSWER);
    let listed = with_path(&place, &["list", "--graphs"]).expect(0).stdout;
    assert!(listed.starts_with("average-loop "), "{listed}");
    assert!(listed.contains("mylab/graphs/in-module.toml"), "{listed}");
    with_path(&place, &["check", "average-loop"]).expect(0);
    // Without the variable there is no such graph.
    let line = refused(place.run(&["check", "average-loop"]));
    assert!(line.contains("average-loop"), "{line}");
    place.write("mylab/graphs/again.toml", "name = \"average-loop\"\n");
    let line = refused(with_path(&place, &["check", "average-loop"]));
    assert!(
        line.contains("again.toml and ") && line.contains("give the path"),
        "{line}"
    );
}

#[test]
fn a_command_that_describes_itself_is_asked_by_check() {
    let _turn = shared();
    let drawn = place(ANSWER)
        .run(&["explain", "asked.toml"])
        .expect(0)
        .stdout;
    assert!(drawn.contains("mean: 20 x 2 f32, 20000 Hz, uV"), "{drawn}");
    for (answering, expected) in [
        ("#!/bin/sh\necho hello\n", "its answer `hello` is not JSON"),
        (
            "#!/bin/sh\necho 'no weights' >&2\nexit 3\n",
            "it failed (exit status: 3); it says `no weights`",
        ),
        ("#!/no/such/interpreter\n", "cannot be started: "),
    ] {
        let line = refused(place(answering).run(&["check", "asked.toml"]));
        assert!(line.contains(expected), "{line}");
        assert!(line.contains("asked.sh --ephapse-describe`"), "{line}");
    }
}

#[test]
fn a_python_program_can_describe_itself() {
    let _turn = shared();
    if std::process::Command::new("python3")
        .arg("-V")
        .output()
        .is_err()
    {
        eprintln!("skipped: no python3 here");
        return;
    }
    let place = place(
        "#!/usr/bin/env python3
import json, sys
if sys.argv[1:] == ['--ephapse-describe']:
    question = json.load(sys.stdin)
    made = question['inputs'][0]['type']
    made['axes'][1] = {'name': 'channel', 'length': made['axes'][1]['length'] // 2}
    made.update(scale=[], offset=[], positions_um=[])
    print(json.dumps({'outputs': [['mean', made]], 'settle_frames': 5}))
",
    );
    let drawn = place.run(&["explain", "asked.toml"]).expect(0).stdout;
    assert!(
        drawn.contains("mean: 20 x 4 f64, 20000 Hz, count"),
        "{drawn}"
    );
}

#[test]
fn a_command_that_never_describes_itself_is_killed_after_ten_seconds() {
    let _turn = shared();
    let place = place("#!/bin/sh\nsleep 600 &\nwait\n");
    let started = std::time::Instant::now();
    let line = refused(place.run(&["check", "asked.toml"]));
    assert!(
        line.contains("no answer within 10s, it was killed"),
        "{line}"
    );
    assert!(started.elapsed().as_secs() >= 10);
    wait_until("everything it started is gone", 5, || {
        place.processes().is_empty()
    });
}

#[test]
fn a_describing_command_does_not_outlive_a_killed_command_line() {
    let _turn = shared();
    let place = place("#!/bin/sh\nexec sleep 600\n");
    let check = place.start(place.command(&["check", "asked.toml"]));
    wait_until("the command is asked", 10, || place.processes().len() == 2);
    check.signal("KILL");
    assert_eq!(check.wait(5).code, None);
    wait_until("it is gone too", 5, || place.processes().is_empty());
}

#[test]
fn a_program_that_attaches_nothing_fails_the_session_in_one_line_and_leaves_nothing() {
    let _turn = shared();
    let place = place(ANSWER);
    for (command, expected) in [
        (
            "[\"true\"]",
            "average: left before it was ready (exit status: 0)",
        ),
        ("[\"sh\", \"-c\", \"pwd >&2; exit 4\"]", "average: /"),
    ] {
        place.write(
            "mylab/stages/average/stage.toml",
            &AVERAGE.replace("[\"true\"]", command),
        );
        let ended = place.run_session(&["run", "average.toml"], 30).expect(1);
        let line = ended.stderr.lines().last().unwrap_or_default();
        assert!(
            line.starts_with("ephapse: ") && line.contains(expected),
            "{}",
            ended.stderr
        );
        if command.contains("pwd") {
            assert!(line.ends_with("mylab/stages/average"), "{line}");
        }
        place.expect_nothing_left();
    }
}

#[test]
fn a_source_of_a_module_is_unpaced_with_all_others() {
    let _turn = shared();
    let place = place(ANSWER);
    fs::create_dir(place.path().join("mylab/stages/dish")).unwrap();
    place.write(
        "mylab/stages/dish/stage.toml",
        r#"name = "mylab.dish"
about = "A second source."
role = "acquire"
command = ["false"]

[out.frames]
dtype = "i16"
frames = 20
channels = 4
rate_hz = 20_000
"#,
    );
    let graph =
        format!("{GRAPH}\n[stage.dish]\nuse = \"mylab.dish\"\nout = {{ frames = \"more\" }}\n");
    place.write("two.toml", &graph);
    // Logical time needs all sources to be unpaced: the graph is sound, so the program is started, and fails.
    let ended = place
        .run_session(&["run", "two.toml", "--unpaced"], 30)
        .expect(1);
    let line = ended.stderr.lines().last().unwrap_or_default();
    assert!(
        line.contains(": left before it was ready (exit status: "),
        "{line}"
    );
    place.expect_nothing_left();
}
