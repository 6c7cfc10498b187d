//! The main loop of a replayed stage: it waits for what its next turn saw, takes the turn, and ends as it ended.

use super::file::ReplayDuty;
use super::pace::{BOUND, Loop};
use super::process::ProcessError;
use super::script::{Script, ScriptError, Step};
use super::turn::Lacks;
use crate::abi::{MAX_PORTS, end_reason};
use crate::capture::Capture;
use crate::os;
use crate::stage::Prepared;
use crate::sync::Ordering;
use ephapse_rtconfig::plan::{ReplayPart, ReplaySource, ReplayStream};
use serde_json::Value;
use std::time::Duration;

/// How long a replayed process waits for something that does not move.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(20);
/// Waits are bounded by this where more than one thing is waited for.
const MOMENT: Duration = Duration::from_millis(1);

/// When a recorded moment falls due in this run, ns; at once if it is played as fast as it goes.
pub(super) fn due_ns(source: &ReplaySource, start_ns: u64, recorded_ns: u64) -> u64 {
    let since_ns = recorded_ns.saturating_sub(source.begin_ns);
    match source.speed {
        Some(speed) => start_ns + (since_ns as f64 / speed) as u64,
        None => 0,
    }
}

/// What has been waited for, and since when it has not moved.
struct Patience {
    seen: [u64; MAX_PORTS],
    since_ns: u64,
}

impl<P: Prepared> Loop<'_, P> {
    /// Takes the turns that a capture has of this stage.
    ///
    /// # Errors
    /// The capture cannot be read; a turn cannot be taken as it was.
    pub fn replay(&mut self, duty: &ReplayDuty) -> Result<(), ProcessError> {
        let ReplayPart::Scripted {
            process,
            outputs,
            params,
        } = &duty.part
        else {
            return Ok(());
        };
        let capture = Capture::open(&duty.source.capture)?;
        let mut script = Script::new(&capture, *process, outputs, duty.source.paced)?;
        self.run_script(&mut script, &duty.source, outputs, params)?;
        Ok(())
    }

    /// Takes all turns of a script.
    ///
    /// # Errors
    /// A turn cannot be taken as it was.
    fn run_script(
        &mut self,
        script: &mut Script<'_>,
        source: &ReplaySource,
        outputs: &[ReplayStream],
        params: &[(u64, Value)],
    ) -> Result<(), ScriptError> {
        let start_ns = self.session.words.start_ns.load(Ordering::Acquire);
        while let Some(step) = script.next_step()? {
            self.wait_until_due(due_ns(source, start_ns, step.woke_ns));
            if !self.wait_for_all(&step)? {
                break;
            }
            self.wait_for_collector();
            self.give_params(&step, params)?;
            // What it asks for it asked for then: the streams ended when they ended.
            self.turns.turn_told(step);
            self.turns.ring_bells();
            self.look_at_clock();
        }
        let recorded = outputs.iter().find_map(|stream| stream.end);
        self.end(recorded.map_or(end_reason::FINISHED, |end| end.reason));
        while !self.turns.drain_inputs() && self.stopping() != 2 {
            std::thread::sleep(MOMENT);
            self.look_at_clock();
        }
        Ok(())
    }

    fn wait_until_due(&mut self, due_ns: u64) {
        while os::monotonic_ns() < due_ns && self.stopping() == 0 {
            os::sleep_until(due_ns.min(os::monotonic_ns() + BOUND.as_nanos() as u64));
            self.look_at_clock();
        }
    }

    /// False if the session stops before everything is there.
    fn wait_for_all(&mut self, step: &Step) -> Result<bool, ScriptError> {
        let mut patience = Patience {
            seen: [0; MAX_PORTS],
            since_ns: os::monotonic_ns(),
        };
        loop {
            let lacks = self.turns.lacks(step);
            match lacks {
                Lacks::Nothing => return Ok(true),
                Lacks::Ended { input, end } => return self.ended_early(step, input, end),
                Lacks::Blocks { input, inputs } => {
                    let bound = if inputs > 1 { MOMENT } else { BOUND };
                    self.turns.inputs[input].wait(bound);
                }
                Lacks::Room { output, blocks } => self.turns.outputs[output].wait(blocks, BOUND),
            }
            self.look_at_clock();
            if self.stopping() == 2 {
                return Ok(false);
            }
            self.lose_patience(step, lacks, &mut patience)?;
        }
    }

    /// A stream that ends before what is on record: a fault, unless its maker has failed or the session was stopped.
    fn ended_early(&self, step: &Step, input: usize, end: u64) -> Result<bool, ScriptError> {
        let port = &self.turns.inputs[input];
        let reason = port.end_reason();
        if self.stopping() != 0 || reason == Some(end_reason::DIED) {
            return Ok(false);
        }
        let seen = step.inputs[input];
        Err(ScriptError::Ended {
            stage: self.plan.name.clone(),
            tick: step.tick,
            port: self.plan.inputs[input].port.clone(),
            position: seen.first + seen.count.saturating_sub(1),
            end,
        })
    }

    fn lose_patience(
        &mut self,
        step: &Step,
        lacks: Lacks,
        patience: &mut Patience,
    ) -> Result<(), ScriptError> {
        let mut seen = [0; MAX_PORTS];
        for (seen, input) in seen.iter_mut().zip(&mut self.turns.inputs) {
            *seen = input.position() + input.available();
        }
        let now_ns = os::monotonic_ns();
        if seen != patience.seen {
            (patience.seen, patience.since_ns) = (seen, now_ns);
        }
        if now_ns.saturating_sub(patience.since_ns) < STUCK_AFTER.as_nanos() as u64 {
            return Ok(());
        }
        let what = match lacks {
            Lacks::Room { output, .. } => {
                format!("room on output `{}`", self.plan.outputs[output].port)
            }
            Lacks::Blocks { input, .. } => format!(
                "block {} of input `{}`, which stands at {}",
                step.inputs[input].first + step.inputs[input].count.saturating_sub(1),
                self.plan.inputs[input].port,
                seen[input]
            ),
            Lacks::Nothing | Lacks::Ended { .. } => return Ok(()),
        };
        Err(ScriptError::Stuck {
            stage: self.plan.name.clone(),
            tick: step.tick,
            what,
        })
    }

    fn give_params(&mut self, step: &Step, params: &[(u64, Value)]) -> Result<(), ScriptError> {
        let epoch = u64::from(step.epoch);
        if epoch == self.turns.epoch() {
            return Ok(());
        }
        match params.iter().find(|(of, _)| *of == epoch) {
            Some((_, params)) => {
                self.turns.tune_told(epoch, params);
                Ok(())
            }
            None => Err(ScriptError::Unproved {
                stage: self.plan.name.clone(),
                tick: step.tick,
                why: format!("its parameters of epoch {epoch} are not in the capture"),
            }),
        }
    }
}
