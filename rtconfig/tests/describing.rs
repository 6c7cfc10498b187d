//! Commands that are asked what they are.

mod kinds;
mod module_folder;

use module_folder::{AVERAGE, GRAPH, Module};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// A module whose stage is a script that is asked, and answers by these lines.
fn asked(lines: &str) -> Module {
    let manifest = AVERAGE
        .replace("command = [\"true\"]", "command = [\"./stage.sh\", \"--seed\", \"7\"]\ndescribe = true")
        .replace("settle_frames = 3\ngroup_delay_frames = 1.5\nparts_per_call = 2\nstate = { bytes = 16, append_bytes = 8 }\n", "")
        .replace("like = \"frames\"\nchannels = 1\n", "");
    let module = Module::with(&manifest);
    module.script("stages/average/stage.sh", lines);
    module
}

const ANSWER: &str = r#"{"outputs": [["mean", {"kind": "frames", "dtype": "f32", "axes": [{"name": "time", "length": 20},
    {"name": "channel", "length": 2}], "rate": {"numerator": 20000, "denominator": 1}, "unit": "uV"}]], "settle_frames": 40}"#;

/// Prints a text on stdout.
fn say(text: &str) -> String {
    format!("cat <<'END'\n{text}\nEND")
}

#[test]
fn a_command_is_asked_in_its_folder_and_believed() {
    let module = asked(&format!(
        "pwd > asked; echo \"$@\" >> asked; cat > question\n{}",
        say(ANSWER)
    ));
    let plan = module.planned(GRAPH);
    let described = &plan.stages[1].described;
    assert_eq!(described.outputs[0].1.summary(), "20 x 2 f32, 20000 Hz, uV");
    assert_eq!((described.settle_frames, described.parts_per_call), (40, 1));
    let folder = module
        .path()
        .canonicalize()
        .unwrap_or_default()
        .join("stages/average");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    assert_eq!(
        read("asked"),
        format!("{}\n--seed 7 --ephapse-describe\n", folder.display())
    );
    let question: Value = serde_json::from_str(&read("question")).unwrap_or_default();
    assert_eq!(
        question["params"],
        serde_json::json!({ "cutoff_hz": 10.0, "mode": "slow" })
    );
    assert_eq!(question["inputs"][0]["port"], "frames");
    let stream = &question["inputs"][0]["type"];
    assert_eq!(
        (&stream["dtype"], &stream["axes"][1]["length"]),
        (&serde_json::json!("f64"), &serde_json::json!(8))
    );
}

#[test]
fn a_command_that_does_not_read_its_question_may_answer_too() {
    asked(&say(ANSWER)).planned(GRAPH);
}

#[test]
fn what_a_command_refuses_stands_at_the_key_it_is_about() {
    let refusal = |error: &str| asked(&format!("{}\nexit 1", say(error))).refused(GRAPH);
    for (error, expected) in [
        (
            r#"{"error": {"parameter": {"key": "cutoff_hz", "why": "too low for this rate; choose 20"}}}"#,
            "too low for this rate; choose 20, in `stage.average.params.cutoff_hz`",
        ),
        (
            r#"{"error": {"input": {"port": "frames", "why": "an odd number of channels; select an even one"}}}"#,
            "stream `raw`: an odd number of channels; select an even one, in `stage.average.in.frames`",
        ),
        (
            r#"{"error": {"resource": {"what": "weights.npy", "why": "no such file; run train.py first"}}}"#,
            "weights.npy: no such file; run train.py first, in `stage.average`",
        ),
        (
            r#"{"error": "no"}"#,
            "its refusal `\"no\"` cannot be read; write {\"error\": ",
        ),
    ] {
        let lines = refusal(error);
        assert!(
            lines.contains(expected),
            "wanted {expected}\ngot    {lines}"
        );
        assert_eq!(lines.lines().count(), 1, "{lines}");
    }
}

#[test]
fn an_answer_that_cannot_be_used_is_refused_with_what_was_said() {
    let spoilt = |from: &str, to: &str| say(&ANSWER.replace(from, to));
    for (lines, expected) in [
        (
            say("loading weights"),
            "its answer `loading weights` is not JSON",
        ),
        (
            "exit 0".to_owned(),
            "it answered nothing; it must print JSON on stdout",
        ),
        (say("[1, 2]"), "its answer is `[1,2]`, not a JSON object"),
        (
            spoilt("settle_frames", "settle_frame"),
            "unknown key `settle_frame`; did you mean `settle_frames`?",
        ),
        (
            spoilt("\"f32\"", "\"float\""),
            "its answer does not fit: unknown variant `float`",
        ),
        (
            spoilt("\"mean\"", "\"means\""),
            "it describes the output `means`, which its manifest does not have; did you mean `mean`?",
        ),
        (say(r#"{"outputs": []}"#), "makes nothing on this port"),
        (
            spoilt("\"length\": 2}", "\"length\": 0}"),
            "makes a stream that cannot be: the axis `channel` has no element",
        ),
        (
            spoilt("\"settle_frames\": 40", "\"parts_per_call\": 0"),
            "`parts_per_call` is 0",
        ),
        (
            "echo 'Traceback' >&2; echo 'ImportError: no numpy' >&2; echo >&2; exit 3".to_owned(),
            "it failed (exit status: 3); it says `ImportError: no numpy`",
        ),
        ("kill -9 $$".to_owned(), "it failed (signal: 9 (SIGKILL))"),
        (
            "head -c 5000000 /dev/zero".to_owned(),
            "its answer is longer than 4194304 bytes",
        ),
    ] {
        let refused = asked(&lines).refused(GRAPH);
        assert!(
            refused.contains(expected),
            "wanted {expected}\ngot    {refused}"
        );
        assert_eq!(refused.lines().count(), 1, "{refused}");
        assert!(refused.len() < 900, "{} bytes", refused.len());
    }
}

/// True if the process that a script named in this file is there.
fn lives(pid_file: &Path) -> bool {
    let pid = std::fs::read_to_string(pid_file).unwrap_or_else(|error| panic!("{error}"));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    // A zombie waits for its new parent and does nothing any more.
    !stat.is_empty() && !stat.contains(") Z ")
}

fn gone_soon(pid_file: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while lives(pid_file) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

#[test]
fn a_command_that_does_not_answer_is_killed_with_all_it_has_started() {
    let module = asked("sleep 600 & echo $! > child; echo $$ > own; wait");
    let lines = module.refused(GRAPH);
    assert!(
        lines.contains("no answer within 2s, it was killed"),
        "{lines}"
    );
    assert!(
        lines.contains("/stage.sh --seed 7 --ephapse-describe`"),
        "{lines}"
    );
    for name in ["child", "own"] {
        assert!(
            gone_soon(&module.path().join("stages/average").join(name)),
            "{name} still runs"
        );
    }
}

#[test]
fn what_an_answering_command_leaves_behind_is_killed() {
    let module = asked(&format!("sleep 600 & echo $! > child\n{}", say(ANSWER)));
    module.planned(GRAPH);
    assert!(gone_soon(&module.path().join("stages/average/child")));
}
