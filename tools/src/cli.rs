//! The command line: the one definition that parsing and help texts come from.

use clap::{Args, Parser, Subcommand};
use ephapse_bench::ends::Class;
use ephapse_bench::watch::Action;
use ephapse_rtconfig::schedule::{IRQ_PRIORITY, IrqThread};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Real-time, shared-memory engine for closed-loop neurophysiology.
///
/// Exit codes: 0 passed; 1 error, usage, or a failed account; 2 a budget of the graph was broken.
#[derive(Debug, Parser)]
#[command(name = "ephapse", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plays a recording through the demo graph, from samples to stimulation commands, and reports every hop's latency
    Demo(DemoArgs),
    /// Runs a graph
    Run(RunArgs),
    /// Checks a graph and says what is wrong with it, without starting anything
    Check(GraphArgs),
    /// Draws a graph: stages, streams, types, CPUs, and where the latency goes; then the file and line of every value
    Explain(GraphArgs),
    /// Says before a graph runs whether it fits: who preempts whom, and the worst response of every stage and of the loop
    ///
    /// Worst responses follow from budgets (`budget_ns` in the graph), or from the run times of an earlier run (--report), over
    /// all CPUs together: jitter, bursts, equal priorities, the timer's rings and the witnesses included. What the engine
    /// takes beside its stages is assumed as measured on one host: a wake-up 6 us, a ring of the timer 7 us, a tick 20 us (1 us if
    /// it spins; with --report its measured lateness), a witness 5 us. What a hypervisor or firmware takes is in no bound.
    /// Exit codes: 0 it fits, or nobody can say; 1 error; 2 it does not fit.
    Plan(PlanArgs),
    /// Prints the JSON schema of graphs or of stage manifests, for editors
    Schema(SchemaArgs),
    /// Lists the kinds of stage, those of modules with their folders, or the graphs of modules
    List(ListArgs),
    /// Writes a stage of your own to start from, with its test and a graph that runs it: builds and passes at once
    NewStage(NewStageArgs),
    /// Writes a commented graph to start from: passes `check` at once
    NewGraph(NewGraphArgs),
    /// Computes a capture once more from its sources, turn by turn as it was, and compares all that comes out with it
    ///
    /// Every source, and whatever a stimulator has published, is played from the capture; every other stage runs its own code on it
    /// and takes the turns that its activation records tell: same joins, same skipped ticks, same clock. No device is touched. Exit codes:
    /// 0 identical, bit for bit; 1 an error, or something that must be known is not in the capture; 2 it differs.
    Replay(ReplayArgs),
    /// Says where two captures first differ: stage, stream, tick, position, field or element
    ///
    /// Streams are compared by name, block by block: headers (but for the REPLAY flag) and rows, bit by bit. Exit codes: 0 identical; 1 error;
    /// 2 they differ.
    Compare(CompareArgs),
    /// Checks whether this host is fit for real time: what was read, where, why it matters, how to put it right; ends with a verdict
    ///
    /// What cannot be read is unknown, and never counts as passed. Exit codes: 0 looked, whatever was found; 1 error; 2 with
    /// --require-rt, something critical has not passed. With --apply it is COMMAND's, or 1 if something could not be set back.
    Doctor(DoctorArgs),
    /// Lists the sessions of this user, or shows one
    Status(StatusArgs),
    /// Stops a session: its sources end, what is in its rings is dealt with, the report is written
    Stop(StopArgs),
    /// Switches stimulation off: every further command of the session is refused, and recorded as refused
    Off(OffArgs),
    /// Changes live parameters of a stage of a running session, between two of its activations
    Set(SetArgs),
    /// Prints the graph of a running session as it was resolved, every default written out
    Graph(SessionGraphArgs),
    /// Records a remark with the tick of this moment: an entry among the session's events, and in its capture
    Mark(MarkArgs),
    /// Switches the recording of a running session off, or on again: what comes meanwhile is a gap in its capture
    Record(RecordArgs),
    /// Starts a stage's executable again in a running session, where its last activation left off: edit, build, restart
    Restart(RestartArgs),
    /// Prints the blocks of a running stream, or keeps them in a NumPy file; never holds the session back
    ///
    /// Looks on as an observer: what the stream overwrites before it was copied is counted, named in the output, and told on
    /// stderr at the end. Ends with the stream, after -n or --frames, or at Ctrl-C. Begins with the newest block; of a stream
    /// that has ended, with the oldest that is left.
    Tap(TapArgs),
    /// Shows rates, losses and jitter of running streams, once per second
    ///
    /// Per stream: blocks and frames per second beside what its type promises; the median, 99th percentile and longest of the
    /// intervals from commit to commit; frames lost; blocks whose headers were overwritten before they could be looked at
    /// (missed). In an unpaced run commits are in logical time. Ends with the streams, or at Ctrl-C.
    Hz(HzArgs),
    /// Shows the rings of a session: seats, owners, positions, who is behind; also of one whose launcher was killed
    ///
    /// Per ring: slots, bytes, full-ring policy, published blocks, end and its reason, producer; per seat: kind, reader, owner
    /// and whether it lives, generation, next position, blocks not yet released and for how many ms the oldest of them has
    /// waited, and the reader's account.
    Ring(RingArgs),
    /// Lists the captures of a folder: when, how long, which streams, gaps, verdict, comment
    Captures(CapturesArgs),
    /// Adds a comment to a capture, in a file beside it: the capture itself is not touched
    Comment(CommentArgs),
    /// Shows what a capture holds: streams with their types, experiment, files, gaps, events, remarks
    Info(InfoArgs),
    /// Compares everything in a capture with its checksums, and with the certificate beside it, and names what is damaged
    ///
    /// Exit codes: 0 everything is what was written; 1 something is damaged, named with file and byte, or is not what was certified.
    Verify(VerifyArgs),
    /// Makes a sealed copy of everything that is whole in a damaged capture, or completes that of a killed session
    ///
    /// What is lost is named, and the damaged capture itself only read. While a killed session's memory is still there (until
    /// `ephapse gc` or the next start), its capture is completed in place from that, and sealed.
    Recover(RecoverArgs),
    /// Writes streams of a capture as files that other software opens
    ///
    /// h5: the HDF5 layout of Multi Channel Systems, all streams that it has a place for in one file. Samples and scales stay what
    /// they were, floating-point ones included; gaps stand in ChannelDataTimeStamps; spikes, events and marks keep their times
    /// alone. h5-plain: a matrix `data` (channel x sample) and its rate as `Bitrate`. npy, csv: rows as they were recorded.
    /// Gaps that a format cannot say are listed beside the file, as FILE.gaps.csv: nothing is filled up. A file has its name only
    /// when it is whole.
    Export(ExportArgs),
    /// Removes what killed sessions have left in shared memory, and sets back what a killed `doctor --apply` had changed
    Gc,
    /// Measures latencies of this host and of the engine on it, in the manner of `rtla timerlat hist`
    Bench(BenchArgs),
    /// Runs a helper process of a session (started by the launcher)
    #[command(hide = true)]
    Helper,
    /// Runs one end of a benchmark (started by `bench`)
    #[command(hide = true)]
    BenchEnd,
}

