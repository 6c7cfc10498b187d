//! The state of the model, and what happens at an instant.

use super::cpu::Cpu;
use super::draw::Draw;
use super::job::{Job, Step};
use super::ring_state::{Reader, RingState};
use super::turns::Ready;
use super::{Passed, Prediction, Ran, histogram};
use crate::schedule::run_time::RunTime;
use crate::schedule::tasks::{Begins, Takes, Task, TaskSet};
use hdrhistogram::Histogram;

/// The model of a task set.
pub struct Model<'a> {
    pub(super) set: &'a TaskSet,
    pub(super) length_ns: u64,
    pub(super) tick_ns: u64,
    pub(super) draw: Draw,
    pub(super) now_ns: u64,
    pub(super) cpus: Vec<Cpu>,
    /// CPU of each task, index into `cpus`.
    pub(super) on: Vec<usize>,
    pub(super) jobs: Vec<Job>,
    /// Tasks that a clock begins, timer included.
    pub(super) clocked: Vec<usize>,
    pub(super) rings: Vec<RingState>,
    /// Of each task's inputs: place among the ring's readers.
    pub(super) seats: Vec<Vec<usize>>,
    /// Of each ring: tasks paced by data that its bell may wake.
    pub(super) wakes: Vec<Vec<usize>>,
    pub(super) released: u64,
    /// Ticks published, as the number of the next one.
    pub(super) ticks: u64,
    pub(super) ran: Vec<Ran>,
    pub(super) loop_ns: Histogram<u64>,
}

impl<'a> Model<'a> {
    /// Everything asleep, all rings empty.
    pub fn new(set: &'a TaskSet, length_ns: u64, seed: u64) -> Self {
        let mut names: Vec<u32> = set.tasks.iter().map(|task| task.cpu).collect();
        names.sort_unstable();
        names.dedup();
        let place = |cpu| names.binary_search(&cpu).unwrap_or(0);
        let ring = |ring: &crate::schedule::tasks::Ring| RingState::new(ring.slots, ring.full);
        let mut rings: Vec<RingState> = set.rings.iter().map(ring).collect();
        let mut seats = Vec::new();
        let mut wakes = vec![Vec::new(); rings.len()];
        for (index, task) in set.tasks.iter().enumerate() {
            let mut own = Vec::new();
            for input in &task.inputs {
                let readers = &mut rings[input.ring].readers;
                own.push(readers.len());
                readers.push(Reader {
                    position: 0,
                    hold: input.hold,
                    most: 0,
                    lapped: 0,
                });
                if task.begins == Begins::Data && input.takes != Takes::Arrived {
                    wakes[input.ring].push(index);
                }
            }
            seats.push(own);
        }
        let mut model = Model {
            set,
            length_ns,
            tick_ns: set.tick_ns(),
            draw: Draw::new(seed),
            now_ns: 0,
            cpus: vec![Cpu::default(); names.len()],
            on: set.tasks.iter().map(|task| place(task.cpu)).collect(),
            jobs: set
                .tasks
                .iter()
                .map(|task| Job::new(task.outputs.len()))
                .collect(),
            clocked: Vec::new(),
            rings,
            seats,
            wakes,
            released: 0,
            ticks: 0,
            ran: vec![Ran::default(); set.tasks.len()],
            loop_ns: histogram(),
        };
        for task in 0..set.tasks.len() {
            if matches!(
                set.tasks[task].begins,
                Begins::Timer { .. } | Begins::Clock { .. }
            ) {
                model.clocked.push(task);
                model.jobs[task].next_ns = model.instant_ns(task, 0);
            }
        }
        model
    }

    /// To the end.
    pub fn run(mut self) -> Prediction {
        loop {
            // Work that is done at an instant was there before what comes at it.
            let cpus = self.cpus.iter().enumerate();
            let done = cpus.map(|(cpu, its)| (its.done_ns(), cpu)).min();
            let clocked = self.clocked.iter();
            let come = clocked.map(|task| (self.jobs[*task].next_ns, *task)).min();
            let (done_ns, cpu) = done.unwrap_or((u64::MAX, 0));
            let (come_ns, task) = come.unwrap_or((u64::MAX, 0));
            self.now_ns = done_ns.min(come_ns);
            if self.now_ns > self.length_ns {
                break;
            }
            if done_ns <= come_ns {
                self.done(cpu);
            } else {
                self.come(task);
            }
        }
        let passed = |ring: RingState| Passed {
            published: ring.published,
            dropped: ring.dropped,
            most: ring.readers.iter().map(|reader| reader.most).collect(),
            lapped: ring.readers.iter().map(|reader| reader.lapped).sum(),
        };
        Prediction {
            length_ns: self.length_ns,
            tasks: self.ran,
            rings: self.rings.into_iter().map(passed).collect(),
            loop_ns: self.loop_ns,
        }
    }

