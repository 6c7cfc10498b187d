//! What becomes of a session when one of its processes dies.

use super::account;
use super::hung::Silence;
use super::prepare::Part;
use super::restart::Verdict;
use super::run::Run;
use super::supervise::Death;
use crate::abi::stage_state;
use crate::os;
use crate::outcome::Fault;
use crate::sync::Ordering;
use crate::trap::{Point, trap};
use ephapse_rtconfig::plan::OnDeath;
use std::os::unix::process::ExitStatusExt;

impl Run {
    /// A process has ended: well, if it had said so; otherwise its policy decides what becomes of it.
    pub(super) fn note_death(&mut self, death: Death, stop: &mut u64) {
        let index = death.process;
        let process = &mut self.processes.list[index];
        let status = process.child.wait();
        // Whoever was killed by somebody else is not to blame, and neither is the block it had in hand.
        let own_fault = status
            .as_ref()
            .is_ok_and(|s| !matches!(s.signal(), Some(libc::SIGKILL | libc::SIGTERM)));
        let runaway = status
            .as_ref()
            .is_ok_and(|s| s.signal() == Some(libc::SIGXCPU))
            .then(|| "it had its CPU for a second without waiting".to_owned());
        let hung = self.silences[index].why();
        let own_fault = own_fault || hung.is_some();
        let status = status.map_or_else(|e| e.to_string(), |s| s.to_string());
        process.exited = Some(status.clone());
        let (who, part) = (process.name.clone(), process.part);
        if process.words().state.load(Ordering::Acquire) == stage_state::DONE {
            return;
        }
        trap(Point::Death);
        self.begin_hold(index, death.at_ns);
        let said = self.processes.list[index].reason();
        let why = hung.or(runaway).or((!said.is_empty()).then_some(said));
        let what = match why {
            None => format!("died ({status})"),
            Some(why) => format!("died ({status}): {why}"),
        };
        let wanted = core::mem::take(&mut self.commands.wanted[index]);
        let policy = match part {
            Part::Timer => OnDeath::Stop,
            Part::Stage(stage) => self.processes.plan.stages[stage].on_death,
            Part::Recorder => OnDeath::Restart,
        };
        // The recorder works when everybody else has left, and a device is seen off whatever else goes wrong.
        let may_restart = *stop < 2 || part == Part::Recorder || self.processes.guards(part);
        if (wanted || policy == OnDeath::Restart) && may_restart {
            match self.start_again(index, wanted, own_fault, death.at_ns, &what) {
                Ok(()) => return,
                Err(why) => self.fault(&who, &why),
            }
        }
        self.died[index] = true;
        self.fault_at(death.at_ns, &who, &what);
        match part {
            Part::Stage(stage) => {
                account::bury(&self.processes, stage);
                if policy == OnDeath::Isolate {
                    // What does not need it runs on.
                    self.end_hold(index);
                } else {
                    self.ended_by.get_or_insert(format!("{who} {what}"));
                    self.order_stop(stop, 1);
                }
            }
            // Without a timer nobody is rung and nothing drains.
            Part::Timer => {
                self.ended_by.get_or_insert(format!("{who} {what}"));
                self.order_stop(stop, 2);
            }
            // The run goes on without it.
            Part::Recorder => self.processes.leave_unrecorded(),
        }
    }

    /// Starts a dead process again. The error says why that was given up.
    fn start_again(
        &mut self,
        index: usize,
        wanted: bool,
        own_fault: bool,
        at_ns: u64,
        what: &str,
    ) -> Result<(), String> {
        let process = &self.processes.list[index];
        let pacing = process
            .part
            .stage()
            .and_then(|s| self.processes.plan.stages[s].pacing);
        let bank = process.memory.bank();
        let position = pacing.map(|p| bank.inputs[p].position.load(Ordering::Relaxed));
        let flip = process.words().flip.load(Ordering::Acquire);
        let who = process.name.clone();
        let stage = process.part.stage().map(|s| &self.processes.plan.stages[s]);
        if let Some(most) = stage.and_then(|stage| stage.restarts_per_minute)
            && !wanted
            && !self.deaths[index].permit(at_ns, most)
        {
            return Err(format!(
                "has been started again {most} times within a minute, and is not to be more often (`restarts_per_minute`)"
            ));
        }
        let verdict = if wanted {
            Verdict::Restart
        } else {
            self.deaths[index].judge(flip, position, own_fault)
        };
        let poison = match verdict {
            Verdict::Restart => None,
            Verdict::PassOver(position) => Some(position),
            Verdict::GiveUp => {
                return Err("dies again and again without finishing one activation".to_owned());
            }
        };
        let fd = self
            .processes
            .restart(index, poison)
            .map_err(|e| format!("cannot be started again: {e}"))?;
        let successor = self.processes.watched(index, fd);
        self.supervisor.watch(successor);
        self.silences[index] = Silence::of_new(os::monotonic_ns());
        let tick = self.processes.tick();
        let what = match poison {
            None if wanted => "started again by command".to_owned(),
            None => format!("{what}; started again"),
            Some(position) => {
                format!(
                    "{what}; started again behind block {position}, which killed it twice (poison)"
                )
            }
        };
        self.processes.events.say(tick, &who, &what);
        self.restarts.push(Fault {
            at_ns: at_ns as i64 - self.start_ns as i64,
            tick,
            who,
            what,
        });
        Ok(())
    }
}
