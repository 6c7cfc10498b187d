//! How much of a CPU a task can ask for in a window.

use super::curve::{Arrivals, Curve};
use super::run_time::Span;
use super::tasks::{Begins, Task, TaskSet};

/// What the analysis knows of a task so far. Everything only grows from round to round; `None` is more than any number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// From a job's nominal begin (clock, tick) or from when it could run (data) to its end, worst, ns.
    pub response_ns: Option<u64>,
    /// From the sampling of the newest frame to the end of the turn that takes it, worst, ns.
    pub latency_ns: Option<u64>,
    /// The same, best, ns.
    pub best_latency_ns: u64,
    /// From the sampling of a block's newest frame to the tick that takes it, worst, ns. Ticked tasks.
    pub pickup_ns: Option<u64>,
    /// From the tick to the ring, ns. Ticked tasks.
    pub ring: Span,
    /// Blocks that come in on the pacing input.
    pub arrivals: Arrivals,
    /// Turns that end.
    pub turns: Arrivals,
}

/// The tasks and what is known of each.
pub struct Knowledge<'a> {
    /// The tasks.
    pub set: &'a TaskSet,
    /// What is known of each.
    pub known: Vec<Known>,
    /// A response beyond this is called unbounded, ns.
    pub limit_ns: u64,
}

impl Knowledge<'_> {
    /// Tasks that the timer rings, and the cost of telling all of them, worst, ns.
    pub fn timer_cost_ns(&self, timer: &Task, rung: usize) -> Option<u64> {
        let ring_ns = timer.run.as_ref()?.worst_ns();
        Some(timer.wake.worst_ns() + ring_ns.saturating_mul(rung as u64))
    }

    /// Tasks that the timer rings.
    pub fn rung(&self) -> usize {
        let ticked = |task: &&Task| matches!(task.begins, Begins::Tick { .. });
        self.set.tasks.iter().filter(ticked).count()
    }

    /// CPU time of `jobs` successive jobs of a task, worst, ns; `None`: no bound.
    pub fn cost_ns(&self, task: usize, jobs: u64) -> Option<u64> {
        let its = &self.set.tasks[task];
        let run_ns = its.run.as_ref()?.worst_ns();
        let one_ns = match its.begins {
            Begins::Timer { .. } => self.timer_cost_ns(its, self.rung())?,
            Begins::Clock { .. } | Begins::Data => its.wake.worst_ns() + run_ns,
            Begins::Tick { .. } => {
                let turns = self.turns_in(task, jobs);
                return Some(
                    its.wake
                        .worst_ns()
                        .saturating_mul(jobs)
                        .saturating_add(run_ns.saturating_mul(turns)),
                );
            }
        };
        Some(one_ns.saturating_mul(jobs))
    }

    /// Most turns in `ticks` successive activations of a ticked task. The blocks they take have come since the activation
    /// before looked for the last time, which was at its own tick at the earliest.
    fn turns_in(&self, task: usize, ticks: u64) -> u64 {
        let its = &self.set.tasks[task];
        if its.inputs.is_empty() {
            return ticks;
        }
        let known = &self.known[task];
        let most = ticks.saturating_mul(u64::from(its.burst));
        let turn_ns = self.set.turn_ns(task).unwrap_or(0);
        let come = known.response_ns.and_then(|response_ns| {
            let window_ns = ticks.saturating_mul(turn_ns).saturating_add(response_ns);
            known.arrivals.within(window_ns)
        });
        match come {
            // What a burst leaves is taken by later ones.
            Some(come)
                if self
                    .pending(task)
                    .is_some_and(|p| p <= u64::from(its.burst)) =>
            {
                come.min(most)
            }
            _ => most,
        }
    }

    /// Most blocks that wait for one activation of a ticked task, those included that come while it runs; `None`: it may
    /// fall behind for ever.
    pub fn pending(&self, task: usize) -> Option<u64> {
        let (its, known) = (&self.set.tasks[task], &self.known[task]);
        let turn_ns = self.set.turn_ns(task)?;
        let window_ns = turn_ns.saturating_add(known.response_ns?);
        let one = known.arrivals.within(window_ns)?;
        if one <= u64::from(its.burst) {
            return Some(one);
        }
        // More than one activation takes: bounded only if in the long run less comes than is taken.
        let curve = known.arrivals.sampled?;
        let (taken, come) = (
            u128::from(its.burst) * u128::from(curve.period_ns),
            u128::from(curve.blocks) * u128::from(turn_ns),
        );
        (come <= taken).then(|| curve.within(window_ns))
    }

    /// Jobs of a task, as they arrive.
    pub fn jobs(&self, task: usize) -> Arrivals {
        let curve = match self.set.tasks[task].begins {
            Begins::Timer { period_ns } => Curve::every(period_ns, 0),
            Begins::Clock {
                period_ns,
                jitter_ns,
                ..
            } => Curve::every(period_ns, jitter_ns),
            Begins::Tick { .. } => {
                let ring = self.known[task].ring;
                let turn_ns = self.set.turn_ns(task).unwrap_or(0);
                Curve::every(turn_ns, ring.worst_ns - ring.best_ns)
            }
            Begins::Data => return self.known[task].arrivals.clone(),
        };
        Arrivals {
            sampled: Some(curve),
            more: Vec::new(),
        }
    }

    /// May the task go on from one job to the next without sleeping between them? Then it does not go behind others of the
    /// same priority.
    pub fn chains(&self, task: usize) -> bool {
        match (self.set.turn_ns(task), self.known[task].response_ns) {
            (Some(turn_ns), Some(response_ns)) => response_ns > turn_ns,
            _ => true,
        }
    }
}
