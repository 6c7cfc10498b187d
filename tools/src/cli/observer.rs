//! How one looks on at running streams.

use super::values::duration;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

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
