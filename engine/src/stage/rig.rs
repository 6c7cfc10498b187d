//! A stage between rings in this process: what its tests run on, with the same turns as in a session.

use super::{Next, Stage, StageError};
use crate::abi::{OPEN, SlotHeader, segment};
use crate::ring::{HoldSeat, Producer, RingSpec, SeatSpec};
use crate::runner::file::{EdgeDuty, StageDuty};
use crate::runner::memory::{self, StageMemory};
use crate::runner::telemetry::{self, TelemetryWriter};
use crate::runner::{InputPort, Moment, OutputPort, Readiness, Turns, Verdict, follows, prepare};
use crate::shm::{Access, Segment};
use ephapse_rtconfig::adapter::behind;
use ephapse_rtconfig::describe::{Described, HelperDirection};
use ephapse_rtconfig::plan::{
    Adapter, Full, InputPlan, OnDeath, OutputPlan, Overrun, Pace, Policy, Read, SeatKind,
    StagePlan, WaitKind,
};
use ephapse_rtconfig::stream_type::StreamType;
use std::fs::File;

const SLOTS: u32 = 64;

/// A stage with all its inputs (one per port) and readers on all its outputs, in logical time.
pub struct Rig<S: Stage> {
    turns: Turns<S>,
    feeds: Vec<Producer>,
    reads: Vec<HoldSeat>,
    outputs: Vec<StreamType>,
    sampled_ns: u64,
}

/// A block taken from an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Header.
    pub header: SlotHeader,
    /// The valid rows.
    pub payload: Vec<u8>,
}

impl Taken {
    /// The rows as numbers or records.
    ///
    /// # Panics
    /// If the payload is not a whole number of `T`.
    pub fn rows<T: zerocopy::FromBytes + zerocopy::Immutable + Copy>(&self) -> Vec<T> {
        assert!(
            self.payload.len().is_multiple_of(size_of::<T>()),
            "payload is not a whole number of this type"
        );
        self.payload
            .chunks_exact(size_of::<T>())
            .filter_map(|chunk| T::read_from_bytes(chunk).ok())
            .collect()
    }
}

fn ring(name: &str, stream_type: &StreamType) -> Result<Segment, StageError> {
    let spec = RingSpec {
        stream_type: stream_type.clone(),
        slots: SLOTS,
        full: Full::Wait,
        seats: vec![SeatSpec {
            kind: SeatKind::Hold,
            stage: "rig".into(),
            port: name.into(),
            sleepless: false,
        }],
        spare_seats: 0,
        stream: 0,
        origin: 0,
        sleepless: false,
    };
    opened(name, segment::RING, spec.create_anonymous())
}

fn opened(name: &str, kind: u32, file: std::io::Result<File>) -> Result<Segment, StageError> {
    let file = file.and_then(|f| Ok((f.try_clone()?, f)));
    let (read, write) = file.map_err(|e| StageError::resource(name, e.to_string()))?;
    Segment::from_files(name, read, Some(write), kind)
        .map_err(|e| StageError::resource(name, e.to_string()))
}

impl<S: Stage> Rig<S> {
    /// Describes and prepares the stage on inputs of the given types (one per input port; a source has none).
    ///
    /// # Errors
    /// The stage's own.
    pub fn new(params: serde_json::Value, inputs: &[StreamType]) -> Result<Self, StageError> {
        Self::with_telemetry(params, inputs, Some(64))
    }

    /// The same with so many slots for activation records, or with none written: what a turn costs with and without them
    /// is measured on it.
    ///
    /// # Errors
    /// The stage's own.
    pub fn with_telemetry(
        params: serde_json::Value,
        inputs: &[StreamType],
        slots: Option<u64>,
    ) -> Result<Self, StageError> {
        Self::build(params, inputs, &[], slots)
    }

    /// The stage with these edge adapters on its only input, whose ring carries `stream`. The further streams of a merge
    /// are inputs 1, 2, ... of the rig.
    ///
    /// # Errors
    /// The stage's own; adapters that cannot work on that stream.
    pub fn adapted(
        params: serde_json::Value,
        stream: &StreamType,
        adapters: &[Adapter],
    ) -> Result<Self, StageError> {
        Self::build(params, core::slice::from_ref(stream), adapters, Some(64))
    }

