//! The activation record of a turn.

use super::{Moment, Turns};
use crate::abi::{ActivationRecord, SlotHeader};
use crate::adapt::breaks;
use crate::stage::Prepared;

impl<P: Prepared> Turns<P> {
    pub(super) fn record(
        &mut self,
        moment: &Moment,
        committed_ns: u64,
        now_ns: u64,
        about: Option<&SlotHeader>,
    ) {
        let Some(telemetry) = &mut self.telemetry else {
            return;
        };
        let mut record = ActivationRecord {
            tick: moment.tick,
            since_ns: match about {
                Some(header) if moment.since_ns == 0 => header.committed_ns,
                _ => moment.since_ns,
            },
            woke_ns: moment.woke_ns,
            committed_ns,
            now_ns,
            usage: moment.usage,
            cpu: moment.cpu,
            epoch: self.epoch as u32,
            ports: (self.inputs.len() | self.outputs.len() << 4) as u8,
            marks: u8::from(moment.first),
            ..ActivationRecord::default()
        };
        if moment.first {
            record.skipped = moment.skipped;
        }
        if let Some(header) = about {
            record.sampled_ns = header.sampled_ns;
            record.arrived_ns = header.arrived_ns;
            record.origin_frame = header.origin_frame;
            record.frames = u16::try_from(header.valid).unwrap_or(u16::MAX);
            record.lost = u32::try_from(header.lost).unwrap_or(u32::MAX);
            record.marks |= if breaks(header) { 2 } else { 0 };
        }
        for (slot, input) in record.consumed.iter_mut().zip(&self.inputs) {
            *slot = input.position() as u16;
        }
        for (slot, output) in record.produced.iter_mut().zip(&self.outputs) {
            *slot = output.published() as u16;
        }
        telemetry.push(&record);
    }
}
