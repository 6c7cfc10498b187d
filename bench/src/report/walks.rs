//! Decisions walked back, as the report and `ephapse why` show them.

use super::causes::cause_reports;
use super::units::{duration, thousands};
use ephapse_engine::hindsight::{Hop, Walk};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One decision, from the frames it was made of to the device it was handed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WalkReport {
    /// Tick in which it was handed over.
    pub tick: u64,
    /// The stage that handed it over.
    pub stage: String,
    /// When its last frame was sampled, after the start, ns; null if the start is not on record.
    pub sampled_ns: Option<i64>,
    /// Sampled to handed, as it happened, ns.
    pub total_ns: u64,
    /// Decisions before it that never came, and waited for this one.
    pub lost: u64,
    /// What the first of them waited longer than this one, ns.
    pub lost_ns: u64,
    /// The stage of the hop that cost most beyond the waits that the graph plans.
    pub costliest: String,
    /// Its stages in the order of the way, the source first (unless `broken`).
    pub hops: Vec<WalkHopReport>,
    /// Why the way could not be followed back to the frames; null: it was.
    pub broken: Option<String>,
}

/// One stage on the way. It begins where the one before it ended: all that was waited and run is the total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WalkHopReport {
    /// Stage.
    pub stage: String,
    /// CPU it is bound to; null: any.
    pub cpu: Option<u32>,
    /// Tick of its turn.
    pub tick: u64,
    /// Position of the block it took, modulo 65,536; null for a source.
    pub position: Option<u16>,
    /// From the last frame (source) or the block being there to the stage being at work, ns.
    pub waited_ns: u64,
    /// Of that, what the graph plans: the time to its next tick, ns.
    pub planned_ns: u64,
    /// When it was at work, after the last frame was sampled, ns.
    pub woke_ns: u64,
    /// At work, ns.
    pub ran_ns: u64,
    /// What is on record of its wait and its run, what cost most first.
    pub causes: Vec<CauseReport>,
}

/// Something on record in the time of a hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CauseReport {
    /// What it is.
    #[schemars(extend("enum" = [
        "preempted", "busy", "timer_late", "stall", "minor_faults", "major_faults", "involuntary_switches", "late_wake",
        "long_run", "no_room", "dead", "frames_lost", "decisions_lost", "dropped", "started_over", "passed_over", "injected",
        "other_input", "without_input", "steal", "event", "unexplained"
    ]))]
    pub kind: String,
    /// Who preempted it, whom it had to wait for, or who suffered a fault on purpose, where that is on record.
    pub who: Option<String>,
    /// The CPU that stood still, or was burnt or taken.
    pub cpu: Option<u32>,
    /// `injected`: the tick at which it was to strike.
    #[serde(default)]
    pub tick: Option<u64>,
    /// How long, ns.
    pub ns: Option<u64>,
    /// How many: ticks, turns, faults, switches, frames, decisions, pages.
    pub count: Option<u64>,
    /// The same in words.
    pub says: String,
}

impl WalkReport {
    /// Of a walk; `start_ns` is the common start, CLOCK_MONOTONIC ns.
    pub fn new(walk: &Walk, start_ns: Option<u64>) -> Self {
        let sampled_ns = walk.sampled_ns;
        WalkReport {
            tick: walk.tick,
            stage: walk.stage.clone(),
            sampled_ns: start_ns.map(|start_ns| sampled_ns.wrapping_sub(start_ns).cast_signed()),
            total_ns: walk.total_ns(),
            lost: walk.lost,
            lost_ns: walk.lost_ns,
            costliest: walk
                .costliest()
                .map_or_else(String::new, |hop| hop.stage.clone()),
            hops: walk
                .hops
                .iter()
                .map(|hop| hop_report(hop, sampled_ns))
                .collect(),
            broken: walk.broken.clone(),
        }
    }

    /// The hop that cost most.
    pub fn costliest_hop(&self) -> Option<&WalkHopReport> {
        self.hops.iter().find(|hop| hop.stage == self.costliest)
    }
}