/// Exit codes: 0 passed; 1 error, usage, or an instrument that did not prove itself; 2 a value above the threshold, or,
/// with --bounds, a bound that does not hold.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure
    #[arg(required_unless_present = "check")]
    pub what: Option<BenchWhat>,
    /// CPUs: of the sender (waker, timer), and of the receiver (waiters, stages)
    #[arg(
        short = 'c',
        long,
        value_name = "CPU,CPU",
        value_delimiter = ',',
        num_args = 1,
        default_value = "0,1"
    )]
    pub cpus: Vec<u32>,
    /// Scheduling of what is measured: `f:80` (SCHED_FIFO of priority 80) or `o` (SCHED_OTHER)
    #[arg(short = 'P', long, value_name = "POLICY", value_parser = class, default_value = "f:80")]
    pub priority: Class,
    /// From block to block or tick to tick, e.g. `50us`; a bare number is microseconds. Default: each measurement's own
    #[arg(short, long, value_name = "T", value_parser = microseconds)]
    pub period: Option<Duration>,
    /// Time for each series, all rounds together, e.g. `3s`; a bare number is seconds. Default: each measurement's own
    #[arg(short, long, value_name = "T", value_parser = seconds)]
    pub duration: Option<Duration>,
    /// What precedes each round and is not counted, e.g. `10ms`; a bare number is seconds. Default: each measurement's own
    #[arg(long, value_name = "T", value_parser = seconds)]
    pub warm_up: Option<Duration>,
    /// Rounds of each contestant, in turns with the others, with the same placement of the CPUs
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub rounds: u16,
    /// Bucket of the histograms, e.g. `1us`; a bare number is microseconds. Default: what suits the values
    #[arg(short, long, value_name = "T", value_parser = microseconds)]
    pub bucket_size: Option<Duration>,
    /// Exit with 2 if a latency is above this, e.g. `100us`; a bare number is microseconds
    #[arg(short = 'T', long, value_name = "T", value_parser = microseconds)]
    pub threshold: Option<Duration>,
    /// What to do at the first latency above the threshold: `stop`, `continue`, or `shell,command=COMMAND` (run it, then stop)
    #[arg(
        long,
        value_name = "ACTION",
        requires = "threshold",
        default_value = "stop"
    )]
    pub on_threshold: Action,
    /// Exit with 2 if a bound that the project promises does not hold on this machine
    #[arg(long)]
    pub bounds: bool,
    /// `prove`: lose this record between ring and collector, counted from 1, to see the proof fail
    #[arg(long, value_name = "N")]
    pub drop_record: Option<u64>,
    /// Program with rival libraries to measure in the same run (`make bench-peers` builds it)
    #[arg(long, value_name = "PROGRAM")]
    pub peers: Option<PathBuf>,
    /// Folder for bench.json, bench.txt, bench.html and bench.hlog. Default: `out/bench-WHAT`
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Print the result as JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// Write the histogram of every round here too, as an HdrHistogram interval log
    #[arg(long, value_name = "FILE")]
    pub hlog: Option<PathBuf>,
    /// Write a percentile file of every series into this folder
    #[arg(long, value_name = "DIR")]
    pub hgrm: Option<PathBuf>,
    /// Write the page here too
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Compute every figure of a result (its bench.json) again from the bench.hlog beside it
    #[arg(long, value_name = "FILE", conflicts_with = "what")]
    pub check: Option<PathBuf>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum BenchWhat {
    /// A block's way between two processes on two CPUs, and how many per second there can be
    Ring,
    /// From telling to running: tick signal, futex, event, spin; 1, 4, 8 waiters
    Wake,
    /// Lateness of the timer at 1 and 10 kHz, beside cyclictest if it is installed
    Tick,
    /// Filters, detector, FFT, readout: frames per second on one CPU, beside SciPy if it is installed
    Dsp,
    /// Whether the instrument can be trusted: known delays through the whole measuring chain, and what measuring costs
    Prove,
    /// All of it
    All,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Recording to play: a capture, MCS HDF5, CREPE HDF5, or plain binary (with a sidecar, or --format). Default: one that is
    /// generated from a seed
    #[arg(long, value_name = "FILE")]
    pub recording: Option<PathBuf>,
    /// What a plain binary file holds, e.g. `f32le,1ch,15000Hz` or `i16le,32ch,30000Hz,0.195uV`
    #[arg(long, value_name = "FORMAT", requires = "recording")]
    pub format: Option<String>,
    #[command(flatten)]
    pub run: RunOptions,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Graph file, or the name of a graph in a module of `EPHAPSE_PATH`
    pub graph: PathBuf,
    /// Lay this file over the graph: it wins key by key, lists are replaced; may be repeated, and comes before --set
    #[arg(long, value_name = "FILE")]
    pub with: Vec<PathBuf>,
    #[command(flatten)]
    pub run: RunOptions,
}

