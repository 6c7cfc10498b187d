//! `report.json`: a contract. Its schema is checked in as `bench/schema/report.json`.
//!
//! The structs repeat those of the engine's outcome on purpose: what programs read must not change because the
//! engine's own records do. Keys may be added within `ephapse-report 1`; none changes its meaning or goes.

use super::certificate::ReplayReport;
use super::incidents::IncidentReport;
use super::walks::WalkReport;
use ephapse_engine::outcome::{HopKind, Verdict};
use ephapse_rtconfig::plan::SeatKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Value of [`Report::format`].
pub const FORMAT: &str = "ephapse-report 1";

/// Everything a run reports. Times in ns; latencies are the corrected ones unless a key says `uncorrected`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// `ephapse-report 1`.
    pub format: String,
    /// `failed` before `threshold` before `passed`.
    #[schemars(with = "String", extend("enum" = ["passed", "failed", "threshold"]))]
    pub verdict: Verdict,
    /// The verdict in one sentence: the first fault, the first broken account, or the broken budget.
    pub why: String,
    /// Exit code of the command line: 0 passed, 1 failed, 2 threshold.
    pub exit_code: u8,
    /// Why the run ended: `finished`, `duration`, `interrupted`, or the fault that stopped it.
    pub ended_by: String,
    /// Faults in order of their time; the first is the cause.
    pub faults: Vec<FaultReport>,
    /// Deaths after which the process was started again, in order of their time.
    pub restarts: Vec<FaultReport>,
    /// Times in which every stimulation command was refused because a process was dead, in order of their beginning.
    #[serde(default)]
    pub holds: Vec<HoldReport>,
    /// Times in which a guard had a reason to see its device off, in order of their beginning.
    #[serde(default)]
    pub guards: Vec<GuardReport>,
    /// Faults that the graph's `[chaos]` asked for, in order of their ticks.
    #[serde(default)]
    pub chaos: Vec<ChaosReport>,
    /// Name of the session.
    pub session: String,
    /// Name of the recording that was played; null if none was.
    pub recording: Option<String>,
    /// The capture that was made; null if nothing was to be recorded.
    #[serde(default)]
    pub capture: Option<CaptureReport>,
    /// What the processes wrote to stdout and stderr.
    #[serde(default)]
    pub logs: LogsReport,
    /// What came of replaying the capture; null: it was not replayed.
    #[serde(default)]
    pub replay: Option<ReplayReport>,
    /// The `[experiment]` table.
    pub experiment: BTreeMap<String, String>,
    /// Wall-clock start, RFC 3339, UTC.
    pub started: String,
    /// From the common start to the end of draining, ns.
    pub duration_ns: u64,
    /// The tick; null in an unpaced run.
    pub timer: Option<TimerReport>,
    /// Did everything that should run in real time do so?
    pub rt: RtReport,
    /// `due = run + late_wake + long_run + no_room + dead`, timer first.
    pub ticks: Vec<TickReport>,
    /// `offered = published + dropped`.
    pub rings: Vec<RingReport>,
    /// `published = consumed + jumped + lapped + left`.
    pub edges: Vec<EdgeReport>,
    /// `counted = valid + lost`.
    pub sources: Vec<SourceReport>,
    /// Sampled (last frame used) to command handed to the device; null without a stimulate stage.
    #[serde(rename = "loop")]
    pub loop_latency: Option<LoopReport>,
    /// The ten decisions that waited longest, longest first (those counted that never came before them), stage by stage.
    #[serde(default)]
    pub worst: Vec<WalkReport>,
    /// The ten incidents with the decisions that waited longest, worst first: what one thing kept waiting is one entry.
    #[serde(default)]
    pub incidents: Vec<IncidentReport>,
    /// Every other hop.
    pub hops: Vec<HopReport>,
    /// Processes as read back from the kernel, timer first.
    pub stages: Vec<StageReport>,
    /// How they were placed while they ran, looked at once a second; null in reports of before there was such a look.
    #[serde(default)]
    pub rt_watch: Option<RtWatchReport>,
    /// Commands of the graph's `[on]` that were run.
    #[serde(default)]
    pub told: Vec<ToldReport>,
    /// Budgets that were broken.
    pub budgets: Vec<BudgetReport>,
    /// MONOTONIC, MONOTONIC_RAW, REALTIME and each source's frames, one row per second.
    pub ties: Vec<TieReport>,
    /// Stalls of 2 ms and more that a witness thread on a stage CPU saw: none of the session's doing.
    pub stalls: Vec<StallReport>,
    /// Fingerprint of the host.
    pub host: serde_json::Value,
    /// The resolved graph, TOML.
    pub graph: String,
}

