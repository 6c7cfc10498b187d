//! What a stage sees and what becomes of it, turn by turn.

use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Rig, Role, Stage, StageError, Taken,
};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;

/// Running sum per channel, carried over blocks.
struct Sum;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SumParams {}

impl Stage for Sum {
    const KIND: &'static str = "test.sum";
    const ABOUT: &'static str = "Running sum.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["frames"],
    };
    type Params = SumParams;

    fn describe(_: &SumParams, inputs: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described {
            outputs: vec![("frames".into(), inputs[0].1.clone())],
            state_bytes: 8,
            settle_frames: 3,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(_: SumParams, _: &[(&str, &StreamType)], _: &Described) -> Result<Self, StageError> {
        Ok(Sum)
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let block = inputs.pacing();
        let sum: &mut f64 = ctx.state.typed();
        let mut out = outputs.block(0);
        for (to, from) in out.slice::<f64>().iter_mut().zip(block.slice::<f64>()) {
            *sum += from;
            *to = *sum;
        }
        out.commit(block.len());
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        state.fill(0);
    }
}

fn rig() -> Rig<Sum> {
    let frames = StreamType::frames(Dtype::F64, 4, 1, Rate::hz(1000), "uV");
    Rig::new(serde_json::json!({}), &[frames]).unwrap()
}

fn push(rig: &mut Rig<Sum>, first: u64, values: &[f64], flags: u32) -> Taken {
    let header = SlotHeader {
        first_frame: first,
        origin_first: first,
        origin_frame: first + values.len() as u64 - 1,
        valid: values.len() as u32,
        flags,
        sampled_ns: first * 1000,
        ..SlotHeader::default()
    };
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(rig.push(0, header, &bytes), Next::Continue);
    let mut taken = rig.take(0);
    assert_eq!(taken.len(), 1);
    taken.remove(0)
}

#[test]
fn state_is_carried_from_block_to_block_and_starts_over_behind_a_gap() {
    let mut rig = rig();
    assert_eq!(push(&mut rig, 0, &[1.0, 2.0], 0).rows::<f64>(), [1.0, 3.0]);
    assert_eq!(push(&mut rig, 2, &[3.0], 0).rows::<f64>(), [6.0]);
    let behind = push(&mut rig, 10, &[5.0], flag::GAP);
    assert_eq!(behind.rows::<f64>(), [5.0]);
    assert_eq!(
        behind.header.flags & flag::GAP,
        flag::GAP,
        "the gap is passed on"
    );
    assert_eq!(
        behind.header.first_frame, 10,
        "the output counts as its input does"
    );
}

#[test]
fn headers_carry_origin_cause_and_position_without_the_stage_doing_anything() {
    let mut rig = rig();
    for round in 0..3_u64 {
        let taken = push(&mut rig, round * 4, &[0.0; 4], 0);
        assert_eq!(taken.header.position, round);
        assert_eq!(
            taken.header.cause,
            round + 1,
            "the position behind the block that caused it"
        );
        assert_eq!((taken.header.part, taken.header.parts), (0, 1));
        assert_eq!(
            (taken.header.origin_first, taken.header.origin_frame),
            (round * 4, round * 4 + 3)
        );
        assert_eq!(taken.header.sampled_ns, round * 4000);
    }
}

#[test]
fn settling_is_counted_down_over_blocks_and_begins_again_behind_a_gap_or_a_settling_input() {
    let mut rig = rig();
    let settling: Vec<u32> = (0..3)
        .map(|i| push(&mut rig, i * 2, &[0.0; 2], 0).header.settling)
        .collect();
    assert_eq!(settling, [2, 1, 0]);
    let mut header = SlotHeader {
        valid: 4,
        settling: 2,
        origin_frame: 3,
        ..SlotHeader::default()
    };
    rig.push(0, header, &[0; 32]);
    header.settling = 0;
    rig.push(0, header, &[0; 32]);
    let settling: Vec<u32> = rig.take(0).iter().map(|t| t.header.settling).collect();
    assert_eq!(
        settling,
        [4, 1],
        "two of the input's, then three of its own"
    );
}
