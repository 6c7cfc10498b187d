//! The command line: the one definition that parsing and help texts come from.

mod bench;
mod capture;
mod doctor;
mod graph;
mod new;
mod observer;
mod run;
mod session;
mod twin;
mod values;
mod why;

pub use bench::{BenchArgs, BenchWhat};
pub use capture::{
    CapturesArgs, CommentArgs, CompareArgs, ExportArgs, ExportFormat, InfoArgs, RecoverArgs,
    ReplayArgs, VerifyArgs,
};
pub use doctor::DoctorArgs;
pub use graph::{GraphArgs, PlanArgs, SchemaArgs};
pub use new::{Language, ListArgs, NewGraphArgs, NewStageArgs, Origin};
pub use observer::{HzArgs, RingArgs, TapArgs};
pub use run::{DemoArgs, RunArgs, RunOptions};
pub use session::{
    LogsArgs, MarkArgs, OffArgs, RecordArgs, RestartArgs, SessionGraphArgs, SetArgs, StatusArgs,
    StopArgs, Switch,
};
pub use twin::{CytonTwinArgs, DevicesArgs, TwinArgs, TwinDevice};
pub use why::WhyArgs;

use clap::{Parser, Subcommand};

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
    /// Lists serial ports behind USB, and says which may be an OpenBCI Cyton and how its graph names it
    Devices(DevicesArgs),
    /// Stands in for a device: speaks its protocol at its pace, with faults if you ask for them, until Ctrl-C
    Twin(TwinArgs),
    /// Lists the sessions of this user, or shows one
    Status(StatusArgs),
    /// Shows what the stages of a session have said: everything they wrote to stdout and stderr, with time, tick and stage
    ///
    /// Of the session that runs; after it, of the log beside its report. A stage from whose name a `!` follows wrote to stderr.
    /// Equal lines in a row are shown once and counted; of a stage that says more than 1,000 lines at once, or more than 100
    /// per second for long, the rest is counted; of a session the first 16 MiB are kept. Exit codes: 0 shown; 1 error.
    Logs(LogsArgs),
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
    /// Says why a decision came when it did: walks it back to its frames, one line per stage, each with what is on record
    ///
    /// Per stage: how long it waited from its block being there (a source: from the last frame) until it was at work, when that
    /// was, how long it ran; and the causes that stand on record in that time: preempted by whom, page faults, involuntary switches, the
    /// CPU stood still before a witness's eyes, ticks skipped and why (late_wake, long_run, dead, no_room and behind whom), longer
    /// than its budget or a tick, started again. All that was waited and run is the total. A record that is missing is said and
    /// nothing is guessed. Reads the capture, also while it is being written: then the newest decision may be 0.2 s old.
    Why(WhyArgs),
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
