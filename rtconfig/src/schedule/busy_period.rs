//! Response time within a busy period: fixed priorities, equal ones in order of release, arrivals with jitter and bursts.
//!
//! K. W. Tindell, A. Burns, A. J. Wellings, An extendible approach for analyzing fixed priority hard real-time tasks,
//! Real-Time Systems 6, 1994 (busy period, arbitrary deadlines, jitter); L. George, N. Rivierre, M. Spuri, Preemptive and
//! non-preemptive real-time uniprocessor scheduling, INRIA RR-2966, 1996 (equal priorities: all arrivals within the busy
//! period are tried, not only that at its begin).

use super::curve::Arrivals;
use super::demand::Knowledge;

/// When the jobs of the task under analysis come.
pub enum Counted<'a> {
    /// From a job's nominal instant; the answer includes how late it may come.
    Nominal(&'a Arrivals),
    /// From when it is there.
    Come(&'a Arrivals),
}

/// Others on the CPU of a task, by what they do to it.
struct Others {
    /// They run first whenever they come.
    ahead: Vec<(usize, Arrivals)>,
    /// They run first if they have come first.
    fifo: Vec<(usize, Arrivals)>,
}

impl Knowledge<'_> {
    fn others(&self, task: usize) -> Others {
        let its = &self.set.tasks[task];
        let mut others = Others {
            ahead: Vec::new(),
            fifo: Vec::new(),
        };
        for (index, other) in self.set.tasks.iter().enumerate() {
            if index == task || other.cpu != its.cpu || other.priority < its.priority {
                continue;
            }
            let kind = if other.priority > its.priority || self.chains(index) {
                &mut others.ahead
            } else {
                &mut others.fifo
            };
            kind.push((index, self.jobs(index)));
        }
        others
    }

    /// Work of others that runs before a job which came at `come_ns` and is not done before `ns`.
    fn ahead_ns(&self, others: &Others, come_ns: u64, ns: u64) -> Option<u64> {
        let mut sum = 0_u64;
        for (index, jobs) in &others.ahead {
            sum = sum.saturating_add(self.cost_ns(*index, jobs.before(ns)?)?);
        }
        for (index, jobs) in &others.fifo {
            sum = sum.saturating_add(self.cost_ns(*index, jobs.within(come_ns)?)?);
        }
        Some(sum)
    }

    /// The least `ns` at which `work(ns)` is all done; `None` beyond the limit.
    fn settled(&self, work: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        let mut ns = 1;
        loop {
            let next = work(ns)?;
            if next <= ns {
                return Some(next);
            }
            if next > self.limit_ns {
                return None;
            }
            ns = next;
        }
    }

    /// Length of the longest time for which the CPU has nothing but this task and what runs before it, ns.
    fn busy_ns(
        &self,
        others: &Others,
        jobs: &Arrivals,
        own: &impl Fn(u64) -> Option<u64>,
    ) -> Option<u64> {
        self.settled(|ns| {
            let mut sum = own(jobs.before(ns)?)?;
            for (index, jobs) in others.ahead.iter().chain(&others.fifo) {
                sum = sum.saturating_add(self.cost_ns(*index, jobs.before(ns)?)?);
            }
            Some(sum)
        })
    }

    /// Worst response of a task, ns, if n of its jobs take `own(n)`; `None`: no bound.
    pub fn response_ns(
        &self,
        task: usize,
        counted: &Counted<'_>,
        own: impl Fn(u64) -> Option<u64>,
    ) -> Option<u64> {
        let others = self.others(task);
        let (jobs, nominal) = match *counted {
            Counted::Nominal(jobs) => (jobs, Some(jobs.sampled?)),
            Counted::Come(jobs) => (jobs, None),
        };
        let busy_ns = self.busy_ns(&others, jobs, &own)?;
        let late_ns = nominal.map_or(0, |curve| curve.jitter_ns);
        let begin_ns = |n: u64| match nominal {
            Some(curve) => curve.nominal_ns(n),
            None => jobs.earliest_ns(n),
        };
        let mut worst_ns = 0;
        for n in 1.. {
            if n > 1 && jobs.earliest_ns(n) >= busy_ns {
                break;
            }
            let (from_ns, to_ns) = (begin_ns(n), begin_ns(n + 1).min(busy_ns));
            let work_ns = own(n)?;
            let rises = others
                .fifo
                .iter()
                .flat_map(|(_, jobs)| jobs.rises(from_ns, to_ns));
            for come_ns in std::iter::once(from_ns.min(busy_ns)).chain(rises) {
                let done_ns = self.settled(|ns| {
                    Some(work_ns.saturating_add(self.ahead_ns(&others, come_ns, ns)?))
                })?;
                let response_ns = done_ns
                    .saturating_add(late_ns)
                    .saturating_sub(from_ns.max(come_ns));
                worst_ns = worst_ns.max(response_ns);
            }
        }
        (worst_ns <= self.limit_ns).then_some(worst_ns)
    }
}
