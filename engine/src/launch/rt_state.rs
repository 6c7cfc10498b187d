//! Real-time state while the session runs: read back from `/proc` once a second, and compared with what it was at ready.

use super::prepare::{Part, Process, Processes};
use super::run::Run;
use crate::abi::{OPEN, stage_state};
use crate::hindsight::Happened;
use crate::outcome::{Placed, PlacementChange, RtWatch, WatchedProcess};
use crate::sync::Ordering;

mod proc_files;
mod steal;
mod throttling;

use proc_files::{ThreadNow, threads};
use steal::StealWatch;
use throttling::Throttling;

/// From one look to the next.
const EVERY_NS: u64 = 1_000_000_000;
/// Changes of one process that are put down; more are counted.
const CHANGES: usize = 20;

/// What is known of one process.
struct Watched {
    record: WatchedProcess,
    /// The process that was looked at last; another one counts from its own beginning.
    pid: u32,
    /// Its mask at ready, if it is bound to no single CPU: that is then what it should be.
    mask: Option<String>,
    before: Option<ThreadNow>,
    placed: bool,
}

/// The watch over all of them.
pub(super) struct RtWatcher {
    next_ns: u64,
    processes: Vec<Watched>,
    throttling: Throttling,
    steal: StealWatch,
}

impl RtWatcher {
    /// Watches these processes, in the order of the list.
    pub fn new(processes: &Processes) -> Self {
        let watched = processes.list.iter().map(|p| Watched {
            record: WatchedProcess {
                name: p.name.clone(),
                ..WatchedProcess::default()
            },
            pid: 0,
            mask: None,
            before: None,
            placed: true,
        });
        RtWatcher {
            next_ns: 0,
            processes: watched.collect(),
            throttling: Throttling::start(),
            steal: StealWatch::start(),
        }
    }

    /// What was seen.
    pub fn finish(self) -> RtWatch {
        RtWatch {
            processes: self.processes.into_iter().map(|w| w.record).collect(),
            throttling: self.throttling.finish(),
            steal: self.steal.finish(),
        }
    }
}

impl Watched {
    /// Looks at the process. What it says of a change is told with its name.
    fn look(&mut self, process: &Process, at_ns: i64, tick: u64) -> Option<(bool, String)> {
        let words = process.words();
        let state = words.state.load(Ordering::Acquire);
        // Before it is ready it has no place yet, and when it is done it needs none.
        if !matches!(
            state,
            stage_state::READY | stage_state::RUNNING | stage_state::DRAINING
        ) || process.exited.is_some()
        {
            return None;
        }
        let pid = process.child.id();
        let all = threads(pid);
        let fifo = words.policy.load(Ordering::Relaxed) == 1;
        let priority = words.priority.load(Ordering::Relaxed) as u32;
        // The thread that was placed: the first, but for the recorder, whose pump is another one.
        let placed = |t: &&ThreadNow| t.fifo == fifo && t.priority == priority;
        let first = || all.iter().find(|t| t.tid == pid);
        let now = match process.part {
            Part::Recorder => all.iter().find(placed).or_else(first),
            Part::Timer | Part::Stage(_) => first(),
        }?
        .clone();
        if self.pid != pid {
            self.pid = pid;
            self.before = None;
            self.mask = None;
        }
        self.count(&now);
        let cpu = words.cpu.load(Ordering::Relaxed);
        let mask = match cpu {
            OPEN => self.mask.get_or_insert_with(|| now.cpus.clone()).clone(),
            cpu => cpu.to_string(),
        };
        let change = self.judge(&now, fifo, priority, &mask);
        if let Some((_, what)) = &change {
            self.record.changes_seen += 1;
            if self.record.changes.len() < CHANGES {
                self.record.changes.push(PlacementChange {
                    at_ns,
                    tick,
                    what: what.clone(),
                });
            }
        }
        self.before = Some(now);
        change
    }