#[derive(Debug, Args)]
pub struct RunOptions {
    /// How long sources give data, e.g. `10s`, `500ms`, `2min` (of stream time in an unpaced run). Default: until they end;
    /// the demo plays 10 s
    #[arg(long, value_name = "T", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Folder for report and logs. Default: `out/NAME`
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Folder of the capture, or `off` to record nothing. Default: as the graph says, else beside the report
    #[arg(long, value_name = "DIR|off")]
    pub record: Option<PathBuf>,
    /// Refuse to run (exit 1) unless every real-time stage gets SCHED_FIFO, its CPU and its memory lock
    #[arg(long)]
    pub require_rt: bool,
    /// Run a graph although by its budgets some stage cannot be done before its next turn, or a ring overflows
    #[arg(long)]
    pub unfit: bool,
    /// Let idle CPUs halt as the kernel sees fit: saves power, and each wake-up costs tens of microseconds more. Without it
    /// a paced run keeps them polling, where it may write /dev/cpu_dma_latency
    #[arg(long)]
    pub let_cpus_halt: bool,
    /// Play as fast as the stages can follow, in logical time: every source gets `pace = "none"`
    #[arg(long)]
    pub unpaced: bool,
    /// Replay the capture when the run is over and compare all decisions bit by bit; a difference fails the run. The demo
    /// always does, if it records
    #[arg(long)]
    pub prove: bool,
    /// Change a value of the graph, e.g. `stage.detect.params.k=4.5`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// One JSON line per step on stdout instead of a screen, the report last
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Capture, by any of its files
    pub capture: PathBuf,
    /// Play so many times faster than it was, in its own rhythm. Default: as fast as it goes
    #[arg(long, value_name = "N", value_parser = speed)]
    pub speed: Option<f64>,
    /// Change a parameter, e.g. `stage.detect.params.k=4.5`, and see from which tick on that changes what; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Folder for replay.json
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Capture, by any of its files
    pub left: PathBuf,
    /// The other
    pub right: PathBuf,
    /// Pass over sampled_ns, arrived_ns and committed_ns: two runs of the same data
    #[arg(long)]
    pub ignore_stamps: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct GraphArgs {
    /// Graph file, or the name of a graph in a module of `EPHAPSE_PATH`
    pub graph: PathBuf,
    /// Lay this file over the graph: it wins key by key, lists are replaced; may be repeated, and comes before --set
    #[arg(long, value_name = "FILE")]
    pub with: Vec<PathBuf>,
    /// Change a value of the graph; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Pass over files and devices that cannot be opened here
    #[arg(long)]
    pub offline: bool,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Graph file, or the name of a graph in a module of `EPHAPSE_PATH`
    pub graph: PathBuf,
    /// Lay this file over the graph: it wins key by key, lists are replaced; may be repeated, and comes before --set
    #[arg(long, value_name = "FILE")]
    pub with: Vec<PathBuf>,
    /// Change a value of the graph; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Pass over files and devices that cannot be opened here
    #[arg(long)]
    pub offline: bool,
    /// Take run times from the report.json of an earlier run instead of budgets, and show what it measured
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Predict loop, skipped ticks and dropped blocks with a model of the run
    #[arg(long)]
    pub simulate: bool,
    /// Show what a change would do, beside the graph as it is, e.g. `band.cpu=2,raw.slots=16`
    #[arg(long, value_name = "NAME.KEY=VALUE,...", value_delimiter = ',')]
    pub what_if: Vec<String>,
    /// Length of the model's run
    #[arg(long, value_name = "T", value_parser = duration, default_value = "1h", requires = "simulate")]
    pub duration: Duration,
    /// Seed of the model's run times
    #[arg(long, value_name = "N", default_value_t = 1, requires = "simulate")]
    pub seed: u64,
    /// An IRQ thread that competes, e.g. `cpu=1,every=1ms,run=20us`; `priority=50` is what the kernel gives; may be repeated
    #[arg(long = "irq", value_name = "KEY=VALUE,...", value_parser = irq)]
    pub irqs: Vec<IrqThread>,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Graph whose modules' kinds are in the schema too
    pub graph: Option<PathBuf>,
    /// Lay this file over the graph: it wins key by key, lists are replaced; may be repeated, and comes before --set
    #[arg(long, value_name = "FILE", requires = "graph")]
    pub with: Vec<PathBuf>,
    /// The schema of a module's `stage.toml` instead
    #[arg(long, conflicts_with = "graph")]
    pub stage: bool,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Graph whose modules' kinds are listed too
    pub graph: Option<PathBuf>,
    /// List the graphs of the modules of `EPHAPSE_PATH` instead
    #[arg(long, conflicts_with = "graph")]
    pub graphs: bool,
    /// JSON with parameters' schemas
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct NewStageArgs {
    /// Name: a-z, 0-9, `_`, `-`. A graph uses it as `mylab.NAME`, or by its whole name if it has dots, as `otherlab.NAME`
    pub name: String,
    /// Folder to write, which is not there yet. Default: NAME
    pub dir: Option<PathBuf>,
    /// Language
    #[arg(long, value_name = "LANGUAGE")]
    pub lang: Language,
}

/// What a stage is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// One trait; its test runs whole turns
    Rust,
    /// C11 with libephapse
    C,
    /// A class on numpy views of the slots
    Python,
}

#[derive(Debug, Args)]
pub struct NewGraphArgs {
    /// File to write, which is not there yet. Default: the origin's name, as `demo.toml`
    pub file: Option<PathBuf>,
    /// Where to start from
    #[arg(long, value_name = "ORIGIN", default_value = "demo")]
    pub from: Origin,
    /// Recording to play: a capture, MCS HDF5, CREPE HDF5, or plain binary (with a sidecar, or --format)
    #[arg(long, value_name = "FILE", required_if_eq("from", "recording"))]
    pub recording: Option<PathBuf>,
    /// What a plain binary file holds, e.g. `f32le,1ch,15000Hz` or `i16le,32ch,30000Hz,0.195uV`
    #[arg(long, value_name = "FORMAT", requires = "recording")]
    pub format: Option<String>,
}

/// What a new graph is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Origin {
    /// What `ephapse demo` runs, and the recording that it generates, beside the graph
    Demo,
    /// The same on a recording of yours (--recording)
    Recording,
    /// A loop on generated signals, without a file
    Synthetic,
    /// The same with a stage in Python in it, beside the graph in `stages/reference`
    Python,
}

