//! Edge adapters in front of a stage: what `process` sees of the streams that are read, turn by turn.

use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Rig, Role, Stage, StageError, Taken,
};
use ephapse_rtconfig::plan::{Adapter, Merged};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;

/// Gives what it gets, and counts its calls in a state of its own.
struct Pass;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PassParams {}

impl Stage for Pass {
    const KIND: &'static str = "test.pass";
    const ABOUT: &'static str = "Gives what it gets.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["frames"],
    };
    type Params = PassParams;

    fn describe(_: &PassParams, inputs: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described {
            outputs: vec![("frames".into(), inputs[0].1.clone())],
            // Not a multiple of anything: the adapters' state must keep clear of it.
            state_bytes: 9,
            append_bytes: 3,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        _: PassParams,
        inputs: &[(&str, &StreamType)],
        _: &Described,
    ) -> Result<Self, StageError> {
        assert_eq!(inputs.len(), 1, "merged streams are one input");
        Ok(Pass)
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let (state, append) = ctx.state.parts_mut();
        assert_eq!((state.len(), append.len()), (9, 3));
        state.fill(state[0].wrapping_add(1));
        append.fill(state[0]);
        let block = inputs.pacing();
        assert_eq!(inputs.all(0).count(), 1);
        let mut out = outputs.block(0);
        out.header().user = state[8].into();
        out.payload()[..block.payload.len()].copy_from_slice(block.payload);
        out.commit(block.len());
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        state.fill(0);
    }
}

const FRAMES: u32 = 4;

fn stream(channels: u32) -> StreamType {
    StreamType::frames(Dtype::F64, FRAMES, channels, Rate::hz(1000), "uV")
}

/// A stage that reads `left` (two channels) and `right` (one) as one, with more adapters behind.
fn merged(more: &[Adapter]) -> Rig<Pass> {
    let named = |name: &str, channels| Merged {
        stream: name.to_owned(),
        stream_type: stream(channels),
    };
    let mut adapters = vec![Adapter::Merge(vec![named("left", 2), named("right", 1)])];
    adapters.extend_from_slice(more);
    Rig::adapted(serde_json::json!({}), &stream(2), &adapters).unwrap()
}

const LEFT: usize = 0;
const RIGHT: usize = 1;

fn header(block: u64) -> SlotHeader {
    let first = block * u64::from(FRAMES);
    SlotHeader {
        first_frame: first,
        valid: FRAMES,
        origin_first: first,
        origin_frame: first + 3,
        sampled_ns: (first + 4) * 1_000_000,
        ..SlotHeader::default()
    }
}

/// Frame `f` of channel `c` is `f + c / 10`.
fn payload(block: u64, channels: std::ops::Range<u32>) -> Vec<u8> {
    (0..u64::from(FRAMES))
        .flat_map(|f| {
            channels
                .clone()
                .map(move |c| (block * 4 + f) as f64 + f64::from(c) / 10.0)
        })
        .flat_map(f64::to_le_bytes)
        .collect()
}

fn feed(rig: &mut Rig<Pass>, port: usize, header: SlotHeader) {
    let block = header.first_frame / u64::from(FRAMES);
    let channels = if port == LEFT { 0..2 } else { 2..3 };
    rig.push(port, header, &payload(block, channels));
}

fn blocks(taken: &[Taken]) -> Vec<(u64, bool, u64)> {
    let told = |t: &Taken| {
        let h = &t.header;
        (h.first_frame / 4, h.flags & flag::GAP != 0, h.lost)
    };
    taken.iter().map(told).collect()
}

#[test]
fn blocks_of_the_same_frames_are_joined_whichever_comes_first() {
    let mut rig = merged(&[]);
    feed(&mut rig, LEFT, header(0));
    assert_eq!(rig.take(0), [], "the other may still come");
    feed(&mut rig, RIGHT, header(0));
    feed(&mut rig, RIGHT, header(1));
    feed(&mut rig, LEFT, header(1));
    let taken = rig.take(0);
    assert_eq!(blocks(&taken), [(0, false, 0), (1, false, 0)]);
    for (block, taken) in (0..).zip(&taken) {
        assert_eq!(taken.payload, payload(block, 0..3));
        assert_eq!(taken.header.user, block + 1, "its state is its own");
    }
    assert_eq!(rig.input_account(LEFT), [2, 0, 0, 0, 0]);
    assert_eq!(rig.input_account(RIGHT), [2, 0, 0, 0, 0]);
}

