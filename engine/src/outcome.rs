//! What a run leaves behind: accounts, histograms, states, faults. `bench` turns it into reports.

use crate::hindsight::{Incident, Walk};
use crate::launch::SaidAccount;
use ephapse_rtconfig::plan::{Plan, SeatKind};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything known about a run when it has closed.
pub struct Outcome {
    /// What was run.
    pub plan: Plan,
    /// Wall-clock start, ns since the epoch.
    pub started_realtime_ns: u64,
    /// CLOCK_MONOTONIC at tick 0 (or at the common start of an unpaced run), ns.
    pub start_ns: u64,
    /// From the common start to the end of draining, ns.
    pub duration_ns: u64,
    /// Why the run ended: `finished`, `duration`, `interrupted`, or the fault that stopped it.
    pub ended_by: String,
    /// Faults in order of their time; the first is the cause. Empty if the run was sound.
    pub faults: Vec<Fault>,
    /// Deaths after which the process was started again, in order of their time: no faults, for the accounts still hold.
    pub restarts: Vec<Fault>,
    /// Did everything that should run in real time do so?
    pub rt: RtState,
    /// Tick accounts, timer first.
    pub ticks: Vec<TickAccount>,
    /// Ring accounts.
    pub rings: Vec<RingAccount>,
    /// Seat accounts.
    pub edges: Vec<EdgeAccount>,
    /// Source accounts.
    pub sources: Vec<SourceAccount>,
    /// Every hop but the loop.
    pub hops: Vec<Hop>,
    /// The loop: sampled (last frame used) to handed; `None` if the graph has no stimulate stage.
    pub loop_hop: Option<Hop>,
    /// The same, one second at a time, for the interval log: start relative to `start_ns`, length, histogram.
    pub intervals: Vec<Interval>,
    /// Processes, timer first.
    pub stages: Vec<StageRecord>,
    /// How they were placed while they ran, looked at once a second.
    pub rt_watch: RtWatch,
    /// Budgets that were broken.
    pub broken_budgets: Vec<BrokenBudget>,
    /// Stalls of 2 ms and more that the witnesses of the stage CPUs saw; `at_ns` is relative to `start_ns`.
    pub stalls: Vec<Stall>,
    /// Times in which stimulation was held because a process was dead.
    pub holds: Vec<Hold>,
    /// What guards have done, first to last.
    pub guards: Vec<SwitchedOff>,
    /// Faults that the graph asked for, in order of their ticks.
    pub chaos: Vec<Struck>,
    /// The ten decisions that waited longest, longest first, walked back; none of an unpaced run.
    pub worst: Vec<Walk>,
    /// The ten incidents with the decisions that waited longest, worst first; none of an unpaced run.
    pub incidents: Vec<Incident>,
    /// What was recorded; `None` if nothing was to be.
    pub recording: Option<RecordingRecord>,
    /// MONOTONIC, MONOTONIC_RAW, REALTIME and each source's frame count, one row per second.
    pub ties: Vec<Tie>,
    /// What the processes have said.
    pub log: LogRecord,
    /// Commands of the graph's `[on]` that were run.
    pub told: Vec<ToldRecord>,
}

/// A time in which every stimulation command was refused because a process was dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When the death was seen, after `start_ns`, ns.
    pub at_ns: i64,
    /// Tick.
    pub tick: u64,
    /// Who died.
    pub who: String,
    /// From its last sign of life to when its death was seen, ns: stimulation was held at most so long after the death.
    pub seen_within_ns: u64,
    /// How long stimulation was held, ns; `None`: to the end.
    pub held_ns: Option<u64>,
}

/// A time in which a guard had a reason to see its device off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchedOff {
    /// When the guard noticed, after `start_ns`, ns.
    pub at_ns: i64,
    /// Tick.
    pub tick: u64,
    /// The guard.
    pub by: String,
    /// The reason.
    pub why: String,
    /// From the last sign of life of whoever is the reason to when the device was seen off, ns; `None`: it never was.
    pub off_within_ns: Option<u64>,
    /// How often the device was told; 0: it was off already.
    pub told: u64,
    /// How often it could not be told, or asked.
    pub failed: u64,
}