#[derive(Debug, Args)]
pub struct StopArgs {
    /// Session; may be left out if only one runs
    pub session: Option<String>,
    /// Leave at once, without draining
    #[arg(long)]
    pub now: bool,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct OffArgs {
    /// Session; may be left out if only one runs
    pub session: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SetArgs {
    /// Stage, by its name in the graph
    pub stage: String,
    /// `PARAMETER=VALUE`, the value as JSON or as plain text, e.g. `table_hz=[[0.5,12.0]]`
    #[arg(required = true)]
    pub params: Vec<String>,
    /// Session; may be left out if only one runs
    #[arg(long)]
    pub session: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SessionGraphArgs {
    /// Session; may be left out if only one runs
    pub session: Option<String>,
}

#[derive(Debug, Args)]
pub struct MarkArgs {
    /// What is to be remembered, one line of at most 192 bytes
    pub text: String,
    /// Session; may be left out if only one runs
    #[arg(long)]
    pub session: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Whether what comes is kept
    pub switch: Switch,
    /// Session; may be left out if only one runs
    #[arg(long)]
    pub session: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// Keep what comes
    On,
    /// Pass it over
    Off,
}

#[derive(Debug, Args)]
pub struct RestartArgs {
    /// Stage, by its name in the graph
    pub stage: String,
    /// Session; may be left out if only one runs
    #[arg(long)]
    pub session: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Graph whose CPUs, ticks, memory and recording are asked for. Default: what the demo asks for
    pub graph: Option<PathBuf>,
    /// Lay this file over the graph: it wins key by key, lists are replaced; may be repeated, and comes before --set
    #[arg(long, value_name = "FILE", requires = "graph")]
    pub with: Vec<PathBuf>,
    /// Change a value of the graph; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "graph")]
    pub set: Vec<String>,
    /// Look at a host's `proc`, `sys` and `dev` below another folder, as a copy of them
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// First measure how late each of these CPUs wakes and what interrupts it, for so long, e.g. `30s`. FIFO threads take up to
    /// 40 % of these CPUs meanwhile
    #[arg(long, value_name = "T", value_parser = duration)]
    pub measure: Option<Duration>,
    /// Exit with 2 unless everything critical has passed; with --apply, COMMAND is then not started
    #[arg(long)]
    pub require_rt: bool,
    /// JSON
    #[arg(long, conflicts_with = "apply")]
    pub json: bool,
    /// As root: list the kernel's files that would put right what was found, write them, run COMMAND, and set them back when
    /// it ends, at Ctrl-C too (it gets SIGTERM, once for each). After a `kill -9` the next `gc`, `run` or `doctor` sets them back
    #[arg(long, requires = "command")]
    pub apply: bool,
    /// What --apply runs; it gets no keyboard
    #[arg(last = true, value_name = "COMMAND", requires = "apply")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Session to be shown, stage by stage
    pub session: Option<String>,
    /// Show it again every second, until it ends
    #[arg(long, requires = "session")]
    pub watch: bool,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TapArgs {
    /// Stream, by its name in the graph
    pub stream: String,
    /// Session. Default: the only one that runs
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// End after so many blocks
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub blocks: Option<u64>,
    /// End after so many frames (records, bytes) were shown
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub frames: Option<u64>,
    /// Show every N-th frame (record, byte) only, counted in the stream
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub every: u64,
    /// Channels to show, e.g. `A1,B2`: labels, or where no label is so called, numbers from 0. Default: all, of which text
    /// shows the first six
    #[arg(long, value_name = "CHANNEL,...", value_delimiter = ',')]
    pub channels: Vec<String>,
    /// Show the newest block whenever it looks, and pass over those between
    #[arg(long)]
    pub newest: bool,
    /// One JSON line per block: header, `missed_blocks` before it, and `frames`, `records` or `bytes` (hexadecimal)
    #[arg(long)]
    pub json: bool,
    /// Print nothing, and write a NumPy file: frames as an array (frames, channels, ...), records as a structured array.
    /// Until it is whole it is called FILE.part
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub npy: Option<PathBuf>,
    /// Print nothing, and write comma-separated values, exact; called FILE.part until it is whole
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "npy"])]
    pub csv: Option<PathBuf>,
    /// Show what was recorded in so long before now (of a session that is over: before its end), e.g. `60s`, out of its capture,
    /// and end
    #[arg(long, value_name = "T", value_parser = duration, conflicts_with = "newest")]
    pub last: Option<Duration>,
    /// The capture to look into. Default: the one that the session is being recorded to
    #[arg(
        long,
        value_name = "FILE",
        requires = "last",
        conflicts_with = "session"
    )]
    pub capture: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CapturesArgs {
    /// Folder; those in it are looked into, three deep. Default: this one
    pub dir: Option<PathBuf>,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CommentArgs {
    /// Capture, by any of its files
    pub file: PathBuf,
    /// What is to be said
    #[arg(required = true)]
    pub text: Vec<String>,
}

#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Capture, by any of its files
    pub file: PathBuf,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Capture, by any of its files
    pub file: PathBuf,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// Capture, by any of its files, or the name of a killed session
    pub file: PathBuf,
    /// The copy, which is not there yet. Default: `run.recovered.cap` beside `run.cap`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Capture, by any of its files
    pub file: PathBuf,
    /// Format
    #[arg(long, value_name = "FORMAT")]
    pub to: ExportFormat,
    /// Streams, by their names in the graph. Default: with h5 all that it has a place for, otherwise the only one
    #[arg(long = "stream", value_name = "NAME,...", value_delimiter = ',')]
    pub streams: Vec<String>,
    /// File to write, which is not there yet. Default: beside the capture, by its name and the stream's
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Begin here, in seconds of the stream's own count of frames
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub from: Option<f64>,
    /// End before here, in the same seconds
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub to_time: Option<f64>,
}

