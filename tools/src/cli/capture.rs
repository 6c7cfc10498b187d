//! What is done with a capture.

use super::values::speed;
use clap::Args;
use std::path::PathBuf;

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