/// A fault of the graph's `[chaos]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Struck {
    /// Tick it was to strike at.
    pub tick: u64,
    /// Who suffers it: a stage, `CPU 1`, `recorder`.
    pub who: String,
    /// What it is.
    pub what: String,
    /// It has struck: false if the run ended before.
    pub struck: bool,
    /// What it came to, one line; `None` if it has not struck.
    pub came_to: Option<String>,
}

/// Something that went wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// After `start_ns`, ns (negative before the start).
    pub at_ns: i64,
    /// Tick.
    pub tick: u64,
    /// Process or stream.
    pub who: String,
    /// One line: what, where, why, what to do.
    pub what: String,
}

/// Real-time state of the whole session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RtState {
    /// True if every `fifo` process got its policy, its CPU and its memory lock, as read back from the kernel.
    pub active: bool,
    /// Why not, one line; empty if active.
    pub why: String,
}

impl RtState {
    /// A process has lost what it had at ready. The first thing that stands between a session and real time is the one told.
    pub(crate) fn lose(&mut self, who: &str, what: &str) {
        if core::mem::replace(&mut self.active, false) {
            self.why = format!("{who} {what}");
        }
    }
}

/// Real-time state as it was read back from the kernel while the session ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtWatch {
    /// Processes, timer first.
    pub processes: Vec<WatchedProcess>,
    /// What the kernel took from real-time threads.
    pub throttling: ThrottlingRecord,
    /// What a hypervisor took of each CPU of the host; none if the kernel does not say.
    pub steal: Vec<StealRecord>,
}

/// What a hypervisor took of one CPU from ready to the end of draining, looked at once a second. The kernel counts it in clock
/// ticks of 10 ms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StealRecord {
    /// CPU.
    pub cpu: u32,
    /// All of it, ns.
    pub ns: u64,
    /// The twenty seconds in which it took most, most first.
    pub worst: Vec<StolenSecond>,
}

/// A second, from one look to the next, of which a hypervisor took something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StolenSecond {
    /// Its end, after `start_ns`, ns.
    pub at_ns: i64,
    /// Its length, ns.
    pub over_ns: u64,
    /// So much of it, ns.
    pub ns: u64,
}

/// One process, looked at once a second from ready to the end of draining. Counts are of the thread that was placed, between the
/// first look and the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedProcess {
    /// Process.
    pub name: String,
    /// Looks.
    pub seconds: u64,
    /// As it was placed at the last look; `None` if there was none.
    pub last: Option<Placed>,
    /// Page faults without the disk.
    pub minor_faults: u64,
    /// Page faults with it.
    pub major_faults: u64,
    /// Moves to another CPU; `None`: the kernel does not say.
    pub migrations: Option<u64>,
    /// Context switches of its own will.
    pub voluntary_switches: u64,
    /// Context switches against it.
    pub involuntary_switches: u64,
    /// Placements lost and had again, the first of them.
    pub changes: Vec<PlacementChange>,
    /// All of them.
    pub changes_seen: u64,
}

/// Policy, priority and CPUs as the kernel says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// `fifo`, `other`, `rr`, `batch`, `idle`, `deadline`.
    pub policy: String,
    /// Real-time priority.
    pub priority: u32,
    /// As the kernel lists them: `0-1,3`.
    pub cpus: String,
}

/// A process was placed otherwise than at ready, or as at ready again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementChange {
    /// When it was seen, after the start, ns.
    pub at_ns: i64,
    /// Tick.
    pub tick: u64,
    /// What it is and what it should be.
    pub what: String,
}

