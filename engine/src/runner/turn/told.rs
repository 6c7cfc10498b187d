//! Turns of a replay: what they see, give, and call the time is on record.

use super::{Moment, Turns};
use crate::abi::circumstance;
use crate::runner::input::Choice;
use crate::runner::script::Step;
use crate::stage::Prepared;
use serde_json::Value;

/// What a turn on record still lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lacks {
    /// Nothing.
    Nothing,
    /// Blocks on that input; so many inputs lack some.
    Blocks { input: usize, inputs: usize },
    /// Blocks on that input, which has ended at that position.
    Ended { input: usize, end: u64 },
    /// Room on that output, for so many blocks.
    Room { output: usize, blocks: u64 },
}

impl<P: Prepared> Turns<P> {
    /// Chooses what the turn saw, and says what is not there yet.
    pub fn lacks(&mut self, step: &Step) -> Lacks {
        let mut lacking = None;
        let mut inputs = 0;
        // What `finish` published came behind the last block, whatever the other inputs held.
        let seen = if step.is(circumstance::FINISH) {
            &[][..]
        } else {
            &step.inputs[..]
        };
        for (input, (port, seen)) in self.inputs.iter_mut().zip(seen).enumerate() {
            match port.choose_told(*seen) {
                Ok(Choice::Ready) => {}
                Ok(Choice::NotYet) => {
                    inputs += 1;
                    lacking.get_or_insert(input);
                }
                Err(end) => return Lacks::Ended { input, end },
            }
        }
        if let Some(input) = lacking {
            return Lacks::Blocks { input, inputs };
        }
        for (output, (port, given)) in self.outputs.iter_mut().zip(&step.outputs).enumerate() {
            let blocks = self.credit.min(port.slots()).max(given.published);
            if port.slots_free(blocks) < blocks {
                return Lacks::Room { output, blocks };
            }
        }
        Lacks::Nothing
    }

    /// Takes the turn. [`Turns::lacks`] said `Nothing`.
    pub fn turn_told(&mut self, step: Step) {
        if step.is(circumstance::STARTED_OVER) {
            self.start_over();
        }
        if let Some(pacing) = self.pacing {
            let first = step.inputs[pacing].first;
            self.inputs[pacing].pass_over_told(first, step.is(circumstance::PASSED_OVER));
        }
        let moment = Moment {
            tick: step.tick,
            woke_ns: step.now_ns,
            committed_ns: Some(step.committed_ns),
            off: step.is(circumstance::OFF),
            held: step.is(circumstance::HELD),
            first: true,
            ..Moment::default()
        };
        let finish = step.is(circumstance::FINISH);
        for (output, given) in self.outputs.iter_mut().zip(step.outputs) {
            output.tell(given);
        }
        if finish {
            self.finish(&moment);
        } else {
            self.turn(moment);
        }
    }

    /// Gives the stage parameters that it was given at this place.
    pub fn tune_told(&mut self, epoch: u64, params: &Value) {
        // What it refused then it refuses now, and goes on with the old ones as it did.
        if let Err(why) = self.stage.tune(params) {
            self.memory.say(&format!("parameters not taken: {why}"));
        }
        self.epoch = epoch;
    }

    /// Parameter epoch in use.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}
