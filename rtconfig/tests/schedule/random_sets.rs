//! Task sets at random, the same for the same seed.

use ephapse_rtconfig::plan::Full;
use ephapse_rtconfig::schedule::run_time::{RunTime, Span};
use ephapse_rtconfig::schedule::simulate::Draw;
use ephapse_rtconfig::schedule::tasks::{Begins, Input, Output, Ring, Takes, Task, TaskSet};

/// Length of a tick, ns.
pub const TICK_NS: u64 = 100_000;

/// A task that does nothing yet.
pub fn task(name: String, begins: Begins) -> Task {
    Task {
        name,
        cpu: 0,
        priority: 50,
        begins,
        wake: RunTime::always(0),
        run: None,
        burst: 8,
        catch_up: 0,
        inputs: Vec::new(),
        outputs: Vec::new(),
        ends_loop: false,
    }
}

/// The timer, which takes no time, on a CPU of its own.
pub fn free_timer() -> Task {
    Task {
        cpu: 99,
        priority: 95,
        run: Some(RunTime::always(0)),
        ..task("timer".to_owned(), Begins::Timer { period_ns: TICK_NS })
    }
}

/// Ticked stages without inputs on one CPU, released together at every tick that `dividers` have in common.
pub fn independent(seed: u64, shared_priorities: bool) -> TaskSet {
    let mut draw = Draw::new(seed);
    let stages = 1 + draw.up_to(6);
    let common = 1 + draw.up_to(3) as u32;
    let mut set = TaskSet {
        tasks: vec![free_timer()],
        rings: Vec::new(),
    };
    for stage in 0..stages {
        let divider = if shared_priorities {
            common
        } else {
            1 + draw.up_to(7) as u32
        };
        let longest_ns = TICK_NS * u64::from(divider) / stages;
        let mut its = task(format!("s{stage}"), Begins::Tick { divider, phase: 0 });
        its.priority = match shared_priorities {
            true => 40 + draw.up_to(2) as u8,
            false => 80 - stage as u8,
        };
        its.wake = RunTime::always(draw.up_to(1_000));
        its.run = Some(RunTime::always(1 + draw.up_to(longest_ns)));
        set.tasks.push(its);
    }
    set
}

/// Sources, stages paced by ticks and by data over several CPUs, joins, windows, IRQ threads.
pub fn graph(seed: u64) -> TaskSet {
    Growing::new(seed).grow()
}

struct Growing {
    draw: Draw,
    cpus: u64,
    /// CPU time that a tick's worth of a task may take, ns.
    share_ns: u64,
    set: TaskSet,
}

