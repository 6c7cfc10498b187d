//! `[chaos]`: what no stage can do to itself (a CPU is burnt, the recorder's disk is full), and which of all the faults have struck.

use super::prepare::{Part, Processes};
use super::run::Run;
use crate::hindsight::Happened;
use crate::os;
use crate::outcome::Struck;
use crate::runner::set_fifo;
use crate::sync::Ordering;
use ephapse_rtconfig::chaos::Fault;
use ephapse_rtconfig::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering as Order};
use std::thread::JoinHandle;

/// FIFO priority of what burns a CPU: above every stage, below witness, supervisor and timer.
const HOG_PRIORITY: u8 = 90;
/// It looks so often whether the session is over, ns.
const LOOK_NS: u64 = 20_000_000;

/// A CPU that is burnt from a tick on.
struct Hog {
    injection: usize,
    tick: u64,
    for_ns: u64,
}

/// The faults of a session.
pub(super) struct Chaos {
    /// By injection of the plan: its event has been said.
    told: BTreeSet<usize>,
    /// By injection of the plan: when the hog began, ns, once it has done it; 0 before.
    hogged_ns: Arc<Vec<AtomicU64>>,
    over: Arc<AtomicBool>,
    hogs: Vec<JoinHandle<()>>,
    /// The recorder's files may not grow until then, ns.
    full_until_ns: Option<u64>,
}

impl Chaos {
    pub fn new(plan: &Plan) -> Self {
        Chaos {
            told: BTreeSet::new(),
            hogged_ns: Arc::new(plan.chaos.iter().map(|_| AtomicU64::new(0)).collect()),
            over: Arc::default(),
            hogs: Vec::new(),
            full_until_ns: None,
        }
    }

    /// From the common start on: one thread for each CPU that is to be burnt.
    pub fn start(&mut self, plan: &Plan, start_ns: u64) {
        let mut by_cpu: BTreeMap<u32, Vec<Hog>> = BTreeMap::new();
        for (index, injection) in plan.chaos.iter().enumerate() {
            if let Fault::Hog { cpu, for_ns } = injection.fault {
                by_cpu.entry(cpu).or_default().push(Hog {
                    injection: index,
                    tick: injection.tick,
                    for_ns,
                });
            }
        }
        let tick_ns = plan.tick_ns;
        for (cpu, list) in by_cpu {
            let (over, hogged_ns) = (self.over.clone(), self.hogged_ns.clone());
            self.hogs.push(std::thread::spawn(move || {
                core_affinity::set_for_current(core_affinity::CoreId { id: cpu as usize });
                // Without the privilege it burns what it gets.
                let _ = set_fifo(HOG_PRIORITY);
                for hog in list {
                    if !sleep_until(start_ns + hog.tick * tick_ns, &over) {
                        return;
                    }
                    let begun_ns = os::monotonic_ns();
                    while os::monotonic_ns() < begun_ns + hog.for_ns {
                        core::hint::spin_loop();
                    }
                    hogged_ns[hog.injection].store(begun_ns, Order::Release);
                }
            }));
        }
    }

    /// When this fault of the plan struck, ns, if it has; of a stage's faults that is exact for the newest.
    fn struck_ns(&self, processes: &Processes, index: usize, start_ns: u64) -> Option<u64> {
        let injections = &processes.plan.chaos;
        let due_ns = start_ns + injections[index].tick * processes.plan.tick_ns;
        let fault = &injections[index].fault;
        let Some(stage) = fault.stage() else {
            return match fault {
                Fault::Hog { .. } => {
                    let begun_ns = self.hogged_ns[index].load(Order::Acquire);
                    (begun_ns != 0).then_some(begun_ns)
                }
                _ => (processes.tick() >= injections[index].tick).then_some(due_ns),
            };
        };
        let before = &injections[..index];
        let before = before.iter().filter(|i| i.fault.stage() == Some(stage));
        let number = before.count() as u64 + 1;
        let words = processes.of_stage(stage)?.words();
        match words.injected.load(Ordering::Acquire) {
            newest if newest == number => Some(words.injected_ns.load(Ordering::Relaxed)),
            struck => (struck > number).then_some(due_ns),
        }
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.over.store(true, Order::Release);
        for hog in self.hogs.drain(..) {
            let _ = hog.join();
        }
    }
}

fn sleep_until(deadline_ns: u64, over: &AtomicBool) -> bool {
    while !over.load(Order::Acquire) {
        let now_ns = os::monotonic_ns();
        if now_ns >= deadline_ns {
            return true;
        }
        os::sleep_until(deadline_ns.min(now_ns + LOOK_NS));
    }
    false
}

impl Run {
    /// Says which faults have struck since the last look, and lets strike what is the launcher's to do.
    pub(super) fn suffer(&mut self, now_ns: u64) {
        if self
            .chaos
            .full_until_ns
            .is_some_and(|until| now_ns >= until)
        {
            self.empty_disk();
        }
        for index in 0..self.processes.plan.chaos.len() {
            if self.chaos.told.contains(&index) {
                continue;
            }
            let struck_ns = self.chaos.struck_ns(&self.processes, index, self.start_ns);
            let Some(struck_ns) = struck_ns else {
                continue;
            };
            self.chaos.told.insert(index);
            let injection = self.processes.plan.chaos[index].clone();
            if let Fault::DiskFull { for_ns } = injection.fault {
                self.limit_recorder(Some(0));
                self.chaos.full_until_ns = Some(now_ns + for_ns);
            }
            let who = injection.fault.who(&self.processes.plan);
            let what = injection.fault.struck_words();
            // Said when it is seen, of the moment in which it struck: there a walk back looks for it.
            let events = &mut self.processes.events;
            events.say_at(struck_ns, injection.tick, &who, &what);
            self.collector.event(&Happened {
                at_ns: struck_ns,
                who,
                what,
            });
            self.await_aftermath(index, now_ns);
        }
        self.tell_aftermaths(now_ns, false);
    }

    /// The disk takes what comes again.
    pub(super) fn empty_disk(&mut self) {
        if self.chaos.full_until_ns.take().is_some() {
            self.limit_recorder(None);
        }
    }

    fn limit_recorder(&self, bytes: Option<u64>) {
        let recorder = self
            .processes
            .list
            .iter()
            .find(|p| p.part == Part::Recorder);
        if let Some(recorder) = recorder {
            // It fails if the recorder has died meanwhile: its successor has no limit.
            let _ = os::limit_file_size(recorder.child.id(), bytes);
        }
    }

    /// Every fault of the plan, and whether it has struck.
    pub(super) fn struck(&self) -> Vec<Struck> {
        let plan = &self.processes.plan;
        let all = plan.chaos.iter().enumerate();
        all.map(|(index, injection)| Struck {
            tick: injection.tick,
            who: injection.fault.who(plan),
            what: injection.fault.words(),
            struck: self.chaos.told.contains(&index),
            came_to: self.aftermaths.came_to.get(&index).cloned(),
        })
        .collect()
    }
}