    pub(super) fn task(&self, task: usize) -> &'a Task {
        &self.set.tasks[task]
    }

    pub(super) fn nominal_ns(&self, task: usize, number: u64) -> u64 {
        match self.task(task).begins {
            Begins::Timer { period_ns } => number * period_ns,
            Begins::Clock {
                period_ns,
                first_ns,
                ..
            } => first_ns + number * period_ns,
            Begins::Tick { .. } => number * self.tick_ns,
            Begins::Data => 0,
        }
    }

    /// When an instant of a clock comes; never before the one before it.
    fn instant_ns(&mut self, task: usize, number: u64) -> u64 {
        let late_ns = match self.task(task).begins {
            Begins::Clock { jitter_ns, .. } => self.draw.up_to(jitter_ns),
            _ => 0,
        };
        (self.nominal_ns(task, number) + late_ns).max(self.now_ns)
    }

    pub(super) fn draw_wake(&mut self, task: usize) -> u64 {
        self.draw.run(&self.task(task).wake)
    }

    /// A turn, or a ring of the timer. What has no known length takes no time.
    pub(super) fn draw_run(&mut self, task: usize) -> u64 {
        let run: Option<&RunTime> = self.task(task).run.as_ref();
        run.map_or(0, |run| self.draw.run(run))
    }

    /// A task that slept has something to do.
    pub(super) fn release(&mut self, task: usize, step: Step, left_ns: u64) {
        self.released += 1;
        let number = self.released;
        self.goes_on(task, number, step, left_ns);
    }

    fn goes_on(&mut self, task: usize, number: u64, step: Step, left_ns: u64) {
        self.jobs[task].step = step;
        let priority = self.task(task).priority;
        self.cpus[self.on[task]].add(self.now_ns, task, priority, number, left_ns);
    }

    /// An instant of a clock.
    fn come(&mut self, task: usize) {
        self.jobs[task].come += 1;
        let number = self.jobs[task].come;
        self.jobs[task].next_ns = self.instant_ns(task, number);
        if self.jobs[task].sleeps() {
            let (step, left_ns) = self.begin_clocked(task);
            self.release(task, step, left_ns);
        }
    }

    pub(super) fn begin_clocked(&mut self, task: usize) -> (Step, u64) {
        let wake_ns = self.draw_wake(task);
        if matches!(self.task(task).begins, Begins::Timer { .. }) {
            (Step::Wakes, wake_ns)
        } else {
            (Step::Turns, wake_ns + self.draw_run(task))
        }
    }

    /// The running task of a CPU has done what it was at.
    fn done(&mut self, cpu: usize) {
        let Some((task, number)) = self.cpus[cpu].take_done(self.now_ns) else {
            return;
        };
        let next = match self.task(task).begins {
            Begins::Timer { .. } => self.timer_next(task),
            Begins::Clock { .. } => self.clock_next(task),
            Begins::Tick { .. } => self.ticked_next(task),
            Begins::Data => self.data_next(task),
        };
        match next {
            Some((step, left_ns)) => self.goes_on(task, number, step, left_ns),
            None if self.jobs[task].step != Step::NoRoom => self.jobs[task].step = Step::Asleep,
            None => {}
        }
    }

    fn clock_next(&mut self, task: usize) -> Option<(Step, u64)> {
        let nominal_ns = self.nominal_ns(task, self.jobs[task].done);
        self.jobs[task].done += 1;
        self.answered(task, self.now_ns - nominal_ns);
        self.turned(task, nominal_ns);
        self.ring_bells(task);
        let job = &self.jobs[task];
        (job.come > job.done).then(|| self.begin_clocked(task))
    }

    fn data_next(&mut self, task: usize) -> Option<(Step, u64)> {
        let sampled_ns = self.sampled_ns(task);
        let could_ns = self.jobs[task].could_ns;
        self.answered(task, self.now_ns - could_ns);
        self.turned(task, sampled_ns);
        self.ring_bells(task);
        self.begin_data(task)
    }

    /// The next turn of a task paced by data, if there is a block and room.
    pub(super) fn begin_data(&mut self, task: usize) -> Option<(Step, u64)> {
        self.jobs[task].step = Step::Asleep;
        match self.ready(task) {
            Ready::Since(could_ns) => {
                self.jobs[task].could_ns = could_ns;
                let left_ns = self.draw_wake(task) + self.draw_run(task);
                Some((Step::Turns, left_ns))
            }
            Ready::NoRoom => {
                self.jobs[task].step = Step::NoRoom;
                self.ran[task].waits += 1;
                None
            }
            Ready::NoBlock => None,
        }
    }

    pub(super) fn answered(&mut self, task: usize, response_ns: u64) {
        let ran = &mut self.ran[task];
        ran.activations += 1;
        ran.response_ns = ran.response_ns.max(response_ns);
    }
}
