//! The state of the model, and what happens at an instant.

use super::cpu::Cpu;
use super::draw::Draw;
use super::job::{Job, Step};
use super::ring_state::{Reader, RingState};
use super::{Passed, Prediction, Ran, histogram};
use crate::schedule::run_time::RunTime;
use crate::schedule::tasks::{Begins, Takes, Task, TaskSet};
use hdrhistogram::Histogram;

/// May a turn begin?
enum Ready {
    /// Yes; its block could have been taken since then, ns.
    Since(u64),
    NoBlock,
    NoRoom,
}

/// The model of a task set.
pub struct Model<'a> {
    set: &'a TaskSet,
    length_ns: u64,
    tick_ns: u64,
    draw: Draw,
    now_ns: u64,
    cpus: Vec<Cpu>,
    /// CPU of each task, index into `cpus`.
    on: Vec<usize>,
    jobs: Vec<Job>,
    /// Tasks that a clock begins, timer included.
    clocked: Vec<usize>,
    rings: Vec<RingState>,
    /// Of each task's inputs: place among the ring's readers.
    seats: Vec<Vec<usize>>,
    /// Of each ring: tasks paced by data that its bell may wake.
    wakes: Vec<Vec<usize>>,
    released: u64,
    /// Ticks published, as the number of the next one.
    ticks: u64,
    ran: Vec<Ran>,
    loop_ns: Histogram<u64>,
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

    fn task(&self, task: usize) -> &'a Task {
        &self.set.tasks[task]
    }

    fn nominal_ns(&self, task: usize, number: u64) -> u64 {
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

    fn draw_wake(&mut self, task: usize) -> u64 {
        self.draw.run(&self.task(task).wake)
    }

    /// A turn, or a ring of the timer. What has no known length takes no time.
    fn draw_run(&mut self, task: usize) -> u64 {
        let run: Option<&RunTime> = self.task(task).run.as_ref();
        run.map_or(0, |run| self.draw.run(run))
    }

    /// A task that slept has something to do.
    fn release(&mut self, task: usize, step: Step, left_ns: u64) {
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

    fn begin_clocked(&mut self, task: usize) -> (Step, u64) {
        let wake_ns = self.draw_wake(task);
        if matches!(self.task(task).begins, Begins::Timer { .. }) {
            self.jobs[task].tick = self.jobs[task].come - 1;
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

    fn timer_next(&mut self, timer: usize) -> Option<(Step, u64)> {
        let tick = self.jobs[timer].tick;
        let from = match self.jobs[timer].step {
            Step::Rings(task) => {
                self.rung(task);
                task + 1
            }
            _ => {
                self.ticks = tick + 1;
                0
            }
        };
        let rung = (from..self.jobs.len()).find(|task| self.is_due(*task, tick));
        if let Some(task) = rung {
            return Some((Step::Rings(task), self.draw_run(timer)));
        }
        self.answered(timer, self.now_ns - self.nominal_ns(timer, tick));
        let job = &mut self.jobs[timer];
        self.ran[timer].late_wake += tick - job.done;
        job.done = tick + 1;
        (job.come > job.done).then(|| self.begin_clocked(timer))
    }

    /// A ticked task has a tick that it did not yet deal with.
    fn is_due(&self, task: usize, tick: u64) -> bool {
        newest_due(self.task(task), tick).is_some_and(|due| due >= self.jobs[task].next)
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

    /// The timer rings a task: if it is awake, it has seen the tick.
    fn rung(&mut self, task: usize) {
        if self.jobs[task].sleeps()
            && let Some((step, left_ns)) = self.begin_ticked(task)
        {
            self.release(task, step, left_ns);
        }
    }

    /// The next activation of a ticked task, if a tick is due.
    fn begin_ticked(&mut self, task: usize) -> Option<(Step, u64)> {
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

    fn ticked_next(&mut self, task: usize) -> Option<(Step, u64)> {
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

    fn data_next(&mut self, task: usize) -> Option<(Step, u64)> {
        let sampled_ns = self.sampled_ns(task);
        let could_ns = self.jobs[task].could_ns;
        self.answered(task, self.now_ns - could_ns);
        self.turned(task, sampled_ns);
        self.ring_bells(task);
        self.begin_data(task)
    }

    /// The next turn of a task paced by data, if there is a block and room.
    fn begin_data(&mut self, task: usize) -> Option<(Step, u64)> {
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

    fn ready(&mut self, task: usize) -> Ready {
        let its = self.task(task);
        let mut since_ns = 0;
        let mut covers_ns = 0;
        for (input, seat) in its.inputs.iter().zip(&self.seats[task]) {
            let ring = &mut self.rings[input.ring];
            let block = match input.takes {
                Takes::Arrived => continue,
                Takes::Next => ring.next(*seat),
                Takes::Same => loop {
                    match ring.next(*seat) {
                        Some(block) if block.sampled_ns < covers_ns => {
                            ring.readers[*seat].position += 1;
                        }
                        block => break block,
                    }
                },
            };
            let Some(block) = block else {
                return Ready::NoBlock;
            };
            since_ns = since_ns.max(block.told_ns.min(self.now_ns));
            if input.takes == Takes::Next {
                covers_ns = block.sampled_ns;
            }
        }
        let mut outputs = its.outputs.iter();
        if outputs.all(|output| self.rings[output.ring].has_credit(output.credit)) {
            Ready::Since(since_ns)
        } else {
            Ready::NoRoom
        }
    }

    /// When the pacing block was sampled; of a task without inputs, its tick.
    fn sampled_ns(&self, task: usize) -> u64 {
        let pacing = self.task(task).inputs.first();
        let block = pacing.and_then(|input| self.rings[input.ring].next(self.seats[task][0]));
        block.map_or(self.nominal_ns(task, self.jobs[task].tick), |block| {
            block.sampled_ns
        })
    }

    /// A turn ends: outputs are published, inputs released.
    fn turned(&mut self, task: usize, sampled_ns: u64) {
        let its = self.task(task);
        for (at, output) in its.outputs.iter().enumerate() {
            let left_over = &mut self.jobs[task].left_over[at];
            *left_over += output.blocks;
            while *left_over >= output.per {
                *left_over -= output.per;
                let age_ns = *left_over * output.left_over_ns;
                self.rings[output.ring].publish(sampled_ns.saturating_sub(age_ns));
            }
        }
        for (input, seat) in its.inputs.iter().zip(&self.seats[task]) {
            let ring = &mut self.rings[input.ring];
            let published = ring.published;
            match input.takes {
                Takes::Next => ring.readers[*seat].position += 1,
                Takes::Arrived => ring.readers[*seat].position = published,
                Takes::Same => {
                    while ring
                        .next(*seat)
                        .is_some_and(|block| block.sampled_ns <= sampled_ns)
                    {
                        ring.readers[*seat].position += 1;
                    }
                }
            }
        }
        let latency_ns = self.now_ns - sampled_ns;
        self.ran[task].latency_ns = self.ran[task].latency_ns.max(latency_ns);
        if its.ends_loop {
            self.loop_ns.saturating_record(latency_ns);
        }
    }

    fn answered(&mut self, task: usize, response_ns: u64) {
        let ran = &mut self.ran[task];
        ran.activations += 1;
        ran.response_ns = ran.response_ns.max(response_ns);
    }

    /// Tells readers of what was published, and makers of room.
    fn ring_bells(&mut self, task: usize) {
        let its = self.task(task);
        for output in &its.outputs {
            self.rings[output.ring].tell(self.now_ns);
            for at in 0..self.wakes[output.ring].len() {
                self.look(self.wakes[output.ring][at]);
            }
        }
        for input in &its.inputs {
            let maker = self.set.rings[input.ring].maker;
            if self.jobs[maker].step == Step::NoRoom {
                self.look(maker);
            }
        }
    }

    /// A task paced by data that sleeps looks whether it can go on.
    fn look(&mut self, task: usize) {
        if self.jobs[task].sleeps()
            && let Some((step, left_ns)) = self.begin_data(task)
        {
            self.release(task, step, left_ns);
        }
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
