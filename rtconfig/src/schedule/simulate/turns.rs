//! One turn: whether it may begin, what it takes and gives, and who is told.

use super::job::Step;
use super::model::Model;
use crate::schedule::tasks::Takes;

/// May a turn begin?
pub(super) enum Ready {
    /// Yes; its block could have been taken since then, ns.
    Since(u64),
    /// A block is missing.
    NoBlock,
    /// An output has no room.
    NoRoom,
}

impl Model<'_> {
    pub(super) fn ready(&mut self, task: usize) -> Ready {
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
    pub(super) fn sampled_ns(&self, task: usize) -> u64 {
        let pacing = self.task(task).inputs.first();
        let block = pacing.and_then(|input| self.rings[input.ring].next(self.seats[task][0]));
        block.map_or(self.nominal_ns(task, self.jobs[task].tick), |block| {
            block.sampled_ns
        })
    }

    /// A turn ends: outputs are published, inputs released.
    pub(super) fn turned(&mut self, task: usize, sampled_ns: u64) {
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

    /// Tells readers of what was published, and makers of room.
    pub(super) fn ring_bells(&mut self, task: usize) {
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
    pub(super) fn look(&mut self, task: usize) {
        if self.jobs[task].sleeps()
            && let Some((step, left_ns)) = self.begin_data(task)
        {
            self.release(task, step, left_ns);
        }
    }
}
