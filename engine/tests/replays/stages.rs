//! Stages whose every output depends on all that a turn may depend on.

use ephapse_engine::abi::flag;
use ephapse_engine::runner::run_timer_or;
use ephapse_engine::stage::{
    Ctx, Describable, Described, Inputs, Next, Outputs, Ports, Registry, Role, Runnable, Stage,
    StageError,
};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;
use std::process::ExitCode;
use std::time::Duration;

const FRAMES: u32 = 4;

pub fn frames() -> StreamType {
    StreamType::frames(Dtype::F64, FRAMES, 1, Rate::hz(4000), "uV")
}

/// This executable as the lean one.
pub fn run() -> ExitCode {
    let runnables = [
        Runnable::of::<Source>(),
        Runnable::of::<Walk>(),
        Runnable::of::<Join>(),
        Runnable::of::<Decide>(),
        Runnable::of::<Actor>(),
    ];
    match run_timer_or(&runnables, None) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

pub fn registry() -> Registry {
    Registry::new([
        Describable::of::<Source>(),
        Describable::of::<Walk>(),
        Describable::of::<Join>(),
        Describable::of::<Decide>(),
        Describable::of::<Actor>(),
    ])
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Numbers that no two blocks share; a gap after every 40th block.
pub struct Source(u64);

impl Stage for Source {
    const KIND: &'static str = "test.source";
    const ABOUT: &'static str = "Numbers with gaps.";
    const ROLE: Role = Role::Acquire;
    const PORTS: Ports = Ports {
        inputs: &[],
        outputs: &["frames"],
    };
    type Params = Nothing;

    fn describe(_: &Nothing, _: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described {
            outputs: vec![("frames".into(), frames())],
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(_: Nothing, _: &[(&str, &StreamType)], _: &Described) -> Result<Self, StageError> {
        Ok(Source(0))
    }

    fn process(&mut self, _: &mut Ctx<'_>, _: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Next {
        self.0 += 1;
        let gap = self.0.is_multiple_of(40);
        let mut out = outputs.block(0);
        let room = out.room().min(FRAMES as usize);
        for (index, value) in out.slice::<f64>().iter_mut().enumerate() {
            *value = (self.0 as f64 * 0.1 + index as f64).sin();
        }
        if gap {
            out.header().lost = 8;
            out.header().flags |= flag::GAP;
        }
        out.commit(room);
        outputs.count_source(0, room as u64 + if gap { 8 } else { 0 });
        Next::Continue
    }

    fn reset(&mut self, _: &mut [u8]) {}
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WalkParams {
    /// Factor.
    #[schemars(extend("x-live" = true))]
    gain: f64,
}

/// A sum over everything it has seen, clock and tick among it; it has a state.
pub struct Walk(f64);

impl Stage for Walk {
    const KIND: &'static str = "test.walk";
    const ABOUT: &'static str = "A sum that remembers.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["sum"],
    };
    type Params = WalkParams;

    fn describe(_: &WalkParams, inputs: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described {
            outputs: vec![("sum".into(), inputs[0].1.clone())],
            state_bytes: 8,
            settle_frames: 6,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: WalkParams,
        _: &[(&str, &StreamType)],
        _: &Described,
    ) -> Result<Self, StageError> {
        Ok(Walk(params.gain))
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let block = inputs.pacing();
        let turn =
            (ctx.now_ns % 1_000_003) as f64 + ctx.tick as f64 + if ctx.off { 0.5 } else { 0.0 };
        let sum: &mut f64 = ctx.state.typed();
        let mut out = outputs.block(0);
        for (to, from) in out.slice::<f64>().iter_mut().zip(block.slice::<f64>()) {
            *sum = (*sum * 0.9 + from * self.0 + turn).rem_euclid(1e6);
            *to = *sum;
        }
        out.header().user = ctx.now_ns;
        out.commit(block.len());
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        state.fill(0);
    }

    fn tune(&mut self, live: &WalkParams) {
        self.0 = live.gain;
    }
}

/// What has arrived beside its pacing block: the newest of one stream, all of another, and the decisions downstream.
pub struct Join;

impl Stage for Join {
    const KIND: &'static str = "test.join";
    const ABOUT: &'static str = "Everything that has arrived.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames", "newest", "all", "back"],
        outputs: &["joined"],
    };
    type Params = Nothing;

    fn describe(_: &Nothing, inputs: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described {
            outputs: vec![("joined".into(), inputs[0].1.clone())],
            memoryless: true,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(_: Nothing, _: &[(&str, &StreamType)], _: &Described) -> Result<Self, StageError> {
        Ok(Join)
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let block = inputs.pacing();
        let mut sum = ctx.tick as f64;
        for port in 1..4 {
            for (index, seen) in inputs.all(port).enumerate() {
                // Kept small: what comes back grows with every round.
                let first = seen
                    .slice::<f64>()
                    .first()
                    .copied()
                    .unwrap_or(0.0)
                    .rem_euclid(997.0);
                sum += (seen.header.position as f64 + first) * (port * 10 + index) as f64;
            }
        }
        let mut out = outputs.block(0);
        for (to, from) in out.slice::<f64>().iter_mut().zip(block.slice::<f64>()) {
            *to = from + sum;
        }
        out.commit(block.len());
        Next::Continue
    }

    fn reset(&mut self, _: &mut [u8]) {}
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideParams {
    /// From this block on it decides otherwise.
    from: f64,
}

/// Has memory and no state block: started again, it begins from nothing. Now and then it takes its time.
pub struct Decide {
    from: f64,
    count: f64,
}

impl Stage for Decide {
    const KIND: &'static str = "test.decide";
    const ABOUT: &'static str = "A decision.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["joined"],
        outputs: &["decision"],
    };
    type Params = DecideParams;

    fn describe(_: &DecideParams, inputs: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described {
            outputs: vec![("decision".into(), inputs[0].1.clone())],
            settle_frames: 10,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: DecideParams,
        _: &[(&str, &StreamType)],
        _: &Described,
    ) -> Result<Self, StageError> {
        Ok(Decide {
            from: params.from,
            count: 0.0,
        })
    }

    fn process(&mut self, _: &mut Ctx<'_>, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Next {
        let block = inputs.pacing();
        self.count += 1.0;
        if block.header.position % 60 == 59 {
            std::thread::sleep(Duration::from_millis(15));
        }
        let other = block.header.position as f64 >= self.from;
        let mut out = outputs.block(0);
        for (to, from) in out.slice::<f64>().iter_mut().zip(block.slice::<f64>()) {
            *to = from + self.count + if other { 1.0 } else { 0.0 };
        }
        out.commit(block.len());
        Next::Continue
    }

    fn reset(&mut self, _: &mut [u8]) {
        self.count = 0.0;
    }
}

/// Stimulates nothing.
pub struct Actor;

impl Stage for Actor {
    const KIND: &'static str = "test.actor";
    const ABOUT: &'static str = "Nothing happens.";
    const ROLE: Role = Role::Stimulate;
    const PORTS: Ports = Ports {
        inputs: &["decision"],
        outputs: &[],
    };
    type Params = Nothing;

    fn describe(_: &Nothing, _: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described {
            memoryless: true,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(_: Nothing, _: &[(&str, &StreamType)], _: &Described) -> Result<Self, StageError> {
        Ok(Actor)
    }

    fn process(&mut self, _: &mut Ctx<'_>, _: &Inputs<'_>, _: &mut Outputs<'_>) -> Next {
        Next::Continue
    }

    fn reset(&mut self, _: &mut [u8]) {}
}
