//! What a recording takes: bytes per second, and the memory in which they wait for the disk.

use crate::plan::{Plan, RecorderPlan};
use crate::stream_type::Kind;

/// Bytes of a record's own header, in the spool and in the file.
const RECORD_HEADER_BYTES: f64 = 64.0;
/// Bytes of a slot's header.
const SLOT_HEADER_BYTES: f64 = 128.0;
/// Bytes of an activation record.
const ACTIVATION_BYTES: f64 = 128.0;
/// The spool holds at least so much, whatever little is recorded: events and parameters come in lumps.
const LEAST_SPOOL_BYTES: f64 = (1 << 20) as f64;
/// So many of the largest blocks fit at least.
const LEAST_BLOCKS: f64 = 8.0;

/// Blocks of a stream per second: one, or several parts, for every block of the source that paces its maker. A source that
/// plays faster than its recording makes them faster.
pub fn blocks_per_second(plan: &Plan, stream: usize) -> f64 {
    let own = &plan.streams[stream];
    let origin = &plan.streams[own.origin];
    let rate = origin.stream_type.rate.as_f64();
    let of_source = if rate > 0.0 {
        rate / f64::from(origin.stream_type.frames_per_block().max(1))
    } else {
        // A source without a rate: one block per tick is what it can bring to those who are ticked.
        1e9 / plan.tick_ns.max(1) as f64
    };
    let speed = plan.stages[origin.maker].params.get("speed");
    let speed = speed.and_then(serde_json::Value::as_f64).unwrap_or(1.0);
    let parts = plan.stages[own.maker].described.parts_per_call.max(1);
    of_source * speed.max(1.0) * f64::from(parts)
}

/// Bytes of a block as it is recorded, at most: all its rows are there.
fn block_bytes(plan: &Plan, stream: usize) -> f64 {
    let payload = plan.streams[stream].stream_type.block_bytes() as f64;
    RECORD_HEADER_BYTES + SLOT_HEADER_BYTES + payload
}

/// Bytes per second that are recorded, at most: blocks of records are counted full.
pub fn bytes_per_second(plan: &Plan, recorder: &RecorderPlan) -> f64 {
    let streams = recorder.streams.iter().map(|recorded| {
        block_bytes(plan, recorded.stream) * blocks_per_second(plan, recorded.stream)
    });
    // One activation record per block of the source, or per tick, and one more for the timer.
    let turns = plan.stages.iter().map(|stage| {
        let stream = stage.outputs.first().map(|output| output.stream);
        let stream = stream.or_else(|| stage.inputs.first().map(|input| input.stream));
        stream.map_or(0.0, |stream| blocks_per_second(plan, stream))
    });
    let ticks = plan
        .timer
        .as_ref()
        .map_or(0.0, |timer| 1e9 / timer.period_ns as f64);
    streams.sum::<f64>() + (turns.sum::<f64>() + ticks) * ACTIVATION_BYTES
}

/// Bytes per second that are recorded whatever the signal is: blocks of records are counted empty.
pub fn least_bytes_per_second(plan: &Plan, recorder: &RecorderPlan) -> f64 {
    let frames = recorder.streams.iter().map(|recorded| {
        let stream_type = &plan.streams[recorded.stream].stream_type;
        let rows = match stream_type.kind {
            Kind::Frames => block_bytes(plan, recorded.stream),
            Kind::Records | Kind::Bytes => RECORD_HEADER_BYTES + SLOT_HEADER_BYTES,
        };
        rows * blocks_per_second(plan, recorded.stream)
    });
    frames.sum()
}

/// Bytes of the spool's data.
pub fn spool_bytes(plan: &Plan, recorder: &RecorderPlan) -> u64 {
    let largest = recorder
        .streams
        .iter()
        .map(|recorded| block_bytes(plan, recorded.stream))
        .fold(0.0, f64::max);
    let bytes = (bytes_per_second(plan, recorder) * recorder.spool_s)
        .max(LEAST_SPOOL_BYTES)
        .max(largest * LEAST_BLOCKS);
    (bytes as u64).next_multiple_of(4096)
}

/// Time in which the fastest recorded ring is filled once, ns: who looks less often is lapped.
pub fn shortest_ring_ns(plan: &Plan, recorder: &RecorderPlan) -> u64 {
    let times = recorder.streams.iter().map(|recorded| {
        let slots = f64::from(plan.streams[recorded.stream].slots);
        slots / blocks_per_second(plan, recorded.stream).max(1e-9) * 1e9
    });
    times.fold(f64::MAX, f64::min) as u64
}
