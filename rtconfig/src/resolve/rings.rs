//! Rings of the streams: slots, policy when full, spare seats, and whether all of it fits into memory.

use super::placement::{Placement, word};
use super::wiring::Wiring;
use crate::adapter::most_parts;
use crate::graph::{Graph, StreamKeys};
use crate::plan::{Full, Pace, Plan, StagePlan, StreamPlan};
use crate::problem::Problem;
use crate::recording::spool_bytes;
use crate::stream_type::StreamType;

/// Slots if the graph says nothing (ADR 0005): at one block per millisecond they hold what comes in while the slowest kind of
/// stage (Python, 100 ms) starts again, and from so many on 24 and 61 kB blocks stream fastest between near CPUs.
pub const DEFAULT_SLOTS: u32 = 128;
/// `lap` seats kept free if the graph says nothing.
const SPARE_SEATS: u32 = 2;
const MOST_SLOTS: u32 = 1 << 24;
const MOST_SPARE_SEATS: u32 = 16;
/// Slot header, ring ABI v1.
const HEADER_BYTES: u64 = 128;
/// Regions of a ring start on page boundaries.
const PAGE_BYTES: u64 = 4096;

/// Keys of one ring, decided.
pub struct Ring {
    pub slots: u32,
    pub full: Full,
    pub spare_seats: u32,
}

/// Decides the rings of all streams of the graph, in order of the wiring.
pub fn decide(
    graph: &Graph,
    wiring: &Wiring<'_>,
    placement: &Placement,
    problems: &mut Vec<Problem>,
) -> Vec<Ring> {
    let nothing = StreamKeys::default();
    let mut rings = Vec::new();
    for stream in &wiring.streams {
        let keys = graph.keys().stream.get(stream.name).unwrap_or(&nothing);
        let mut refuse = |key: &str, what: String, remedy: String| {
            problems.push(graph.problem(&["stream", stream.name, key], what, remedy));
        };
        let slots = keys.slots.unwrap_or(DEFAULT_SLOTS);
        if !slots.is_power_of_two() || !(2..=MOST_SLOTS).contains(&slots) {
            let near = slots.clamp(2, MOST_SLOTS).next_power_of_two();
            refuse(
                "slots",
                format!("{slots} slots are not a power of two from 2 to {MOST_SLOTS}"),
                format!("choose {near}"),
            );
        }
        let spare_seats = keys.spare_seats.unwrap_or(SPARE_SEATS);
        if spare_seats > MOST_SPARE_SEATS {
            refuse(
                "spare_seats",
                format!("{spare_seats} spare seats are more than a ring has"),
                format!("choose 0 to {MOST_SPARE_SEATS}"),
            );
        }
        let maker = placement.stages[stream.maker].pace;
        let cannot_wait = matches!(maker, Pace::Clock | Pace::Device);
        if cannot_wait && keys.full == Some(Full::Wait) {
            refuse(
                "full",
                format!(
                    "`{}` is paced by `{}` and cannot wait for its readers",
                    wiring.stages[stream.maker].name,
                    word(maker)
                ),
                "write full = \"drop_newest\" or \"fault\", or pace = \"none\" for its maker"
                    .to_owned(),
            );
        }
        let full = match keys.full {
            // In logical time a block that is dropped would depend on the load of the host.
            _ if placement.unpaced => Full::Wait,
            Some(full) => full,
            None if cannot_wait => Full::DropNewest,
            None => Full::Wait,
        };
        rings.push(Ring {
            slots,
            full,
            spare_seats,
        });
    }
    rings
}

/// Bytes of a ring in shared memory: its slots, a page per seat, pages for geometry, producer words and bells, and the
/// tables of labels, scales and positions.
pub fn ring_bytes(stream_type: &StreamType, slots: u32, seats: u32) -> u64 {
    let payload = (stream_type.block_bytes() as u64).next_multiple_of(64);
    let stride = (HEADER_BYTES + payload).next_multiple_of(128);
    let labels: usize = stream_type
        .axes
        .iter()
        .flat_map(|axis| &axis.labels)
        .map(|label| label.len() + 1)
        .sum();
    let numbers = stream_type.scale.len() + stream_type.offset.len();
    let tables = labels + numbers * 8 + stream_type.positions_um.len() * 24;
    let geometry = PAGE_BYTES + (tables as u64).next_multiple_of(PAGE_BYTES);
    let pages = PAGE_BYTES.saturating_mul(u64::from(seats) + 2);
    stride
        .saturating_mul(u64::from(slots))
        .next_multiple_of(PAGE_BYTES)
        .saturating_add(geometry)
        .saturating_add(pages)
}