impl Growing {
    fn new(seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let cpus = 1 + draw.up_to(2);
        let share_ns = TICK_NS * (2 + draw.up_to(9)) / 10;
        Growing {
            draw,
            cpus,
            share_ns,
            set: TaskSet::default(),
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.draw.up_to(99) < percent
    }

    fn span(&mut self, most_ns: u64) -> Span {
        let worst_ns = self.draw.up_to(most_ns);
        Span {
            best_ns: if self.chance(50) {
                worst_ns
            } else {
                self.draw.up_to(worst_ns)
            },
            worst_ns,
        }
    }

    fn grow(mut self) -> TaskSet {
        let stages = 1 + self.draw.up_to(7) as usize;
        self.timer();
        for host in 0..self.draw.up_to(2) {
            self.host_thread(host);
        }
        for source in 0..=self.draw.up_to(1) {
            self.source(source, stages);
        }
        for stage in 0..stages {
            self.stage(stage, stages);
        }
        self.set
    }

    fn timer(&mut self) {
        let mut timer = free_timer();
        timer.cpu = self.draw.up_to(self.cpus) as u32;
        timer.wake = RunTime::between(self.span(2_000));
        timer.run = Some(RunTime::between(self.span(1_000)));
        self.set.tasks.push(timer);
    }

    fn host_thread(&mut self, number: u64) {
        let begins = Begins::Clock {
            period_ns: 20_000 + self.draw.up_to(300_000),
            first_ns: self.draw.up_to(20_000),
            jitter_ns: self.draw.up_to(30_000),
        };
        let mut thread = task(format!("irq{number}"), begins);
        thread.cpu = self.draw.up_to(self.cpus - 1) as u32;
        thread.priority = [92, 50, 50, 97][self.draw.up_to(3) as usize];
        thread.run = Some(RunTime::between(self.span(3_000)));
        self.set.tasks.push(thread);
    }

    fn source(&mut self, number: u64, stages: usize) {
        let ticks = TICK_NS * (1 + self.draw.up_to(2)) / (1 + self.draw.up_to(2));
        let odd = if self.chance(30) {
            self.draw.up_to(7_777)
        } else {
            0
        };
        let begins = Begins::Clock {
            period_ns: ticks + odd,
            first_ns: self.draw.up_to(ticks),
            jitter_ns: if self.chance(30) {
                self.draw.up_to(2 * ticks)
            } else {
                0
            },
        };
        let mut source = task(format!("source{number}"), begins);
        self.place(&mut source, stages);
        self.output(&mut source);
        self.set.tasks.push(source);
    }

    fn place(&mut self, task: &mut Task, stages: usize) {
        task.cpu = self.draw.up_to(self.cpus - 1) as u32;
        task.priority = match self.draw.up_to(99) {
            0..2 => 0,
            2..40 => 60,
            _ => 40 + self.draw.up_to(40) as u8,
        };
        task.wake = RunTime::between(self.span(2_000));
        let most_ns = self.share_ns * 2 / (stages as u64 + 2);
        task.run = (!self.chance(2)).then(|| RunTime::between(self.span(most_ns)));
    }

    /// A ring, and the output that fills it.
    fn output(&mut self, task: &mut Task) {
        let ring = self.set.rings.len();
        let source = matches!(task.begins, Begins::Clock { .. });
        let waits = !source && self.chance(60);
        self.set.rings.push(Ring {
            name: format!("r{ring}"),
            slots: 1 << (2 + self.draw.up_to(5)),
            full: if waits { Full::Wait } else { Full::DropNewest },
            maker: self.set.tasks.len(),
        });
        let mut output = Output::each(ring);
        if !source && self.chance(15) {
            (output.blocks, output.per) =
                [(1, 3), (3, 1), (2, 5), (5, 2)][self.draw.up_to(3) as usize];
            output.left_over_ns = self.draw.up_to(1) * 1_000;
            output.credit = output.blocks.div_ceil(output.per);
        }
        task.outputs.push(output);
    }

    fn stage(&mut self, number: usize, stages: usize) {
        let begins = if self.chance(50) {
            let divider = 1 + (self.draw.up_to(5) / 3) as u32;
            let phase = self.draw.up_to(u64::from(divider) - 1) as u32;
            Begins::Tick { divider, phase }
        } else {
            Begins::Data
        };
        let mut stage = task(format!("s{number}"), begins);
        self.place(&mut stage, stages);
        stage.burst = 1 + self.draw.up_to(7) as u32;
        stage.catch_up = self.draw.up_to(2) as u32;
        // Mostly in falling priority behind the one before, on its CPU, as chains are.
        let last = self.set.rings.len() - 1;
        let ring = if self.chance(70) {
            last
        } else {
            self.draw.up_to(last as u64) as usize
        };
        let maker = &self.set.tasks[self.set.rings[ring].maker];
        if matches!(maker.begins, Begins::Tick { .. }) && self.draw.up_to(9) < 6 {
            (stage.begins, stage.cpu) = (maker.begins, maker.cpu);
            stage.priority = maker.priority.saturating_sub(self.draw.up_to(1) as u8);
        }
        stage.inputs.push(Input {
            ring,
            takes: Takes::Next,
            hold: self.chance(95),
        });
        if self.chance(25) {
            self.second_input(&mut stage, ring);
        }
        if number + 1 < stages {
            self.output(&mut stage);
        }
        stage.ends_loop = stage.outputs.is_empty();
        self.set.tasks.push(stage);
    }

    fn second_input(&mut self, stage: &mut Task, paces: usize) {
        let other = self.draw.up_to(self.set.rings.len() as u64 - 1) as usize;
        if other == paces {
            return;
        }
        let same = self.source_of(other) == self.source_of(paces) && self.chance(70);
        stage.inputs.push(Input {
            ring: other,
            takes: if same { Takes::Same } else { Takes::Arrived },
            hold: true,
        });
    }

    /// The source whose blocks come through a ring.
    fn source_of(&self, ring: usize) -> usize {
        let maker = self.set.rings[ring].maker;
        match self.set.tasks[maker].inputs.first() {
            Some(input) => self.source_of(input.ring),
            None => maker,
        }
    }
}
