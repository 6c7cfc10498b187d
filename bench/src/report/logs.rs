//! The full distributions in HdrHistogram's own file formats: interval logs (`.hlog`) and percentile files (`.hgrm`).

use super::figures::TICKS_PER_HALF;
use super::from_outcome::{LOOP_TAG, instant};
use ephapse_engine::outcome::{Hop, HopKind, Outcome};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};
use std::io;
use std::time::Duration;

/// One line of an interval log.
struct Line<'a> {
    tag: String,
    from_ns: u64,
    length_ns: u64,
    histogram: &'a Histogram<u64>,
}

/// `loop.hlog`: the loop second by second as it happened (tag `loop`), and once corrected for the whole run
/// (tag `loop.corrected`). Values in ns. `None` without a loop.
pub(super) fn loop_hlog(outcome: &Outcome) -> io::Result<Option<Vec<u8>>> {
    let Some(hop) = &outcome.loop_hop else {
        return Ok(None);
    };
    let mut lines = intervals(outcome, LOOP_TAG);
    if lines.is_empty() {
        lines.push(whole_run(outcome, LOOP_TAG.to_owned(), &hop.uncorrected));
    }
    lines.push(whole_run(outcome, corrected(LOOP_TAG), &hop.corrected));
    write(outcome, lines).map(Some)
}

/// `hops.hlog`: every other hop as `<stage>.<kind>`, by intervals where the run kept them, else as one; and once
/// corrected as `<stage>.<kind>.corrected`. Values in ns.
pub(super) fn hops_hlog(outcome: &Outcome) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for hop in &outcome.hops {
        let tag = tag_of(hop);
        let mut own = intervals(outcome, &tag);
        if own.is_empty() {
            own.push(whole_run(outcome, tag.clone(), &hop.uncorrected));
        }
        lines.append(&mut own);
        lines.push(whole_run(outcome, corrected(&tag), &hop.corrected));
    }
    write(outcome, lines)
}

/// Tag of a hop in interval logs: `<stage>.<kind>`.
fn tag_of(hop: &Hop) -> String {
    let kind = match hop.kind {
        HopKind::TimerLateness => "timer_lateness",
        HopKind::Wake => "wake",
        HopKind::Run => "run",
        HopKind::Transport => "transport",
        HopKind::Age => "age",
        HopKind::Loop => "loop",
        HopKind::HostLoop => "host_loop",
    };
    format!("{}.{kind}", hop.stage)
}

fn corrected(tag: &str) -> String {
    format!("{tag}.corrected")
}

fn intervals<'a>(outcome: &'a Outcome, tag: &str) -> Vec<Line<'a>> {
    outcome
        .intervals
        .iter()
        .filter(|i| i.tag == tag)
        .map(|i| Line {
            tag: i.tag.clone(),
            from_ns: i.from_ns,
            length_ns: i.length_ns,
            histogram: &i.histogram,
        })
        .collect()
}

fn whole_run<'a>(outcome: &Outcome, tag: String, histogram: &'a Histogram<u64>) -> Line<'a> {
    Line {
        tag,
        from_ns: 0,
        length_ns: outcome.duration_ns,
        histogram,
    }
}

fn write(outcome: &Outcome, mut lines: Vec<Line<'_>>) -> io::Result<Vec<u8>> {
    // Readers expect the intervals in order of their start.
    lines.sort_by_key(|line| line.from_ns);
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!(
            "[Ephapse session {}: latencies in ns; tag T as it happened, tag T.corrected with the waits of skipped ticks added]",
            outcome.plan.session
        ))
        .with_start_time(instant(outcome.started_realtime_ns))
        .with_base_time(instant(outcome.started_realtime_ns))
        .begin_log_with(&mut bytes, &mut serializer)?;
    for line in lines {
        log.write_histogram(
            line.histogram,
            Duration::from_nanos(line.from_ns),
            Duration::from_nanos(line.length_ns),
            Tag::new(&line.tag),
        )
        .map_err(|error| match error {
            IntervalLogWriterError::IoError(error) => error,
            IntervalLogWriterError::SerializeError(error) => io::Error::other(error.to_string()),
        })?;
    }
    drop(log);
    Ok(bytes)
}

/// A percentile file as HdrHistogram's plotting pages read it. Values in microseconds; `note` says what they are.
pub(crate) fn hgrm(histogram: &Histogram<u64>, note: &str) -> String {
    let us = |ns: f64| ns / 1e3;
    let mut out = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF) {
        total += step.count_since_last_iteration();
        let quantile = step.quantile_iterated_to();
        let value = us(step.value_iterated_to() as f64);
        out += &format!("{value:12.3} {quantile:14.12} {total:10}");
        if quantile < 1.0 {
            out += &format!(" {:14.2}", 1.0 / (1.0 - quantile));
        }
        out.push('\n');
    }
    out += &format!(
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]\n",
        us(histogram.mean()),
        us(histogram.stdev())
    );
    out += &format!(
        "#[Max     = {:12.3}, Total count    = {:12}]\n",
        us(histogram.max() as f64),
        histogram.len()
    );
    out += &format!(
        "#[Buckets = {:12}, SubBuckets     = {:12}]\n",
        histogram.buckets(),
        (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two()
    );
    out += &format!("#[Unit    = microseconds, {note}]\n");
    out
}
