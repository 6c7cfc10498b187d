//! How latencies are measured.

use super::values::{class, microseconds, seconds};
use clap::Args;
use ephapse_bench::ends::Class;
use ephapse_bench::watch::Action;
use std::path::PathBuf;
use std::time::Duration;

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
