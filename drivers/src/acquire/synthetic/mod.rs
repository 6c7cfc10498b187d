//! `acquire.synthetic`: a generator with a known seed, for tests and for everyone without a recording.

mod generator;
mod hash;
mod params;
mod spike_trains;

pub use generator::{COUNT_PV, Generator};
pub use params::{SampleFormat, SyntheticParams, Waveform};

use ephapse_engine::abi::flag;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::StreamType;

/// The stage `acquire.synthetic`. Its whole state is the number of the next frame.
pub struct Synthetic {
    generator: Generator,
}

impl Stage for Synthetic {
    const KIND: &'static str = "acquire.synthetic";
    const ABOUT: &'static str =
        "Generates a sine, a sawtooth, or noise with spikes, the same for the same seed.";
    const ROLE: Role = Role::Acquire;
    const PORTS: Ports = Ports {
        inputs: &[],
        outputs: &["frames"],
    };
    type Params = SyntheticParams;

    fn describe(
        params: &Self::Params,
        _inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        Ok(Described {
            outputs: vec![(
                "frames".to_owned(),
                Generator::new(params)?.stream_type().clone(),
            )],
            state_bytes: size_of::<u64>(),
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: Self::Params,
        _inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        Ok(Synthetic {
            generator: Generator::new(&params)?,
        })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        _inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let next_frame: &mut u64 = ctx.state.typed();
        if *next_frame >= self.generator.frames() {
            return Next::Done;
        }
        let mut block = outputs.block(0);
        let room = block.room();
        let frames = self.generator.fill(*next_frame, room, block.payload());
        block.header().flags |= flag::SYNTHETIC;
        block.commit(frames);
        outputs.count_source(0, frames as u64);
        *next_frame += frames as u64;
        Next::Continue
    }

    /// The state is a place in time, not a memory of the signal: it survives whatever asks for a reset.
    fn reset(&mut self, _state: &mut [u8]) {}
}
