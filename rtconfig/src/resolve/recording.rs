//! What is recorded, and where the recorder sits.

use super::rings::bytes_of;
use super::wiring::Wiring;
use crate::graph::{Graph, RecordTable};
use crate::plan::{Plan, Reader, RecordedStream, RecorderPlan, SeatKind, SeatPlan};
use crate::problem::{Problem, suggest};
use crate::recording::bytes_per_second;

const SPOOL_S: f64 = 5.0;
const LEAST_SPOOL_S: f64 = 0.1;
/// A spool that the graph does not ask for takes at most so much.
const MOST_BYTES: u64 = 512 << 20;
const SYNC_S: f64 = 1.0;
/// The word for every stream.
const ALL: &str = "all";

/// Decides what is recorded: streams as indices in the wiring, which are those in the plan. `None`: nothing.
pub fn decide(
    graph: &Graph,
    wiring: &Wiring<'_>,
    problems: &mut Vec<Problem>,
) -> Option<RecorderPlan> {
    let keys = &graph.keys().record.0;
    check_ranges(graph, keys, problems);
    let streams = streams(graph, wiring, keys, problems);
    (!streams.is_empty()).then(|| RecorderPlan {
        streams: streams
            .into_iter()
            .map(|stream| RecordedStream { stream, seat: 0 })
            .collect(),
        spool_s: keys.spool_s.unwrap_or(SPOOL_S),
        sync_s: keys.sync_s.unwrap_or(SYNC_S),
        roll_bytes: keys.roll_bytes,
        roll_s: keys.roll_s,
        path: keys.path.as_ref().map(|path| {
            let place = graph.place_of(&["record", "path"]);
            place.settle(path)
        }),
    })
}

/// Where a key of the recording was written: in the table, or it is the list itself.
fn place(graph: &Graph, key: &'static str) -> Vec<&'static str> {
    if graph.node(&["record", key]).is_some() {
        vec!["record", key]
    } else {
        vec!["record"]
    }
}

fn check_ranges(graph: &Graph, keys: &RecordTable, problems: &mut Vec<Problem>) {
    let mut refuse = |key: &'static str, what: String, remedy: &str| {
        problems.push(graph.problem(&place(graph, key), what, remedy));
    };
    if let Some(s) = keys.spool_s
        && !(0.1..=600.0).contains(&s)
    {
        let what = format!("a spool of {s} s is not one of 0.1 to 600 s");
        refuse("spool_s", what, "choose a few seconds, such as 5.0");
    }
    if let Some(s) = keys.sync_s
        && !(0.05..=3600.0).contains(&s)
    {
        let what = format!("a flush every {s} s is not one every 0.05 to 3600 s");
        refuse("sync_s", what, "choose 1.0");
    }
    if let Some(bytes) = keys.roll_bytes
        && bytes < 1 << 20
    {
        let what = format!("files of {bytes} bytes would hold next to nothing");
        refuse("roll_bytes", what, "choose 1048576 (1 MiB) or more");
    }
    if let Some(s) = keys.roll_s
        && !(s >= 1.0 && s.is_finite())
    {
        let what = format!("files of {s} s would hold next to nothing");
        refuse("roll_s", what, "choose 1.0 or more");
    }
    if keys.path.as_ref().is_some_and(String::is_empty) {
        refuse("path", "the folder has no name".into(), "name a folder");
    }
}

fn streams(
    graph: &Graph,
    wiring: &Wiring<'_>,
    keys: &RecordTable,
    problems: &mut Vec<Problem>,
) -> Vec<usize> {
    let all = || (0..wiring.streams.len()).collect();
    let Some(names) = &keys.streams else {
        return all();
    };
    let mut refuse = |what: String, remedy: String| {
        problems.push(graph.problem(&place(graph, "streams"), what, remedy));
    };
    let known: Vec<&str> = wiring.streams.iter().map(|s| s.name).collect();
    let mut chosen = Vec::new();
    for name in names {
        if name == ALL {
            if names.len() > 1 {
                refuse(
                    "`all` stands beside names of streams".into(),
                    "write [\"all\"], or the names alone".into(),
                );
            }
            return all();
        }
        match known.iter().position(|known| known == name) {
            None => refuse(
                format!("there is no stream `{name}` to record"),
                suggest(name, &known),
            ),
            Some(stream) if chosen.contains(&stream) => refuse(
                format!("`{name}` is named twice"),
                "name every stream once".into(),
            ),
            Some(stream) => chosen.push(stream),
        }
    }
    chosen.sort_unstable();
    chosen
}

/// Seconds of spool if the graph says nothing: [`SPOOL_S`], or fewer where those would take much memory.
fn affordable_s(plan: &Plan, recorder: &RecorderPlan, shm_free_bytes: Option<u64>) -> f64 {
    let rings: u64 = plan.streams.iter().map(bytes_of).sum();
    let half_of_rest = shm_free_bytes.map_or(u64::MAX, |free| free.saturating_sub(rings) / 2);
    let most = half_of_rest.min(MOST_BYTES) as f64;
    let affordable = most / bytes_per_second(plan, recorder).max(1.0);
    // Milliseconds: the number is shown, and stands in the resolved graph.
    let affordable = (affordable * 1e3).floor() / 1e3;
    affordable.clamp(LEAST_SPOOL_S, SPOOL_S)
}

/// Gives the recorder the last seat of every stream it keeps. In a paced run it must hold nobody back; in logical time
/// waiting costs nothing, and nothing may be lost.
pub fn seat(
    graph: &Graph,
    plan: &mut Plan,
    recorder: Option<RecorderPlan>,
    shm_free_bytes: Option<u64>,
) {
    let Some(mut recorder) = recorder else { return };
    let kind = match plan.timer {
        Some(_) => SeatKind::Lap,
        None => SeatKind::Hold,
    };
    for recorded in &mut recorder.streams {
        let stream = &mut plan.streams[recorded.stream];
        recorded.seat = u32::try_from(stream.seats.len()).unwrap_or(u32::MAX);
        stream.seats.push(SeatPlan {
            reader: Reader::Recorder,
            port: stream.name.clone(),
            kind,
        });
    }
    if graph.keys().record.0.spool_s.is_none() {
        recorder.spool_s = affordable_s(plan, &recorder, shm_free_bytes);
    }
    plan.recorder = Some(recorder);
}
