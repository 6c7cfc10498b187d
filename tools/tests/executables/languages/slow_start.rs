//! A stage that takes longer to start than a running one may be silent.

use super::own_stages::{as_stage, command_of, lay_out};
use crate::finished::Report;
use crate::place::{Place, wait_until};
use crate::restarts::kill_at_random;
use crate::turns::alone;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::StreamType;
use std::time::Duration;

/// A running stage that is silent for 2 s is ended.
const START: Duration = Duration::from_millis(2500);
/// Long enough for a launcher to look in between start and the end of the first activation.
const ACTIVATION: Duration = Duration::from_millis(20);

/// Ten blocks a second.
const GRAPH: &str = r#"
name = "slow"
timer = { period_ns = 100_000_000, cpu = 0 }

[modules]
path = ["."]

[stage.source]
use = "acquire.synthetic"
cpu = 0
params = { channels = 1, rate_hz = 1000.0, block_frames = 100 }
out = { frames = "raw" }

[stage.slow]
use = "test.slow"
pace = "data"
policy = "other"
cpu = 1
on_death = "restart"
in = { in = "raw" }

[stream]
raw = { slots = 128 }
"#;

/// Opens something large, so to speak, and then takes its time over each block.
struct Slow;

impl Stage for Slow {
    const KIND: &'static str = "test.slow";
    const ABOUT: &'static str = "Takes long to start.";
    const ROLE: Role = Role::Sink;
    const PORTS: Ports = Ports {
        inputs: &["in"],
        outputs: &[],
    };
    type Params = Nothing;

    fn describe(_: &Nothing, _: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described::default())
    }

    fn prepare(_: Nothing, _: &[(&str, &StreamType)], _: &Described) -> Result<Self, StageError> {
        std::thread::sleep(START);
        Ok(Slow)
    }

    fn process(&mut self, _: &mut Ctx<'_>, _: &Inputs<'_>, _: &mut Outputs<'_>) -> Next {
        std::thread::sleep(ACTIVATION);
        Next::Continue
    }

    fn reset(&mut self, _: &mut [u8]) {}
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

#[test]
#[ignore = "a stage, for the launcher"]
fn slow() {
    as_stage::<Slow>();
}

#[test]
fn the_time_that_a_stage_takes_to_start_again_is_no_silence() {
    let _turn = alone();
    let place = Place::new();
    let manifest = format!(
        "name = \"test.slow\"\nabout = \"Takes long to start.\"\nrole = \"sink\"\n{}\n[in.in]\n",
        command_of("languages::slow_start::slow")
    );
    lay_out(&place, "slow", &manifest, &[]);
    place.write("slow.toml", GRAPH);
    let run = place.start(place.session_command(&[
        "run",
        "slow.toml",
        "--duration",
        "10s",
        "--record",
        "off",
    ]));
    wait_until("the session runs", 60, || {
        assert!(run.is_running(), "it is over: see the report");
        place.run(&["status"]).expect(0).stdout.contains("running")
    });
    kill_at_random(&place, &run, &["slow"], 1);
    run.wait(60).expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    report.expect_accounts(&["rings", "edges", "sources"]);
    let [restart] = report.list("restarts") else {
        panic!("{:?}", report.list("restarts"));
    };
    let what = restart["what"].as_str().unwrap();
    assert!(what.starts_with("died (signal: 9 (SIGKILL))"), "{what}");
}
