//! A planned schedule as scripts read it: all times in ns, null where nothing is known.

use ephapse_rtconfig::plan::Full;
use ephapse_rtconfig::schedule::fits::Verdict;
use serde::Serialize;

/// A planned schedule.
#[derive(Clone, Debug, Serialize)]
pub struct PlanView {
    /// `ephapse-plan 1`.
    pub format: &'static str,
    /// Name of the session.
    pub session: String,
    /// Length of a tick.
    pub tick_ns: u64,
    /// Does it fit?
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Where the run times come from: `budget_ns`, or the report.
    pub run_times: String,
    /// CPUs that the session takes. Sessions that take others can run beside it.
    pub cpus: Vec<u32>,
    /// Of those, which this host does not have.
    pub missing_cpus: Vec<u32>,
    /// CPUs of this host, as the kernel writes them.
    pub online: String,
    /// Shared memory of the rings.
    pub ring_bytes: u64,
    /// Shared memory of the recorder's spool.
    pub spool_bytes: u64,
    /// Timer, witnesses, IRQ threads and stages; by CPU, the most urgent first.
    pub tasks: Vec<TaskView>,
    /// Rings.
    pub rings: Vec<RingView>,
    /// What the model predicts; null without `--simulate`.
    pub prediction: Option<PredictionView>,
    /// What the report measured; null without `--report`.
    pub measured: Option<PredictionView>,
    /// The same graph without what `--what-if` changes; null without it.
    pub as_it_is: Option<Box<PlanView>>,
}

/// One task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskView {
    /// Name.
    pub name: String,
    /// CPU; null: any.
    pub cpu: Option<u32>,
    /// FIFO priority; 0: normal.
    pub priority: u8,
    /// What begins an activation.
    pub begins: String,
    /// Longest run of a turn.
    pub run_ns: Option<u64>,
    /// Worst response: from the tick or the clock's instant, or from when the block was there, to the end of the activation.
    pub response_ns: Option<u64>,
    /// Why there is no bound.
    pub no_bound: Option<String>,
    /// From one activation to the next; null: paced by data.
    pub turn_ns: Option<u64>,
    /// Worst time from the sampling of the newest frame used to the end of the turn.
    pub latency_ns: Option<u64>,
    /// The longest that the report has seen.
    pub measured_latency_ns: Option<u64>,
    /// Most blocks that one activation of a ticked stage takes.
    pub most_blocks: Option<u64>,
    /// Who runs first whenever it comes.
    pub preempted_by: Vec<String>,
    /// Who runs first if it has come first: the same priority.
    pub queues_with: Vec<String>,
}

/// One ring.
#[derive(Clone, Debug, Serialize)]
pub struct RingView {
    /// Stream.
    pub stream: String,
    /// Slots.
    pub slots: u32,
    /// Bytes of shared memory.
    pub bytes: u64,
    /// What happens when it is full.
    pub full: Full,
    /// Its readers.
    pub readers: Vec<ReaderView>,
}

/// One reader of a ring.
#[derive(Clone, Debug, Serialize)]
pub struct ReaderView {
    /// Stage.
    pub stage: String,
    /// Most blocks between it and the maker.
    pub most: Option<u64>,
    /// The maker cannot pass it, and the ring can become full.
    pub can_fill: bool,
}

/// What was, or would be, measured.
#[derive(Clone, Debug, Serialize)]
pub struct PredictionView {
    /// Length of the model's run; null: a report.
    pub length_ns: Option<u64>,
    /// Its seed.
    pub seed: Option<u64>,
    /// Loop, uncorrected.
    #[serde(rename = "loop")]
    pub loop_latency: LoopView,
    /// Skipped ticks, by stage and cause; stages without any are left out.
    pub skipped: Vec<SkippedView>,
    /// Blocks dropped, by stream; streams without any are left out.
    pub dropped: Vec<DroppedView>,
}

/// Percentiles of the loop.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct LoopView {
    /// Values.
    pub count: u64,
    /// 50 %.
    pub p50_ns: Option<u64>,
    /// 99 %.
    pub p99_ns: Option<u64>,
    /// 99.9 %.
    pub p999_ns: Option<u64>,
    /// Largest.
    pub max_ns: Option<u64>,
}

/// Skipped ticks of a stage.
#[derive(Clone, Debug, Serialize)]
pub struct SkippedView {
    /// Stage.
    pub stage: String,
    /// It waited to run.
    pub late_wake: u64,
    /// It still ran.
    pub long_run: u64,
    /// An output had no room.
    pub no_room: u64,
}

/// Dropped blocks of a stream.
#[derive(Clone, Debug, Serialize)]
pub struct DroppedView {
    /// Stream.
    pub stream: String,
    /// Blocks.
    pub dropped: u64,
}
