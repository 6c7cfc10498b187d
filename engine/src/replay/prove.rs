//! A capture replayed and judged.

use super::finding::earliest;
use super::planned::{self, ParamChange, ReplayError};
use super::{Difference, StreamFinding};
use crate::abi::circumstance;
use crate::capture::{Capture, RecordedActivation};
use crate::launch::{self, Live, Options};
use crate::outcome::Outcome;
use ephapse_rtconfig::describe::Described;
use ephapse_rtconfig::plan::{ReplayPart, StagePlan};
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How a capture is replayed.
pub struct ProofOptions<'a> {
    /// So many times faster than it was; `None`: as fast as it goes.
    pub speed: Option<f64>,
    /// Parameters that are to be others than they were.
    pub changes: Vec<ParamChange>,
    /// Folder that the processes leave their findings in, made and removed.
    pub findings: PathBuf,
    /// As in [`Options`].
    pub lean_program: PathBuf,
    /// As in [`Options`].
    pub full_program: (PathBuf, Vec<String>),
    /// As in [`Options`].
    pub interrupts: Arc<AtomicU32>,
    /// As in [`Options`].
    pub live: &'a mut dyn FnMut(&Live),
    /// Asks a stage what it is with these parameters.
    pub describe: &'a dyn Fn(&StagePlan, &Value) -> Result<Described, String>,
}

/// What a replay came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofVerdict {
    /// Everything that was made again is bit for bit what was recorded.
    Identical,
    /// Something is not.
    Differs,
    /// Something that must be known is not in the capture, or the replay did not come to its end.
    Unproved,
}

/// A replay and what it proves.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// The capture.
    pub capture: PathBuf,
    /// What it came to.
    pub verdict: ProofVerdict,
    /// Blocks compared on the streams that stimulators read; failing those, on the streams that nobody reads.
    pub decisions: u64,
    /// Those streams.
    pub decision_streams: Vec<String>,
    /// Blocks compared on all streams.
    pub blocks: u64,
    /// Where it first differs: the finding of that stream.
    pub first: Option<StreamFinding>,
    /// Why it is unproved; empty if it is not.
    pub why: String,
    /// Every stream that was made again.
    pub streams: Vec<StreamFinding>,
    /// Time it took, ns.
    pub duration_ns: u64,
}

