//! Stimulation is held from the moment in which a death is seen until the dead process is replaced or given up.
//!
//! ```text
//! death ─> supervisor: held + 1 ─> launcher: policy ─> successor runs, or is left out ─> held - 1
//!                       │                      └─> session stops: held to its end
//!                       └─> the stage that stimulates refuses every command
//! ```

use super::prepare::{Part, Processes};
use super::run::Run;
use super::supervise::Living;
use crate::abi::stage_state;
use crate::os::{self, PidFd};
use crate::outcome::Hold;
use crate::sync::Ordering;
use ephapse_rtconfig::plan::StagePlan;

/// A hold that lasts.
struct HeldNow {
    /// The process that died.
    process: usize,
    /// Its place in [`Holds::over`].
    place: usize,
    /// Stages that stimulate, with their activations when it began.
    stimulate: Vec<(usize, u64)>,
}

/// Times in which stimulation is or was held.
#[derive(Default)]
pub(super) struct Holds {
    now: Vec<HeldNow>,
    /// All of them, in order of their beginning.
    pub over: Vec<Hold>,
}

impl Holds {
    /// Stimulation is held now.
    pub fn are_any(&self) -> bool {
        !self.now.is_empty()
    }
}

impl Processes {
    /// A process as the supervisor watches it. The recorder's death holds nothing: the loop does not need it. Nor does any in an
    /// unpaced run: in logical time nothing is missed while a successor starts.
    pub(super) fn watched(&self, index: usize, fd: PidFd) -> Living {
        let process = &self.list[index];
        let holds = self.plan.timer.is_some() && process.part != Part::Recorder;
        Living {
            process: index,
            fd,
            holds: holds.then(|| process.memory.words.clone()),
        }
    }
}

impl Processes {
    /// Stages that stimulate, with their activations so far.
    fn stimulate(&self) -> Vec<(usize, u64)> {
        let stimulates = |part: Part| {
            let stage = part.stage().map(|stage| &self.plan.stages[stage]);
            stage.is_some_and(StagePlan::stimulates)
        };
        let all = self.list.iter().enumerate();
        all.filter(|(_, process)| stimulates(process.part))
            .map(|(index, _)| (index, self.activations(index)))
            .collect()
    }

    fn activations(&self, index: usize) -> u64 {
        let bank = self.list[index].memory.bank();
        bank.activations.load(Ordering::Relaxed)
    }
}

impl Run {
    /// The supervisor has held stimulation because this process died.
    pub(super) fn begin_hold(&mut self, index: usize, seen_ns: u64) {
        let process = &self.processes.list[index];
        if self.processes.plan.timer.is_none() || process.part == Part::Recorder {
            return;
        }
        let alive_ns = process.words().heartbeat_ns.load(Ordering::Relaxed);
        let stimulate = self.processes.stimulate();
        self.holds.now.push(HeldNow {
            process: index,
            place: self.holds.over.len(),
            stimulate,
        });
        self.holds.over.push(Hold {
            at_ns: seen_ns as i64 - self.start_ns as i64,
            tick: self.processes.tick(),
            who: process.name.clone(),
            seen_within_ns: seen_ns.saturating_sub(alive_ns),
            held_ns: None,
        });
    }

    /// Lets go of what is held for processes whose successors run, when whoever stimulates has acted on it: what it was told
    /// to go on with it has ended, and will begin again.
    pub(super) fn let_go(&mut self) {
        let runs = |index: usize| {
            let state = &self.processes.list[index].words().state;
            !self.died[index] && state.load(Ordering::Acquire) == stage_state::RUNNING
        };
        let over = |held: &&HeldNow| {
            let mut waiting = held.stimulate.iter().filter(|(index, _)| runs(*index));
            let activations = |index: usize| self.processes.activations(index);
            runs(held.process) && waiting.all(|(index, then)| activations(*index) > *then)
        };
        let over: Vec<usize> = self
            .holds
            .now
            .iter()
            .filter(over)
            .map(|held| held.process)
            .collect();
        over.into_iter().for_each(|index| self.end_hold(index));
    }

    /// Stimulation need not be held for this process any more.
    pub(super) fn end_hold(&mut self, index: usize) {
        let Some(at) = self.holds.now.iter().position(|held| held.process == index) else {
            return;
        };
        let HeldNow { place, .. } = self.holds.now.remove(at);
        let words = self.processes.session_words();
        words.held.fetch_sub(1, Ordering::AcqRel);
        let hold = &mut self.holds.over[place];
        let since_ns = (hold.at_ns + self.start_ns as i64) as u64;
        let held_ns = os::monotonic_ns().saturating_sub(since_ns);
        hold.held_ns = Some(held_ns);
        let (who, seen_ms) = (hold.who.clone(), hold.seen_within_ns as f64 / 1e6);
        let tick = self.processes.tick();
        let what = format!(
            "stimulation goes on: held for {:.1} ms, from {seen_ms:.1} ms at most after its last sign of life",
            held_ns as f64 / 1e6
        );
        self.processes.events.say(tick, &who, &what);
    }
}
