//! What stages write to stdout and stderr: kept, stamped, bounded, shown; and nobody is held by it.

use crate::finished::Report;
use crate::languages::own_stages::{as_stage, command_of, lay_out};
use crate::place::{Place, Running, signal, wait_until};
use crate::restarts::pid_of;
use crate::turns::alone;
use ephapse_engine::abi::{segment, stage_state};
use ephapse_engine::launch::segment_name;
use ephapse_engine::runner::memory::StageMemory;
use ephapse_engine::shm::{Access, Segment};
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_engine::sync::Ordering;
use ephapse_rtconfig::stream_type::StreamType;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// A stage that talks. What it writes goes past libtest, which keeps what `println!` writes to itself.
struct Talker {
    params: Talk,
    said: u64,
    blocks: u64,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Talk {
    /// Lines per block on stdout, each with its number.
    lines: u64,
    /// Bytes to which each is filled up.
    #[serde(default)]
    bytes: usize,
    /// How many it has written, in the end.
    #[serde(default)]
    count: String,
    /// Instead: `refuse` to start, leave a line `unfinished`, say it to `both` streams and to stderr `again` and again.
    #[serde(default)]
    how: String,
}

fn out(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

fn err(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

impl Stage for Talker {
    const KIND: &'static str = "test.talker";
    const ABOUT: &'static str = "Talks.";
    const ROLE: Role = Role::Sink;
    const PORTS: Ports = Ports {
        inputs: &["in"],
        outputs: &[],
    };
    type Params = Talk;

    fn describe(_: &Talk, _: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described::default())
    }

    fn prepare(params: Talk, _: &[(&str, &StreamType)], _: &Described) -> Result<Self, StageError> {
        if params.how == "refuse" {
            err("looking for the electrode\nthe electrode is not there\n");
            return Err(StageError::resource("electrode", "is not there"));
        }
        Ok(Talker {
            params,
            said: 0,
            blocks: 0,
        })
    }

    fn process(&mut self, _: &mut Ctx<'_>, _: &Inputs<'_>, _: &mut Outputs<'_>) -> Next {
        self.blocks += 1;
        match (self.params.how.as_str(), self.blocks) {
            ("both", 1) => {
                out("\x1b[32mgreen\x1b[0m on stdout\n");
                err("on stderr\n");
            }
            ("both", 2..=101) => err("again\n"),
            ("both", 102) => err("another\n"),
            ("unfinished", 20) => out("half a line"),
            _ => {}
        }
        let mut text = String::new();
        for _ in 0..self.params.lines {
            let line = format!("line {} ", self.said);
            let width = self.params.bytes;
            text += &format!("{line:x<width$}\n");
            self.said += 1;
        }
        if !text.is_empty() {
            out(&text);
        }
        Next::Continue
    }

    fn reset(&mut self, _: &mut [u8]) {}

    fn finish(&mut self, _: &mut Ctx<'_>, _: &mut Outputs<'_>) {
        if !self.params.count.is_empty() {
            fs::write(&self.params.count, self.said.to_string()).unwrap();
        }
    }
}

#[test]
#[ignore = "a stage, for the launcher"]
fn talker() {
    as_stage::<Talker>();
    if std::env::var_os("EPHAPSE_STAGE").is_some() {
        // What libtest has to say about it is not what is counted.
        std::process::exit(0);
    }
}

/// A loop of stages in real time, and a talker that looks on.
fn lay_out_graph(place: &Place, params: &str) {
    let command = command_of("logs::talker");
    let manifest = format!(
        "name = \"test.talker\"\nabout = \"Talks.\"\nrole = \"sink\"\n{command}\n[in.in]\n\
         [params.lines]\ntype = \"i64\"\nunit = \"1\"\n[params.bytes]\ntype = \"i64\"\nunit = \"1\"\ndefault = 0\n\
         [params.count]\ntype = \"string\"\ndefault = \"\"\n[params.how]\ntype = \"string\"\ndefault = \"\"\n"
    );
    lay_out(place, "talker", &manifest, &[]);
    let graph = format!(
        r#"
name = "talk"
record = []
timer = {{ period_ns = 1_000_000, cpu = 0 }}

[modules]
path = ["."]

[defaults]
cpu = 1

[stage.source]
use = "acquire.synthetic"
cpu = 0
params = {{ channels = 8 }}
out = {{ frames = "raw" }}

[stage.band]
use = "filter.bandpass"
params = {{ low_hz = 300.0, high_hz = 3000.0 }}
in = {{ frames = "raw" }}
out = {{ frames = "filtered" }}

[stage.talker]
use = "test.talker"
policy = "other"
pace = "data"
on_death = "restart"
params = {params}
in = {{ in = {{ from = "raw", seat = "lap" }} }}
"#
    );
    place.write("talk.toml", &graph);
}

/// The entries of the log that lies beside the report, of these kinds.
fn entries(place: &Place, kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(place.report().join("logs.jsonl")).unwrap();
    let all = text.lines().map(|l| serde_json::from_str(l).unwrap());
    all.filter(|e: &Value| e["kind"] == kind).collect()
}

fn lines_of(entry: &Value) -> u64 {
    entry["lines"].as_u64().unwrap()
}

/// What the talker has said, by the report.
fn account(report: &Report) -> &Value {
    let said = report.0["logs"]["said"].as_array().unwrap();
    said.iter().find(|s| s["stage"] == "talker").unwrap()
}

fn number(value: &Value, key: &str) -> u64 {
    value[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no `{key}` in {value}"))
}

#[test]
fn what_a_stage_says_is_kept_beside_the_report_with_time_tick_and_stage_and_shown() {
    let _turn = alone();
    let place = Place::new();
    lay_out_graph(&place, r#"{ lines = 0, how = "both" }"#);
    let run = place.run_session(&["run", "talk.toml", "--duration", "1s"], 60);
    let run = run.expect(0);
    place.expect_nothing_left();
    // While it ran, it was shown too.
    assert!(
        run.stderr.contains("talker: green on stdout\n"),
        "{}",
        run.stderr
    );
    let report = Report::read(&place.report());
    let path = report.0["logs"]["path"].as_str().unwrap();
    assert_eq!(Path::new(path), place.report().join("logs.jsonl"));
    assert!(run.stdout.contains("kept in "), "{}", run.stdout);
    let account = account(&report);
    assert_eq!(number(account, "repeated"), 99, "{account}");
    assert_eq!(number(account, "not_kept"), 0, "{account}");
    let lines = entries(&place, "line");
    let find = |text: &str| {
        let found = lines.iter().find(|l| l["text"] == text);
        found.unwrap_or_else(|| panic!("no `{text}` in {lines:?}"))
    };
    let green = find("green on stdout");
    assert_eq!(green["from"], "stdout");
    assert_eq!(find("on stderr")["from"], "stderr");
    assert!(number(green, "realtime_ns") > 1 << 60, "{green}");
    let after_ns = number(green, "after_start_ns");
    let tick = number(green, "tick");
    assert!(
        tick.abs_diff(after_ns / 1_000_000) < 1000 && tick > 0,
        "{green}"
    );
    // The hundred that were the same are one line, a count, and in order.
    let again = find("again");
    let repeated = entries(&place, "repeated");
    assert_eq!(repeated.iter().map(lines_of).sum::<u64>(), 99);
    assert!(number(again, "tick") <= number(find("another"), "tick"));

    let report = place.report();
    let folder = report.to_str().unwrap();
    let shown = place.run(&["logs", "--report", folder, "talker"]).expect(0);
    assert!(
        shown.stdout.contains(" talker! on stderr\n"),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains(" talker! ... "), "{}", shown.stdout);
    let silent = place.run(&["logs", "--report", folder, "band"]).expect(0);
    assert_eq!(silent.stdout, "");
    let json = place.run(&["logs", "--report", folder, "--json"]).expect(0);
    assert_eq!(
        json.stdout,
        fs::read_to_string(report.join("logs.jsonl")).unwrap()
    );
    let refused = place.run(&["logs", "--report", folder, "tlker"]).expect(1);
    let line = refused.only_line();
    assert!(line.ends_with("did you mean `talker`?"), "{line}");
    let refused = place.run(&["logs"]).expect(1);
    assert!(
        refused.only_line().contains("--report"),
        "{}",
        refused.stderr
    );
}

#[test]
fn logs_can_be_followed_until_the_session_ends() {
    let _turn = alone();
    let place = Place::new();
    lay_out_graph(&place, r#"{ lines = 0, how = "both" }"#);
    let run = place.start(place.session_command(&["run", "talk.toml", "--duration", "2s"]));
    wait_until("there is a log", 60, || {
        place.report().join("logs.jsonl").exists() && pid_of(&place, "talker").is_some()
    });
    let follow = place.command(&["logs", "-f", "--session", place.session(), "--json"]);
    let follow = place.start(follow);
    run.wait(60).expect(0);
    let followed = follow.wait(5).expect(0);
    assert_eq!(
        followed.stdout,
        fs::read_to_string(place.report().join("logs.jsonl")).unwrap()
    );
}

#[test]
fn a_stage_that_logs_without_end_slows_nobody_and_every_line_is_kept_or_counted() {
    let _turn = alone();
    let place = Place::new();
    let count = place.path().join("count");
    // 20 MB per second.
    let params = format!(
        "{{ lines = 200, bytes = 100, count = {:?} }}",
        count.display().to_string()
    );
    lay_out_graph(&place, &params);
    let arguments = ["run", "talk.toml", "--duration", "3s", "--json"];
    let run = place.run_session(&arguments, 90).expect(0);
    place.expect_nothing_left();
    for line in run.stdout.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
    let report = Report::read(&place.report());
    report.expect_accounts(&["ticks", "rings", "edges", "sources"]);
    for source in report.list("sources") {
        assert_eq!(source["lost"], 0, "{source}");
    }
    let account = account(&report);
    let written: u64 = fs::read_to_string(&count).unwrap().parse().unwrap();
    assert!(written > 10_000, "{written}");
    // libtest has said something first.
    let lines = entries(&place, "line");
    let ours = |l: &&Value| l["text"].as_str().is_some_and(|t| t.starts_with("line "));
    let others = lines
        .iter()
        .filter(|l| l["stage"] == "talker" && !ours(l))
        .count() as u64;
    assert_eq!(number(account, "lines"), written + others, "{account}");
    let parts = ["kept", "repeated", "not_kept"].map(|key| number(account, key));
    assert_eq!(parts.iter().sum::<u64>(), written + others, "{account}");
    // The file says the same as the report.
    assert_eq!(
        lines.iter().filter(|l| l["stage"] == "talker").count() as u64,
        parts[0]
    );
    let not_kept = entries(&place, "not_kept");
    assert_eq!(not_kept.iter().map(lines_of).sum::<u64>(), parts[2]);
    assert!(parts[2] > 0, "{account}");
    // Its last line is always known.
    let last = format!("line {} ", written - 1);
    assert!(
        lines
            .iter()
            .any(|l| l["text"].as_str().is_some_and(|t| t.starts_with(&last))),
        "no {last}"
    );
    let bytes = fs::metadata(place.report().join("logs.jsonl"))
        .unwrap()
        .len();
    assert!(bytes < 2 << 20, "{bytes}");
}

#[test]
fn a_line_that_death_cuts_off_is_kept_and_is_the_reason_that_is_told() {
    let _turn = alone();
    let place = Place::new();
    lay_out_graph(&place, r#"{ lines = 0, how = "unfinished" }"#);
    let run = place.start(place.session_command(&["run", "talk.toml", "--duration", "60s"]));
    running(&place, &run);
    // It has not ended its line, and never will.
    std::thread::sleep(Duration::from_millis(300));
    signal(pid_of(&place, "talker").unwrap(), "KILL");
    wait_until("its successor is there", 20, || {
        place
            .run(&["status", place.session(), "--json"])
            .stdout
            .contains("\"generation\":2")
    });
    run.signal("INT");
    run.wait(20).expect(0);
    let report = Report::read(&place.report());
    let restart = report.list("restarts")[0]["what"].as_str().unwrap();
    assert!(restart.contains("half a line"), "{restart}");
    let lines = entries(&place, "line");
    let half = lines.iter().find(|l| l["text"] == "half a line").unwrap();
    assert_eq!(half["unfinished"], true);
}

#[test]
fn stages_that_log_while_the_launcher_is_killed_switch_off_and_leave_in_order() {
    let _turn = alone();
    let place = Place::new();
    // In one block more than a pipe holds: nobody reads it when the launcher is gone.
    lay_out_graph(&place, "{ lines = 2000, bytes = 1000 }");
    let run = place.start(place.session_command(&["run", "talk.toml", "--duration", "60s"]));
    running(&place, &run);
    let memories: Vec<StageMemory> = ["talker", "band", "source"]
        .iter()
        .map(|stage| memory(&place, stage))
        .collect();
    let follow = place.start(place.command(&["logs", "-f", "--session", place.session()]));
    std::thread::sleep(Duration::from_millis(300));
    run.signal("KILL");
    assert_eq!(run.wait(5).code, None);
    wait_until("the session's processes are gone", 2, || {
        let lives = |name: &str| {
            pid_of(&place, name).is_some_and(|pid| Path::new(&format!("/proc/{pid}/exe")).exists())
        };
        !["timer", "source", "band", "talker"].into_iter().any(lives)
    });
    for memory in memories {
        let state = memory.words.state.load(Ordering::Acquire);
        assert_eq!(state, stage_state::DONE, "it was ended by something else");
    }
    let followed = follow.wait(5).expect(0);
    assert!(followed.stderr.contains("is gone"), "{}", followed.stderr);
    // What it said is there after all of it is gone.
    place.run(&["gc"]).expect(0);
    place.expect_nothing_left();
    let report = place.report();
    let folder = report.to_str().unwrap();
    let shown = place.run(&["logs", "--report", folder, "talker"]).expect(0);
    assert!(shown.stdout.contains(" line 0 "), "{}", shown.stdout);
    assert_eq!(entries(&place, "end"), Vec::<Value>::new());
}

#[test]
fn a_session_that_fails_to_start_shows_what_the_failing_stage_said() {
    let _turn = alone();
    let place = Place::new();
    lay_out_graph(&place, r#"{ lines = 0, how = "refuse" }"#);
    let run = place.run_session(&["run", "talk.toml", "--duration", "1s"], 60);
    let run = run.expect(1);
    place.expect_nothing_left();
    let lines: Vec<&str> = run.stderr.lines().collect();
    let at = lines
        .iter()
        .position(|l| *l == "talker! looking for the electrode");
    let at = at.unwrap_or_else(|| panic!("{}", run.stderr));
    assert_eq!(lines[at + 1], "talker! the electrode is not there");
    let last = lines.last().unwrap();
    assert!(last.starts_with("ephapse: talker: "), "{last}");
    let report = place.report();
    let folder = report.to_str().unwrap();
    let shown = place.run(&["logs", "--report", folder]).expect(0);
    assert!(
        shown.stdout.contains("talker! looking for"),
        "{}",
        shown.stdout
    );
    assert_eq!(entries(&place, "end").len(), 1);
}

/// Waits until the session runs.
#[track_caller]
fn running(place: &Place, run: &Running) {
    wait_until("the session runs", 60, || {
        assert!(run.is_running(), "the run is over");
        let ended = place.run(&["status", "--json"]).expect(0);
        let all: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
        all.iter()
            .any(|s| s["state"] == "running" && s["tick"].as_u64() > Some(200))
    });
}

/// A stage's words, for who only watches.
fn memory(place: &Place, stage: &str) -> StageMemory {
    let name = segment_name(place.session(), &format!("stage.{stage}"));
    let segment = Segment::open(&name, segment::STAGE, Access::ReadOnly).unwrap();
    StageMemory::attach(&segment, Access::ReadOnly).unwrap()
}