/// Throttling, as far as it can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottlingRecord {
    /// Microseconds of each period that real-time threads may use; -1: all. `None`: this kernel has no such limit.
    pub rt_runtime_us: Option<i64>,
    /// Length of that period, us.
    pub rt_period_us: Option<i64>,
    /// How often the launcher's control group was throttled during the run; `None`: not visible.
    pub group_throttled: Option<u64>,
    /// Looks at which some CPU's real-time threads were throttled; `None`: not visible.
    pub rt_throttled_seen: Option<u64>,
    /// What could not be seen, and why.
    pub not_visible: Vec<String>,
}

/// `due = run + late_wake + long_run + no_room + dead`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickAccount {
    /// `timer` or the stage.
    pub who: String,
    /// Ticks that fell due, computed by the launcher from clock, period, divider and phase.
    pub due: u64,
    /// Ticks dealt with.
    pub run: u64,
    /// Skipped: it was waiting when the tick fell due and woke too late.
    pub late_wake: u64,
    /// Skipped: its own activation ran past it.
    pub long_run: u64,
    /// Skipped: an output had no room.
    pub no_room: u64,
    /// Skipped: the process was dead.
    pub dead: u64,
    /// The equation holds.
    pub holds: bool,
}

/// `offered = published + dropped`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingAccount {
    /// Stream.
    pub stream: String,
    /// Blocks the producer made.
    pub offered: u64,
    /// Blocks readers could see.
    pub published: u64,
    /// Blocks dropped for want of room.
    pub dropped: u64,
    /// The equation holds.
    pub holds: bool,
}

/// `published = consumed + jumped + lapped + left`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeAccount {
    /// Stream.
    pub stream: String,
    /// Stage in the seat.
    pub seat: String,
    /// Kind of seat.
    pub kind: SeatKind,
    /// Blocks published (for a seat that joined late: since it joined).
    pub published: u64,
    /// Blocks processed.
    pub consumed: u64,
    /// Blocks passed over by `newest`, or as unreadable.
    pub jumped: u64,
    /// Blocks overwritten before they were read.
    pub lapped: u64,
    /// Blocks not taken at the end.
    pub left: u64,
    /// Blocks that came with the GAP flag.
    pub gaps: u64,
    /// Frames lost, as their headers say.
    pub lost_frames: u64,
    /// The equation holds, and `left` is 0 after a drain.
    pub holds: bool,
}

/// `counted = valid + lost`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceAccount {
    /// Stream.
    pub stream: String,
    /// Frames counted by the device, the file or the driver.
    pub counted: u64,
    /// Frames published.
    pub valid: u64,
    /// Frames lost, those beside `end` included.
    pub lost: u64,
    /// The equation holds.
    pub holds: bool,
}

/// The capture of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingRecord {
    /// Its first file.
    pub capture: PathBuf,
    /// Blocks in it.
    pub blocks: u64,
    /// Activation records in it.
    pub activations: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Blocks that are missing, by stream, with what they were lost to: each is a gap in the capture with its place.
    pub lost: Vec<RecordingLoss>,
    /// Bytes that were read and could not be written, for the disk did not take them.
    pub unwritten_bytes: u64,
    /// It is sealed: whole but for what is named as lost.
    pub sealed: bool,
    /// Why it is not, or what the disk said last; empty if nothing.
    pub why: String,
}

/// What is missing of one stream, or of one process's activation records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingLoss {
    /// Stream or process.
    pub of: String,
    /// Blocks or records.
    pub count: u64,
    /// Of those, how many because the spool was full: the disk could not follow.
    pub spool_full: u64,
    /// Of those, how many because recording was switched off.
    pub off: u64,
}

/// What the processes of a run wrote to stdout and stderr.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// The file that keeps it; `None`: nothing was to be kept.
    pub path: Option<PathBuf>,
    /// What the disk said last when something could not be written; empty if nothing.
    pub why: String,
    /// Who has said how much; silent processes are left out.
    pub said: Vec<SaidAccount>,
}

