//! What stands behind a run: its capture replayed, and a certificate beside it.

use super::replay::proof;
use ephapse_bench::report::{Certificate, ReplayReport, Report};
use ephapse_engine::capture::Capture;
use ephapse_engine::outcome::RecordingRecord;
use ephapse_engine::replay::{Proof, ProofVerdict};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Replays a capture. Whatever keeps that from being done is an answer, too.
pub fn replayed(capture: &Path, interrupts: Arc<AtomicU32>) -> ReplayReport {
    // A Ctrl-C that ended the run is not meant for its replay; the next one is.
    interrupts.store(0, Ordering::Release);
    match proof(capture, None, Vec::new(), interrupts, &mut |_| {}) {
        Ok(proof) => of(&proof),
        Err(error) => ReplayReport {
            identical: None,
            decisions: 0,
            says: format!("not proved: {error:#}"),
        },
    }
}

fn of(proof: &Proof) -> ReplayReport {
    let line = proof.line();
    ReplayReport {
        identical: match proof.verdict {
            ProofVerdict::Identical => Some(true),
            ProofVerdict::Differs => Some(false),
            ProofVerdict::Unproved => None,
        },
        decisions: proof.decisions,
        says: line.strip_prefix("replays: ").unwrap_or(&line).to_owned(),
    }
}

/// Writes the certificate of a run beside its capture.
pub fn certify(report: &Report, recording: &RecordingRecord) -> anyhow::Result<()> {
    let files = Capture::open(&recording.capture)?.files();
    let unrecorded = recording.lost.iter().map(|loss| loss.count).sum();
    let replay = report.replay.clone().unwrap_or_else(|| ReplayReport {
        identical: None,
        decisions: 0,
        says: "not tried: `ephapse replay` does it".to_owned(),
    });
    Certificate::new(report, &files, unrecorded, replay)?.write(&recording.capture)?;
    Ok(())
}