impl Proof {
    /// 0 identical, 1 unproved, 2 it differs.
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            ProofVerdict::Identical => 0,
            ProofVerdict::Unproved => 1,
            ProofVerdict::Differs => 2,
        }
    }

    /// One line, as report and certificate have it.
    pub fn line(&self) -> String {
        let first = self
            .first
            .as_ref()
            .and_then(|f| Some((f, f.first.as_ref()?)));
        match (self.verdict, first) {
            (ProofVerdict::Identical, _) => {
                format!("replays: identical ({} decisions)", grouped(self.decisions))
            }
            (ProofVerdict::Differs, Some((finding, first))) => format!(
                "replays: DIFFERENT from tick {} on: stage `{}`, stream `{}`, position {}, {}: recorded {}, replayed {}",
                first.tick,
                finding.stage,
                finding.stream,
                first.position,
                first.place,
                first.left,
                first.right
            ),
            _ => format!(
                "replays: NOT PROVED ({} decisions are identical): {}",
                grouped(self.decisions),
                self.why
            ),
        }
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Replays a capture and compares all that was made again with what it holds.
///
/// # Errors
/// The capture cannot be replayed at all. What happens in the replay is the [`Proof`].
pub fn prove(path: &Path, options: &mut ProofOptions<'_>) -> Result<Proof, ReplayError> {
    // Its processes may run in folders of their own.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let capture = Capture::open(&path)?;
    let findings =
        std::path::absolute(&options.findings).unwrap_or_else(|_| options.findings.clone());
    let planned = planned::plan(
        &capture,
        options.speed,
        &options.changes,
        &findings,
        options.describe,
    )?;
    let failed = |source: std::io::Error| ReplayError::File {
        path: findings.clone(),
        why: source.to_string(),
    };
    std::fs::create_dir_all(&findings).map_err(failed)?;
    let interrupts = options.interrupts.clone();
    let outcome = launch::launch(
        &planned.plan,
        &mut Options {
            duration: None,
            require_rt: false,
            hold_cpu_latency: false,
            lean_program: options.lean_program.clone(),
            full_program: options.full_program.clone(),
            // A replay is not recorded: what it makes is compared as it is made.
            capture_folder: PathBuf::new(),
            log: None,
            interrupts: options.interrupts.clone(),
            live: options.live,
            redescribe: options.describe,
            live_params: &|_| Vec::new(),
            before_check: &mut |_| {},
        },
    );
    let streams = gather(&findings, &planned.plan.stages);
    // What cannot be removed is in nobody's way.
    let _ = std::fs::remove_dir_all(&findings);
    let (outcome, streams) = (outcome?, streams?);
    let interrupted = interrupts.load(Ordering::Acquire) > 0;
    let replay = planned.plan.replay.iter().flat_map(|replay| &replay.parts);
    let parts: Vec<&ReplayPart> = replay.collect();
    judge(
        &capture,
        streams,
        planned.decisions,
        &parts,
        &outcome,
        interrupted,
    )
}

/// What the comparing processes have left. One that was killed has left nothing, and that is known by its death.
fn gather(folder: &Path, stages: &[StagePlan]) -> Result<Vec<StreamFinding>, ReplayError> {
    let mut all = Vec::new();
    for stage in stages {
        let path = folder.join(format!("{}.json", stage.name));
        let Ok(text) = std::fs::read(&path) else {
            continue;
        };
        let findings: Vec<StreamFinding> =
            serde_json::from_slice(&text).map_err(|e| ReplayError::File {
                path,
                why: e.to_string(),
            })?;
        all.extend(findings);
    }
    Ok(all)
}

fn judge(
    capture: &Capture,
    mut streams: Vec<StreamFinding>,
    decision_streams: Vec<String>,
    parts: &[&ReplayPart],
    outcome: &Outcome,
    interrupted: bool,
) -> Result<Proof, ReplayError> {
    let fault = outcome.faults.first();
    // A stream that ends before its recording does: only if nothing else explains it.
    if fault.is_none() && !interrupted {
        short_streams(capture, &mut streams, parts);
    }
    let stages = &capture.meta().plan.stages;
    let place = |stage: &str| stages.iter().position(|s| s.name == stage).unwrap_or(0);
    let first = earliest(&streams, place).map(|(finding, first)| (finding.clone(), first.clone()));
    let guess = match &first {
        Some((finding, first)) => guessed_before(capture, parts, place(&finding.stage), first)?,
        None => None,
    };
    let blocks = streams.iter().map(|s| s.compared).sum();
    let of_decisions = streams
        .iter()
        .filter(|s| decision_streams.contains(&s.stream));
    let (verdict, why) = match (&first, guess, fault) {
        (Some(_), Some(guess), _) => (ProofVerdict::Unproved, guess),
        (Some(_), None, _) => (ProofVerdict::Differs, String::new()),
        (None, _, _) if interrupted => (ProofVerdict::Unproved, "interrupted".to_owned()),
        (None, _, Some(fault)) => (
            ProofVerdict::Unproved,
            format!("{} {}", fault.who, fault.what),
        ),
        (None, _, None) if blocks == 0 => (
            ProofVerdict::Unproved,
            "the capture holds no block of a stream that is computed".to_owned(),
        ),
        (None, _, None) => (ProofVerdict::Identical, String::new()),
    };
    Ok(Proof {
        capture: capture.path().to_owned(),
        verdict,
        decisions: of_decisions.map(|s| s.compared - s.differing).sum(),
        decision_streams,
        blocks,
        first: first.map(|(finding, _)| finding),
        why,
        streams,
        duration_ns: outcome.duration_ns,
    })
}

/// Streams that ended before the position at which the recorded ones did.
fn short_streams(capture: &Capture, streams: &mut [StreamFinding], parts: &[&ReplayPart]) {
    let meta = capture.meta();
    let compared = parts.iter().flat_map(|part| match part {
        ReplayPart::Compared { inputs } => inputs.as_slice(),
        ReplayPart::Scripted { .. } | ReplayPart::Played { .. } => &[],
    });
    for recorded in compared {
        let name = meta.stream_name(recorded.stream);
        let finding = streams.iter_mut().find(|f| f.stream == name);
        let (Some(end), Some(finding)) = (recorded.end, finding) else {
            continue;
        };
        if finding.replayed < end.position {
            let tick = if finding.beyond > 0 {
                finding.beyond_tick
            } else {
                finding.last_tick
            };
            finding.first.get_or_insert(Difference {
                tick,
                position: finding.replayed,
                place: "end of the stream".to_owned(),
                left: format!("at {}", end.position),
                right: format!("at {}", finding.replayed),
            });
        }
    }
}

/// A turn before a difference, in its stage or one before it, of which a kill has left no whole record: what differs may be what had
/// to be guessed.
fn guessed_before(
    capture: &Capture,
    parts: &[&ReplayPart],
    place: usize,
    first: &Difference,
) -> Result<Option<String>, ReplayError> {
    let meta = capture.meta();
    for part in parts {
        let ReplayPart::Scripted { process, .. } = part else {
            continue;
        };
        let name = &meta.processes[*process as usize];
        if meta.plan.stages.iter().position(|s| s.name == *name) > Some(place) {
            continue;
        }
        for activation in capture.activations(*process)? {
            let RecordedActivation::Record(number, record) = activation? else {
                continue;
            };
            let killed = circumstance::UNRECORDED | circumstance::WITHHELD;
            if record.circumstances & killed != 0 && record.tick <= first.tick {
                return Ok(Some(format!(
                    "{name}, tick {}: cannot be proved from here: its process was killed in activation {number}, and the moment of that is not on record; from tick {} on what is made differs",
                    record.tick, first.tick
                )));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        let shown = [0, 12, 999, 1_000, 10_000, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "12", "999", "1,000", "10,000", "1,234,567"]);
    }
}
