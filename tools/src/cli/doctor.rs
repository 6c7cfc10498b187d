//! How a host is looked at.

use super::values::duration;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

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
