//! Timer and ticked tasks: which ticks are due, run, caught up with, skipped.

use super::job::Step;
use super::model::Model;
use super::turns::Ready;
use crate::schedule::tasks::{Begins, Task};

impl Model<'_> {
    pub(super) fn timer_next(&mut self, timer: usize) -> Option<(Step, u64)> {
        let from = match self.jobs[timer].step {
            Step::Rings(task) => {
                self.rung(task);
                task + 1
            }
            _ => {
                // The newest of those that fell due while it woke.
                self.jobs[timer].tick = self.jobs[timer].come - 1;
                self.ticks = self.jobs[timer].come;
                0
            }
        };
        let tick = self.jobs[timer].tick;
        let rung = (from..self.jobs.len()).find(|task| self.is_due(*task, tick));
        if let Some(task) = rung {
            return Some((Step::Rings(task), self.draw_run(timer)));
        }
        let first_ns = self.nominal_ns(timer, self.jobs[timer].done);
        self.answered(timer, self.now_ns - first_ns);
        let job = &mut self.jobs[timer];
        self.ran[timer].late_wake += tick - job.done;
        job.done = tick + 1;
        (job.come > job.done).then(|| self.begin_clocked(timer))
    }

    /// A ticked task has a tick that it did not yet deal with.
    pub(super) fn is_due(&self, task: usize, tick: u64) -> bool {
        newest_due(self.task(task), tick).is_some_and(|due| due >= self.jobs[task].next)
    }

    /// The timer rings a task: if it is awake, it has seen the tick.
    pub(super) fn rung(&mut self, task: usize) {
        if self.jobs[task].sleeps()
            && let Some((step, left_ns)) = self.begin_ticked(task)
        {
            self.release(task, step, left_ns);
        }
    }

    /// The next activation of a ticked task, if a tick is due.
    pub(super) fn begin_ticked(&mut self, task: usize) -> Option<(Step, u64)> {
        let its = self.task(task);
        let Begins::Tick { divider, phase } = its.begins else {
            return None;
        };
        let (divider, phase) = (u64::from(divider), u64::from(phase));
        let newest = newest_due(its, self.ticks.checked_sub(1)?)?;
        let next = self.jobs[task].next;
        if newest < next {
            return None;
        }
        // Of those before the newest, the last ones are caught up with, the others skipped.
        let first = next.max(phase);
        let missed = (newest - first.min(newest)) / divider;
        let caught = missed.min(u64::from(its.catch_up));
        let idle_since_ns = self.jobs[task].idle_since_ns;
        for at in 0..missed - caught {
            let due_ns = (newest - (missed - at) * divider) * self.tick_ns;
            if due_ns < idle_since_ns {
                self.ran[task].long_run += 1;
            } else {
                self.ran[task].late_wake += 1;
            }
        }
        let wake_ns = self.draw_wake(task);
        let job = &mut self.jobs[task];
        job.newest = newest;
        job.tick = newest - caught * divider;
        job.next = newest + 1;
        job.turns = 0;
        Some((Step::Wakes, wake_ns))
    }

    pub(super) fn ticked_next(&mut self, task: usize) -> Option<(Step, u64)> {
        let its = self.task(task);
        if self.jobs[task].step == Step::Turns {
            self.jobs[task].turns += 1;
            let sampled_ns = self.sampled_ns(task);
            self.turned(task, sampled_ns);
        }
        let turns = self.jobs[task].turns;
        let most = if its.inputs.is_empty() { 1 } else { its.burst };
        let mut no_room = false;
        if turns < most {
            match self.ready(task) {
                Ready::Since(_) => return Some((Step::Turns, self.draw_run(task))),
                Ready::NoRoom => no_room = turns == 0,
                Ready::NoBlock => {}
            }
        }
        if no_room {
            self.ran[task].no_room += 1;
        } else {
            let nominal_ns = self.nominal_ns(task, self.jobs[task].tick);
            self.answered(task, self.now_ns - nominal_ns);
        }
        self.ring_bells(task);
        self.jobs[task].idle_since_ns = self.now_ns;
        if self.jobs[task].tick < self.jobs[task].newest {
            let Begins::Tick { divider, .. } = its.begins else {
                return None;
            };
            self.jobs[task].tick += u64::from(divider);
            self.jobs[task].turns = 0;
            return Some((Step::Wakes, self.draw_wake(task)));
        }
        self.begin_ticked(task)
    }
}

/// The newest due tick of a ticked task that is not after `tick`.
fn newest_due(task: &Task, tick: u64) -> Option<u64> {
    let Begins::Tick { divider, phase } = task.begins else {
        return None;
    };
    let since = tick.checked_sub(u64::from(phase))?;
    Some(tick - since % u64::from(divider.max(1)))
}
