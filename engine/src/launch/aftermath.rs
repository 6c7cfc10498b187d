//! What a fault on purpose came to: what was lost between the look before it struck and a second after it was over, out of the
//! accounts; since when stimulation was held; and that the loop runs.

use super::account;
use super::prepare::Processes;
use super::run::Run;
use crate::sync::Ordering;
use ephapse_rtconfig::chaos::Fault;
use ephapse_rtconfig::plan::{RECORDER, StagePlan};
use std::collections::BTreeMap;

/// From the end of a fault to the look at what it came to, ns.
const LATER_NS: u64 = 1_000_000_000;
/// Causes of a skipped tick, in the order of [`Sums::skipped`].
const CAUSES: [&str; 4] = ["late wake", "long run", "no room", "dead"];

/// Sums over the accounts of a running session.
#[derive(Clone, Copy, Default)]
struct Sums {
    /// Ticks, by cause.
    skipped: [u64; 4],
    /// Blocks dropped for want of room.
    dropped: u64,
    /// Frames lost at the sources.
    lost_frames: u64,
    /// Blocks missing in the capture.
    unrecorded: u64,
    /// Activations of the stages that stimulate.
    stimulated: u64,
}

/// A fault that has struck.
struct Aftermath {
    injection: usize,
    /// Before it struck.
    before: Sums,
    due_ns: u64,
}

/// Faults whose aftermath has not been told, and the newest look at the accounts.
#[derive(Default)]
pub(super) struct Aftermaths {
    waiting: Vec<Aftermath>,
    last: Sums,
    /// Lines that nobody has taken yet.
    pub told: Vec<String>,
    /// By injection of the plan: what it came to.
    pub came_to: BTreeMap<usize, String>,
}

impl Sums {
    fn now(processes: &Processes) -> Self {
        let mut sums = Sums {
            dropped: account::rings(processes).iter().map(|r| r.dropped).sum(),
            lost_frames: account::sources(processes).iter().map(|s| s.lost).sum(),
            unrecorded: account::edges(processes)
                .iter()
                .filter(|edge| edge.seat == RECORDER)
                .map(|edge| edge.jumped + edge.lapped)
                .sum(),
            ..Sums::default()
        };
        for process in &processes.list {
            let bank = process.memory.bank();
            let words = [&bank.late_wake, &bank.long_run, &bank.no_room, &bank.dead];
            for (sum, word) in sums.skipped.iter_mut().zip(words) {
                *sum += word.load(Ordering::Relaxed);
            }
            let stage = process.part.stage().map(|s| &processes.plan.stages[s]);
            if stage.is_some_and(StagePlan::stimulates) {
                sums.stimulated += bank.activations.load(Ordering::Relaxed);
            }
        }
        sums
    }

    /// What was lost since `before`, in words.
    fn lost_since(&self, before: &Sums) -> String {
        let skipped = CAUSES.iter().zip(self.skipped).zip(before.skipped);
        let causes = skipped.map(|((cause, now), before)| (cause, now.saturating_sub(before)));
        let causes: Vec<String> = causes
            .filter(|(_, ticks)| *ticks > 0)
            .map(|(cause, ticks)| format!("{ticks} {cause}"))
            .collect();
        let mut lost = Vec::new();
        if !causes.is_empty() {
            lost.push(format!("ticks ({})", causes.join(", ")));
        }
        let counts = [
            (self.dropped, before.dropped, "blocks dropped"),
            (self.lost_frames, before.lost_frames, "frames"),
            (
                self.unrecorded,
                before.unrecorded,
                "blocks of the recording",
            ),
        ];
        for (now, before, what) in counts {
            if let lost_now @ 1.. = now.saturating_sub(before) {
                lost.push(format!("{lost_now} {what}"));
            }
        }
        if lost.is_empty() {
            "nothing".to_owned()
        } else {
            lost.join(", ")
        }
    }
}

impl Run {
    /// An injection of the plan has struck since the last look.
    pub(super) fn await_aftermath(&mut self, injection: usize, now_ns: u64) {
        let length_ns = match self.processes.plan.chaos[injection].fault {
            Fault::Stall { for_ns, .. } | Fault::Delay { for_ns, .. } => for_ns,
            // The recorder tries again a second after it was refused, and counts what is missing when it can go on.
            Fault::DiskFull { for_ns } => for_ns + LATER_NS,
            // A hog is seen when it is done.
            Fault::Kill { .. }
            | Fault::Drop { .. }
            | Fault::PageFaults { .. }
            | Fault::Hog { .. } => 0,
        };
        self.aftermaths.waiting.push(Aftermath {
            injection,
            before: self.aftermaths.last,
            due_ns: now_ns + length_ns + LATER_NS,
        });
    }

    /// Tells what is due; at the `end`, all that is left.
    pub(super) fn tell_aftermaths(&mut self, now_ns: u64, end: bool) {
        if self.processes.plan.chaos.is_empty() {
            return;
        }
        let sums = Sums::now(&self.processes);
        let waiting = core::mem::take(&mut self.aftermaths.waiting);
        let (due, later): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|aftermath| end || now_ns >= aftermath.due_ns);
        self.aftermaths.waiting = later;
        for aftermath in due {
            let injection = &self.processes.plan.chaos[aftermath.injection];
            let who = injection.fault.who(&self.processes.plan);
            let mut holds = self.holds.over.iter();
            let held = holds.find(|hold| hold.who == who && hold.tick >= injection.tick);
            let held = held.map_or_else(String::new, |hold| {
                let long = hold.held_ns.map_or("to the end".to_owned(), |ns| {
                    format!("for {:.1} ms", ns as f64 / 1e6)
                });
                let seen_ms = hold.seen_within_ns as f64 / 1e6;
                format!("; stimulation held within {seen_ms:.1} ms, {long}")
            });
            let since = sums.stimulated.saturating_sub(aftermath.before.stimulated);
            let came_to = format!(
                "lost: {}{held}; the loop has made {since} turns since",
                sums.lost_since(&aftermath.before)
            );
            let tick = injection.tick;
            let what = format!("{}; {came_to}", injection.fault.words());
            self.processes.events.say(tick, &who, &what);
            self.aftermaths.came_to.insert(aftermath.injection, came_to);
            self.aftermaths
                .told
                .push(format!("tick {tick}: {who} {what}"));
        }
        self.aftermaths.last = sums;
    }
}