    /// Adds what has happened since the last look.
    fn count(&mut self, now: &ThreadNow) {
        let before = self.before.as_ref().unwrap_or(now);
        let since = |now: u64, before: u64| now.saturating_sub(before);
        let record = &mut self.record;
        record.seconds += 1;
        record.minor_faults += since(now.minor_faults, before.minor_faults);
        record.major_faults += since(now.major_faults, before.major_faults);
        record.voluntary_switches += since(now.voluntary, before.voluntary);
        record.involuntary_switches += since(now.involuntary, before.involuntary);
        if let (Some(now), Some(before)) = (now.migrations, before.migrations) {
            *record.migrations.get_or_insert(0) += since(now, before);
        }
        record.last = Some(Placed {
            policy: now.policy().to_owned(),
            priority: now.priority,
            cpus: now.cpus.clone(),
        });
    }

    /// Compares with what it should be. `true`: it has lost its place.
    fn judge(
        &mut self,
        now: &ThreadNow,
        fifo: bool,
        priority: u32,
        mask: &str,
    ) -> Option<(bool, String)> {
        let mut wrong = Vec::new();
        if (now.fifo, now.priority) != (fifo, priority) {
            let wanted = if fifo { "fifo" } else { "other" };
            wrong.push(format!(
                "is {} {} instead of {wanted} {priority}",
                now.policy(),
                now.priority
            ));
        }
        if now.cpus != mask {
            wrong.push(format!("may run on CPUs {} instead of {mask}", now.cpus));
        }
        let was = self.before.as_ref().map(|b| (b.fifo, b.priority, &b.cpus));
        let is = (now.fifo, now.priority, &now.cpus);
        let placed = core::mem::replace(&mut self.placed, wrong.is_empty());
        if !wrong.is_empty() && (placed || was != Some(is)) {
            return Some((true, format!("lost its placement: {}", wrong.join("; "))));
        }
        (wrong.is_empty() && !placed).then(|| (false, "has its placement again".to_owned()))
    }
}

impl Run {
    /// Once a second: how everybody is placed, and what has become of it.
    pub(super) fn watch_rt_state(&mut self, now_ns: u64, require_rt: bool) {
        if now_ns < self.rt_watch.next_ns {
            return;
        }
        self.rt_watch.next_ns = now_ns + EVERY_NS;
        let tick = self.processes.tick();
        let at_ns = now_ns as i64 - self.start_ns as i64;
        let mut changes = Vec::new();
        for (watched, process) in self.rt_watch.processes.iter_mut().zip(&self.processes.list) {
            if let Some((lost, what)) = watched.look(process, at_ns, tick) {
                changes.push((process.name.clone(), lost, what));
            }
        }
        for cpu in self.rt_watch.throttling.look() {
            let what = "real-time threads are throttled";
            let happened = Happened {
                at_ns: now_ns,
                who: format!("CPU {cpu}"),
                what: what.to_owned(),
            };
            self.processes
                .events
                .say_at(now_ns, tick, &happened.who, what);
            self.collector.event(&happened);
        }
        for steal in self.rt_watch.steal.look(now_ns, at_ns) {
            self.tell_steal(steal, tick);
        }
        for (who, lost, what) in changes {
            if lost {
                self.rt.lose(&who, &what);
            }
            if lost && require_rt {
                self.fault(&who, &format!("{what} (real time is required)"));
            } else {
                self.processes.events.say(tick, &who, &what);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(priority: u32, cpus: &str) -> ThreadNow {
        ThreadNow {
            fifo: true,
            priority,
            cpus: cpus.into(),
            ..ThreadNow::default()
        }
    }

    fn watched() -> Watched {
        Watched {
            record: WatchedProcess::default(),
            pid: 1,
            mask: None,
            before: None,
            placed: true,
        }
    }

    #[test]
    fn what_differs_is_told_once_and_told_again_when_it_is_over() {
        let mut watched = watched();
        let mut looks = Vec::new();
        for now in [
            now(40, "1"),
            now(40, "0-1"),
            now(40, "0-1"),
            now(7, "0-1"),
            now(40, "1"),
            now(40, "1"),
        ] {
            looks.push(watched.judge(&now, true, 40, "1").map(|(_, what)| what));
            watched.before = Some(now);
        }
        let lost = "lost its placement: ";
        assert_eq!(
            looks,
            [
                None,
                Some(format!("{lost}may run on CPUs 0-1 instead of 1")),
                None,
                Some(format!(
                    "{lost}is fifo 7 instead of fifo 40; may run on CPUs 0-1 instead of 1"
                )),
                Some("has its placement again".to_owned()),
                None
            ]
        );
    }
}
