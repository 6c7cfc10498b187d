//! What a stage asks of the kernel, activation by activation: nothing between its wake and its last store, and behind that
//! no more than the engine promises. Seen by tracing stages of running sessions.

use crate::place::{Place, wait_until};
use crate::tracer::{Counted, Records, Trace, activations, begins, out_of_order, trace};
use crate::turns::alone;
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

/// A stage that is traced, behind a source and before a reader; the keys that place them are given. The ring between
/// them lasts a second, so that nobody has to wait for room while the machine does something else.
fn graph(traced: &str, reader: &str) -> String {
    format!(
        r#"
name = "traced"
timer = {{ period_ns = 2_000_000, cpu = 0 }}

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
{traced}

[stage.detect]
use = "detect.threshold"
params = {{ calibrate_s = 0.1 }}
in = {{ frames = "filtered" }}
out = {{ spikes = "spikes" }}
{reader}

[stream]
filtered = {{ slots = 1024 }}
"#
    )
}

/// Records to see: behind a stall, one activation may have eight of them.
const RECORDS: u64 = 600;
/// For at most so long.
const WITHIN: Duration = Duration::from_secs(4);
/// Fewer activations than this prove nothing.
const FEWEST: usize = 50;

fn pid_of(place: &Place, stage: &str) -> Option<u32> {
    let told = place.run(&["status", "--json"]).expect(0).stdout;
    let sessions: Value = serde_json::from_str(&told).unwrap();
    let session = sessions
        .as_array()?
        .iter()
        .find(|s| s["state"] == "running")?;
    let processes = session["processes"].as_array()?;
    let process = processes.iter().find(|p| p["name"] == stage)?;
    u32::try_from(process["pid"].as_u64()?).ok()
}

/// Traces a stage of a session. `None` where that is not permitted.
fn traced(graph: &str, stage: &str) -> Option<Trace> {
    let place = Place::new();
    place.write("traced.toml", graph);
    let session = place.start(place.session_command(&["run", "traced.toml"]));
    let mut pid = None;
    wait_until("the session runs", 20, || {
        pid = pid_of(&place, stage);
        pid.is_some()
    });
    let records = Records::of(place.session(), stage);
    wait_until("the stage has begun", 10, || records.published() > 5);
    let seen = trace(pid?, &records, RECORDS, WITHIN);
    // Its accounts are other tests' business: here a stage was held up at every call.
    session.signal("INT");
    session.wait(15);
    place.expect_nothing_left();
    match seen {
        Ok(seen) => Some(seen),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            // Not `println!`, which shows nothing of a test that passes.
            let notice = format!("SKIPPED: this user may not trace its processes ({error})\n");
            std::io::stderr().write_all(notice.as_bytes()).unwrap();
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// What holds in every mode. Returns the calls by activation.
#[track_caller]
fn expect_order(trace: &Trace) -> Vec<Counted> {
    let wrong = out_of_order(trace);
    assert!(
        wrong.is_empty(),
        "{} of {} calls stand between a wake and its last store:\n{}",
        wrong.len(),
        trace.calls.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
    let counted = activations(trace);
    assert!(counted.len() >= FEWEST, "{} activations", counted.len());
    for activation in &counted {
        assert_eq!(activation.usage_reads, 1, "{activation:?}");
        assert!(activation.others.is_empty(), "{activation:?}");
    }
    let looks = trace.calls.iter().filter(|c| c.looks_at_the_lifeline());
    let (looks, tenths) = (looks.count() as u64, trace.length_ns / 100_000_000);
    assert!(
        looks <= tenths + 2,
        "{looks} looks at the lifeline in {tenths} tenths of a second"
    );
    counted
}

#[test]
fn a_ticked_stage_enters_the_kernel_to_read_its_usage_and_to_wait_and_rings_nobody_who_is_awake() {
    let _turn = alone();
    let graph = graph("cpu = 1\npace = \"tick\"", "cpu = 1\npace = \"tick\"");
    let Some(trace) = traced(&graph, "band") else {
        return;
    };
    expect_order(&trace);
    let waits = trace.calls.iter().filter(|c| c.waits()).count();
    assert!(waits > 0, "it never waited");
    // Two blocks come per tick. The second turn of a burst takes no look at the clock to say when it began.
    let further = trace.records.windows(2).filter(|pair| !begins(&pair[1]));
    let begun: Vec<_> = further
        .map(|pair| (pair[0].committed_ns, pair[1].woke_ns))
        .collect();
    assert!(!begun.is_empty(), "no activation had two turns");
    assert!(begun.iter().all(|(done, begun)| done == begun), "{begun:?}");
    let futex = trace.calls.iter().filter(|c| c.number == libc::SYS_futex);
    assert_eq!(futex.count(), 0, "its reader is ticked");
}

#[test]
fn a_stage_paced_by_data_sleeps_and_rings_at_most_once_per_activation() {
    let _turn = alone();
    let graph = graph("cpu = 1\npace = \"data\"", "cpu = 1\npace = \"data\"");
    let Some(trace) = traced(&graph, "band") else {
        return;
    };
    let counted = expect_order(&trace);
    for activation in &counted {
        assert!(activation.bells_rung <= 1, "{activation:?}");
        // A bell that comes after its block was seen ends a second sleep: at most one, for there is one bell per block.
        assert!(activation.bells_slept_on <= 2, "{activation:?}");
    }
    let rung: usize = counted.iter().map(|c| c.bells_rung).sum();
    let slept: usize = counted.iter().map(|c| c.bells_slept_on).sum();
    assert!(rung > 0, "its reader sleeps, and was never rung");
    assert!(slept > 0, "it never slept");
    assert!(
        slept <= counted.len() + 1,
        "{slept} sleeps in {} activations",
        counted.len()
    );
}

#[test]
fn a_spinning_stage_reads_its_usage_once_per_activation_and_asks_nothing_else() {
    let _turn = alone();
    let graph = graph(
        "cpu = 1\npace = \"data\"\nwait = \"spin\"",
        "cpu = 0\npace = \"tick\"",
    );
    let Some(trace) = traced(&graph, "band") else {
        return;
    };
    expect_order(&trace);
    let waits = trace.calls.iter().filter(|c| c.waits()).count();
    assert_eq!(waits, 0, "it spins");
    let futex = trace.calls.iter().filter(|c| c.number == libc::SYS_futex);
    assert_eq!(futex.count(), 0, "its reader is ticked");
}

#[test]
fn a_spinning_stage_is_not_taken_for_a_runaway() {
    let _turn = alone();
    let place = Place::new();
    let graph = graph(
        "cpu = 1\npace = \"data\"\nwait = \"spin\"",
        "cpu = 0\npace = \"tick\"",
    );
    place.write("spin.toml", &graph);
    // A FIFO stage that uses its CPU for a second without blocking is killed; a spinner never blocks.
    let run = ["run", "spin.toml", "--duration", "2s"];
    place.run_session(&run, 30).expect(0);
    place.expect_nothing_left();
}

#[test]
fn a_source_with_a_clock_sleeps_before_its_wake_and_rings_its_reader_behind_its_record() {
    let _turn = alone();
    let graph = graph("cpu = 1\npace = \"data\"", "cpu = 1\npace = \"tick\"");
    let Some(trace) = traced(&graph, "source") else {
        return;
    };
    let counted = expect_order(&trace);
    for activation in &counted {
        assert_eq!(activation.bells_slept_on, 0, "{activation:?}");
        assert!(activation.bells_rung <= 1, "{activation:?}");
    }
    assert!(
        counted.iter().any(|c| c.bells_rung == 1),
        "its reader sleeps, and was never rung"
    );
}