/// A command of the graph's `[on]` that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldRecord {
    /// `fault`, `threshold` or `end`.
    pub on: String,
    /// What it was told.
    pub cause: String,
    /// When it was told, after `start_ns`, ns.
    pub at_ns: i64,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How that ended, one line.
    pub how: String,
    /// Its exit code; `None` if it could not be started, was killed, or ended by a signal.
    pub exit_code: Option<i32>,
}

/// What a hop measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopKind {
    /// Deadline to timer awake.
    TimerLateness,
    /// Deadline or upstream commit to stage running.
    Wake,
    /// Stage running to output committed.
    Run,
    /// Sampled to arrived, per source.
    Transport,
    /// Sampled to this stage's commit.
    Age,
    /// Sampled (last frame used) to handed.
    Loop,
    /// Arrived to handed.
    HostLoop,
}

/// One histogram pair.
#[derive(Clone)]
pub struct Hop {
    /// `timer` or the stage.
    pub stage: String,
    /// What is measured.
    pub kind: HopKind,
    /// As it happened, ns.
    pub uncorrected: Histogram<u64>,
    /// With the waits of skipped ticks and missing blocks added (no coordinated omission), ns.
    pub corrected: Histogram<u64>,
    /// Records that were overwritten before the collector read them; more than 0 makes the histogram incomplete.
    pub missing: u64,
    /// Values beyond the histogram's range, recorded as its maximum.
    pub saturated: u64,
}

/// One second of the loop histogram.
#[derive(Clone)]
pub struct Interval {
    /// After `start_ns`, ns.
    pub from_ns: u64,
    /// Length, ns.
    pub length_ns: u64,
    /// Tag: `loop`, or `<stage>.<kind>`.
    pub tag: String,
    /// Uncorrected values of this interval, ns.
    pub histogram: Histogram<u64>,
}

/// One process as read back from the kernel and its own words.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageRecord {
    /// Name (`timer` for the timer).
    pub name: String,
    /// Process id.
    pub pid: u32,
    /// `fifo` or `other`, as the kernel says.
    pub policy: String,
    /// Priority as the kernel says.
    pub priority: u32,
    /// CPU it is bound to; `None` if it may run on several.
    pub cpu: Option<u32>,
    /// Bytes locked in memory.
    pub locked_bytes: u64,
    /// Minor page faults between ready and end.
    pub minor_faults: u64,
    /// Major page faults between ready and end.
    pub major_faults: u64,
    /// Voluntary context switches between ready and end.
    pub voluntary_switches: u64,
    /// Involuntary context switches between ready and end.
    pub involuntary_switches: u64,
    /// Heap allocations between ready and end.
    pub allocations_after_start: u64,
    /// Ticks skipped by late wake.
    pub late_wakes: u64,
    /// Ticks skipped by long run.
    pub long_runs: u64,
    /// Times the process was started again.
    pub restarts: u64,
    /// Activations.
    pub activations: u64,
    /// Rings that led to no activation.
    pub spurious_rings: u64,
    /// A normal-priority helper: the no-allocation rule is not for it.
    pub helper: bool,
    /// Why it does not run in real time although it should, one line; empty if it does or need not.
    pub rt_why: String,
}

/// A budget of the graph that was exceeded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BrokenBudget {
    /// Stage.
    pub stage: String,
    /// Budget, ns.
    pub budget_ns: u64,
    /// Activations longer than it.
    pub broken: u64,
    /// The longest, ns.
    pub worst_ns: u64,
}

/// A time in which a CPU ran nobody of FIFO priority 92 or less: none of the session's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// CPU.
    pub cpu: u32,
    /// When the witness should have run, ns.
    pub at_ns: u64,
    /// How late it was, ns.
    pub length_ns: u64,
}

impl Stall {
    /// Who tells of stalls among the session's events.
    pub const TELLER: &str = "witness";