/// What a capture is exported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// HDF5 in the layout of Multi Channel Systems
    H5,
    /// HDF5: a matrix `data` with an attribute `Bitrate`
    H5Plain,
    /// NumPy
    Npy,
    /// Comma-separated values
    Csv,
}

#[derive(Debug, Args)]
pub struct HzArgs {
    /// Streams. Default: all of the session
    pub streams: Vec<String>,
    /// Session. Default: the only one that runs
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// One second only
    #[arg(long)]
    pub once: bool,
    /// One JSON line per second
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RingArgs {
    /// Streams. Default: all of the session
    pub streams: Vec<String>,
    /// Session. Default: the only one that runs; if none does, the only one that a killed launcher has left
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// Look again every second, until the session is over or Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// JSON, one line per look
    #[arg(long)]
    pub json: bool,
}

/// `80`, `f:80`, `o`, `o:0`, as rtla writes them.
fn class(text: &str) -> Result<Class, String> {
    let (policy, priority) =
        text.split_once(':')
            .unwrap_or(if text == "o" { ("o", "0") } else { ("f", text) });
    match (policy, priority.parse::<u8>()) {
        ("f", Ok(priority)) if (1..=98).contains(&priority) => Ok(Class::Fifo(priority)),
        ("o", Ok(0)) => Ok(Class::Other),
        _ => Err("write it `f:80` (1 to 98; 99 belongs to the kernel) or `o`".into()),
    }
}

fn in_unit(text: &str, unit: &str) -> Result<Duration, String> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        duration(&format!("{text}{unit}"))
    } else {
        duration(text)
    }
}