/// Something that went wrong.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FaultReport {
    /// After the start, ns; negative before it.
    pub at_ns: i64,
    /// Tick.
    pub tick: u64,
    /// Process or stream.
    pub who: String,
    /// What, where, why, what to do.
    pub what: String,
}

/// A time in which stimulation was held.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HoldReport {
    /// When the death was seen, after the start, ns; negative before it.
    pub at_ns: i64,
    /// Tick.
    pub tick: u64,
    /// Who died.
    pub who: String,
    /// From its last sign of life to when its death was seen, ns: stimulation was held at most so long after the death.
    pub seen_within_ns: u64,
    /// How long stimulation was held, ns; null: to the end.
    pub held_ns: Option<u64>,
}

/// A time in which a guard had a reason to see its device off.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GuardReport {
    /// When the guard noticed, after the start, ns; negative before it.
    pub at_ns: i64,
    /// Tick.
    pub tick: u64,
    /// The guard.
    pub by: String,
    /// The reason.
    pub why: String,
    /// From the last sign of life of whoever is the reason to when the device was seen off, ns; null: it never was.
    pub off_within_ns: Option<u64>,
    /// How often the device was told; 0: it was off already.
    pub told: u64,
    /// How often it could not be told, or asked.
    pub failed: u64,
}

/// A fault on purpose.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ChaosReport {
    /// Tick at which it was to strike.
    pub tick: u64,
    /// Who suffers it: a stage, `CPU 1`, `recorder`.
    pub who: String,
    /// What it is.
    pub what: String,
    /// It has struck: false if the run ended before.
    pub struck: bool,
    /// What it came to, one line; null if it has not struck.
    #[serde(default)]
    pub came_to: Option<String>,
}

/// The tick and who makes it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TimerReport {
    /// Length of a tick, ns.
    pub period_ns: u64,
    /// CPU of the timer, as planned.
    pub cpu: u32,
    /// FIFO priority, as planned.
    pub priority: u8,
}

/// Real-time state of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RtReport {
    /// True if every `fifo` process got its policy, its CPU and its memory lock.
    pub active: bool,
    /// Why not; empty if active.
    pub why: String,
}

/// Tick account.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TickReport {
    /// `timer` or the stage.
    pub who: String,
    /// Ticks that fell due.
    pub due: u64,
    /// Ticks dealt with.
    pub run: u64,
    /// Skipped: woke too late.
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

/// Ring account, in blocks.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RingReport {
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

/// Seat account, in blocks.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EdgeReport {
    /// Stream.
    pub stream: String,
    /// Stage in the seat.
    pub seat: String,
    /// Kind of seat.
    pub kind: SeatKind,
    /// Blocks published (since the seat joined).
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
    /// Frames lost, as the block headers say.
    pub lost_frames: u64,
    /// The equation holds, and `left` is 0 after a drain.
    pub holds: bool,
}

/// Source account, in frames.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SourceReport {
    /// Stream.
    pub stream: String,
    /// Frames counted by the device, the file or the driver.
    pub counted: u64,
    /// Frames published.
    pub valid: u64,
    /// Frames lost.
    pub lost: u64,
    /// The equation holds.
    pub holds: bool,
}

/// Percentiles of one histogram, each good to three digits. Null while `count` is 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// Values recorded.
    pub count: u64,
    /// Smallest, ns.
    pub min_ns: Option<u64>,
    /// 50 %, ns.
    pub p50_ns: Option<u64>,
    /// 99 %, ns.
    pub p99_ns: Option<u64>,
    /// 99.9 %, ns.
    pub p999_ns: Option<u64>,
    /// 99.99 %, ns.
    pub p9999_ns: Option<u64>,
    /// Largest, ns.
    pub max_ns: Option<u64>,
}