    /// How an event tells of it that stands at its time.
    pub fn says(&self) -> String {
        format!("stall of CPU {}: {}", self.cpu, exact_ms(self.length_ns))
    }

    /// The stall that an event tells of; `None` if it tells of something else.
    pub fn told(who: &str, what: &str, at_ns: u64) -> Option<Self> {
        let rest = what.strip_prefix("stall of CPU ")?;
        let (cpu, length) = rest.split_once(": ")?;
        (who == Self::TELLER).then_some(Stall {
            cpu: cpu.parse().ok()?,
            at_ns,
            length_ns: of_exact_ms(length)?,
        })
    }
}

/// What a hypervisor took of a CPU between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steal {
    /// CPU.
    pub cpu: u32,
    /// The second look, CLOCK_MONOTONIC ns.
    pub until_ns: u64,
    /// Since the first, ns.
    pub over_ns: u64,
    /// So much, ns.
    pub ns: u64,
}

impl Steal {
    /// Who tells of it among the session's events.
    pub const TELLER: &str = "hypervisor";

    /// How an event tells of it that stands at its end.
    pub fn says(&self) -> String {
        format!(
            "took {} of CPU {} in {}",
            exact_ms(self.ns),
            self.cpu,
            exact_ms(self.over_ns)
        )
    }

    /// What an event tells of; `None` if it tells of something else.
    pub fn told(who: &str, what: &str, at_ns: u64) -> Option<Self> {
        let (ns, rest) = what.strip_prefix("took ")?.split_once(" of CPU ")?;
        let (cpu, over_ns) = rest.split_once(" in ")?;
        (who == Self::TELLER).then_some(Steal {
            cpu: cpu.parse().ok()?,
            until_ns: at_ns,
            over_ns: of_exact_ms(over_ns)?,
            ns: of_exact_ms(ns)?,
        })
    }
}

/// Milliseconds to the nanosecond: `38.900012 ms`.
fn exact_ms(ns: u64) -> String {
    format!("{}.{:06} ms", ns / 1_000_000, ns % 1_000_000)
}

/// Nanoseconds of [`exact_ms`].
fn of_exact_ms(text: &str) -> Option<u64> {
    let (ms, ns) = text.strip_suffix(" ms")?.split_once('.')?;
    let (ms, ns): (u64, u64) = (ms.parse().ok()?, ns.parse().ok()?);
    ms.checked_mul(1_000_000)?.checked_add(ns)
}

/// One row of the tie table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tie {
    /// CLOCK_MONOTONIC, ns.
    pub monotonic_ns: u64,
    /// CLOCK_MONOTONIC_RAW, ns.
    pub raw_ns: u64,
    /// CLOCK_REALTIME, ns.
    pub realtime_ns: u64,
    /// Per source stream: name, frames so far.
    pub frames: Vec<(String, u64)>,
}

impl Outcome {
    /// `failed` (a fault, an account, an incomplete histogram) before `threshold` (a broken budget) before `passed`.
    pub fn verdict(&self) -> Verdict {
        let accounts_hold = self.ticks.iter().all(|a| a.holds)
            && self.rings.iter().all(|a| a.holds)
            && self.edges.iter().all(|a| a.holds)
            && self.sources.iter().all(|a| a.holds);
        let complete = self
            .hops
            .iter()
            .chain(&self.loop_hop)
            .all(|h| h.missing == 0);
        if !self.faults.is_empty() || !accounts_hold || !complete {
            Verdict::Failed
        } else if !self.broken_budgets.is_empty() {
            Verdict::Threshold
        } else {
            Verdict::Passed
        }
    }
}

/// Outcome in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Exit 0.
    Passed,
    /// Exit 1.
    Failed,
    /// Exit 2.
    Threshold,
}

impl Verdict {
    /// As in reports.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Threshold => "threshold",
        }
    }

    /// Exit code of the command line.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Passed => 0,
            Verdict::Failed => 1,
            Verdict::Threshold => 2,
        }
    }
}