fn microseconds(text: &str) -> Result<Duration, String> {
    in_unit(text, "us")
}

fn seconds(text: &str) -> Result<Duration, String> {
    in_unit(text, "s")
}

fn irq(text: &str) -> Result<IrqThread, String> {
    let form =
        || "write it `cpu=1,every=1ms,run=20us`, with `priority=50` if it has another".to_owned();
    let (mut cpu, mut priority, mut every, mut run) = (None, Some(IRQ_PRIORITY), None, None);
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(form)?;
        let ns = || u64::try_from(duration(value)?.as_nanos()).map_err(|_| form());
        match key.trim() {
            "cpu" => cpu = value.parse().ok(),
            "priority" => priority = value.parse().ok().filter(|p| (1..=98).contains(p)),
            "every" => every = Some(ns()?),
            "run" => run = Some(ns()?),
            _ => return Err(form()),
        }
    }
    let all = cpu.zip(priority).zip(every).zip(run);
    let (((cpu, priority), every_ns), run_ns) = all.ok_or_else(form)?;
    Ok(IrqThread {
        cpu,
        priority,
        every_ns,
        run_ns,
    })
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if speed > 0.0 && f64::is_finite(speed) => Ok(speed),
        _ => Err("a speed is a number above 0, e.g. `1` for the rhythm it had".into()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|e| format!("{e} (write it like `10s`, `500ms`, `2min`)"))?;
    if duration.is_zero() {
        Err("a run of no length shows nothing".into())
    } else {
        Ok(duration)
    }
}
