//! The closest rivals of the engine's ring, as ends of `ephapse bench ring`.
//!
//! ```text
//! ephapse bench ring ── orders ──> ephapse-peers ── iceoryx2, rtrb, Redis, Python ──> ephapse-peers
//! ```
//!
//! The loop that measures, the payload and its check are the project's own (`ephapse_bench::hop`); here is only what each
//! rival does with a block. A package outside the workspace: nothing of it is in the project's lock file.

mod iceoryx;
mod keeper;
mod listing;
mod peer_links;
mod python_queue;
mod redis_server;
mod redis_streams;
mod rtrb_ring;
mod same_thread;
mod self_check;

use clap::Parser;
use keeper::Keeper;
use peer_links::PeerLinks;
use std::process::ExitCode;

/// Rivals of Ephapse's ring, as ends of `ephapse bench ring`. Without arguments: follows orders on stdin.
///
/// Exit codes: 0 passed; 1 error or usage; 2 an adapter is slower than its peer's own benchmark allows.
#[derive(Debug, Parser)]
#[command(name = "ephapse-peers", version, max_term_width = 100)]
struct Cli {
    /// Prints one JSON line per peer: what it is, whether it can run here, what it follows
    #[arg(long, group = "task")]
    list: bool,
    /// Runs the benchmarks that peers ship against the adapters here, in turns; exit 2 if an adapter reaches less than 0.8
    #[arg(long, group = "task")]
    self_check: bool,
    /// Runs a peer's own benchmark alone
    #[arg(long, group = "task", value_name = "PEER")]
    own_benchmark: Option<String>,
    /// CPUs of sender and receiver. Default: the first two that this process may use
    #[arg(short, long, value_name = "CPU,CPU", value_parser = cpus)]
    cpus: Option<[u32; 2]>,
    /// Rounds of each benchmark
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
    /// Removes what the end PID leaves behind (started by an end)
    #[arg(long, hide = true, group = "task", value_name = "PID")]
    keep: Option<u32>,
}

fn cpus(text: &str) -> Result<[u32; 2], String> {
    let list: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
    let list = list.map_err(|e| e.to_string())?;
    <[u32; 2]>::try_from(list).map_err(|_| "two CPUs, like 0,1".to_owned())
}

fn main() -> ExitCode {
    // 2 means "threshold hit" here; clap's own exit code for a usage error would be taken for it.
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed stdout or stderr leaves nobody to tell.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ephapse-peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, String> {
    let said = |e: std::io::Error| e.to_string();
    if cli.list {
        for peer in listing::peers() {
            println!(
                "{}",
                serde_json::to_string(&peer).map_err(|e| e.to_string())?
            );
        }
    } else if let Some(end_pid) = cli.keep {
        keeper::keep(end_pid).map_err(said)?;
    } else if cli.self_check || cli.own_benchmark.is_some() {
        let keeper = Keeper::start().map_err(said)?;
        let plan = self_check::Plan {
            keeper: &keeper,
            cpus: cli.cpus,
            rounds: cli.rounds,
        };
        return self_check::run(&plan, cli.own_benchmark.as_deref(), cli.json);
    } else {
        let keeper = Keeper::start().map_err(said)?;
        ephapse_bench::ends::serve(&mut PeerLinks::new(keeper)).map_err(said)?;
    }
    Ok(ExitCode::SUCCESS)
}