/// [`ring_bytes`] of a stream of a plan.
pub fn bytes_of(stream: &StreamPlan) -> u64 {
    let seats = u32::try_from(stream.seats.len()).unwrap_or(u32::MAX);
    ring_bytes(
        &stream.stream_type,
        stream.slots,
        seats.saturating_add(stream.spare_seats),
    )
}

/// Most blocks that a stage publishes per stream for one block of its pacing input: one that its adapters cut into windows
/// leads to several calls.
fn parts_per_block(plan: &Plan, stage: &StagePlan) -> u64 {
    let calls = stage.pacing.map_or(1, |pacing| {
        let input = &stage.inputs[pacing];
        let frames = plan.streams[input.stream].stream_type.frames_per_block();
        most_parts(&input.adapters, frames)
    });
    u64::from(calls) * u64::from(stage.described.parts_per_call)
}

/// All rings together fit into what is free, and every ring has room for what one activation publishes.
pub fn check_fit(
    graph: &Graph,
    plan: &Plan,
    shm_free_bytes: Option<u64>,
    problems: &mut Vec<Problem>,
) {
    for stream in &plan.streams {
        let maker = &plan.stages[stream.maker];
        let parts = parts_per_block(plan, maker);
        if maker.helper_of.is_none() && parts > u64::from(stream.slots) {
            problems.push(graph.problem(
                &["stream", &stream.name, "slots"],
                format!(
                    "`{}` publishes up to {parts} blocks at once, the ring has {} slots",
                    maker.name, stream.slots
                ),
                format!("choose a power of two of {parts} or more"),
            ));
        }
    }
    let Some(free) = shm_free_bytes else { return };
    let spool = plan.recorder.as_ref();
    let spool = spool.map_or(0, |recorder| spool_bytes(plan, recorder));
    let needed = plan
        .streams
        .iter()
        .fold(spool, |sum, stream| sum.saturating_add(bytes_of(stream)));
    let Some(largest) = plan.streams.iter().max_by_key(|stream| bytes_of(stream)) else {
        return;
    };
    const MIB: f64 = 1024.0 * 1024.0;
    if needed > free && spool > bytes_of(largest) {
        problems.push(graph.problem(
            &["record", "spool_s"],
            format!(
                "rings and spool need {:.1} MiB of shared memory and {:.1} MiB are free; the spool alone takes {:.1} MiB",
                needed as f64 / MIB,
                free as f64 / MIB,
                spool as f64 / MIB
            ),
            "choose a shorter spool or fewer streams, or make /dev/shm larger",
        ));
    } else if needed > free {
        problems.push(graph.problem(
            &["stream", &largest.name, "slots"],
            format!(
                "the rings need {:.1} MiB of shared memory and {:.1} MiB are free; the largest is `{}` with {:.1} MiB",
                needed as f64 / MIB,
                free as f64 / MIB,
                largest.name,
                bytes_of(largest) as f64 / MIB
            ),
            "choose fewer slots, or make /dev/shm larger",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream_type::{Dtype, Rate};

    #[test]
    fn a_ring_of_24_kb_blocks_takes_its_slots_and_its_pages() {
        let frames = StreamType::frames(Dtype::F64, 50, 60, Rate::hz(20_000), "uV");
        assert_eq!(frames.block_bytes(), 24_000);
        // 24000 B fill 375 lines of 64 B exactly; with the header 24128 B, rounded to 24192; two pages of geometry (its labels
        // need a table), one each for producer words and bells, one per seat.
        assert_eq!(ring_bytes(&frames, 64, 3), 24_192 * 64 + 4096 * (2 + 2 + 3));
    }
}
