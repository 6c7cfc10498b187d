//! Kinds of stage, and what a new stage or graph begins with.

use clap::Args;
use std::path::PathBuf;

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