/// A hop: corrected figures (waits of skipped ticks and missing blocks added), and as it happened.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HopReport {
    /// `timer` or the stage.
    pub stage: String,
    /// What is measured.
    #[schemars(with = "String", extend("enum" = [
        "timer_lateness", "wake", "run", "transport", "age", "loop", "host_loop"
    ]))]
    pub kind: HopKind,
    /// No record was lost on the way into the histogram.
    pub complete: bool,
    /// Records that were lost on the way.
    pub missing: u64,
    /// Values beyond the histogram's range, recorded as its maximum: they were larger than `max_ns` says.
    pub saturated: u64,
    /// Corrected figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// As it happened.
    pub uncorrected: Figures,
    /// `age` and `loop`: the longest that follows from the budgets of the graph, ns; null where there is no bound, and in a run
    /// that was not in real time.
    #[serde(default)]
    pub bound_ns: Option<u64>,
}

/// The loop: figures like those of a hop, and its distribution.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LoopReport {
    /// The stage that handed the command over, and the figures.
    #[serde(flatten)]
    pub hop: HopReport,
    /// Corrected distribution by percentile.
    pub curve: Vec<CurvePoint>,
    /// Distribution as it happened, by percentile.
    pub uncorrected_curve: Vec<CurvePoint>,
    /// Corrected distribution by value; bins without values between others are listed too.
    pub histogram: Vec<Bin>,
    /// Second by second, as it happened.
    pub seconds: Vec<Second>,
}

/// One point of a percentile curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurvePoint {
    /// Share of the values that are not above `value_ns`, 0 to 100 %.
    pub percent: f64,
    /// ns.
    pub value_ns: u64,
}

/// Values from `from_ns` to below `to_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bin {
    /// Lower edge, ns.
    pub from_ns: u64,
    /// Upper edge, ns.
    pub to_ns: u64,
    /// Values.
    pub count: u64,
}

/// One interval of the loop.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Second {
    /// After the start, ns.
    pub from_ns: u64,
    /// Length, ns.
    pub length_ns: u64,
    /// Figures as it happened.
    #[serde(flatten)]
    pub figures: Figures,
}

/// One process as read back from the kernel and its own words. Counts are from ready to end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StageReport {
    /// Name (`timer` for the timer).
    pub name: String,
    /// Kind of stage (`timer` for the timer).
    pub kind: String,
    /// Process id.
    pub pid: u32,
    /// `fifo` or `other`, as the kernel says.
    pub policy: String,
    /// Priority as the kernel says.
    pub priority: u32,
    /// CPU it is bound to; null if it may run on several.
    pub cpu: Option<u32>,
    /// Bytes locked in memory.
    pub locked_bytes: u64,
    /// Minor page faults.
    pub minor_faults: u64,
    /// Major page faults.
    pub major_faults: u64,
    /// Voluntary context switches.
    pub voluntary_switches: u64,
    /// Involuntary context switches.
    pub involuntary_switches: u64,
    /// Heap allocations.
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
    /// A normal-priority helper: it may allocate.
    pub helper: bool,
    /// Why it does not run in real time although it should; empty if it does or need not.
    pub rt_why: String,
}

/// A budget of the graph that was broken.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BudgetReport {
    /// Stage.
    pub stage: String,
    /// Budget, ns.
    pub budget_ns: u64,
    /// Activations that took longer.
    pub broken: u64,
    /// The longest, ns.
    pub worst_ns: u64,
}

/// A time in which a CPU ran nobody of FIFO priority 92 or less.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StallReport {
    /// CPU.
    pub cpu: u32,
    /// When the witness should have run, ns after the start.
    pub at_ns: u64,
    /// How late it was, ns.
    pub length_ns: u64,
}

/// One row of the tie table.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TieReport {
    /// CLOCK_MONOTONIC, ns.
    pub monotonic_ns: u64,
    /// CLOCK_MONOTONIC_RAW, ns.
    pub raw_ns: u64,
    /// CLOCK_REALTIME, ns.
    pub realtime_ns: u64,
    /// Frames so far, by source stream.
    pub frames: BTreeMap<String, u64>,
}

/// The capture of the run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CaptureReport {
    /// Its first file.
    pub path: String,
    /// Blocks in it.
    pub blocks: u64,
    /// Activation records in it.
    pub activations: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// What is missing; empty if nothing is.
    pub lost: Vec<CaptureLossReport>,
    /// Bytes that were read and that the disk did not take.
    pub unwritten_bytes: u64,
    /// It is whole but for what is named as lost.
    pub sealed: bool,
    /// Why it is not, or what the disk said last; empty if nothing.
    pub why: String,
}

