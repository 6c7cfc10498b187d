//! The command line: the one definition that parsing and help texts come from.

use clap::{Args, Parser, Subcommand};
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
    /// Draws a graph: stages, streams, types, CPUs, and where the latency goes
    Explain(GraphArgs),
    /// Prints the JSON schema of graphs, for editors
    Schema,
    /// Lists the kinds of stage
    List(ListArgs),
    /// Lists the sessions of this user
    Status(StatusArgs),
    /// Removes what killed sessions have left in shared memory
    Gc,
    /// Runs a helper process of a session (started by the launcher)
    #[command(hide = true)]
    Helper,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Recording to play: MCS HDF5, CREPE HDF5, or plain binary (with a sidecar, or --format). Default: one that is
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
    /// Graph file
    pub graph: PathBuf,
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
    /// Refuse to run (exit 1) unless every real-time stage gets SCHED_FIFO, its CPU and its memory lock
    #[arg(long)]
    pub require_rt: bool,
    /// Let idle CPUs halt as the kernel sees fit: saves power, and each wake-up costs tens of microseconds more. Without it
    /// a paced run keeps them polling, where it may write /dev/cpu_dma_latency
    #[arg(long)]
    pub let_cpus_halt: bool,
    /// Play as fast as the stages can follow, in logical time: every source gets `pace = "none"`
    #[arg(long)]
    pub unpaced: bool,
    /// Change a value of the graph, e.g. `stage.detect.params.k=4.5`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// One JSON line per step on stdout instead of a screen, the report last
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct GraphArgs {
    /// Graph file
    pub graph: PathBuf,
    /// Change a value of the graph; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Pass over files and devices that cannot be opened here
    #[arg(long)]
    pub offline: bool,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// JSON with parameters' schemas
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// JSON
    #[arg(long)]
    pub json: bool,
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
