//! One CPU under FIFO priorities: the most urgent task runs, among equals the one that was released first.

/// A task that is not asleep.
#[derive(Clone, Copy, Debug)]
struct Awake {
    task: usize,
    priority: u8,
    /// Number of its release.
    released: u64,
    left_ns: u64,
}

impl Awake {
    fn runs_before(&self, other: &Awake) -> bool {
        (other.priority, self.released) < (self.priority, other.released)
    }
}

/// One CPU.
#[derive(Clone, Debug, Default)]
pub struct Cpu {
    /// Who is awake, the running one last.
    awake: Vec<Awake>,
    /// When the running one has done what it is at, ns; `None`: nobody runs.
    done_ns: Option<u64>,
}

impl Cpu {
    /// When the running task has done what it is at, ns; `u64::MAX` if nobody runs.
    pub fn done_ns(&self) -> u64 {
        self.done_ns.unwrap_or(u64::MAX)
    }

    /// A task has `left_ns` to do from now on. Of equal priorities the lower number of release runs first.
    pub fn add(&mut self, now_ns: u64, task: usize, priority: u8, released: u64, left_ns: u64) {
        let new = Awake {
            task,
            priority,
            released,
            left_ns,
        };
        let behind = self.awake.iter().rev();
        let place = self.awake.len() - behind.take_while(|other| !new.runs_before(other)).count();
        if place == self.awake.len() {
            if let Some(running) = self.awake.last_mut() {
                running.left_ns = self.done_ns.map_or(0, |done_ns| done_ns - now_ns);
            }
            self.done_ns = Some(now_ns + left_ns);
        }
        self.awake.insert(place, new);
    }

    /// The running task has done what it was at, and leaves: task, and number of its release.
    pub fn take_done(&mut self, now_ns: u64) -> Option<(usize, u64)> {
        let done = self.awake.pop()?;
        self.done_ns = self.awake.last().map(|next| now_ns + next.left_ns);
        Some((done.task, done.released))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_urgent_preempts_and_equals_run_in_order_of_release() {
        let mut cpu = Cpu::default();
        cpu.add(0, 0, 10, 1, 100);
        cpu.add(10, 1, 20, 2, 50);
        cpu.add(20, 2, 10, 3, 5);
        let mut order = Vec::new();
        while cpu.done_ns() != u64::MAX {
            let now_ns = cpu.done_ns();
            order.extend(cpu.take_done(now_ns).map(|(task, _)| (task, now_ns)));
        }
        assert_eq!(order, [(1, 60), (0, 150), (2, 155)]);
    }
}
