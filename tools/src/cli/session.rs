//! What a running session is asked and told.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Stage, by its name in the graph. Default: all of them
    pub stage: Option<String>,
    /// Show what comes, too, until the session ends or Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Session. Default: the only one that runs; if none does, the newest log in `out/*`. Of one that is over, `out/NAME`
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// Folder of the report, or the log itself
    #[arg(long, value_name = "DIR", conflicts_with = "session")]
    pub report: Option<PathBuf>,
    /// The lines of the log as they are: a JSON object each
    #[arg(long)]
    pub json: bool,
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
