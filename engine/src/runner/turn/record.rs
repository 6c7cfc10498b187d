//! The activation record of a turn.

use super::{Moment, Turns};
use crate::abi::{ActivationRecord, SlotHeader, circumstance};
use crate::adapt::breaks;
use crate::runner::memory::get;
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
        let mut circumstances = self.circumstances;
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
            blocks: self.blocks,
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
            circumstances |= output.circumstances;
        }
        if circumstances != 0 {
            self.circumstances = 0;
            self.outputs.iter_mut().for_each(|o| o.circumstances = 0);
        }
        if moment.off {
            circumstances |= circumstance::OFF;
        }
        if moment.held {
            circumstances |= circumstance::HELD;
        }
        record.circumstances = circumstances;
        telemetry.push(&record);
    }

    /// Writes the record of a turn that a predecessor has done, and was killed before it could record it: what the bank says.
    pub(super) fn record_for_predecessor(&mut self) {
        let Some(telemetry) = &mut self.telemetry else {
            return;
        };
        let bank = self.memory.bank();
        let mut circumstances = circumstance::UNRECORDED;
        if self.accounts.finished {
            circumstances |= circumstance::FINISH;
        }
        let mut record = ActivationRecord {
            tick: self.accounts.ran,
            epoch: self.epoch as u32,
            ports: (self.inputs.len() | self.outputs.len() << 4) as u8,
            circumstances,
            ..ActivationRecord::default()
        };
        for (slot, account) in record.consumed.iter_mut().zip(&bank.inputs) {
            *slot = get(&account.position) as u16;
        }
        for (slot, account) in record.produced.iter_mut().zip(&bank.outputs) {
            *slot = get(&account.published) as u16;
        }
        // Never more than one: every process records what it does, but for what a kill keeps it from.
        if telemetry.count() < self.accounts.records {
            telemetry.push(&record);
        }
    }
}