/// What a capture lacks of one stream, or of one process's activation records.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CaptureLossReport {
    /// Stream or process.
    pub of: String,
    /// Blocks or records.
    pub count: u64,
    /// Of those, how many because the disk could not follow.
    pub spool_full: u64,
    /// Of those, how many because recording was switched off.
    pub off: u64,
}

/// What the processes wrote to stdout and stderr.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogsReport {
    /// The file that keeps it, a JSON object per line; null if nothing was to be kept.
    pub path: Option<String>,
    /// Who has said how much; silent processes are left out.
    pub said: Vec<SaidReport>,
    /// What the disk said last when lines could not be written; empty if nothing.
    pub why: String,
}

/// What one process has said: `lines = kept + repeated + not_kept`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SaidReport {
    /// Process.
    pub stage: String,
    /// Bytes.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// Lines that are in the file.
    pub kept: u64,
    /// Lines that were the same as the one before: counted in the file.
    pub repeated: u64,
    /// Lines that came too quickly, or found the file full: counted in the file.
    pub not_kept: u64,
    /// Kept lines that were too long to be kept whole.
    pub cut: u64,
}

/// A command of the graph's `[on]` that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToldReport {
    /// `fault`, `threshold` or `end`.
    pub on: String,
    /// What it was told.
    pub cause: String,
    /// When, after the start, ns.
    pub at_ns: i64,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How it ended, one line.
    pub how: String,
    /// Its exit code; null if it could not be started, was killed, or ended by a signal.
    pub exit_code: Option<i32>,
}

/// Real-time state as it was read back from the kernel while the session ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RtWatchReport {
    /// Processes, timer first.
    pub processes: Vec<WatchedReport>,
    /// What the kernel took from real-time threads.
    pub throttling: ThrottlingReport,
    /// What a hypervisor took of each CPU of the host.
    #[serde(default)]
    pub steal: Vec<StealReport>,
}

/// What a hypervisor took of one CPU from ready to the end of draining; the kernel counts it in clock ticks, of 10 ms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StealReport {
    /// CPU.
    pub cpu: u32,
    /// All of it, ns.
    pub ns: u64,
    /// The twenty seconds in which it took most, most first.
    pub worst: Vec<StolenSecondReport>,
}

/// A second, from one look to the next, of which a hypervisor took something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StolenSecondReport {
    /// Its end, after the start, ns.
    pub at_ns: i64,
    /// Its length, ns.
    pub over_ns: u64,
    /// So much of it, ns.
    pub ns: u64,
}

/// One process, looked at once a second from ready to the end of draining. Counts are of the thread that was placed, between the
/// first look and the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchedReport {
    /// Process.
    pub name: String,
    /// Looks.
    pub seconds: u64,
    /// As it was placed at the last look; null if there was none.
    pub last: Option<PlacedReport>,
    /// Page faults without the disk.
    pub minor_faults: u64,
    /// Page faults with it.
    pub major_faults: u64,
    /// Moves to another CPU; null where the kernel does not say.
    pub migrations: Option<u64>,
    /// Context switches of its own will.
    pub voluntary_switches: u64,
    /// Context switches against it.
    pub involuntary_switches: u64,
    /// Placements lost and had again, the first of them.
    pub changes: Vec<ChangeReport>,
    /// All of them.
    pub changes_seen: u64,
}

/// Policy, priority and CPUs as the kernel says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlacedReport {
    /// `fifo`, `other`, `rr`, `batch`, `idle`, `deadline`.
    pub policy: String,
    /// Real-time priority.
    pub priority: u32,
    /// As the kernel lists them: `0-1,3`.
    pub cpus: String,
}

/// A process was placed otherwise than at ready, or as at ready again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeReport {
    /// When it was seen, after the start, ns.
    pub at_ns: i64,
    /// Tick.
    pub tick: u64,
    /// What it is and what it should be.
    pub what: String,
}

/// Throttling, as far as it can be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThrottlingReport {
    /// Microseconds of each period that real-time threads may use; -1: all. Null: this kernel has no such limit.
    pub rt_runtime_us: Option<i64>,
    /// Length of that period, us.
    pub rt_period_us: Option<i64>,
    /// How often the launcher's control group was throttled during the run; null: not visible.
    pub group_throttled: Option<u64>,
    /// Looks at which some CPU's real-time threads were throttled; null: not visible.
    pub rt_throttled_seen: Option<u64>,
    /// What could not be seen, and why.
    pub not_visible: Vec<String>,
}