    fn build(
        params: serde_json::Value,
        inputs: &[StreamType],
        adapters: &[Adapter],
        slots: Option<u64>,
    ) -> Result<Self, StageError> {
        let mut seen = inputs.to_vec();
        if let Some(first) = seen.first_mut() {
            *first = adapters.iter().try_fold(first.clone(), |before, adapter| {
                behind(adapter, before).map_err(|(key, what, _)| StageError::input(key, what))
            })?;
        }
        let described = {
            let params: S::Params = serde_json::from_value(params.clone())
                .map_err(|e| StageError::parameter("", e.to_string()))?;
            let named: Vec<(&str, &StreamType)> =
                S::PORTS.inputs.iter().copied().zip(&seen).collect();
            S::describe(&params, &named)?
        };
        // What a helper would feed, the test feeds.
        let fed = described
            .helpers
            .iter()
            .filter(|h| h.direction == HelperDirection::Feeds)
            .map(|h| h.stream_type.clone());
        let inputs: Vec<StreamType> = inputs.iter().cloned().chain(fed).collect();
        let outputs: Vec<StreamType> = S::PORTS
            .outputs
            .iter()
            .filter_map(|port| output_type(&described, port))
            .collect();
        let mut duty = duty::<S>(params, &inputs, &outputs, described);
        if !adapters.is_empty() {
            adapt(&mut duty, seen[0].clone(), adapters);
        }
        let failed = |e: crate::shm::ShmError| StageError::resource("rig", e.to_string());
        let mut feeds = Vec::new();
        let mut ins = Vec::new();
        for (edge, plan) in duty.inputs.iter().zip(&duty.plan.inputs) {
            let segment = ring(&plan.port, &edge.stream_type)?;
            feeds.push(Producer::attach(&segment, &edge.stream_type, 1).map_err(failed)?);
            ins.push(InputPort::on(&segment, edge, plan, 2).map_err(failed)?);
        }
        let mut reads = Vec::new();
        let mut outs = Vec::new();
        for edge in &duty.outputs {
            let segment = ring(&edge.segment, &edge.stream_type)?;
            outs.push(
                OutputPort::on(&segment, edge, 2, follows(&duty, edge.stream_type.clone()))
                    .map_err(failed)?,
            );
            reads.push(HoldSeat::attach(&segment, 0, &edge.stream_type, 3).map_err(failed)?);
        }
        let stage_segment = opened(
            "stage",
            segment::STAGE,
            memory::create_anonymous(&memory::with_adapters(
                &duty.plan.described,
                crate::adapt::space(
                    &duty.plan,
                    duty.inputs.first().map(|edge| &edge.stream_type),
                ),
            )),
        )?;
        let memory = StageMemory::attach(&stage_segment, Access::ReadWrite).map_err(failed)?;
        let telemetry = match slots {
            Some(slots) => {
                let file = telemetry::create_anonymous(slots);
                let segment = opened("telemetry", segment::TELEMETRY, file)?;
                Some(TelemetryWriter::attach(&segment).map_err(failed)?)
            }
            None => None,
        };
        let stage =
            prepare::<S>(&duty).map_err(|e| StageError::resource(S::KIND, e.to_string()))?;
        let turns = Turns::new(
            stage, &duty, ins, outs, memory, telemetry, 1, false, 1_000_000,
        );
        Ok(Rig {
            turns,
            feeds,
            reads,
            outputs,
            sampled_ns: 0,
        })
    }

    /// Type of an output.
    pub fn output_type(&self, port: usize) -> &StreamType {
        &self.outputs[port]
    }

    /// Publishes a block on an input and runs the turns it makes possible.
    ///
    /// # Panics
    /// As [`Rig::feed`].
    pub fn push(&mut self, port: usize, header: SlotHeader, payload: &[u8]) -> Next {
        self.feed(port, header, payload);
        self.run()
    }

    /// Publishes a block on an input and runs nothing yet.
    ///
    /// # Panics
    /// If the payload does not fit, or the input is full because the stage did not take what it was given.
    pub fn feed(&mut self, port: usize, header: SlotHeader, payload: &[u8]) {
        let feed = &mut self.feeds[port];
        assert!(
            feed.room(1) > 0,
            "the input is full: the stage waits for another input or for room"
        );
        let position = feed.published();
        let (slot, bytes) = feed.slot(0);
        *slot = SlotHeader { position, ..header };
        bytes[..payload.len()].copy_from_slice(payload);
        feed.publish(1);
        self.sampled_ns = header.sampled_ns;
    }

    /// Runs all turns that are possible now. For a source without inputs: one.
    pub fn run(&mut self) -> Next {
        let once = self.feeds.is_empty();
        while self.turns.ready() == Readiness::Go {
            let verdict = self.turns.turn(Moment {
                sampled_ns: self.sampled_ns,
                woke_ns: self.sampled_ns,
                first: true,
                ..Moment::default()
            });
            match verdict {
                Verdict::Went if once => break,
                Verdict::Went => {}
                Verdict::Nothing => return Next::Again,
                Verdict::Ends => return Next::Done,
                Verdict::Stop(why) => return Next::Stop(why),
            }
        }
        Next::Continue
    }

    /// Gives the stage new parameters between two blocks, as a session does.
    pub fn tune(&mut self, params: &serde_json::Value) {
        self.turns.tune_told(self.turns.epoch() + 1, params);
    }

    /// Ends one input.
    pub fn end(&mut self, port: usize) {
        self.feeds[port].end(crate::abi::end_reason::FINISHED, 0);
    }