#[test]
fn a_block_that_either_stream_has_lost_is_a_gap_of_both_and_nobody_waits_for_it() {
    for (complete, lacking) in [(LEFT, RIGHT), (RIGHT, LEFT)] {
        let mut rig = merged(&[]);
        for block in 0..4 {
            feed(&mut rig, complete, header(block));
        }
        feed(&mut rig, lacking, header(0));
        // As its maker says it: two blocks were dropped before this one.
        let behind = SlotHeader {
            lost: 8,
            flags: flag::GAP,
            ..header(3)
        };
        feed(&mut rig, lacking, behind);
        let taken = rig.take(0);
        assert_eq!(blocks(&taken), [(0, false, 0), (3, true, 8)]);
        assert_eq!(taken[1].payload, payload(3, 0..3));
        let told = if lacking == RIGHT {
            // Two blocks were dealt with in vain.
            [rig.input_account(LEFT), rig.input_account(RIGHT)]
        } else {
            [rig.input_account(RIGHT), rig.input_account(LEFT)]
        };
        assert_eq!(told[1], [2, 0, 1, 8, 0]);
        let expected = if lacking == RIGHT {
            [4, 0, 2, 8, 0]
        } else {
            [2, 2, 0, 0, 0]
        };
        assert_eq!(told[0], expected);
    }
}

#[test]
fn a_stream_that_has_ended_makes_the_rest_a_gap_and_not_a_wait() {
    let mut rig = merged(&[]);
    feed(&mut rig, RIGHT, header(0));
    rig.end(RIGHT);
    for block in 0..3 {
        feed(&mut rig, LEFT, header(block));
    }
    assert_eq!(blocks(&rig.take(0)), [(0, false, 0)]);
    assert_eq!(rig.input_account(LEFT), [3, 0, 2, 8, 0]);
}

#[test]
fn what_one_of_the_streams_says_of_its_block_holds_for_the_joined_one() {
    let mut rig = merged(&[]);
    feed(
        &mut rig,
        LEFT,
        SlotHeader {
            settling: 1,
            ..header(0)
        },
    );
    let other = SlotHeader {
        settling: 3,
        flags: flag::LATE | flag::SYNTHETIC,
        arrived_ns: 9,
        ..header(0)
    };
    feed(&mut rig, RIGHT, other);
    let taken = rig.take(0)[0].header;
    assert_eq!((taken.settling, taken.arrived_ns), (3, 9));
    assert_eq!(taken.flags, flag::LATE | flag::SYNTHETIC);
}

#[test]
fn a_damaged_block_of_a_merged_stream_is_a_gap_and_a_fault() {
    for damaged in [LEFT, RIGHT] {
        let mut rig = merged(&[]);
        for block in 0..3 {
            for port in [LEFT, RIGHT] {
                let mut header = header(block);
                if block == 1 && port == damaged {
                    // More frames than a block can hold, and frames that nobody has made.
                    header.valid = 99;
                    header.origin_frame = u64::MAX;
                }
                feed(&mut rig, port, header);
            }
        }
        let taken = rig.take(0);
        assert_eq!(blocks(&taken), [(0, false, 0), (2, true, 4)], "{damaged}");
        assert_eq!(taken[1].payload, payload(2, 0..3));
        assert_eq!(rig.input_account(damaged)[4], 1);
        assert_eq!(rig.input_account(LEFT + RIGHT - damaged)[4], 0);
    }
}

#[test]
fn several_blocks_of_the_same_origin_are_joined_part_by_part() {
    let mut rig = merged(&[]);
    let part = |block: u64, part: u16| SlotHeader {
        origin_first: 0,
        origin_frame: 63,
        part,
        parts: 3,
        ..header(block)
    };
    for block in 0..3 {
        feed(&mut rig, LEFT, part(block, block as u16));
    }
    for block in [0, 2] {
        feed(&mut rig, RIGHT, part(block, block as u16));
    }
    let taken = rig.take(0);
    assert_eq!(blocks(&taken), [(0, false, 0), (2, true, 4)]);
    assert_eq!(taken[1].payload, payload(2, 0..3));
}

#[test]
fn adapters_behind_a_merge_see_all_its_channels_and_its_gaps() {
    let more = [
        Adapter::Select(vec![2, 0]),
        Adapter::Cast(Dtype::F32),
        Adapter::Window { n: 6, step: 6 },
    ];
    let mut rig = merged(&more);
    for block in 0..8 {
        feed(&mut rig, LEFT, header(block));
        if block != 3 {
            feed(&mut rig, RIGHT, header(block));
        }
    }
    let taken = rig.take(0);
    let told: Vec<_> = taken
        .iter()
        .map(|t| {
            (
                t.header.first_frame,
                t.header.flags & flag::GAP,
                t.header.lost,
            )
        })
        .collect();
    // Frames 0 to 11, then 16 to 31: of them two windows of six each, four frames are left over.
    assert_eq!(told, [(0, 0, 0), (6, 0, 0), (16, flag::GAP, 4), (22, 0, 0)]);
    for taken in &taken {
        let rows = taken.rows::<[f32; 2]>();
        for (frame, row) in (taken.header.first_frame..).zip(rows) {
            assert_eq!(row, [frame as f32 + 0.2, frame as f32]);
        }
    }
}

#[test]
fn adapters_that_cannot_work_on_the_stream_are_refused() {
    let refused = Rig::<Pass>::adapted(
        serde_json::json!({}),
        &stream(2),
        &[Adapter::Select(vec![2])],
    );
    let Err(error) = refused else {
        panic!("channel 2 of 2 was accepted");
    };
    assert!(
        error.to_string().contains("there is no channel 2"),
        "{error}"
    );
}