impl WalkHopReport {
    /// What it waited or ran, whichever was longer, and why: `waited 5.00 ms: late_wake, 4 ticks`.
    pub fn cost_in_words(&self) -> String {
        let late_ns = self.waited_ns - self.planned_ns.min(self.waited_ns);
        let what = if late_ns > self.ran_ns {
            format!("waited {}", duration(late_ns))
        } else {
            format!("ran {}", duration(self.ran_ns))
        };
        match self.causes.as_slice() {
            [] => what,
            causes => format!("{what}: {}", in_words(causes)),
        }
    }
}

impl WalkReport {
    /// Why a hop took as long as it did, in one line; the one that cost most is marked.
    pub fn why_in_words(&self, hop: &WalkHopReport) -> String {
        let mut why = Vec::new();
        if hop.planned_ns > 0 {
            why.push(format!("{} of it to its tick", duration(hop.planned_ns)));
        }
        if !hop.causes.is_empty() {
            why.push(in_words(&hop.causes));
        }
        let most = if hop.stage == self.costliest {
            "<- "
        } else {
            ""
        };
        format!("{most}{}", why.join("; "))
    }

    /// What it is, in one line.
    pub fn title(&self) -> String {
        let moment = self.sampled_ns.map_or_else(String::new, |ns| {
            let side = if ns < 0 { "before" } else { "after" };
            format!(
                ", from frames sampled {} {side} the start",
                duration(ns.unsigned_abs())
            )
        });
        format!(
            "{} handed a decision over in tick {}{moment}: {} from sampled to handed",
            self.stage,
            thousands(self.tick),
            duration(self.total_ns)
        )
    }
}

impl WalkHopReport {
    /// Stage, CPU, tick, and what it waited, when it was at work and how long it ran.
    pub fn cells(&self) -> [String; 6] {
        [
            self.stage.clone(),
            self.cpu
                .map_or_else(|| "any".to_owned(), |cpu| cpu.to_string()),
            thousands(self.tick),
            duration(self.waited_ns),
            format!("+{}", duration(self.woke_ns)),
            duration(self.ran_ns),
        ]
    }
}

/// Heads of [`WalkHopReport::cells`] and [`WalkReport::why_in_words`].
pub(super) const HEADS: [&str; 7] = ["stage", "cpu", "tick", "waited", "woke", "ran", "why"];

/// Causes in one line.
fn in_words(causes: &[CauseReport]) -> String {
    let words: Vec<&str> = causes.iter().map(|cause| cause.says.as_str()).collect();
    words.join("; ")
}

fn hop_report(hop: &Hop, sampled_ns: u64) -> WalkHopReport {
    WalkHopReport {
        stage: hop.stage.clone(),
        cpu: hop.cpu,
        tick: hop.tick,
        position: hop.position,
        waited_ns: hop.waited_ns(),
        planned_ns: hop.planned_ns(),
        woke_ns: hop.woke_ns.saturating_sub(sampled_ns),
        ran_ns: hop.ran_ns(),
        causes: hop.causes.iter().flat_map(cause_reports).collect(),
    }
}

/// A walk for people: what it is, then one line per hop.
pub fn walk_text(walk: &WalkReport) -> String {
    let mut out = walk.title() + "\n";
    let row = |cells: [&str; 6], why: &str| {
        let [stage, cpu, tick, waited, woke, ran] = cells;
        let line =
            format!("  {stage:<16} {cpu:>3} {tick:>11} {waited:>9} {woke:>10} {ran:>9}  {why}");
        line.trim_end().to_owned() + "\n"
    };
    let [heads @ .., why] = HEADS;
    out += &row(heads, why);
    if let Some(why) = &walk.broken {
        out += &format!("  ? before this: {why}\n");
    }
    for hop in &walk.hops {
        let cells = hop.cells();
        out += &row(
            cells.each_ref().map(String::as_str),
            &walk.why_in_words(hop),
        );
    }
    // Names and texts come from elsewhere: no control character of theirs reaches a terminal.
    out.chars()
        .map(|c| if c.is_control() && c != '\n' { '?' } else { c })
        .collect()
}
