//! Rings that the collector does not drain in time: what is lost must be counted, and nothing torn may be taken for a
//! record.

use super::chain::ring;
use super::proof::Checks;
use super::resolution::cell;
use ephapse_engine::abi::ActivationRecord;
use ephapse_engine::launch::{Collector, Watched};
use ephapse_engine::outcome::{Hop, Outcome, Verdict};
use std::sync::atomic::{AtomicBool, Ordering};

const SLOTS: u64 = 64;
const PERIOD_NS: u64 = 1_000_000;
/// Records of the ring that is looked at too late.
const WRITTEN: u64 = 3 * SLOTS;
/// Records of the writer that never waits.
const RACED: u64 = 100_000;
/// How late the timer is in each of them: stamps of two records never give that.
const LATE_NS: u64 = 1_234_567;

fn record(index: u64) -> ActivationRecord {
    let since_ns = (index + 1) * 2 * PERIOD_NS;
    ActivationRecord {
        tick: index + 1,
        since_ns,
        woke_ns: since_ns + LATE_NS,
        marks: 1,
        ..ActivationRecord::default()
    }
}

/// Adds what must be found out.
///
/// # Errors
/// If there is no memory, or a thread gives up.
pub(super) fn prove(scripted: Outcome, checks: &mut Checks) -> Result<(), String> {
    looked_at_too_late(scripted, checks)?;
    raced(checks)
}

/// The ring goes round three times before anybody looks: the newest 63 are there (the oldest slot may be in the writing).
fn looked_at_too_late(scripted: Outcome, checks: &mut Checks) -> Result<(), String> {
    let (mut writer, reader) = ring("lapped", SLOTS)?;
    for index in 0..WRITTEN {
        writer.push(&record(index));
    }
    let mut collector = Collector::new(true, PERIOD_NS);
    collector.watch(Watched::timer(), reader);
    let hops = collector.finish(1).hops;
    let missing = hops.iter().map(|hop| hop.missing).sum();
    checks.count(
        "a ring that went round three times: records missed",
        WRITTEN - (SLOTS - 1),
        missing,
    );
    let outcome = Outcome { hops, ..scripted };
    let report = crate::report::Report::new(&outcome, &serde_json::Value::Null, None);
    let verdict = |verdict: Verdict, complete: bool| {
        format!(
            "verdict {verdict:?}, histogram {}",
            if complete { "complete" } else { "incomplete" }
        )
    };
    checks.same(
        "a ring that went round three times: the session",
        verdict(Verdict::Failed, false),
        verdict(report.verdict, report.hops.iter().all(|hop| hop.complete)),
    );
    Ok(())
}

/// Writer and collector at once, and neither waits.
fn raced(checks: &mut Checks) -> Result<(), String> {
    let (mut writer, reader) = ring("raced", SLOTS)?;
    let mut collector = Collector::new(true, PERIOD_NS);
    collector.watch(Watched::timer(), reader);
    let over = AtomicBool::new(false);
    let hops = std::thread::scope(|scope| {
        let collecting = scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                collector.drain(1);
            }
            collector.finish(1).hops
        });
        for index in 0..RACED {
            writer.push(&record(index));
        }
        over.store(true, Ordering::Release);
        collecting.join()
    })
    .map_err(|_| "the collector panicked".to_owned())?;
    let taken = |hop: &Hop| hop.uncorrected.len() + hop.missing;
    checks.count(
        "a writer that never waits: records taken and records missed",
        RACED,
        hops.iter().map(taken).sum(),
    );
    let values = hops.iter().flat_map(|hop| {
        hop.uncorrected
            .iter_recorded()
            .map(|step| cell(step.value_iterated_to()))
    });
    let torn = values.filter(|value| *value != cell(LATE_NS)).count();
    checks.count(
        "a writer that never waits: torn records taken for whole",
        0,
        torn as u64,
    );
    Ok(())
}
