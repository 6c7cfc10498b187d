//! The end of a stage: what it still holds, its outputs' ends, its inputs' rest.

use super::{Moment, Turns};
use crate::abi::{SlotHeader, circumstance};
use crate::os;
use crate::runner::memory::StateParts;
use crate::runner::output::OutputPort;
use crate::stage::{Ctx, Outputs, Prepared, State};

impl<P: Prepared> Turns<P> {
    /// The pacing input has ended: the stage publishes what it holds, once. False while an output has no room for it.
    pub fn finish(&mut self, moment: &Moment) -> bool {
        if self.accounts.finished {
            return true;
        }
        if self.output_without_credit().is_some() {
            return false;
        }
        let mut preset = SlotHeader {
            tick: moment.tick,
            sampled_ns: moment.woke_ns,
            arrived_ns: moment.woke_ns,
            ..SlotHeader::default()
        };
        if !self.paced {
            preset.sampled_ns = 0;
            preset.arrived_ns = 0;
        }
        for output in &mut self.outputs {
            output.preset(preset, 0, None);
        }
        self.memory.carry();
        let StateParts { state, append, .. } = self.memory.next_state();
        let mut ctx = Ctx {
            tick: moment.tick,
            now_ns: preset.sampled_ns,
            epoch: self.epoch as u32,
            off: moment.off,
            held: moment.held,
            state: State::new(state, append),
        };
        self.stage.finish(
            &mut ctx,
            &mut Outputs {
                ports: &mut self.outputs,
            },
        );
        let cause = self
            .pacing
            .map_or(moment.tick, |p| self.inputs[p].position());
        let committed_ns = match moment.committed_ns {
            Some(recorded_ns) => recorded_ns,
            None if self.paced => os::monotonic_ns(),
            None => 0,
        };
        for output in &mut self.outputs {
            output.seal(cause, self.epoch as u32, committed_ns);
            output.publish();
        }
        self.accounts.finished = true;
        self.accounts.records += 1;
        self.flip();
        self.circumstances |= circumstance::FINISH;
        self.blocks = 0;
        let moment = Moment {
            first: false,
            ..*moment
        };
        self.record(&moment, committed_ns, preset.sampled_ns, None);
        true
    }

    /// The process is about to leave.
    pub fn leave(&mut self) {
        self.stage.leave();
    }

    /// True if some output's stream has ended: by a predecessor, when this process has just begun.
    pub fn some_output_ended(&self) -> bool {
        self.outputs.iter().any(OutputPort::ended)
    }

    /// Ends every output.
    pub fn end_outputs(&mut self, reason: u64) {
        for output in &mut self.outputs {
            output.end(reason);
        }
        self.memory.carry();
        self.flip();
        self.ring_bells();
    }

    /// Passes over what other inputs still get after the pacing one has ended; true when all have ended.
    pub fn drain_inputs(&mut self) -> bool {
        let mut all = true;
        for input in self.inputs.iter_mut().filter(|i| !i.feedback) {
            input.drain();
            all &= input.done();
        }
        self.memory.carry();
        self.flip();
        self.ring_bells();
        all
    }

    /// Why the pacing stream ended; `finished` for a source.
    pub fn pacing_end_reason(&self) -> u64 {
        self.pacing
            .and_then(|p| self.inputs[p].end_reason())
            .unwrap_or(crate::abi::end_reason::FINISHED)
    }
}