    /// Ends all inputs and lets the stage publish what it holds.
    pub fn finish(&mut self) {
        for port in 0..self.feeds.len() {
            self.end(port);
        }
        self.turns.finish(&Moment::default());
    }

    /// Everything published on an output since the last call.
    pub fn take(&mut self, port: usize) -> Vec<Taken> {
        let seat = &mut self.reads[port];
        let mut taken = Vec::new();
        while let Some(peeked) = seat.peek(0) {
            taken.push(Taken {
                header: peeked.header,
                payload: peeked.payload.to_vec(),
            });
            seat.release(1);
        }
        taken
    }

    /// The account of an input: blocks consumed, blocks jumped over, gaps, lost frames, faults of its producer.
    pub fn input_account(&self, port: usize) -> [u64; 5] {
        let account = &self.turns.memory.bank().inputs[port];
        [
            &account.consumed,
            &account.jumped,
            &account.gaps,
            &account.lost_frames,
            &account.faults,
        ]
        .map(|word| word.load(crate::sync::Ordering::Relaxed))
    }

    /// Frames the source has counted, published and lost: the terms of its account.
    pub fn source_account(&self, port: usize) -> (u64, u64, u64) {
        let bank = self.turns.memory.bank();
        let account = &bank.outputs[port];
        let load = |word: &crate::sync::AtomicU64| word.load(crate::sync::Ordering::Relaxed);
        debug_assert_ne!(load(&account.published), OPEN);
        (
            load(&account.counted),
            load(&account.valid),
            load(&account.lost),
        )
    }
}

fn output_type(described: &Described, port: &str) -> Option<StreamType> {
    let own = described
        .outputs
        .iter()
        .find(|(name, _)| name == port)
        .map(|(_, t)| t.clone());
    own.or_else(|| {
        described
            .helpers
            .iter()
            .find(|h| h.port == port)
            .map(|h| h.stream_type.clone())
    })
}

/// Puts adapters on the first input, and the streams it is merged with behind all inputs.
fn adapt(duty: &mut StageDuty, seen: StreamType, adapters: &[Adapter]) {
    let first = &mut duty.plan.inputs[0];
    first.adapters = adapters.to_vec();
    first.stream_type = seen;
    let first = first.clone();
    for adapter in adapters {
        let Adapter::Merge(streams) = adapter else {
            continue;
        };
        for other in streams.iter().skip(1) {
            duty.plan.inputs.push(InputPlan {
                stream: duty.plan.inputs.len(),
                read: Read::Same,
                adapters: Vec::new(),
                stream_type: other.stream_type.clone(),
                ..first.clone()
            });
            duty.inputs.push(EdgeDuty {
                segment: other.stream.clone(),
                stream_type: other.stream_type.clone(),
            });
        }
    }
}

fn duty<S: Stage>(
    params: serde_json::Value,
    inputs: &[StreamType],
    outputs: &[StreamType],
    described: Described,
) -> StageDuty {
    let input_plans = S::PORTS.inputs.iter().zip(inputs).enumerate();
    let edge = |port: &&str, t: &StreamType| EdgeDuty {
        segment: (*port).to_owned(),
        stream_type: t.clone(),
    };
    StageDuty {
        inputs: S::PORTS
            .inputs
            .iter()
            .zip(inputs)
            .map(|(p, t)| edge(p, t))
            .collect(),
        outputs: S::PORTS
            .outputs
            .iter()
            .zip(outputs)
            .map(|(p, t)| edge(p, t))
            .collect(),
        origin: 0,
        chaos: Vec::new(),
        replay: None,
        guard: None,
        plan: StagePlan {
            name: "rig".into(),
            kind: S::KIND.into(),
            role: S::ROLE,
            helper_of: None,
            guards: false,
            program: S::PROGRAM,
            params,
            policy: Policy::Other,
            priority: 0,
            nice: 0,
            cpu: None,
            pace: if inputs.is_empty() {
                Pace::None
            } else {
                Pace::Data
            },
            wait: WaitKind::Futex,
            divider: 1,
            phase: 0,
            burst: 8,
            overrun: Overrun::Skip,
            on_death: OnDeath::Stop,
            spare: false,
            restarts_per_minute: None,
            budget_ns: None,
            pacing: (!inputs.is_empty()).then_some(0),
            inputs: input_plans
                .map(|(index, (port, stream_type))| InputPlan {
                    port: (*port).into(),
                    stream: index,
                    seat: 0,
                    seat_kind: SeatKind::Hold,
                    read: if index == 0 { Read::All } else { Read::Same },
                    feedback: false,
                    adapters: Vec::new(),
                    stream_type: stream_type.clone(),
                })
                .collect(),
            outputs: S::PORTS
                .outputs
                .iter()
                .enumerate()
                .map(|(i, port)| OutputPlan {
                    port: (*port).into(),
                    stream: i,
                })
                .collect(),
            described,
        },
    }
}
