//! What a graph is asked before it runs.

use super::values::{duration, irq};
use clap::Args;
use ephapse_rtconfig::schedule::IrqThread;
use std::path::PathBuf;
use std::time::Duration;

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
    #[command(flatten)]
    pub graph: GraphArgs,
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
