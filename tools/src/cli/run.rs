//! What runs: a graph, a recording.

use super::values::duration;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Recording to play: a capture, MCS HDF5, CREPE HDF5, or plain binary (with a sidecar, or --format). Default: one that is
    /// generated from a seed
    #[arg(long, value_name = "FILE")]
    pub recording: Option<PathBuf>,
    /// What a plain binary file holds, e.g. `f32le,1ch,15000Hz` or `i16le,32ch,30000Hz,0.195uV`
    #[arg(long, value_name = "FORMAT", requires = "recording")]
    pub format: Option<String>,
    /// Twenty seconds that go wrong on purpose: the filter is killed, the readout stalled, the disk full; after each a line says
    /// what was lost, and that the loop runs
    #[arg(long = "break")]
    pub break_it: bool,
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
    /// Suffer the faults of this file's table `chaos` instead of the graph's
    #[arg(long, value_name = "FILE")]
    pub chaos: Option<PathBuf>,
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
